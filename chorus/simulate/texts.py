"""A table of texts with their true labels, as a simulation needs it: answers apart from texts."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from chorus.simulate.options import BadOptions

NAMES = ("item", "id", "name")
LABEL = "label"
CELL_MOST = 4_000_000


def labels_of(table: Path, sets: bool) -> dict[str, str]:
    """Item -> label, by the columns `item` (or id, name) and `label`. An empty label is none at
    all, or where labels are `sets` the set of no class. Raises `BadOptions`."""
    lines = _lines(table)
    header = next(lines)
    name, label = _name(table, header), _column(header, (LABEL,))
    if label is None:
        raise BadOptions(f"{table.name}: no column {LABEL}; give --gold")
    found: dict[str, str] = {}
    for line in lines:
        item = " ".join(line[name].split())
        if item in found:
            raise BadOptions(f"{table.name}: the item {item!r} is there twice")
        found[item] = line[label].strip()
    return {item: one for item, one in found.items() if one or sets}


def without_labels(table: Path, target: Path) -> Path:
    """A copy of the table without its labels, which a server would take for decided. Raises
    `BadOptions`."""
    lines = _lines(table)
    header = next(lines)
    _name(table, header)
    label = _column(header, (LABEL,))
    kept = [n for n in range(len(header)) if n != label]
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([header[n] for n in kept])
        writer.writerows([line[n] for n in kept] for line in lines)
    return target


def _name(table: Path, header: list[str]) -> int:
    found = _column(header, NAMES)
    if found is None:
        raise BadOptions(f"{table.name}: no column {' or '.join(NAMES)}")
    return found


def _column(header: list[str], names: tuple[str, ...]) -> int | None:
    lower = [cell.strip().lower() for cell in header]
    return next((lower.index(name) for name in names if name in lower), None)


def _lines(table: Path) -> Iterator[list[str]]:
    """The header, then the rows, each as long as the header."""
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
