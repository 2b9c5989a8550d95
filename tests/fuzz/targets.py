"""What is fuzzed: everything that reads bytes of strangers. A target takes any bytes, and raises
for nothing but a bug. A new reader of labels (a module of formats/labels with `read_…`) needs a
seed here, or a test fails; from then on it is fuzzed like the others."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from chorus.server.errors import ApiError
from chorus.server.formats import archives, images, people_list, tables, textrows, texts
from chorus.server.formats.labels.errors import BadLabels
from chorus.server.formats.labels.read import _SUFFIXES, entries, read_labels
from chorus.server.transport.commands import COMMANDS
from chorus.server.transport.protocol import BadFrame, Connection, decode_body

ENDINGS = (*_SUFFIXES, ".xml", ".zip")
KINDS = ("prelabels", "votes", "labels")
UNPACKED_MAX = 4 << 20
"""Bytes: a fuzzer writes bombs all day."""


@cache
def _own() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-")


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder. The same each time: to make one of a new name is half of a small input."""
    name = _own().name
    try:
        yield Path(name)
    finally:
        for entry in os.scandir(name):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)


def files_below(folder: Path) -> list[str]:
    """Paths of all files."""
    return [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]


def protocol(data: bytes) -> None:
    """A connection's frames, by line, and the bodies of their commands."""
    connection = Connection()
    for line in data.split(b"\n"):
        try:
            command = connection.receive(line.decode("utf-8", "surrogateescape"))
        except BadFrame as bad:
            assert json.loads(b"".join(bad.frame))["ok"] is False
            continue
        entry = COMMANDS.get(command.type)
        if entry is not None:
            try:
                decode_body(command.body, entry.schema)
            except ApiError as error:
                assert error.code == "bad_message"


def labels(data: bytes) -> None:
    """A file of labels: its first two bytes say its ending and what it is meant to be."""
    how, data = data[:2].ljust(2, b"\0"), data[2:]
    ending = ENDINGS[how[0] % len(ENDINGS)]
    kind = KINDS[how[1] % 3]
    with scratch() as folder:
        (folder / "in").write_bytes(data)
        out = folder / "out"
        sets, drawn = bool(how[1] & 4), bool(how[1] & 8)
        archives.UNPACKED_MAX = UNPACKED_MAX
        try:
            read = read_labels(
                str(folder / "in"), f"in{ending}", kind, sets, drawn,  # type: ignore[arg-type]
                str(folder / "zip"), str(out),
            )  # fmt: skip
        except BadLabels as error:
            assert str(error)
            assert not out.exists(), "nothing half-written stays"
            return
        assert sum(1 for _ in entries(out)) == read.entries


def pictures(data: bytes) -> None:
    """A picture of any kind, DICOM too."""
    with scratch() as folder:
        (folder / "in").write_bytes(data)
        root = folder / "blobs"
        images.MAX_PIXELS = 4_000_000
        (answer,) = images.prepare_batch([("in", str(folder / "in"))], str(root))
        kept = [path for path in files_below(root) if "part" not in os.path.basename(path)]
        if isinstance(answer, images.Fault):
            assert answer.reason
            assert kept == [], "nothing half-written stays"
        else:
            assert kept
            assert answer.width > 0 < answer.height


def rows(data: bytes) -> None:
    """A table of texts: CSV, TSV or JSON Lines, by its first byte."""
    ending = (".csv", ".tsv", ".jsonl")[(data[:1] or b"\0")[0] % 3]
    with scratch() as folder:
        table = folder / f"in{ending}"
        table.write_bytes(data[1:])
        try:
            plan = textrows.scan(str(table), table.name, None, str(folder / "scratch"))
        except (tables.BadTable, texts.BadText):
            return
        for stretch in plan.stretches:
            blobs = str(folder / "blobs")
            found = textrows.prepare_rows(plan.table, stretch, 0, stretch.rows, blobs)
            assert len(found) == stretch.rows


def listed(data: bytes) -> None:
    """A table that names files."""
    with scratch() as folder:
        table = folder / "in.csv"
        table.write_bytes(data)
        try:
            for row in tables.read_table(table):
                assert row is not None
        except tables.BadTable as error:
            assert str(error)


def archive(data: bytes) -> None:
    """A zip."""
    with scratch() as outer:
        folder = outer / "a" / "b"
        folder.mkdir(parents=True)
        (folder / "in.zip").write_bytes(data)
        try:
            archives.unpack(str(folder / "in.zip"), str(folder / "out"), UNPACKED_MAX)
        except archives.BadArchive as error:
            assert str(error)
        inside = f"{folder / 'out'}{os.sep}"
        outside = [path for path in files_below(outer) if not path.startswith(inside)]
        assert outside in ([], [str(folder / "in.zip")]), "nothing lands outside"


def people(data: bytes) -> None:
    """A list of people to invite."""
    found, faults = people_list.read_people(
        data.decode("utf-8", "replace"), {"p1": "Pets"}, "labeler", "p1"
    )
    assert isinstance(found, list)
    assert isinstance(faults, list)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "protocol": protocol,
    "labels": labels,
    "pictures": pictures,
    "rows": rows,
    "listed": listed,
    "archive": archive,
    "people": people,
}


# -- seeds: something right of every kind


def _image(kind: str, mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, (9, 7), 3).save(out, kind)
    return out.getvalue()


def _zip(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            # At the same time every time, or no run is like another.
            entry = zipfile.ZipInfo(name.replace("__", "/").replace("_dot_", "."))
            packed.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"item": ["a.png", "b.png"], "label": ["cat", "dog"]}), out)
    return out.getvalue()


def _dicom() -> bytes:
    from pydicom import examples

    return Path(str(examples.get_path("ct"))).read_bytes()


CSV = b'item,label,labeler\r\na.png,cat,ann\r\nb.png,"dog",ben\r\n'
COCO = json.dumps({
    "images": [{"id": 1, "file_name": "a.png", "width": 9, "height": 7}],
    "categories": [{"id": 1, "name": "cat"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 3, 3],
         "segmentation": [[1, 1, 4, 1, 4, 4]]},
    ],
}).encode()  # fmt: skip
LABEL_STUDIO = json.dumps([{
    "id": 1, "data": {"image": "/a.png"},
    "annotations": [{"completed_by": 1, "result": [
        {"type": "choices", "from_name": "c", "to_name": "i", "value": {"choices": ["cat"]}},
        {"type": "rectanglelabels", "from_name": "c", "to_name": "i", "original_width": 9,
         "original_height": 7, "value": {"x": 1, "y": 1, "width": 50, "height": 50,
         "rectanglelabels": ["cat"]}},
    ]}],
}]).encode()  # fmt: skip
VOC = (
    b"<annotation><filename>a.png</filename><size><width>9</width><height>7</height>"
    b"<depth>3</depth></size><object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
    b"<xmax>4</xmax><ymax>4</ymax></bndbox></object></annotation>"
)


def _how(ending: str, bits: int = 0) -> bytes:
    return bytes([ENDINGS.index(ending), bits])


LABEL_SEEDS: dict[str, list[bytes]] = {
    "flat": [
        _how(".csv") + CSV,
        _how(".csv", 1) + CSV,
        _how(".tsv", 2) + CSV.replace(b",", b"\t"),
        _how(".jsonl", 2) + b'{"item":"a.png","label":"cat"}\n{"item":"b.png","labels":["dog"]}\n',
        _how(".parquet", 2) + _parquet(),
        _how(".zip", 2) + _zip(items_dot_csv=CSV),
    ],
    "coco": [_how(".json", 2) + COCO, _how(".json", 8) + COCO, _how(".json", 4) + COCO],
    "label_studio": [_how(".json", 2) + LABEL_STUDIO, _how(".json", 8) + LABEL_STUDIO],
    "voc": [_how(".xml", 8) + VOC, _how(".zip", 8) + _zip(Annotations__a_dot_xml=VOC)],
    "yolo": [
        _how(".zip", 8) + _zip(
            data_dot_yaml=b"names: [cat, dog]\n", labels__a_dot_txt=b"0 0.5 0.5 0.2 0.2\n"
        )
    ],
}  # fmt: skip
"""By the module of formats/labels that reads it."""
SEEDS: dict[str, list[bytes]] = {
    "protocol": [
        b'{"id":1,"type":"ping","body":{}}\n{"id":2,"type":"vote.cast","body":{"project_id":"p",'
        b'"vote_id":"12345678","item_id":1,"kind":"label","value":{"class":"cat"}}}',
        b'{"id":1,"type":"review.list","body":{"project_id":"p","state":"labeled","limit":5}}',
        b'{"id":1,"type":"subscribe","body":{"topic":"project/p/stats"}}',
        b'{"id":1,"type":"votes.cast","body":{"project_id":"p","votes":[{"vote_id":"12345678",'
        b'"item_id":1,"kind":"skip"},{"vote_id":"12345679","item_id":2,"kind":"flag"}]}}',
    ],
    "labels": [seed for seeds in LABEL_SEEDS.values() for seed in seeds],
    "pictures": [
        *(_image(kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")),
        _image("PNG", "LA"), _image("TIFF", "CMYK"), _image("PNG", "I;16"), _dicom(),
    ],
    "rows": [b"\0text,label\r\nGood,pos\r\n", b"\1text\tlabel\nGood\tpos\n",
             b'\2{"text":"Good","label":"pos"}\n'],
    "listed": [b"item,label\r\na.png,cat\r\n", b"path;gold\na.png;1\n"],
    "archive": [_zip(a_dot_png=b"x", b__c_dot_png=b"y" * 1000)],
    "people": [b"ann,Ann,labeler\nben@x.org,Ben,labeler,Pets\n"],
}  # fmt: skip
