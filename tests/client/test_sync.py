"""The sync client: made from the async one, true to the server's document; the notebook."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path
from typing import Any

from chorus.client import Rest, SyncRest
from chorus.server.app import rest_routes
from chorus.server.transport.openapi import document
from scripts import sync_client
from tests.servers import PATIENCE, Bench, pictures, right

ROOT = Path(__file__).resolve().parent.parent.parent
DOC = document(rest_routes())


def test_made_from_the_async_client() -> None:
    source = sync_client.SOURCE.read_text(encoding="utf-8")
    made = sync_client.TARGET.read_text(encoding="utf-8")
    assert made == sync_client.converted(source), "run python -m scripts.sync_client"
    public = {name for name in vars(Rest) if not name.startswith("_")}
    assert public == {name for name in vars(SyncRest) if not name.startswith("_")}


def test_every_method_calls_a_route_that_there_is() -> None:
    """Paths, verbs and fields of bodies, as they stand in the client's source."""
    source = sync_client.SOURCE.read_text(encoding="utf-8")
    (rest,) = [n for n in ast.parse(source).body if isinstance(n, ast.ClassDef)]
    seen = 0
    for function in rest.body:
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        text = ast.get_source_segment(source, function) or ""
        paths = re.findall(r'"(/(?:api|media)[^"]*)"', text)
        if not paths or function.name == "download":
            continue
        verbs = set(re.findall(r'"(GET|POST|PUT|PATCH|DELETE)"', text))
        if "_get(" in text or "_ended(" in text:
            verbs.add("GET")
        for path in paths:
            wanted = re.sub(r"{\w+}", "X", path)
            found = [
                methods[verb.lower()]
                for template, methods in DOC["paths"].items()
                for verb in verbs
                if re.sub(r"{\w+}", "X", template) == wanted and verb.lower() in methods
            ]
            assert found, f"{function.name}: no {verbs} {path}"
            seen += 1
            content: dict[str, Any] = found[0].get("requestBody", {}).get("content", {})
            reference = content.get("application/json", {}).get("schema", {}).get("$ref")
            if reference is not None and "filter" not in text:
                schema = DOC["components"]["schemas"][reference.rpartition("/")[2]]
                code = text.partition('"""')[0] + text.rpartition('"""')[2]
                assert set(re.findall(r'[{ ]"(\w+)": ', code)) <= set(schema["properties"]), path
    assert seen > 25


async def test_the_notebook_of_the_docs(bench: Bench, tmp_path: Path) -> None:
    """A folder becomes a project, people label, the labels are a data frame and a data set."""
    text = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    folder = pictures(tmp_path / "photos", 5)
    scope: dict[str, Any] = {"URL": bench.server.url, "TOKEN": bench.server.token, "PHOTOS": folder}
    before = {project.project_id for project in await bench.admin.projects()}
    script = asyncio.create_task(asyncio.to_thread(exec, code, scope))
    async with asyncio.timeout(PATIENCE):
        project = None
        while project is None or project.items < 5:
            found = await bench.admin.projects()
            project = next(
                (p for p in found if p.name == "Photos" and p.project_id not in before), None
            )
            assert not script.done() or script.result()
        async for item in bench.admin.items(project.project_id):
            await bench.admin.review(project.project_id, item.item_id, "change", right(item.name))
        await script
    labels, photos = scope["labels"], scope["Photos"]()
    assert len(photos) == len(labels) == 5
    for i, name in enumerate(labels["item"]):
        picture, wanted = photos[i]
        assert picture.size == (16, 16)
        assert scope["project"].class_names[wanted] == right(name)
    # The same by another way: the export that is kept, waited for.
    with SyncRest(bench.server.url, bench.server.token) as rest:
        made = await asyncio.to_thread(
            lambda: rest.wait_for_export(
                project.project_id, rest.begin_export(project.project_id, "jsonl")
            )
        )
    assert made.labeled == 5
    log = [e async for e in bench.admin.events(project.project_id, 0, follow=False)]
    assert [e.seq for e in log] == list(range(1, len(log) + 1))
    assert sum(e.type == "review.decided" for e in log) == 5
