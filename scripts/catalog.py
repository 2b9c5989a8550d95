"""`python -m scripts.catalog`: bring the catalogs of chorus/web/locale up to what the pages say.

Texts that are new come in without a translation (the tests then fail and name them), those that no
page says any more go. A text is its own key: `_("…")` and `ngettext("…", "…", n)`, in templates and
scripts alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

WEB = Path(__file__).resolve().parent.parent / "chorus" / "web"
LOCALE = WEB / "locale"
Text = str | tuple[str, str]


def texts() -> dict[Text, list[tuple[str, int]]]:
    """Every text that the pages say, with where: a pair where it depends on a number."""
    found: dict[Text, list[tuple[str, int]]] = {}
    for path, line, text in _said():
        found.setdefault(text, []).append((path, line))
    return found


def _said() -> Iterator[tuple[str, int, Text]]:
    options = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
    for path in sorted((WEB / "templates").glob("*.html")):
        with path.open("rb") as file:
            for line, _, text, _ in babel_extract(file, DEFAULT_KEYWORDS, [], options):
                yield path.name, line, _text(text)
    for path in sorted((WEB / "static" / "js").rglob("*.js")):
        with path.open("rb") as file:
            for line, text, _, _ in extract("javascript", file, options={"template_string": "no"}):
                yield path.name, line, _text(text)


def _text(found: object) -> Text:
    """Of a call's arguments those that are texts: what they are filled with is None here."""
    if isinstance(found, str):
        return found
    assert isinstance(found, (list, tuple))
    first, *others = [part for part in found if part is not None]
    return (first, others[0]) if others else first


def read(tag: str) -> Catalog:
    with (LOCALE / f"{tag}.po").open("rb") as file:
        return read_po(file, locale=tag.replace("-", "_"))


def main() -> None:
    said = texts()
    for path in sorted(LOCALE.glob("*.po")):
        old = read(path.stem)
        new = Catalog(locale=old.locale, project="Chorus", fuzzy=False)
        new.header_comment = (
            f"# Chorus: {path.stem}. English texts are their own keys (scripts/catalog.py)."
        )
        new.revision_date = new.creation_date = old.creation_date
        for text in sorted(said, key=lambda t: t if isinstance(t, str) else t[0]):
            kept = old.get(text)
            new.add(text, kept.string if kept else "")
        with path.open("wb") as file:
            write_po(file, new, no_location=True, omit_header=False, width=110)
        missing = [m.id for m in new if m.id and not all(_forms(m.string))]
        print(f"{path.stem}: {len(said)} texts, {len(missing)} without a translation")


def _forms(string: str | tuple[str, ...] | list[str]) -> list[str]:
    return [string] if isinstance(string, str) else list(string)


if __name__ == "__main__":
    main()
