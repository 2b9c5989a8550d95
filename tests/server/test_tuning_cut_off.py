"""A fine-tuning that a stop of the server cuts off: what is drawn stays drawn, what is trained is
not trained again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chorus.server.domain.model import LabelClass, Round
from chorus.server.services import round_files
from chorus.server.services.dashboard import Boards
from chorus.server.services.feature_passes import FeaturePasses
from chorus.server.services.round_state import Line, Paths, RoundState
from chorus.server.services.tuning import DRAWN, STATE, Tunings
from chorus.server.storage.sqlite import SqliteStore
from chorus.server.storage.tx import Tx
from tests.server.world import CLASSES, World
from tests.servers import PATIENCE

ITEMS = 40


class Worker:
    """Stands in for the worker: it trains for two turns, unless the file says that it has."""

    def __init__(self) -> None:
        self.trained = 0
        self.classes: set[int] = set()
        self.judging = asyncio.Event()
        self.judges = False

    async def __call__(
        self, function: str, params: dict[str, Any], *_: Any
    ) -> tuple[dict[str, Any], int]:
        if "classes" in params:
            self.classes.add(params["classes"])
        if function.endswith(".turn"):
            return self._turn(Path(params["state"])), 1
        if function.endswith(".compare"):
            self.judging.set()
            if not self.judges:
                await asyncio.Event().wait()
            return {"better": False, "judged_on": 9, "before": 0.8, "after": 0.7}, 1
        return {}, 1

    def _turn(self, state: Path) -> dict[str, Any]:
        step = int(state.read_text()) if state.exists() else 0
        if step < 2:
            self.trained += 1
            step += 1
            state.write_text(str(step))
        figures = {"pictures": 9, "losses": [], "device": "cpu", "backbone": "net@new"}
        return {"done": step == 2, "step": step, "steps": 2, **figures}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """With a round that is done, of labeled items."""
    world = World()
    world.add(ITEMS)
    tx = world.tx()
    tx.put_round(Round("p", 1, "done", ITEMS, world.now, world.now, "{}"))
    world.commit(tx)
    folder = tmp_path / "rounds/p/1"
    folder.mkdir(parents=True)
    rows = [f"{i.item_id}\t{i.content_hash}\t0\t\t1\t1\t0\t0\t0\n" for i in world.items()]
    (folder / "items.tsv").write_text(round_files.HEADER + "".join(rows))
    (tmp_path / "picture").touch()
    yield world
    world.close()


async def lives(world: World, tmp_path: Path, worker: Worker) -> None:
    """A server's life: until the fine-tuning is over, or is to be judged by who does not."""
    store = SqliteStore(world.path, lambda events: None, readers=1)

    async def ready(hashes: Any) -> None:
        return

    paths = Paths(
        tmp_path / "features", tmp_path / "models", tmp_path / "rounds",
        lambda content: tmp_path / "picture", ready,
    )  # fmt: skip
    line, no_round, state = Line(worker), asyncio.Event(), RoundState()
    no_round.set()
    state.backbones = ["net"]
    features = FeaturePasses(store, line, paths, 1, False, no_round)
    tunings = Tunings(store, Boards(store), line, features, paths, 1, False, no_round)
    tunings._spawn("p", state)
    task = state.tuning
    assert task is not None
    judging = asyncio.ensure_future(worker.judging.wait())
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait((task, judging), return_when=asyncio.FIRST_COMPLETED)
        if not worker.judges:
            tunings.closed = True
            task.cancel()
        await asyncio.wait((task,))
    judging.cancel()
    await store.close()


def tuned(world: World) -> list[int]:
    rows = world.db.execute("SELECT item_id FROM item WHERE tuned > 0 ORDER BY item_id")
    return [item_id for (item_id,) in rows]


async def test_cut_off_while_it_is_judged_it_is_not_trained_again(
    world: World, tmp_path: Path
) -> None:
    folder, worker = tmp_path / "rounds/p/tuning", Worker()
    await lives(world, tmp_path, worker)
    assert worker.trained == 2
    drawn, marked = (folder / "items.tsv").stat().st_ino, tuned(world)
    assert 0 < len(marked) < ITEMS
    again = Worker()
    again.judges = True
    await lives(world, tmp_path, again)
    assert again.trained == 0
    assert ((folder / "items.tsv").stat().st_ino, tuned(world)) == (drawn, marked)
    (record,) = Tx(world.db).tunings("p")
    assert record.state == "declined"
    assert not (folder / STATE).exists(), "it is large"


async def test_a_class_added_meanwhile_does_not_end_it(world: World, tmp_path: Path) -> None:
    """It goes on with those it began with: what it has learned so far fits no others."""
    first = Worker()
    await lives(world, tmp_path, first)
    tx = world.tx()
    tx.add_class("p", len(CLASSES), LabelClass("owl", "#111111"))
    world.commit(tx)
    again = Worker()
    again.judges = True
    await lives(world, tmp_path, again)
    assert first.classes == again.classes == {len(CLASSES)}


@pytest.mark.parametrize("before", [None, "7", "1", "7 3"])
async def test_what_may_not_be_marked_is_drawn_anew(
    world: World, tmp_path: Path, before: str | None
) -> None:
    """A stop before all were marked; or what lies there is of a fine-tuning before this one, or of
    an older version, which did not say how many classes there were."""
    folder = tmp_path / "rounds/p/tuning"
    await lives(world, tmp_path, Worker())
    drawn, marked = (folder / "items.tsv").read_text(), tuned(world)
    (folder / "items.tsv").write_text("those of another\n")
    (folder / DRAWN).unlink()
    if before is not None:
        (folder / DRAWN).write_text(before)
    tx = world.tx()
    world.db.execute("UPDATE item SET tuned = 0 WHERE item_id = ?", (marked[-1],))
    world.commit(tx)
    again = Worker()
    again.judges = True
    await lives(world, tmp_path, again)
    assert ((folder / "items.tsv").read_text(), tuned(world)) == (drawn, marked)
    assert (folder / DRAWN).read_text() == f"1 {len(CLASSES)}"
    assert again.trained == 2, "of what was learned from other items nothing is kept"
