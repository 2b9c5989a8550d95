"""A table of texts with their true labels, as a simulation needs it: answers apart from texts."""

from __future__ import annotations

import csv
from pathlib import Path

from chorus.simulate.options import BadOptions
from chorus.simulate.tables import column, lines_of

NAMES = ("item", "id", "name")
LABEL = "label"


def labels_of(table: Path, sets: bool) -> dict[str, str]:
    """Item -> label, by the columns `item` (or id, name) and `label`. An empty label is none at
    all, or where labels are `sets` the set of no class. Raises `BadOptions`."""
    lines = lines_of(table)
    header = next(lines)
    name, label = _name(table, header), column(header, (LABEL,))
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
    lines = lines_of(table)
    header = next(lines)
    _name(table, header)
    label = column(header, (LABEL,))
    kept = [n for n in range(len(header)) if n != label]
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([header[n] for n in kept])
        writer.writerows([line[n] for n in kept] for line in lines)
    return target


def _name(table: Path, header: list[str]) -> int:
    found = column(header, NAMES)
    if found is None:
        raise BadOptions(f"{table.name}: no column {' or '.join(NAMES)}")
    return found
