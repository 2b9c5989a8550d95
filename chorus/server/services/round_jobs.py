"""A round's jobs: each is run by a worker, its record and the card it leaves are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.model import Job, Round
from chorus.server.errors import JobFailed
from chorus.server.services.round_records import job_fields
from chorus.server.services.round_state import Line, OnProgress, RoundState
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

Jobs = dict[str, Job]
"""A round's jobs, by kind."""


class RoundJobs:
    def __init__(self, store: Store, line: Line) -> None:
        self._store = store
        self._line = line
        self.changed: Callable[[str], None] = lambda project_id: None
        """Called when a job's progress moved, which is in no event."""

    async def run(
        self, state: RoundState, record: Round, jobs: Jobs, module: str, kinds: Sequence[str],
        params: dict[str, Any], folder: Path,
    ) -> dict[str, dict[str, Any]]:  # fmt: skip
        """`module`'s functions named `kinds`, one after the other, with `params`, which stay in the
        folder as params.json. Returns what each gave. Raises `JobFailed` for the first that fails.
        """
        results: dict[str, dict[str, Any]] = {}
        await asyncio.to_thread(
            (folder / "params.json").write_bytes,
            msgspec.json.encode({**params, "labels": record.labels}),
        )
        for kind in kinds:
            call = {**params, "progress": str(folder / f"{kind}.progress")}
            results[kind] = await self.one(
                state,
                jobs[kind],
                lambda on, kind=kind, call=call: self._line.call(  # type: ignore[misc]
                    f"{module}.{kind}", call, on, state
                ),
            )
            state.trained = True
            if kind == "validate":
                card = await asyncio.to_thread((folder / "card.json").read_text, "utf-8")
                await self.keep_card(record, card)
        return results

    async def one(
        self,
        state: RoundState,
        job: Job,
        run: Callable[[OnProgress], Awaitable[tuple[dict[str, Any], int]]],
    ) -> dict[str, Any]:
        job.state, job.started_at = "running", now_ms()
        await self._keep(job)

        def on_progress(share: float, attempt: int) -> None:
            state.progress[job.job_id] = share
            state.attempts[job.job_id] = attempt
            self.changed(job.project_id)

        try:
            result, job.attempts = await run(on_progress)
        except JobFailed as error:
            job.state, job.error, job.attempts = "failed", str(error), error.attempts
            job.finished_at = now_ms()
            await self._keep(job)
            raise
        job.state, job.progress, job.finished_at = "done", 1.0, now_ms()
        await self._keep(job)
        return result

    async def skip(self, *jobs: Job) -> None:
        for job in jobs:
            job.state = "skipped"
            await self._keep(job)

    async def keep_card(self, record: Round, card: str) -> None:
        await self._store.write(lambda tx: tx.put_card(record.project_id, record.number, card))

    async def _keep(self, job: Job) -> None:
        def fn(tx: Tx) -> None:
            tx.update_job(job)
            tx.emit(job.project_id, now_ms(), "job.changed", {"job": job_fields(job)})

        await self._store.write(fn)
