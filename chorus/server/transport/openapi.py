"""OpenAPI 3.1 of the REST routes, made from the routes, their entries and their types."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.routing import BaseRoute, Route

from chorus import __version__
from chorus.server.errors import STATUS
from chorus.server.transport.described import Entry, entry_of

REFERENCE = "#/components/schemas/{name}"
WHOLE = {"item_id", "number", "index", "takeback_id"}
"""Path parameters that are whole numbers."""
TAGS = (
    ("/api/projects/{project_id}/exports", "Exports"),
    ("/api/projects/{project_id}/webhooks", "Webhooks"),
    ("/api/projects/{project_id}/round", "Model"),
    ("/api/projects/{project_id}/tuning", "Model"),
    ("/api/projects/{project_id}/train", "Model"),
    ("/api/projects/{project_id}/features", "Model"),
    ("/api/projects/{project_id}/import", "Data in"),
    ("/api/projects/{project_id}/upload", "Data in"),
    ("/api/projects/{project_id}/jobs", "Data in"),
    ("/api/projects/{project_id}/sources", "Data in"),
    ("/api/projects/{project_id}/label-imports", "Data in"),
    ("/api/projects/{project_id}/items", "Items and review"),
    ("/api/projects/{project_id}/bulks", "Items and review"),
    ("/api/projects/{project_id}/gold", "Items and review"),
    ("/api/projects/{project_id}/priority", "Items and review"),
    ("/api/projects/{project_id}/comments", "Items and review"),
    ("/api/projects/{project_id}/class", "Classes and instructions"),
    ("/api/projects/{project_id}/start-over", "Classes and instructions"),
    ("/api/projects/{project_id}/instructions", "Classes and instructions"),
    ("/api/projects/{project_id}/pictures", "Classes and instructions"),
    ("/api/projects/{project_id}/people", "People's work"),
    ("/api/projects/{project_id}/quality", "People's work"),
    ("/api/projects/{project_id}/pace", "People's work"),
    ("/api/projects/{project_id}/notes", "People's work"),
    ("/api/projects/{project_id}/takebacks", "People's work"),
    ("/api/projects/{project_id}/history", "People's work"),
    ("/api/projects/{project_id}/stats", "Dashboard"),
    ("/api/projects/{project_id}/moment", "Dashboard"),
    ("/api/projects/{project_id}/curve", "Dashboard"),
    ("/api/projects/{project_id}/events", "Dashboard"),
    ("/api/projects/{project_id}/{file", "Exports"),
    ("/api/server", "Dashboard"),
    ("/healthz", "Dashboard"),
    ("/media", "Items and review"),
    ("/api/projects", "Projects"),
    ("/api/drafts", "Drafts of projects"),
    ("", "People and sign-in"),
)
"""Chapters, by how a path begins; the first that fits."""


class ErrorBody(msgspec.Struct):
    code: str
    """Stable; docs/protocol.md lists them."""
    message: str
    """For people."""
    retry: bool = False
    """The same request may succeed later."""


class Error(msgspec.Struct):
    """Why a request was refused."""

    error: ErrorBody


def operations(routes: Iterable[BaseRoute]) -> list[tuple[Route, str, Entry | None]]:
    """(route, method, its entry) of every REST route."""
    return [
        (route, method, entry_of(route.endpoint))
        for route in routes
        if isinstance(route, Route)
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]


def document(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """The OpenAPI document. Raises `LookupError` naming a route that nobody has described."""
    found = operations(routes)
    missing = [f"{method} {route.path}" for route, method, entry in found if entry is None]
    if missing:
        raise LookupError(f"no entry (transport/described.py) for {', '.join(missing)}")
    described = [(route, method, entry) for route, method, entry in found if entry is not None]
    types = [Error]
    for _, _, entry in described:
        types += [t for t in (entry.body, entry.answer) if t is not None]
        types += [query.type for query in entry.query.values()]
    schemas, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
    # `types` may hold what cannot be hashed (a union): found again by its place.
    by_type = [(t, s) for t, s in zip(types, schemas, strict=True)]

    def schema(wanted: Any) -> dict[str, Any]:
        return next(s for t, s in by_type if t is wanted or t == wanted)

    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route, method, entry in described:
        path = re.sub(r":\w+}", "}", route.path)
        paths[path][method.lower()] = _operation(route, method, path, entry, schema)
    names = {tag for _, tag in TAGS}
    used = {operation["tags"][0] for path in paths.values() for operation in path.values()}
    order = [tag for tag in dict.fromkeys(tag for _, tag in TAGS) if tag in used & names]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Chorus",
            "version": __version__,
            "summary": "Everything the pages do, for programs.",
            "description": "JSON in, JSON out. Times are milliseconds since 1970 UTC. Answers may"
            " gain fields; a program ignores those it does not know.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in order],
        "paths": dict(paths),
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http", "scheme": "bearer",
                    "description": "From POST /api/tokens, or `chorus user add --token`.",
                },
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "chorus_session",
                    "description": "A browser's. What changes something needs the Origin header.",
                },
            },
        },
    }  # fmt: skip


def _operation(
    route: Route, method: str, path: str, entry: Entry, schema: Any
) -> dict[str, Any]:  # fmt: skip
    names = re.findall(r"{(\w+)}", path)
    parameters: list[dict[str, Any]] = [
        {
            "name": name, "in": "path", "required": True,
            "schema": {"type": "integer" if name in WHOLE else "string"},
        }
        for name in names
    ]  # fmt: skip
    parameters += [
        {"name": name, "in": "query", "description": query.about, "schema": schema(query.type)}
        for name, query in entry.query.items()
    ]
    if entry.once:
        parameters.append(
            {
                "name": "Idempotency-Key", "in": "header", "schema": {"type": "string"},
                "description": "Any text of up to 200 characters. The same key with the same"
                " request, within a day, gets the first one's answer and does nothing again.",
            }
        )  # fmt: skip
    answer: dict[str, Any] = {"description": "Done" if entry.status < 300 else "Go there"}
    if entry.answer is not None:
        answer["content"] = {"application/json": {"schema": schema(entry.answer)}}
    elif entry.gives:
        answer["content"] = {entry.gives: {}}
    operation: dict[str, Any] = {
        "operationId": f"{route.endpoint.__module__.rpartition('_')[2]}_{route.endpoint.__name__}",
        "tags": [next(tag for start, tag in TAGS if path.startswith(start))],
        "summary": entry.summary,
        "description": _about(route, entry),
        "parameters": parameters,
        "responses": {str(entry.status): answer, **_refusals(method, names, entry, schema)},
        "security": [] if entry.role == "anyone" else [{"token": []}, {"session": []}],
        "x-role": entry.role,
    }
    if entry.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema(entry.body)}},
        }
    elif entry.takes:
        operation["requestBody"] = {"required": True, "content": {entry.takes: {}}}
    return operation


def _about(route: Route, entry: Entry) -> str:
    who = {
        "anyone": "For anyone, signed in or not.",
        "signed in": "For anyone signed in.",
        "labeler": "For members of the project.",
        "supervisor": "For the project's supervisors and admins.",
        "admin": "For admins.",
    }[entry.role]
    words = inspect.getdoc(route.endpoint)
    return f"{who}\n\n{words}" if words else who


def _refusals(method: str, names: list[str], entry: Entry, schema: Any) -> dict[str, Any]:
    codes = set(entry.errors)
    if entry.role != "anyone":
        codes.add("not_signed_in")
        if entry.role != "signed in":
            codes.add("forbidden")
        if method != "GET":
            codes.add("bad_origin")
    if names:
        codes.add("not_found")
    if entry.query:
        codes.add("bad_message")
    if entry.body is not None or entry.takes:
        codes |= {"bad_message", "too_large", "bad_value"}
    if method != "GET" and "project_id" in names:
        codes.add("conflict")
    if entry.once:
        codes |= {"conflict", "bad_value"}
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in sorted(codes):
        by_status[STATUS[code]].append(code)
    return {
        str(status): {
            "description": " or ".join(f"`{code}`" for code in found),
            "content": {"application/json": {"schema": schema(Error)}},
        }
        for status, found in sorted(by_status.items())
    }
