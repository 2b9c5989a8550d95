"""What a server's process costs while it is used: memory and processor time, from /proc."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from chorus.client.process import descendants, stat

_TICKS = os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float | None:
    """Resident memory now, in MB (1e6 bytes); None: the process, or /proc, is not there."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return None


def cpu_s(pid: int) -> float:
    """Processor time so far, in seconds, of a process and of the children it has waited for."""
    fields = stat(pid)
    return 0.0 if fields is None else sum(int(field) for field in fields[11:15]) / _TICKS


def workers_cpu_s(pid: int) -> float:
    """The same of its live workers together."""
    return sum(cpu_s(child) for child in descendants(pid))


def disk_stalled_s() -> float | None:
    """Seconds so far in which something on this machine waited for a disk (Linux's pressure stall
    information); None: it does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        some = Path("/proc/pressure/io").read_text().splitlines()[0]
        return int(some.rpartition("total=")[2]) / 1e6
    return None
