"""A websocket spoken to frame by frame, as a browser does it."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import websockets

from chorus.client.messages import Project
from tests.servers import PATIENCE, Bench

Frame = dict[str, Any]


class Raw:
    """A socket spoken to frame by frame, as a browser gets them."""

    def __init__(self, ws: websockets.ClientConnection, project: Project) -> None:
        self._ws = ws
        self._project = project
        self._id = 0
        self.texts: list[str] = []
        self.pushed: list[Frame] = []

    async def receive(self) -> Frame:
        text = str(await asyncio.wait_for(self._ws.recv(), PATIENCE))
        self.texts.append(text)
        frame: Frame = json.loads(text)
        if "re" not in frame:
            self.pushed.append(frame)
        return frame

    async def ask(self, type: str, **body: Any) -> Frame:
        self._id += 1
        body = {"project_id": self._project.project_id, **body}
        await self._ws.send(json.dumps({"id": self._id, "type": type, "body": body}))
        while (frame := await self.receive()).get("re") != self._id:
            pass
        return frame

    async def until(self, *types: str) -> Frame:
        """The next pushed frame of these types that was not taken yet."""
        while True:
            for frame in self.pushed:
                if frame["type"] in types:
                    self.pushed.remove(frame)
                    return frame
            await self.receive()

    async def vote(self, item: Frame, answer: str, **more: Any) -> tuple[str, Frame]:
        vote_id = str(uuid.uuid4())
        body = {
            "vote_id": vote_id,
            "item_id": item["item_id"],
            "lease_id": None if "supersedes" in more else item["lease_id"],
            "kind": "label",
            "value": {"class": answer},
            "duration_ms": 700,
            **more,
        }
        return vote_id, await self.ask("vote.cast", **body)


def connect(bench: Bench, token: str) -> websockets.connect:
    url = bench.server.url.replace("http", "ws") + "/ws"
    return websockets.connect(url, additional_headers={"Authorization": f"Bearer {token}"})
