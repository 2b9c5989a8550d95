"""uvicorn with a farewell: people are told about a restart before their sockets close."""

from __future__ import annotations

import contextlib
import resource
import socket
import sys

import uvicorn
from starlette.applications import Starlette

from chorus.server.lock import serving
from chorus.server.settings import Settings
from chorus.server.transport.protocol import FRAME_MAX
from chorus.server.transport.wire import Wire

FRAME_BYTES_MAX = FRAME_MAX + (1 << 20)
"""Above the protocol's own limit, so that a frame too large gets an answer, not a cut."""
GRACE_S = 5
KEEP_ALIVE_S = 150
"""How long a connection between two requests is kept. Longer than those keep it who send the next
one (httpx 5 s, nginx 60 s, caddy 120 s): whoever sends just as the other end closes loses a
request, and one that changes something may not be sent again unasked. uvicorn's own are 5 s too."""
FILES = 65_536
SWITCH_S = 0.0002
"""How long a thread keeps the interpreter that another one waits for; Python's own are 5 ms. The
writer gives it away with every statement, a hundred times for a page of votes, and waits for it."""


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn closes the websockets before the application hears of it; so we say goodbye
        # first, and stop listening before that, or clients would come back to a dying server.
        for server in self.servers:
            server.close()
        self._app.state.services.news.end()  # requests that wait for events are answered now
        await self._app.state.hub.say_goodbye("restart")
        await super().shutdown(sockets)


def _open_files() -> None:
    """As many as we may: each person takes one, and most systems allow 1,024 until asked."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def config(app: Starlette, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        ws=Wire,
        ws_max_size=FRAME_BYTES_MAX,
        ws_per_message_deflate=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )


def serve(app: Starlette, settings: Settings) -> bool:
    """Run until a signal stops it. False if it could not start (its reason is in the log)."""
    _open_files()
    sys.setswitchinterval(SWITCH_S)
    server = Server(config(app, settings), app)
    with contextlib.suppress(KeyboardInterrupt), serving(settings.data_dir):
        server.run()
    return server.started
