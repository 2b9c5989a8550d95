"""Keys in files that only their owner reads."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

LEAST = 32
"""Characters. A file with fewer was cut off: a full disk, a crash."""


def key_in(path: Path, make: Callable[[], str] | None) -> str:
    """The key in a file, whole or not at all: many may make it at once, and all get the same.

    make: what a new one is; None: there must be one. Raises `OSError`, and `ValueError` for what is
    too short to be one: with an empty key anybody could sign cookies.
    """
    if make is not None and not path.exists():
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(make())
                out.flush()
                os.fsync(out.fileno())
            with contextlib.suppress(FileExistsError):  # somebody was faster
                os.link(part, path)
        finally:
            part.unlink(missing_ok=True)
    key = path.read_text("ascii").strip()
    if len(key) < LEAST:
        raise ValueError(
            f"{path} is no key, or was cut off: put it back from where you keep it, or remove it"
            " (docs/backup.md says what that costs)"
        )
    return key
