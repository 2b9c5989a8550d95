"""Labels as Pascal VOC has them (Everingham et al., "The PASCAL Visual Object Classes Challenge
2012 Development Kit"): an XML file for each picture, under its layout of folders.

Coordinates are pixels, `xmin` and `ymin` the upper left corner, `xmax` and `ymax` the lower right
one, as today's tools read and write them (the kit itself counts from 1 and means pixels, not
edges); they may have decimals. A polygon has its box, which is all that VOC knows, and its corners
in an element `polygon` of its own. Only labeled pictures are in it. `ImageSets/Main/val.txt` names
a tenth of them, drawn by their content, `train.txt` the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from chorus.server.formats.export_yolo import drawn, in_val, suffix
from chorus.server.formats.media import Media
from chorus.server.formats.rows import Drawing, ExportRow, ShapeRow

PICTURES = "JPEGImages"


def xml_files(rows: Iterable[ExportRow], media: Media | None) -> Iterator[tuple[str, bytes]]:
    """(path, content) of each annotation."""
    for row, stem, label in drawn(rows):
        yield (
            f"Annotations/{stem}.xml",
            _annotation(row, f"{stem}{suffix(row, media, True)}", label),
        )


def pictures(rows: Iterable[ExportRow], media: Media) -> Iterator[tuple[str, Path]]:
    """(path, file) of each picture that is here."""
    for row, stem, _ in drawn(rows):
        path = media.picture(row, pixels=True)
        if path is not None:
            yield f"{PICTURES}/{stem}{suffix(row, media, True)}", path


def image_set(rows: Iterable[ExportRow], val: bool | None) -> Iterator[bytes]:
    """The pictures' names without ending; None: all."""
    for row, stem, _ in drawn(rows):
        if val is None or in_val(row.content_hash) == val:
            yield f"{stem}\n".encode()


def _annotation(row: ExportRow, file: str, label: Drawing) -> bytes:
    root = Element("annotation")
    folder = PurePosixPath(f"{PICTURES}/{file}")
    _put(root, "folder", folder.parent.as_posix())
    _put(root, "filename", folder.name)
    source = SubElement(root, "source")
    _put(source, "database", "Chorus")
    _put(source, "image", row.name)
    _put(source, "content_hash", row.content_hash)
    size = SubElement(root, "size")
    for name, value in (("width", row.width), ("height", row.height), ("depth", 3)):
        _put(size, name, str(value))
    _put(root, "segmented", "0")
    for shape in label.shapes:
        _object(root, row, shape)
    indent(root)
    data: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _object(root: Element, row: ExportRow, shape: ShapeRow) -> None:
    x, y, width, height = shape.bounds
    right, bottom = x + width, y + height
    one = SubElement(root, "object")
    _put(one, "name", shape.class_name)
    _put(one, "pose", "Unspecified")
    cut = x <= 0 or y <= 0 or right >= row.width or bottom >= row.height
    _put(one, "truncated", str(int(cut)))
    _put(one, "difficult", "0")
    box = SubElement(one, "bndbox")
    for name, value in (("xmin", x), ("ymin", y), ("xmax", right), ("ymax", bottom)):
        _put(box, name, _number(value))
    if shape.points is not None:
        corners = SubElement(one, "polygon")
        for n, (px, py) in enumerate(shape.points, 1):
            _put(corners, f"x{n}", _number(px))
            _put(corners, f"y{n}", _number(py))


def _put(parent: Element, name: str, text: str) -> None:
    # XML has no way to write control characters, nor these two.
    SubElement(parent, name).text = "".join(
        c if c >= " " and c not in "\ufffe\uffff" else "_" for c in text
    )


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
