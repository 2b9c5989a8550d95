"""The OpenAPI document, for programs and as a page for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.server.transport.auth import current_user
from chorus.server.transport.described import api
from chorus.server.transport.openapi import document
from chorus.server.transport.pages import page, render


def routes(rest: Sequence[BaseRoute]) -> list[BaseRoute]:
    """`rest`: all other REST routes."""
    made: list[dict[str, Any]] = []

    def whole() -> dict[str, Any]:
        if not made:
            made.append(document([*rest, described]))
        return made[0]

    @api("This document", "anyone", gives="application/json")
    async def openapi(request: Request) -> Response:
        return Response(json.dumps(whole()), media_type="application/json")

    @page
    async def docs(request: Request) -> Response:
        user = await current_user(request)
        return render(request, "api.html", user, **_chapters(whole()))

    described = Route("/api/openapi.json", openapi)
    return [described, Route("/api/docs", docs)]


def _chapters(doc: dict[str, Any]) -> dict[str, Any]:
    """What the page shows: operations by chapter, and the types they name."""
    chapters: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in doc["tags"]}
    for path, methods in doc["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {})
            status, answer = next(iter(operation["responses"].items()))
            chapters[operation["tags"][0]].append(
                {
                    **operation,
                    "id": operation["operationId"],
                    "method": method.upper(),
                    "path": path,
                    "about": operation["description"].split("\n\n"),
                    "takes": [(kind, _words(c.get("schema"))) for kind, c in body.items()],
                    "status": status,
                    "gives": [
                        (kind, _words(c.get("schema")))
                        for kind, c in answer.get("content", {}).items()
                    ],
                    "refusals": [
                        (code, found["description"].replace("`", ""))
                        for code, found in operation["responses"].items()
                        if code >= "400"
                    ],
                    "parameters": [
                        {**p, "words": _words(p["schema"])[0][0]} for p in operation["parameters"]
                    ],
                }
            )
    types = [
        {
            "name": name,
            "about": schema.get("description", ""),
            "fields": [
                (field, field in schema.get("required", ()), _words(inner))
                for field, inner in schema.get("properties", {}).items()
            ],
        }
        for name, schema in sorted(doc["components"]["schemas"].items())
    ]
    return {"chapters": chapters, "types": types, "info": doc["info"]}


Words = list[tuple[str, str]]
"""A type in words: (text, name of the type that the text stands for, or "")."""


def _words(schema: dict[str, Any] | None) -> Words:
    if not schema:
        return [("anything", "")]
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return [(name, name)]
    if "anyOf" in schema:
        parts: Words = []
        for inner in schema["anyOf"]:
            parts += [(" or ", "")] if parts else []
            parts += _words(inner)
        return parts
    if "enum" in schema:
        return [(" or ".join(json.dumps(value) for value in schema["enum"]), "")]
    kind = schema.get("type", "anything")
    if kind == "array":
        if "prefixItems" in schema:
            inner_words: Words = []
            for inner in schema["prefixItems"]:
                inner_words += [(", ", "")] if inner_words else []
                inner_words += _words(inner)
            return [("[", ""), *inner_words, ("]", "")]
        return [("list of ", ""), *_words(schema.get("items"))]
    if kind == "object":
        values = schema.get("additionalProperties")
        return [("object", "")] if not values else [("object of ", ""), *_words(values)]
    return [("whole number" if kind == "integer" else str(kind), "")]
