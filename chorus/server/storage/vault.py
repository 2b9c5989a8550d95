"""Credentials at rest: AES-256-GCM, with a key in a file that only the server's user reads."""

from __future__ import annotations

import base64
import os
import threading
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chorus.server.keyfile import key_in

NONCE_BYTES = 12


class Unreadable(Exception):
    """Sealed with another key, for another place, or damaged."""


class Vault:
    """The key is made at its first use; without it, what it sealed is lost."""

    def __init__(self, key_file: Path) -> None:
        self._file = key_file
        self._lock = threading.Lock()

    def seal(self, plain: bytes, place: str) -> str:
        """Printable text that `open` takes back, with the same `place` only: a sealed text that is
        put somewhere else in the database does not open there."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(self._key(make=True)).encrypt(nonce, plain, place.encode())
        return base64.b64encode(nonce + sealed).decode("ascii")

    def open(self, sealed: str, place: str) -> bytes:
        """Raises `Unreadable`."""
        try:
            data = base64.b64decode(sealed, validate=True)
            key = self._key(make=False)
            return AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError, OSError):
            raise Unreadable from None

    def _key(self, make: bool) -> bytes:
        with self._lock:
            key = key_in(self._file, _new if make else None)
            return base64.b64decode(key, validate=True)


def _new() -> str:
    return base64.b64encode(AESGCM.generate_key(256)).decode("ascii")
