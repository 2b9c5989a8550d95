"""`make audit`: what is known to be wrong with the packages that Chorus installs.

Asks PyPI (by pip-audit) about requirements.lock and npm's registry about the browser parts. Exit 1
for a finding, 0 where there is none, or where nobody could be asked: then it says so, and a build
without a network does not fail for that.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".cache" / "tools"
PACKAGES = {
    "pip-audit": "pip-audit==2.9.0",
    "cyclonedx-py": "cyclonedx-bom==7.0.0",
    "uv": "uv==0.13.9",
}
"""Program -> the package that brings it, in an environment of their own: what looks at the others
must not be one of them."""
PARTS = ("chorus/web", "chorus/demo")
PATIENCE_S = 120
"""For each that is asked: a build does not hang for it."""


def _said(command: list[Any], **how: Any) -> subprocess.CompletedProcess[str]:
    """What a program says; nothing, if it does not come to its end in time."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, **how)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer within {PATIENCE_S} s")


def tool(name: str) -> Path | None:
    """A program of PACKAGES, installed when first needed; None where that cannot be done."""
    bin_ = TOOLS / "bin"
    if not (bin_ / name).exists():
        if not (bin_ / "python").exists():
            venv.create(TOOLS, with_pip=True)
        done = _said([bin_ / "python", "-m", "pip", "install", "-qq", PACKAGES[name]])
        if done.returncode:
            print(done.stderr.strip(), file=sys.stderr)
            return None
    return bin_ / name


def python() -> tuple[list[str], list[str]]:
    """(findings, what could not be asked) of requirements.lock."""
    program = tool("pip-audit")
    if program is None:
        return [], ["pip-audit could not be installed"]
    done = _said(
        [program, "-r", ROOT / "requirements.lock", "--no-deps", "--disable-pip", "-f", "json",
         "--progress-spinner", "off"]
    )  # fmt: skip
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return [], [f"pip-audit: {(done.stderr.strip().splitlines() or ['no answer'])[-1]}"]
    bad = [
        f"{p['name']} {p['version']}: {v['id']}, mended in {', '.join(v['fix_versions']) or '–'}"
        for p in found
        for v in p.get("vulns", ())
    ]
    skipped = [p for p in found if "skip_reason" in p]
    if skipped:
        return bad, [f"{len(skipped)} of {len(found)} Python packages: {skipped[0]['skip_reason']}"]
    return bad, []


def browser(part: str) -> tuple[list[str], list[str]]:
    """The same of one package-lock.json."""
    npm = shutil.which("npm")
    if npm is None:
        return [], [f"{part}: npm is not here"]
    done = _said([npm, "audit", "--json", "--package-lock-only"], cwd=ROOT / part)
    try:
        said: dict[str, Any] = json.loads(done.stdout)
        found: dict[str, dict[str, Any]] = said["vulnerabilities"]
    except (ValueError, KeyError):
        lines = done.stdout.splitlines() + done.stderr.splitlines()
        told = (line for line in lines if "message" in line or "npm error" in line)
        reason = next(told, lines[-1] if lines else "no answer")
        return [], [f"{part}: {reason.strip()}"]
    return [f"{part}: {name} {about['range']} ({about['severity']})"
            for name, about in found.items()], []  # fmt: skip


def main() -> None:
    bad, unknown = python()
    for part in PARTS:
        more, unasked = browser(part)
        bad += more
        unknown += unasked
    for line in unknown:
        print(f"could not be asked: {line}")
    for line in bad:
        print(f"finding: {line}")
    if bad or not unknown:
        print(f"audit: {len(bad)} findings{', not all could be asked' if unknown else ''}")
    else:
        print("audit: NOTHING WAS CHECKED, nobody could be asked (no network, or it is not let in)")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
