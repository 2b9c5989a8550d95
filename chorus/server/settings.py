"""Settings of one server: where the data lives, where it listens, what it may use."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec


class Settings(msgspec.Struct, kw_only=True):
    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8000
    backbone: str = "efficientnet_lite0"
    threads: int = msgspec.field(default_factory=lambda: os.cpu_count() or 1)
    """CPU threads of one ML job."""
    upload_max_bytes: int = 4 << 30

    @property
    def database(self) -> Path:
        return self.data_dir / "chorus.sqlite"

    @property
    def blobs(self) -> Path:
        return self.data_dir / "blobs"

    def secret(self) -> str:
        """The key that signs sessions: made once, readable by the owner only."""
        path = self.data_dir / "secret"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text("ascii")
        with os.fdopen(handle, "w") as out:
            key = secrets.token_urlsafe(48)
            out.write(key)
        return key
