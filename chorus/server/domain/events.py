"""The dashboard's numbers as a fold over events: `apply(board, event)`.

Every event body may carry deltas, so that `apply` needs no knowledge of the items: `moves`
[[from state or null, to state, count]], `queue` {page kind: delta}, `labels` {class index: delta}
(an item with two classes counts in both; "-": the set of none), `known` (the same of gold items),
`spread` {"kind:label votes": items}, `urgent` (open items
that come first: delta) and `agreed` {user_id: [answers compared, those like the
label]}. The law: `apply(snapshot before, events) == snapshot after`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chorus.server.domain.model import OPEN_STATES, PAGE_KINDS, STATES, Event
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
    compared: int = 0
    """Standing labels on labeled items that have another witness: a second vote, or a review."""
    agreed: int = 0
    """Those of them that are the item's label."""


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
    known: dict[str, int] = msgspec.field(default_factory=dict)
    """Gold items with their label by class index, as `labels`."""
    spread: dict[str, int] = msgspec.field(default_factory=dict)
    """Items by "kind:label votes", kind as of `spread_kind`."""

    urgent: int = 0
    """Open items that a supervisor lets come before all others."""
    tunings: list[dict[str, Any]] = msgspec.field(default_factory=list)
    """Fine-tunings, oldest first."""

    @property
    def items(self) -> int:
        return sum(n for state, n in self.counts.items() if state != "removed")

    @property
    def open_items(self) -> int:
        return self.counts["unlabeled"] + self.counts["in_progress"]

    @property
    def label_votes(self) -> int:
        """Standing votes without skips and flags."""
        return sum(stats.labels for stats in self.labelers.values())


def blank(project_id: str, epoch: str) -> Board:
    """The board before the first event."""
    return Board(project_id, "", "running", 0, epoch, [])


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
    if changed := body.get("queue"):
        for kind, delta in changed.items():
            board.queue[kind] += delta
    for field in ("labels", "known", "spread"):
        if changed := body.get(field):
            for key, delta in changed.items():
                _add(getattr(board, field), key, delta)
    board.urgent += body.get("urgent", 0)
    if compared := body.get("agreed"):
        for user_id, (answers, agreed) in compared.items():
            stats = board.labelers[user_id]
            stats.compared += answers
            stats.agreed += agreed
    handler = _HANDLERS.get(event.type)
    if handler is not None:
        handler(board, body, event.at)
    return board


def spread_kind(state: str, source: str | None) -> str | None:
    """What an item is to the forecast of votes: "settled" by votes, "open", or "stuck" in review;
    None: its votes tell nothing of how many the others need."""
    if source == "votes":
        return "settled"
    if state in OPEN_STATES:
        return "open"
    return "stuck" if state == "needs_review" else None


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


def _vote_imported(board: Board, body: dict[str, Any], at: int) -> None:
    # It was given when it was given, not when it was brought in.
    _vote_cast(board, body, body["created_at"])


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


def _person_renamed(board: Board, body: dict[str, Any], at: int) -> None:
    stats = board.labelers.get(body["user_id"])
    if stats is not None:
        stats.name = body["name"]


def _member_left(board: Board, body: dict[str, Any], at: int) -> None:
    # Whoever has voted stays on the board: their work is still in it.
    stats = board.labelers[body["user_id"]]
    stats.paused = False
    if stats.last_at == 0:
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


def _tuning(board: Board, body: dict[str, Any], at: int) -> None:
    record = body["tuning"]
    board.tunings = [t for t in board.tunings if t["number"] != record["number"]] + [record]


def _featurized(board: Board, body: dict[str, Any], at: int) -> None:
    # Before there were several, the event did not say which; that pass is done again.
    if "backbone" in body:
        board.featurized[body["backbone"]] = body["featurized"]


def _gold_marked(board: Board, body: dict[str, Any], at: int) -> None:
    board.gold += len(body["item_ids"]) * (1 if body["gold"] else -1)


def _items_added(board: Board, body: dict[str, Any], at: int) -> None:
    board.gold += body.get("gold", 0)


def _based(board: Board, body: dict[str, Any], at: int) -> None:
    """Figures of a project that is older than they are, counted once."""
    board.known, board.spread = dict(body["base"]["known"]), dict(body["base"]["spread"])
    for user_id, (compared, agreed) in body["base"]["agreed"].items():
        board.labelers[user_id].compared = compared
        board.labelers[user_id].agreed = agreed


_HANDLERS = {
    "board.based": _based,
    "vote.cast": _vote_cast,
    "vote.imported": _vote_imported,
    "review.decided": _votes_set_aside,
    "votes.taken_back": _votes_restood,
    "votes.restored": _votes_restood,
    "member.paused": _member_paused,
    "member.joined": _member_joined,
    "member.left": _member_left,
    "person.renamed": _person_renamed,
    "project.changed": _project_changed,
    "round.started": _round,
    "round.finished": _round,
    "round.failed": _round,
    "round.cancelled": _round,
    "clusters.withdrawn": _clusters_withdrawn,
    "job.changed": _job_changed,
    "tuning.changed": _tuning,
    "items.featurized": _featurized,
    "items.added": _items_added,
    "gold.marked": _gold_marked,
}
