"""Finding what a file says of an item by the item's name."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Generic, TypeVar

T = TypeVar("T")


class ByName(Generic[T]):
    """A name in a folder is also found by its last part. Blanks around a name, their number in it,
    and how accents are composed (macOS takes them apart in names of files) make no difference."""

    def __init__(self, given: Mapping[str, T]) -> None:
        self._found = {_key(name): one for name, one in given.items()}

    def __len__(self) -> int:
        return len(self._found)

    def get(self, name: str) -> T | None:
        key = _key(name)
        found = self._found.get(key)
        return found if found is not None else self._found.get(_key(PurePosixPath(key).name))

    def values(self) -> list[T]:
        return list(self._found.values())


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", " ".join(name.split()))
