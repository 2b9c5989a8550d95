"""An export as one zip: the files of its format, and `manifest.json`, which says what is in it."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from chorus.server.formats import (
    export_coco,
    export_csv,
    export_imagefolder,
    export_jsonl,
    export_label_studio,
    export_voc,
    export_yolo,
)
from chorus.server.formats.media import Media
from chorus.server.formats.rows import Drawing, ExportRow, classes_in
from chorus.server.formats.spool import Spool
from chorus.server.formats.texts import Fields

FORMATS = (
    "csv", "jsonl", "coco", "yolo", "voc", "label-studio", "imagefolder", "parquet",
)  # fmt: skip
PICTURE_FORMATS = ("coco", "yolo", "voc", "imagefolder")
"""Those that make no sense of texts."""
SHAPE_FORMATS = ("yolo", "voc")
"""Those of boxes and polygons alone."""
PASSES = {
    "csv": 3, "jsonl": 1, "coco": 1, "yolo": 5, "voc": 5, "label-studio": 1, "imagefolder": 2,
    "parquet": 1,
}  # fmt: skip
"""How often the rows are gone over, about: once for each file."""
MANIFEST = "manifest.json"
_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every file in the zip, so that the same rows make the same bytes."""


class Head(msgspec.Struct, kw_only=True):
    """What an export is of: the part of the manifest that the rows do not tell."""

    export_id: str
    format: str
    project: dict[str, Any]
    """project_id, name, task_type and the settings by which votes became labels."""
    classes: list[dict[str, str]]
    """name and color, in the project's order."""
    seq: int
    """The newest event that is in it."""
    created_at: int
    created_by: str
    version: str
    filter: dict[str, Any]
    """As of docs/protocol.md, `review.list`; empty: everything but what was removed."""
    people: str
    """'logins' or 'pseudonyms'."""
    content: bool
    """With the pictures or texts themselves, where the format leaves the choice."""
    sets: bool
    text: bool
    drawn: str | None = None
    """Labels are "boxes" or "polygons"."""

    @property
    def names(self) -> list[str]:
        return [c["name"] for c in self.classes]


class Member:
    """A file of the zip while it is written: counts and hashes what goes into it."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._hash = hashlib.sha256()
        self.bytes = 0
        self.closed = False

    def write(self, data: Any) -> int:
        piece = memoryview(data)
        self._hash.update(piece)
        self._out.write(piece)
        self.bytes += piece.nbytes
        return piece.nbytes

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        pass

    def close(self) -> None:
        """The zip closes it."""

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


class Writer:
    """Collects the files of an export in a zip at `path`."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w", allowZip64=True)
        self.files: list[dict[str, Any]] = []
        self._n_pictures = self._n_files = 0

    @contextmanager
    def member(self, name: str, *, packed: bool = True) -> Iterator[Member]:
        """A file of its own in the manifest. `packed`: it is worth compressing."""
        with self._zip.open(_info(name, packed), "w", force_zip64=True) as out:
            member = Member(cast(BinaryIO, out))
            yield member
        self.files.append({"name": name, "bytes": member.bytes, "sha256": member.sha256})

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        with self.member(name) as member:
            for chunk in chunks:
                member.write(chunk)

    def add_picture(self, name: str, path: Path) -> None:
        """One of many files, which the manifest does not list one by one: each is named in
        another file together with its content hash."""
        with path.open("rb") as source, self._zip.open(_info(name, False), "w") as out:
            shutil.copyfileobj(source, out, 1 << 20)
        self._n_pictures += 1

    def add_small(self, name: str, data: bytes) -> None:
        """One of many files of labels, which the manifest does not list one by one."""
        with self._zip.open(_info(name, True), "w") as out:
            out.write(data)
        self._n_files += 1

    @property
    def counts(self) -> dict[str, int]:
        """Of the files that are not listed."""
        counts = {"pictures": self._n_pictures, "label_files": self._n_files}
        return {name: n for name, n in counts.items() if n}

    def close(self, manifest: dict[str, Any]) -> None:
        data = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
        with self._zip.open(_info(MANIFEST, True), "w") as out:
            out.write(data)
        self._zip.close()


def _info(name: str, packed: bool) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    info._compresslevel = 1  # type: ignore[attr-defined]
    info.external_attr = 0o644 << 16
    return info


def write_bundle(head: Head, spool: Spool, media: Media, target: Path) -> dict[str, Any]:
    """Write the zip, whole or not at all; returns its manifest."""
    counts = Counts()
    part = target.with_name(target.name + ".part")
    writer = Writer(part)
    _WRITE[head.format](writer, head, Counted(spool, counts), media)
    manifest = {
        **msgspec.to_builtins(head),
        "counts": counts.found()
        | writer.counts
        # Pictures or texts that should be in it and are not on this machine.
        | ({"missing": len(media.missing)} if media.missing else {}),
        "files": writer.files,
    }
    writer.close(manifest)
    with part.open("rb") as done:
        os.fsync(done.fileno())
    part.replace(target)
    return manifest


class Counts:
    """How much of what there is, and one hash over all contents and labels: two exports of the same
    labels have the same one, whatever their format."""

    def __init__(self) -> None:
        self._items = self._votes = self._standing = 0
        self._states: Counter[str] = Counter()
        self._labels: Counter[str] = Counter()
        self._people: set[str] = set()
        self._digest = hashlib.sha256()

    def of(self, rows: Iterable[ExportRow]) -> Iterator[ExportRow]:
        """The same rows, counted as they pass."""
        encode = msgspec.json.Encoder().encode
        for row in rows:
            self._items += 1
            self._states[row.state] += 1
            if row.label is not None:
                for name in classes_in(row.label) or [""]:
                    self._labels[name] += 1
            self._votes += len(row.votes)
            for vote in row.votes:
                self._people.add(vote.labeler)
                self._standing += vote.standing
            self._digest.update(encode((row.content_hash, _bare(row.label))))
            yield row

    def found(self) -> dict[str, Any]:
        return {
            "items": self._items,
            "states": dict(self._states),
            "labels": dict(self._labels),
            "votes": self._votes,
            "standing": self._standing,
            "people": len(self._people),
            "labels_sha256": self._digest.hexdigest(),
        }


class Counted:
    """A spool whose first pass is counted on the way: every format goes over all rows at least
    once, and to read them costs as much as to count them."""

    def __init__(self, spool: Spool, counts: Counts) -> None:
        self._spool = spool
        self._counts: Counts | None = counts

    def rows(self) -> Iterator[ExportRow]:
        counts, self._counts = self._counts, None
        return self._spool.rows() if counts is None else counts.of(self._spool.rows())


def _bare(label: Any) -> Any:
    """A label without what says how people came to it."""
    if not isinstance(label, Drawing):
        return label
    return [(shape.class_name, shape.box or shape.points) for shape in label.shapes]


# -- the formats


def _text_of(media: Media) -> Any:
    def text(row: ExportRow) -> Fields | None:
        return media.fields(row.content_hash)

    return text


def _csv(writer: Writer, head: Head, spool: Counted, media: Media) -> None:
    writer.add("items.csv", export_csv.items_csv(spool.rows(), head.names))
    writer.add("votes.csv", export_csv.votes_csv(spool.rows()))
    if head.drawn:
        writer.add("shapes.csv", export_csv.shapes_csv(spool.rows()))


def _jsonl(writer: Writer, head: Head, spool: Counted, media: Media) -> None:
    text = _text_of(media) if head.text and head.content else None
    writer.add("items.jsonl", export_jsonl.items_jsonl(spool.rows(), text))


def _coco(writer: Writer, head: Head, spool: Counted, media: Media) -> None:
    info = {
        "description": head.project["name"],
        "version": head.version,
        "contributor": f"Chorus project {head.project['project_id']}",
        "date_created": head.created_at,
    }
    chunks = export_coco.coco_json(spool.rows(), head.names, info, head.sets, bool(head.drawn))
    writer.add("annotations.json", chunks)


def _label_studio(writer: Writer, head: Head, spool: Counted, media: Media) -> None:
    text = _text_of(media) if head.text else None
    config = export_label_studio.label_config(head.names, head.sets, head.text, head.drawn)
    writer.add("label_config.xml", [config])
    writer.add("tasks.json", export_label_studio.tasks_json(spool.rows(), text))


def _imagefolder(writer: Writer, head: Head, spool: Counted, media: Media) -> None:
    lines = export_imagefolder.metadata_jsonl(spool.rows(), media, head.sets, head.drawn)
    writer.add(f"{export_imagefolder.FOLDER}/metadata.jsonl", lines)
    for name, path in export_imagefolder.pictures(spool.rows(), media):
        writer.add_picture(name, path)


def _parquet(writer: Writer, head: Head, spool: Counted, media: Media) -> None:
    from chorus.server.formats.export_parquet import write_parquet

    with writer.member("data/train-00000-of-00001.parquet", packed=False) as out:
        write_parquet(
            cast(BinaryIO, out), spool.rows(), head.names, sets=head.sets, text=head.text,
            media=media if head.content else None, drawn=head.drawn,
        )  # fmt: skip


def _yolo(writer: Writer, head: Head, spool: Counted, media: Media) -> None:
    beside = media if head.content else None
    writer.add("data.yaml", [export_yolo.data_yaml(head.names)])
    writer.add("index.csv", export_yolo.index_csv(spool.rows(), beside))
    for name, val in (("train.txt", False), ("val.txt", True)):
        writer.add(name, export_yolo.lists(spool.rows(), beside, val))
    for name, data in export_yolo.labels(spool.rows(), head.names):
        writer.add_small(name, data)
    if head.content:
        for name, path in export_yolo.pictures(spool.rows(), media):
            writer.add_picture(name, path)


def _voc(writer: Writer, head: Head, spool: Counted, media: Media) -> None:
    beside = media if head.content else None
    for name, val in (("trainval", None), ("train", False), ("val", True)):
        writer.add(f"ImageSets/Main/{name}.txt", export_voc.image_set(spool.rows(), val))
    for name, data in export_voc.xml_files(spool.rows(), beside):
        writer.add_small(name, data)
    if head.content:
        for name, path in export_voc.pictures(spool.rows(), media):
            writer.add_picture(name, path)


_WRITE = {
    "csv": _csv,
    "jsonl": _jsonl,
    "coco": _coco,
    "yolo": _yolo,
    "voc": _voc,
    "label-studio": _label_studio,
    "imagefolder": _imagefolder,
    "parquet": _parquet,
}
