"""What every reader of labels gives, whatever the file: what it calls an item, and what it says."""

from __future__ import annotations

import contextlib
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import msgspec

from chorus.server.formats.labels.drawn import Drawn
from chorus.server.formats.labels.errors import Bad
from chorus.server.formats.labels.shapes import drawn_of
from chorus.server.formats.texts import BadText, Text, checked

Said = list[str] | Drawn
"""Class names, one where labels are single, any number where they are sets; or what is drawn."""
_HASH = re.compile(r"[0-9a-f]{64}")
_UPLOAD = re.compile(r"^[0-9a-f]{8}-(?=.)")
"""Label Studio puts this before the names of uploaded files."""
SEPARATOR = "|"
_DRAWN = re.compile(r'\[?\s*\{\s*"(boxes|polygons|class|box|points)"\s*:')
"""How a cell begins that draws something."""


class VoteIn(msgspec.Struct, kw_only=True):
    """One person's answer, as a file has it."""

    vote_id: str | None = None
    labeler: str
    """Whatever the file calls the person; empty: it does not say who."""
    kind: str = "label"
    value: Said | None = None
    created_at: int | None = None
    """ms since 1970 UTC."""
    duration_ms: int | None = None
    prelabel: Said | None = None
    """What the person was shown."""


class LabelRow(msgspec.Struct, kw_only=True, tag="row"):
    """What a file says of one item."""

    place: str
    """Where it stands, for people: "line 17"."""
    names: list[str] = []
    """What the item may be called, the likeliest first."""
    stem: bool = False
    """The names lack their endings (.jpg and the like)."""
    hashes: list[str] = []
    label: Said | None = None
    """The final label; an empty list: none of the classes."""
    unclear: str | None = None
    """Why there is no one label, although people have answered."""
    score: float | None = None
    votes: list[VoteIn] = []
    prediction: Said | None = None
    """What a model says …"""
    prediction_score: float | None = None
    """… and how sure it is."""


class Problem(msgspec.Struct, kw_only=True, tag="problem"):
    """A line that cannot be used, and why."""

    place: str
    name: str
    reason: str


Entry = LabelRow | Problem


def names_of(*given: object) -> list[str]:
    """What an item may be called, from paths and addresses: as given, then without what storage and
    other tools put around it."""
    out: list[str] = []
    for value in given:
        if not isinstance(value, str) or not value.strip():
            continue
        text = value.strip().replace("\\", "/")
        address = _address(text)
        if address is not None:
            inner = parse_qs(address.query).get("d", [""])[0]
            plain = [unquote(inner), unquote(address.path).strip("/"), text]
        else:
            plain = [text, unquote(text)]
        for name in plain:
            name = name.removeprefix("./").strip("/")
            head, slash, last = name.rpartition("/")
            stripped = _UPLOAD.sub("", last)
            out += [name, f"{head}{slash}{stripped}"]
    return spelled(name for name in out if name)


def _address(text: str) -> SplitResult | None:
    """None: it is a plain path."""
    if "://" not in text and "?" not in text:
        return None
    try:
        return urlsplit(text)
    except ValueError:  # a bracket where one of an IPv6 address would be
        return None


def spelled(names: Iterable[str]) -> list[str]:
    """The names, each once, also with accents in one character and in two: systems differ."""
    forms: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
    return list(
        dict.fromkeys(s for n in names for s in (n, *(unicodedata.normalize(f, n) for f in forms)))
    )


def hashes_of(value: object) -> list[str]:
    return [value] if isinstance(value, str) and _HASH.fullmatch(value) else []


def text_hashes(column: str, text: object) -> list[str]:
    """The content hashes that a text may have here: of a text file, or of a table's only column."""
    if not isinstance(text, str):
        return []
    out = []
    for name in dict.fromkeys(("", column, "text")):
        try:
            fields = checked([(name, text)])
        except BadText:
            return []
        out.append(hashlib.sha256(msgspec.json.encode(Text(fields))).hexdigest())
    return out


def said(value: object, sets: bool) -> Said | None:
    """A label as a cell or a JSON value has it. Raises `Bad` for what is none."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and _DRAWN.match(value):
        with contextlib.suppress(msgspec.DecodeError, RecursionError):
            value = msgspec.json.decode(value)
    drawn = drawn_of(value)
    if drawn is not None:
        return drawn
    if isinstance(value, str):
        if not sets:
            return [value]
        return [name for part in value.split(SEPARATOR) if (name := part.strip())]
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return list(value)
    raise Bad(f"the label is {str(value)[:60]!r}, neither a class nor a list of classes")


def meant(value: Said) -> object:
    """Equal for labels that say the same."""
    return value if isinstance(value, Drawn) else frozenset(value)


def share(value: object) -> float | None:
    """A confidence, 0..1; of several (one for each class of a set) the least. Raises `Bad`."""
    if value is None or value in ("", []):
        return None
    if isinstance(value, list):
        return min((s for one in value if (s := share(one)) is not None), default=None)
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise Bad(f"the confidence {str(value)[:40]!r} is no number") from None
    if not 0 <= number <= 1:
        raise Bad(f"the confidence {number:g} is not between 0 and 1")
    return number


def whole(value: object, what: str) -> int | None:
    """A whole number not below 0. Raises `Bad`."""
    if value is None or value == "":
        return None
    try:
        number = round(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise Bad(f"{what} is {str(value)[:40]!r}, no number") from None
    if number < 0:
        raise Bad(f"{what} is below 0")
    return number


def moment(value: object) -> int | None:
    """A time: ms since 1970 UTC, or ISO 8601. Raises `Bad`."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and not value.strip().isdigit():
        try:
            found = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
        except ValueError:
            raise Bad(f"the time {value[:40]!r} is not understood") from None
        found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        return max(0, round(found.timestamp() * 1000))
    return whole(value, "the time")


def kind_of(value: object) -> str:
    """Raises `Bad`."""
    if value in (None, "", "label"):
        return "label"
    if value in ("skip", "flag"):
        return str(value)
    raise Bad(f"the kind of answer is {str(value)[:40]!r}; it is label, skip or flag")


def yes(value: object, default: bool) -> bool:
    if value is None or value == "":
        return default
    return str(value).strip().lower() in ("1", "true", "yes", "1.0")


def first(row: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The first of these fields that has a value."""
    for name in names:
        value = row.get(name)
        if value is not None and value != "":
            return value
    return None
