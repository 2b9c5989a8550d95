"""Backups on a schedule. Pure."""

from __future__ import annotations

import re

import msgspec

AGAIN_MS = 5 * 60_000
"""After a failure, unless the next one is due before."""
UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
KEEP = 48


class Plan(msgspec.Struct, frozen=True):
    """address: a folder or an object store; every_ms: from one to the next; keep: how many stay."""

    address: str
    every_ms: int
    keep: int
    keys: bool = False


class Last(msgspec.Struct):
    """How it stands; kept beside the data, so that a restart does not begin anew."""

    address: str
    at: int | None = None
    """Of the newest backup."""
    bytes: int = 0
    """It took so many beyond the ones before."""
    error: str | None = None
    """Why the last attempt failed; None: it did not."""
    failing_since: int | None = None


def every_of(text: str) -> int:
    """ "30m", "1h", "1d" in ms. Raises `ValueError`."""
    found = re.fullmatch(r"(\d{1,4})([mhd])", text.strip())
    if found is None or int(found[1]) == 0:
        raise ValueError("how often: a number and m, h or d, such as 30m, 1h, 1d")
    return int(found[1]) * UNITS[found[2]]


def wait_ms(last: Last, every_ms: int, now: int) -> int:
    """How long until the next one is due; whatever the clock was set to, never longer than one
    turn."""
    if last.error is not None:
        return min(AGAIN_MS, every_ms)
    if last.at is None:
        return 0
    return max(0, min(every_ms, last.at + every_ms - now))
