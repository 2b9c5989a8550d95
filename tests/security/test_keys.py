"""The key that signs sessions: with an empty one anybody could sign in as anybody."""

from __future__ import annotations

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chorus.server import doctor
from chorus.server.cli import app
from chorus.server.settings import Settings


def test_it_is_one_and_whole_whoever_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path / "data")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as trouble:
        trouble.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            settings.secret()
    assert list(settings.data_dir.iterdir()) == [], "half a key is none"
    with ThreadPoolExecutor(8) as many:
        (key,) = set(many.map(lambda _: settings.secret(), range(32)))
    assert len(key) == 64
    (file,) = settings.data_dir.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) & 0o007 == 0


def test_no_server_starts_with_one_that_was_cut_off(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("")
    done = CliRunner().invoke(app, ["serve", "--data-dir", str(tmp_path)])
    assert done.exit_code == 1
    assert f"{tmp_path / 'secret'} is no key" in done.output
    found = {f.name: f for f in doctor.examine(tmp_path, "127.0.0.1", 0, models=False)}
    assert found["secrets"].state == "bad"
