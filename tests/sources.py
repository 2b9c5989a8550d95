"""Data sources of a project on a test server, and what lies in them."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from PIL import Image

from chorus.client import ApiError
from tests.buckets import Buckets
from tests.servers import PATIENCE, Bench


def drawn(n: int, size: int = 24) -> bytes:
    """A picture unlike those of other numbers."""
    image = Image.new("RGB", (size, size), (n * 7 % 256, n * 31 % 256, 90))
    image.putpixel((n % size, n // size % size), (255, 255, 255))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def files(count: int, start: int = 0) -> dict[str, bytes]:
    return {f"day/{n:03}.png": drawn(n) for n in range(start, start + count)}


class Sources:
    """A project's sources, by REST."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.root = f"/api/projects/{bench.project.project_id}/sources"

    async def ask(self, method: str, path: str = "", body: Any = None) -> Any:
        options = {} if body is None else {"json": body}
        answer = await self.bench.admin.request(method, self.root + path, **options)
        return json.loads(answer.content) if answer.content else None

    async def refused(self, method: str, path: str = "", body: Any = None) -> str:
        with pytest.raises(ApiError) as caught:
            await self.ask(method, path, body)
        return f"{caught.value.code}: {caught.value.message}"

    async def refreshed(self, source_id: str) -> dict[str, Any]:
        await self.ask("POST", f"/{source_id}/refresh")
        return await self.settled(source_id)

    async def settled(self, source_id: str) -> dict[str, Any]:
        def over(source: dict[str, Any]) -> bool:
            return source["last"] is not None and source["last"]["state"] != "running"

        return dict((await self.until(source_id, over))["last"])

    async def until(self, source_id: str, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The source, once it is as wanted."""
        async with asyncio.timeout(PATIENCE):
            while not what(source := await self.ask("GET", f"/{source_id}")):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return dict(source)

    async def items(self) -> dict[str, dict[str, Any]]:
        found = await self.bench.admin.request(
            "GET", f"/api/projects/{self.bench.project.project_id}/items?limit=200"
        )
        return {item["name"]: item for item in json.loads(found.content)["items"]}

    async def names(self) -> list[str]:
        """Of all items, in the order in which they came."""
        root = f"/api/projects/{self.bench.project.project_id}/items?limit=200"
        names: list[str] = []
        after: int | None = 0
        while after is not None:
            answer = await self.bench.admin.request("GET", f"{root}&after={after}")
            found = json.loads(answer.content)
            names += [item["name"] for item in found["items"]]
            after = found["next"]
        return names

    async def get(self, path: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.bench.server.token}"}
        async with httpx.AsyncClient(
            base_url=self.bench.server.url, headers=headers, timeout=PATIENCE
        ) as http:
            return await http.get(path)


def at(s3: Buckets, bucket: str, who: str = "reader", **more: Any) -> dict[str, Any]:
    return {
        "url": f"s3://{bucket}/day",
        "endpoint": s3.url,
        "credentials": s3.keys[who],
        **more,
    }


def count(last: dict[str, Any], *names: str) -> list[int]:
    return [last[name] for name in names]
