"""Comments on items: write, read, what is new. Registered when imported."""

from __future__ import annotations

from typing import Any

import msgspec

from chorus.server.transport.commands import Context, command


class CommentAdd(msgspec.Struct):
    project_id: str
    comment_id: str
    item_id: int
    text: str
    to: str | None = None


class CommentList(msgspec.Struct):
    project_id: str
    item_id: int


class CommentThreads(msgspec.Struct):
    project_id: str
    unread: bool = False
    before: int | None = None
    limit: int = 50


class CommentRead(msgspec.Struct):
    project_id: str
    item_id: int
    seq: int


@command("comment.add", CommentAdd, "labeler")
async def comment_add(ctx: Context, id: int, body: CommentAdd) -> dict[str, Any]:
    role = await ctx.services.projects.role(ctx.user, body.project_id)
    return await ctx.services.comments.add(
        body.project_id, ctx.user.user_id, role, body.comment_id, body.item_id, body.text, body.to
    )


@command("comment.list", CommentList, "labeler")
async def comment_list(ctx: Context, id: int, body: CommentList) -> dict[str, Any]:
    role = await ctx.services.projects.role(ctx.user, body.project_id)
    found = await ctx.services.comments.of_item(
        body.project_id, ctx.user.user_id, role, body.item_id
    )
    return {"comments": found}


@command("comment.threads", CommentThreads, "labeler")
async def comment_threads(ctx: Context, id: int, body: CommentThreads) -> dict[str, Any]:
    role = await ctx.services.projects.role(ctx.user, body.project_id)
    return await ctx.services.comments.threads(
        body.project_id, ctx.user.user_id, role, body.unread, body.before, body.limit
    )


@command("comment.read", CommentRead, "labeler")
async def comment_read(ctx: Context, id: int, body: CommentRead) -> dict[str, Any]:
    role = await ctx.services.projects.role(ctx.user, body.project_id)
    return await ctx.services.comments.read(
        body.project_id, ctx.user.user_id, role, body.item_id, body.seq
    )
