"""May this server be sent people? Asked by a proxy or an orchestrator, every few seconds."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from chorus.server.clock import now_ms
from chorus.server.errors import ApiError
from chorus.server.storage.store import Store

FREE_LEAST = 256 << 20
"""Bytes that must be left where the data lies."""
WRITE_S = 5.0
"""How long a write may take."""
KEPT_S = 2.0
"""An answer is good for so long: anybody may ask, and each answer costs a commit."""

Workers = Callable[[], dict[str, bool]]


class Health:
    """`workers`: which pools can take work."""

    def __init__(self, store: Store, data_dir: Path, workers: Workers) -> None:
        self._store = store
        self._data_dir = data_dir
        self._workers = workers
        self._known: tuple[float, dict[str, str | None]] | None = None
        self._asking = asyncio.Lock()

    async def ready(self) -> dict[str, str | None]:
        """Each thing that must be well -> None, or what is wrong."""
        async with self._asking:
            if self._known is None or monotonic() - self._known[0] > KEPT_S:
                found = {
                    "database": await self._database(),
                    "disk": await asyncio.to_thread(self._disk),
                    "workers": self._pools(),
                }
                self._known = monotonic(), found
            return self._known[1]

    async def jobs(self) -> dict[tuple[str, str], int]:
        """(kind, state) -> jobs, of all projects."""
        return await self._store.read(lambda tx: tx.jobs_by_state())

    async def _database(self) -> str | None:
        try:
            async with asyncio.timeout(WRITE_S):
                await self._store.write(lambda tx: tx.beat(now_ms()))
        except TimeoutError:
            return f"a write takes longer than {WRITE_S:g} s"
        except ApiError as error:
            return error.message
        except Exception as error:  # the disk's, by way of SQLite
            return f"it cannot be written: {error}"
        return None

    def _disk(self) -> str | None:
        try:
            free = shutil.disk_usage(self._data_dir).free
        except OSError as error:
            return f"it cannot be read: {error.strerror}"
        if free < FREE_LEAST:
            return f"{free >> 20} MB are free, {FREE_LEAST >> 20} MB are needed"
        return None

    def _pools(self) -> str | None:
        broken = [name for name, alive in self._workers().items() if not alive]
        return f"no workers for {', '.join(broken)}" if broken else None
