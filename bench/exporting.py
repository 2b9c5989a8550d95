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
from pathlib import Path
from time import perf_counter

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


async def main(items: int) -> None:
    with tempfile.TemporaryDirectory(prefix="chorus-exporting-") as folder:
        data = Path(folder)
        fill(data / "chorus.sqlite", items)
        with sqlite3.connect(data / "chorus.sqlite") as db:
            db.execute("UPDATE project SET prelabel = 0, cluster = 0")
            (votes,) = db.execute("SELECT COUNT(*) FROM vote").fetchone()
        process = ServerProcess(data)
        token = process.add_user("admin", "Admin", admin=True)
        await process.start()
        print(f"{items:,} items, {votes:,} votes")
        try:
            async with Rest(process.url, token) as admin:
                for format in FORMATS:
                    await one(process, admin, format)
        finally:
            await process.stop()


async def one(process: ServerProcess, admin: Rest, format: str) -> None:
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
    print(
        f"{format:13} made in {made:5.1f} s, downloaded after {took:5.1f} s, {size / 1e6:6.1f} MB;"
        f" memory: {max(more):4.0f} MB more in the process that needed most, {sum(more):4.0f} more"
        " in all"
    )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ITEMS))
