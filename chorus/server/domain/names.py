"""Names that people give and others read: no letters that cannot be seen.

A line break in a name forges lines of a log or of a table; an escape sequence does what it likes to
a terminal; a mark of direction turns round what stands after it.
"""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Control characters, halves of surrogate pairs, separators of lines and paragraphs."""
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Embeddings, overrides and isolates of direction (Unicode annex 9)."""


def is_plain(name: str) -> bool:
    """Has it only characters that are what they look like?"""
    return not any(unicodedata.category(c) in _UNSEEN or c in _TURNING for c in name)


def plain(name: str) -> str:
    """The name with what cannot be seen taken out."""
    return "".join(c for c in name if is_plain(c))
