"""A table (CSV or TSV) that lists pictures, with labels if it has them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from chorus.server.formats.export_csv import cell_text
from chorus.server.formats.texts import BadText, encoding_of

if TYPE_CHECKING:
    from _csv import Reader as _Reader

PATH_COLUMNS = ("path", "item", "file", "filename", "image", "name")
LABEL_COLUMNS = ("label", "class", "category")
GOLD_COLUMNS = ("gold",)
CELL_MAX = 16 << 20
"""Characters of a cell: what is drawn on a picture is one."""
YES = ("1", "true", "yes")
NO = ("", "0", "false", "no")


class BadTable(Exception):
    """The table cannot be read; the message says what is missing, and in which line."""


class TableRow(NamedTuple):
    """One picture of a table."""

    name: str
    """The path as the table gives it, with forward slashes."""
    path: str
    """Where the file should be; whether it is there is not checked here."""
    label: str | None
    """None where the table has no label column or the cell is empty."""
    gold: bool = False
    """The label is marked as gold."""


def read_table(table: Path, base: Path | None = None) -> Iterator[TableRow]:
    """The rows of `table`, in order, empty lines left out.

    The header needs a column with paths (the first of `PATH_COLUMNS` there is, in any case) and
    may have one with labels (`LABEL_COLUMNS`) and one that says which of them are gold (`YES` or
    `NO`, in any case). Separator: tab, semicolon or comma, by the header. Our own `items.csv` is
    such a table.
    Relative paths are below `base` (default: the table's folder).

    Raises `BadTable` at once for a table without its columns, and while iterating for a line
    without a path, one of more cells than the header, one that is no CSV (an unclosed quote), or a
    gold cell that is neither.
    """
    csv.field_size_limit(CELL_MAX)
    text = _text(table)
    separator = separator_of(text.split("\n", 1)[0])
    lines = _cells(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    _, header = next(lines, (0, []))  # of separators alone there are no cells
    header = [cell.strip() for cell in header]
    path_column = column_of(header, PATH_COLUMNS)
    if path_column is None:
        raise BadTable(
            f"no column with paths: one of {', '.join(PATH_COLUMNS)} is needed,"
            f" and the first line has {', '.join(cell for cell in header if cell) or 'none'}"
        )
    label_column = column_of(header, LABEL_COLUMNS)
    columns = (path_column, label_column, column_of(header, GOLD_COLUMNS))
    # In files of ours, a cell that a spreadsheet would take for a formula is marked.
    ours = {"item", "item_id"} <= {cell.lower() for cell in header}
    return _rows(_whole(lines, len(header), ours), columns, base or table.parent)


def separator_of(line: str) -> str:
    """Tab, semicolon or comma, by a table's first line."""
    return max(",\t;", key=line.count)


def column_of(header: Sequence[str], names: Sequence[str]) -> int | None:
    """Where the first of `names` is that the header has, in any case."""
    lower = [cell.lower() for cell in header]
    return next((lower.index(name) for name in names if name in lower), None)


def excess(cells: Sequence[str], count: int) -> str | None:
    """What is wrong with a line that goes on after the header's `count` cells: its last cell may be
    half of what was meant, with a separator in it and no quotes."""
    if any(cell.strip() for cell in cells[count:]):
        return f"has {len(cells)} cells, and the first line {count}"
    return None


def _text(table: Path) -> str:
    try:
        data = table.read_bytes()
        encoding = encoding_of(data[:4])
        text = data.decode(encoding)
    except BadText as bad:
        raise BadTable(str(bad)) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        what = "UTF-16" if encoding == "utf-16" else "UTF-8"
        raise BadTable(f"line {line}: not {what} text") from None
    except OSError as error:
        raise BadTable(f"cannot be read: {error.strerror}") from None
    if not text.strip():
        raise BadTable("the table is empty")
    return text


def _cells(reader: _Reader) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of every line that is not empty."""
    while True:
        # A quoted cell may span several lines: the first of them is named.
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise BadTable(f"line {line}: {error}") from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, cells


def _whole(
    lines: Iterator[tuple[int, list[str]]], count: int, ours: bool
) -> Iterator[tuple[int, list[str]]]:
    """Lines as they are meant, of as many cells as the first."""
    for line, cells in lines:
        if (reason := excess(cells, count)) is not None:
            raise BadTable(f"line {line} {reason}")
        yield line, [cell_text(cell) for cell in cells] if ours else cells


def _rows(
    lines: Iterator[tuple[int, list[str]]], columns: tuple[int, int | None, int | None], base: Path
) -> Iterator[TableRow]:
    path_column, label_column, gold_column = columns
    for line, cells in lines:
        name = _cell(cells, path_column).replace("\\", "/")
        if not name or "\0" in name:
            raise BadTable(f"line {line} has no path")
        name = PurePosixPath(name).as_posix()
        gold = _cell(cells, gold_column).lower()
        if gold not in YES + NO:
            raise BadTable(f"line {line}: gold must be one of {', '.join(YES + NO[1:])}")
        label = _cell(cells, label_column) or None
        yield TableRow(name, str(base / name), label, gold in YES)


def _cell(row: Sequence[str], column: int | None) -> str:
    return row[column].strip() if column is not None and column < len(row) else ""
