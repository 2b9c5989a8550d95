"""Which browser the tests drive, and how."""

from __future__ import annotations

import os
import shutil
from typing import Any

NAMES = (
    "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome",
    "google-chrome-stable",
)  # fmt: skip
"""The best first: the headless shell is the same engine without the parts around the pages, which
take as much processor time as the pages (scripts/chromium.sh looks for the same)."""


def launching() -> dict[str, Any]:
    """What Playwright starts it with. Raises `AssertionError` where there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    assert path is not None, "no Chromium: run `make chromium`"
    # Root has no user namespaces to build the sandbox from (CI in a container).
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {
        "executable_path": path,
        "args": [
            *sandbox, "--disable-background-networking", "--disable-component-update",
            # Without a GPU, what draws in its place needs no process of its own.
            "--in-process-gpu", "--num-raster-threads=1",
        ],
    }  # fmt: skip
