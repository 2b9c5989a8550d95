"""The dashboard's numbers as a fold over events: `apply(board, event)`.

Every event body may carry three kinds of deltas, so that `apply` needs no knowledge of the
items: `moves` [[from state or null, to state, count]], `queue` {page kind: delta} and `labels`
{class index: delta} (an item with two classes counts in both; "-": the set of none). The law:
`apply(snapshot before, events) == snapshot after`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chorus.server.domain.model import PAGE_KINDS, STATES, Event
from chorus.server.domain.values import parts


class LabelerStats(msgspec.Struct):
    user_id: str
    name: str
    votes: int = 0
    labels: int = 0
    skips: int = 0
    prelabels_seen: int = 0
    prelabels_changed: int = 0
    last_at: int = 0
    paused: bool = False


class Board(msgspec.Struct):
    """What a supervisor's dashboard shows of one project, as of event `seq`."""

    project_id: str
    name: str
    state: str
    seq: int
    epoch: str
    classes: list[str]
    counts: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(STATES, 0))
    labels: dict[str, int] = msgspec.field(default_factory=dict)
    """Labeled items by class index; "-": with the set of none."""
    queue: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(PAGE_KINDS, 0))
    votes: int = 0
    answers: dict[str, int] = msgspec.field(default_factory=dict)
    """Standing label votes by class index; "-": of none."""
    labelers: dict[str, LabelerStats] = msgspec.field(default_factory=dict)
    rounds: list[dict[str, Any]] = msgspec.field(default_factory=list)
    jobs: list[dict[str, Any]] = msgspec.field(default_factory=list)
    featurized: dict[str, int] = msgspec.field(default_factory=dict)
    """Items that a backbone has been through, by its name."""
    gold: int = 0

    @property
    def items(self) -> int:
        return sum(n for state, n in self.counts.items() if state != "removed")

    @property
    def open_items(self) -> int:
        return self.counts["unlabeled"] + self.counts["in_progress"]


def apply(board: Board, event: Event) -> Board:
    """Fold one event into `board` (in place; returned for chaining). Out-of-order is a bug."""
    if event.seq != board.seq + 1:
        raise ValueError(f"event {event.seq} does not follow {board.seq}")
    body: dict[str, Any] = event.body
    board.seq = event.seq
    for source, target, count in body.get("moves", ()):
        if source is not None:
            board.counts[source] -= count
        if target is not None:
            board.counts[target] += count
    for kind, delta in body.get("queue", {}).items():
        board.queue[kind] += delta
    for part, delta in body.get("labels", {}).items():
        _add(board.labels, part, delta)
    handler = _HANDLERS.get(event.type)
    if handler is not None:
        handler(board, body, event.at)
    return board


def _add(counts: dict[str, int], part: str, delta: int) -> None:
    left = counts.get(part, 0) + delta
    if left:
        counts[part] = left
    else:
        counts.pop(part, None)


def _vote_cast(board: Board, body: dict[str, Any], at: int) -> None:
    stats = board.labelers.setdefault(
        body["user_id"], LabelerStats(body["user_id"], body.get("name", ""))
    )
    stats.last_at = max(stats.last_at, at)
    # A correction replaces a vote; it is the same answer to the same item, not one more.
    _tally(board, stats, -1, body.get("superseded"))
    _tally(board, stats, 1, body)


def _tally(board: Board, stats: LabelerStats, sign: int, vote: dict[str, Any] | None) -> None:
    """Count a vote in (1) or out (-1)."""
    if vote is None:
        return
    board.votes += sign
    stats.votes += sign
    if vote["kind"] == "label":
        stats.labels += sign
        for part in parts(vote["value"]):
            _add(board.answers, part, sign)
    stats.skips += sign * (vote["kind"] == "skip")
    if vote.get("prelabel") is not None:
        stats.prelabels_seen += sign
        changed = vote["kind"] == "label" and vote["value"] != vote["prelabel"]
        stats.prelabels_changed += sign * changed


def _votes_set_aside(board: Board, body: dict[str, Any], at: int) -> None:
    # A decision sent back sets votes aside; taken back itself, it lets them stand again.
    for field, sign in (("set_aside", -1), ("restored", 1)):
        for vote in body.get(field, ()):
            _tally(board, board.labelers[vote["user_id"]], sign, vote)


def _votes_restood(board: Board, body: dict[str, Any], at: int) -> None:
    """Votes of one person were taken back or count again: what stood, and what stands now."""
    stats = board.labelers[body["user_id"]]
    for old, new in body["votes"]:
        _tally(board, stats, -1, old)
        _tally(board, stats, 1, new)


def _member_paused(board: Board, body: dict[str, Any], at: int) -> None:
    board.labelers[body["user_id"]].paused = body["paused"]


def _member_joined(board: Board, body: dict[str, Any], at: int) -> None:
    board.labelers.setdefault(body["user_id"], LabelerStats(body["user_id"], body["name"]))


def _member_left(board: Board, body: dict[str, Any], at: int) -> None:
    # Whoever has voted stays on the board: their work is still in it.
    if board.labelers[body["user_id"]].last_at == 0:
        del board.labelers[body["user_id"]]


def _project_changed(board: Board, body: dict[str, Any], at: int) -> None:
    board.state = body.get("state", board.state)
    board.name = body.get("name", board.name)
    board.classes = body.get("classes", board.classes)


def _round(board: Board, body: dict[str, Any], at: int) -> None:
    record = body["round"]
    board.rounds = [r for r in board.rounds if r["number"] != record["number"]] + [record]
    board.rounds.sort(key=lambda r: r["number"])
    if "jobs" in body:
        board.jobs = body["jobs"]


def _clusters_withdrawn(board: Board, body: dict[str, Any], at: int) -> None:
    _round(board, {"round": body["round"]}, at)


def _job_changed(board: Board, body: dict[str, Any], at: int) -> None:
    job = body["job"]
    board.jobs = [job if j["job_id"] == job["job_id"] else j for j in board.jobs]


def _featurized(board: Board, body: dict[str, Any], at: int) -> None:
    # Before there were several, the event did not say which; that pass is done again.
    if "backbone" in body:
        board.featurized[body["backbone"]] = body["featurized"]


def _gold_marked(board: Board, body: dict[str, Any], at: int) -> None:
    board.gold += len(body["item_ids"]) * (1 if body["gold"] else -1)


def _items_added(board: Board, body: dict[str, Any], at: int) -> None:
    board.gold += body.get("gold", 0)


_HANDLERS = {
    "vote.cast": _vote_cast,
    "review.decided": _votes_set_aside,
    "votes.taken_back": _votes_restood,
    "votes.restored": _votes_restood,
    "member.paused": _member_paused,
    "member.joined": _member_joined,
    "member.left": _member_left,
    "project.changed": _project_changed,
    "round.started": _round,
    "round.finished": _round,
    "round.failed": _round,
    "round.cancelled": _round,
    "clusters.withdrawn": _clusters_withdrawn,
    "job.changed": _job_changed,
    "items.featurized": _featurized,
    "items.added": _items_added,
    "gold.marked": _gold_marked,
}
