"""`python -m bench.rooms [ITEMS]`: how long the rooms of a large project (100,000 items) let people
wait.

A real server over a database with votes in every state (bench/large.py), no model. The dashboard in
real Chromium, if there is one (`make chromium`): from the address to the figures on the page. The
review room's filters over the websocket, each asked for five times; and an export as CSV.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import uvloop

from bench import chromium
from bench.exporting import memory, one
from bench.large import fill
from chorus.client import Rest, Socket
from chorus.client.process import ServerProcess

ITEMS = 100_000
REPEATS = 5
GOALS = {"dashboard_ms": 1000.0, "filter_ms": 300.0, "export_s": 10.0, "export_mb": 200.0}
FILTERS: dict[str, dict[str, Any]] = {
    "to review": {"state": "needs_review"},
    "labeled": {"state": "labeled"},
    "one class": {"state": "labeled", "class": "class 3"},
    "people disagree": {"state": "labeled", "disagreement": "people"},
    "the model objects": {"state": "labeled", "disagreement": "model"},
    "unsure": {"state": "labeled", "confidence_max": 0.55},
    "one labeler": {"state": "labeled", "labeler": "u3"},
    "a name": {"state": "all", "text": "IMG_0099999"},
    "a folder": {"state": "all", "text": "trap-5/"},
}


async def rooms(folder: Path, items: int = ITEMS) -> dict[str, Any]:
    database = folder / "chorus.sqlite"
    fill(database, items)
    with sqlite3.connect(database) as db:
        db.execute("UPDATE project SET prelabel = 0, cluster = 0")
    process = ServerProcess(folder)
    token = process.add_user("admin", "Admin", admin=True)
    await process.start()
    try:
        async with Rest(process.url, token, timeout=300.0) as admin:
            link = await admin.signin_link((await admin.me()).user_id)
            found: dict[str, Any] = {"items": items, "filters_ms": await _filters(process, token)}
            found["filter_ms"] = max(found["filters_ms"].values())
            found["stats_ms"] = await _stats(admin)
            found["dashboard_ms"] = await _dashboard(process.url, link)
            took = await one(process, admin, "csv")
            found["export_s"], found["export_mb"] = took["seconds"], took["memory_mb"]
            found["server_mb"] = round(max(now for now, _ in memory(process).values()))
    finally:
        await process.stop()
    return found


async def _filters(process: ServerProcess, token: str) -> dict[str, float]:
    """The median of each filter's first page with its count, in ms."""
    out = {}
    async with Socket(process.url, token) as socket:
        for name, asked in FILTERS.items():
            took = []
            for _ in range(REPEATS):
                began = perf_counter()
                await socket.request("review.list", {"project_id": "p", **asked})
                took.append((perf_counter() - began) * 1000)
            out[name] = round(median(took), 1)
    return out


async def _stats(admin: Rest) -> float:
    """All figures of the dashboard, by REST, in ms; the first time."""
    began = perf_counter()
    await admin.stats("p")
    return round((perf_counter() - began) * 1000, 1)


async def _dashboard(url: str, link: str) -> float | None:
    """From the address to the figures, in ms: the median of five loads. None: no Chromium."""
    path = chromium.found()
    if path is None:
        return None
    async with chromium.browsing(path) as browser:
        page = await browser.new_page()
        await page.goto(f"{url}{link}" if link.startswith("/") else link)
        took = []
        for _ in range(REPEATS):
            began = perf_counter()
            await page.goto(f"{url}/p/p")
            await page.wait_for_function(
                "() => /[1-9]/.test(document.querySelector('#done')?.textContent ?? '')"
            )
            took.append((perf_counter() - began) * 1000)
    return round(median(took), 1)


async def main(items: int) -> None:
    with tempfile.TemporaryDirectory(prefix="chorus-rooms-") as folder:
        found = await rooms(Path(folder), items)
    print(json.dumps(found, indent=2))
    for name, goal in GOALS.items():
        figure = found[name]
        said = "not measured" if figure is None else f"{figure:g} (at most {goal:g})"
        print(f"{name:14} {said}")


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ITEMS))
