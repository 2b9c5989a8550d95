"""Feature vectors on disk, by content hash: appended once, memory-mapped by readers."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

HASH_BYTES = 32
DIM = 1280
"""Of stores that do not say: those written before `dim` was kept."""
Floats = NDArray[np.float32]


class FeatureStore:
    """Features of one backbone: `rows.f16`, (n, dim) float16, `hashes`, n x 32 bytes, and `dim`.

    Rows are synced before their hashes are written, so a hash is there only when its row is
    whole; what a killed writer left half-written is ignored by readers and cut off by the next
    writer. One writer at a time (a file lock), any number of readers.
    """

    def __init__(self, root: Path, name: str, dim: int | None = None) -> None:
        """dim: of the backbone; a reader may leave it out."""
        self.folder = root / name.replace("/", "_")
        self.dim = _stored_dim(self.folder) if dim is None else dim
        self._rows = self.folder / "rows.f16"
        self._hashes = self.folder / "hashes"
        self._index: dict[bytes, int] = {}
        self._read = 0

    def __len__(self) -> int:
        """Whole rows on disk now."""
        try:
            hashes = self._hashes.stat().st_size // HASH_BYTES
            return min(hashes, self._rows.stat().st_size // (2 * self.dim))
        except FileNotFoundError:
            return 0

    def _refresh(self) -> int:
        n = len(self)
        if n > self._read:
            with self._hashes.open("rb") as file:
                file.seek(self._read * HASH_BYTES)
                raw = file.read((n - self._read) * HASH_BYTES)
            for i in range(n - self._read):
                content = raw[i * HASH_BYTES : (i + 1) * HASH_BYTES]
                self._index.setdefault(content, self._read + i)
            self._read = n
        return n

    def get(self, hashes: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
        """(features (len(hashes), dim) float32, zeros where unknown; known (len(hashes),) bool).

        Hashes are 64 hex digits.
        """
        n = self._refresh()
        at = np.array([self._index.get(bytes.fromhex(h), -1) for h in hashes], dtype=np.int64)
        known = at >= 0
        out = np.zeros((len(hashes), self.dim), dtype=np.float32)
        if n and known.any():
            rows = np.memmap(self._rows, dtype=np.float16, mode="r", shape=(n, self.dim))
            out[known] = rows[at[known]]
        return out, known

    def missing(self, hashes: Sequence[str]) -> list[int]:
        """Positions in `hashes` that have no row yet."""
        self._refresh()
        return [i for i, h in enumerate(hashes) if bytes.fromhex(h) not in self._index]


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

    def get(self, hashes: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
        """As of one store: (features (len(hashes), dim) float32, known (len(hashes),) bool)."""
        out = np.zeros((len(hashes), self.dim), dtype=np.float32)
        known = np.ones(len(hashes), dtype=bool)
        at = 0
        for store in self.stores:
            out[:, at : at + store.dim], here = store.get(hashes)
            known &= here
            at += store.dim
        return out, known

    def missing(self, hashes: Sequence[str]) -> list[int]:
        """Positions in `hashes` of which some part has no row yet."""
        return sorted({i for store in self.stores for i in store.missing(hashes)})


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
            (self._hashes, b"".join(bytes.fromhex(h) for h in hashes)),
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
