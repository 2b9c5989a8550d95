"""From the tables to the rows that every export format writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from chorus.server.domain.filters import Filter
from chorus.server.domain.values import Schema
from chorus.server.formats.rows import ExportRow, VoteRow
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.review import ExportItem

CHUNK = 1000
"""Items read at once."""

Person = Callable[[str, str], str]
"""(user_id, login) -> how the person is called in the export."""


def by_login(user_id: str, login: str) -> str:
    return login


def chunk(
    tx: Tx, project_id: str, wanted: Filter | None, after: int, schema: Schema,
    person: Person = by_login,
) -> tuple[list[ExportRow], int]:  # fmt: skip
    """(the next rows, the item_id they reach); `wanted` None: all items, also removed ones."""
    items = tx.export_items(project_id, wanted, after, CHUNK)
    if not items:
        return [], after
    votes: defaultdict[int, list[VoteRow]] = defaultdict(list)
    ids = [item.item_id for item in items]
    for row in tx.export_votes(ids):
        votes[row[0]].append(_vote(row, schema, person))
    for row in tx.export_checks(ids):
        votes[row[0]].append(_check(row, schema, person))
    return [_row(item, votes[item.item_id], schema) for item in items], ids[-1]


def _vote(row: Any, schema: Schema, person: Person) -> VoteRow:
    (
        _, vote_id, user_id, login, kind, value, page_kind, prelabel, created, duration, standing,
        old,
    ) = row  # fmt: skip
    return VoteRow(
        vote_id=vote_id,
        labeler=person(user_id, login),
        kind=kind,
        value=schema.names(value),
        created_at=created,
        duration_ms=duration,
        page_kind=page_kind,
        prelabel=schema.names(prelabel),
        standing=bool(standing),
        supersedes=old,
    )


def _check(row: Any, schema: Schema, person: Person) -> VoteRow:
    _, vote_id, user_id, login, kind, value, created, duration, old = row
    return VoteRow(
        vote_id=vote_id,
        labeler=person(user_id, login),
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


def _row(item: ExportItem, votes: list[VoteRow], schema: Schema) -> ExportRow:
    return ExportRow(
        item_id=item.item_id,
        name=item.name,
        content_hash=item.content_hash,
        width=item.width,
        height=item.height,
        length=item.length,
        state=item.state,
        label=schema.names(item.label),
        provisional=schema.names(item.provisional),
        confidence=item.confidence,
        agreement=item.agreement,
        vote_count=item.n_labels,
        source=item.label_source,
        gold=bool(item.gold),
        model=schema.names(item.model_value),
        model_score=item.model_score,
        votes=votes,
    )
