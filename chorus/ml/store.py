"""Feature vectors on disk, by content hash: appended once, memory-mapped by readers."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from chorus.ml.half import widen

HASH_BYTES = 32
READ = 1024
"""Rows read at once."""
DIM = 1280
"""Of stores that do not say: those written before `dim` was kept."""
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Hashes = NDArray[np.uint8]
"""(n, HASH_BYTES)"""


def hashes_of(names: Sequence[str]) -> Hashes:
    """(len(names), HASH_BYTES) of content hashes in 64 hex digits each."""
    raw = np.frombuffer(bytes.fromhex("".join(names)), dtype=np.uint8)
    return raw.reshape(len(names), HASH_BYTES)


def _keys(hashes: Hashes) -> NDArray[np.uint64]:
    """(n,): eight bytes that hardly ever agree between two hashes."""
    words = np.ascontiguousarray(hashes).view(np.uint64)
    keys: NDArray[np.uint64] = np.bitwise_xor.reduce(words, axis=1)
    return keys


class FeatureStore:
    """Features of one backbone: `rows.f16`, (n, dim) float16, `hashes`, n x 32 bytes, and `dim`.

    Rows are synced before their hashes are written, so a hash is there only when its row is
    whole; what a killed writer left half-written is ignored by readers and cut off by the next
    writer. One writer at a time (a file lock), any number of readers.

    The index is three arrays: 48 bytes a row, a quarter of what a dict takes, and half a million
    hashes are looked up in a fifth of a second.
    """

    def __init__(self, root: Path, name: str, dim: int | None = None) -> None:
        """dim: of the backbone; a reader may leave it out."""
        self.folder = root / name.replace("/", "_")
        self.dim = _stored_dim(self.folder) if dim is None else dim
        self._rows = self.folder / "rows.f16"
        self._hashes = self.folder / "hashes"
        self._index: Hashes = np.empty((0, HASH_BYTES), dtype=np.uint8)
        self._sorted = np.empty(0, dtype=np.uint64)
        """The keys of `_index`, ascending, and whose they are: `_order`."""
        self._order: Ints = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        """Whole rows on disk now."""
        try:
            hashes = self._hashes.stat().st_size // HASH_BYTES
            return min(hashes, self._rows.stat().st_size // (2 * self.dim))
        except FileNotFoundError:
            return 0

    def _refresh(self) -> int:
        n, read = len(self), len(self._index)
        if n > read:
            with self._hashes.open("rb") as file:
                file.seek(read * HASH_BYTES)
                raw = file.read((n - read) * HASH_BYTES)
            new = np.frombuffer(raw, dtype=np.uint8).reshape(n - read, HASH_BYTES)
            self._index = np.concatenate([self._index, new]) if read else new
            keys = _keys(self._index)
            # Stable: of rows with the same hash the first is found.
            self._order = np.argsort(keys, kind="stable")
            self._sorted = keys[self._order]
        return n

    def locate(self, hashes: Hashes) -> Ints:
        """(n,): the row of each of `hashes` (n, HASH_BYTES), -1 where there is none yet."""
        self._refresh()
        out = np.full(len(hashes), -1, dtype=np.int64)
        keys = _keys(hashes)
        places = np.searchsorted(self._sorted, keys)
        left = np.arange(len(hashes))
        while len(left):
            left = left[places[left] < len(self._sorted)]
            left = left[self._sorted[places[left]] == keys[left]]
            rows = self._order[places[left]]
            hit = (self._index[rows] == hashes[left]).all(axis=1)
            out[left[hit]] = rows[hit]
            # Another hash with the same key: its neighbour may be the one.
            left = left[~hit]
            places[left] += 1
        return out

    def read(self, rows: Ints, out: Floats) -> None:
        """Fill `out` (n, dim) with the rows (n,) that `locate` found; zeros where it says -1."""
        for at in range(0, len(rows), READ):
            # Mapped anew each time: pages that were looked at count as this process's memory until
            # they are unmapped, and rows from here and there draw in what lies around them.
            stored = np.memmap(self._rows, dtype=np.float16, mode="c", shape=(len(self), self.dim))
            some, into = rows[at : at + READ], out[at : at + READ]
            if (some < 0).any():
                into[:] = 0
                known = some >= 0
                into[known] = stored[some[known]]
            elif (np.diff(some) == 1).all():
                widen(stored[some[0] : some[0] + len(some)], into)
            else:
                widen(stored[some], into)

    def get(self, hashes: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
        """(features (len(hashes), dim) float32, zeros where unknown; known (len(hashes),) bool).

        Hashes are 64 hex digits.
        """
        rows = self.locate(hashes_of(hashes))
        known = rows >= 0
        out = np.zeros((len(rows), self.dim), dtype=np.float32)
        if known.any():
            self.read(rows, out)
        return out, known

    def missing(self, hashes: Sequence[str]) -> list[int]:
        """Positions in `hashes` that have no row yet."""
        missing: list[int] = np.flatnonzero(self.locate(hashes_of(hashes)) < 0).tolist()
        return missing


def _stored_dim(folder: Path) -> int:
    try:
        return int((folder / "dim").read_text("ascii"))
    except FileNotFoundError:
        return DIM


class Features:
    """The features of a backbone or of several (`a+b`), read side by side: (n, sum of dims).

    An item is known when all parts know it.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.stores = [FeatureStore(root, part) for part in name.split("+")]
        self.dim = sum(store.dim for store in self.stores)

    def locate(self, hashes: Hashes) -> Ints:
        """(parts, n): each part's row of each of `hashes` (n, HASH_BYTES), -1: none yet."""
        return np.stack([store.locate(hashes) for store in self.stores])

    def read(self, rows: Ints) -> Floats:
        """(n, dim): what stands in the rows (parts, n) that `locate` found."""
        out = np.empty((rows.shape[1], self.dim), dtype=np.float32)
        at = 0
        for store, mine in zip(self.stores, rows, strict=True):
            if (mine >= 0).any():
                store.read(mine, out[:, at : at + store.dim])
            else:
                out[:, at : at + store.dim] = 0
            at += store.dim
        return out

    def get(self, hashes: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
        """As of one store: (features (len(hashes), dim) float32, known (len(hashes),) bool)."""
        rows = self.locate(hashes_of(hashes))
        known: NDArray[np.bool_] = (rows >= 0).min(axis=0)
        return self.read(rows), known

    def missing(self, hashes: Sequence[str]) -> list[int]:
        """Positions in `hashes` of which some part has no row yet."""
        rows = self.locate(hashes_of(hashes))
        missing: list[int] = np.flatnonzero(rows.min(axis=0) < 0).tolist()
        return missing


class Writer:
    """Context manager that appends to a store. Waits for another writer to finish."""

    def __init__(self, store: FeatureStore) -> None:
        self._store = store

    def __enter__(self) -> Writer:
        store = self._store
        store.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (store.folder / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # Before any row, so that whoever finds rows knows how long they are.
        part = store.folder / "dim.tmp"
        part.write_text(str(store.dim), "ascii")
        os.replace(part, store.folder / "dim")
        self._rows = store._rows.open("ab")
        self._hashes = store._hashes.open("ab")
        whole = len(store)
        self._rows.truncate(whole * 2 * store.dim)
        self._hashes.truncate(whole * HASH_BYTES)
        return self

    def append(self, hashes: Sequence[str], rows: Floats) -> None:
        """Add rows (len(hashes), dim) durably."""
        if rows.shape != (len(hashes), self._store.dim):
            raise ValueError(f"rows must be ({len(hashes)}, {self._store.dim}), not {rows.shape}")
        for file, data in (
            (self._rows, rows.astype(np.float16).tobytes()),
            (self._hashes, hashes_of(hashes).tobytes()),
        ):
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._rows.close()
        self._hashes.close()
        self._lock.close()
