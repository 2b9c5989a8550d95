"""What docs say is tested, is: every test they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
FOUND = sorted(
    {
        (page.name, file, name)
        for page in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
        for file, name in NAMED.findall(page.read_text("utf-8"))
    }
)


@pytest.mark.parametrize(("page", "file", "name"), FOUND)
def test_a_named_test_exists(page: str, file: str, name: str) -> None:
    path = ROOT / file
    assert path.is_file(), f"{page} names {file}"
    if name:
        assert re.search(rf"def {name}\b", path.read_text("utf-8")), f"{page} names {file}::{name}"
