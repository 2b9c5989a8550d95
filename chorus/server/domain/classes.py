"""Label classes: groups by path, colours, keys. Pure.

A name may be a path, `Clothing/Tops/Shirt`: its groups are shown as headings, and a group that is
itself in the list can be chosen like any class. What votes store is the class's place in the
project's list, so classes are renamed and added, never moved or taken out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from chorus.server.domain.model import LabelClass
from chorus.server.domain.names import is_plain
from chorus.server.errors import ApiError

GROUP = "/"
LEVELS_MAX = 6
NAME_MAX = 100
"""Characters of one level of a name."""
KEYS = "123456789"
CLASSES_MAX = 2000
PALETTE = (
    "#3270d6", "#f95907", "#34a706", "#db55d4", "#04a19b", "#b5820c", "#8b46df", "#d0126f",
    "#716a41", "#9b8db5", "#9b5896", "#267e07", "#007785", "#8384fe", "#b05649", "#d37484",
    "#f84690", "#d71908", "#b62eb0", "#0d95da", "#768b09", "#6d7198", "#80946d", "#ac6ad8",
)  # fmt: skip
"""Every colour stands out by 3 : 1 from a light and a dark page, and from the others."""
NO_CHARACTERS = "\ufffe\uffff"
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


def color_of(index: int) -> str:
    """The colour that a class gets at this place of the list."""
    return PALETTE[index % len(PALETTE)]


def check_color(color: str) -> str:
    """Raises `ApiError('bad_value')` for anything but #rrggbb."""
    if not _COLOR.fullmatch(color):
        raise ApiError("bad_value", f"{color!r} is no color like #3270d6")
    return color


def check_name(name: str, barred: str | None) -> str:
    """The name without blanks around it. barred: what no name may have in it.

    Raises `ApiError('bad_value')`.
    """
    name = name.strip()
    levels = name.split(GROUP)
    if len(levels) > LEVELS_MAX:
        raise ApiError("bad_value", f"{name[:200]!r} has more than {LEVELS_MAX} levels")
    for level in levels:
        if not 1 <= len(level.strip()) <= NAME_MAX:
            what = "a class name" if len(levels) == 1 else f"each level of {name[:200]!r}"
            raise ApiError("bad_value", f"{what} has 1 to {NAME_MAX} characters")
    if not is_plain(name) or any(c in NO_CHARACTERS for c in name):
        # XML cannot write most of them, and in what is written instead two classes may be one.
        raise ApiError("bad_value", f"the class name {name!r} has characters that cannot be seen")
    if barred is not None and barred in name:
        # It stands between the names of a set in tables.
        raise ApiError("bad_value", f"a class name of label sets has no {barred!r} in it")
    return name


def check_key(key: str | None, count: int) -> str | None:
    """A digit that a project of `count` classes has a key for. Raises `ApiError('bad_value')`."""
    if key is not None and key not in KEYS[: max(1, min(len(KEYS), count))]:
        raise ApiError("bad_value", f"a key is a digit from 1 to {min(len(KEYS), count)}")
    return key


def keys_of(classes: Sequence[LabelClass]) -> list[str | None]:
    """The digit that chooses each class, None beyond the ninth: those given first, then the rest in
    order. A digit given twice is the first one's."""
    given: dict[str, int] = {}
    for index, label_class in enumerate(classes):
        if label_class.key is not None:
            given.setdefault(label_class.key, index)
    out: list[str | None] = [None] * len(classes)
    for key, index in given.items():
        out[index] = key
    free = iter(key for key in KEYS if key not in given)
    for index in range(len(classes)):
        if out[index] is None:
            out[index] = next(free, None)
    return out


def folders_of(names: Iterable[str]) -> list[tuple[str, int]]:
    """(folder, items in it) of items named by path, most common first: labels that the data may
    have brought along."""
    counts: Counter[str] = Counter()
    for name in names:
        folder, slash, _ = name.rpartition("/")
        if slash:
            counts[folder] += 1
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
