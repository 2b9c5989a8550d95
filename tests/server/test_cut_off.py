"""What a stop of the server, or a disk that fails for a moment, cuts off goes on."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from chorus.server.domain.features import Backbones
from chorus.server.domain.filters import Filter
from chorus.server.domain.model import Project, Webhook
from chorus.server.errors import ApiError
from chorus.server.services import cloning
from chorus.server.services.accounts import CurrentUser, leave
from chorus.server.services.bulk import WRITE_CHUNK, Bulks
from chorus.server.services.cloning import Clone, Cloning
from chorus.server.services.dashboard import Boards
from chorus.server.services.erasing import Erasing
from chorus.server.services.projects import Projects
from chorus.server.services.remerging import Remerging
from chorus.server.services.review import Review
from chorus.server.services.round_records import finish, open_round
from chorus.server.services.round_state import Paths
from chorus.server.services.rounds import Rounds
from chorus.server.services.webhooks import _advance
from chorus.server.storage.sqlite import SqliteStore
from chorus.server.storage.tx import Tx
from tests.server.world import World

T = TypeVar("T")
ADMIN = CurrentUser("u0", "u0", "U0", True)


class Store(SqliteStore):
    """The real one, whose reads can be held up and fail."""

    def __init__(self, world: World) -> None:
        super().__init__(world.path, lambda events: self.published.set(), readers=1)
        self.published = asyncio.Event()
        self.failing = False
        self.read_held: asyncio.Event | None = None
        self.has_read = asyncio.Event()

    def hold(self) -> asyncio.Event:
        """What is read from now on comes once the event is set."""
        self.has_read.clear()
        self.read_held = asyncio.Event()
        return self.read_held

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not seen():
                self.published.clear()
                await self.published.wait()

    async def read(self, fn: Callable[[Tx], T]) -> T:
        if self.failing:
            raise sqlite3.OperationalError("disk I/O error")
        found = await super().read(fn)
        self.has_read.set()
        if self.read_held is not None:
            await self.read_held.wait()
        return found


@asynccontextmanager
async def opened(world: World) -> AsyncIterator[Store]:
    store = Store(world)
    try:
        yield store
    finally:
        await store.close()
        world.close()


async def test_a_clone_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloning, "READ_CHUNK", 10)
    world = World()
    world.add(35)
    world.add(4, label="1", gold=True)
    async with opened(world) as store:
        projects = Projects(store, Remerging(store))
        await projects.load()
        first = Cloning(store, projects)
        asked = asyncio.ensure_future(first.clone(ADMIN, "p", Clone("Again", items=True)))

        def copy() -> Project:
            return next(p for p in Tx(world.db).projects() if p.project_id != "p")

        def items() -> list[tuple[str, str, bool]]:
            found = Tx(world.db).items_in_state(copy().project_id, None, 0, 100)
            return [(i.name, i.content_hash, i.gold) for i in found]

        await store.until(lambda: len(Tx(world.db).projects()) == 2 and bool(items()))
        await first.stop()
        assert (await asked)["state"] == "paused"
        assert 0 < len(items()) < 39
        again = Cloning(store, projects)
        await again.start()
        await store.until(lambda: copy().state == "running")
        original = Tx(world.db).items_in_state("p", None, 0, 100)
        assert items() == [(i.name, i.content_hash, i.gold) for i in original]
        await again.stop()
        # It is over: the next start has nothing to do.
        assert Tx(world.db).jobs_in(cloning.KIND, "running") == []


async def test_a_clone_that_was_put_away_meanwhile_stays_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cloning, "READ_CHUNK", 10)
    world = World()
    world.add(20)
    async with opened(world) as store:
        projects = Projects(store, Remerging(store))
        await projects.load()
        held = store.hold()
        service = Cloning(store, projects)
        asked = asyncio.ensure_future(service.clone(ADMIN, "p", Clone("Again", items=True)))
        await store.has_read.wait()
        (copy_id,) = {p.project_id for p in Tx(world.db).projects()} - {"p"}
        await store.write(lambda tx: tx.change_project(copy_id, {"state": "archived"}))
        held.set()
        assert (await asked)["state"] == "archived"
        assert len(Tx(world.db).items_in_state(copy_id, None, 0, 100)) == 20


async def test_a_role_that_is_taken_while_it_is_read_is_not_remembered() -> None:
    world = World()
    async with opened(world) as store:
        projects = Projects(store, Remerging(store))
        await projects.load()
        person = msgspec.structs.replace(ADMIN, user_id="u1", admin=False)
        held = store.hold()
        reading = asyncio.ensure_future(projects.role(person, "p"))
        await store.has_read.wait()
        await store.write(lambda tx: leave(tx, "p", "u1", world.now))
        projects.forget_roles()
        held.set()
        assert await reading == "labeler"  # it was, when it was read
        with pytest.raises(ApiError, match="not a member"):
            await projects.role(person, "p")


async def test_a_decision_for_all_that_has_failed_goes_on_when_asked_again() -> None:
    world = World()
    world.add(5)
    async with opened(world) as store:
        projects = Projects(store, Remerging(store))
        await projects.load()
        bulks = Bulks(store, Review(store, projects))

        async def ask() -> dict[str, Any]:
            ended: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

            def follow(told: dict[str, Any]) -> None:
                if told["state"] != "running":
                    ended.set_result(told)

            wanted = Filter(state=None)
            bulks.decide("p", "a-bulk-of-mine", wanted, "u0", "remove", None, None, follow)
            return await asyncio.wait_for(ended, 60)

        store.failing = True
        assert (await ask())["state"] == "failed"
        store.failing = False
        told = await ask()
        assert (told["state"], told["done"]) == ("done", 5)
        # Once it is done it is answered from memory.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(), 0.01)
        assert bulks.get("p", "a-bulk-of-mine")["done"] == 5


async def test_a_decision_for_all_that_is_stopped_ends_with_the_chunk_it_is_in() -> None:
    world = World()
    world.add(3 * WRITE_CHUNK)
    async with opened(world) as store:
        projects = Projects(store, Remerging(store))
        await projects.load()
        bulks = Bulks(store, Review(store, projects))
        ended: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        def follow(told: dict[str, Any]) -> None:
            if told["done"] == WRITE_CHUNK:
                bulks.cancel("p", "a-bulk-of-mine")
            if told["state"] != "running":
                ended.set_result(told)

        bulks.decide(
            "p", "a-bulk-of-mine", Filter(state=None), "u0", "remove", None, None, follow
        )  # fmt: skip
        told = await asyncio.wait_for(ended, 60)
        assert (told["state"], told["done"]) == ("cancelled", WRITE_CHUNK)
        assert sum(i.state == "removed" for i in world.items()) == WRITE_CHUNK


@pytest.mark.parametrize("partial", [False, True])
async def test_a_round_that_saw_a_part_is_followed_by_one_that_sees_all_even_after_a_restart(
    partial: bool, tmp_path: Path
) -> None:
    """It says so: "the next round begins by itself"."""
    world = World()
    world.add(20, label="0")
    world.add(20, label="1")
    world.add(20)
    tx = world.tx()
    record, _ = open_round(tx, "p")
    figures: dict[str, Any] = {"evidence": 40, **({"partial": True} if partial else {})}
    finish(tx, record, "done", figures, world.now)
    tx.set_feature_pass("p", "lite0", 60, 60)
    world.commit(tx)
    ran: list[str] = []
    over = asyncio.Event()

    async def run_job(
        function: str, params: dict[str, Any], on_progress: Callable[[float, int], None]
    ) -> tuple[dict[str, Any], int]:
        ran.append(function)
        over.set()
        raise RuntimeError("as far as this test goes")

    async def ready(hashes: Sequence[str]) -> None: ...

    async with opened(world) as store:
        boards = Boards(store)
        paths = Paths(
            tmp_path / "store", tmp_path / "models", tmp_path / "rounds", Path, ready
        )  # fmt: skip
        rounds = Rounds(store, boards, run_job, paths, Backbones("lite0", "ngrams"), 1)
        await rounds.start()
        assert rounds.assist(await boards.get("p"))["running"] is partial
        if partial:
            async with asyncio.timeout(60):
                await over.wait()
        await rounds.stop()
        assert len(Tx(world.db).rounds("p")) == 1 + partial


async def test_what_was_being_sent_of_a_person_does_not_stay(tmp_path: Path) -> None:
    world = World()
    async with opened(world) as store:
        sent, _ = await Erasing(store, tmp_path / "sending").export("u1")
        assert sent.exists()
        await Erasing(store, tmp_path / "sending").start()
        assert not sent.exists()


def test_a_webhook_that_was_removed_stays_removed() -> None:
    world = World()
    hook = Webhook("w", "p", "https://a.example/", "[]", b"", "active", 0, 0, None, 0, "u0", 1)
    tx = world.tx()
    tx.put_webhook(hook)
    tx.drop_webhook("w")
    _advance(tx, hook, 5000)
    assert tx.webhook("w") is None
    world.commit(tx)
    world.close()
