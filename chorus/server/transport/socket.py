"""The websocket endpoint: a thin shell of I/O around protocol, commands and outbox."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from time import monotonic
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from chorus.server.clock import now_ms
from chorus.server.errors import ApiError
from chorus.server.logs import request_id
from chorus.server.services.limits import SOCKETS_MAX
from chorus.server.transport import commands
from chorus.server.transport.auth import current_user
from chorus.server.transport.hub import Hub, Outbox
from chorus.server.transport.protocol import (
    BadFrame,
    Command,
    Connection,
    error_frame,
    plain_frame,
    reply_frame,
)
from chorus.server.transport.wire import EXTENSION, Gone, Wire

log = logging.getLogger(__name__)

IN_FLIGHT_MAX = 64
"""Commands of one socket being worked on; more wait unread (TCP pushes back)."""
LARGE = 256 * 1024
"""Of commands larger than this one at a time: each takes its memory while it is worked on."""
CLOSE_CODES = {"restart": 1012, "slow": 1013, "replaced": 4001, "session_ended": 4003,
               "token_ended": 4003, "role_changed": 4004}  # fmt: skip


async def websocket(ws: WebSocket) -> None:
    try:
        user = await current_user(ws)
    except ApiError:
        user = None
    # Refused before accept: the browser sees 403 and no socket opens.
    if user is None:
        await ws.close(4401)
        return
    if not user.sees_all and ws.app.state.hub.sockets_of(user.user_id) >= SOCKETS_MAX:
        await ws.close(4429)
        return
    await ws.accept()
    outbox = Outbox()
    hub: Hub = ws.app.state.hub
    hub.join(outbox, user, await ws.app.state.services.projects.highest(user))
    end = None
    if await current_user(ws) is None and user.door is not None:
        hub.end_door(user.door)  # it ended before its sockets could be found
    elif user.door is not None and user.until is not None:
        left = max(0, user.until - now_ms()) / 1000
        end = asyncio.get_running_loop().call_later(left, hub.end_door, user.door)
    ctx = commands.Context(user, ws.app.state.services, hub, outbox)
    outbox.put(
        plain_frame(
            "welcome",
            {"user": user.public(), "version": ws.app.state.version, "now": now_ms()},
        )
    )
    wire: Wire = ws.scope["extensions"][EXTENSION]
    reader = asyncio.ensure_future(_read(wire, ctx))
    writer = asyncio.ensure_future(_write(ws, wire, outbox))
    try:
        await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
    finally:
        if end is not None:
            end.cancel()
        hub.leave(outbox)
        outbox.close("session_ended")
        for task in (reader, writer):
            task.cancel()
        await asyncio.gather(reader, writer, return_exceptions=True)
        if ctx.tasks:
            # What they open or subscribe to ends as well, and not before it has begun.
            await asyncio.wait(ctx.tasks)
            hub.leave(outbox)
        for reviewer in ctx.reviewers.values():
            ctx.services.claims.leave(reviewer)
        for stream in ctx.streams.values():
            await _tried(ctx.services.assigning.lost(stream))
        await _tried(ctx.services.accounts.seen(user.user_id))


async def _tried(work: Awaitable[None]) -> None:
    """Whatever becomes of it, what is to be left is left; leases run out by themselves."""
    try:
        await work
    except ApiError:
        return  # shutting down: the restart handles leases
    except Exception:
        log.exception("leaving a socket")


async def _read(wire: Wire, ctx: commands.Context) -> None:
    connection = Connection()
    tasks = ctx.tasks
    loop = asyncio.get_running_loop()
    limits, user_id = ctx.services.accounts.limits, ctx.user.user_id
    large: asyncio.Task[None] | None = None

    while True:
        try:
            texts = await wire.texts()
        except Gone:
            break
        came = monotonic()
        for text in texts:
            try:
                command = connection.receive(text)
            except BadFrame as bad:
                ctx.outbox.put(bad.frame)
                continue
            while len(tasks) >= IN_FLIGHT_MAX:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if len(text) > LARGE and large is not None:
                await asyncio.wait((large,))
            # Who sends faster than anybody works is read more slowly; nothing is lost (TCP waits).
            if wait := limits.command(user_id):
                await asyncio.sleep(wait)
            # Commands run side by side, so that nine votes share one commit; they start in the
            # order they came.
            task = loop.create_task(_run(ctx, command, came))
            tasks.add(task)
            if len(text) > LARGE:
                large = task
            task.add_done_callback(tasks.discard)
    # A lost socket must not lose what already arrived.
    if tasks:
        await asyncio.wait(tasks)


async def _run(ctx: commands.Context, command: Command, came: float) -> None:
    """`came`: when its frame came in, by the monotonic clock."""
    if ctx.outbox.barred:
        return  # whoever reads nothing, and so keeps the socket open, does nothing either
    request_id.set(f"{request_id.get()}.{command.id}")
    services, known = ctx.services, command.type if command.type in commands.COMMANDS else "unknown"
    outcome = "ok"
    with services.instruments.tracing.span(f"command {known}", {"chorus.command": known}) as span:
        try:
            body = await commands.run(ctx, command)
            frame = reply_frame(command.id, body)
        except Exception as error:
            failure = commands.failure(error, f"command {known}")
            outcome, body = failure.code, {}
            frame = error_frame(command.id, failure)
        if span is not None:
            span.set_attribute("chorus.outcome", outcome)
    ctx.outbox.put(frame)
    seconds = monotonic() - came
    services.instruments.commanded(known, outcome)
    if kept := _kept(known, body):
        services.meter.acked(seconds, kept)
        services.instruments.acked(seconds, kept)
    if log.isEnabledFor(logging.INFO):
        _note(known, outcome, seconds)


def _kept(type: str, body: dict[str, Any]) -> int:
    """Votes that this reply says are kept."""
    if type == "vote.cast":
        return "seq" in body
    return sum("seq" in one for one in body.get("votes", ())) if type == "votes.cast" else 0


def _note(type: str, outcome: str, seconds: float) -> None:
    fields = {"command": type, "outcome": outcome, "ms": round(seconds * 1000, 1)}
    log.info("{command} {outcome} in {ms} ms".format(**fields), extra={"fields": fields})


async def _write(ws: WebSocket, wire: Wire, outbox: Outbox) -> None:
    try:
        reason = await outbox.drain(wire.send_frames)
        if reason == "slow":
            ws.app.state.services.instruments.overflowed()
        if ws.application_state is WebSocketState.CONNECTED:
            await ws.close(CLOSE_CODES.get(reason, 1000), reason)
    except (Gone, WebSocketDisconnect, RuntimeError):
        return  # gone already
