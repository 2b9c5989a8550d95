"""REST: projects, members, items, review, imports, exports, media."""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from chorus.client import answers, messages
from chorus.server.errors import ApiError
from chorus.server.formats.sniff import DICOM_TYPE
from chorus.server.services.accounts import CurrentUser
from chorus.server.services.projects import Change, NewProject
from chorus.server.transport.auth import SAFE_METHODS, require_admin, require_user
from chorus.server.transport.described import Query, api, paging
from chorus.server.transport.http import body_of, item_id_of, number, reply, services, uploaded
from chorus.server.transport.once import once
from chorus.server.transport.review_filter import BulkBody, filter_of

_HASH = re.compile(r"[0-9a-f]{64}")
IMMUTABLE = "private, max-age=31536000, immutable"


class Member(msgspec.Struct):
    role: str
    user_id: str | None = None
    login: str | None = None


class ImportFrom(msgspec.Struct):
    folder: str | None = None
    csv: str | None = None
    gold: bool = False
    """The labels that the CSV brings are gold, all of them."""
    columns: list[str] | None = None
    """Of a table of texts: the columns to show."""


class Decision(msgspec.Struct):
    action: str
    value: dict[str, Any] | None = None
    seen: int | None = None


IN_ARCHIVE = ("/preview", "/confirm", "/exports")
"""What changes nothing, though it is posted."""


async def member_of(request: Request, least: str) -> tuple[CurrentUser, str]:
    """(the user, the project's id) when the role suffices. Raises `ApiError`."""
    user = await require_user(request)
    project_id = request.path_params["project_id"]
    projects = services(request).projects
    await projects.require(user, project_id, least)
    if request.method not in SAFE_METHODS and not request.url.path.endswith(IN_ARCHIVE):
        projects.require_open(project_id)
    return user, project_id


@api("My projects; all for an admin", "signed in", answer=answers.Projects)
async def projects(request: Request) -> Response:
    user = await require_user(request)
    return reply({"projects": await services(request).projects.list_for(user)})


@api("Make a project", "admin", body=NewProject, answer=messages.Project, status=201)
@once
async def add_project(request: Request) -> Response:
    user = await require_admin(request, "only an admin makes projects")
    new = await body_of(request, NewProject)
    return reply(await services(request).projects.create(user, new), 201)


@api("One project", "labeler", answer=messages.Project)
async def project(request: Request) -> Response:
    user, project_id = await member_of(request, "labeler")
    return reply(await services(request).projects.get_for(user, project_id))


@api(
    "Change a project's settings, pause it, archive it",
    "supervisor",
    body=Change,
    answer=messages.Project,
)
async def change_project(request: Request) -> Response:
    user = await require_user(request)
    project_id = request.path_params["project_id"]
    change = await body_of(request, Change)
    return reply(await services(request).projects.change(user, project_id, change))


@api("What a change would do", "supervisor", body=Change, answer=answers.ChangePreview)
async def preview_change(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    change = await body_of(request, Change)
    return reply(await services(request).previewing.of(project_id, change))


@api("Members and their roles", "supervisor", answer=answers.Members)
async def members(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply({"members": await services(request).projects.members(project_id)})


@api("Add a member, or change their role", "supervisor", body=Member, answer=answers.Members)
async def set_member(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    body = await body_of(request, Member)
    if body.role == "supervisor" and not user.admin:
        raise ApiError("forbidden", "only an admin makes supervisors")
    kept = services(request)
    held = {m["user_id"]: m for m in await kept.projects.members(project_id)}
    member = held.get(body.user_id or "") or next(
        (m for m in held.values() if m["login"] == body.login), None
    )
    if member is not None and member["role"] != body.role and not user.admin:
        raise ApiError("forbidden", "only an admin changes what a supervisor is")
    await kept.projects.set_member(project_id, body.user_id, body.login, body.role)
    return reply({"members": await kept.projects.members(project_id)})


@api("Remove a member", "supervisor", answer=answers.MemberLeft)
async def drop_member(request: Request) -> Response:
    """Invitations to the project that were made before end, or they would come back by one; those
    for one other person stay."""
    user, project_id = await member_of(request, "supervisor")
    kept = services(request)
    user_id = request.path_params["user_id"]
    held = {m["user_id"]: m["role"] for m in await kept.projects.members(project_id)}
    if held.get(user_id) == "supervisor" and not user.admin:
        raise ApiError("forbidden", "only an admin removes supervisors")
    ended = await kept.projects.drop_member(project_id, user_id)
    return reply({"members": await kept.projects.members(project_id), "invites_ended": ended})


# -- data


@api(
    "Import a folder or a table that lies on the server",
    "admin",
    body=ImportFrom,
    answer=messages.Job,
    status=202,
)
@once
async def start_import(request: Request) -> Response:
    user = await require_admin(request, "only an admin may read folders of the server")
    project_id = request.path_params["project_id"]
    await services(request).projects.require(user, project_id, "supervisor")
    services(request).projects.require_open(project_id)
    body = await body_of(request, ImportFrom)
    importing = services(request).importing
    if (body.folder is None) == (body.csv is None):
        raise ApiError("bad_message", "give either folder or csv")
    if body.folder is not None:
        if body.gold:
            raise ApiError("bad_value", "a folder brings no labels that could be gold; give a csv")
        job = await importing.from_folder(project_id, user.user_id, body.folder, body.columns)
    else:
        job = await importing.from_csv(
            project_id, user.user_id, body.csv or "", body.gold, body.columns
        )
    return reply(job, 202)


@api(
    "Import files that are sent",
    "supervisor",
    takes="multipart/form-data",
    answer=messages.Job,
    status=202,
)
async def upload(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    importing = services(request).importing
    async with uploaded(request, user.user_id, files=100_000) as form:
        files = [f for f in form.getlist("files") if not isinstance(f, str)]
        if not files:
            raise ApiError("bad_message", "no files in the field 'files'")
        gold = str(form.get("gold", "")).lower() in ("1", "true", "yes")
        columns = [str(name) for name in form.getlist("columns")] or None
        job = await importing.from_upload(project_id, user.user_id, files, gold, columns)
    return reply(job, 202)


@api("How far an import is", "supervisor", answer=messages.Job)
async def job(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply(await services(request).importing.job(project_id, request.path_params["job_id"]))


@api("The dashboard's figures", "supervisor", answer=messages.Stats)
async def stats(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply(await services(request).dashboard.stats(project_id))


@api(
    "Items, page by page",
    "supervisor",
    answer=answers.Items,
    query={
        "state": Query(str, "only items in it"),
        **paging(after="the `next` of the page before", limit="at most so many (50)"),
    },
)
async def items(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    found = await services(request).review.items(
        project_id,
        request.query_params.get("state") or None,
        number(request, "after", 0),
        number(request, "limit", 50),
        votes=False,
    )
    return reply(found)


@api("One item, with its votes", "supervisor", answer=answers.Item)
async def item(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply(await services(request).review.item(project_id, item_id_of(request)))


@api("Decide about an item", "supervisor", body=Decision, answer=answers.DecisionMade)
async def decide(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    body = await body_of(request, Decision)
    decided = await services(request).review.decide(
        project_id, item_id_of(request), user.user_id, body.action, body.value, body.seen
    )
    return reply(decided)


@api(
    "Decide about all items of a filter",
    "supervisor",
    body=BulkBody,
    answer=answers.Bulk,
    status=202,
)
async def decide_all(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    body = await body_of(request, BulkBody)
    kept = services(request)
    if body.undoes is not None:
        bulk = kept.bulks.undo(project_id, body.bulk_id, body.undoes, user.user_id)
    else:
        wanted = filter_of(kept, project_id, body, user.user_id)
        bulk = kept.bulks.decide(
            project_id, body.bulk_id, wanted, user.user_id, body.action, body.value, body.as_of
        )
    return reply(bulk, 202)


@api("How far such a decision is", "supervisor", answer=answers.Bulk)
async def bulk(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply(services(request).bulks.get(project_id, request.path_params["bulk_id"]))


@api("End such a decision; what is decided stays", "supervisor", answer=answers.Bulk)
async def cancel_all(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply(services(request).bulks.cancel(project_id, request.path_params["bulk_id"]))


@api(
    "Items that look like this one",
    "supervisor",
    answer=answers.SimilarItems,
    query={
        "settled": Query(bool, "among labeled items (true), or those still to be settled"),
        **paging(limit="at most so many (12)"),
    },
)
async def similar(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    settled = request.query_params.get("settled", "true") != "false"
    limit = number(request, "limit", 12)
    found = services(request).similar
    return reply(await found.items(project_id, item_id_of(request), settled, limit))


@api("Start a round of the model now", "supervisor", answer=answers.Nothing, status=202)
async def train(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    await services(request).rounds.train_now(project_id)
    return reply({}, 202)


@api(
    "Download export.csv, votes.csv or export.json as of now",
    "supervisor",
    gives="application/octet-stream",
)
async def export(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    name = request.path_params["file"]
    stream, media_type = services(request).exporting.open(project_id, name)
    headers = {"Content-Disposition": f'attachment; filename="{project_id}-{name}"'}
    return StreamingResponse(stream, media_type=media_type, headers=headers)


@api(
    "A picture or a text",
    "labeler",
    gives="application/octet-stream",
    query={
        "wc": Query(float, "of DICOM: centre of the window"),
        "ww": Query(float, "of DICOM: its width"),
    },
)
async def media(request: Request) -> Response:
    """Images and texts never change under their content hash: browsers may keep them for good."""
    user, project_id = await member_of(request, "labeler")
    content, size = request.path_params["content_hash"], request.path_params["size"]
    if not _HASH.fullmatch(content) or size not in ("s", "m", "o"):
        raise ApiError("not_found", "no such file")
    kept = services(request)
    found = await kept.pictures.find(project_id, content, size, _window_of(request))
    if found is None:
        raise ApiError("not_found", "no such file")
    path, media_type = found
    if media_type == DICOM_TYPE:
        # It names the patient; a rendered picture does not.
        await kept.projects.require(user, project_id, "supervisor")
    headers = {"Cache-Control": IMMUTABLE, "X-Content-Type-Options": "nosniff"}
    return FileResponse(path, media_type=media_type, headers=headers)


@api("A piece of a large picture", "labeler", gives="image/jpeg")
async def tile(request: Request) -> Response:
    """Level 0 is the picture in full size, 1 half of it, and so on; pieces of 1024 pixels."""
    _, project_id = await member_of(request, "labeler")
    path = request.path_params
    if not _HASH.fullmatch(path["content_hash"]):
        raise ApiError("not_found", "no such file")
    found = await services(request).pictures.tile(
        project_id, path["content_hash"], path["level"], path["column"], path["row"]
    )
    if found is None:
        raise ApiError("not_found", "no such file")
    headers = {"Cache-Control": IMMUTABLE, "X-Content-Type-Options": "nosniff"}
    return FileResponse(found, media_type="image/jpeg", headers=headers)


def _window_of(request: Request) -> tuple[float, float] | None:
    """?wc=&ww= of a DICOM picture. Raises bad_message."""
    texts = [request.query_params.get(name) for name in ("wc", "ww")]
    if texts == [None, None]:
        return None
    try:
        center, width = (float(text or "") for text in texts)
    except ValueError:
        center = width = math.nan
    if not (math.isfinite(center) and 0 < width < math.inf):
        raise ApiError("bad_message", "wc and ww are numbers, both needed, and ww is above 0")
    return center, width


@api("Is the server up?", "anyone", answer=answers.Health)
async def healthz(request: Request) -> Response:
    return reply({"ok": True, "version": request.app.state.version})


def routes() -> list[BaseRoute]:
    one = "/api/projects/{project_id}"
    return [
        Route("/healthz", healthz),
        Route("/api/projects", projects, methods=["GET"]),
        Route("/api/projects", add_project, methods=["POST"]),
        Route(one, project, methods=["GET"]),
        Route(one, change_project, methods=["PATCH"]),
        Route(f"{one}/preview", preview_change, methods=["POST"]),
        Route(f"{one}/members", members, methods=["GET"]),
        Route(f"{one}/members", set_member, methods=["PUT"]),
        Route(f"{one}/members/{{user_id}}", drop_member, methods=["DELETE"]),
        Route(f"{one}/import", start_import, methods=["POST"]),
        Route(f"{one}/upload", upload, methods=["POST"]),
        Route(f"{one}/jobs/{{job_id}}", job),
        Route(f"{one}/stats", stats),
        Route(f"{one}/items", items),
        Route(f"{one}/items/{{item_id}}", item),
        Route(f"{one}/items/{{item_id}}/review", decide, methods=["POST"]),
        Route(f"{one}/items/{{item_id}}/similar", similar),
        Route(f"{one}/bulks", decide_all, methods=["POST"]),
        Route(f"{one}/bulks/{{bulk_id}}", bulk, methods=["GET"]),
        Route(f"{one}/bulks/{{bulk_id}}", cancel_all, methods=["DELETE"]),
        Route(f"{one}/train", train, methods=["POST"]),
        Route(f"{one}/{{file:str}}", export, methods=["GET"]),
        Route("/media/{project_id}/{content_hash}/{size}", media),
        Route("/media/{project_id}/{content_hash}/t/{level:int}/{column:int}/{row:int}", tile),
    ]
