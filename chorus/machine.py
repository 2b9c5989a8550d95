"""What this process may use of its machine."""

from __future__ import annotations

import os


def cores() -> int:
    """Processors it may run on: a container or `taskset` may leave it few of many."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
