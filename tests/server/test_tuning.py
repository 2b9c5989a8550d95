"""Fine-tuning on a real server: it begins by itself, outlives a kill, is used if it is better."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from chorus.client.errors import ApiError
from chorus.client.messages import Stats
from chorus.server.domain import tuning
from tests.ml.test_run import draw
from tests.servers import Bench, TestServer, page_of, running, vote_page

SMALL = "test_efficientnet"
SHAPES = ("square", "disc")


@given(seed=st.integers(0, 2**40), item=st.integers(1, 2**40), evidence=st.booleans())
def test_an_item_never_comes_back_to_the_evidence(seed: int, item: int, evidence: bool) -> None:
    first = tuning.part_of(seed, item, evidence=evidence, drawn=False)
    again = tuning.part_of(seed, item, evidence=evidence, drawn=first != "rest")
    assert (first == "rest") <= (again == "rest")
    if first != "rest":
        assert again == first, "judges stay judges: no network has learned from them"
    if not evidence:
        assert first == "tune", "what proves nothing costs nothing"


@given(seed=st.integers(0, 2**40), start=st.integers(1, 2**40))
def test_about_half_of_the_evidence_stays(seed: int, start: int) -> None:
    parts = [tuning.part_of(seed, start + i, evidence=True, drawn=False) for i in range(400)]
    assert 140 <= parts.count("rest") <= 260
    assert 10 <= parts.count("judge") <= 80


@given(
    labels=st.integers(0, 10_000),
    last=st.none() | st.integers(1, 10_000),
    open_items=st.integers(0, 5000),
)
def test_when_it_is_due(labels: int, last: int | None, open_items: int) -> None:
    due = tuning.due(labels, last, open_items)
    if due:
        assert tuning.obstacle(labels, open_items) is None
        assert not tuning.due(labels, labels, open_items), "not twice on the same labels"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TestServer]:
    torch.manual_seed(1)
    weights = tmp_path / "small.safetensors"
    save_file(timm.create_model(SMALL, pretrained=False).state_dict(), weights)
    with running(tmp_path / "data", CHORUS_BACKBONE=SMALL, CHORUS_WEIGHTS=str(weights)) as server:
        yield server


async def label(bench: Bench, count: int) -> None:
    stream = await bench.labeler(page_size=9, credit=1)
    done = 0
    while done < count:
        page = await page_of(stream)
        done += len(await vote_page(stream, page))


def root(bench: Bench) -> str:
    return f"/api/projects/{bench.project.project_id}"


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_network_is_tuned_judged_and_used_if_it_is_better(
    server: TestServer, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        folder = tmp_path / "pictures"
        folder.mkdir()
        for i in range(560):  # discs are red, squares green: nothing that colours tell
            draw(folder / f"{'red' if i % 2 else 'green'}-{i:05}.png", SHAPES[i % 2], i)
        await bench.make(
            folder, page_size=9, cluster=True, prelabel=True, fine_tune=True, gold_rate=0
        )
        watch = await bench.watch()
        with pytest.raises(ApiError, match="needs 300 labels"):
            await bench.admin.request("POST", f"{root(bench)}/tuning/start")
        await watch.until(lambda s: s.assist.featurized == 560)
        await label(bench, 330)

        def under_way(stats: Stats) -> bool:
            newest = stats.assist.tuning.newest
            return newest is not None and newest.state == "running" and newest.progress > 0

        await watch.until(under_way)
    server.process.kill9()
    await server.process.start()
    async with Bench(server) as again:
        again.project = bench.project
        watch = await again.watch()

        def over(stats: Stats) -> bool:
            """Judged, and if it was better, looked through by all items and used by a round."""
            assist = stats.assist
            newest = assist.tuning.newest
            if newest is None or newest.state == "running" or assist.running:
                return False
            return newest.state != "adopted" or "+" in (assist.rounds[-1].backbone or "")

        stats = await watch.until(over)
        newest = stats.assist.tuning.newest
        assert newest is not None
        assert newest.number == 1, "the kill began no second one"
        assert newest.state in ("adopted", "declined")
        assert newest.before is not None
        assert newest.after is not None
        better = newest.after.loss < newest.before.loss
        assert (newest.state == "adopted") == better
        last = stats.assist.rounds[-1]
        assert last.state == "done"
        assert last.backbone is not None
        assert last.backbone.endswith(f"+{newest.backbone}") == better
        answer = await again.admin.request("GET", f"{root(again)}/rounds/{last.number}/card")
        card = answer.json()
        with sqlite3.connect(server.process.data_dir / "chorus.sqlite") as db:
            (drawn,) = db.execute("SELECT COUNT(*) FROM item WHERE tuned > 0").fetchone()
            (labels,) = db.execute("SELECT COUNT(*) FROM item WHERE state = 'labeled'").fetchone()
        assert 0 < drawn < labels
        # What its network learned from proves nothing; of a network that is not used, all does.
        assert card["card"]["n"] == labels - (drawn if better else 0)
        assert card["model"]["available"]
    await server.process.stop()
    checked = server.process.fsck()
    assert checked.returncode == 0, checked.stdout
