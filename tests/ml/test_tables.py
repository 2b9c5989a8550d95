"""Tables written by columns say what cell by cell would; samples that stay from round to round."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.ml import tables
from chorus.ml.cluster import sampled
from chorus.ml.half import widen
from chorus.ml.tables import decimals, integers, likeliest, write_table

seeds = st.integers(0, 10**6)


@given(n=st.integers(0, 12), classes=st.integers(1, 30), most=st.integers(1, 6), seed=seeds)
def test_the_likeliest_classes_in_order(n: int, classes: int, most: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Few different numbers, so that many are equal.
    rows = rng.integers(0, 20, (n, classes)).astype(np.float32) / 20
    wanted = [
        ",".join(f"{c}:{row[c]:.4f}" for c in np.argsort(-row, kind="stable")[:most])
        for row in rows
    ]
    found = likeliest(rows, most)
    for text, want, row in zip(found, wanted, rows, strict=True):
        pairs = [pair.split(":") for pair in text.split(",")]
        assert [share for _, share in pairs] == [pair.split(":")[1] for pair in want.split(",")]
        assert all(f"{row[int(c)]:.4f}" == share for c, share in pairs)
        assert len({c for c, _ in pairs}) == min(most, classes)


@pytest.mark.parametrize("block", [1, 4, 100])
def test_a_table_is_the_same_whatever_its_blocks(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BLOCK", block)
    ids, shares = np.arange(9), np.linspace(0, 1, 9)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some.tsv"
        write_table(path, "id\tshare", 9, lambda at: [integers(ids[at]), decimals(shares[at], 3)])
        lines = path.read_text("ascii").splitlines()
        assert lines == ["id\tshare", *(f"{i}\t{i / 8:.3f}" for i in range(9))]
        write_table(path, "id", 0, lambda at: [integers(ids[at])])
        assert path.read_text("ascii") == "id\n"


def test_every_half_float_is_widened_exactly() -> None:
    assert torch is not None  # what `widen` uses where it is loaded
    stored = np.arange(2**16, dtype=np.uint16).view(np.float16)
    out = np.empty(2**16, dtype=np.float32)
    widen(stored, out)
    np.testing.assert_array_equal(out, stored.astype(np.float32))


@given(ids=st.sets(st.integers(1, 10**9), max_size=60), most=st.integers(0, 40), gone=seeds)
@settings(max_examples=60)
def test_a_sample_keeps_who_is_still_open(ids: set[int], most: int, gone: int) -> None:
    every = np.array(sorted(ids), dtype=np.int64)
    is_open = np.ones(len(every), dtype=bool)
    first = sampled(every, is_open, most)
    assert first.sum() == min(most, len(every))
    still = np.random.default_rng(gone).random(len(every)) < 0.7
    second = sampled(every, still, most)
    assert second.sum() == min(most, int(still.sum()))
    assert not (second & ~still).any()
    assert second[first & still].all()


def test_a_sample_is_spread_over_all_items() -> None:
    """Items that came one after the other are often alike."""
    ids = np.arange(1, 100_001, dtype=np.int64)
    chosen = sampled(ids, np.ones(len(ids), dtype=bool), 10_000)
    parts = chosen.reshape(100, 1000).sum(axis=1)
    assert 60 < parts.min() <= parts.max() < 145
