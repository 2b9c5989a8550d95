"""What supervisors do about people: pause one, take votes back, look at the quality of work and
make gold to measure it by."""

from __future__ import annotations

from typing import Any

import msgspec

from chorus.server.services.supervising import TakeBack
from chorus.server.transport.commands import Context, OfProject, command


class PersonPause(msgspec.Struct):
    project_id: str
    user_id: str
    paused: bool


class GoldMark(msgspec.Struct):
    project_id: str
    item_ids: list[int]
    gold: bool = True


class QualityGet(msgspec.Struct):
    project_id: str
    user_id: str | None = None


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
    return await ctx.services.supervising.undo(body.project_id, body.takeback_id)


@command("gold.mark", GoldMark, "supervisor")
async def gold_mark(ctx: Context, id: int, body: GoldMark) -> dict[str, Any]:
    return await ctx.services.gold.mark(body.project_id, body.item_ids, body.gold, ctx.user.user_id)


@command("quality.get", QualityGet, "supervisor")
async def quality_get(ctx: Context, id: int, body: QualityGet) -> dict[str, Any]:
    return await ctx.services.quality.of(body.project_id, body.user_id)


@command("votes.takebacks", OfProject, "supervisor")
async def votes_takebacks(ctx: Context, id: int, body: OfProject) -> dict[str, Any]:
    return {"takebacks": await ctx.services.supervising.takebacks(body.project_id)}
