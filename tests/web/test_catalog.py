"""Every text of the pages has a translation, and no translation is of a text that is gone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chorus.server.domain.preferences import KEYS, LANGUAGES, SHAPE_KEYS
from chorus.server.transport import languages
from scripts.catalog import LOCALE, WEB, read, texts
from tests.web.conftest import Run

OTHERS = [tag for tag in LANGUAGES if tag != "en"]
# `%(name)s` of the texts, in whatever order.
NAMES = re.compile(r"%\((\w+)\)s")


def test_there_is_a_catalog_of_each_language() -> None:
    assert {path.stem for path in LOCALE.glob("*.po")} == set(OTHERS)


@pytest.mark.parametrize("tag", OTHERS)
def test_the_catalog_is_whole(tag: str) -> None:
    said = texts()
    kept = {m.id: m.string for m in read(tag) if m.id}
    assert set(said) - set(kept) == set(), "run `python -m scripts.catalog`"
    assert set(kept) - set(said) == set(), "said by no page"
    for text, translation in kept.items():
        forms = [translation] if isinstance(translation, str) else list(translation)
        assert all(form.strip() for form in forms), text
        first = text if isinstance(text, str) else text[1]
        for form in forms:
            assert set(NAMES.findall(form)) == set(NAMES.findall(first)), text


@pytest.mark.parametrize("tag", OTHERS)
def test_templates_and_scripts_get_the_same_words(tag: str) -> None:
    catalog = languages.load(WEB / "locale", tag)
    assert catalog.translations.gettext("Submit") != "Submit"
    assert '"Submit":"' in catalog.json


@pytest.mark.parametrize(
    ("header", "tag"),
    [
        ("", "en"),
        ("de,fr;q=0.8", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("zh", "zh-Hans"),
        ("en-GB,en;q=0.9,zh-CN;q=0.5", "en"),
        ("zh-TW,zh-Hans;q=0.3,en;q=0.2", "zh-Hans"),
        ("fr;q=x, *;q=0.1, zh-SG;q=0.4", "zh-Hans"),
    ],
)
def test_the_browser_chooses(header: str, tag: str) -> None:
    assert languages.chosen(header) == tag


def test_no_text_of_the_labelers_pages_is_left_out() -> None:
    """Words between tags that no `_()` stands around."""
    pages = ("label", "history", "projects", "me", "signin", "invite", "setup", "_zoom", "_keys",
             "_comment_dialog", "_password", "_drawing")  # fmt: skip
    for name in pages:
        source = (Path(WEB) / "templates" / f"{name}.html").read_text(encoding="utf-8")
        bare = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", source, flags=re.DOTALL)
        words = re.findall(r">([^<>]*[A-Za-z]{3}[^<>]*)<", bare)
        assert [w.strip() for w in words if w.strip() not in ("Esc", "Chorus")] == [], name


@pytest.mark.browser
def test_the_server_and_the_pages_know_the_same_keys(run: Run) -> None:
    assert run("(_, {keys}) => keys.KEYS") == KEYS
    assert run("(_, {shapes_keys}) => shapes_keys.SHAPE_KEYS") == SHAPE_KEYS
