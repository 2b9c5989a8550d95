"""Whatever process makes a round, however many threads it has: the same files, byte by byte."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chorus.ml.sets import to_text
from chorus.ml.store import FeatureStore, Writer
from chorus.server.jobs.pool import Pool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

DIM, CLASSES, LABELED, TOTAL = 640, 6, 300, 1500
FILES = ("model.npz", "card.json", "oof.tsv", "predictions.tsv", "next.tsv", "clusters.tsv")


def make(folder: Path, multilabel: bool) -> dict[str, Any]:
    """A store and an items.tsv; the params of a round's jobs without what tells rounds apart."""
    random = np.random.default_rng(0)
    sets = random.random((TOTAL, CLASSES)) < 0.35
    if not multilabel:
        sets = np.eye(CLASSES, dtype=bool)[random.integers(CLASSES, size=TOTAL)]
    rows = sets @ random.normal(size=(CLASSES, DIM)) + 8 * random.normal(size=(TOTAL, DIM))
    hashes = [f"{i:064x}" for i in range(TOTAL)]
    with Writer(FeatureStore(folder / "features", "some", DIM)) as out:
        out.append(hashes, rows.astype(np.float32))
    lines = ["item_id\tcontent_hash\tlabel\tsoft\ttrusted\tsurvivor\topen"]
    for i, content in enumerate(hashes):
        known = int(i < LABELED)
        label = to_text(sets[i]) if known else ""
        lines.append(f"{i + 1}\t{content}\t{label}\t\t{known}\t1\t{1 - known}")
    (folder / "items.tsv").write_text("\n".join(lines) + "\n")
    return {
        "store": str(folder / "features"), "backbone": "some", "classes": CLASSES,
        "multilabel": multilabel, "target": 0.8, "prelabel": True, "seed": 5,
        "ordering": "uncertain",
    }  # fmt: skip


async def test_two_workers_make_the_same_round(tmp_path: Path) -> None:
    kinds = {"classes": False, "sets": True}
    found: list[dict[str, bytes]] = []
    given = {}
    for kind, multilabel in kinds.items():
        (tmp_path / kind).mkdir()
        given[kind] = make(tmp_path / kind, multilabel)
    for threads in (1, 4):
        made: dict[str, bytes] = {}
        pool = Pool(1, 0)
        try:
            for kind, params in given.items():
                folder = tmp_path / kind / f"with {threads}"
                folder.mkdir()
                shutil.copy(tmp_path / kind / "items.tsv", folder)
                for job in ("train", "validate", "infer", "cluster"):
                    call = {
                        **params, "round_dir": str(folder), "threads": threads,
                        "progress": str(folder / "progress"),
                    }  # fmt: skip
                    await pool.call(f"chorus.ml.run.{job}", call)
                made |= {f"{kind}/{name}": (folder / name).read_bytes() for name in FILES}
        finally:
            await pool.close()
        found.append(made)
    one, two = found
    assert [name for name in one if one[name] != two[name]] == []
    for kind in kinds:
        assert one[f"{kind}/next.tsv"].count(b"\n") > 10
        assert one[f"{kind}/clusters.tsv"].count(b"\n") > 50
