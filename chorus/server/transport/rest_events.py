"""REST: a project's event log, from any event on, waiting for what comes."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers
from chorus.server.transport.described import api, paging
from chorus.server.transport.http import number, reply, services
from chorus.server.transport.rest_projects import member_of

LIMIT = 1000
WAIT_MS = 30_000


@api(
    "The project's events, in order",
    "supervisor",
    answer=answers.Events,
    query=paging(
        since="seq of the last event you have (0: from the first); -1: none, only say where we are",
        limit="at most so many (100, at most 1,000)",
        wait_ms="if there is none yet, wait for one so long (0, at most 30,000)",
    ),
)
async def events(request: Request) -> Response:
    """Ask again with the `next` of the answer: no event is missed and none comes twice."""
    _, project_id = await member_of(request, "supervisor")
    since = number(request, "since", 0)
    limit = max(1, min(number(request, "limit", 100), LIMIT))
    wait_ms = max(0, min(number(request, "wait_ms", 0), WAIT_MS))
    kept = services(request)
    dashboard = kept.dashboard
    if since < 0:
        _, last, epoch = await dashboard.events_since(project_id, 1 << 62, 1)
        return reply({"events": [], "next": last, "epoch": epoch})
    found, epoch = await dashboard.log(project_id, since, limit)
    if not found and wait_ms:
        await kept.news.after(project_id, since, wait_ms / 1000)
        found, epoch = await dashboard.log(project_id, since, limit)
    return reply({"events": found, "next": found[-1]["seq"] if found else since, "epoch": epoch})


def routes() -> list[BaseRoute]:
    return [Route("/api/projects/{project_id}/events", events)]
