"""The review room's commands: lists, claims, decisions, notes. Registered when imported."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from chorus.server.errors import ApiError
from chorus.server.services.claims import Reviewer
from chorus.server.services.review import Chosen, Query
from chorus.server.transport.commands import Context, OfProject, command
from chorus.server.transport.protocol import push_frame

ListState = Literal[
    "needs_review", "skipped", "labeled", "in_progress", "unlabeled", "removed", "all"
]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Ids = Annotated[list[int], msgspec.Meta(max_length=200)]


class ReviewList(msgspec.Struct):
    project_id: str
    state: ListState = "needs_review"
    limit: int = 50
    after: str | int = ""
    class_name: str | None = msgspec.field(default=None, name="class")
    labeler: str | None = None
    confidence_min: Share | None = None
    confidence_max: Share | None = None
    disagreement: Literal["people", "model"] | None = None
    prelabel_changed: bool = False
    text: Annotated[str, msgspec.Meta(max_length=200)] = ""
    order: Literal["doubt", "item"] | None = None
    item_ids: Ids | None = None
    count: bool = True


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


@command("review.list", ReviewList, "supervisor")
async def review_list(ctx: Context, id: int, body: ReviewList) -> dict[str, Any]:
    query = Query(
        state=body.state,
        class_name=body.class_name,
        labeler=body.labeler,
        confidence_min=body.confidence_min,
        confidence_max=body.confidence_max,
        disagreement=body.disagreement,
        prelabel_changed=body.prelabel_changed,
        text=body.text,
        order=body.order,
        item_ids=None if body.item_ids is None else tuple(body.item_ids),
    )
    return await ctx.services.review.browse(
        body.project_id, query, str(body.after), body.limit, body.count
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


@command("note.add", NoteAdd, "supervisor")
async def note_add(ctx: Context, id: int, body: NoteAdd) -> dict[str, Any]:
    note = await ctx.services.notes.add(
        body.project_id, ctx.user.user_id, ctx.user.name, body.text, body.item_id
    )
    return {"note": note}


@command("note.list", OfProject, "labeler")
async def note_list(ctx: Context, id: int, body: OfProject) -> dict[str, Any]:
    return {"notes": await ctx.services.notes.latest(body.project_id)}
