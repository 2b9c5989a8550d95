"""What supervisors do about people: pause one, take votes back, look at the quality of work."""

from __future__ import annotations

from typing import Any

import msgspec

from chorus.server.services.supervising import TakeBack
from chorus.server.transport.commands import Context, OfProject, command


class PersonPause(msgspec.Struct):
    project_id: str
    user_id: str
    paused: bool


class VotesTakeBack(msgspec.Struct):
    project_id: str
    user_id: str
    since: int = 0
    until: int | None = None


class VotesRestore(msgspec.Struct):
    project_id: str
    takeback_id: int


@command("person.pause", PersonPause, "supervisor")
async def person_pause(ctx: Context, id: int, body: PersonPause) -> dict[str, Any]:
    await ctx.services.supervising.pause(
        body.project_id, body.user_id, body.paused, ctx.user.user_id
    )
    return {"paused": body.paused}


@command("votes.take_back", VotesTakeBack, "supervisor")
async def votes_take_back(ctx: Context, id: int, body: VotesTakeBack) -> dict[str, Any]:
    which = TakeBack(body.user_id, body.since, body.until)
    return await ctx.services.supervising.take_back(body.project_id, which, ctx.user.user_id)


@command("votes.restore", VotesRestore, "supervisor")
async def votes_restore(ctx: Context, id: int, body: VotesRestore) -> dict[str, Any]:
    return await ctx.services.supervising.undo(body.project_id, body.takeback_id, ctx.user.user_id)


@command("quality.get", OfProject, "supervisor")
async def quality_get(ctx: Context, id: int, body: OfProject) -> dict[str, Any]:
    return await ctx.services.quality.of(body.project_id)


@command("votes.takebacks", OfProject, "supervisor")
async def votes_takebacks(ctx: Context, id: int, body: OfProject) -> dict[str, Any]:
    return {"takebacks": await ctx.services.supervising.takebacks(body.project_id)}
