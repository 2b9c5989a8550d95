"""Pictures and texts on disk by content hash. They never change, so URLs of them can be cached."""

from __future__ import annotations

import hashlib
from pathlib import Path

from chorus.server.formats.blobfiles import STAGING, Batch, Size, blob_path
from chorus.server.formats.sniff import HEAD_BYTES, sniff
from chorus.server.formats.texts import TEXT_START, TEXT_TYPE

SIZES: tuple[Size, ...] = ("s", "m", "o")


class BlobStore:
    """The blob folder of one server. Safe to use from many threads and processes at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, content_hash: str, size: Size) -> Path:
        """The file to serve: for `s` and `m` the thumbnail, or the next larger file there is.

        An original that is small and that every browser shows has no thumbnails, and one of at
        most 1024 px no `m`. Raises `ValueError` for a malformed hash or size, and
        `FileNotFoundError` when there is no such blob.
        """
        candidates: tuple[Size, ...] = (size,) if size == "o" else (size, "o")
        for candidate in candidates:
            path = blob_path(self.root, content_hash, candidate)
            if path.is_file():
                return path
        raise FileNotFoundError(f"no blob {content_hash}")

    def media_type(self, path: Path) -> str:
        """Media type by content: `image/jpeg` …, `application/json` of a text (formats/texts);
        `application/octet-stream` when unknown."""
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if head.startswith(TEXT_START):
            return TEXT_TYPE
        return sniff(head) or "application/octet-stream"

    def put_bytes(self, data: bytes, size: Size = "o", content_hash: str | None = None) -> str:
        """Store `data` durably; the content hash it is found by.

        A thumbnail is stored under the hash of its original, which then must be given.
        """
        if content_hash is None:
            if size != "o":
                raise ValueError("a thumbnail needs the content hash of its original")
            content_hash = hashlib.sha256(data).hexdigest()
        with Batch(self.root) as batch:
            batch.add(blob_path(self.root, content_hash, size), data)
            batch.commit()
        return content_hash

    def remove(self, content_hash: str) -> None:
        """Remove a blob with its thumbnails; one that is not there is no error."""
        for size in SIZES:
            blob_path(self.root, content_hash, size).unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove what a killed import left half-written; the number of files.

        Call only while no import runs (at start-up).
        """
        leftovers = list((self.root / STAGING).glob("*"))
        for file in leftovers:
            file.unlink(missing_ok=True)
        return len(leftovers)
