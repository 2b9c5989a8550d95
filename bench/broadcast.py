"""A server that does nothing but send one text to everybody: the ceiling of a fan-out.

The same websocket library and settings as `chorus serve`. `POST /send` sends its body to everybody.
"""

from __future__ import annotations

import asyncio
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

_open: set[WebSocket] = set()


async def join(ws: WebSocket) -> None:
    await ws.accept()
    _open.add(ws)
    try:
        while True:
            await ws.receive_text()
    except WebSocketDisconnect:
        _open.discard(ws)


async def send(request: Request) -> JSONResponse:
    text = (await request.body()).decode()
    await asyncio.gather(*(ws.send_text(text) for ws in _open))
    return JSONResponse({"sent": len(_open)})


async def healthz(request: Request) -> JSONResponse:
    return JSONResponse({"ok": True})


def main() -> None:
    routes = [
        WebSocketRoute("/ws", join),
        Route("/send", send, methods=["POST"]),
        Route("/healthz", healthz),
    ]
    uvicorn.run(
        Starlette(routes=routes),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        ws="websockets-sansio",
        ws_max_size=512 * 1024,
        ws_per_message_deflate=False,
    )


if __name__ == "__main__":
    main()
