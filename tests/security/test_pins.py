"""What is installed is named once, by version and by hash."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z0-9]+\])?==([^\s;\\]+)", re.MULTILINE)


def pins(text: str) -> set[tuple[str, str]]:
    """(name as indexes have it, version)."""
    return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in PIN.findall(text)}


def test_the_lists_agree_and_every_version_has_hashes() -> None:
    """After a change: `make hashes`."""
    lock = pins((ROOT / "requirements.lock").read_text("utf-8"))
    about = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for asked in (about["dependencies"], *about["optional-dependencies"].values()):
        assert pins("\n".join(asked)) <= lock
    hashes = (ROOT / "requirements.hashes").read_text("utf-8")
    assert lock <= pins(hashes)
    for path in (ROOT / "requirements.hashes", *sorted((ROOT / "scripts").glob("*.hashes"))):
        for entry in re.split(r"\n(?=\S)", path.read_text("utf-8").strip())[1:]:
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
            assert "://" not in entry, "no address: whoever installs has an index"
