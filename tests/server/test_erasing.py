"""A person's data is given out whole, and taken away whole; their work stays."""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chorus.client import Rest
from chorus.client.errors import ApiError
from chorus.server.cli import app
from chorus.server.consensus.estimate import Estimate, Skill
from chorus.server.consensus.live import Params
from chorus.server.domain.erasing import Erased
from chorus.server.domain.events import apply
from chorus.server.lock import alone, serving
from chorus.server.services import erasing, timeline
from chorus.server.services.accounts import rename
from chorus.server.services.dashboard import snapshot
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.erasing import FORGOTTEN, OF_PERSON
from tests.server.world import World
from tests.servers import Bench, page_of, pictures, vote_page

NOT_PEOPLE = {
    ("member", "by_team"), ("item", "name"), ("label_class", "name"), ("former_name", "name"),
    ("project", "name"), ("source", "name"), ("source_object", "name"), ("fault", "name"),
    ("team", "name"), ("token", "name"), ("invite", "name"), ("invite", "login"),
    ("invite", "email"), ("person", "login"), ("person", "name"), ("person", "email"),
}  # fmt: skip
"""Columns that sound like a person's id and are none, or are what goes with the person's row."""


def test_every_column_with_a_person_is_known() -> None:
    """Whoever adds a table says here what becomes of it when somebody is erased."""
    world = World()
    tables = [r[0] for r in world.db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
    for table in tables:
        for column in (r[1] for r in world.db.execute(f"PRAGMA table_info({table})")):
            sounds = re.search(r"user|_by$|^by|added_by|labeler|login|email|^name$", column)
            if sounds and (table, column) not in NOT_PEOPLE:
                assert column in OF_PERSON.get(table, ()), f"{table}.{column}"
    assert set(OF_PERSON) <= set(tables)
    assert set(FORGOTTEN) < set(OF_PERSON)
    world.close()


names = st.text("abcXYZ é李", min_size=3, max_size=8).map(str.strip).filter(lambda t: len(t) >= 3)


@given(names, names, st.sampled_from(["vote.cast", "project.changed", "note.added"]))
def test_only_the_person_is_taken_out(name: str, other: str, type: str) -> None:
    who = Erased("u1", "erased-1", {name})
    mine = {
        "user_id": "u1", "name": "My project" if type == "project.changed" else name, "by": name,
        "to": {"user_id": "u2", "name": other}, "votes": [[None, {"user_id": "u1", "name": name}]],
    }  # fmt: skip
    out = who.out_of(type, mine)
    assert out["by"] == "erased-1"
    assert out["name"] == ("My project" if type == "project.changed" else "erased-1")
    assert out["to"] == mine["to"]
    assert out["votes"] == [[None, {"user_id": "u1", "name": "erased-1"}]]
    theirs = {"user_id": "u2", "name": name, "labeler_id": "u2", "labeler": name}
    assert who.out_of("vote.cast", theirs) == theirs, "somebody else of the same name"


def test_names_in_texts_are_words() -> None:
    who = Erased("u1", "erased-1", {"Ann", "ann@x.org", "Jo"})
    assert who.in_text("Ask ANN (ann@x.org): annual planning? Jo") == (
        "Ask erased-1 (erased-1): annual planning? Jo"
    )


class Office:
    """A world with a past: votes, a note, a comment, a changed setting, a kept board."""

    def __init__(self) -> None:
        self.world = world = World(votes_min=1, votes_max=2, people=3)
        tx = world.tx()
        rename(tx, "u0", "Ada Lovelace", world.now)
        tx.set_email("u0", "ada@lovelace.org")
        world.commit(tx)
        world.add(6)
        for user in ("u0", "u1"):
            for lease in world.deal(user).page["items"]:  # type: ignore[index]
                world.cast(user, lease["item_id"], "0")
        tx = world.tx()
        body = {
            "user_id": "u1", "name": "U1", "text": "As Ada Lovelace said.", "item": None,
            "to": {"user_id": "u0", "name": "Ada Lovelace"},
        }  # fmt: skip
        tx.emit("p", world.now, "note.added", body)
        tx.emit("p", world.now, "project.changed", {"user_id": "u0", "by": "Ada Lovelace"})
        tx.add_comment(("c1", "p", 1, "u0", "u0", 1, "Yours, Ada Lovelace", world.now))
        follower = timeline.resume(tx, "p")
        assert follower is not None
        timeline.follow(tx, follower)
        packed = timeline._pack(follower.board)
        tx.add_board_copy("p", follower.board.seq, world.now, timeline.REV, packed)
        world.commit(tx)

    def everything(self) -> str:
        """All that the database holds, as text."""
        out = ["\n".join(self.world.db.iterdump())]
        for (body,) in self.world.db.execute("SELECT body FROM board_copy"):
            out.append(zlib.decompress(body).decode())
        return "\n".join(out)

    def erase(self) -> str:
        tx = self.world.tx()
        pseudonym, projects, _ = erasing.erase(tx, "u0", "u0", self.world.now)
        self.world.commit(tx)
        assert projects == ["p"]
        return pseudonym

    def land(self) -> bool:
        tx = self.world.tx()
        more = erasing.land(tx, "u0")
        self.world.commit(tx)
        return more


@pytest.fixture
def office() -> Any:
    office = Office()
    yield office
    office.world.close()


def test_nothing_names_them_and_everything_adds_up(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = office.world
    before = snapshot(Tx(world.db), "p")
    assert "Ada Lovelace" in office.everything()
    pseudonym = office.erase()
    for event in Tx(world.db).events_since("p", before.seq, 100):
        apply(before, event)
    assert before == snapshot(Tx(world.db), "p"), "open dashboards say what a new one does"
    assert before.labelers["u0"].name == pseudonym
    assert before.labelers["u0"].votes == 4
    # A few events at a time: a stop of the server between any two changes nothing.
    monkeypatch.setattr(erasing, "CHUNK", 2)
    while office.land():
        pass
    text = office.everything()
    assert "Lovelace" not in text
    assert "lovelace" not in text
    assert pseudonym in text
    assert f"As {pseudonym} said." in text
    assert "'U1'" in text, "the others are who they were"
    assert world.findings() == []
    # The past, too, says the same as before but for the name.
    tx = Tx(world.db)
    project = tx.project("p")
    assert project is not None
    past = timeline.as_of(tx, "p", project.last_seq)
    assert past == snapshot(tx, "p")


def test_the_export_has_what_is_stored_and_no_secret(office: Office) -> None:
    tx = office.world.tx()
    project = tx.project("p")
    assert project is not None
    skills = {"u0": Skill(0.9, 0.7, 0.96, 4), "u1": Skill(0.5, 0.4, 0.6, 4)}
    estimate = Estimate(Params("one_coin", [1 / 3] * 3), skills, "a test")
    tx.add_estimate(project, 8, estimate, office.world.now)
    parts: list[str] = []
    erasing.write_export(tx, "u0", parts.append)
    office.world.rollback()
    found = json.loads("".join(parts))
    assert found["person"][0]["email"] == "ada@lovelace.org"
    assert "password_hash" not in found["person"][0]
    assert len(found["vote"]) == 4
    assert {v["user_id"] for v in found["vote"]} == {"u0"}
    assert found["projects"]["p"]["classes"] == ["cat", "dog", "cow"]
    assert [c["text"] for c in found["comment"]] == ["Yours, Ada Lovelace"]
    assert [n["text"] for n in found["notes"]] == ["As Ada Lovelace said."]
    assert found["skills"] == {"p": {"value": 0.9, "low": 0.7, "high": 0.96, "votes": 4}}


def test_a_renamed_person_is_called_so_everywhere(office: Office) -> None:
    world = office.world
    before = snapshot(Tx(world.db), "p")
    tx = world.tx()
    rename(tx, "u1", "Grace", world.now)
    world.commit(tx)
    for event in Tx(world.db).events_since("p", before.seq, 100):
        apply(before, event)
    assert before == snapshot(Tx(world.db), "p")
    assert before.labelers["u1"].name == "Grace"


async def test_erased_by_an_admin_while_they_work(bench: Bench, tmp_path: Path) -> None:
    project = await bench.make(pictures(tmp_path, 8), page_size=4)
    watch = await bench.watch()
    token = await bench.person()
    stream = await bench.labeler(token, credit=1)
    await vote_page(stream, await page_of(stream))
    (labeler,) = (await bench.stats()).labelers
    path = f"/api/users/{labeler.user_id}"
    data = (await bench.admin.request("GET", f"{path}/data")).json()
    assert len(data["vote"]) == 4
    for body, code in (({"login": "another"}, "bad_value"), ({}, "bad_message")):
        with pytest.raises(ApiError) as caught:
            await bench.admin.request("POST", f"{path}/erase", json=body)
        assert caught.value.code == code
    done = await bench.admin.erase_user(labeler.user_id, labeler.name)
    after = await watch.until(lambda s: any(p.name == done.pseudonym for p in s.labelers))
    assert after.votes == 4
    async with httpx.AsyncClient(base_url=bench.server.url) as http:
        answer = await http.get("/api/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
    async with Rest(bench.server.url, bench.server.token) as admin:
        everybody = (await admin.request("GET", "/api/users")).json()["users"]
        members = await admin.request("GET", f"/api/projects/{project.project_id}/members")
    assert labeler.name not in str(everybody)
    assert members.json()["members"] == []
    me = (await bench.admin.me()).user_id
    with pytest.raises(ApiError) as caught:
        await bench.admin.erase_user(me, "admin")
    assert caught.value.code == "conflict", "nobody erases themselves"


def test_from_the_command_line_with_the_server_stopped(tmp_path: Path) -> None:
    run = CliRunner()
    here = ["--data-dir", str(tmp_path / "data")]
    add = ["user", "add", "--password", "correct horse", *here, "--login"]
    for login in ("boss", "ada"):
        more = ["--admin"] if login == "boss" else []
        assert run.invoke(app, [*add, login, *more]).exit_code == 0
    out = tmp_path / "ada.json"
    assert run.invoke(app, ["user", "export", "ada", "--out", str(out), *here]).exit_code == 0
    assert json.loads(out.read_text())["person"][0]["login"] == "ada"
    with serving(tmp_path / "data"):
        refused = run.invoke(app, ["user", "erase", "ada", "--yes", *here])
    assert refused.exit_code == 1
    assert run.invoke(app, ["user", "erase", "ada", *here], input="eda\n").exit_code == 1
    assert run.invoke(app, ["user", "erase", "ada", *here], input="ada\n").exit_code == 0
    listed = run.invoke(app, ["user", "list", *here]).stdout
    assert "ada" not in listed
    assert "erased-" in listed
    last = run.invoke(app, ["user", "erase", "boss", "--yes", *here])
    assert last.exit_code == 1, "the last admin stays"
    with alone(tmp_path / "data"), pytest.raises(BlockingIOError), serving(tmp_path / "data"):
        pass
