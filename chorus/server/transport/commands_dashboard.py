"""What the dashboard asks for beside its subscriptions: the past, the curve of the project."""

from __future__ import annotations

from typing import Any

import msgspec

from chorus.server.errors import ApiError
from chorus.server.transport.commands import Context, OfProject, command


class Moment(msgspec.Struct):
    """One of the two: a time (ms), or an event."""

    project_id: str
    at: int | None = None
    seq: int | None = None


def check_moment(at: int | None, seq: int | None) -> None:
    if (at is None) == (seq is None):
        raise ApiError("bad_value", "name a time (at) or an event (seq)")


@command("dashboard.moment", Moment, "supervisor")
async def dashboard_moment(ctx: Context, id: int, body: Moment) -> dict[str, Any]:
    check_moment(body.at, body.seq)
    return await ctx.services.dashboard.moment(body.project_id, body.at, body.seq)


@command("dashboard.curve", OfProject, "supervisor")
async def dashboard_curve(ctx: Context, id: int, body: OfProject) -> dict[str, Any]:
    return await ctx.services.dashboard.curve(body.project_id)
