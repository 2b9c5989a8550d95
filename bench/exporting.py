"""`python -m bench.exporting [ITEMS]`: what an export costs in time and memory.

A real server over a database of ITEMS items (100,000) with their votes (bench/large.py); every
format is asked for over REST, waited for and downloaded. Memory is the peak of each process, the
server's and that of the worker that writes the file, above what it held before.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.large import fill
from chorus.client import Rest
from chorus.client.process import ServerProcess

ITEMS = 100_000
FORMATS = ("csv", "jsonl", "coco", "label-studio", "parquet")


def memory(process: ServerProcess) -> dict[int, tuple[float, float]]:
    """pid -> (MB now, MB at most since the last reset) of the server and its workers."""
    found = {}
    for pid in [process.pid, *process.children()]:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        fields = dict(line.split(":", 1) for line in status.splitlines())
        now, peak = (int(fields[f].split()[0]) / 1024 for f in ("VmRSS", "VmHWM"))
        found[pid] = (now, peak)
    return found


def reset(pids: dict[int, tuple[float, float]]) -> None:
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


async def one(process: ServerProcess, admin: Rest, format: str) -> dict[str, float]:
    """`{"made_s", "seconds", "mb", "memory_mb"}`: until it was made, until it was downloaded, how
    large, and what it took in the process that needed most."""
    before = memory(process)
    reset(before)
    began = perf_counter()
    export = await admin.begin_export("p", format, content=False)
    while export.state in ("waiting", "running"):
        await asyncio.sleep(0.05)
        export = await admin.past_export("p", export.export_id)
    made = perf_counter() - began
    assert export.state == "done", export.error
    size = 0
    async with admin.download("p", f"exports/{export.export_id}/file") as chunks:
        async for chunk in chunks:
            size += len(chunk)
    took = perf_counter() - began
    # A worker that began with the export holds its interpreter and libraries, too.
    more = [peak - before.get(pid, (0.0, 0.0))[0] for pid, (_, peak) in memory(process).items()]
    return {
        "made_s": round(made, 2),
        "seconds": round(took, 2),
        "mb": round(size / 1e6, 1),
        "memory_mb": round(max(more)),
        "memory_all_mb": round(sum(more)),
    }


def line(format: str, found: dict[str, float]) -> str:
    return (
        f"{format:13} made in {found['made_s']:5.1f} s, downloaded after {found['seconds']:5.1f} s,"
        f" {found['mb']:6.1f} MB; memory: {found['memory_mb']:4.0f} MB more in the process that"
        f" needed most, {found['memory_all_mb']:4.0f} more in all"
    )


async def measure(folder: Path, items: int, formats: Sequence[str]) -> dict[str, Any]:
    """Each format -> what it took (`one`), of a project of so many items."""
    fill(folder / "chorus.sqlite", items)
    with sqlite3.connect(folder / "chorus.sqlite") as db:
        db.execute("UPDATE project SET prelabel = 0, cluster = 0")
    process = ServerProcess(folder)
    token = process.add_user("admin", "Admin", admin=True)
    await process.start()
    try:
        async with Rest(process.url, token) as admin:
            return {format: await one(process, admin, format) for format in formats}
    finally:
        await process.stop()


async def main(items: int) -> None:
    with tempfile.TemporaryDirectory(prefix="chorus-exporting-") as folder:
        print(f"{items:,} items")
        for format, found in (await measure(Path(folder), items, FORMATS)).items():
            print(line(format, found))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ITEMS))
