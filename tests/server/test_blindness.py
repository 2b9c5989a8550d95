"""Over real sockets: nothing that a labeler is sent tells a check from other items; a message to
one person reaches that one alone."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from chorus.client import ApiError
from chorus.client.cli import export, import_
from chorus.client.upload import follow, upload_folder
from chorus.simulate.setup import add_person
from tests.server.raw import Raw, connect
from tests.servers import Bench, pictures, right


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def with_gold(bench: Bench, folder: Path, work: int, gold: int, **settings: Any) -> set[int]:
    """A project with `work` open items and `gold` gold ones; ids of the gold."""
    await bench.make(pictures(folder / "work", work), **settings)
    pictures(folder / "gold", gold, start=work)
    rows = [f"{name},{right(name)}" for name in listed(folder / "gold")]
    table = folder / "gold" / "list.csv"
    table.write_text("\n".join(["path,label", *rows]) + "\n")
    project_id = bench.project.project_id
    job = await bench.admin.import_csv(project_id, table, gold=True)
    assert (await follow(bench.admin, project_id, job)).added == gold
    answer = await bench.admin.request(
        "GET", f"/api/projects/{project_id}/items", params={"state": "labeled", "limit": 200}
    )
    items = answer.json()["items"]
    assert all(item["gold"] for item in items)
    return {item["item_id"] for item in items}


def shape(value: Any) -> Any:
    """A frame without what differs between any two items."""
    if isinstance(value, dict):
        return tuple(sorted((key, shape(inner)) for key, inner in value.items()))
    return type(value).__name__


@pytest.mark.parametrize("size", [1, 4])
async def test_a_check_looks_like_any_other_item(bench: Bench, tmp_path: Path, size: int) -> None:
    gold = await with_gold(bench, tmp_path, 24, 12, page_size=size, gold_rate=0.4)
    token = await bench.person()
    shapes: dict[bool, set[Any]] = {True: set(), False: set()}
    acks: dict[bool, set[Any]] = {True: set(), False: set()}
    pages: set[str] = set()
    voted: dict[int, str] = {}
    async with connect(bench, token) as ws:
        raw = Raw(ws, bench.project)
        opened = await raw.ask("labeling.open", tab="t", credit=2)
        assert "gold_rate" not in opened["body"]["project"]
        assert "audit_share" not in opened["body"]["project"]
        while True:
            frame = await raw.until("page", "empty")
            if frame["type"] == "empty":  # it waits for the other page in hand
                if frame["body"]["reason"] == "done":
                    break
                continue
            page = frame["body"]
            head = {k: v for k, v in page.items() if k not in ("page_id", "expires_at", "items")}
            pages.add(json.dumps(head))
            for item in page["items"]:
                check = item["item_id"] in gold
                shapes[check].add((shape(item), item["prelabel"], item["odd"], item["vote"]))
                vote_id, answer = await raw.vote(item, right(item["name"]))
                voted[item["item_id"]] = vote_id
                acks[check].add(json.dumps([answer["ok"], shape(answer["body"])]))
                again = await raw.vote(item, "red", vote_id=vote_id)
                assert again[1]["body"] == {"seq": answer["body"]["seq"], "duplicate": True}
                twice = await raw.vote(item, "red")
                assert twice[1]["error"]["code"] == "already_voted"
                other, corrected = await raw.vote(item, "green", supersedes=vote_id)
                acks[check].add(json.dumps([corrected["ok"], shape(corrected["body"])]))
                back, answer = await raw.vote(item, right(item["name"]), supersedes=other)
                assert answer["ok"]
                voted[item["item_id"]] = back
                stale = await raw.vote(item, "red", supersedes=vote_id)
                assert stale[1]["error"]["code"] == "conflict"
            await raw.ask("labeling.credit", n=1)
        assert voted.keys() & gold, "checks came"
        assert len(voted.keys() - gold) == 24
        assert shapes[True] == shapes[False]
        assert acks[True] == acks[False]
        assert len(pages) == 1
        # The count of their work rises by every answer.
        reply = await raw.ask("labeling.open", tab="t", credit=0)
        assert reply["body"]["me"] == {"today": len(voted), "total": len(voted)}
        history = (await raw.ask("labeling.history", limit=200))["body"]["votes"]
        assert {v["item_id"]: v["vote_id"] for v in history} == voted
        assert {v["open"] for v in history} == {True}
        assert len({shape({**v, "seq": 0}) for v in history}) == 1
        seqs = [v["seq"] for v in history]
        assert seqs == sorted(seqs, reverse=True)
        said = "".join(raw.texts).lower()
        assert "gold" not in said
        assert "check" not in said
    assert (await bench.stats()).votes == 24, "and none of it is a vote"
    rows = await bench.votes()
    assert len(rows) == 3 * len(voted), "corrections are kept, too"
    assert sum(row.standing for row in rows) == 24
    text = await bench.admin.export(bench.project.project_id, "votes.csv")
    exported = list(csv.DictReader(io.StringIO(text, newline="")))
    answers = [row for row in exported if row["check"] == "1"]
    assert {int(row["item_id"]) for row in answers} == voted.keys() & gold
    assert {row["standing"] for row in answers} == {"0"}
    assert sum(row["supersedes"] == "" for row in answers) == len(voted.keys() & gold)


async def test_a_tab_that_comes_back_has_its_checks_and_their_answers(
    bench: Bench, tmp_path: Path
) -> None:
    gold = await with_gold(bench, tmp_path, 40, 12, page_size=4, gold_rate=0.5)
    token = await bench.person()
    for _ in range(10):
        async with connect(bench, token) as ws:
            raw = Raw(ws, bench.project)
            await raw.ask("labeling.open", tab="t", credit=1)
            page = (await raw.until("page"))["body"]
            checks = [i for i in page["items"] if i["item_id"] in gold]
            if len(checks) not in (0, len(page["items"])):
                vote_id, _ = await raw.vote(checks[0], "red")
                break
            for item in page["items"]:
                await raw.vote(item, "green")
    else:
        raise AssertionError("no page with a check and without")
    async with connect(bench, token) as ws:
        raw = Raw(ws, bench.project)
        await raw.ask("labeling.open", tab="t", credit=0)
        back = (await raw.until("page"))["body"]
        assert back["page_id"] == page["page_id"]
        assert [i["item_id"] for i in back["items"]] == [i["item_id"] for i in page["items"]]
        given = {i["item_id"]: i["vote"] for i in back["items"] if i["vote"] is not None}
        answer = {"vote_id": vote_id, "kind": "label", "value": {"class": "red"}}
        assert given == {checks[0]["item_id"]: answer}


async def test_marking_settled_items_reaches_the_next_page(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 30), page_size=1, gold_rate=0.5)
    project_id = bench.project.project_id
    first = await bench.person()
    async with connect(bench, first) as ws:
        raw = Raw(ws, bench.project)
        await raw.ask("labeling.open", tab="t", credit=1)
        for _ in range(10):
            item = (await raw.until("page"))["body"]["items"][0]
            await raw.vote(item, right(item["name"]))
            await raw.ask("labeling.credit", n=1)
    everything = list(range(1, 100_000, 997)) + [
        item["item_id"]
        for item in (
            await bench.admin.request(
                "GET", f"/api/projects/{project_id}/items", params={"limit": 200}
            )
        ).json()["items"]
    ]
    marked = await bench.admin.mark_gold(project_id, everything)
    assert len(marked["done"]) == 10
    codes = {r["code"] for r in marked["refused"]}
    assert codes == {"conflict", "not_found"}
    second = await bench.person()
    seen: list[int] = []
    async with connect(bench, second) as ws:
        raw = Raw(ws, bench.project)
        await raw.ask("labeling.open", tab="t", credit=1)
        for _ in range(16):
            item = (await raw.until("page"))["body"]["items"][0]
            seen.append(item["item_id"])
            await raw.vote(item, right(item["name"]))
            await raw.ask("labeling.credit", n=1)
    assert set(seen) & set(marked["done"])
    quality = (await bench.admin.request("GET", f"/api/projects/{project_id}/quality")).json()
    for person in quality["labelers"]:
        answer = await bench.admin.request(
            "GET", f"/api/projects/{project_id}/quality", params={"user_id": person["user_id"]}
        )
        assert sum(map(sum, answer.json()["confusion"])) == person["labels"]
    shares = [p["gold"] for p in quality["labelers"] if p["gold"]]
    assert [s["value"] for s in shares] == [1.0]
    assert shares[0]["n"] == len(set(seen) & set(marked["done"]))


async def test_gold_comes_in_by_a_column_too(bench: Bench, tmp_path: Path) -> None:
    await bench.make()
    pictures(tmp_path, 5)
    names = listed(tmp_path)
    marks = ["1", "yes", "0", "", "true"]
    labels = [right(names[0]), right(names[1]), right(names[2]), right(names[3]), ""]
    rows = [f"{n},{label},{m}" for n, label, m in zip(names, labels, marks, strict=True)]
    table = tmp_path / "list.csv"
    table.write_text("\n".join(["path,label,gold", *rows]) + "\n")
    project_id = bench.project.project_id
    job = await bench.admin.import_csv(project_id, table)
    done = await follow(bench.admin, project_id, job)
    assert (done.added, done.faulty) == (4, 1)
    assert "without a label" in done.errors[0].reason
    text = await bench.admin.export(project_id, "export.csv")
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["gold"] for row in rows] == ["1", "1", "0", "0"]
    table.write_text("\n".join(["path,label,gold", f"{names[0]},green,perhaps"]) + "\n")
    with pytest.raises(ApiError, match="gold must be one of"):
        await bench.admin.import_csv(project_id, table)
    with pytest.raises(ApiError, match="gold_rate must be"):
        await bench.admin.change_project(project_id, gold_rate=0.6)
    changed = await bench.admin.change_project(project_id, gold_rate=0.1)
    assert changed.gold_rate == 0.1


async def test_gold_comes_in_with_an_upload_and_by_the_command_line(
    bench: Bench, tmp_path: Path
) -> None:
    project = await bench.make()
    folder = pictures(tmp_path / "in", 4)
    names = listed(folder)
    rows = [f"{name},{right(name)}" for name in names[:3]]
    (folder / "list.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    job = await upload_folder(bench.admin, project.project_id, folder, gold=True)
    assert job.added == 4
    more = pictures(tmp_path / "more", 2, start=4)
    table = more / "list.csv"
    rows = [f"{name},{right(name)}" for name in listed(more)]
    table.write_text("\n".join(["path,label", *rows]) + "\n")
    app = typer.Typer()
    app.command("import")(import_)
    app.command("export")(export)
    where = ["--url", bench.server.url, "--token", bench.server.token]

    def run(*args: object) -> tuple[int, str]:
        given = ["import", project.project_id, *map(str, args), *where]
        result = CliRunner().invoke(app, given)
        return result.exit_code, result.output

    code, said = await asyncio.to_thread(run, more, "--gold")
    assert (code, "give a CSV" in said) == (1, True)
    code, said = await asyncio.to_thread(run, table, "--gold")
    assert (code, "2 added" in said) == (0, True)
    text = await bench.admin.export(project.project_id, "export.csv")
    marks = [row["gold"] for row in csv.DictReader(text.splitlines())]
    assert marks == ["1", "1", "1", "0", "1", "1"], "whatever has a label"
    stats = await bench.admin.request("GET", f"/api/projects/{project.project_id}/stats")
    assert stats.json()["gold"] == 5


async def test_a_message_reaches_one_person_alone(bench: Bench) -> None:
    project = await bench.make()
    people = []
    for name in ("ann", "ben"):
        login = f"{name}-{uuid.uuid4().hex[:6]}"
        user, token = await add_person(bench.admin, project.project_id, login, name, "labeler")
        people.append((user.user_id, token))
    (ann, ann_token), (_, ben_token) = people
    boss_token = await bench.person("supervisor")
    async with (
        connect(bench, ann_token) as ann_ws,
        connect(bench, ben_token) as ben_ws,
        connect(bench, boss_token) as boss_ws,
    ):
        her, him, boss = (Raw(ws, project) for ws in (ann_ws, ben_ws, boss_ws))
        for raw in (her, him):
            await raw.ask("labeling.open", tab="t", credit=1)
        await boss.ask("labeling.open", tab="t", credit=0)
        topic = f"project/{project.project_id}/events"
        await boss.ask("subscribe", topic=topic)
        refused = await him.ask("subscribe", topic=topic)
        assert refused["error"]["code"] == "forbidden"
        secret = "Please look twice at the shadows."
        sent = await boss.ask("note.add", text=secret, to=ann)
        assert sent["body"]["note"]["to"] == {"user_id": ann, "name": "ann"}
        got = await her.until("note")
        assert (got["body"]["text"], got["body"]["to"]["user_id"]) == (secret, ann)
        event = await boss.until("note.added")
        assert event["body"]["to"]["user_id"] == ann
        # A note to all, which comes after it: whoever has that has missed nothing before.
        await boss.ask("note.add", text="To everybody.")
        assert (await him.until("note"))["body"]["text"] == "To everybody."
        assert (await her.until("note"))["body"]["text"] == "To everybody."
        assert (await boss.until("note"))["body"]["text"] == "To everybody."
        hers = (await her.ask("note.list"))["body"]["notes"]
        his = (await him.ask("note.list"))["body"]["notes"]
        assert [n["text"] for n in hers] == ["To everybody.", secret]
        assert [n["text"] for n in his] == ["To everybody."]
        assert (await him.ask("note.list", to=ann))["body"]["notes"] == []
        about = (await boss.ask("note.list", to=ann))["body"]["notes"]
        assert [(n["text"], n["to"]["name"]) for n in about] == [(secret, "ann")]
        assert not any(secret in text for text in him.texts)
        unknown = await boss.ask("note.add", text="Hello?", to="nobody")
        assert unknown["error"]["code"] == "not_found"
        forbidden = await him.ask("note.add", text="Psst.", to=ann)
        assert forbidden["error"]["code"] == "forbidden"
    note = await bench.admin.note(project.project_id, "By REST.", to=ann)
    assert note["to"]["user_id"] == ann
