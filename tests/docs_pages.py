"""What the pages of docs/ and the README say to run and to open, taken out of their text."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")


class Block(NamedTuple):
    language: str
    text: str


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(*found) for found in FENCE.findall(text_of(page))]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", text_of(page))


def lines(block: str) -> Iterator[str]:
    """A shell block's commands, one a line, whole if they are continued."""
    for line in block.replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip()


def words(line: str) -> list[str]:
    """A command's words, without its comment."""
    return shlex.split(line, comments=True)


def commands(page: Path) -> Iterator[list[str]]:
    """Every `chorus …` that a page's shell blocks say to run."""
    for block in blocks(page):
        if block.language == "sh":
            yield from (words(line) for line in lines(block.text) if line.startswith("chorus "))


def mentioned(page: Path) -> Iterator[list[str]]:
    """Every `chorus …` in running text; some have … where the reader fills in."""
    for code in CODE.findall(prose(page)):
        if code.startswith("chorus "):
            yield code.split()


def links(page: Path) -> list[str]:
    """Links and images to other places of the repository."""
    found = LINK.findall(CODE.sub("", prose(page)))
    return [link for link in found if not link.startswith(("http://", "https://", "mailto:"))]


def anchors(page: Path) -> set[str]:
    """The anchors that a viewer gives the headings of a page."""
    found = set()
    for heading in HEADING.findall(prose(page)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        found.add(re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-"))
    return found
