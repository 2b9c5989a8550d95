"""What people are told of the next round."""

from __future__ import annotations

from typing import Any

import pytest

from chorus.server.domain.events import LabelerStats, blank
from chorus.server.services.round_state import Line, RoundState
from chorus.server.services.round_stats import assist


async def _never(*asked: Any) -> Any:
    raise AssertionError("nothing runs here")


@pytest.mark.parametrize(
    ("items", "labeled", "last", "expected"),
    [
        (1000, 300, 290, 333),
        # The next round would begin after the last item.
        (1000, 980, 950, None),
        (1000, 1000, 900, None),
    ],
)
def test_no_round_is_announced_that_would_begin_after_the_end(
    items: int, labeled: int, last: int, expected: int | None
) -> None:
    board = blank("p", "epoch")
    board.counts |= {"labeled": labeled, "unlabeled": items - labeled}
    board.labels = {"0": labeled // 2, "1": labeled - labeled // 2}
    state = RoundState()
    state.last_evidence = last
    said = assist(board, state, Line(_never), due=False)
    assert said["next_round_at"] == expected


def test_votes_are_announced_however_few_the_items() -> None:
    """An item may get several."""
    board = blank("p", "epoch")
    board.counts |= {"labeled": 0, "in_progress": 100}
    board.answers = {"0": 60, "1": 60}
    board.labelers = {"ada": LabelerStats("ada", "Ada", labels=120)}
    state = RoundState()
    state.weighs, state.last_evidence = True, 115
    said = assist(board, state, Line(_never), due=False)
    assert said["next_round_at"] > 120
