"""What votes a second two ceilings allow: the database without a network, and a network without a
database."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.beside import beside
from bench.votes import SOCKETS, Cast, Prepared, copy, sender, summary, timed
from chorus.client import Socket
from chorus.client.ids import new_id
from chorus.server.services.labeling import Labeling, VoteCast
from chorus.server.services.pace import Pace
from chorus.server.services.projects import Projects
from chorus.server.services.remerging import Remerging
from chorus.server.services.timeline import Timeline
from chorus.server.storage.bus import Bus
from chorus.server.storage.sqlite import SqliteStore


def statements(prepared: Sequence[Prepared], behind: bool) -> dict[str, Any]:
    """Ceiling: the same votes, statements and group commit, with no network.

    behind: with those statements too that the server runs because of the votes, beside them: what
    the work costs (services/pace.py) and the boards' past (services/timeline.py). Estimates of
    skills are left out, which a process of their own makes. Without: the votes' transactions alone.
    """
    waves = [uvloop.run(_statements(wave, behind)) for wave in prepared]
    return msgspec.to_builtins(summary(waves))  # type: ignore[no-any-return]


async def _statements(prepared: Prepared, behind: bool) -> list[float]:
    bus = Bus()
    with tempfile.TemporaryDirectory(prefix="chorus-ceiling-") as folder:
        # A copy: each ceiling begins with the same.
        database = Path(folder) / "same.sqlite"
        copy(prepared.database, database)
        store = SqliteStore(database, bus.publish)
        projects = Projects(store, Remerging(store))
        await projects.load()
        counting = (Timeline(store), Pace(store)) if behind else ()
        for service in counting:
            bus.listen(service.on_events)
            await service.start()
        try:
            return await _cast_all(Labeling(store, projects), prepared)
        finally:
            for service in counting:
                await service.stop()
            await store.close()


async def _cast_all(labeling: Labeling, prepared: Prepared) -> list[float]:
    def cast_of(person: tuple[str, str]) -> Cast:
        async def cast(bodies: Sequence[dict[str, Any]]) -> Any:
            votes = [msgspec.convert({**body, "vote_id": new_id()}, VoteCast) for body in bodies]
            if any(
                isinstance(kept, BaseException) for kept in await labeling.cast_page(*person, votes)
            ):
                raise RuntimeError("a vote was refused")

        return cast

    casts = [cast_of(person) for person in prepared.people]
    return await timed(casts, prepared.votes, prepared.at_once)


async def echo(prepared: Sequence[Prepared]) -> dict[str, Any]:
    """Ceiling: the same votes to a server that only acknowledges."""
    async with beside("bench.echo") as (url, _), AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(Socket(url, "echo")) for _ in range(SOCKETS)]
        casts = [sender(socket) for socket in sockets]
        waves = [await timed(casts, wave.votes, wave.at_once) for wave in prepared]
    return msgspec.to_builtins(summary(waves))  # type: ignore[no-any-return]
