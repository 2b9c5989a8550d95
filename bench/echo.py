"""A server that does nothing: the same websocket library and settings as `chorus serve`.

It answers every command with an acknowledgement of the usual size: what the network, the library
and the client cost together, and so a ceiling for any server behind them.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from chorus.server.transport.wire import Wire


class _Body(msgspec.Struct):
    votes: list[msgspec.Raw] = []


class _Command(msgspec.Struct):
    id: int
    body: _Body


async def echo(ws: WebSocket) -> None:
    await ws.accept()
    user = {"user_id": "echo", "name": "Echo", "login": "echo", "admin": False}
    await ws.send_json({"type": "welcome", "body": {"user": user, "version": "echo"}})
    decode = msgspec.json.Decoder(_Command).decode
    encode = msgspec.json.Encoder().encode
    try:
        while True:
            command = decode(await ws.receive_text())
            kept: dict[str, Any] = {"seq": 1, "duplicate": False}
            body = {"votes": [kept] * len(command.body.votes)} if command.body.votes else kept
            await ws.send_text(encode({"re": command.id, "ok": True, "body": body}).decode())
    except WebSocketDisconnect:
        return


async def healthz(request: Request) -> JSONResponse:
    return JSONResponse({"ok": True})


def serve(*routes: BaseRoute) -> None:
    """Serve these, and `/healthz`, at the port that is named on the command line."""
    uvicorn.run(
        Starlette(routes=[*routes, Route("/healthz", healthz)]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        ws=Wire,
        ws_max_size=512 * 1024,
        ws_per_message_deflate=False,
    )


def main() -> None:
    serve(WebSocketRoute("/ws", echo))


if __name__ == "__main__":
    main()
