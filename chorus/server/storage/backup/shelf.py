"""Objects and snapshots on a place."""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections.abc import Iterator

import msgspec

from chorus.server.storage.backup.places import BackupError, Damaged, Missing, Place
from chorus.server.storage.backup.snapshots import (
    FORMAT,
    MARKER,
    OBJECTS,
    SNAPSHOTS,
    Entry,
    FileList,
    Marker,
    Snapshot,
    entries,
    ids,
    name_of,
    object_of,
)

PACKED_MOST = 64 << 20
"""No part unpacks to more, nor does a list: they are cut far below (`snapshots.LIST_BYTES`)."""
LIST_MOST = 1 << 30
"""Lists of an older Chorus were not cut."""
LEVEL = 1
"""Of zlib: a database shrinks to a third, as fast as a disk writes."""


class Shelf:
    """`known`: names of the objects that are there."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.known: set[str] = set()
        self.new_objects = 0
        self.new_bytes = 0
        self._broken: set[str] = set()
        self._lock = threading.Lock()

    def check(self, make: bool = False) -> None:
        """Are there backups that we can read? make: begin here if there is nothing. Raises
        `BackupError`."""
        try:
            found = msgspec.json.decode(self._whole(MARKER), type=Marker)
        except Missing:
            if not make:
                raise BackupError(f"there are no backups at {self.place.address}") from None
            self.place.put(MARKER, msgspec.json.encode(Marker()))
            return
        except msgspec.DecodeError:
            raise BackupError(f"{MARKER} at {self.place.address} is damaged") from None
        if found.format > FORMAT:
            raise BackupError("these backups were made by a newer Chorus; install that")

    def look(self) -> None:
        """Learn what is there."""
        self.known = set(self.place.names(OBJECTS))

    # -- writing

    def add(self, sha256: str, data: bytes | Iterator[bytes], size: int) -> None:
        """A file's content, unless it is there. What the pieces raise comes out here."""
        self._add(object_of(sha256), data, size)

    def add_packed(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        name = object_of(sha256, packed=True)
        if name not in self.known:
            packed = zlib.compress(data, LEVEL)
            self._add(name, packed, len(packed))
        return sha256

    def _add(self, name: str, data: bytes | Iterator[bytes], size: int) -> None:
        if name in self.known:
            return
        if name in self._broken:
            self.place.remove(name)
        # Two at once put the same, which does no harm; one that fails makes nobody believe in it.
        self.place.put(name, data)
        with self._lock:
            if name not in self.known:
                self.known.add(name)
                self.new_objects += 1
                self.new_bytes += size

    def distrust(self, one: FileList) -> None:
        """The list cannot be read: it is written again should it come again."""
        name = object_of(one.sha256, packed=True)
        self.known.discard(name)
        self._broken.add(name)

    # -- reading: what is not what it was raises `Damaged`

    def content(self, sha256: str) -> Iterator[bytes]:
        """A file's content in chunks; wrong content raises after the last one."""
        digest = hashlib.sha256()
        for chunk in self.place.get(object_of(sha256)):
            digest.update(chunk)
            yield chunk
        if digest.hexdigest() != sha256:
            raise Damaged(f"{object_of(sha256)} is damaged")

    def packed(self, sha256: str, most: int = PACKED_MOST) -> bytes:
        name = object_of(sha256, packed=True)
        unpack = zlib.decompressobj()
        try:
            data = unpack.decompress(self._whole(name), most)
        except zlib.error:
            raise Damaged(f"{name} is damaged") from None
        if not unpack.eof or hashlib.sha256(data).hexdigest() != sha256:
            raise Damaged(f"{name} is damaged")
        return data

    def entries(self, one: FileList) -> list[Entry]:
        return list(entries(self.packed(one.sha256, LIST_MOST)))

    def snapshots(self) -> list[str]:
        """Ids, oldest first."""
        return ids(self.place.names(SNAPSHOTS))

    def snapshot(self, snapshot_id: str) -> Snapshot:
        try:
            return msgspec.json.decode(self._whole(name_of(snapshot_id)), type=Snapshot)
        except msgspec.DecodeError:
            raise Damaged(f"backup {snapshot_id} is damaged: its description is") from None

    def _whole(self, name: str) -> bytes:
        return b"".join(self.place.get(name))
