"""Features survive whatever happens to the process that writes them."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.ml.store import HASH_BYTES, Features, FeatureStore, Writer

DIM = 4


def hashes(start: int, stop: int) -> list[str]:
    return [hashlib.sha256(str(i).encode()).hexdigest() for i in range(start, stop)]


def rows(start: int, stop: int) -> np.ndarray:
    """The features of pictures `start`..`stop`: their number, four times."""
    return np.repeat(np.arange(start, stop, dtype=np.float32)[:, None], DIM, axis=1)


def filled(root: Path, n: int) -> FeatureStore:
    store = FeatureStore(root, "tiny", DIM)
    with Writer(store) as writer:
        writer.append(hashes(0, n), rows(0, n))
    return store


def test_what_was_appended_is_read_by_hash(tmp_path: Path) -> None:
    store = filled(tmp_path, 5)
    asked = [hashes(3, 4)[0], hashes(99, 100)[0], hashes(0, 1)[0]]
    found, known = store.get(asked)
    assert known.tolist() == [True, False, True]
    assert found[:, 0].tolist() == [3.0, 0.0, 0.0]
    assert store.missing(asked) == [1]


def test_empty_store(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, "tiny", DIM)
    found, known = store.get(hashes(0, 2))
    assert len(store) == 0
    assert found.shape == (2, DIM)
    assert not known.any()


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=12),
    st.lists(st.integers(0, 5), max_size=8),
)
def test_hashes_whose_short_keys_agree_are_told_apart(stored: list[int], asked: list[int]) -> None:
    """Swapping two words of eight bytes leaves the exclusive or of the words as it is."""

    def name(n: int) -> str:
        words = [f"{7:016x}", f"{9:016x}", f"{1:016x}", f"{3:016x}"]
        return "".join(words[n % 4 :] + words[: n % 4]) if n < 4 else f"{n:064x}"

    with tempfile.TemporaryDirectory() as root:
        with Writer(FeatureStore(Path(root), "tiny", DIM)) as writer:
            writer.append([name(n) for n in stored], rows(0, len(stored)))
        found, known = FeatureStore(Path(root), "tiny", DIM).get([name(n) for n in asked])
    assert known.tolist() == [n in stored for n in asked]
    assert found[known, 0].tolist() == [stored.index(n) for n in asked if n in stored]


def test_a_reader_sees_what_another_process_adds(tmp_path: Path) -> None:
    reader = filled(tmp_path, 2)
    reader.get(hashes(0, 2))
    with Writer(FeatureStore(tmp_path, "tiny", DIM)) as writer:
        writer.append(hashes(2, 4), rows(2, 4))
    found, known = reader.get(hashes(0, 4))
    assert known.all()
    assert found[:, 0].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_rows_of_the_wrong_shape_are_refused(tmp_path: Path) -> None:
    with (
        Writer(FeatureStore(tmp_path, "tiny", DIM)) as writer,
        pytest.raises(ValueError, match="4"),
    ):
        writer.append(hashes(0, 2), np.zeros((2, DIM + 1), dtype=np.float32))


@given(torn_rows=st.integers(0, 4 * 2 * DIM), torn_hashes=st.integers(0, 4 * HASH_BYTES))
def test_torn_tails_are_ignored_and_then_cut_off(
    tmp_path_factory: pytest.TempPathFactory, torn_rows: int, torn_hashes: int
) -> None:
    """Whatever is missing at the end of either file, what is read is right, and the rest can be
    written again."""
    n = 6
    store = filled(tmp_path_factory.mktemp("torn"), n)
    for name, torn in (("rows.f16", torn_rows), ("hashes", torn_hashes)):
        path = store.folder / name
        os.truncate(path, path.stat().st_size - torn)
    reader = FeatureStore(store.folder.parent, "tiny", DIM)
    found, known = reader.get(hashes(0, n))
    assert (found[known] == rows(0, n)[known]).all()
    missing = reader.missing(hashes(0, n))
    assert len(missing) == n - known.sum()
    with Writer(reader) as writer:
        writer.append([hashes(0, n)[i] for i in missing], rows(0, n)[missing])
    again = FeatureStore(store.folder.parent, "tiny", DIM)
    assert len(again) == n
    assert (again.get(hashes(0, n))[0] == rows(0, n)).all()


def write_for_ever(root: Path, told: Connection) -> None:
    store = FeatureStore(root, "tiny", DIM)
    with Writer(store) as writer:
        at = 0
        while True:
            writer.append(hashes(at, at + 7), rows(at, at + 7))
            at += 7
            told.send(at)


@pytest.mark.parametrize("batches", [1, 4, 9])
def test_a_killed_writer_loses_nothing_it_had_finished(tmp_path: Path, batches: int) -> None:
    context = multiprocessing.get_context("spawn")
    told, tell = context.Pipe(duplex=False)
    process = context.Process(target=write_for_ever, args=(tmp_path, tell))
    process.start()
    durable = 0
    for _ in range(batches):
        durable = told.recv()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    store = FeatureStore(tmp_path, "tiny", DIM)
    found, known = store.get(hashes(0, durable))
    assert known.all()
    assert (found == rows(0, durable)).all()
    # The killed writer's lock is gone with it.
    with Writer(store) as writer:
        writer.append(hashes(10_000, 10_001), np.ones((1, DIM), dtype=np.float32))
    assert store.missing(hashes(10_000, 10_001)) == []


def test_the_features_of_two_backbones_side_by_side(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    with Writer(FeatureStore(tmp_path, "wide@0123", 2)) as writer:
        writer.append(hashes(1, 4)[::-1], -rows(1, 4)[::-1, :2])
    both = Features(tmp_path, "tiny+wide@0123")
    asked = hashes(0, 4)
    found, known = both.get(asked)
    assert both.dim == DIM + 2
    assert known.tolist() == [False, True, True, True], "only what both have seen"
    assert found[2].tolist() == [2.0] * DIM + [-2.0] * 2
    assert both.missing(asked) == [0]


def test_a_backbone_that_has_seen_nothing_makes_nothing_known(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    both = Features(tmp_path, "tiny+other")
    assert not both.get(hashes(0, 5))[1].any()


def test_the_store_says_how_long_its_rows_are(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    assert FeatureStore(tmp_path, "tiny").dim == DIM
    (tmp_path / "tiny" / "dim").unlink()
    assert FeatureStore(tmp_path, "tiny").dim == 1280, "stores of the first version"
