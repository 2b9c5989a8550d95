"""Exports as a plain stream: any time, also while people label, with constant memory.

Each chunk sees one moment, the whole stream need not; for one that does, see exports.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

from chorus import __version__
from chorus.server.errors import ApiError
from chorus.server.formats.export_coco import coco_json
from chorus.server.formats.export_csv import items_csv, votes_csv
from chorus.server.formats.rows import ExportRow
from chorus.server.services.export_rows import chunk
from chorus.server.services.projects import Projects
from chorus.server.storage.store import Store

PIECE = 64 * 1024


class Exporting:
    def __init__(self, store: Store, projects: Projects) -> None:
        self._store = store
        self._projects = projects

    def open(self, project_id: str, name: str) -> tuple[AsyncIterator[bytes], str]:
        """(stream, media type) of `export.csv`, `votes.csv` or `export.json`."""
        schema = self._projects.schema(project_id)
        names = [c.name for c in schema.classes]
        loop = asyncio.get_running_loop()

        def rows() -> Iterator[ExportRow]:
            # Runs on a worker thread; the reads run on the store's readers.
            after = 0
            while True:
                read = self._store.read(
                    lambda tx, after=after: chunk(tx, project_id, None, after, schema)  # type: ignore[misc]
                )
                some, after = asyncio.run_coroutine_threadsafe(_awaited(read), loop).result()
                if not some:
                    return
                yield from some

        if name == "export.csv":
            return _stream(items_csv(rows(), names)), "text/csv; charset=utf-8"
        if name == "votes.csv":
            return _stream(votes_csv(rows())), "text/csv; charset=utf-8"
        if name == "export.json":
            info = {
                "description": f"Chorus project {project_id}",
                "version": __version__,
                "date_created": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            return _stream(
                coco_json(rows(), names, info, schema.multilabel, schema.shapes)
            ), "application/json"
        raise ApiError("not_found", "there is export.csv, votes.csv and export.json")


async def _awaited(value: Any) -> Any:
    return await value


async def _stream(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Pull a synchronous generator on a thread, a buffer at a time."""

    def pull() -> bytes:
        buffer = bytearray()
        for piece in pieces:
            buffer += piece
            if len(buffer) >= PIECE:
                break
        return bytes(buffer)

    while piece := await asyncio.to_thread(pull):
        yield piece
