"""Whoever supervises one project gets nothing of another by naming its things: every route and
command that takes the id of something is tried with what is another project's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from chorus.client.upload import follow
from chorus.server.app import rest_routes
from chorus.server.transport.openapi import operations
from tests.servers import PATIENCE, Bench, TestServer, page_of, pictures, running, vote_page

BODIES: dict[str, Any] = {
    "decide": {"action": "remove"},
    "set_member": {"role": "labeler"},
    "pause": {"paused": True},
    "note_gold": {"text": "a note"},
    "add_comment": {"comment_id": "12345678-x", "text": "Why?"},
    "add": {"comment_id": "12345678-x", "text": "Why?"},
    "read": {"seq": 1},
    "change": {},
    "apply": {"as_of": 1},
}
"""By the handler's name; {}: nothing is needed."""
OF_THE_PROJECT = {"number", "kind", "idx", "index", "file", "seq", "job"}
"""Parameters that are counted in each project: another's cannot be named by them."""
OF_THE_SERVER = {"team_id"}
"""Of no project: any supervisor may let a team in, as they may any person."""
PLACES = {"size": "s", "level": "0", "column": "0", "row": "0"}
"""Of a picture: which version or part of it."""
TELLS_NOTHING = {"GET /api/projects/{project_id}/people/{user_id}/pages"}
"""Answers for anybody; of who is no member, that they are not here."""


class Two:
    """Project A with one of everything, and the supervisor of project B."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.ids: dict[str, str] = {}
        self.a = self.b = self.token = ""

    async def make(self, folder: Path) -> None:
        bench, admin = self.bench, self.bench.admin
        project = await bench.make(pictures(folder / "a", 6), page_size=4)
        self.a = project.project_id
        one = f"/api/projects/{self.a}"
        stream = await bench.labeler(credit=1)
        await vote_page(stream, await page_of(stream))
        user_id = (await bench.stats()).labelers[0].user_id
        (first, *_) = (await admin.request("GET", f"{one}/items?state=labeled")).json()["items"]
        job = await admin.import_folder(self.a, pictures(folder / "more", 2, start=20))
        await follow(admin, self.a, job)
        await admin.request("POST", f"{one}/gold", json={"item_ids": [first["item_id"]]})
        source = {"url": f"file://{folder / 'a'}", "name": "S"}
        hook = {"url": "https://127.0.0.1/hook"}
        labels = {"file": ("in.csv", f"item,label\n{first['name']},red\n".encode())}
        options = json.dumps({"kind": "prelabels"})
        invite = {"role": "labeler", "project_id": self.a}
        await admin.request("POST", "/api/invites", json=invite)
        made = {
            "sources": await admin.request("POST", f"{one}/sources", json=source),
            "webhooks": await admin.request("POST", f"{one}/webhooks", json=hook),
            "takebacks": await admin.request(
                "POST", f"{one}/takebacks", json={"user_id": user_id, "until": 1 << 52}
            ),
            "exports": await admin.request("POST", f"{one}/exports", json={"format": "csv"}),
        }
        async with httpx.AsyncClient(
            base_url=bench.server.url,
            headers={"Authorization": f"Bearer {bench.server.token}"},
            timeout=PATIENCE,
        ) as http:
            sent = await http.post(f"{one}/label-imports", files=labels, data={"options": options})
        picture = re.search(r"/media/\w+/(\w+)/", first["image"])
        assert picture is not None
        self.ids = {
            "item_id": str(first["item_id"]),
            "user_id": user_id,
            "job_id": job.job_id,
            "source_id": made["sources"].json()["source_id"],
            "webhook_id": made["webhooks"].json()["webhook_id"],
            "takeback_id": str(made["takebacks"].json()["takeback_id"]),
            "export_id": made["exports"].json()["export_id"],
            "import_id": sent.json()["import_id"],
            "bulk_id": f"a-bulk-of-{self.a}",
            "content_hash": picture[1],
            "invite_id": (await admin.request("GET", f"{one}/invites")).json()["invites"][0][
                "invite_id"
            ],
        }
        body = {"bulk_id": self.ids["bulk_id"], "action": "approve", "state": "labeled"}
        await admin.request("POST", f"{one}/bulks", json=body)
        await bench.make()
        self.b = bench.project.project_id
        self.token = await bench.person("supervisor")

    async def of_a(self) -> Any:
        """What an admin sees of A."""
        one = f"/api/projects/{self.a}"
        async with httpx.AsyncClient(
            base_url=self.bench.server.url,
            headers={"Authorization": f"Bearer {self.bench.server.token}"},
            timeout=PATIENCE,
        ) as http:
            events = (await http.get(f"{one}/events?since=-1")).json()["next"]
            # What they are, not how they get on by themselves.
            lists = [
                [[entry.get(name) for name in names] for entry in
                 (await http.get(f"{one}/{path}")).json()[path.partition("-")[2] or path]]
                for path, names in {
                    "sources": ("source_id", "name", "mode"),
                    "webhooks": ("webhook_id", "url", "types"),
                    "label-imports": ("import_id",),
                    "exports": ("export_id",),
                    "takebacks": ("takeback_id", "undone_at"),
                    "members": ("user_id", "role", "paused"),
                    "invites": ("invite_id", "uses_left"),
                }.items()
            ]  # fmt: skip
        return [events, lists]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    folder = tmp_path_factory.mktemp("objects")
    env = {"CHORUS_ALLOW_FOLDERS": str(folder), "CHORUS_ALLOW_WEBHOOK_HOSTS": "127.0.0.1"}
    with running(folder / "data", **env) as found:
        yield found


@pytest.fixture
async def two(bench: Bench, server: TestServer) -> Two:
    found = Two(bench)
    await found.make(server.process.data_dir.parent)
    return found


def routes() -> list[tuple[str, str, str, list[str]]]:
    """(method, path, name of the handler, its ids besides the project's)."""
    out = []
    for route, method, _ in operations(rest_routes()):
        names = re.findall(r"{(\w+)", route.path)
        if "project_id" in names and len(names) > 1:
            known = {"project_id", *OF_THE_PROJECT, *OF_THE_SERVER}
            rest = [n for n in names if n not in known]
            rest = [n for n in rest if n not in PLACES]
            if rest:
                out.append((method, route.path, route.endpoint.__name__, rest))
    return out


async def test_no_route_gives_or_changes_what_is_another_projects(two: Two) -> None:
    before = await two.of_a()
    headers = {"Authorization": f"Bearer {two.token}"}
    async with httpx.AsyncClient(
        base_url=two.bench.server.url, headers=headers, timeout=PATIENCE
    ) as http:
        for method, template, name, ids in routes():
            where = f"{method} {template}"
            values = {"project_id": two.b, **PLACES}
            for one in ids:
                assert one in two.ids, f"{where}: nothing to try {one} with"
                values[one] = two.ids[one]
            path = re.sub(r"{(\w+)(?::\w+)?}", lambda m, v=values: v[m[1]], template)  # type: ignore[misc]
            answer = await http.request(
                method, path, json=None if method in ("GET", "DELETE") else BODIES.get(name, {})
            )
            if where in TELLS_NOTHING:
                assert answer.json() == {"here": False, "active_at": None, "pages": []}
                continue
            assert answer.status_code in (403, 404, 409), (where, answer.text)
    assert await two.of_a() == before


COMMANDS: list[tuple[str, dict[str, Any]]] = [
    ("vote.cast", {"vote_id": "12345678", "item_id": "item_id", "kind": "skip"}),
    ("comment.add", {"comment_id": "12345678", "item_id": "item_id", "text": "x"}),
    ("comment.list", {"item_id": "item_id"}),
    ("comment.read", {"item_id": "item_id", "seq": 1}),
    ("review.decide", {"item_id": "item_id", "action": "remove"}),
    ("note.add", {"text": "x", "item_id": "item_id"}),
    ("note.add", {"text": "x", "to": "user_id"}),
    ("votes.restore", {"takeback_id": "takeback_id"}),
    ("votes.take_back", {"user_id": "user_id"}),
    ("person.pause", {"user_id": "user_id", "paused": True}),
    ("person.take_page", {"user_id": "user_id"}),
    ("review.cancel_all", {"bulk_id": "bulk_id"}),
]
"""Of a command's own project, with another's ids."""
MANY: list[tuple[str, dict[str, Any]]] = [
    ("votes.cast", {"votes": [{"vote_id": "12345678", "item_id": "item_id", "kind": "skip"}]}),
    ("gold.mark", {"item_ids": ["item_id"]}),
    ("review.decide_many", {"items": [{"item_id": "item_id"}], "action": "approve"}),
]
"""They answer for each item; none may be done."""


async def test_no_command_gives_or_changes_what_is_another_projects(two: Two) -> None:
    before = await two.of_a()
    url = two.bench.server.url.replace("http", "ws") + "/ws"

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(one) for key, one in value.items()}
        if isinstance(value, list):
            return [filled(one) for one in value]
        found = two.ids.get(value, value) if isinstance(value, str) else value
        return int(found) if value in ("item_id", "takeback_id") else found

    async with websockets.connect(
        url, additional_headers={"Authorization": f"Bearer {two.token}"}
    ) as ws:
        await ws.recv()
        for number, (name, body) in enumerate([*COMMANDS, *MANY], start=1):
            body = {"project_id": two.b, **filled(body)}
            await ws.send(json.dumps({"id": number, "type": name, "body": body}))
            while (answer := json.loads(await ws.recv())).get("re") != number:
                pass
            # Of many at once, each is answered for; that nothing was done shows in the log below.
            assert not answer["ok"] or name in [many for many, _ in MANY], (name, answer)
    assert await two.of_a() == before
