"""Every websocket command: its name, its schema, its role, its handler of a few lines."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.errors import ApiError
from chorus.server.logs import request_id
from chorus.server.services import Services
from chorus.server.services.accounts import CurrentUser
from chorus.server.services.claims import Reviewer
from chorus.server.services.labeling import PageVote, VoteCast
from chorus.server.services.projects import Change
from chorus.server.services.streams import Stream
from chorus.server.transport.answers_filter import AnswersBody, answers_of
from chorus.server.transport.hub import Hub, Outbox
from chorus.server.transport.protocol import Command, decode_body, error_body, push_frame

log = logging.getLogger(__name__)


def failure(error: BaseException, what: str) -> ApiError:
    """What the client is told of an error: of one on our side, where it can be looked up."""
    if isinstance(error, ApiError):
        return error
    log.error("%s failed", what, exc_info=error)
    where = f"it is in the server's log, by {request_id.get()}"
    return ApiError("internal", f"something went wrong on our side; {where}")


class Context:
    """One connection, as commands see it."""

    def __init__(self, user: CurrentUser, services: Services, hub: Hub, outbox: Outbox) -> None:
        self.user = user
        self.services = services
        self.hub = hub
        self.outbox = outbox
        self.streams: dict[str, Stream] = {}
        self.reviewers: dict[str, Reviewer] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        """Commands that are being worked on."""

    def stream(self, project_id: str) -> Stream:
        stream = self.streams.get(project_id)
        if stream is None:
            raise ApiError("not_found", "send labeling.open for this project first")
        return stream

    def after_reply(self, fn: Callable[[], object]) -> None:
        """Run `fn` once this command's reply is in the outbox: a handler's return and its reply
        are one step of the event loop."""
        asyncio.get_running_loop().call_soon(fn)


Handler = Callable[[Context, int, Any], Awaitable[dict[str, Any]]]


class Entry(msgspec.Struct, frozen=True):
    schema: type[Any]
    role: str | None
    handler: Handler


COMMANDS: dict[str, Entry] = {}


CHANGING = {
    "project.pause", "project.resume", "project.train", "review.decide", "review.decide_many",
    "review.decide_all", "note.add", "gold.mark", "person.pause", "votes.take_back",
    "votes.restore", "round.cancel", "round.retry", "tuning.start", "comment.add",
}  # fmt: skip
"""What an archived project refuses. A vote on an item that was handed out before still counts."""


READING = {
    "ping", "subscribe", "unsubscribe", "labeling.history", "dashboard.moment", "dashboard.curve",
    "person.pages", "quality.get", "votes.takebacks", "review.list", "note.list", "comment.list",
    "comment.threads",
}  # fmt: skip
"""What a token that only reads may send."""


def command(name: str, schema: type[Any], role: str | None = None) -> Callable[[Handler], Handler]:
    """Register a handler; `role` is the least role in the body's project."""

    def register(handler: Handler) -> Handler:
        COMMANDS[name] = Entry(schema, role, handler)
        return handler

    return register


async def run(ctx: Context, command: Command) -> dict[str, Any]:
    """Find, check and run one command. Raises `ApiError`."""
    entry = COMMANDS.get(command.type)
    if entry is None:
        raise ApiError("unknown_type", f"no command {command.type!r}")
    grant = ctx.user.grant
    if grant is not None and grant.scope == "read" and command.type not in READING:
        raise ApiError("forbidden", "this token may only read")
    body = decode_body(command.body, entry.schema)
    if entry.role is not None:
        await ctx.services.projects.require(ctx.user, body.project_id, entry.role)
        ctx.outbox.projects.add(body.project_id)
        if command.type in CHANGING:
            ctx.services.projects.require_open(body.project_id)
    if command.type != "ping":
        for stream in ctx.streams.values():
            ctx.services.assigning.touch(stream)
    return await entry.handler(ctx, command.id, body)


# -- bodies


TOPICS = ("stats", "card", "events", "feed", "comments")


class Ping(msgspec.Struct):
    pass


class OfProject(msgspec.Struct):
    project_id: str


class Open(msgspec.Struct):
    project_id: str
    tab: str
    page_size: int | None = None
    credit: int = 0


class Credit(msgspec.Struct):
    project_id: str
    n: int


class Size(msgspec.Struct):
    project_id: str
    page_size: int
    keep: list[int] = []


class History(AnswersBody, kw_only=True):
    project_id: str
    limit: int = 20
    before: int | None = None


VOTES_MAX = 64
"""Votes in one message; a page has nine at most."""


class PageCast(msgspec.Struct):
    project_id: str
    votes: Annotated[list[PageVote], msgspec.Meta(min_length=1, max_length=VOTES_MAX)]


class Subscribe(msgspec.Struct):
    topic: str
    since: int | None = None
    epoch: str | None = None


class Unsubscribe(msgspec.Struct):
    sub: int


# -- labeling


@command("ping", Ping)
async def ping(ctx: Context, id: int, body: Ping) -> dict[str, Any]:
    return {"now": now_ms()}


@command("labeling.open", Open, "labeler")
async def labeling_open(ctx: Context, id: int, body: Open) -> dict[str, Any]:
    if not 1 <= len(body.tab) <= 64:
        raise ApiError("bad_value", "tab must be a random id of 1 to 64 characters")
    services = ctx.services
    role = await services.projects.role(ctx.user, body.project_id)
    outbox = ctx.outbox
    old = ctx.streams.pop(body.project_id, None)
    if old is not None and old.tab != body.tab:
        await services.assigning.close(old)
    replacing = old is not None and old.tab == body.tab
    if replacing and old is not None:
        # The same tab on the same socket starts over: no goodbye to itself.
        old.bye = lambda reason: None
    stream, reply, pages = await services.assigning.open(
        ctx.user,
        role,
        body.project_id,
        body.tab,
        body.page_size,
        body.credit,
        lambda type, push: outbox.put(push_frame(id, type, push)),
        outbox.close,
    )
    ctx.streams[body.project_id] = stream
    ctx.after_reply(lambda: services.assigning.begin(stream, pages))
    project = await services.projects.get_for(ctx.user, body.project_id)
    return {"project": project, **reply}


@command("labeling.credit", Credit, "labeler")
async def labeling_credit(ctx: Context, id: int, body: Credit) -> dict[str, Any]:
    return {"credit": ctx.services.assigning.give_credit(ctx.stream(body.project_id), body.n)}


@command("labeling.size", Size, "labeler")
async def labeling_size(ctx: Context, id: int, body: Size) -> dict[str, Any]:
    stream = ctx.stream(body.project_id)
    return {"page_size": await ctx.services.assigning.resize(stream, body.page_size, body.keep)}


@command("labeling.close", OfProject, "labeler")
async def labeling_close(ctx: Context, id: int, body: OfProject) -> dict[str, Any]:
    stream = ctx.streams.pop(body.project_id, None)
    if stream is not None:
        await ctx.services.assigning.close(stream)
    return {}


@command("labeling.history", History, "labeler")
async def labeling_history(ctx: Context, id: int, body: History) -> dict[str, Any]:
    return await ctx.services.labeling.history(
        body.project_id,
        ctx.user.user_id,
        body.limit,
        body.before,
        answers_of(ctx.services, body.project_id, body),
    )


@command("vote.cast", VoteCast, "labeler")
async def vote_cast(ctx: Context, id: int, body: VoteCast) -> dict[str, Any]:
    return await ctx.services.labeling.cast(ctx.user.user_id, ctx.user.name, body)


@command("votes.cast", PageCast, "labeler")
async def votes_cast(ctx: Context, id: int, body: PageCast) -> dict[str, Any]:
    user = ctx.user
    # They cost as much as if each had come alone.
    if wait := ctx.services.accounts.limits.command(user.user_id, len(body.votes) - 1):
        await asyncio.sleep(wait)
    votes = [
        VoteCast(*msgspec.structs.astuple(vote), project_id=body.project_id) for vote in body.votes
    ]
    kept = await ctx.services.labeling.cast_page(user.user_id, user.name, votes)
    return {
        "votes": [
            {"error": error_body(failure(one, "a vote"))} if isinstance(one, BaseException) else one
            for one in kept
        ]
    }


# -- watching


@command("subscribe", Subscribe)
async def subscribe(ctx: Context, id: int, body: Subscribe) -> dict[str, Any]:
    parts = body.topic.split("/")
    if body.topic == "server":
        await ctx.services.projects.require_any(ctx.user, "supervisor")
        figures = ctx.hub.watch_server(ctx.outbox, id)
        ctx.after_reply(
            lambda: ctx.outbox.put_latest(f"server{id}", push_frame(id, "server", figures))
        )
        return {}
    if len(parts) != 3 or parts[0] != "project" or parts[2] not in TOPICS:
        raise ApiError("not_found", f"no topic {body.topic!r}")
    project_id = parts[1]
    await ctx.services.projects.require(ctx.user, project_id, "labeler")
    ctx.outbox.projects.add(project_id)
    if parts[2] == "comments":
        role = await ctx.services.projects.require(ctx.user, project_id, "labeler")
        ctx.hub.watch_comments(project_id, ctx.outbox, id, ctx.user.user_id, role)
        found = await ctx.services.comments.threads(
            project_id, ctx.user.user_id, role, unread=True, before=None, limit=1
        )
        return {"unread": found["unread"]}
    await ctx.services.projects.require(ctx.user, project_id, "supervisor")
    hub, outbox = ctx.hub, ctx.outbox
    if parts[2] in ("stats", "card"):
        kind = parts[2]
        stats = await hub.watch_stats(project_id, outbox, id, kind)
        ctx.after_reply(lambda: outbox.put_latest(f"{kind}{id}", push_frame(id, kind, stats)))
        return {"seq": stats["seq"], "epoch": stats["epoch"]}
    if parts[2] == "feed":
        hub.watch_feed(project_id, outbox, id)
        return {}
    follower, seq, epoch, fresh = await hub.watch_events(
        project_id, outbox, id, body.since, body.epoch
    )
    if fresh:
        stats = await ctx.services.dashboard.stats(project_id)
        follower.last = stats["seq"]
        snapshot = push_frame(id, "snapshot", {"seq": stats["seq"], "epoch": epoch, "stats": stats})
        ctx.after_reply(lambda: outbox.put(snapshot))
    ctx.after_reply(lambda: asyncio.ensure_future(hub.replay(project_id, follower)))
    return {"seq": seq, "epoch": epoch}


@command("unsubscribe", Unsubscribe)
async def unsubscribe(ctx: Context, id: int, body: Unsubscribe) -> dict[str, Any]:
    ctx.hub.unsubscribe(ctx.outbox, body.sub)
    return {}


# -- supervising


async def _set_state(ctx: Context, project_id: str, state: str) -> dict[str, Any]:
    await ctx.services.projects.change(ctx.user, project_id, Change(state=state))
    return {"state": state}


@command("project.pause", OfProject, "supervisor")
async def project_pause(ctx: Context, id: int, body: OfProject) -> dict[str, Any]:
    return await _set_state(ctx, body.project_id, "paused")


@command("project.resume", OfProject, "supervisor")
async def project_resume(ctx: Context, id: int, body: OfProject) -> dict[str, Any]:
    return await _set_state(ctx, body.project_id, "running")


@command("project.train", OfProject, "supervisor")
async def project_train(ctx: Context, id: int, body: OfProject) -> dict[str, Any]:
    await ctx.services.rounds.train_now(body.project_id)
    return {}


# The rooms' commands have files of their own; importing them registers them.
from chorus.server.transport import commands_comments as commands_comments  # noqa: E402
from chorus.server.transport import commands_dashboard as commands_dashboard  # noqa: E402
from chorus.server.transport import commands_people as commands_people  # noqa: E402
from chorus.server.transport import commands_review as commands_review  # noqa: E402
from chorus.server.transport import commands_rounds as commands_rounds  # noqa: E402
