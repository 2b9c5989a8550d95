"""Rows of one moment, waiting on disk to be written in some format: what the database gave at once
is turned into files elsewhere, in a worker process, as often as a format needs to pass over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from chorus.server.formats.rows import ExportRow

_LENGTH = 4
_BUFFER = 1 << 20
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ExportRow).decode


class SpoolWriter:
    """Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=_BUFFER)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, rows: Iterable[ExportRow]) -> None:
        for row in rows:
            data = _encode(row)
            self._file.write(len(data).to_bytes(_LENGTH, "big"))
            self._file.write(data)


class Spool:
    """Rows as they were added, one pass per call of `rows`. `on_row`: called for each, to follow
    how far the passes are."""

    def __init__(self, path: Path, on_row: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._on_row = on_row

    def rows(self) -> Iterator[ExportRow]:
        """Raises `EOFError` for a file that is cut off."""
        with self._path.open("rb", buffering=_BUFFER) as file:
            while head := file.read(_LENGTH):
                length = int.from_bytes(head, "big")
                data = file.read(length)
                if len(head) < _LENGTH or len(data) < length:
                    raise EOFError("the rows are cut off")
                self._on_row()
                yield _decode(data)
