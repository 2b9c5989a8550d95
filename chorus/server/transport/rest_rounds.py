"""REST: the model's rounds, their cards and logs, what can be downloaded, cancel and retry."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers
from chorus.server.errors import ApiError
from chorus.server.transport.described import api
from chorus.server.transport.http import reply, services
from chorus.server.transport.rest_projects import member_of


def _number(request: Request) -> int:
    try:
        return int(request.path_params["number"])
    except ValueError:
        raise ApiError("not_found", "no such round") from None


@api("All rounds, oldest first", "supervisor", answer=answers.Rounds)
async def rounds(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply({"rounds": await services(request).artifacts.rounds(project_id)})


@api("A round's threshold card", "supervisor", answer=answers.RoundCard)
async def card(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply(await services(request).artifacts.card(project_id, _number(request)))


@api("The end of what a job printed", "supervisor", answer=answers.JobLog)
async def log(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    kind = request.path_params["kind"]
    return reply(await services(request).artifacts.log(project_id, _number(request), kind))


@api("Download a round's model", "supervisor", gives="application/zip")
async def model(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    number = _number(request)
    path = await services(request).artifacts.model(project_id, number)
    name = f"{project_id}-round-{number}.zip"
    return FileResponse(path, media_type="application/zip", filename=name)


@api("Download the features", "supervisor", gives="application/zip")
async def features(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    path = await services(request).artifacts.features(project_id)
    name = f"{project_id}-features.zip"
    return FileResponse(path, media_type="application/zip", filename=name)


@api("End the running round", "supervisor", answer=answers.Nothing)
async def cancel(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    await services(request).rounds.cancel(project_id, user.name)
    return reply({})


@api("Another round in place of one that failed", "supervisor", answer=answers.Nothing, status=202)
async def retry(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    await services(request).rounds.retry(project_id, _number(request))
    return reply({}, 202)


@api("Begin fine-tuning", "supervisor", answer=answers.Nothing, status=202)
async def tune(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    await services(request).rounds.tune(project_id)
    return reply({}, 202)


@api("End fine-tuning", "supervisor", answer=answers.Nothing)
async def cancel_tuning(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    await services(request).rounds.cancel_tuning(project_id, user.name)
    return reply({})


def routes() -> list[BaseRoute]:
    one = "/api/projects/{project_id}"
    return [
        Route(f"{one}/rounds", rounds),
        Route(f"{one}/rounds/cancel", cancel, methods=["POST"]),
        Route(f"{one}/rounds/{{number}}/card", card),
        Route(f"{one}/rounds/{{number}}/jobs/{{kind}}/log", log),
        Route(f"{one}/rounds/{{number}}/model.zip", model),
        Route(f"{one}/rounds/{{number}}/retry", retry, methods=["POST"]),
        Route(f"{one}/features.zip", features),
        Route(f"{one}/tuning/start", tune, methods=["POST"]),
        Route(f"{one}/tuning/cancel", cancel_tuning, methods=["POST"]),
    ]
