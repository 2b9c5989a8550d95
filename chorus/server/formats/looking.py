"""What a folder or a table holds, before it is brought in: how many items, and which labels."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chorus.server.formats.folder import (
    ROW_SUFFIXES,
    BadFolder,
    list_folder,
    list_tables,
    list_texts,
)
from chorus.server.formats.tables import (
    CELL_MAX,
    LABEL_COLUMNS,
    BadTable,
    column_of,
    separator_of,
)
from chorus.server.formats.textrows import JSON_SUFFIXES, records_json
from chorus.server.formats.texts import BadText, encoding_in

TABLES_MAX = 20
NAMES_MAX = 5000
"""Labels and folders named at most."""


class Labels(Counter[str]):
    """Rows by label, and how many rows have any."""

    rows = 0


def look(path: str, text: bool) -> dict[str, Any]:
    """`{"items", "labeled" (rows with a label), "faults", "folders": [[name, n]], "labels":
    [[name, n]], "tables": [name], "error"}`; most common first. `text`: the items are texts.
    `error`: why nothing can be read there, in words; else None."""
    place = Path(path)
    try:
        if place.suffix.lower() in ROW_SUFFIXES and not place.is_dir():
            rows, labels = _count([place])
            return _said(rows, labels=labels, tables=[place.name])
        return _folder(place, text)
    except (BadFolder, BadTable) as error:
        return _said(0, error=str(error))
    except OSError as error:
        return _said(0, error=f"{path} cannot be read: {error.strerror}")


def _folder(place: Path, text: bool) -> dict[str, Any]:
    if text:
        texts, found, faults = list_texts(place)
        tables = [Path(path) for _, path in found]
        rows, labels = _count(tables)
        names = [name for name, _ in texts]
        return _said(len(texts) + rows, len(faults), names, labels, [t.name for t in tables])
    pictures, faults = list_folder(place)
    tables = list_tables(place)
    _, labels = _count(tables)
    names = [name for name, _ in pictures]
    return _said(len(pictures), len(faults), names, labels, [t.name for t in tables])


def _said(
    items: int, faults: int = 0, names: list[str] | None = None,
    labels: Labels | None = None, tables: list[str] | None = None, error: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    folders = Counter(name.rpartition("/")[0] for name in names or () if "/" in name)
    return {
        "items": items,
        "labeled": labels.rows if labels is not None else 0,
        "faults": faults,
        "folders": [list(pair) for pair in folders.most_common(NAMES_MAX)],
        "labels": [list(pair) for pair in (labels or Labels()).most_common(NAMES_MAX)],
        "tables": (tables or [])[:TABLES_MAX],
        "error": error,
    }


def _count(tables: list[Path]) -> tuple[int, Labels]:
    """(rows of the tables, their labels). Raises `BadTable` for one that cannot be read."""
    rows, labels = 0, Labels()
    for table in tables:
        try:
            read = _objects(table) if table.suffix.lower() in JSON_SUFFIXES else _cells(table)
            for label in read:
                rows += 1
                cells = label if isinstance(label, list) else str(label or "").split("|")
                names = {str(name).strip() for name in cells} - {""}
                labels.rows += bool(names) or isinstance(label, list) or label == "|"
                labels.update(names)
        except (BadTable, BadText, UnicodeError, csv.Error) as error:
            raise BadTable(f"{table.name}: {error}") from None
    return rows, labels


def _cells(table: Path) -> Iterator[str | None]:
    csv.field_size_limit(CELL_MAX)
    with table.open(encoding=encoding_in(table), newline="") as lines:
        separator = separator_of(lines.readline())
        lines.seek(0)
        rows = csv.reader(lines, delimiter=separator)
        at = column_of([cell.strip() for cell in next(rows, [])], LABEL_COLUMNS)
        for row in rows:
            if any(cell.strip() for cell in row):
                yield row[at] if at is not None and at < len(row) else None


def _objects(table: Path) -> Iterator[Any]:
    for n, record in enumerate(records_json(table, 0, 0)):
        found = record.content
        if isinstance(found, dict):
            lower = {key.lower(): value for key, value in found.items()}
            yield next((lower[name] for name in LABEL_COLUMNS if name in lower), None)
        elif n == 0:
            raise BadTable("its first line is no JSON object")
        else:  # listed when the table comes in
            yield None
