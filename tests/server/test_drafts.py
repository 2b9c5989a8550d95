"""The wizard's drafts: nothing is lost half-way, nothing is made by halves."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chorus.client import ApiError, Rest
from chorus.client.upload import follow
from chorus.server.formats.looking import look
from tests.servers import Bench, TestServer, pictures, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    with running(tmp_path_factory.mktemp("drafts")) as found:
        yield found


ANSWERS: dict[str, Any] = {
    "step": "classes",
    "name": "Wardrobe",
    "classes": [{"name": "green", "color": "#123456", "key": "2"}, {"name": "red"}],
    "votes_max": 3,
    "assist": False,
    "source": {"kind": "upload", "gold": True},
}


async def send(bench: Bench, method: str, path: str = "", body: Any = None) -> Any:
    response = await bench.admin.request(method, f"/api/drafts{path}", json=body)
    return response.json() if response.content else None


def test_what_a_folder_holds(tmp_path: Path) -> None:
    pictures(tmp_path / "tops", 3)
    pictures(tmp_path / "shoes", 2, start=3)
    (tmp_path / "gold.csv").write_text("path,label\na.png,red\nb.png,green\nc.png,red\n")
    (tmp_path / "clip.mp4").write_bytes(b"x")
    found = look(str(tmp_path), False)
    assert (found["items"], found["faults"], found["tables"]) == (5, 1, ["gold.csv"])
    assert found["labeled"] == 3
    assert found["folders"] == [["tops", 3], ["shoes", 2]]
    assert found["labels"] == [["red", 2], ["green", 1]]
    assert look(str(tmp_path / "gold.csv"), False)["items"] == 3
    assert "no folder" in look(str(tmp_path / "nowhere"), False)["error"]
    table = tmp_path / "t.jsonl"
    table.write_text('{"text": "a", "label": ["x", "y"]}\n{"text": "b", "label": "x"}\n')
    assert look(str(table), True)["labels"] == [["x", 2], ["y", 1]]
    table.write_text("{broken")
    assert "t.jsonl" in look(str(table), True)["error"]


def test_what_comes_in_is_what_was_looked_at(tmp_path: Path) -> None:
    """Whatever an import takes, the look before it does."""
    table = tmp_path / "t.csv"
    table.write_bytes("text,label\nä,x\n".encode("utf-16"))
    found = look(str(table), True)
    assert (found["items"], found["labels"], found["error"]) == (1, [["x", 1]], None)
    table.write_text(f"text,label\n{'long ' * 40_000},x\n")
    found = look(str(table), True)
    assert (found["items"], found["labels"], found["error"]) == (1, [["x", 1]], None)
    lines = tmp_path / "t.jsonl"
    lines.write_text('{"text": "a", "label": "x"}\n[1]\n{broken\n')
    found = look(str(lines), True)
    assert (found["items"], found["labels"], found["error"]) == (3, [["x", 1]], None)
    pictures(tmp_path / "in" / "set", 1)
    (tmp_path / "in" / "set" / "gold.csv").write_text("path,label\na.png,red\n")
    assert look(str(tmp_path / "in"), False)["labels"] == [["red", 1]]


async def test_a_draft_becomes_a_project_with_its_files_and_people(
    bench: Bench, server: TestServer, tmp_path: Path
) -> None:
    draft_id = (await send(bench, "POST", "", {"name": "W"}))["draft_id"]
    await send(bench, "PUT", f"/{draft_id}", ANSWERS)
    folder = pictures(tmp_path, 4)
    (folder / "gold.csv").write_text("path,label\ngreen-00000.png,green\nred-00001.png,red\n")
    names = await asyncio.to_thread(lambda: sorted(folder.iterdir()))
    files = [("files", (p.name, p.read_bytes())) for p in names]
    found = (await bench.admin.request("POST", f"/api/drafts/{draft_id}/files", files=files)).json()
    assert (found["items"], found["labels"]) == (4, [["green", 1], ["red", 1]])
    login = f"person-{secrets.token_hex(3)}"
    person = await bench.admin.create_user(login, "Person", secrets.token_hex(8))
    people = [{"user_id": person.user_id, "role": "supervisor"}]
    await send(bench, "PUT", f"/{draft_id}", {**ANSWERS, "people": people})
    # Kept as it was said, for whoever goes on.
    (kept,) = [d for d in (await send(bench, "GET"))["drafts"] if d["draft_id"] == draft_id]
    assert kept["body"] == {**ANSWERS, "people": people}
    made = await send(bench, "POST", f"/{draft_id}/initialize")
    project_id = made["project"]["project_id"]
    assert made["project"]["classes"] == [
        {"name": "green", "color": "#123456", "key": "2"},
        {"name": "red", "color": "#f95907", "key": "1"},
    ]
    assert (made["project"]["prelabel"], made["project"]["cluster"]) == (False, False)
    job = await bench.admin.job(project_id, made["job"]["job_id"])
    job = await follow(bench.admin, project_id, job)
    assert (job.added, job.faulty) == (4, 0)
    stats = await bench.admin.stats(project_id)
    assert (stats.counts.labeled, stats.counts.unlabeled) == (2, 2)
    root = f"/api/projects/{project_id}/members"
    members = (await bench.admin.request("GET", root)).json()["members"]
    assert [(m["user_id"], m["role"]) for m in members] == [(person.user_id, "supervisor")]
    with pytest.raises(ApiError, match="no such draft"):
        await send(bench, "GET", f"/{draft_id}")
    drafts = server.process.data_dir / "drafts"
    assert not await asyncio.to_thread((drafts / draft_id).exists)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": " "}, "needs a name"),
        ({"classes": [{"name": "one"}]}, "at least two classes"),
        ({"votes_min": 5}, "votes_min"),
        ({"source": {"kind": "server", "path": "/nowhere/at/all"}}, "no folder"),
        ({"target": "high"}, "cannot be"),
    ],
)
async def test_what_cannot_be_is_refused_and_the_draft_stays(
    bench: Bench, changes: dict[str, Any], words: str
) -> None:
    before = {p.project_id for p in await bench.admin.projects()}
    draft_id = (await send(bench, "POST", "", {**ANSWERS, **changes}))["draft_id"]
    with pytest.raises(ApiError, match=words):
        await send(bench, "POST", f"/{draft_id}/initialize")
    assert {p.project_id for p in await bench.admin.projects()} == before
    await send(bench, "GET", f"/{draft_id}")
    await send(bench, "DELETE", f"/{draft_id}")


async def test_a_draft_asked_for_twice_at_once_becomes_one_project(bench: Bench) -> None:
    body = {**ANSWERS, "name": "Once", "source": {"kind": "none"}}
    draft_id = (await send(bench, "POST", body=body))["draft_id"]
    made = await asyncio.gather(
        *(send(bench, "POST", f"/{draft_id}/initialize", {}) for _ in range(3)),
        return_exceptions=True,
    )
    refused = [one for one in made if isinstance(one, ApiError)]
    assert {one.code for one in refused} <= {"conflict", "not_found"}
    assert len(refused) == 2
    assert sum(p.name == "Once" for p in await bench.admin.projects()) == 1


async def test_somebody_who_has_gone_since_they_were_chosen_stops_nothing(bench: Bench) -> None:
    people = [{"user_id": "gone", "role": "labeler"}]
    body = {**ANSWERS, "source": {"kind": "none"}, "people": people}
    draft_id = (await send(bench, "POST", body=body))["draft_id"]
    made = (await send(bench, "POST", f"/{draft_id}/initialize", {}))["project"]
    root = f"/api/projects/{made['project_id']}/members"
    assert (await bench.admin.request("GET", root)).json()["members"] == []


async def test_a_kill_leaves_the_draft_or_the_whole_project(
    bench: Bench, server: TestServer, tmp_path: Path
) -> None:
    """And says that its pictures have not come in, if they have not."""
    found = sorted(pictures(tmp_path, 40).iterdir())
    for wait in (0.0, 0.01, 0.02, 0.04):
        body = {**ANSWERS, "name": f"Killed {wait}"}
        draft_id = (await send(bench, "POST", body=body))["draft_id"]
        files = [("files", (p.name, p.read_bytes())) for p in found]
        await bench.admin.request("POST", f"/api/drafts/{draft_id}/files", files=files)
        making = asyncio.ensure_future(send(bench, "POST", f"/{draft_id}/initialize", {}))
        await asyncio.wait([making], timeout=wait)
        server.process.kill9()
        await asyncio.gather(making, return_exceptions=True)
        await server.process.restart()
        drafts = [d["draft_id"] for d in (await send(bench, "GET"))["drafts"]]
        made = [p for p in await bench.admin.projects() if p.name == body["name"]]
        assert (draft_id in drafts) is not bool(made)
        if draft_id in drafts:
            await send(bench, "POST", f"/{draft_id}/initialize", {})
            continue
        db = sqlite3.connect(f"file:{server.process.data_dir}/chorus.sqlite?mode=ro", uri=True)
        states = db.execute(
            "SELECT state FROM job WHERE kind = 'import' AND project_id = ?", (made[0].project_id,)
        ).fetchall()
        db.close()
        assert states in ([("failed",)], [("done",)])


async def test_a_draft_is_its_makers_alone(bench: Bench, server: TestServer) -> None:
    draft_id = (await send(bench, "POST", "", ANSWERS))["draft_id"]
    password, login = secrets.token_hex(8), f"other-{secrets.token_hex(3)}"
    body = {"login": login, "name": "Other", "password": password, "admin": True}
    await bench.admin.request("POST", "/api/users", json=body)
    async with Rest(server.url) as other:
        await other.sign_in(login, password)
        token = await other.create_token("test")
    async with Rest(server.url, token) as other:
        with pytest.raises(ApiError, match="no such draft"):
            await other.request("GET", f"/api/drafts/{draft_id}")
        assert (await other.request("GET", "/api/drafts")).json() == {"drafts": []}
    await send(bench, "DELETE", f"/{draft_id}")


async def test_pictures_of_the_instructions_go_along(bench: Bench, tmp_path: Path) -> None:
    # No other test's: the store keeps what is alike once.
    one, other = (p.read_bytes() for p in sorted(pictures(tmp_path, 2, size=19).iterdir()))
    draft_id = (await send(bench, "POST", body={**ANSWERS, "source": {"kind": "none"}}))["draft_id"]
    route = f"/api/drafts/{draft_id}/pictures"
    url = (await bench.admin.request("POST", route, content=one)).json()["url"]
    assert (await bench.admin.request("GET", url)).content == one
    html = (await send(bench, "POST", "/preview", {"text": f"![how]({url})"}))["html"]
    assert f'src="{url}"' in html
    body = {**ANSWERS, "source": {"kind": "none"}, "instructions": f"![how]({url})"}
    await send(bench, "PUT", f"/{draft_id}", body)
    made = (await send(bench, "POST", f"/{draft_id}/initialize", {}))["project"]
    there = url.replace(f"/drafts/{draft_id}/", f"/projects/{made['project_id']}/")
    assert made["instructions"] == f"![how]({there})"
    assert (await bench.admin.request("GET", there)).content == one
    # Of a draft that is thrown away nothing stays.
    draft_id = (await send(bench, "POST", body=ANSWERS))["draft_id"]
    route = f"/api/drafts/{draft_id}/pictures"
    url = (await bench.admin.request("POST", route, content=other)).json()["url"]
    blobs = bench.server.process.data_dir / "blobs"
    name = url.rpartition("/")[2]
    assert [p for p in blobs.rglob("*") if name in p.name]
    await send(bench, "DELETE", f"/{draft_id}")
    assert not [p for p in blobs.rglob("*") if name in p.name]
