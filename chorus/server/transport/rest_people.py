"""REST: the quality of people's work, what it costs, gold, notes, and what else a supervisor does
about it."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers, messages
from chorus.server.errors import ApiError
from chorus.server.services.supervising import TakeBack
from chorus.server.transport.described import Query, api
from chorus.server.transport.http import body_of, reply, services
from chorus.server.transport.once import once
from chorus.server.transport.rest_projects import member_of


class Pause(msgspec.Struct):
    paused: bool


class Mark(msgspec.Struct):
    item_ids: list[int]
    gold: bool = True


class GoldNote(msgspec.Struct):
    text: str


class Message(msgspec.Struct):
    text: str
    item_id: int | None = None
    to: str | None = None


@api("What each way of working costs", "supervisor", answer=messages.Pace)
async def pace(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply(await services(request).pace.of(project_id))


@api(
    "How good people are, and how far they agree",
    "supervisor",
    answer=answers.Quality,
    query={"user_id": Query(str, "confusion of this person alone")},
)
async def quality(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    person = request.query_params.get("user_id")
    return reply(await services(request).quality.of(project_id, person, complete=True))


@api(
    "Make labeled items gold, or ordinary again", "supervisor", body=Mark, answer=answers.GoldMarked
)
async def mark_gold(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    body = await body_of(request, Mark)
    gold = services(request).gold
    return reply(await gold.mark(project_id, body.item_ids, body.gold, user.user_id))


@api(
    "Say something of a gold item to whoever practises on it",
    "supervisor",
    body=GoldNote,
    answer=answers.GoldNoteKept,
)
async def note_gold(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    body = await body_of(request, GoldNote)
    try:
        item_id = int(request.path_params["item_id"])
    except ValueError:
        raise ApiError("not_found", "no such item") from None
    return reply(await services(request).practising.note(project_id, item_id, body.text))


@api("Let a person practise (again)", "supervisor", answer=answers.PracticeOrdered)
async def practise(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    person = request.path_params["user_id"]
    return reply(await services(request).practising.again(project_id, person, user.user_id))


@api(
    "Write to all labelers, or to one",
    "supervisor",
    body=Message,
    answer=answers.NoteKept,
    status=201,
)
@once
async def add_note(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    body = await body_of(request, Message)
    note = await services(request).notes.add(
        project_id, user.user_id, user.name, body.text, body.item_id, body.to
    )
    return reply({"note": note}, 201)


@api(
    "The latest notes",
    "labeler",
    answer=answers.Notes,
    query={"to": Query(str, "only messages to this person")},
)
async def notes(request: Request) -> Response:
    user, project_id = await member_of(request, "labeler")
    role = await services(request).projects.role(user, project_id)
    found = services(request).notes
    to = request.query_params.get("to")
    return reply({"notes": await found.latest(project_id, user.user_id, role, to)})


@api("Pause a person, or let them go on", "supervisor", body=Pause, answer=answers.Paused)
async def pause(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    body = await body_of(request, Pause)
    person = request.path_params["user_id"]
    await services(request).supervising.pause(project_id, person, body.paused, user.user_id)
    return reply({"paused": body.paused})


@api("Votes that were taken back", "supervisor", answer=answers.Takebacks)
async def takebacks(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply({"takebacks": await services(request).supervising.takebacks(project_id)})


@api(
    "Take a person's votes back", "supervisor", body=TakeBack, answer=answers.TakenBack, status=201
)
@once
async def take_back(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    which = await body_of(request, TakeBack)
    found = await services(request).supervising.take_back(project_id, which, user.user_id)
    return reply(found, 201)


@api("Let them count again", "supervisor", answer=answers.TakenBack)
async def restore(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    try:
        takeback_id = int(request.path_params["takeback_id"])
    except ValueError:
        raise ApiError("not_found", "no such takeback") from None
    found = await services(request).supervising.undo(project_id, takeback_id)
    return reply(found)


def routes() -> list[BaseRoute]:
    one = "/api/projects/{project_id}"
    return [
        Route(f"{one}/quality", quality),
        Route(f"{one}/pace", pace),
        Route(f"{one}/gold", mark_gold, methods=["POST"]),
        Route(f"{one}/gold/{{item_id}}/note", note_gold, methods=["PUT"]),
        Route(f"{one}/people/{{user_id}}/practice", practise, methods=["POST"]),
        Route(f"{one}/notes", notes, methods=["GET"]),
        Route(f"{one}/notes", add_note, methods=["POST"]),
        Route(f"{one}/people/{{user_id}}/pause", pause, methods=["POST"]),
        Route(f"{one}/takebacks", takebacks, methods=["GET"]),
        Route(f"{one}/takebacks", take_back, methods=["POST"]),
        Route(f"{one}/takebacks/{{takeback_id}}", restore, methods=["DELETE"]),
    ]
