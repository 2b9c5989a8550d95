"""From the tables to the rows that every export format writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, cast

import msgspec

from chorus.server.consensus.shape_support import Support, support
from chorus.server.domain.filters import Filter
from chorus.server.domain.values import Schema
from chorus.server.formats import rows
from chorus.server.formats.rows import Drawing, ExportRow, ShapeRow, VoteRow
from chorus.server.geometry import Shape, load
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
    names = _drawn(schema) if schema.shapes else _remembered(schema)
    person = cache(person)
    votes: defaultdict[int, list[VoteRow]] = defaultdict(list)
    drawn: defaultdict[int, list[str]] = defaultdict(list)
    ids = [item.item_id for item in items]
    for row in tx.export_votes(ids):
        vote = _vote(row, names, person)
        votes[row[0]].append(vote)
        if schema.shapes and vote.standing and vote.kind == "label":
            drawn[row[0]].append(row[5])
    for row in tx.export_checks(ids):
        votes[row[0]].append(_check(row, names, person))
    if not schema.shapes:
        return [_row(item, votes[item.item_id], names) for item in items], ids[-1]
    project = tx.project(project_id)
    assert project is not None
    return [
        _seen(
            _row(item, votes[item.item_id], names), item, drawn[item.item_id], schema, project.iou
        )
        for item in items
    ], ids[-1]


def _remembered(schema: Schema) -> Names:
    """`schema.names`, which takes most of the time otherwise: the same few values come again and
    again."""

    class Known(dict[str | None, rows.Names | None]):
        def __missing__(self, value: str | None) -> rows.Names | None:
            return self.setdefault(value, cast(rows.Names | None, schema.names(value)))

    return Known().__getitem__


def _drawn(schema: Schema) -> Names:
    """A canonical value of shapes -> a drawing."""

    def names(value: str | None) -> rows.Names | None:
        return None if value is None else _drawing(load(value), schema)

    return names


def _drawing(
    shapes: Sequence[Shape], schema: Schema, supports: Sequence[Support] | None = None
) -> Drawing:
    found = []
    for n, shape in enumerate(shapes):
        by = supports[n] if supports else None
        found.append(
            ShapeRow(
                class_name=schema.classes[shape.cls].name,
                box=shape.box if shape.points is None else None,
                points=None if shape.points is None else list(shape.points),
                score=shape.score,
                seen=None if by is None else by.seen,
                of=None if by is None else by.of,
                iou=None if by is None else by.iou,
            )
        )
    return Drawing(boxes=found) if schema.task_type == "boxes" else Drawing(polygons=found)


def _seen(
    row: ExportRow, item: ExportItem, drawn: Sequence[str], schema: Schema, iou: float
) -> ExportRow:
    """With what people say of each shape of the label, or of what it would be; `drawn`: the values
    of their votes."""
    if not drawn and item.label is None:
        return row
    votes = [load(value) for value in drawn]

    def told(value: str | None) -> Drawing | None:
        if value is None:
            return None
        shapes = load(value)
        return _drawing(shapes, schema, support(shapes, votes, iou))

    label = told(item.label)
    same = item.provisional == item.label
    return msgspec.structs.replace(
        row, label=label, provisional=label if same else told(item.provisional)
    )


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
        standing=standing == 1,
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
        second_look=item.doubted is not None,
        votes=votes,
    )
