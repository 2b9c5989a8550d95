"""Every command with values that are a little, or altogether, wrong, at a real server: each is
answered, and nothing "goes wrong on our side"."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import websockets

from chorus.server.transport.commands import COMMANDS
from tests.server.test_protocol_examples import FRAMES
from tests.servers import Bench, page_of, pictures, vote_page

ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1 << 31, 1 << 63, 1 << 70, -(1 << 70), 1e308, 0.5, "", "x", "\0", "é" * 300,
    "9" * 400, "'; --", "../..", "<b>", [], {}, [None], [[[[]]]], {"class": "red"}, {"class": 1},
    {"classes": ["red", "red"]}, list(range(3000)), {"": None},
)  # fmt: skip


def changed(value: Any, rng: random.Random) -> Any:
    """One place of it made odd."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(sorted(value))
        if rng.random() < 0.1:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.6:
        at = rng.randrange(len(value))
        return [*value[:at], changed(value[at], rng), *value[at + 1 :]]
    return rng.choice(ODD)


async def test_any_command_is_answered(bench: Bench, tmp_path: Path) -> None:
    project = await bench.make(pictures(tmp_path, 12), page_size=4, gold_rate=0.5)
    stream = await bench.labeler(credit=1)
    await vote_page(stream, await page_of(stream))
    rng = random.Random(5)
    bodies: dict[str, list[Any]] = {}
    for frame in FRAMES:
        if frame.get("type") in COMMANDS and "id" in frame:
            bodies.setdefault(frame["type"], []).append(frame["body"])
    assert set(bodies) == set(COMMANDS)
    url = bench.server.url.replace("http", "ws") + "/ws"
    headers = {"Authorization": f"Bearer {await bench.person('supervisor')}"}
    number = 0
    async with websockets.connect(url, additional_headers=headers, max_size=None) as ws:
        for name in sorted(bodies):
            for _ in range(12):
                body = dict(rng.choice(bodies[name]))
                for field in ("project_id", "topic"):
                    if field in body:
                        body[field] = (
                            f"project/{project.project_id}/stats" if field == "topic"
                            else project.project_id
                        )  # fmt: skip
                body = changed(body, rng)
                number += 1
                await ws.send(json.dumps({"id": number, "type": name, "body": body}))
                while True:
                    answer = json.loads(await ws.recv())
                    if answer.get("re") == number or ("re" in answer and answer["re"] is None):
                        break
                code = answer.get("error", {}).get("code", "")
                assert code != "internal", f"{name} {json.dumps(body)[:300]}"
