"""What the dashboard asks for beside its subscriptions: the past, the curve of the project, what
one person sees; and what a supervisor changes there."""

from __future__ import annotations

from typing import Any

import msgspec

from chorus.server.errors import ApiError
from chorus.server.transport.commands import Context, OfProject, command
from chorus.server.transport.protocol import push_frame
from chorus.server.transport.review_filter import PriorityBody


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


class OfPerson(msgspec.Struct):
    project_id: str
    user_id: str


class TakePage(msgspec.Struct):
    project_id: str
    user_id: str
    page_id: int | None = None


class PrioritySet(PriorityBody, kw_only=True):
    project_id: str


@command("person.pages", OfPerson, "supervisor")
async def person_pages(ctx: Context, id: int, body: OfPerson) -> dict[str, Any]:
    return await ctx.services.assigning.look(body.project_id, body.user_id)


@command("person.take_page", TakePage, "supervisor")
async def person_take_page(ctx: Context, id: int, body: TakePage) -> dict[str, Any]:
    return await ctx.services.assigning.take_page(
        body.project_id, body.user_id, body.page_id, ctx.user.user_id
    )


@command("priority.set", PrioritySet, "supervisor")
async def priority_set(ctx: Context, id: int, body: PrioritySet) -> dict[str, Any]:
    outbox = ctx.outbox

    def follow(bulk: dict[str, Any]) -> None:
        outbox.put_latest(f"bulk{id}", push_frame(id, "bulk", bulk))

    return ctx.services.prioritizing.begin(
        body.project_id, body.bulk_id, body.filter(ctx.services, body.project_id), body.raised,
        ctx.user.user_id, follow,
    )  # fmt: skip
