"""Rows of boxes and polygons with their pictures, for the tests of formats."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image

from chorus.server.formats.bundle import Head, write_bundle
from chorus.server.formats.images import prepare_batch
from chorus.server.formats.media import Media
from chorus.server.formats.rows import Drawing, ExportRow, ShapeRow, VoteRow
from chorus.server.formats.spool import Spool, SpoolWriter

CLASSES = ["cell", 'd"o<g: 1', "group/größe"]
NAMES = ["in/a b.jpg", "in/a b.jpg", "b.jpg", "c.jpg", "d.jpg"]
"""Two items have one name; nothing is on the fourth, and the last has no label yet."""
EMPTY, OPEN = 3, 4


def head(format: str, drawn: str, *, content: bool = True) -> Head:
    return Head(
        export_id="e1", format=format, seq=17, created_at=1_700_000_000_000, created_by="Ada",
        project={"project_id": "p", "name": "Cells", "task_type": drawn},
        classes=[{"name": name, "color": "#123456"} for name in CLASSES],
        version="1", filter={}, people="logins", content=content, sets=False, text=False,
        drawn=drawn,
    )  # fmt: skip


def shapes_of(n: int, drawn: str, **more: Any) -> list[ShapeRow]:
    """What is on item n."""
    if n == EMPTY:
        return []
    if drawn == "boxes":
        return [
            ShapeRow(class_name=CLASSES[0], box=(0.0, 0.0, 12.34, 10.5), **more),
            ShapeRow(class_name=CLASSES[n % 3], box=(3.01 + n, 2.0, 7.0, 29.99), **more),
        ]
    return [
        ShapeRow(class_name=CLASSES[0], points=[(0, 0), (20, 0.5), (20, 30), (1, 25)], **more),
        ShapeRow(class_name=CLASSES[n % 3], points=[(1.01, 2), (9 + n, 2), (5, 17.77)], **more),
    ]


def drawing(n: int, drawn: str, **more: Any) -> Drawing:
    return Drawing(**{drawn: shapes_of(n, drawn, **more)})


def rows_of(folder: Path, drawn: str) -> tuple[Path, list[ExportRow]]:
    """(blob folder, the rows); the pictures are 41 px wide, and from 37 px high on."""
    given = []
    for n, name in enumerate(NAMES):
        path = folder / f"{n}.jpg"
        Image.new("RGB", (41, 37 + n), (40 * n, 0, 0)).save(path)
        given.append((name, str(path)))
    rows = []
    for n, kept in enumerate(prepare_batch(given, str(folder / "blobs"))):
        label = drawing(n, drawn, seen=2, of=3, iou=0.75) if n != OPEN else None
        votes = [
            VoteRow(
                vote_id=f"vote-{n}-{who}", labeler=who, kind=kind,
                value=drawing(n, drawn) if kind == "label" else None,
                created_at=1_700_000_000_000 + n, duration_ms=1500, page_kind="manual",
                prelabel=drawing(n, drawn, score=0.5) if who == "ann" else None, standing=True,
                supersedes=None,
            )
            for who, kind in (("ann", "label"), ("bob", "skip" if n == 1 else "label"))
        ]  # fmt: skip
        rows.append(
            ExportRow(
                item_id=n + 1, name=kept.name, content_hash=kept.content_hash, width=kept.width,
                height=kept.height, state="in_progress" if n == OPEN else "labeled", label=label,
                provisional=label, confidence=0.75, agreement=1.0, vote_count=2,
                source=None if n == OPEN else "votes",
                model=drawing(n, drawn, score=0.5) if n == 2 else None,
                model_score=0.5 if n == 2 else None, votes=votes,
            )
        )  # fmt: skip
    return folder / "blobs", rows


def bundle(
    folder: Path, format: str, drawn: str, *, content: bool = True, called: Sequence[str] = ()
) -> tuple[Path, list[ExportRow], dict[str, Any]]:
    """(the unpacked export, the rows that went in, the manifest); the zip is `out.zip`. `called`:
    other names of the items than `NAMES`."""
    folder.mkdir(exist_ok=True)
    blobs, rows = rows_of(folder, drawn)
    rows = [
        msgspec.structs.replace(row, name=name)
        for row, name in zip(rows, called or NAMES, strict=True)
    ]
    with SpoolWriter(folder / "rows") as spool:
        spool.add(rows)
    about = head(format, drawn, content=content)
    manifest = write_bundle(about, Spool(folder / "rows"), Media(blobs), folder / "out.zip")
    with zipfile.ZipFile(folder / "out.zip") as packed:
        packed.extractall(folder / "out")
    return folder / "out", rows, manifest
