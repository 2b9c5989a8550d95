"""Pascal VOC: an XML file for each picture. A file without objects is of a picture on which nothing
is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import parse

from chorus.server.formats.labels.drawn import Drawn, ShapeIn, finite
from chorus.server.formats.labels.errors import Bad, BadLabels
from chorus.server.formats.labels.rows import (
    Entry,
    LabelRow,
    Problem,
    hashes_of,
    names_of,
    spelled,
)

FILE_MAX = 16 << 20


def read_folder(root: Path, files: list[Path]) -> Iterator[Entry]:
    """`files`: all that are below `root`. Raises `BadLabels`."""
    found = [path for path in files if path.suffix.lower() == ".xml"]
    if not found:
        raise BadLabels("there is no XML file in it")
    for path in found:
        yield read_file(path, path.relative_to(root).as_posix())


def read_file(path: Path, place: str) -> Entry:
    try:
        return _row(path, place)
    except Bad as bad:
        return Problem(place=place, name=Path(place).stem, reason=str(bad))


def _row(path: Path, place: str) -> LabelRow:
    if path.stat().st_size > FILE_MAX:
        raise Bad("it is too large")
    try:
        root = parse(path).getroot()
    except DefusedXmlException:
        raise Bad("it defines entities, which no annotation needs") from None
    except (ParseError, ValueError, LookupError, RecursionError) as error:
        raise Bad(f"it is no XML: {error}") from None
    if root is None or root.tag != "annotation":
        raise Bad("it is no annotation of Pascal VOC")
    file, folder = _text(root, "filename"), _text(root, "folder")
    names = names_of(
        _text(root, "source/image") if _text(root, "source/database") == "Chorus" else None,
        f"{folder}/{file}" if folder and file else None, file, _text(root, "path"),
    )  # fmt: skip
    row = LabelRow(
        place=place, names=names or spelled([Path(place).stem]),
        stem=not any(Path(name).suffix for name in names),
        hashes=hashes_of(_text(root, "source/content_hash")),
    )  # fmt: skip
    size = finite([_text(root, f"size/{side}") or 0 for side in ("width", "height")])
    width, height = size or (0.0, 0.0)
    shapes = [_shape(one, n) for n, one in enumerate(root.iter("object"), 1)]
    row.label = Drawn(shapes=shapes, width=width, height=height)
    return row


def _shape(one: Any, number: int) -> ShapeIn:
    name = _text(one, "name")
    if not name:
        raise Bad(f"object {number} has no name")
    sides = ("xmin", "ymin", "xmax", "ymax")
    corners = finite([_text(one, f"bndbox/{side}") for side in sides])
    if corners is None:
        raise Bad(f"object {number} has no bndbox of {', '.join(sides)}")
    left, top, right, bottom = corners
    points: list[tuple[float, float]] = []
    outline = one.find("polygon")
    if outline is not None:
        while _text(outline, f"x{len(points) + 1}") is not None:
            corner = finite([_text(outline, f"{axis}{len(points) + 1}") for axis in "xy"])
            if corner is None:
                raise Bad(f"object {number} has a polygon of other things than numbers")
            points.append((corner[0], corner[1]))
    return ShapeIn(name=name, box=(left, top, right - left, bottom - top), points=points or None)


def _text(element: Any, path: str) -> str | None:
    found = element.findtext(path)
    return found.strip() if isinstance(found, str) and found.strip() else None
