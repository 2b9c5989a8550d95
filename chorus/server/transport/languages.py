"""The words of the pages in other languages: one gettext catalog for templates and scripts."""

from __future__ import annotations

import gettext
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import msgspec
from babel import Locale, negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from chorus.server.domain.preferences import LANGUAGES


class Catalog(NamedTuple):
    translations: gettext.NullTranslations
    """For the templates."""
    json: str
    """For the scripts (i18n.js): {text: translation, or its plural forms}."""


@cache
def load(folder: Path, tag: str) -> Catalog:
    """The catalog of a language; English texts are their own keys, and need none.

    Raises `OSError` where the file is missing, `babel.messages.pofile.PoFileError` for a bad one.
    """
    if tag == LANGUAGES[0]:
        return Catalog(gettext.NullTranslations(), "{}")
    with (folder / f"{tag}.po").open("rb") as file:
        read = read_po(file, locale=Locale.parse(tag, sep="-"), abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, read)
    compiled.seek(0)
    words: dict[str, str | list[str]] = {}
    for message in read:
        if not message.id or not message.string:
            continue
        if isinstance(message.id, (list, tuple)):
            forms = message.string
            words[message.id[0]] = list(forms) if not isinstance(forms, str) else [forms]
        else:
            words[message.id] = str(message.string)
    return Catalog(gettext.GNUTranslations(compiled), msgspec.json.encode(words).decode())


def chosen(accept_language: str) -> str:
    """The language of ours that a browser's Accept-Language header asks for first, or English."""
    wanted: list[tuple[float, str]] = []
    for part in accept_language.split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((float(weight or 1), tag))
        except ValueError:
            continue
    wanted.sort(key=lambda w: -w[0])
    for _, tag in wanted:
        # zh, zh-CN and zh-SG are written in simplified characters.
        tag = "zh-Hans" if tag.lower() in ("zh", "zh-cn", "zh-sg", "zh-hans-cn") else tag
        found = negotiate_locale([tag], LANGUAGES, sep="-")
        if found is not None:
            return found
    return LANGUAGES[0]
