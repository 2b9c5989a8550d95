"""The blob folder: found by hash, whole or not at all, and nothing outside it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.formats import blobfiles
from chorus.server.formats.blobfiles import Batch, blob_path
from chorus.server.storage.blobs import BlobStore


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def files(blobs: BlobStore) -> list[Path]:
    return [path for path in blobs.root.rglob("*") if path.is_file()]


def test_what_is_put_is_found_by_its_hash(blobs: BlobStore) -> None:
    content_hash = blobs.put_bytes(b"one")
    assert content_hash == hashlib.sha256(b"one").hexdigest()
    path = blobs.path(content_hash, "o")
    assert path.read_bytes() == b"one"
    assert path.parent.name == content_hash[:2]


def test_sizes_fall_back_to_the_original(blobs: BlobStore) -> None:
    content_hash = blobs.put_bytes(b"original")
    assert blobs.path(content_hash, "s") == blobs.path(content_hash, "o")
    blobs.put_bytes(b"small", "s", content_hash)
    assert blobs.path(content_hash, "s").read_bytes() == b"small"
    assert blobs.path(content_hash, "m").read_bytes() == b"original"
    with pytest.raises(ValueError, match="hash of its original"):
        blobs.put_bytes(b"small", "s")


def test_no_such_blob(blobs: BlobStore) -> None:
    with pytest.raises(FileNotFoundError):
        blobs.path("0" * 64, "s")


@given(st.text(max_size=80))
def test_a_malformed_hash_never_becomes_a_path(content_hash: str) -> None:
    with pytest.raises(ValueError, match="64 hex digits"):
        blob_path(Path("root"), content_hash, "o")


@pytest.mark.parametrize("size", ["../o", "", "x", "S"])
def test_an_unknown_size_is_refused(blobs: BlobStore, size: str) -> None:
    content_hash = blobs.put_bytes(b"one")
    with pytest.raises(ValueError, match="size"):
        blobs.path(content_hash, size)


def test_nothing_shows_before_commit_and_nothing_is_left_without_it(blobs: BlobStore) -> None:
    target = blob_path(blobs.root, "a" * 64, "o")
    with Batch(blobs.root) as batch:
        batch.add(target, b"half")
        assert not target.exists()
    assert files(blobs) == []


def test_sweep_removes_what_a_killed_import_left(blobs: BlobStore) -> None:
    kept = blobs.put_bytes(b"kept")
    # A killed worker never leaves its `with`.
    Batch(blobs.root).add(blob_path(blobs.root, "b" * 64, "o"), b"left behind")
    assert blobs.sweep() == 1
    assert files(blobs) == [blobs.path(kept, "o")]


def test_many_at_once_put_the_same_blobs(blobs: BlobStore) -> None:
    contents = [bytes([n]) * 5000 for n in range(20)] * 4
    with ThreadPoolExecutor(8) as pool:
        hashes = list(pool.map(blobs.put_bytes, contents))
    assert len(files(blobs)) == 20
    for content, content_hash in zip(contents, hashes, strict=True):
        assert blobs.path(content_hash, "o").read_bytes() == content


@pytest.mark.parametrize("syncfs", [None, lambda fd: -1])
def test_where_the_file_system_cannot_be_synced_every_file_and_folder_is(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch, syncfs: Callable[[int], int] | None
) -> None:
    synced: set[tuple[int, int]] = set()
    fsync = os.fsync

    def noted(fd: int) -> None:
        status = os.fstat(fd)
        synced.add((status.st_dev, status.st_ino))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(blobfiles, "_syncfs", syncfs)
    contents = [str(n).encode() for n in range(2 * blobfiles.MANY)]
    with Batch(blobs.root) as batch:
        for content in contents:
            batch.add(blob_path(blobs.root, hashlib.sha256(content).hexdigest(), "o"), content)
        batch.commit()
    there = [*files(blobs), *{path.parent for path in files(blobs)}, blobs.root]
    assert len(files(blobs)) == len(contents)
    assert {(path.stat().st_dev, path.stat().st_ino) for path in there} <= synced
