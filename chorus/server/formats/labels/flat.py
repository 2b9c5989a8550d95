"""Files of flat records: CSV and TSV, JSON Lines, Parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from chorus.server.formats.export_csv import cell_text
from chorus.server.formats.labels.errors import Bad, BadLabels
from chorus.server.formats.labels.records import knows, row_of
from chorus.server.formats.labels.rows import Entry, Problem
from chorus.server.formats.tables import excess, separator_of
from chorus.server.formats.texts import BadText, encoding_in

LINE_MAX = 16 << 20
_UNKNOWN = (
    "it has {}; needed are a column that names the item (such as item, path, file_name, url or"
    " content_hash) and one with the label (label, labels, class or category)"
)


def read_csv(path: Path, sets: bool) -> Iterator[Entry]:
    """Raises `BadLabels` for what is no such table."""
    try:
        encoding = encoding_in(path)
    except BadText as bad:
        raise BadLabels(str(bad)) from None
    csv.field_size_limit(LINE_MAX)
    with path.open(encoding=encoding, newline="") as file:
        try:
            separator = separator_of(file.readline(LINE_MAX))
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, strict=True)
            header = [cell.strip().lower() for cell in next(reader, [])]
            if not knows(set(header)):
                raise BadLabels(_UNKNOWN.format(f"the columns {', '.join(header) or 'none'}"))
            # In files of ours, a cell that a spreadsheet would take for a formula is marked.
            ours = {"item", "item_id"} <= set(header)
            for cells in _lines(reader):
                place = f"line {reader.line_num}"
                if not any(cell.strip() for cell in cells):
                    continue
                if (reason := excess(cells, len(header))) is not None:
                    yield Problem(place=place, name=cells[0][:200], reason=f"it {reason}")
                    continue
                values = [cell_text(c) if ours else c.strip() for c in cells]
                record: dict[str, Any] = dict(zip(header, values, strict=False))
                yield from _entry(record, place, sets)
        except UnicodeDecodeError:
            raise BadLabels("it is not UTF-8 text") from None
        except csv.Error as error:
            raise BadLabels(f"line 1: {error}") from None


def _lines(reader: Any) -> Iterator[list[str]]:
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise BadLabels(f"line {reader.line_num}: {error}") from None
        if cells is None:
            return
        yield cells


def read_lines(path: Path, sets: bool) -> Iterator[Entry]:
    """JSON Lines. Raises `BadLabels` when the first line is no object with an item and a label."""
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    known = False
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LINE_MAX):
            number += 1
            place = f"line {number}"
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if not line.strip():
                continue
            try:
                record = {key.lower(): value for key, value in decode(line).items()}
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                if not known:
                    raise BadLabels(f"{place} is no JSON object: {error}") from None
                yield Problem(place=place, name="", reason=f"it is no JSON object: {error}")
                continue
            if not known and not knows(set(record)):
                raise BadLabels(_UNKNOWN.format(f"the fields {', '.join(record) or 'none'}"))
            known = True
            yield from _entry(record, place, sets)


def read_parquet(path: Path, sets: bool) -> Iterator[Entry]:
    """Raises `BadLabels`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = {field.name.lower(): field.name for field in file.schema_arrow}
    # ValueError: also of a column's name that is not UTF-8.
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadLabels(f"it is no Parquet file: {error}") from None
    if not knows(set(names)):
        raise BadLabels(_UNKNOWN.format(f"the columns {', '.join(names)}"))
    classes = _classes(file.schema_arrow)
    wanted = [name for lower, name in names.items() if lower != "image"]
    for place, raw in enumerate(_raw(file, wanted), start=1):
        record = {key.lower(): value for key, value in raw.items()}
        for name, known in classes.items():
            outer, dot, inner = name.partition(".")
            if not dot:
                record[name] = _named(record.get(name), known)
            elif isinstance(record.get(outer), dict):
                record[outer][inner] = _named(record[outer].get(inner), known)
        yield from _entry(record, f"row {place}", sets)


def _raw(file: Any, columns: list[str]) -> Iterator[dict[str, Any]]:
    """Rows of a Parquet file. Raises `BadLabels`."""
    import pyarrow as pa

    try:
        for batch in file.iter_batches(1000, columns=columns):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        # Its libraries say anything of bytes that are none of theirs.
        raise BadLabels(f"it is damaged: {error}") from None


def _classes(schema: Any) -> dict[str, list[str]]:
    """Columns of class indices -> the names that they stand for (Hugging Face `ClassLabel`)."""
    about = (schema.metadata or {}).get(b"huggingface")
    if about is None:
        return {}
    try:
        features = msgspec.json.decode(about)["info"]["features"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return {}
    found = {}
    objects = features.get("objects")
    if isinstance(objects, dict):
        # Up to version 3 of `datasets` a list of things is named like this.
        if objects.get("_type") == "Sequence" and isinstance(objects.get("feature"), dict):
            objects = objects["feature"]
        features = features | {f"objects.{name}": f for name, f in objects.items()}
    for name, feature in features.items():
        inner = feature.get("feature", feature) if isinstance(feature, dict) else None
        if isinstance(inner, dict) and inner.get("_type") == "ClassLabel":
            found[name.lower()] = [str(n) for n in inner.get("names", [])]
    return found


def _named(value: Any, known: list[str]) -> Any:
    if isinstance(value, list):
        return [_named(v, known) for v in value]
    if isinstance(value, int) and 0 <= value < len(known):
        return known[value]
    return value


def _entry(record: dict[str, Any], place: str, sets: bool) -> Iterator[Entry]:
    try:
        row = row_of(record, place, sets)
    except Bad as bad:
        name = next((str(v) for v in record.values() if isinstance(v, str) and v), "")
        yield Problem(place=place, name=name[:200], reason=str(bad))
    else:
        if row is not None:
            yield row
