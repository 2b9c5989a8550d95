"""Putting a round's answers where labelers meet them: the queues of the open items."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chorus.server.domain import audit
from chorus.server.domain.model import BY_HAND, OPEN_STATES
from chorus.server.domain.queue import MORE_VOTES, ROUND_SPAN
from chorus.server.domain.rounds import queue_for
from chorus.server.domain.values import parts
from chorus.server.services.choosing import Choice
from chorus.server.services.recording import Delta
from chorus.server.services.remerging import remerge
from chorus.server.services.round_files import Place, Prediction
from chorus.server.storage.tx import Tx

CHUNK = 250
"""Items per transaction: a vote waits behind one chunk at most, some ten milliseconds."""
REMERGE_CHUNK = 200
BLOCK = 9


class Plan(msgspec.Struct):
    """A round's outcome for the open items, before it is stored."""

    number: int
    thresholds: dict[str, float]
    """By class ("-": the set of none): the confidence from which it is prelabeled. What holds a
    class without one is not."""
    prelabel: bool
    predictions: dict[int, Prediction]
    clusters: dict[int, Place]
    places: dict[int, int]
    """Order of prelabeled pages by item: alike items side by side, blocks shuffled."""
    audit_share: float = 0.0
    choice: Choice = msgspec.field(default_factory=Choice)


def limit_of(value: str, thresholds: Mapping[str, float]) -> float | None:
    """The confidence from which `value` is prelabeled: that of its most demanding class; None:
    never."""
    limits = [thresholds.get(part) for part in parts(value)]
    known = [limit for limit in limits if limit is not None]
    return max(known) if len(known) == len(limits) else None


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


def land_chunk(tx: Tx, project_id: str, plan: Plan, item_ids: Sequence[int], now: int) -> int:
    """Store queue, prelabel and place of some open items; returns how many are prelabeled.

    Items that wait for a review or for more votes, or were settled while the round ran, get the
    model's view alone, and so do those that show the label they had before a start over.
    """
    delta = Delta()
    views: list[tuple[int, Prediction]] = []
    rows = []
    prelabeled = 0
    voted = []
    stay: list[tuple[int, Prediction]] = []
    limits: dict[str, float | None] = {}
    for row in tx.queues_of(item_ids):
        (
            item_id, state, queue, queue_pos, pre_value, rank, n_labels, chosen, fresh, preset,
            priority,
        ) = row  # fmt: skip
        guess = plan.predictions.get(item_id)
        preset_waits = preset is not None and queue == "prelabeled"
        if state not in OPEN_STATES or queue_pos >= MORE_VOTES or preset_waits:
            if guess is not None:
                views.append((item_id, guess))
            continue
        if n_labels:
            voted.append(item_id)
        limit = None
        if guess is not None:
            if guess.value not in limits:
                limits[guess.value] = limit_of(guess.value, plan.thresholds)
            limit = limits[guess.value]
        place = plan.clusters.get(item_id)
        target: str = "clustered" if place is not None else "manual"
        if guess is not None:
            target = queue_for(
                value=guess.value,
                score=guess.score,
                threshold=limit,
                prelabel=plan.prelabel,
                clustered=place is not None,
                was_prelabeled=queue == "prelabeled",
                was_value=pre_value,
            )
        easy = limit is not None and guess is not None and guess.score >= limit
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
            by_chance = BY_HAND if priority else 0
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
    _set_views(tx, stay, plan.number, plan.thresholds)
    if rows:
        body: dict[str, Any] = {"round": plan.number, "count": len(rows), **delta.body()}
        tx.emit(project_id, now, "queue.changed", body)
    _remerge(tx, project_id, voted, now)
    land_views(tx, project_id, views, plan.number, plan.thresholds, now)
    return prelabeled


def _easy(guess: Prediction, thresholds: Mapping[str, float]) -> bool:
    threshold = limit_of(guess.value, thresholds)
    return threshold is not None and guess.score >= threshold


def land_views(
    tx: Tx, project_id: str, views: Sequence[tuple[int, Prediction]], easy_round: int,
    thresholds: Mapping[str, float], now: int,
) -> None:  # fmt: skip
    """Store what the model says of items with votes, by heads that never saw them."""
    _set_views(tx, views, easy_round, thresholds)
    _remerge(tx, project_id, [item_id for item_id, _ in views], now)


def _set_views(
    tx: Tx, views: Sequence[tuple[int, Prediction]], easy_round: int,
    thresholds: Mapping[str, float],
) -> None:  # fmt: skip
    tx.set_views(
        (
            guess.value, guess.score, guess.probs,
            easy_round if _easy(guess, thresholds) else 0, item_id,
        )
        for item_id, guess in views
    )  # fmt: skip


def _remerge(tx: Tx, project_id: str, item_ids: Sequence[int], now: int) -> None:
    """Where the model is a voter, its new view changes what people's votes add up to."""
    project = tx.project(project_id)
    assert project is not None
    if not project.equal_votes and tx.params(project).model_weight:
        for at in range(0, len(item_ids), REMERGE_CHUNK):
            remerge(tx, project_id, item_ids[at : at + REMERGE_CHUNK], now)
