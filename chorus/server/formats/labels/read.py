"""From a file of any kind to `Entry`s on disk. Runs in a worker process."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from chorus.server.formats.archives import BadArchive, unpack
from chorus.server.formats.labels import coco, flat, label_studio, voc, yolo
from chorus.server.formats.labels.errors import BadLabels
from chorus.server.formats.labels.rows import Entry

Kind = Literal["prelabels", "votes", "labels"]
JSON_MAX = 2 << 30
_LENGTH = 4
_encode = msgspec.msgpack.Encoder().encode
_decode: Any = msgspec.msgpack.Decoder(Entry).decode


class Read(msgspec.Struct):
    """What was read."""

    format: str
    entries: int


def read_labels(
    path: str, name: str, kind: Kind, sets: bool, drawn: bool, scratch: str, out: str
) -> Read:
    """Write the entries of the file `path`, called `name`, to `out`.

    `sets`: labels are sets of classes; `drawn`: boxes or polygons. `scratch`: a folder for what an
    archive holds. Raises `BadLabels` for a file that cannot be used at all; nothing is left at
    `out` then.
    """
    file = Path(path)
    if zipfile.is_zipfile(file):
        format, entries = _inside(file, Path(scratch), kind, sets, drawn)
    else:
        format, entries = _reader(file, name, sets, drawn)
    count = 0
    target = Path(out)
    try:
        with target.open("wb", buffering=1 << 20) as written:
            for entry in entries:
                data = _encode(entry)
                written.write(len(data).to_bytes(_LENGTH, "big"))
                written.write(data)
                count += 1
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return Read(format, count)


def entries(path: Path, skip: int = 0) -> Iterator[Entry]:
    """What `read_labels` wrote, from the entry with number `skip` on."""
    with path.open("rb", buffering=1 << 20) as file:
        while head := file.read(_LENGTH):
            data = file.read(int.from_bytes(head, "big"))
            if skip:
                skip -= 1
                continue
            yield _decode(data)


def _inside(
    archive: Path, scratch: Path, kind: Kind, sets: bool, drawn: bool
) -> tuple[str, Iterator[Entry]]:
    """The reader of what is wanted in an export's zip."""
    copy = scratch / ".in.zip"  # hidden: no file in it is called so
    scratch.mkdir(parents=True, exist_ok=True)
    copy.symlink_to(archive.resolve())  # which is what gets removed
    try:
        unpack(str(copy), str(scratch))
    except BadArchive as error:
        raise BadLabels(str(error)) from None
    wanted = ["votes.csv", "items.csv"] if kind == "votes" else ["items.csv"]
    wanted += ["items.jsonl", "annotations.json", "tasks.json", "metadata.jsonl"]
    files = sorted(p for p in scratch.rglob("*") if p.is_file())
    for name in wanted:
        found = [file for file in files if file.name == name]
        if len(found) > 1:
            parts = ", ".join(p.parent.relative_to(scratch).as_posix() for p in found[:5])
            raise BadLabels(f"it has {len(found)} files {name} ({parts}); send one at a time")
        if found:
            return _reader(found[0], name, sets, drawn)
    if drawn and yolo.looks_so(files):
        return "yolo", yolo.read_folder(scratch, files)
    if drawn and any(p.suffix.lower() == ".xml" for p in files):
        return "voc", voc.read_folder(scratch, files)
    usable = [p for p in files if p.suffix.lower() in _SUFFIXES and p.name != "manifest.json"]
    if len(usable) == 1:
        return _reader(usable[0], usable[0].name, sets, drawn)
    if drawn and not usable and any(p.suffix.lower() == ".txt" for p in files):
        yolo.class_names(files)  # which says what is missing
    held = ", ".join(p.name for p in usable[:5]) or "none"
    raise BadLabels(f"of the files in the zip one must be a file of labels; it has {held}")


_SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")


def _reader(file: Path, name: str, sets: bool, drawn: bool) -> tuple[str, Iterator[Entry]]:
    suffix = Path(name).suffix.lower()
    if suffix in (".csv", ".tsv"):
        return "csv", flat.read_csv(file, sets)
    if suffix in (".jsonl", ".ndjson"):
        return "jsonl", flat.read_lines(file, sets)
    if suffix == ".parquet":
        return "parquet", flat.read_parquet(file, sets)
    if suffix == ".xml" and drawn:
        return "voc", iter([voc.read_file(file, name)])
    if suffix != ".json":
        raise BadLabels(f"{name} is none of {', '.join(_SUFFIXES)} or a zip of one")
    if file.stat().st_size > JSON_MAX:
        raise BadLabels(f"a JSON file may have {JSON_MAX >> 30} GiB; JSON Lines may have more")
    try:
        document = msgspec.json.decode(file.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        try:
            # Some tools call JSON Lines .json.
            found = flat.read_lines(file, sets)
            first = next(found, None)
        except BadLabels:
            raise BadLabels(f"it is no JSON: {error}") from None
        return "jsonl", _after(first, found)
    if isinstance(document, dict) and "images" in document:
        return "coco", coco.read_coco(document, sets, drawn)
    if label_studio.looks_so(document):
        return "label-studio", label_studio.read_tasks(document, sets, drawn)
    raise BadLabels(
        "this JSON is neither COCO (images, annotations, categories) nor Label Studio's"
    )


def _after(first: Entry | None, rest: Iterator[Entry]) -> Iterator[Entry]:
    if first is not None:
        yield first
    yield from rest
