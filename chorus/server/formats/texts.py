"""Making texts ready: read, check, hash, store. Runs in worker processes.

A text is kept as a small JSON file under its content hash: `{"fields": [[name, text], …]}`, UTF-8,
one field per column of a table, or one named "" for a text file. Line ends become line feeds, and
fields without a visible character are left out; otherwise a text stays as it was.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from chorus.server.formats.blobfiles import Batch, blob_path
from chorus.server.formats.images import Fault, Prepared

MAX_BYTES = 1_000_000
"""Of one text, all its fields together, as UTF-8."""
TEXT_TYPE = "application/json"
TEXT_START = b'{"fields":[['
"""How every stored text begins, and no picture."""
Fields = list[tuple[str, str]]


class BadText(Exception):
    """The reason, as the person who brought the text reads it."""


class Text(msgspec.Struct, frozen=True):
    """One stored text."""

    fields: Fields


def prepare_texts(items: Sequence[tuple[str, str]], blob_root: str) -> list[Prepared | Fault]:
    """Store the text file of each (name, path) under `blob_root`; one answer per item, in order.

    When it returns, every `Prepared` is durably on disk. Raises `OSError` only when the blob
    folder itself cannot be written (disk full).
    """
    root = Path(blob_root)
    answers: list[Prepared | Fault] = []
    with Batch(root) as batch:
        for name, path in items:
            try:
                fields = [("", decode(_read(Path(path))))]
                answers.append(keep(name, fields, root, batch))
            except BadText as bad:
                answers.append(Fault(name, str(bad)))
        batch.commit()
    return answers


def keep(name: str, fields: Iterable[tuple[str, str]], root: Path, batch: Batch) -> Prepared:
    """Stage one text for `batch`. Raises `BadText`."""
    kept = checked(fields)
    data = msgspec.json.encode(Text(kept))
    content_hash = hashlib.sha256(data).hexdigest()
    batch.add(blob_path(root, content_hash, "o"), data)
    length = sum(len(text) for _, text in kept)
    return Prepared(name, content_hash, 0, 0, TEXT_TYPE, len(data), length)


def checked(fields: Iterable[tuple[str, str]]) -> Fields:
    """The fields as they are stored. Raises `BadText` for what is no text, or too much of it."""
    kept = [(name, _lines(text)) for name, text in fields if text.strip()]
    if not kept:
        raise BadText("there is no text in it")
    try:
        size = sum(len(name.encode()) + len(text.encode()) for name, text in kept)
    except UnicodeEncodeError:
        raise BadText("it holds half a character (a lone surrogate)") from None
    if size > MAX_BYTES:
        raise BadText(_too_long(size))
    if any("\0" in name or "\0" in text for name, text in kept):
        raise BadText("it holds NUL characters, so it is no text")
    return kept


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _too_long(size: int) -> str:
    return f"the text has {size / 1e6:.1f} MB; the limit is {MAX_BYTES / 1e6:.0f} MB"


def read(data: bytes) -> Fields:
    """The fields of a stored text. Raises `msgspec.DecodeError` when it is none."""
    return msgspec.json.decode(data, type=Text).fields


def encoding_of(head: bytes) -> str:
    """Encoding by the byte order mark, UTF-8 without one. `head`: the first four bytes.

    Raises `BadText` for UTF-32. Nothing is guessed: a guess shows people wrong letters.
    """
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise BadText("it is UTF-32; save it as UTF-8")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig"


def encoding_in(path: Path) -> str:
    """`encoding_of` a file. Raises `BadText`, `OSError`."""
    with path.open("rb") as file:
        return encoding_of(file.read(4))


def decode(data: bytes) -> str:
    """A text file: UTF-8, or UTF-16 with a byte order mark. Raises `BadText`."""
    encoding = encoding_of(data[:4])
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if b"\0" in data[:1024]:
            raise BadText("it holds NUL bytes, so it is no text") from None
        line = data.count(b"\n", 0, error.start) + 1
        name = "UTF-16" if encoding == "utf-16" else "UTF-8"
        raise BadText(f"line {line} is not {name}; save the file as UTF-8") from None


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > 2 * MAX_BYTES:  # UTF-16 takes up to twice the room
            raise BadText(_too_long(size))
        return path.read_bytes()
    except FileNotFoundError:
        raise BadText("no such file") from None
    except OSError as error:
        raise BadText(f"cannot be read: {error.strerror or error}") from None
