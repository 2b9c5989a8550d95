"""From a changed fact to the stored item: recount, merge, derive, and what moved.

Every use case that changes a fact ends here, inside its own transaction, so that an item's state
is decided in one place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from chorus.server.consensus import merge
from chorus.server.consensus.decide import Witness, decide
from chorus.server.consensus.decide_sets import SetWitness, decide_sets
from chorus.server.consensus.live import Params
from chorus.server.consensus.merged import Merged
from chorus.server.consensus.sets import merge_sets
from chorus.server.consensus.shapes import decide_shapes
from chorus.server.domain import probs
from chorus.server.domain.doubts import tells
from chorus.server.domain.events import spread_kind
from chorus.server.domain.items import Facts, derive, room
from chorus.server.domain.model import OPEN_STATES, Item, Lease, Project, Rules, StandingVote
from chorus.server.domain.queue import MORE_VOTES, more_votes_pos, second_look_pos
from chorus.server.domain.values import alike, parts
from chorus.server.storage.tx import Tx

TWO_OF_THREE = 0.6
"""Confidence by Laplace's rule of succession (see consensus/majority), the model's answer being a
vote."""
CONFIDENCE_STEP = 1e-4
"""A change of confidence smaller than this is not worth a write."""


class Before(NamedTuple):
    """What of an item the deltas are taken against."""

    state: str
    label: str | None
    room: int
    queue: str
    source: str | None
    n_labels: int
    doubted: str | None

    @classmethod
    def of(cls, item: Item) -> Before:
        return cls(
            item.state, item.label, item.room, item.queue, item.label_source, item.n_labels,
            item.doubted,
        )  # fmt: skip


Votes = Sequence[StandingVote]


class Delta:
    """Collects what one event changes on the board and in the queues (see domain/events)."""

    __slots__ = (
        "agreed", "closed", "compared", "known", "labels", "moves", "queue", "reopened", "spread",
        "urgent",
    )  # fmt: skip

    def __init__(self) -> None:
        self.urgent = 0
        self.known: defaultdict[str, int] = defaultdict(int)
        self.spread: defaultdict[str, int] = defaultdict(int)
        self.compared: defaultdict[str, int] = defaultdict(int)
        self.agreed: defaultdict[str, int] = defaultdict(int)
        self.moves: defaultdict[tuple[str | None, str], int] = defaultdict(int)
        self.queue: defaultdict[str, int] = defaultdict(int)
        self.labels: defaultdict[str, int] = defaultdict(int)
        self.closed: list[dict[str, Any]] = []
        self.reopened: list[list[Any]] = []

    def moved(self, before: Before, item: Item) -> None:
        if (before.state, before.queue) != (item.state, item.queue):
            was_open, is_open = before.state in OPEN_STATES, item.state in OPEN_STATES
            if before.state != item.state:
                self.moves[before.state, item.state] += 1
            self.queue[before.queue] -= was_open
            self.queue[item.queue] += is_open
            if item.priority:
                self.urgent += is_open - was_open
        if before.label != item.label:
            self._label(before.label, -1, item.gold)
            self._label(item.label, 1, item.gold)
        was, kind = spread_kind(before.state, before.source), self._kind(item)
        if (was, before.n_labels) != (kind, item.n_labels):
            if was is not None:
                self.spread[f"{was}:{before.n_labels}"] -= 1
            if kind is not None:
                self.spread[f"{kind}:{item.n_labels}"] += 1
        if before.room == 0 and item.room > 0:
            self.reopened.append([item.queue, item.queue_pos])

    def added(self, item: Item) -> None:
        self.moves[None, item.state] += 1
        if item.state in OPEN_STATES:
            self.queue[item.queue] += 1
        self._label(item.label, 1, item.gold)
        if (kind := self._kind(item)) is not None:
            self.spread[f"{kind}:{item.n_labels}"] += 1

    def judged(self, before: Before, was: Votes, item: Item, votes: Votes) -> None:
        """Whose answers are like the label: `was` stood beside the label before, `votes` stand
        beside the one that the item has now. One that was looked at again, because an answer
        seemed wrong, is no fair sample."""
        old = [] if before.doubted is not None else _alike(before.label, before.source, was)
        new = [] if item.doubted is not None else _alike(item.label, item.label_source, votes)
        for compared, sign in ((old, -1), (new, 1)):
            for user_id, agrees in compared:
                self.compared[user_id] += sign
                self.agreed[user_id] += sign * agrees

    @staticmethod
    def _kind(item: Item) -> str | None:
        return spread_kind(item.state, item.label_source)

    def _label(self, label: str | None, sign: int, gold: bool) -> None:
        """An item with two classes counts in both."""
        if label is not None:
            for part in parts(label):
                self.labels[part] += sign
                self.known[part] += sign * bool(gold)

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if self.moves:
            body["moves"] = [[a, b, n] for (a, b), n in self.moves.items()]
        if queue := {kind: n for kind, n in self.queue.items() if n}:
            body["queue"] = queue
        for field in ("labels", "known", "spread"):
            if some := {key: n for key, n in getattr(self, field).items() if n}:
                body[field] = some
        if self.urgent:
            body["urgent"] = self.urgent
        agreed = {u: [n, self.agreed[u]] for u, n in self.compared.items() if n or self.agreed[u]}
        if agreed:
            body["agreed"] = agreed
        if self.closed:
            body["closed"] = self.closed
        if self.reopened:
            body["reopened"] = self.reopened
        return body


def _alike(label: str | None, source: str | None, votes: Votes) -> list[tuple[str, bool]]:
    """(user_id, whether they agree) of the answers that the label can be held against: a label
    that is nothing but one person's vote says nothing of them."""
    if label is None:
        return []
    labels = [v for v in votes if v.kind == "label"]
    if source == "votes" and len(labels) < 2:
        return []
    return [(v.user_id, alike(v.value, label)) for v in labels]


def facts_of(item: Item) -> Facts:
    return Facts(
        item.n_labels, item.n_skips, item.n_flags, item.n_leases, bool(item.reached), item.review
    )


def count(item: Item, votes: Sequence[StandingVote], project: Project, params: Params) -> None:
    """Set the item's counts and its merged label from its standing votes (pure)."""
    kinds = [v.kind for v in votes]
    labels = [v for v in votes if v.kind == "label"]
    item.n_labels = len(labels)
    item.n_skips = kinds.count("skip")
    item.n_flags = kinds.count("flag")
    item.n_prelabel_votes = len([v for v in labels if v.prelabel is not None])
    if all(v.value == item.doubted for v in labels):
        item.doubted = None  # the vote that it contradicted is gone
    merged = merged_label(item, labels, project, params)
    item.reached = merged.reached
    item.provisional = merged.value
    item.confidence = merged.confidence if labels else None
    item.agreement = merged.agreement if labels else None


def merged_label(
    item: Item, labels: Sequence[StandingVote], project: Project, params: Params
) -> Merged:
    """What the standing label votes of one item add up to, by the project's method; two that
    differ, once the model has contradicted the first, by what it said."""
    rules = project.rules_for(item)
    merged = _merged(labels, project, rules, params, item.model_probs)
    if rules != project.rules and tells([v.value or "" for v in labels], item.doubted):
        return msgspec.structs.replace(
            merged, value=item.doubted, confidence=max(TWO_OF_THREE, merged.confidence),
            agreement=0.5, reached=True, provisional=False,
        )  # fmt: skip
    return merged


def _merged(
    labels: Sequence[StandingVote], project: Project, asked: Rules, params: Params,
    model_probs: str | None,
) -> Merged:  # fmt: skip
    rules = {"votes_min": asked.votes_min, "votes_max": asked.votes_max}
    if project.equal_votes:
        votes = [v.value or "" for v in labels]
        if project.shapes:
            return decide_shapes(votes, iou=project.iou, share=project.shape_agreement, **rules)
        if project.multilabel:
            return merge_sets(votes, rule=project.set_rule, **rules)
        return merge("majority", votes, **rules)
    if project.multilabel:
        return decide_sets(params, set_witnesses_of(labels), target=project.target, **rules)
    model = probs.unpack(model_probs, project.class_count) if params.model_weight else None
    return decide(params, witnesses_of(labels), model, target=project.target, **rules)


def witnesses_of(labels: Sequence[StandingVote]) -> list[Witness]:
    return [
        Witness(v.user_id, int(v.value or 0), None if v.prelabel is None else int(v.prelabel))
        for v in labels
    ]


def set_witnesses_of(labels: Sequence[StandingVote]) -> list[SetWitness]:
    return [SetWitness(v.user_id, v.value or "", v.prelabel) for v in labels]


def settle(item: Item, project: Project, now: int) -> None:
    """Set state, room and label from the item's counts and review (pure)."""
    facts = facts_of(item)
    rules = project.rules_for(item)
    item.state = derive(facts, rules)
    item.room = room(facts, rules)
    label: str | None = None
    source: str | None = None
    if item.state == "labeled":
        if item.review == "decided":
            label, source = item.review_value, "review"
        else:
            label, source = item.provisional, "votes"
    if (label, source) != (item.label, item.label_source):
        item.label, item.label_source = label, source
        item.revision += 1
        item.label_at = now


def line_up(item: Item, project: Project) -> None:
    """Where an item that asks for more votes than everybody's first ones waits (pure).

    Behind all items that nobody has answered: meanwhile the model and the estimates of skill learn
    from the first votes, and settle many of them without another one. Among themselves the most
    doubtful first, where a vote brings most. Without prelabel: a contested item needs an
    independent witness.
    """
    if item.state not in OPEN_STATES:
        return
    if _asks_for_more(item, project):
        item.queue, item.queue_block = "manual", 0
        item.queue_pos = (
            second_look_pos(item.rank)
            if item.doubted is not None
            else more_votes_pos(item.confidence or 0.0, item.rank)
        )
        item.odd = None
        if not item.audit:  # what was hidden is still compared with the label
            item.pre_value = item.pre_score = None
    elif item.queue_pos >= MORE_VOTES:
        item.queue_pos = item.rank


def in_line(item: Item, project: Project) -> bool:
    """Whether it waits among those that `line_up` would put it among (pure)."""
    behind = item.queue_pos >= MORE_VOTES
    return item.state not in OPEN_STATES or behind == _asks_for_more(item, project)


def _asks_for_more(item: Item, project: Project) -> bool:
    """Of an open item: it has the votes that everybody's first ones are."""
    return item.n_labels >= project.votes_min


def keep(
    tx: Tx, project: Project, item: Item, before: Before, was: Votes, votes: Votes, delta: Delta,
    now: int,
) -> None:  # fmt: skip
    """Derive and store an item whose facts changed; a settled item gives up its open leases.
    was, votes: what stood before, and what stands now."""
    settle(item, project, now)
    line_up(item, project)
    if item.n_leases and item.state not in OPEN_STATES:
        for lease in tx.open_leases(item.item_id):
            close(tx, lease, delta, now)
        item.n_leases = 0
        settle(item, project, now)
    tx.update_item(item)
    delta.moved(before, item)
    delta.judged(before, was, item, votes)


def lease_changed(tx: Tx, item: Item, before: Before, delta: Delta) -> None:
    """Store what a granted or released lease has made of an item."""
    tx.update_item(item)
    delta.moved(before, item)
    if (before.label, before.source) != (item.label, item.label_source):
        # Only under new rules that had not reached the item yet.
        votes = tx.standing(item.item_id)
        delta.judged(before, votes, item, votes)


def close(tx: Tx, lease: Lease, delta: Delta, now: int) -> None:
    """Take an item from the page it is on: it needs no answer of this person any more."""
    tx.release(lease.lease_id, now, "closed")
    delta.closed.append(
        {
            "item_id": lease.item_id,
            "page_id": lease.page_id,
            "user_id": lease.user_id,
            "tab": lease.tab,
        }
    )


def give_back(tx: Tx, project: Project, leases: Sequence[Lease], reason: str, now: int) -> Delta:
    """Release open leases and let their items be handed out again."""
    delta = Delta()
    for lease in leases:
        tx.release(lease.lease_id, now, reason)
        if lease.blind_check:
            continue  # the item does not know of it
        item = tx.item(lease.item_id)
        assert item is not None
        before = Before.of(item)
        item.n_leases = max(0, item.n_leases - 1)
        settle(item, project, now)
        lease_changed(tx, item, before, delta)
    return delta
