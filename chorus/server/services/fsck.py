"""Re-derive everything that is derived, and compare: what `chorus fsck` reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from chorus.server.consensus.live import Params
from chorus.server.domain.events import Board, apply, blank
from chorus.server.domain.model import STATES, Event, Item, Project, StandingVote
from chorus.server.domain.shape_changes import changes
from chorus.server.services import pace
from chorus.server.services.dashboard import snapshot
from chorus.server.services.recording import CONFIDENCE_STEP, count, settle
from chorus.server.services.remerging import remerge
from chorus.server.services.review import effective, outcome
from chorus.server.services.timeline import BOARD_REV, figures_of
from chorus.server.storage.tx import Tx

CHUNK = 1000
_COMPARED = (
    "state", "room", "n_labels", "n_skips", "n_flags", "n_leases", "n_prelabel_votes", "reached",
    "provisional", "confidence", "agreement", "label", "label_source", "review", "review_value",
)  # fmt: skip
_WITHOUT_RULES = (
    "n_labels", "n_skips", "n_flags", "n_leases", "n_prelabel_votes", "review", "review_value",
)  # fmt: skip


def check(tx: Tx) -> Iterator[str]:
    """Every finding as one line; nothing when all is well."""
    verdict = tx.integrity()
    if verdict != "ok":
        yield f"database: {verdict}"
    for project in tx.projects():
        estimates = _estimates(tx, project)
        for items in _chunks(tx, project):
            for item in items:
                yield from _check_item(tx, project, item, estimates)
            if project.shapes:
                yield from _check_changes(tx, project, items[0].item_id, items[-1].item_id)
        yield from _check_checks(tx, project)
        for finding in pace.findings(tx, project.project_id):
            yield f"project {project.project_id}: {finding}"
        yield from _check_log(tx, project)


def mend(tx: Tx, now: int) -> int:
    """Merge all items with findings anew, as after a new estimate, and say so in the log; how many
    there were. What is wrong with anything but an item's merged label stays."""
    count = 0
    for project in tx.projects():
        estimates = _estimates(tx, project)
        for items in _chunks(tx, project):
            wrong = [i.item_id for i in items if any(_check_item(tx, project, i, estimates))]
            if wrong:
                remerge(tx, project.project_id, wrong, now)
            count += len(wrong)
    return count


def _chunks(tx: Tx, project: Project) -> Iterator[list[Item]]:
    after = 0
    while items := tx.items_in_state(project.project_id, None, after, CHUNK):
        yield items
        after = items[-1].item_id


def _estimates(tx: Tx, project: Project) -> list[Params]:
    """By any of which an item may be merged: while an estimate lands, by it or the one before."""
    revs = sorted({project.estimate_rev, project.landed_rev}, reverse=True)
    return [tx.stored_params(project, rev) for rev in revs]


def _check_item(tx: Tx, project: Project, item: Item, estimates: Sequence[Params]) -> Iterator[str]:
    where = f"project {project.project_id}, item {item.item_id}"
    fresh = msgspec.structs.replace(item)
    fresh.review, fresh.review_value, requeued = outcome(effective(tx.reviews(item.item_id)))
    standing: dict[str, StandingVote] = {}
    for vote in tx.facts_of_votes(item.item_id):
        if vote.seq > requeued:
            standing[vote.user_id] = vote
    stored = tx.standing(item.item_id)
    votes = sorted(standing.values(), key=lambda v: v.seq)
    landing = [t for t in tx.pending_takebacks(project.project_id) if tx.voted_in(item.item_id, t)]
    if landing:
        # Votes are being taken back, or come back, item by item: here it is the one or the other.
        votes = stored
    elif votes != stored:
        yield f"{where}: standing votes are not what the votes say"
    leases = tx.open_leases(item.item_id)
    fresh.n_leases = len(leases)
    findings: list[str] = []
    # Under new rules that have not reached every item, only what they leave alone is certain.
    compared = _COMPARED if project.remerge_due == 0 else _WITHOUT_RULES
    for params in estimates:
        count(fresh, votes, project, params)
        settle(fresh, project, 0)
        differs = [f for f in compared if not _same(f, getattr(item, f), getattr(fresh, f))]
        findings = [
            f"{where}: {field} is {getattr(item, field)!r}, should be {getattr(fresh, field)!r}"
            for field in differs
        ]
        if not findings:
            break
    yield from findings
    held = [lease.user_id for lease in leases]
    if len(held) != len(set(held)):
        yield f"{where}: one person holds it twice"
    answered = {vote.user_id for vote in votes}
    for user_id in held:
        if user_id in answered:
            yield f"{where}: leased to {user_id}, who has answered it"


def _check_changes(tx: Tx, project: Project, first: int, last: int) -> Iterator[str]:
    """What people did with the model's shapes is what their votes say."""
    for vote_id, shown, value, kept in tx.shape_changes_between(project.project_id, first, last):
        if (true := changes(shown, value)) != kept:
            yield (
                f"project {project.project_id}, vote {vote_id}: of the shapes shown {kept}, should"
                f" be {true}"
            )


def _check_checks(tx: Tx, project: Project) -> Iterator[str]:
    """Answers on checks were asked for, and nothing counts them as votes."""
    where = f"project {project.project_id}"
    for vote_id in tx.misplaced_checks(project.project_id):
        yield f"{where}: answer {vote_id} is on a check that was not handed out like that"
    for vote_id in tx.misplaced_practice(project.project_id):
        yield f"{where}: answer {vote_id} is no practice that was handed out, or counts as work"
    for vote_id in tx.voted_on_checks(project.project_id):
        yield f"{where}: vote {vote_id} is an answer on a check, and counts as a vote"


def _same(field: str, stored: object, true: object) -> bool:
    if field == "confidence" and isinstance(stored, float) and isinstance(true, float):
        # A new estimate that changes nothing but the last digits is not written (see skills).
        return abs(stored - true) <= 2 * CONFIDENCE_STEP
    return stored == true


def _check_log(tx: Tx, project: Project) -> Iterator[str]:
    """Folding the whole event log must give exactly the board the tables give."""
    where = f"project {project.project_id}"
    board = blank(project.project_id, project.epoch)
    while events := tx.events_since(project.project_id, board.seq, CHUNK):
        for event in events:
            if event.seq != board.seq + 1:
                yield f"{where}: event {board.seq + 1} is missing"
                return
            apply(board, event)
    true = snapshot(tx, project.project_id)
    if project.board_rev < BOARD_REV:
        # Written by an older version: the next start of the server says in the log what that lacks.
        base = figures_of(tx, project.project_id)
        apply(board, Event(project.project_id, board.seq + 1, "board.based", {"base": base}, 0))
        board.seq = true.seq
    for field in Board.__struct_fields__:
        folded, stored = getattr(board, field), getattr(true, field)
        if field == "counts":
            folded = {s: folded[s] for s in STATES}
            stored = {s: stored[s] for s in STATES}
        if folded != stored:
            yield f"{where}: the log says {field} = {folded}, the tables {stored}"
