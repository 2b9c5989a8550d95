"""Idempotency keys: sent again is not done again."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest

from chorus.client import ApiError, Rest
from tests.servers import Bench


async def test_a_request_sent_again_is_done_once(bench: Bench) -> None:
    await bench.make()
    key = {"Idempotency-Key": secrets.token_hex(8)}
    body = {"name": f"Once {secrets.token_hex(4)}", "classes": ["a", "b"]}

    async def post(body: dict[str, Any], who: Rest = bench.admin) -> Any:
        return await who.request("POST", "/api/projects", json=body, headers=key)

    first = await post(body)
    again = await post(body)
    assert again.status_code == first.status_code == 201
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    found = [p for p in await bench.admin.projects() if p.name == body["name"]]
    assert len(found) == 1

    with pytest.raises(ApiError) as other:
        await post({**body, "name": "Another"})
    assert other.value.code == "conflict"
    # Somebody else's key of the same name is another key.
    async with Rest(bench.server.url, await bench.person("supervisor")) as person:
        with pytest.raises(ApiError) as refused:
            await post(body, person)
    assert refused.value.code == "forbidden"


async def test_of_many_at_once_one_is_done(bench: Bench) -> None:
    await bench.make()
    url = f"/api/projects/{bench.project.project_id}/notes"
    key = {"Idempotency-Key": secrets.token_hex(8)}
    sent = [bench.admin.request("POST", url, json={"text": "Look."}, headers=key) for _ in range(5)]
    answers = await asyncio.gather(*sent, return_exceptions=True)
    assert all(getattr(a, "code", "conflict") == "conflict" for a in answers)
    assert any(not isinstance(a, BaseException) for a in answers)
    assert len((await bench.admin.request("GET", url)).json()["notes"]) == 1


async def test_a_refused_request_frees_its_key(bench: Bench) -> None:
    key = {"Idempotency-Key": secrets.token_hex(8)}
    for name in ("", "x" * 500):
        with pytest.raises(ApiError):
            await bench.admin.request("POST", "/api/projects", json={"name": name}, headers=key)
    body = {"name": "Right", "classes": ["a", "b"]}
    made = await bench.admin.request("POST", "/api/projects", json=body, headers=key)
    assert made.status_code == 201
