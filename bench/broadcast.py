"""A server that does nothing but send one text to everybody: the ceiling of a fan-out.

The same websocket library and settings as `chorus serve`. `POST /send` sends its body to everybody.
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from bench.echo import serve

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


def main() -> None:
    serve(WebSocketRoute("/ws", join), Route("/send", send, methods=["POST"]))


if __name__ == "__main__":
    main()
