"""REST: a project's webhooks, for its supervisors."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers
from chorus.server.services.webhooks import NewWebhook, WebhookChange
from chorus.server.transport.described import api
from chorus.server.transport.http import body_of, reply, services
from chorus.server.transport.rest_projects import member_of


def _id(request: Request) -> str:
    return str(request.path_params["webhook_id"])


@api("Webhooks", "supervisor", answer=answers.Webhooks)
async def webhooks(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply({"webhooks": await services(request).webhooks.of(project_id)})


@api("Add a webhook", "supervisor", body=NewWebhook, answer=answers.FreshWebhook, status=201)
async def add(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    body = await body_of(request, NewWebhook)
    return reply(await services(request).webhooks.add(project_id, user.user_id, body), 201)


@api("Change it, turn it off or on", "supervisor", body=WebhookChange, answer=answers.Webhook)
async def change(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    body = await body_of(request, WebhookChange)
    return reply(
        await services(request).webhooks.change(project_id, user.user_id, _id(request), body)
    )


@api("Remove a webhook", "supervisor", status=204)
async def remove(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    await services(request).webhooks.remove(project_id, _id(request))
    return Response(status_code=204)


@api("The last attempts of a webhook", "supervisor", answer=answers.Deliveries)
async def deliveries(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    found = await services(request).webhooks.deliveries(project_id, _id(request))
    return reply({"deliveries": found})


@api("Send a test message now", "supervisor", answer=answers.WebhookTest)
async def test(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply(await services(request).webhooks.test(project_id, _id(request)))


def routes() -> list[BaseRoute]:
    many = "/api/projects/{project_id}/webhooks"
    one = many + "/{webhook_id}"
    return [
        Route(many, webhooks, methods=["GET"]),
        Route(many, add, methods=["POST"]),
        Route(one, change, methods=["PATCH"]),
        Route(one, remove, methods=["DELETE"]),
        Route(f"{one}/deliveries", deliveries, methods=["GET"]),
        Route(f"{one}/test", test, methods=["POST"]),
    ]
