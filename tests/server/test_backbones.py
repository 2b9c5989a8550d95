"""Two backbones on a real server: the first at once, both when both have seen everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import timm
from safetensors.torch import save_file

from chorus.client.messages import Stats
from tests.servers import Bench, TestServer, page_of, pictures, running, vote_page

SECOND = "test_efficientnet"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TestServer]:
    weights = tmp_path / "second.safetensors"
    save_file(timm.create_model(SECOND, pretrained=False).state_dict(), weights)
    env = {"CHORUS_BACKBONE": f"efficientnet_lite0+{SECOND}", "CHORUS_WEIGHTS": str(weights)}
    with running(tmp_path / "data", **env) as server:
        yield server


@pytest.mark.slow
async def test_a_round_uses_the_backbones_that_have_seen_everything(
    bench: Bench, tmp_path: Path
) -> None:
    await bench.make(pictures(tmp_path / "pictures", 60), page_size=9, cluster=True)
    watch = await bench.watch()
    seen: list[tuple[int, int]] = []

    def complete(stats: Stats) -> bool:
        seen.append((stats.assist.featurize_pass, stats.assist.featurized))
        return stats.assist.featurized == 60

    await watch.until(complete)
    assert seen[-1] == (2, 60)
    assert seen == sorted(seen), "one pass after the other"
    stream = await bench.labeler(page_size=9, credit=1)
    for _ in range(3):
        await vote_page(stream, await page_of(stream))
    stats = await watch.until(lambda s: bool(s.assist.rounds) and not s.assist.running)
    (first,) = stats.assist.rounds
    assert first.state == "done", first.reason
    assert first.backbone is not None
    assert first.backbone.startswith(f"efficientnet_lite0+{SECOND}@")
