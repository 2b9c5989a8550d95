"""Exports, streamed: any time, also while people label, with constant memory."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

from chorus import __version__
from chorus.server.domain.model import Item
from chorus.server.domain.values import Schema
from chorus.server.errors import ApiError
from chorus.server.formats.export_coco import coco_json
from chorus.server.formats.export_csv import items_csv, votes_csv
from chorus.server.formats.rows import ExportRow, VoteRow
from chorus.server.services.projects import Projects
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

CHUNK = 1000
"""Items read at once: each chunk sees one moment, the whole export need not."""
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
                    lambda tx, after=after: _chunk(tx, project_id, after, schema)  # type: ignore[misc]
                )
                chunk, after = asyncio.run_coroutine_threadsafe(_awaited(read), loop).result()
                if not chunk:
                    return
                yield from chunk

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
            return _stream(coco_json(rows(), names, info, schema.multilabel)), "application/json"
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


def _chunk(tx: Tx, project_id: str, after: int, schema: Schema) -> tuple[list[ExportRow], int]:
    items = tx.items_in_state(project_id, None, after, CHUNK)
    if not items:
        return [], after
    votes: defaultdict[int, list[VoteRow]] = defaultdict(list)
    first, last = items[0].item_id, items[-1].item_id
    for row in tx.votes_between(project_id, first, last):
        votes[row[0]].append(_vote(row, schema))
    for row in tx.checks_between(project_id, first, last):
        votes[row[0]].append(_check(row, schema))
    return [_row(item, votes[item.item_id], schema) for item in items], last


def _vote(row: Any, schema: Schema) -> VoteRow:
    (_, vote_id, login, kind, value, page_kind, prelabel, created, duration, standing, old) = row
    return VoteRow(
        vote_id=vote_id,
        labeler=login,
        kind=kind,
        value=schema.names(value),
        created_at=created,
        duration_ms=duration,
        page_kind=page_kind,
        prelabel=schema.names(prelabel),
        standing=bool(standing),
        supersedes=old,
    )


def _check(row: Any, schema: Schema) -> VoteRow:
    _, vote_id, login, kind, value, created, duration, old = row
    return VoteRow(
        vote_id=vote_id,
        labeler=login,
        kind=kind,
        value=schema.names(value),
        created_at=created,
        duration_ms=duration,
        page_kind="manual",
        prelabel=None,
        standing=False,
        supersedes=old,
        check=True,
    )


def _row(item: Item, votes: list[VoteRow], schema: Schema) -> ExportRow:
    return ExportRow(
        item_id=item.item_id,
        name=item.name,
        content_hash=item.content_hash,
        width=item.width,
        height=item.height,
        state=item.state,
        label=schema.names(item.label),
        provisional=schema.names(item.provisional),
        confidence=item.confidence,
        agreement=item.agreement,
        vote_count=item.n_labels,
        source=item.label_source,
        gold=bool(item.gold),
        votes=votes,
    )
