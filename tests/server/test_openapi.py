"""The OpenAPI document says what the server does: of every route, and of its real answers."""

from __future__ import annotations

import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from starlette.routing import Route

from chorus.server.app import rest_routes
from chorus.server.transport.openapi import document, operations
from tests.servers import Bench, page_of, pictures, vote_page

DOC = document(rest_routes())


def operation(doc: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """That of a request's path."""
    for template, methods in doc["paths"].items():
        pattern = re.sub(r"{\w+}", "[^/]+", template)
        if re.fullmatch(pattern, path) and method.lower() in methods:
            found: dict[str, Any] = methods[method.lower()]
            return found
    raise LookupError(f"{method} {path} is not in the document")


def answer_errors(doc: dict[str, Any], response: httpx.Response) -> list[str]:
    """Unless the status is one that the route's entry names, and the JSON fits its type."""
    request = response.request
    where = f"{request.method} {request.url.path}"
    described = operation(doc, request.method, request.url.path)["responses"]
    found = described.get(str(response.status_code))
    if found is None:
        return [f"{where}: {response.status_code} {response.text}"]
    schema = found.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return []
    # References are into the document.
    validator = Draft202012Validator({**schema, "components": doc["components"]})
    return [
        f"{where} {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        for error in validator.iter_errors(response.json())
    ]


def test_a_valid_document_of_every_route() -> None:
    # `document` raises for a route that has no entry.
    validate(DOC)
    for route, method, entry in operations(rest_routes()):
        assert entry is not None
        path = re.sub(r":\w+}", "}", route.path)
        described = DOC["paths"][path][method.lower()]
        assert described["summary"], path
    ids = [op["operationId"] for path in DOC["paths"].values() for op in path.values()]
    assert len(set(ids)) == len(ids)
    # Two types of one name would be told apart by their modules.
    assert [name for name in DOC["components"]["schemas"] if "." in name] == []


def test_an_entry_says_what_its_handler_does() -> None:
    """Body, role and query parameters, as they stand in the handler's source."""
    for route, method, entry in operations(rest_routes()):
        assert entry is not None
        where = f"{method} {route.path}"
        source = inspect.getsource(inspect.unwrap(route.endpoint))
        bodies = re.findall(r"body_of\(request, ([\w.]+)", source)
        if bodies:
            name = bodies[0]
            assert entry.body is not None, where
            assert getattr(entry.body, "__name__", "").startswith(name.partition("[")[0]), where
        else:
            assert entry.body is None, where
        roles = re.findall(r'member_of\(request, "(\w+)"\)', source)
        if roles:
            assert entry.role == roles[0], where
        asked = set(re.findall(r'number\(request, "(\w+)"', source))
        asked |= set(re.findall(r'query_params\.get\("(\w+)"', source))
        assert asked <= set(entry.query), where


async def test_real_answers_fit(bench: Bench, tmp_path: Path) -> None:
    """Every GET of JSON in a project that has seen work, and what people who may not are told."""
    await bench.make(pictures(tmp_path, 6), votes_min=1, votes_max=2)
    stream = await bench.labeler(credit=1, page_size=4)
    page = await page_of(stream)
    await vote_page(stream, page)
    doc = (await bench.admin.request("GET", "/api/openapi.json")).json()
    validate(doc)
    project = bench.project.project_id
    one = f"/api/projects/{project}"
    admin = bench.admin
    user = (await bench.stats()).labelers[0].user_id
    item_id = page.items[0].item_id
    known = {
        "project_id": project,
        "item_id": str(item_id),
        "user_id": user,
        "draft_id": (await admin.request("POST", "/api/drafts", json={"name": "Later"})).json()[
            "draft_id"
        ],
        "export_id": (await admin.begin_export(project, "csv")).export_id,
    }
    sent = [
        await admin.request("POST", f"{one}/notes", json={"text": "Look twice."}),
        await admin.request("POST", f"{one}/preview", json={"votes_min": 2}),
        await admin.request(
            "POST", f"{one}/items/{known['item_id']}/review",
            json={"action": "change", "value": {"class": "red"}},
        ),
        await admin.request("POST", f"{one}/gold", json={"item_ids": [item_id]}),
        await admin.request(
            "POST", f"{one}/items/{known['item_id']}/comments",
            json={"comment_id": f"comment-{project}", "text": "Why?", "to": user},
        ),
        await admin.request("POST", f"{one}/takebacks", json={"user_id": user}),
        await admin.request("PUT", f"{one}/members", json={"user_id": user, "role": "labeler"}),
    ]  # fmt: skip
    wrong = [error for response in sent for error in answer_errors(doc, response)]
    asked = 0
    token = {"Authorization": f"Bearer {bench.server.token}"}
    async with httpx.AsyncClient(base_url=bench.server.url) as whoever:
        for path, methods in doc["paths"].items():
            names = set(re.findall(r"{(\w+)}", path))
            if "get" not in methods or not names <= known.keys():
                continue
            if "application/json" not in methods["get"]["responses"].get("200", {}).get(
                "content", {}
            ):
                continue
            url = path.format(**known) + ("?seq=2" if path.endswith("/moment") else "")
            wrong += answer_errors(doc, await whoever.get(url, headers=token))
            wrong += answer_errors(doc, await whoever.get(url))
            asked += 1
    assert not wrong
    assert asked > 25


async def test_events_by_cursor_and_by_waiting(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 2))
    url = f"/api/projects/{bench.project.project_id}/events"
    whole = (await bench.admin.request("GET", url)).json()
    seqs = [event["seq"] for event in whole["events"]]
    assert seqs == list(range(1, len(seqs) + 1))
    parts: list[int] = []
    since = 0
    while True:
        part = (await bench.admin.request("GET", url, params={"since": since, "limit": 2})).json()
        if not part["events"]:
            break
        parts += [event["seq"] for event in part["events"]]
        since = part["next"]
    assert parts == seqs
    waiting = bench.admin.request("GET", url, params={"since": since, "wait_ms": 30_000})
    task = asyncio.ensure_future(waiting)
    await bench.admin.change_project(bench.project.project_id, description="now")
    found = (await task).json()["events"]
    assert found[0]["type"] == "project.changed"


async def test_readable_pages(bench: Bench) -> None:
    async with httpx.AsyncClient(base_url=bench.server.url) as anyone:
        page = await anyone.get("/api/docs")
    assert page.status_code == 200
    for route, method, entry in operations(rest_routes()):
        assert entry is not None
        assert isinstance(route, Route)
        assert method in page.text
        assert re.sub(r":\w+}", "}", route.path) in page.text
