"""What supervisors do about rounds and fine-tuning: begin, end, have it again."""

from __future__ import annotations

from typing import Any

import msgspec

from chorus.server.transport.commands import Context, OfProject, command


class RoundRetry(msgspec.Struct):
    project_id: str
    number: int


@command("round.cancel", OfProject, "supervisor")
async def round_cancel(ctx: Context, id: int, body: OfProject) -> dict[str, Any]:
    await ctx.services.rounds.cancel(body.project_id, ctx.user.name)
    return {}


@command("tuning.start", OfProject, "supervisor")
async def tuning_start(ctx: Context, id: int, body: OfProject) -> dict[str, Any]:
    await ctx.services.rounds.tune(body.project_id)
    return {}


@command("tuning.cancel", OfProject, "supervisor")
async def tuning_cancel(ctx: Context, id: int, body: OfProject) -> dict[str, Any]:
    await ctx.services.rounds.cancel_tuning(body.project_id, ctx.user.name)
    return {}


@command("round.retry", RoundRetry, "supervisor")
async def round_retry(ctx: Context, id: int, body: RoundRetry) -> dict[str, Any]:
    await ctx.services.rounds.retry(body.project_id, body.number)
    return {}
