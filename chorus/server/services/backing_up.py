"""Backups on a schedule: each is a process of its own, `chorus backup make`, so that neither its
work nor its failure is felt here. A failure is said in the log, on the dashboards and in
`/api/server`, and tried again soon."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.backups import Last, Plan, wait_ms

log = logging.getLogger(__name__)

NICE = 10


class BackingUp:
    """`plan` None: none are made by the server."""

    def __init__(self, data_dir: Path, plan: Plan | None) -> None:
        self._data_dir = data_dir
        self._plan = plan
        self._file = data_dir / "backups.json"
        self._last = Last(plan.address) if plan is not None else None
        self._task: asyncio.Task[None] | None = None
        self._running = False

    async def start(self) -> None:
        if self._plan is None:
            return
        with contextlib.suppress(OSError, msgspec.DecodeError):
            found = msgspec.json.decode(self._file.read_bytes(), type=Last)
            if found.address == self._plan.address:
                self._last = found
        self._task = asyncio.ensure_future(self._run(self._plan))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def figures(self) -> dict[str, Any] | None:
        """None: there is no plan. Else `{"at", "error", "failing_since", "running"}`."""
        if self._last is None:
            return None
        last = self._last
        return {
            "at": last.at, "error": last.error, "failing_since": last.failing_since,
            "running": self._running,
        }  # fmt: skip

    async def _run(self, plan: Plan) -> None:
        assert self._last is not None
        wait = wait_ms(self._last, plan.every_ms, now_ms())
        while True:
            await asyncio.sleep(wait / 1000)
            await self._once(plan, self._last)
            wait = wait_ms(self._last, plan.every_ms, now_ms())

    async def _once(self, plan: Plan, last: Last) -> None:
        self._running = True
        began = now_ms()
        try:
            made = await self._make(plan)
            last.at, last.bytes = made["at"], made["new_bytes"]
            last.error = last.failing_since = None
            log.info("backup %s made: %.1f MB new", made["snapshot_id"], last.bytes / 1e6)
            if made["missing"]:
                log.warning("not in the backup, gone or damaged: %s", ", ".join(made["missing"]))
            if made["unreadable"]:
                log.warning("damaged in an earlier backup: %s", ", ".join(made["unreadable"]))
        except Exception as error:
            last.error = str(error) or type(error).__name__
            last.failing_since = last.failing_since or began
            log.error("the backup to %s failed: %s", plan.address, last.error)
        finally:
            self._running = False
        with contextlib.suppress(OSError):  # the disk is full: the figures still say it
            part = self._file.with_suffix(".part")
            part.write_bytes(msgspec.json.encode(last))
            part.replace(self._file)

    async def _make(self, plan: Plan) -> dict[str, Any]:
        """Raises `RuntimeError` with what is wrong."""
        command = [
            sys.executable, "-m", "chorus.server.cli", "backup", "make", plan.address,
            "--data-dir", str(self._data_dir), "--keep", str(plan.keep), "--json",
            *(["--with-keys"] if plan.keys else []),
        ]  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
        try:
            out, err = await process.communicate()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        try:
            found = msgspec.json.decode(out, type=dict[str, Any])
        except msgspec.DecodeError:
            words = err.decode(errors="replace").strip().splitlines()
            said = words[-1] if words else f"it ended with {process.returncode}"
            raise RuntimeError(said) from None
        if process.returncode != 0:
            raise RuntimeError(str(found.get("error", "it failed")))
        return found
