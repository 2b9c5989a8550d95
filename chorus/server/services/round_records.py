"""A round and its jobs in the database: opened, followed, ended, in the caller's transaction."""

from __future__ import annotations

import secrets
from typing import Any, Literal

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain import audit
from chorus.server.domain.audit import Audit
from chorus.server.domain.model import ROUND_JOBS, Job, Project, Round
from chorus.server.domain.shapes import load
from chorus.server.matching import shapes_right
from chorus.server.storage.tx import Tx


def open_round(tx: Tx, project_id: str) -> tuple[Round, dict[str, Job]]:
    now = now_ms()
    known = tx.rounds(project_id)
    number = known[-1].number + 1 if known else 1
    labels = tx.count_states(project_id).get("labeled", 0)
    body = {
        "number": number,
        "state": "running",
        "labels": labels,
        "started_at": now,
        "finished_at": None,
    }
    record = Round(
        project_id, number, "running", labels, now, None, msgspec.json.encode(body).decode()
    )
    tx.put_round(record)
    jobs = {}
    for n, kind in enumerate(ROUND_JOBS):
        # The id ends in the order, so that jobs list in the order they run.
        job = Job(
            f"r{number}-{n}-{secrets.token_hex(4)}",
            project_id, kind, number, "waiting", 0.0, 0, None, None, None, now, None, None,
        )  # fmt: skip
        tx.add_job(job)
        jobs[kind] = job
    tx.emit(
        project_id,
        now,
        "round.started",
        {"round": body, "jobs": [job_fields(j) for j in jobs.values()]},
    )
    return record, jobs


def end_jobs(tx: Tx, record: Round, end: str, error: str | None, now: int) -> None:
    """Jobs of a round that were not over are, with the state `end`."""
    for job in tx.jobs_of_round(record.project_id, record.number):
        if job.state in ("waiting", "running"):
            job.state, job.finished_at, job.error = end, now, error
            tx.update_job(job)


def finish(tx: Tx, record: Round, end: str, figures: dict[str, Any], now: int) -> None:
    record.state, record.finished_at = end, now
    if end != "done":
        # What was running is "failed" already, unless the round was cancelled or replaced.
        end_jobs(tx, record, "cancelled", None, now)
    body = {
        "number": record.number,
        "state": end,
        "labels": record.labels,
        "started_at": record.started_at,
        "finished_at": now,
        "seconds": round((now - record.started_at) / 1000, 2),
        **figures,
    }
    record.body = msgspec.json.encode(body).decode()
    tx.put_round(record)
    jobs = [job_fields(j) for j in tx.jobs_of_round(record.project_id, record.number)]
    kinds = {"done": "finished", "cancelled": "cancelled", "replaced": "cancelled"}
    kind = f"round.{kinds.get(end, 'failed')}"
    tx.emit(record.project_id, now, kind, {"round": body, "jobs": jobs})


def job_fields(job: Job) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "kind": job.kind,
        "state": job.state,
        "attempts": job.attempts,
        "error": job.error,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


Stay = Literal["all", "proven", "none"]
"""Which of the prelabels shown so far stay, where the model still says the same: all of them, those
only that this round proves anew, or none."""


def audit_round(tx: Tx, project_id: str, now: int) -> tuple[Project, Audit, Stay]:
    """What the blind audit says of the prelabels shown so far, and which of them stay.

    None do if they are less accurate than promised: the model has to prove itself anew, on labels
    made from now on. Neither do they if a stop of the server cut off the round that found that out,
    so that none has ended since. Where the target was raised since the last round, what had been
    promised less stays only if it is proven anew, and is not held against the new promise."""
    project = tx.project(project_id)
    assert project is not None
    less = 0
    if project.shapes:
        # By picture: shapes on one of them are right or wrong together.
        pairs = tx.audited_shapes(project_id, project.evidence_since)
        shares = [(shapes_right(hidden, label) or 0) / len(load(hidden)) for hidden, label in pairs]
        n, right = len(shares), round(sum(shares), 4)
    else:
        less = _promised_less(tx, project)
        n, right = tx.audited(project_id, project.evidence_since, less)
    found = audit.judge(n, right, project.target)
    if found.breached:
        tx.begin_evidence_anew(project_id, now)
        body = {"n": found.n, "right": found.right, "target": project.target}
        tx.emit(project_id, now, "prelabels.suspended", body)
    if found.breached or _cut_off(tx, project):
        return project, found, "none"
    if less and less == tx.last_done_round(project_id):
        tx.open_anew(project_id)
        return project, found, "proven"
    return project, found, "all"


def why_suspended(found: Audit, project: Project) -> str:
    """For people, when none of the prelabels stay."""
    if not found.breached:
        return "Prelabels are suspended: the model has to prove itself anew."
    if project.shapes:
        return (
            f"Predicted boxes are suspended: on {found.n} pictures that people labeled without"
            f" being shown them, {found.right / found.n:.0%} of a picture's boxes were right on"
            f" average, less than the {project.target:.0%} it had promised. The detector has to"
            " prove itself anew."
        )
    return (
        f"Prelabels are suspended: of {found.n} items that people labeled without being shown the"
        f" model's answer it was right on {found.right}, less often than the {project.target:.0%}"
        " it had promised. It has to prove itself anew."
    )


def _promised_less(tx: Tx, project: Project) -> int:
    """The newest round that was done for a lower target than today's; 0: none."""
    for record in reversed(tx.rounds(project.project_id)):
        target = msgspec.json.decode(record.body).get("target") if record.state == "done" else None
        if target is not None and target < project.target:
            return record.number
    return 0


def _cut_off(tx: Tx, project: Project) -> bool:
    """Prelabels were suspended, and no round that has ended since has withdrawn them."""
    if not project.evidence_since:
        return False
    number = tx.last_done_round(project.project_id)
    last = None if number is None else tx.round(project.project_id, number)
    return last is None or (last.finished_at or 0) < project.evidence_since
