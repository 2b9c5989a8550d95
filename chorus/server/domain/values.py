"""Label values by task type: what travels on the wire, what is stored, what a table's cell says.

Stored is a canonical string, so that consensus can compare values without knowing the task type,
and renaming a class changes no vote:

- one class: its index, "3"; on the wire `{"class": "cat"}`;
- a set of classes: their indices, ascending, "0,3", or "-" for none of them, which is an answer,
  too; on the wire `{"classes": ["cat", "dog"]}` in the project's order;
- shapes: a sorted JSON list (see `geometry.dump`); on the wire `{"boxes": [{"class", "box"}]}` or
  `{"polygons": [{"class", "points"}]}`, of the model with a score each. An empty list is an answer.

In a cell of a table a set is the names joined by "|"; "|" alone is the set of none (an empty cell
is no label at all); shapes are the list on the wire, as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from chorus.server.domain.model import LabelClass
from chorus.server.domain.shapes import Size, is_shapes, load, read_shapes, wire_shapes
from chorus.server.domain.tasks import is_multilabel
from chorus.server.domain.tasks import is_shapes as draws_shapes
from chorus.server.errors import ApiError
from chorus.server.matching import alike as shapes_alike

NONE = "-"
"""The set without any class, as stored."""
SEPARATOR = "|"
"""Between the names of a set in a cell; no class of a set may have it in its name."""

Names = str | list[str] | list[dict[str, Any]]
"""One class, or a set of them, by name; or shapes as they are on the wire."""


def indices(value: str) -> tuple[int, ...]:
    """The classes in a canonical value, of any kind, ascending: "3" -> (3,), "-" -> ()."""
    if is_shapes(value):
        return tuple(sorted({shape.cls for shape in load(value)}))
    return () if value == NONE else tuple(int(c) for c in value.split(","))


def canonical(classes: Iterable[int]) -> str:
    """The canonical string of a set of class indices."""
    return ",".join(str(c) for c in sorted(set(classes))) or NONE


def parts(value: str) -> tuple[str, ...]:
    """What a canonical value counts as where labels are counted by class: each of its classes
    ("0,3" -> ("0", "3")), of shapes each shape, or "-" for none."""
    if is_shapes(value):
        return tuple(str(shape.cls) for shape in load(value)) or (NONE,)
    return tuple(value.split(","))


def alike(answer: str | None, truth: str | None) -> bool:
    """Do two canonical values say the same? Classes and sets when they are equal; shapes, which no
    two people draw alike, from a stated likeness on (see `matching.ALIKE_F1`)."""
    if answer == truth or answer is None or truth is None:
        return answer == truth
    return is_shapes(answer) and is_shapes(truth) and shapes_alike(answer, truth)


class Schema(msgspec.Struct, frozen=True):
    """What a label of a project is: its task type and its classes."""

    task_type: str
    classes: Sequence[LabelClass]
    former: Mapping[str, int] = MappingProxyType({})
    """Names that classes had before: answers on their way and older tables still use them."""

    @property
    def multilabel(self) -> bool:
        return is_multilabel(self.task_type)

    @property
    def field(self) -> str:
        """The field of a wire value that has the answer."""
        if self.shapes:
            return self.task_type
        return "classes" if self.multilabel else "class"

    @property
    def nothing(self) -> str:
        """The canonical value of a set of none, or of an empty picture."""
        return "[]" if self.shapes else NONE

    @property
    def shapes(self) -> bool:
        """A label is any number of boxes, or of polygons."""
        return draws_shapes(self.task_type)

    def parse(self, value: object, size: Size | None = None, *, scored: bool = False) -> str:
        """Wire value -> canonical string.

        `size`: of the picture, which shapes need to be checked against; without it only the empty
        picture can be said. `scored`: shapes of a model, which keep their scores.

        Raises `ApiError('bad_value')` for another shape, an unknown class, a class twice, a shape
        that cannot be.
        """
        if self.shapes:
            if size is None and value != {self.task_type: []}:
                raise ApiError("bad_value", "shapes belong to one picture")
            return read_shapes(value, self.task_type, self.index, size or (0, 0), scored=scored)
        if not self.multilabel:
            if not isinstance(value, dict) or not isinstance(value.get("class"), str):
                raise ApiError("bad_value", 'a label needs a value like {"class": "name"}')
            return self.index(value["class"])
        names = value.get("classes") if isinstance(value, dict) else None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ApiError("bad_value", 'a label needs a value like {"classes": ["name", …]}')
        return self._set(names)

    @property
    def known(self) -> dict[str, str]:
        """Name of a class -> its index as a string; also by the names that classes had before."""
        before = {name: str(index) for name, index in self.former.items()}
        return before | {c.name: str(index) for index, c in enumerate(self.classes)}

    def index(self, name: str) -> str:
        """The index of a class as a string. Raises `ApiError('bad_value')` when unknown."""
        for index, label_class in enumerate(self.classes):
            if label_class.name == name:
                return str(index)
        if name in self.former:
            return str(self.former[name])
        raise ApiError("bad_value", f"unknown class {name!r}")

    def read(self, cell: str, size: Size | None = None) -> str:
        """The canonical value of a table's cell that is not empty. Raises `ApiError('bad_value')`
        as `parse` does."""
        if self.shapes:
            try:
                value = msgspec.json.decode(cell)
            except msgspec.DecodeError:
                raise ApiError("bad_value", "a cell with shapes is a list, as JSON") from None
            # In exports it is the whole wire value.
            return self.parse({self.task_type: value} if isinstance(value, list) else value, size)
        if not self.multilabel:
            return self.index(cell)
        names = [name.strip() for name in cell.split(SEPARATOR)]
        return self._set([name for name in names if name])

    def names(self, value: str | None) -> Names | None:
        """Canonical value -> the class's name, the names of the set's, or the shapes as they are
        on the wire; None stays None."""
        if value is None:
            return None
        if self.shapes:
            return wire_shapes(value, [c.name for c in self.classes])
        names = [self.classes[c].name for c in indices(value)]
        return names if self.multilabel else names[0]

    def to_wire(self, value: str | None) -> dict[str, Names] | None:
        """Canonical value -> wire value."""
        names = self.names(value)
        return None if names is None else {self.field: names}

    def counted(self, counts: dict[str, int]) -> dict[str, int]:
        """Counts by class index ("-": of none) -> by class name ("": of none)."""
        return {
            "" if part == NONE else self.classes[int(part)].name: n for part, n in counts.items()
        }

    def _set(self, names: Sequence[str]) -> str:
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ApiError("bad_value", f"the class {twice!r} is there twice")
        found = [int(self.index(name)) for name in names]
        if len(set(found)) != len(found):
            raise ApiError("bad_value", "a class is there twice, by its old and its new name")
        return canonical(found)
