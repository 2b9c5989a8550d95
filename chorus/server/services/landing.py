"""Putting a round's answers where labelers meet them: the queues of the open items."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain import audit
from chorus.server.domain.model import BY_HAND, OPEN_STATES
from chorus.server.domain.queue import MORE_VOTES, ROUND_SPAN
from chorus.server.domain.rounds import queue_for
from chorus.server.domain.values import parts
from chorus.server.services.choosing import Choice
from chorus.server.services.recording import Delta
from chorus.server.services.remerging import remerge
from chorus.server.services.round_files import Place, Prediction
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.items import QueueRow

CHUNK = 250
"""Items per transaction: a vote waits behind one chunk at most, some ten milliseconds. Larger ones
write fewer pages, but a landing is hardly sooner done, and votes wait longer for each commit."""
REMERGE_CHUNK = 200
BLOCK = 9
Views = Sequence[tuple[int, Prediction]]
"""What the model says of some items: (item_id, its answer)."""


class Limits(dict[str, float | None]):
    """By value: the confidence from which it is prelabeled, that of its most demanding class; None:
    never. Each is worked out once.

    thresholds: by class ("-": the set of none). What holds a class without one is never prelabeled.
    """

    def __init__(self, thresholds: Mapping[str, float]) -> None:
        super().__init__()
        self._thresholds = thresholds

    def __missing__(self, value: str) -> float | None:
        limits = [self._thresholds.get(part) for part in parts(value)]
        known = [limit for limit in limits if limit is not None]
        self[value] = max(known) if len(known) == len(limits) else None
        return self[value]

    def easy(self, guess: Prediction) -> bool:
        """Whether the round would prelabel it."""
        limit = self[guess.value]
        return limit is not None and guess.score >= limit


class Plan(msgspec.Struct):
    """A round's outcome for the open items, before it is stored."""

    number: int
    limits: Limits
    prelabel: bool
    predictions: dict[int, Prediction]
    clusters: dict[int, Place]
    places: dict[int, int]
    """Order of prelabeled pages by item: alike items side by side, blocks shuffled."""
    audit_share: float = 0.0
    choice: Choice = msgspec.field(default_factory=Choice)


class Spot(NamedTuple):
    """Where an open item lies from now on."""

    queue: str
    pos: int
    block: int
    chosen: int
    """See `Item.chosen`."""

    def is_as(self, row: QueueRow) -> bool:
        """It waits for hands where it did, and nothing was shown of it."""
        return (
            self.queue == row.queue == "manual"
            and (self.pos, self.chosen) == (row.queue_pos, row.chosen)
            and row.pre_value is None
        )


def prelabel_places(
    predictions: Mapping[int, Prediction], prelabeled: Sequence[int], seed: int
) -> dict[int, int]:
    """Blocks of nine of one class, so that a wrong one catches the eye; blocks in random
    order, so that no class is done before the others are begun. Of label sets, what is left over
    of many rare ones shares blocks with the sets next to it."""
    by_value: defaultdict[str, list[int]] = defaultdict(list)
    for item_id in sorted(prelabeled):
        by_value[predictions[item_id].value].append(item_id)
    rng = random.Random(seed)
    blocks: list[list[int]] = []
    rest: list[int] = []
    for value in sorted(by_value):
        ids = by_value[value]
        rng.shuffle(ids)
        if "," in value:
            full = len(ids) - len(ids) % BLOCK
            ids, rest = ids[:full], rest + ids[full:]
        blocks += _cut(ids)
    blocks += _cut(rest)
    rng.shuffle(blocks)
    return {
        item_id: at for at, item_id in enumerate(item_id for block in blocks for item_id in block)
    }


def _cut(ids: list[int]) -> list[list[int]]:
    return [ids[i : i + BLOCK] for i in range(0, len(ids), BLOCK)]


async def land(store: Store, project_id: str, plan: Plan, views: Views) -> int:
    """Bring a round's answers to the open items, and to those that are labeled (`views`, see
    `land_views`); returns how many are prelabeled."""
    ids = sorted(plan.predictions)
    prelabeled = 0
    for at in range(0, len(ids), CHUNK):
        some = ids[at : at + CHUNK]
        prelabeled += await store.write(
            lambda tx, some=some: land_chunk(tx, project_id, plan, some, now_ms())  # type: ignore[misc]
        )
    for at in range(0, len(views), CHUNK):
        seen = views[at : at + CHUNK]
        await store.write(
            lambda tx, seen=seen: land_views(  # type: ignore[misc]
                tx, project_id, seen, plan.number, plan.limits, now_ms()
            )
        )
    return prelabeled


def land_chunk(tx: Tx, project_id: str, plan: Plan, item_ids: Sequence[int], now: int) -> int:
    """Store queue, prelabel and place of some open items; returns how many are prelabeled.

    Items that wait for a review or for more votes, or were settled while the round ran, get the
    model's view alone.
    """
    delta = Delta()
    prelabeled = 0
    rows: list[tuple[Any, ...]] = []
    views: list[tuple[int, Prediction]] = []
    stay: list[tuple[int, Prediction]] = []
    voted: list[int] = []
    for row in tx.queues_of(item_ids):
        guess = plan.predictions.get(row.item_id)
        preset_waits = row.preset is not None and row.queue == "prelabeled"
        if row.state not in OPEN_STATES or row.queue_pos >= MORE_VOTES or preset_waits:
            if guess is not None:
                views.append((row.item_id, guess))
            continue
        if row.n_labels:
            voted.append(row.item_id)
        spot = _spot(plan, row, guess)
        prelabeled += spot.queue == "prelabeled"
        if guess is not None and spot.is_as(row):
            # Most items of a large project: only what the model says of them is new, and the
            # index of the queue, eight times as many pages as the rows, stays untouched.
            stay.append((row.item_id, guess))
            continue
        if spot.queue != row.queue:
            delta.queue[row.queue] -= 1
            delta.queue[spot.queue] += 1
        rows.append(_stored(plan, row, guess, spot))
    tx.set_queues(rows)
    _set_views(tx, stay, plan.number, plan.limits)
    if rows:
        body: dict[str, Any] = {"round": plan.number, "count": len(rows), **delta.body()}
        tx.emit(project_id, now, "queue.changed", body)
    _remerge(tx, project_id, voted, now)
    land_views(tx, project_id, views, plan.number, plan.limits, now)
    return prelabeled


def _spot(plan: Plan, row: QueueRow, guess: Prediction | None) -> Spot:
    """Where the round puts an open item (pure)."""
    place = plan.clusters.get(row.item_id)
    queue = "manual" if place is None else "clustered"
    if guess is not None:
        queue = queue_for(
            value=guess.value,
            score=guess.score,
            threshold=plan.limits[guess.value],
            prelabel=plan.prelabel,
            clustered=place is not None,
            was_prelabeled=row.queue == "prelabeled",
            was_value=row.pre_value,
        )
    chosen = row.chosen
    if row.fresh:
        by_choice = plan.choice.manual if queue == "manual" else plan.choice.clustered
        by_chance = BY_HAND if row.priority or row.picked else 0
        chosen = plan.number if queue != "prelabeled" and row.item_id in by_choice else by_chance
    if queue == "prelabeled":
        at = plan.places.get(row.item_id, len(plan.places))
        return Spot(queue, plan.number * ROUND_SPAN + at, at // BLOCK, chosen)
    if queue == "clustered" and place is not None:
        pos = plan.number * ROUND_SPAN + place.block * 100 + place.pos
        return Spot(queue, pos, place.block, chosen)
    if row.fresh:
        return Spot(queue, plan.choice.manual.get(row.item_id, row.rank), 0, chosen)
    # Whoever has had it got it where it lay.
    return Spot(queue, row.queue_pos if row.queue == "manual" else row.rank, 0, chosen)


def _stored(plan: Plan, row: QueueRow, guess: Prediction | None, spot: Spot) -> tuple[Any, ...]:
    """As `tx.set_queues` takes it."""
    shown = guess if spot.queue == "prelabeled" else None
    place = plan.clusters.get(row.item_id) if spot.queue == "clustered" else None
    easy = guess is not None and plan.limits.easy(guess)
    return (
        spot.queue,
        spot.pos,
        spot.block,
        shown.value if shown else None,
        shown.score if shown else None,
        guess.value if guess else None,
        guess.score if guess else None,
        guess.probs if guess else None,
        place.odd if place else None,
        plan.number if easy else 0,
        shown is not None and audit.chosen(row.rank, plan.audit_share),
        spot.chosen,
        row.item_id,
    )


def land_views(
    tx: Tx, project_id: str, views: Views, easy_round: int, limits: Limits, now: int
) -> None:
    """Store what the model says of items with votes, by heads that never saw them."""
    _set_views(tx, views, easy_round, limits)
    _remerge(tx, project_id, [item_id for item_id, _ in views], now)


def _set_views(tx: Tx, views: Views, easy_round: int, limits: Limits) -> None:
    tx.set_views(
        (guess.value, guess.score, guess.probs, easy_round if limits.easy(guess) else 0, item_id)
        for item_id, guess in views
    )


def _remerge(tx: Tx, project_id: str, item_ids: Sequence[int], now: int) -> None:
    """Where the model is a voter, its new view changes what people's votes add up to."""
    project = tx.project(project_id)
    assert project is not None
    if not project.equal_votes and tx.params(project).model_weight:
        for at in range(0, len(item_ids), REMERGE_CHUNK):
            remerge(tx, project_id, item_ids[at : at + REMERGE_CHUNK], now)
