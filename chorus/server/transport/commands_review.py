"""The review room's commands: lists, claims, decisions, notes. Registered when imported."""

from __future__ import annotations

from typing import Any

import msgspec

from chorus.server.errors import ApiError
from chorus.server.services.claims import Reviewer
from chorus.server.services.review import Chosen
from chorus.server.transport.commands import Context, OfProject, command
from chorus.server.transport.protocol import push_frame
from chorus.server.transport.review_filter import BulkBody, FilterBody, Ids, filter_of


class ReviewList(FilterBody, kw_only=True):
    project_id: str
    limit: int = 50
    after: str | int = ""
    count: bool = True


class DecideAll(BulkBody, kw_only=True):
    project_id: str


class OfBulk(msgspec.Struct):
    project_id: str
    bulk_id: str


class Claim(msgspec.Struct):
    project_id: str
    item_ids: Ids


class Decide(msgspec.Struct):
    project_id: str
    item_id: int
    action: str
    value: dict[str, Any] | None = None
    seen: int | None = None


class DecideMany(msgspec.Struct):
    project_id: str
    items: list[Chosen]
    action: str
    value: dict[str, Any] | None = None


class NoteAdd(msgspec.Struct):
    project_id: str
    text: str
    item_id: int | None = None
    to: str | None = None


class NoteList(msgspec.Struct):
    project_id: str
    to: str | None = None


@command("review.list", ReviewList, "supervisor")
async def review_list(ctx: Context, id: int, body: ReviewList) -> dict[str, Any]:
    wanted = filter_of(ctx.services, body.project_id, body, ctx.user.user_id)
    return await ctx.services.review.browse(
        body.project_id, wanted, str(body.after), body.limit, body.count
    )


@command("review.open", OfProject, "supervisor")
async def review_open(ctx: Context, id: int, body: OfProject) -> dict[str, Any]:
    claims, outbox = ctx.services.claims, ctx.outbox
    old = ctx.reviewers.pop(body.project_id, None)
    if old is not None:
        claims.leave(old)

    def push(others: list[dict[str, Any]]) -> None:
        outbox.put_latest(f"claims{id}", push_frame(id, "claims", {"claims": others}))

    reviewer = Reviewer(body.project_id, ctx.user.user_id, ctx.user.name, push)
    ctx.reviewers[body.project_id] = reviewer
    return {"claims": claims.join(reviewer)}


@command("review.claim", Claim, "supervisor")
async def review_claim(ctx: Context, id: int, body: Claim) -> dict[str, Any]:
    reviewer = ctx.reviewers.get(body.project_id)
    if reviewer is None:
        raise ApiError("not_found", "send review.open for this project first")
    return {"item_id": ctx.services.claims.claim(reviewer, body.item_ids)}


@command("review.decide", Decide, "supervisor")
async def review_decide(ctx: Context, id: int, body: Decide) -> dict[str, Any]:
    return await ctx.services.review.decide(
        body.project_id, body.item_id, ctx.user.user_id, body.action, body.value, body.seen
    )


@command("review.decide_many", DecideMany, "supervisor")
async def review_decide_many(ctx: Context, id: int, body: DecideMany) -> dict[str, Any]:
    return await ctx.services.review.decide_many(
        body.project_id, body.items, ctx.user.user_id, body.action, body.value
    )


@command("review.decide_all", DecideAll, "supervisor")
async def review_decide_all(ctx: Context, id: int, body: DecideAll) -> dict[str, Any]:
    """The bulk as it is now; `bulk` frames follow on this subscription until it has ended."""
    bulks, outbox = ctx.services.bulks, ctx.outbox

    def follow(bulk: dict[str, Any]) -> None:
        outbox.put_latest(f"bulk{id}", push_frame(id, "bulk", bulk))

    user_id = ctx.user.user_id
    if body.undoes is not None:
        return bulks.undo(body.project_id, body.bulk_id, body.undoes, user_id, follow)
    wanted = filter_of(ctx.services, body.project_id, body, ctx.user.user_id)
    return bulks.decide(
        body.project_id, body.bulk_id, wanted, user_id, body.action, body.value, body.as_of, follow
    )


@command("review.cancel_all", OfBulk, "supervisor")
async def review_cancel_all(ctx: Context, id: int, body: OfBulk) -> dict[str, Any]:
    return ctx.services.bulks.cancel(body.project_id, body.bulk_id)


@command("note.add", NoteAdd, "supervisor")
async def note_add(ctx: Context, id: int, body: NoteAdd) -> dict[str, Any]:
    note = await ctx.services.notes.add(
        body.project_id, ctx.user.user_id, ctx.user.name, body.text, body.item_id, body.to
    )
    return {"note": note}


@command("note.list", NoteList, "labeler")
async def note_list(ctx: Context, id: int, body: NoteList) -> dict[str, Any]:
    role = await ctx.services.projects.role(ctx.user, body.project_id)
    notes = ctx.services.notes
    return {"notes": await notes.latest(body.project_id, ctx.user.user_id, role, body.to)}
