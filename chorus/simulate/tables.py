"""Tables as people have them: of any of the usual separators, with or without a mark of bytes."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from chorus.simulate.options import BadOptions

CELL_MOST = 4_000_000


def lines_of(table: Path) -> Iterator[list[str]]:
    """The header, then the rows, each as long as the header. Raises `BadOptions`."""
    csv.field_size_limit(CELL_MOST)
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",\t;", key=first.count), strict=True)
            header = next(reader, [])
            yield header
            for line in reader:
                if any(cell.strip() for cell in line):
                    yield (line + [""] * len(header))[: len(header)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadOptions(f"{table}: {error}") from error


def rows_of(table: Path, columns: Sequence[str]) -> Iterator[list[str]]:
    """The cells of these columns, without blanks around them. Raises `BadOptions`."""
    lines = lines_of(table)
    header = next(lines)
    at = [column(header, (name,)) for name in columns]
    missing = [name for name, n in zip(columns, at, strict=True) if n is None]
    if missing:
        raise BadOptions(f"{table.name}: no column {', '.join(missing)}")
    places = [n for n in at if n is not None]
    for line in lines:
        yield [line[n].strip() for n in places]


def column(header: Sequence[str], names: Sequence[str]) -> int | None:
    """Where the first of these names stands, whatever its case."""
    lower = [cell.strip().lower() for cell in header]
    return next((lower.index(name) for name in names if name in lower), None)
