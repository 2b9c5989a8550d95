"""Tables whose rows are texts: CSV, TSV and JSON Lines, of any length in constant memory.

A table is read twice, in worker processes: `scan` makes sure that it is a table to its end and
notes where some rows begin, so that `prepare_rows` can then store any stretch of it. What is wrong
with the whole table is a `BadTable`, and nothing of it goes in; what is wrong with one row is a
`Fault` of that row alone.
"""

from __future__ import annotations

import csv
import re
import secrets
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from chorus.server.formats.blobfiles import Batch
from chorus.server.formats.images import Fault, Prepared
from chorus.server.formats.tables import (
    GOLD_COLUMNS,
    LABEL_COLUMNS,
    NO,
    YES,
    BadTable,
    column_of,
    separator_of,
)
from chorus.server.formats.texts import MAX_BYTES, BadText, encoding_in, keep

NAME_COLUMNS = ("name", "id", "item", "item_id", "key")
ROLES = (NAME_COLUMNS, LABEL_COLUMNS, GOLD_COLUMNS)
FILE_COLUMNS = ("path", "file", "filename")
"""A table of these, labels and gold alone lists text files instead of holding texts."""
JSON_SUFFIXES = (".jsonl", ".ndjson")
LINE_BYTES = 4 * MAX_BYTES
STRETCH_ROWS = 128
STRETCH_BYTES = 4 * MAX_BYTES
"""Rows and bytes of one call of a worker, and one transaction, at most (a row more of bytes)."""
_RETURN = re.compile(rb"(?<=\r)(?!\n)")


class Columns(msgspec.Struct, frozen=True):
    """Which columns of a CSV are what; None: there is none."""

    texts: list[tuple[int, str]]
    name: int | None
    label: int | None
    gold: int | None
    count: int
    """Cells of the header."""


class Stretch(msgspec.Struct, frozen=True):
    """Some rows in sequence."""

    offset: int
    """Of the first row's first byte in the file."""
    line: int
    """Number of the line before it."""
    rows: int


class Table(msgspec.Struct, frozen=True):
    """A table that has been read to its end."""

    path: str
    """UTF-8; a copy where the table itself is not."""
    name: str
    """For the names of rows that have none."""
    json: bool
    columns: list[str] | None
    """The columns asked for; None: all but those with names, labels and gold."""
    size: int
    changed_ns: int
    """Size in bytes and time of the last change, when it was scanned."""


class Plan(msgspec.Struct, frozen=True):
    """A table, and where its rows are."""

    table: Table
    stretches: list[Stretch]

    @property
    def rows(self) -> int:
        return sum(stretch.rows for stretch in self.stretches)


class Row(msgspec.Struct, frozen=True):
    """One row of a table, stored, or what is wrong with it."""

    name: str
    answer: Prepared | Fault
    label: str | list[str] | None = None
    """A cell as it is, or a list of class names (JSON Lines)."""
    gold: bool = False


class _Record(NamedTuple):
    """One row as it was read: cells of a CSV, an object of JSON Lines, or a fault."""

    offset: int
    line: int
    content: list[str] | dict[str, Any] | str


class _Lines:
    """The lines of a UTF-8 file from a byte on, with their ends; knows where it is.

    Raises `BadTable` while iterating for a line that is not UTF-8 or longer than any row may be.
    """

    def __init__(self, path: Path, offset: int = 0, line: int = 0) -> None:
        self._file = path.open("rb")
        if offset == 0 and self._file.read(3) == b"\xef\xbb\xbf":
            offset = 3
        self._file.seek(offset)
        self._pieces: list[bytes] = []
        self.offset = offset
        self.line = line

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self._pieces:
            line = self._file.readline(LINE_BYTES + 1)
            if not line:
                raise StopIteration
            if len(line) > LINE_BYTES:
                raise BadTable(f"line {self.line + 1} is longer than {LINE_BYTES / 1e6:.0f} MB")
            # A carriage return alone ends a line too.
            self._pieces = _RETURN.split(line)[::-1] if b"\r" in line.rstrip(b"\r\n") else [line]
            self._pieces = [piece for piece in self._pieces if piece]
        piece = self._pieces.pop()
        self.offset += len(piece)
        self.line += 1
        try:
            return piece.decode()
        except UnicodeDecodeError:
            raise BadTable(f"line {self.line} is not UTF-8 text; save the table as UTF-8") from None


# -- the two readings


def check(table: str, columns: Sequence[str] | None) -> None:
    """Raises `BadTable` for a table without the columns asked for, or without any text."""
    path = Path(table)
    if _is_json(path):
        if _encoding(path) != "utf-8-sig":
            raise BadTable("JSON Lines must be UTF-8")
        first = next(records_json(path, 0, 0), None)
        if first is None:
            raise BadTable("the table is empty")
        if isinstance(first.content, str):
            raise BadTable(f"line {first.line}: {first.content}")
        return
    _columns(_header(path), columns)


def lists_files(table: Path) -> bool:
    """Whether a table names text files rather than holding texts. Raises `BadTable`."""
    if _is_json(table):
        return False
    header = [cell.lower() for cell in _header(table) if cell]
    known = (*FILE_COLUMNS, *NAME_COLUMNS, *LABEL_COLUMNS, *GOLD_COLUMNS)
    return any(c in FILE_COLUMNS for c in header) and all(c in known for c in header)


def scan(table: str, name: str, columns: list[str] | None, scratch: str) -> Plan:
    """Read a table to its end. A table in UTF-16 is copied to the folder `scratch` as UTF-8.

    Raises `BadTable`, with the number of the line where there is one.
    """
    check(table, columns)
    path = _as_utf8(Path(table), Path(scratch))
    was = path.stat()
    stretches: list[Stretch] = []
    offset, line, rows = 0, 0, 0
    read = records_json if _is_json(path) else _records_csv
    for record in read(path, 0, 0):
        if rows >= STRETCH_ROWS or (rows and record.offset - offset >= STRETCH_BYTES):
            stretches.append(Stretch(offset, line, rows))
            rows = 0
        if rows == 0:
            offset, line = record.offset, record.line - 1
        rows += 1
    if rows:
        stretches.append(Stretch(offset, line, rows))
    if not stretches:
        raise BadTable("there are no rows in it")
    known = Table(str(path), name, _is_json(path), columns, was.st_size, was.st_mtime_ns)
    return Plan(known, stretches)


def prepare_rows(
    table: Table, stretch: Stretch, first: int, count: int, blob_root: str
) -> list[Row]:
    """Store `count` rows of a stretch, from its row `first` on, under `blob_root`, in order.

    When it returns, every `Prepared` is durably on disk. Raises `BadTable` when the table has
    changed since it was scanned, and `OSError` when a folder cannot be written.
    """
    path, root = Path(table.path), Path(blob_root)
    now = path.stat()
    if (now.st_size, now.st_mtime_ns) != (table.size, table.changed_ns):
        raise BadTable("the table was changed during the import")
    columns = None if table.json else _columns(_header(path), table.columns)
    read = _records_csv if columns else records_json
    last = min(first + count, stretch.rows)
    with Batch(root) as batch:
        records = islice(read(path, stretch.offset, stretch.line), first, last)
        out = [_row(record, columns, table, root, batch) for record in records]
        batch.commit()
    return out


# -- one row


def _row(record: _Record, columns: Columns | None, table: Table, root: Path, batch: Batch) -> Row:
    name = f"{table.name}, line {record.line}"
    try:
        if isinstance(record.content, str):
            raise BadText(record.content)
        if columns is not None:
            assert isinstance(record.content, list)
            read = _of_cells(record.content, columns)
        else:
            assert isinstance(record.content, dict)
            read = _of_object(record.content, table.columns)
        gold = read.gold.strip().lower()
        if gold not in YES + NO:
            raise BadText(f"gold must be one of {', '.join(YES + NO[1:])}")
        own = " ".join(read.name.split()) or name
        if "\0" in own:
            raise BadText("its name holds NUL characters")
        return Row(own, keep(own, read.fields, root, batch), read.label, gold in YES)
    except BadText as bad:
        return Row(name, Fault(name, str(bad)))


class _Read(NamedTuple):
    """What a row says, by the columns' roles."""

    name: str
    label: str | list[str] | None
    gold: str
    fields: list[tuple[str, str]]


def _of_cells(cells: Sequence[str], columns: Columns) -> _Read:
    if len(cells) > columns.count:
        raise BadText(f"it has {len(cells)} cells, and the first line {columns.count}")

    def cell(at: int | None) -> str:
        return cells[at] if at is not None and at < len(cells) else ""

    return _Read(
        cell(columns.name),
        cell(columns.label).strip() or None,
        cell(columns.gold),
        [(name, cell(at)) for at, name in columns.texts],
    )


def _of_object(found: dict[str, Any], wanted: Sequence[str] | None) -> _Read:
    if wanted and not any(key in found for key in wanted):
        raise BadText(f"it has none of the columns {', '.join(wanted)}")
    free = {key.lower(): key for key in reversed(found) if not wanted or key not in wanted}
    roles = [next((free[c] for c in columns if c in free), None) for columns in ROLES]
    name, label, gold = (None if role is None else found[role] for role in roles)
    listed = isinstance(label, list) and all(isinstance(one, str) for one in label)
    return _Read(
        _as_text(name),
        label if listed else _as_text(label).strip() or None,
        _as_text(gold),
        [(k, _as_text(found.get(k))) for k in wanted or found if wanted or k not in roles],
    )


def _as_text(value: Any) -> str:
    """A value of JSON as people read it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


# -- records


def _records_csv(path: Path, offset: int, line: int) -> Iterator[_Record]:
    """The rows of a CSV from a byte on, empty ones left out; from 0: those after the header.

    Raises `BadTable` while iterating for what is no CSV (an unclosed quote).
    """
    # A cell that is too long is its row's fault; only one without an end is the table's.
    csv.field_size_limit(LINE_BYTES)
    with _Lines(path, offset, line) as lines:
        reader = csv.reader(lines, delimiter=_separator(path), strict=True)
        header_ahead = offset == 0
        while True:
            at, before = lines.offset, lines.line
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise BadTable(f"line {before + 1}: {_plain(error)}") from None
            if cells is None:
                return
            if not any(cell.strip() for cell in cells):
                continue
            if header_ahead:
                header_ahead = False
                continue
            yield _Record(at, before + 1, cells)


def _plain(error: csv.Error) -> str:
    words = str(error)
    if "unexpected end of data" in words or "field larger" in words:
        return f"a quote is never closed, or a cell has more than {LINE_BYTES / 1e6:.0f} MB"
    return words


def records_json(path: Path, offset: int, line: int) -> Iterator[_Record]:
    """As `_records_csv`; a line that is no object is a fault."""
    with _Lines(path, offset, line) as lines:
        at = lines.offset
        for text in lines:
            if text.strip():
                yield _Record(at, lines.line, _object(text))
            at = lines.offset


def _object(text: str) -> dict[str, Any] | str:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return 'it is no JSON object like {"text": "…"}'


# -- the header


def _header(path: Path) -> list[str]:
    """The cells of the first line that is not empty. Raises `BadTable`."""
    separator = _separator(path)
    try:
        lines = _first_lines(path)
        for cells in csv.reader(lines, delimiter=separator, strict=True):
            if any(cell.strip() for cell in cells):
                return [cell.strip() for cell in cells]
    except csv.Error as error:
        raise BadTable(f"line 1: {_plain(error)}") from None
    raise BadTable("the table is empty")


def _separator(path: Path) -> str:
    """Tab, semicolon or comma, by the first line that is not empty."""
    return separator_of(next((line for line in _first_lines(path) if line.strip()), ""))


def _first_lines(path: Path) -> Iterator[str]:
    if _encoding(path) == "utf-8-sig":
        with _Lines(path) as lines:
            yield from lines
        return
    try:
        with path.open(encoding="utf-16", newline="") as file:
            yield from file
    except UnicodeError:
        raise BadTable("it is not UTF-16 text, as its first bytes say") from None


def _columns(header: Sequence[str], wanted: Sequence[str] | None) -> Columns:
    """Raises `BadTable` when a wanted column is not there, or no column is left for the text."""
    texts: list[int] = []
    for column in wanted or ():
        found = header.index(column) if column in header else column_of(header, (column.lower(),))
        if found is None:
            there = ", ".join(cell for cell in header if cell) or "none"
            raise BadTable(f"no column {column!r}; the first line has {there}")
        texts.append(found)
    free = ["" if n in texts else cell for n, cell in enumerate(header)]
    name, label, gold = roles = [column_of(free, c) for c in ROLES]
    if not wanted:
        texts = [n for n, cell in enumerate(header) if cell and n not in roles]
        if not texts:
            raise BadTable(
                "no column with text is left beside names, labels and gold; the first line has "
                + (", ".join(cell for cell in header if cell) or "none")
            )
    return Columns([(n, header[n]) for n in texts], name, label, gold, len(header))


# -- the file


def _is_json(path: Path) -> bool:
    return path.suffix.lower() in JSON_SUFFIXES


def _encoding(path: Path) -> str:
    try:
        return encoding_in(path)
    except BadText as bad:
        raise BadTable(str(bad)) from None
    except OSError as error:
        raise BadTable(f"cannot be read: {error.strerror}") from None


def _as_utf8(path: Path, scratch: Path) -> Path:
    if _encoding(path) == "utf-8-sig":
        return path
    scratch.mkdir(parents=True, exist_ok=True)
    copy = scratch / f"{secrets.token_hex(8)}{path.suffix}"
    try:
        with (
            path.open(encoding="utf-16", newline="") as source,
            copy.open("w", encoding="utf-8", newline="") as target,
        ):
            while text := source.read(1 << 20):
                target.write(text)
    except UnicodeError:
        raise BadTable("it is not UTF-16 text, as its first bytes say") from None
    return copy
