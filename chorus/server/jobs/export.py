"""The job that writes an export: rows from a spool in, a zip out. Runs in a worker process."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from chorus.server.formats.bundle import PASSES, Head, write_bundle
from chorus.server.formats.media import Media
from chorus.server.formats.spool import Spool

_EVERY_S = 0.2


def export(params: dict[str, Any]) -> dict[str, Any]:
    """params: head (JSON of `Head`), spool, rows (how many are in it), blobs (folders), target,
    progress. Returns `{"manifest", "bytes"}`."""
    head = msgspec.json.decode(Path(params["head"]).read_bytes(), type=Head)
    target = Path(params["target"])
    follow = _follow(Path(params["progress"]), params["rows"] * PASSES[head.format])
    spool = Spool(Path(params["spool"]), follow)
    # A million short-lived objects and no rings among them: looking for those is a tenth of it.
    gc.disable()
    try:
        manifest = write_bundle(head, spool, Media(*map(Path, params["blobs"])), target)
    finally:
        gc.enable()
    return {"manifest": manifest, "bytes": target.stat().st_size}


def _follow(path: Path, total: int) -> Callable[[], None]:
    """Called for every row: writes now and then which share of them is done."""
    done, due = 0, time.monotonic() + _EVERY_S

    def row() -> None:
        nonlocal done, due
        done += 1
        if done % 100 or time.monotonic() < due:
            return
        due = time.monotonic() + _EVERY_S
        part = path.with_name(path.name + ".part")
        with contextlib.suppress(OSError):
            part.write_text(f"{done / max(1, total):.4f}")
            os.replace(part, path)

    return row
