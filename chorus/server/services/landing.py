"""Putting a round's answers where labelers meet them: the queues of the open items."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

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
    views: list[tuple[int, Prediction]] = []
    rows = []
    prelabeled = 0
    voted = []
    stay: list[tuple[int, Prediction]] = []
    for row in tx.queues_of(item_ids):
        (
            item_id, state, queue, queue_pos, pre_value, rank, n_labels, chosen, fresh, preset,
            priority, picked,
        ) = row  # fmt: skip
        guess = plan.predictions.get(item_id)
        preset_waits = preset is not None and queue == "prelabeled"
        if state not in OPEN_STATES or queue_pos >= MORE_VOTES or preset_waits:
            if guess is not None:
                views.append((item_id, guess))
            continue
        if n_labels:
            voted.append(item_id)
        place = plan.clusters.get(item_id)
        target: str = "clustered" if place is not None else "manual"
        if guess is not None:
            target = queue_for(
                value=guess.value,
                score=guess.score,
                threshold=plan.limits[guess.value],
                prelabel=plan.prelabel,
                clustered=place is not None,
                was_prelabeled=queue == "prelabeled",
                was_value=pre_value,
            )
        easy = guess is not None and plan.limits.easy(guess)
        shown = guess if target == "prelabeled" else None
        if target == "prelabeled":
            prelabeled += 1
            at = plan.places.get(item_id, len(plan.places))
            pos, block = plan.number * ROUND_SPAN + at, at // BLOCK
        elif target == "clustered" and place is not None:
            pos, block = plan.number * ROUND_SPAN + place.block * 100 + place.pos, place.block
        elif fresh:
            pos, block = plan.choice.manual.get(item_id, rank), 0
        else:
            # Whoever has had it got it where it lay.
            pos, block = queue_pos if queue == "manual" else rank, 0
        if fresh:
            by_choice = plan.choice.manual if target == "manual" else plan.choice.clustered
            by_chance = BY_HAND if priority or picked else 0
            chosen = plan.number if target != "prelabeled" and item_id in by_choice else by_chance
        here = target == queue == "manual" and pos == queue_pos and pre_value is None
        if here and chosen == row.chosen and guess is not None:
            # Most items of a large project: only what the model says of them is new, and the
            # index of the queue, eight times as many pages as the rows, stays untouched.
            stay.append((item_id, guess))
            continue
        if target != queue:
            delta.queue[queue] -= 1
            delta.queue[target] += 1
        rows.append(
            (
                target,
                pos,
                block,
                shown.value if shown else None,
                shown.score if shown else None,
                guess.value if guess else None,
                guess.score if guess else None,
                guess.probs if guess else None,
                place.odd if place and target == "clustered" else None,
                plan.number if easy else 0,
                target == "prelabeled" and audit.chosen(rank, plan.audit_share),
                chosen,
                item_id,
            )
        )
    tx.set_queues(rows)
    _set_views(tx, stay, plan.number, plan.limits)
    if rows:
        body: dict[str, Any] = {"round": plan.number, "count": len(rows), **delta.body()}
        tx.emit(project_id, now, "queue.changed", body)
    _remerge(tx, project_id, voted, now)
    land_views(tx, project_id, views, plan.number, plan.limits, now)
    return prelabeled


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
