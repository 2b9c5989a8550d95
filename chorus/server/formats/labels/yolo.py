"""YOLO: a folder of text files, one for each picture, and the names of the classes.

A line is `class x_center y_center width height` (maybe a confidence at its end, as predictions
have), or `class x1 y1 x2 y2 …` of a polygon, in shares of the picture. An empty file is of a
picture on which nothing is; a picture without a file is not spoken of.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from chorus.server.formats.export_csv import cell_text
from chorus.server.formats.labels.drawn import Drawn, ShapeIn, finite, pairs
from chorus.server.formats.labels.errors import Bad, BadLabels
from chorus.server.formats.labels.rows import Entry, LabelRow, Problem, hashes_of, spelled

YAML_MAX = 4 << 20
FILE_MAX = 16 << 20
_LISTS = (
    "train", "val", "valid", "test", "trainval", "classes", "labels", "obj", "readme", "notes",
)  # fmt: skip
"""Text files that are not of a picture, by their stems."""


def looks_so(files: list[Path]) -> bool:
    return any(_names_file(path) for path in files) and any(p.suffix == ".txt" for p in files)


def read_folder(root: Path, files: list[Path]) -> Iterator[Entry]:
    """`files`: all that are below `root`. Raises `BadLabels`."""
    names = class_names(files)
    hashes = _index(files)
    texts = [path for path in files if path.suffix.lower() == ".txt"]
    inside = [path for path in texts if "labels" in path.relative_to(root).parts[:-1]]
    texts = inside or [path for path in texts if path.stem.lower() not in _LISTS]
    if not texts:
        raise BadLabels("there is no text file of labels in it")
    for path in texts:
        if _lists_names(path, names):
            continue
        place = path.relative_to(root).as_posix()
        stem = _stem(place)
        try:
            label = _drawn(path, names)
        except Bad as bad:
            yield Problem(place=place, name=stem, reason=str(bad))
        else:
            yield LabelRow(
                place=place, names=spelled([stem]), stem=True, hashes=hashes_of(hashes.get(stem)),
                label=label,
            )  # fmt: skip


def _stem(place: str) -> str:
    """The picture's path without ending: what is before "labels" is folders of the data set."""
    parts = place.removesuffix(Path(place).suffix).split("/")
    if "labels" in parts[:-1]:
        parts = parts[parts.index("labels") + 1 :]
    return "/".join(parts)


def _names_file(path: Path) -> bool:
    return path.suffix.lower() in (".yaml", ".yml", ".names") or path.name == "classes.txt"


def _lists_names(path: Path, names: dict[int, str]) -> bool:
    """Some tools write the names of the classes among the labels; a picture may be called so."""
    if path.name != "classes.txt" or path.stat().st_size > YAML_MAX:
        return False
    lines = {line.strip() for line in path.read_text("utf-8-sig", "replace").splitlines()} - {""}
    return bool(lines) and lines <= set(names.values())


def class_names(files: list[Path]) -> dict[int, str]:
    """Class number -> name. Raises `BadLabels`."""
    found = sorted((p for p in files if _names_file(p)), key=lambda p: (len(p.parts), p.name))
    for path in found:
        if path.stat().st_size > YAML_MAX:
            raise BadLabels(f"{path.name} is too large to be names of classes")
        try:
            text = path.read_text("utf-8-sig")
        except UnicodeDecodeError:
            raise BadLabels(f"{path.name} is not UTF-8 text") from None
        if path.suffix.lower() not in (".yaml", ".yml"):
            lines = [line.strip() for line in text.rstrip().splitlines()]
            if "" in lines:
                raise BadLabels(
                    f"{path.name}, line {lines.index('') + 1} is empty: it is not clear which"
                    " numbers the classes after it have"
                )
            return dict(enumerate(lines))
        names = _of_yaml(path.name, text)
        if names is not None:
            return names
    raise BadLabels("nothing in it names the classes: a data.yaml with names, or a classes.txt")


def _of_yaml(file: str, text: str) -> dict[int, str] | None:
    try:
        # All scalars as they are written: a class may be called "yes" or "1.0".
        document: Any = yaml.load(text, yaml.BaseLoader)
        pairs = _pairs(yaml.compose(text, yaml.BaseLoader))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadLabels(f"{file} is no YAML: {error}") from None
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, list):
        names = {str(n): name for n, name in enumerate(names)}
    if not isinstance(names, dict):
        return None
    if not all(n.isdecimal() and isinstance(name, str) for n, name in names.items()):
        raise BadLabels(f"names in {file} are no list of classes")
    numbered: dict[int, str] = {}
    for n, name in pairs or names.items():
        if numbered.setdefault(int(n), name) != name:
            both = f"{numbered[int(n)]} and {name}"
            raise BadLabels(f"two names in {file} have the number {int(n)}: {both}")
    return numbered


def _pairs(document: Any) -> list[tuple[str, str]]:
    """Number and name of each class as they are written, where `names` are a mapping: in what YAML
    makes of it, the last one of a number takes the place of the others."""
    if not isinstance(document, yaml.MappingNode):
        return []
    return [
        (number.value, name.value)
        for key, names in document.value
        if key.value == "names" and isinstance(names, yaml.MappingNode)
        for number, name in names.value
        if isinstance(name, yaml.ScalarNode)
    ]


def _index(files: list[Path]) -> dict[str, str]:
    """Of an export of ours: picture's path without ending -> content hash."""
    found = [path for path in files if path.name == "index.csv"]
    if not found:
        return {}
    path = min(found, key=lambda path: len(path.parts))
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (UnicodeDecodeError, csv.Error):
        return {}
    hashes = {}
    for row in rows:
        file = cell_text(row.get("file") or "").removeprefix("images/")
        hashes[file.removesuffix(Path(file).suffix)] = row.get("content_hash") or ""
    return hashes


def _drawn(path: Path, names: dict[int, str]) -> Drawn:
    if path.stat().st_size > FILE_MAX:
        raise Bad("it is too large")
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise Bad("it is not UTF-8 text") from None
    shapes = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                shapes.append(_shape(line.split(), names))
            except Bad as bad:
                raise Bad(f"line {number}: {bad}") from None
    return Drawn(shapes=shapes, shares=True)


def _shape(parts: list[str], names: dict[int, str]) -> ShapeIn:
    numbers = finite(parts[1:])
    if not parts[0].isdecimal() or numbers is None:
        raise Bad("it is not a class and numbers")
    name = names.get(int(parts[0]))
    if name is None:
        raise Bad(f"there is no class {parts[0]} among the {len(names)} names")
    if len(numbers) in (4, 5):
        x, y, width, height = numbers[:4]
        score = numbers[4] if len(numbers) == 5 else None
        return ShapeIn(
            name=name, box=(x - width / 2, y - height / 2, width, height), score=_score(score)
        )
    if len(numbers) < 6:
        raise Bad(f"it has {len(numbers)} numbers; a box has 4, a polygon 6 or more")
    odd = len(numbers) % 2
    return ShapeIn(
        name=name, points=pairs(numbers[: len(numbers) - odd]),
        score=_score(numbers[-1] if odd else None),
    )  # fmt: skip


def _score(value: float | None) -> float | None:
    if value is not None and not 0 <= value <= 1:
        raise Bad(f"the confidence {value:g} is not between 0 and 1")
    return value
