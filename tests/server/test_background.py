"""Work behind the votes that fails is tried again; what came in meanwhile is not forgotten."""

from __future__ import annotations

import asyncio

import pytest

from chorus.server.errors import ApiError
from chorus.server.services import background
from chorus.server.services.background import Wakes, Woken


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "AGAIN_S", 0.0)


async def test_what_fails_is_tried_again() -> None:
    wanted: list[bool] = []
    done = asyncio.Event()

    async def run(project_id: str, state: Woken) -> None:
        wanted.append(state.wanted)
        while wakes.again(state):
            if len(wanted) <= 2:
                raise OSError("no such page")
        done.set()

    wakes = Wakes(Woken, run, "nothing came of %s")
    wakes.wake("p")
    async with asyncio.timeout(10):
        await done.wait()
    await wakes.stop()
    assert wanted == [True, True, True]


async def test_a_shutdown_ends_it() -> None:
    tries = 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        raise ApiError("shutting_down", "the server is shutting down") if tries == 3 else OSError

    async with asyncio.timeout(10):
        await background.until_done(work, "nothing came of %s", "p")
    assert tries == 3


async def test_it_rests_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "AGAIN_S", 100.0)
    rests: list[float] = []

    async def sleep(seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr(background.asyncio, "sleep", sleep)

    async def work() -> None:
        if len(rests) < 5:
            raise OSError("no such page")

    await background.until_done(work, "nothing came of %s", "p")
    assert rests == [100, 200, 400, 600, 600]
