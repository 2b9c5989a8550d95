"""Where backups are kept: a folder, or a bucket of S3, Google or Azure. Everything blocks.

Unlike a data source, the address is the operator's own, and so are the credentials: those of the
environment, as other programs of theirs use them (AWS_ACCESS_KEY_ID, AZURE_STORAGE_ACCOUNT_NAME,
GOOGLE_APPLICATION_CREDENTIALS …; an S3 server of one's own: AWS_ENDPOINT_URL, AWS_ALLOW_HTTP).
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import from_url

from chorus.server.domain.sources import SCHEMES, Address, address_of
from chorus.server.formats.blobfiles import STAGING, Batch
from chorus.server.storage.remote import CHUNK, LISTED, meaning

TOGETHER = 256
"""Files of a folder that are brought onto the disk together."""


class BackupError(Exception):
    """In words for the operator."""


class Damaged(BackupError):
    """One thing there is not what was put, and will not be by trying again."""


class Missing(Damaged):
    """There is no such object."""


class Place(Protocol):
    """Files by name, with / between folders. All raise `BackupError`."""

    address: str

    def put(self, name: str, data: bytes | Iterator[bytes]) -> None:
        """Keep a file: whole, or not at all if the pieces raise, which comes out here. Safe to call
        from many threads."""
        ...

    def flush(self) -> None:
        """All that was put is there for good."""
        ...

    def get(self, name: str) -> Iterator[bytes]:
        """Its content, in chunks. Raises `Damaged`, at once or on the way."""
        ...

    def names(self, below: str) -> Iterator[str]:
        """Of all files below a folder, in any order."""
        ...

    def remove(self, name: str) -> None: ...


def open_place(address: str) -> Place:
    """`address`: a folder's path, or s3://, gs://, az:// or file://. Raises `BackupError`."""
    if address.partition("://")[0].lower() not in SCHEMES:
        if "://" in address:
            raise BackupError("an address begins with s3://, gs://, az:// or file://")
        return FolderPlace(Path(address).absolute())
    try:
        found = address_of(address)
    except ValueError as error:
        raise BackupError(str(error)) from None
    return FolderPlace(Path(found.prefix)) if found.kind == "file" else BucketPlace(found)


class FolderPlace:
    """Files appear whole or not at all, and stay after a power cut once `flush` has returned."""

    def __init__(self, root: Path) -> None:
        self.address = str(root)
        self._root = root
        self._lock = threading.Lock()
        self._batch: Batch | None = None
        self._staged = 0

    def put(self, name: str, data: bytes | Iterator[bytes]) -> None:
        with self._lock:
            try:
                if self._batch is None:
                    # Like the data folder: what is in it is not for everybody on this machine.
                    self._root.mkdir(mode=0o750, parents=True, exist_ok=True)
                    self._batch = Batch(self._root)
                if isinstance(data, bytes):
                    self._batch.add(self._root / name, data)
                else:
                    self._batch.add_chunks(self._root / name, data)
                self._staged += 1
                if self._staged >= TOGETHER:
                    self._commit()
            except OSError as error:
                self._drop()
                raise self._failed(error) from error

    def flush(self) -> None:
        with self._lock:
            try:
                self._commit()
            except OSError as error:
                self._drop()
                raise self._failed(error) from error

    def _commit(self) -> None:
        if self._batch is not None:
            self._batch.commit()
            self._drop()

    def _drop(self) -> None:
        """What was not committed goes, also that of a backup that was killed."""
        self._batch, self._staged = None, 0
        with contextlib.suppress(OSError):
            for part in (self._root / STAGING).glob("*"):
                part.unlink(missing_ok=True)

    def get(self, name: str) -> Iterator[bytes]:
        try:
            with (self._root / name).open("rb") as file:
                yield from iter(lambda: file.read(CHUNK), b"")
        except FileNotFoundError:
            raise Missing(f"{name} is not there") from None
        except OSError as error:
            if error.errno == errno.EIO:
                raise Damaged(f"{name} cannot be read: {error.strerror}") from error
            raise self._failed(error) from error

    def names(self, below: str) -> Iterator[str]:
        for folder, folders, files in os.walk(self._root / below):
            folders[:] = [name for name in folders if name != STAGING]
            for name in files:
                yield Path(folder, name).relative_to(self._root).as_posix()

    def remove(self, name: str) -> None:
        try:
            (self._root / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> BackupError:
        return BackupError(f"{self.address}: {error.strerror or error}")


class BucketPlace:
    """A bucket (Azure: a container) of an object store; what is put is there for good."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._prefix = f"{address.prefix}/" if address.prefix else ""
        self.address = f"{address.kind}://{address.bucket}/{address.prefix}".rstrip("/")
        how: dict[str, Any] = {
            "retry_config": {"max_retries": 5, "retry_timeout": timedelta(minutes=2)},
        }
        try:
            self._store = from_url(f"{address.kind}://{address.bucket}", **how)
        except (BaseError, ValueError, TypeError) as error:
            raise self._failed(error) from None

    def put(self, name: str, data: bytes | Iterator[bytes]) -> None:
        try:
            obstore.put(self._store, self._prefix + name, data)
        except (BaseError, OSError, ValueError) as error:
            raise self._failed(error) from error

    def flush(self) -> None:
        pass

    def get(self, name: str) -> Iterator[bytes]:
        try:
            found = obstore.get(self._store, self._prefix + name)
            yield from (bytes(chunk) for chunk in found.stream(min_chunk_size=CHUNK))
        except (FileNotFoundError, NotFoundError):
            raise Missing(f"{name} is not there") from None
        except (BaseError, OSError, ValueError) as error:
            raise self._failed(error) from error

    def names(self, below: str) -> Iterator[str]:
        try:
            for part in obstore.list(self._store, self._prefix + below, chunk_size=LISTED):
                for file in part:
                    yield file["path"][len(self._prefix) :]
        except (BaseError, OSError, ValueError) as error:
            raise self._failed(error) from error

    def remove(self, name: str) -> None:
        try:
            obstore.delete(self._store, self._prefix + name)
        except (FileNotFoundError, NotFoundError):
            return
        except (BaseError, OSError, ValueError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> BackupError:
        return BackupError(meaning(error, self._address).message)
