"""From the tables to the rows that every export format writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from chorus.server.domain.filters import Filter
from chorus.server.domain.values import Schema
from chorus.server.formats import rows
from chorus.server.formats.rows import ExportRow, VoteRow
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.review import ExportItem

CHUNK = 1000
"""Items read at once."""

Names = Callable[[str | None], rows.Names | None]
"""Canonical value -> its name or names."""
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
    names = _remembered(schema)
    votes: defaultdict[int, list[VoteRow]] = defaultdict(list)
    ids = [item.item_id for item in items]
    for row in tx.export_votes(ids):
        votes[row[0]].append(_vote(row, names, person))
    for row in tx.export_checks(ids):
        votes[row[0]].append(_check(row, names, person))
    return [_row(item, votes[item.item_id], names) for item in items], ids[-1]


def _remembered(schema: Schema) -> Names:
    """`schema.names`, which takes most of the time otherwise: the same few values come again and
    again. Shapes do not."""
    if schema.shapes:
        return schema.names
    known: dict[str | None, rows.Names | None] = {}

    def names(value: str | None) -> rows.Names | None:
        try:
            return known[value]
        except KeyError:
            return known.setdefault(value, schema.names(value))

    return names


def _vote(row: Any, names: Names, person: Person) -> VoteRow:
    (
        _, vote_id, user_id, login, kind, value, page_kind, prelabel, created, duration, standing,
        old,
    ) = row  # fmt: skip
    return VoteRow(
        vote_id=vote_id,
        labeler=person(user_id, login),
        kind=kind,
        value=names(value),
        created_at=created,
        duration_ms=duration,
        page_kind=page_kind,
        prelabel=names(prelabel),
        standing=bool(standing),
        supersedes=old,
    )


def _check(row: Any, names: Names, person: Person) -> VoteRow:
    _, vote_id, user_id, login, kind, value, created, duration, old = row
    return VoteRow(
        vote_id=vote_id,
        labeler=person(user_id, login),
        kind=kind,
        value=names(value),
        created_at=created,
        duration_ms=duration,
        page_kind="manual",
        prelabel=None,
        standing=False,
        supersedes=old,
        check=True,
    )


def _row(item: ExportItem, votes: list[VoteRow], names: Names) -> ExportRow:
    return ExportRow(
        item_id=item.item_id,
        name=item.name,
        content_hash=item.content_hash,
        width=item.width,
        height=item.height,
        length=item.length,
        state=item.state,
        label=names(item.label),
        provisional=names(item.provisional),
        confidence=item.confidence,
        agreement=item.agreement,
        vote_count=item.n_labels,
        source=item.label_source,
        gold=bool(item.gold),
        model=names(item.model_value),
        model_score=item.model_score,
        votes=votes,
    )
