"""What docs say is so: links, commands and options, and the tests they name, all exist."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperCommand, TyperOption

from scripts import cli_reference
from tests import docs_pages
from tests.docs_pages import DOCS, PAGES, ROOT, name_of

NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
FOUND = sorted(
    {
        (name_of(page), file, name)
        for page in PAGES
        for file, name in NAMED.findall(docs_pages.text_of(page))
    }
)
PATH_PROBLEM = re.compile(r"does not exist|not a (file|directory)|is a directory")


@pytest.mark.parametrize(("page", "file", "name"), FOUND)
def test_a_named_test_exists(page: str, file: str, name: str) -> None:
    path = ROOT / file
    assert path.is_file(), f"{page} names {file}"
    if name:
        assert re.search(rf"def {name}\b", path.read_text("utf-8")), f"{page} names {file}::{name}"


@pytest.fixture(scope="module")
def known() -> dict[str, TyperCommand]:
    """Every command of `chorus`, by its whole name."""
    return dict(cli_reference.commands(cli_reference.root()))


def command_of(words: list[str], known: dict[str, TyperCommand]) -> tuple[TyperCommand, list[str]]:
    for n in (3, 2):
        command = known.get(" ".join(words[:n]))
        if command is not None:
            return command, words[n:]
    raise AssertionError(f"no such command: {' '.join(words)}")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for link in docs_pages.links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if page.is_relative_to(DOCS):
            assert target.is_relative_to(DOCS), f"{link} leads out of the site"
        if anchor:
            assert anchor in docs_pages.anchors(target), link


def test_every_page_is_in_the_navigation_once() -> None:
    listed: list[str] = []

    def collect(entry: Any) -> None:
        if isinstance(entry, str):
            listed.append(entry)
        elif isinstance(entry, list):
            for one in entry:
                collect(one)
        else:
            collect(list(entry.values()))

    collect(tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]["nav"])
    assert sorted(listed) == sorted(str(p.relative_to(DOCS)) for p in DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_its_commands_are_real(
    page: Path, known: dict[str, TyperCommand], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHORUS_TOKEN", "a token")
    for words in docs_pages.commands(page):
        command, arguments = command_of(words, known)
        try:
            # Read as when it is run, but not run.
            command.make_context(words[1], list(arguments))
        except Exception as error:
            message = str(getattr(error, "message", error))
            # The reader's files are not here.
            assert PATH_PROBLEM.search(message), f"{' '.join(words)}: {message}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_it_mentions_are_real(page: Path, known: dict[str, TyperCommand]) -> None:
    for words in docs_pages.mentioned(page):
        if words[1] in ("COMMAND", "…") or words[1:] == ["user"]:
            continue
        command, rest = command_of(words, known)
        options = {
            name
            for p in command.params
            if isinstance(p, TyperOption)
            for name in (*p.opts, *p.secondary_opts, "--help")
        }
        for word in rest:
            assert not word.startswith("--") or word in options, " ".join(words)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_is_to_be_run_is_marked_as_shell(page: Path) -> None:
    # Else it would go by the tests above.
    for block in docs_pages.blocks(page):
        if not block.language:
            assert not re.search(r"^(chorus|make|python|curl|pip) ", block.text, re.MULTILINE)


def test_modules_and_make_targets_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page in PAGES:
        text = docs_pages.text_of(page)
        for module in re.findall(r"python -m ((?:chorus|scripts|bench|tests)[\w.]*)", text):
            assert importlib.util.find_spec(module) is not None, f"{page.name}: {module}"
        code = [*docs_pages.CODE.findall(docs_pages.prose(page))]
        code += [line for b in docs_pages.blocks(page) for line in b.text.splitlines()]
        for line in code:
            if target := re.match(r"make (\w+)", line):
                assert target[1] in targets, f"{page.name}: {line}"


def test_the_reference_of_commands_is_not_stale() -> None:
    stale = "docs/cli.md: run python -m scripts.cli_reference"
    assert cli_reference.PAGE.read_text("utf-8") == cli_reference.page(), stale
