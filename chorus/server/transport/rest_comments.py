"""REST: comments on items."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers
from chorus.server.transport.described import Query, api, paging
from chorus.server.transport.http import body_of, item_id_of, number, reply, services
from chorus.server.transport.rest_projects import member_of


class NewComment(msgspec.Struct):
    comment_id: str
    text: str
    to: str | None = None


class Read(msgspec.Struct):
    seq: int


@api("Write about an item", "labeler", body=NewComment, answer=answers.CommentKept, status=201)
async def add(request: Request) -> Response:
    user, project_id = await member_of(request, "labeler")
    body = await body_of(request, NewComment)
    role = await services(request).projects.role(user, project_id)
    kept = await services(request).comments.add(
        project_id, user.user_id, role, body.comment_id, item_id_of(request), body.text, body.to
    )
    return reply(kept, 200 if kept["duplicate"] else 201)


@api("What is written about an item", "labeler", answer=answers.Comments)
async def of_item(request: Request) -> Response:
    user, project_id = await member_of(request, "labeler")
    role = await services(request).projects.role(user, project_id)
    found = await services(request).comments.of_item(
        project_id, user.user_id, role, item_id_of(request)
    )
    return reply({"comments": found})


@api(
    "Threads, newest first",
    "labeler",
    answer=answers.Threads,
    query={
        "unread": Query(bool, "only those with something new"),
        **paging(before="the `next` of the page before", limit="at most so many (50)"),
    },
)
async def threads(request: Request) -> Response:
    user, project_id = await member_of(request, "labeler")
    role = await services(request).projects.role(user, project_id)
    unread = request.query_params.get("unread") == "true"
    before = number(request, "before", 0) or None
    limit = number(request, "limit", 50)
    found = services(request).comments
    return reply(await found.threads(project_id, user.user_id, role, unread, before, limit))


@api("I have read so far", "labeler", body=Read, answer=answers.Unread)
async def read(request: Request) -> Response:
    user, project_id = await member_of(request, "labeler")
    body = await body_of(request, Read)
    role = await services(request).projects.role(user, project_id)
    found = services(request).comments
    return reply(await found.read(project_id, user.user_id, role, item_id_of(request), body.seq))


def routes() -> list[BaseRoute]:
    one = "/api/projects/{project_id}"
    return [
        Route(f"{one}/comments", threads),
        Route(f"{one}/items/{{item_id}}/comments", of_item, methods=["GET"]),
        Route(f"{one}/items/{{item_id}}/comments", add, methods=["POST"]),
        Route(f"{one}/items/{{item_id}}/comments/read", read, methods=["PUT"]),
    ]
