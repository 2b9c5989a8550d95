"""Label values by task type: what travels on the wire and what is stored.

Stored is a canonical string, so that consensus can compare values without knowing the task
type. For `multiclass` it is the class's index ("3"): renaming a class changes no vote.
"""

from __future__ import annotations

from collections.abc import Sequence

from chorus.server.domain.model import LabelClass
from chorus.server.errors import ApiError


def parse(value: object, classes: Sequence[LabelClass]) -> str:
    """Wire value `{"class": name}` -> canonical string.

    Raises `ApiError('bad_value')` for another shape or an unknown class.
    """
    if not isinstance(value, dict) or not isinstance(value.get("class"), str):
        raise ApiError("bad_value", 'a label needs a value like {"class": "name"}')
    return class_index(value["class"], classes)


def class_index(name: str, classes: Sequence[LabelClass]) -> str:
    """Canonical value of a class name. Raises `ApiError('bad_value')` when unknown."""
    for index, label_class in enumerate(classes):
        if label_class.name == name:
            return str(index)
    raise ApiError("bad_value", f"unknown class {name!r}")


def name_of(value: str | None, classes: Sequence[LabelClass]) -> str | None:
    """Canonical value -> class name (None stays None)."""
    return None if value is None else classes[int(value)].name


def to_wire(value: str | None, classes: Sequence[LabelClass]) -> dict[str, str] | None:
    """Canonical string -> wire value."""
    return None if value is None else {"class": classes[int(value)].name}
