"""What a round's jobs say is to be labeled next, from real pictures through the real network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chorus.ml import run
from tests.ml.test_run import Round


def with_fresh(round_: Round, taken: set[int]) -> None:
    """items.tsv with its last column: items in `taken` have been handed out before."""
    path = round_.folder / "items.tsv"
    header, *lines = path.read_text().splitlines()
    rows = [f"{line}\t{int(int(line.split(chr(9))[0]) not in taken)}" for line in lines]
    path.write_text("\n".join([f"{header}\tfresh", *rows]) + "\n")


@pytest.mark.parametrize("ordering", ["random", "uncertain", "auto"])
def test_next_are_fresh_items_and_blocks(tmp_path: Path, models: Path, ordering: str) -> None:
    labeled, total = 30, 100
    round_ = Round(tmp_path, models, total)
    round_.params["ordering"] = ordering
    round_.featurize()
    round_.write_items(labeled)
    taken = set(range(31, 51))
    with_fresh(round_, taken)
    run.train(round_.params)
    run.validate(round_.params)
    run.infer(round_.params)
    run.cluster({**round_.params, "prelabel": False})

    chosen = [int(r["item_id"]) for r in round_.rows("next.tsv")]
    blocks = [int(r["block"]) for r in round_.rows("next_blocks.tsv")]
    if ordering == "random":
        assert chosen == blocks == []
        return
    assert len(chosen) == len(set(chosen)) > 0
    assert set(chosen) <= set(range(labeled + 1, total + 1)) - taken
    made = {int(r["block"]) for r in round_.rows("clusters.tsv")}
    assert len(blocks) == len(set(blocks)) > 0
    assert set(blocks) <= made
    margins = {int(r["item_id"]): float(r["margin"]) for r in round_.rows("predictions.tsv")}
    left = [m for i, m in margins.items() if i not in chosen and i not in taken]
    assert np.mean([margins[i] for i in chosen]) < np.mean(left), "those in doubt"

    run.infer(round_.params)
    assert chosen == [int(r["item_id"]) for r in round_.rows("next.tsv")], "the same once more"
