"""What the dashboard says of the model: the rounds, the running jobs, and why not yet."""

from __future__ import annotations

from typing import Any

from chorus.server.clock import now_ms
from chorus.server.domain.events import Board
from chorus.server.domain.ordering import CHOSEN_SHARE
from chorus.server.services.round_state import (
    ARCHIVED,
    NO_POLYGONS,
    OFF,
    Line,
    RoundState,
    evidence_total,
    next_at,
    obstacle,
    pictures,
    seen_backbones,
    too_little,
)  # fmt: skip

NO_HELP = {
    OFF: "Clustering and prelabels are switched off for this project.",
    NO_POLYGONS: "Polygons are not predicted: the detector finds boxes.",
    ARCHIVED: "The project has been put away.",
}
"""As a sentence for dashboards."""


def assist(board: Board, state: RoundState, line: Line, due: bool) -> dict[str, Any]:
    now = now_ms()
    last = board.rounds[-1] if board.rounds else None
    done = [r for r in board.rounds if r["state"] == "done"]
    missing = too_little(board, state)
    reason: str | None = None
    needed: int | None = None
    if state.disabled is not None:
        reason = NO_HELP[state.disabled]
    elif done:
        reason, needed = done[-1].get("reason"), done[-1].get("labels_needed")
        if reason and board.queue["prelabeled"]:
            # Those of an earlier round, with which the newest one still agrees.
            reason = reason.replace("No predicted boxes yet", "No newer predicted boxes")
    elif state.feature_error:
        reason = f"The items could not be read by the model: {state.feature_error}"
    elif missing:
        reason = missing
    at = next_at(board, state, state.last_evidence) if state.enabled else None
    if not done and at is not None:
        needed = max(0, at - evidence_total(board, state)) or None
        reason = reason or "The first round has not run yet."
    return {
        "enabled": state.enabled,
        "round_due": due,
        "running": state.running,
        "landing": state.landing and state.running,
        "train_blocked": obstacle(board, state),
        "next_round_at": None if at is None or _out_of_reach(at, board, state) else at,
        "next_round_of": "vote" if state.weighs else "label",
        **_featurized(board, state),
        "prelabel_reason": reason,
        "labels_needed": needed,
        "ordering": state.ordering,
        "mixing": {
            "queue": CHOSEN_SHARE if done and done[-1].get("chosen") else 0.0,
            "labels": done[-1].get("chosen_share") if done else None,
        },
        "round": last,
        "rounds": board.rounds[-100:],
        "jobs": [_job_stats(j, state, line, now) for j in board.jobs],
    }


def _out_of_reach(at: int, board: Board, state: RoundState) -> bool:
    """The project ends before there is so much to learn from. How many votes its items will get
    nobody knows; labels are one each."""
    return board.open_items == 0 or (not state.weighs and at > board.items)


def _featurized(board: Board, state: RoundState) -> dict[str, int]:
    """How far the pass at work is; as long as one is left to do, less than the total."""
    if not state.passes:
        return {"featurized": 0, "featurize_total": 0, "featurize_pass": 1}
    total = pictures(board) if state.enabled else 0
    seen = seen_backbones(board, state) if state.enabled else len(state.passes)
    at = min(seen, len(state.passes) - 1)
    done = min(board.featurized.get(state.passes[at], 0), total)
    return {"featurized": done, "featurize_total": total, "featurize_pass": at + 1}


def _job_stats(job: dict[str, Any], state: RoundState, line: Line, now: int) -> dict[str, Any]:
    started = job["started_at"]
    ended = job["finished_at"] or now
    done = job["state"] == "done"
    return {
        "job_id": job["job_id"],
        "kind": job["kind"],
        "state": job["state"],
        "progress": 1.0 if done else state.progress.get(job["job_id"], 0.0),
        "attempts": max(job["attempts"], state.attempts.get(job["job_id"], 0)),
        "error": job["error"],
        "ahead": line.ahead(state) if job["state"] == "running" else 0,
        "seconds": None if started is None else round((ended - started) / 1000, 1),
    }
