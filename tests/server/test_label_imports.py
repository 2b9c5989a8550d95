"""Labels from elsewhere: what a dry run says is what happens, the rules count them, and nothing of
them proves the model right."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chorus.client import Rest
from chorus.client.errors import ApiError
from chorus.client.messages import LabelImport
from chorus.server.domain.classes import CLASSES_MAX
from chorus.server.domain.events import apply, blank
from chorus.server.domain.model import Job
from chorus.server.formats.labels.read import read_labels
from chorus.server.formats.labels.rows import LabelRow
from chorus.server.services import label_imports, label_plan
from chorus.server.services.accounts import CurrentUser
from chorus.server.services.classes import insert
from chorus.server.services.dashboard import snapshot
from chorus.server.services.label_imports import About, land_chunk
from chorus.server.services.label_ops import Options
from chorus.server.services.label_plan import Summary
from chorus.server.services.round_files import write_items
from chorus.server.storage.tx import Tx
from tests.server.test_exports import exported, unzipped
from tests.server.world import World
from tests.servers import PATIENCE, Bench, TestServer, command, page_of, pictures, running


class Desk:
    """Imports into a `World`, as the service makes them."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder, self.number = world, folder, 0
        self.faults: list[tuple[str, str, str]] = []

    def dry(self, content: str, name: str = "in.csv", **options: Any) -> Summary:
        self.number += 1
        self.faults = []
        (self.folder / "file").write_text(content, encoding="utf-8")
        self.options = Options(**options)
        tx = Tx(self.world.db)
        project = tx.project("p")
        assert project is not None
        read_labels(
            str(self.folder / "file"), name, self.options.kind, project.multilabel, False,
            str(self.folder / "zip"), str(self.folder / "read"),
        )  # fmt: skip
        self.summary = label_plan.plan(
            tx, "p", self.options, self.folder / "read", self.folder / "ops",
            lambda *fault: self.faults.append(fault), lambda: None,
        )  # fmt: skip
        return self.summary

    def land(self, chunk: int = 3) -> About:
        about = About(file="in", options=self.options, summary=self.summary)
        result = msgspec.json.encode(about).decode()
        key = f"import-{self.number}"
        job = Job(
            key, "p", label_imports.KIND, None, "landing", 0.0, 1, None, result, "u0", 1, 1, None
        )
        tx = self.world.tx()
        tx.add_job(job)
        self.world.commit(tx)
        ops = list(label_plan.ops_from(self.folder / "ops", 0))
        for at in range(0, len(ops) + chunk, chunk):
            tx = self.world.tx()
            about = land_chunk(tx, key, ops[at : at + chunk])
            self.world.commit(tx)
        return about

    def bring(self, content: str, name: str = "in.csv", **options: Any) -> About:
        self.dry(content, name, **options)
        return self.land()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    worlds: list[World] = []

    def open_world(items: int = 6, **settings: Any) -> Desk:
        world = World(**settings)
        worlds.append(world)
        world.add(items)
        return Desk(world, tmp_path)

    yield open_world
    for world in worlds:
        # Every state follows from the facts, and the dashboard from the log.
        assert world.findings() == []
        board = blank("p", Tx(world.db).project("p").epoch)  # type: ignore[union-attr]
        for event in Tx(world.db).events_since("p", 0, 10_000):
            apply(board, event)
        assert board == snapshot(Tx(world.db), "p")
        world.close()


def states(world: World) -> list[tuple[str, str | None]]:
    return [(item.state, item.label) for item in world.items()]


def test_final_labels_are_decisions_that_can_be_taken_back(make: Callable[..., Desk]) -> None:
    desk = make()
    summary = desk.dry(
        "item,label\n1.jpg,dog\n2.jpg,cat\nphotos/3.jpg,cow\n9.jpg,cat\n4.jpg,owl\n1.jpg,cat\n",
        kind="labels",
    )
    assert (summary.entries, summary.matched, summary.unmatched) == (6, 5, 1)
    assert (summary.ready, summary.classes, summary.faulty) == (3, 1, 1)
    assert summary.unknown_classes == {"owl": 1}
    assert [fault[:2] for fault in desk.faults] == [("line 7", "1.jpg"), ("line 5", "9.jpg")]
    assert states(desk.world) == [("unlabeled", None)] * 6  # so far nothing has happened
    about = desk.land()
    assert (about.done, about.refused) == (3, {"unknown class 'owl'": 1})
    assert states(desk.world)[:3] == [("labeled", "1"), ("labeled", "0"), ("labeled", "2")]
    # The same again is nothing new; another label is a conflict, unless it may be replaced.
    assert desk.dry("item,label\n1.jpg,dog\n", kind="labels").same == 1
    other = "item,label\n1.jpg,cat\n"
    assert desk.dry(other, kind="labels").conflicts == {"the item has another label already": 1}
    assert desk.bring(other, kind="labels", existing="replace").done == 1
    assert desk.world.item(1).label == "0"
    desk.world.decide(1, "undo")
    assert desk.world.item(1).label == "1"
    desk.world.decide(1, "undo")
    assert (desk.world.item(1).state, desk.world.item(1).label) == ("unlabeled", None)


def test_votes_count_as_the_rules_say(make: Callable[..., Desk]) -> None:
    desk = make(votes_min=2, votes_max=3)
    world = desk.world
    world.deal("u1")
    held = world.leases("u1")[0].item_id
    free, other, third = [n for n in range(1, 7) if n != held][-3:]
    votes = "item,labeler,label,created_at,duration_ms\n" + "".join(
        f"{n}.jpg,{who},{label},{100 + n},700\n"
        for n, who, label in [
            (held, "u1", "cat"), (held, "u2", "cat"), (other, "u2", "dog"), (other, "u3", "cow"),
            (other, "u0", "cat"), (free, "u2", "dog"), (third, "stranger", "dog"),
        ]
    )  # fmt: skip
    summary = desk.dry(votes, kind="votes")
    assert (summary.ready, summary.unknown_people) == (6, {"stranger": 1})
    about = desk.land()
    assert about.done == 6
    assert about.refused == {"nobody with the login 'stranger' is in this project": 1}
    # Whoever has answered an item holds it no more.
    assert held not in {lease.item_id for lease in world.leases("u1")}
    found = {n: (world.item(n).state, world.item(n).label) for n in (held, other, third)}
    assert found[held] == ("labeled", "0")
    assert found[other] == ("needs_review", None)
    assert world.item(free).n_labels == 1
    (row,) = Tx(world.db).export_votes([free])
    assert (row[6], row[8], row[9]) == ("imported", 100 + free, 700)
    # Brought in again they are the same votes.
    assert desk.dry(votes, kind="votes").ready == 0
    # A decided item takes no more of them.
    world.decide(third, "change", "1")
    assert "takes no more votes" in str(
        desk.dry(f"item,label\n{third}.jpg,cat\n", kind="votes", person="u2").conflicts
    )
    # One that was corrected elsewhere takes the old one's place if that is wished.
    change = f"item,label\n{free}.jpg,cat\n"
    assert desk.dry(change, kind="votes", person="u2").ready == 0
    assert desk.bring(change, kind="votes", person="u2", existing="replace").done == 1
    assert [v.value for v in Tx(world.db).standing(free)] == ["0"]
    # They can be taken back like any others.
    world.now = 1 << 42  # later than the import, which knows the true time
    world.take_back("u2", 0, world.now)
    assert Tx(world.db).standing(free) == []


def test_prelabels_are_shown_and_prove_nothing(make: Callable[..., Desk], tmp_path: Path) -> None:
    desk = make()
    world = desk.world
    world.cast(*_first(world), "0")
    lines = "item,label,confidence\n" + "".join(f"{n}.jpg,dog,0.5\n" for n in range(1, 7))
    summary = desk.dry(lines, kind="prelabels")
    assert (summary.ready, sum(summary.conflicts.values())) == (5, 1)
    desk.land()
    page = world.deal("u2", size=4).page
    assert page is not None
    assert page["kind"] == "prelabeled"
    assert {item["prelabel"]["class"] for item in page["items"]} == {"dog"}
    world.cast("u2", page["items"][0]["item_id"], "1")
    seen = page["items"][0]["item_id"]
    assert trusted(world, tmp_path)[seen] == 0  # the person saw it
    assert sum(trusted(world, tmp_path).values()) == 1  # the one from before


def _first(world: World) -> tuple[str, int]:
    page = world.deal("u1", size=1).page
    assert page is not None
    return "u1", page["items"][0]["item_id"]


def trusted(world: World, folder: Path) -> dict[int, int]:
    """item_id -> whether its label may prove the model right."""
    write_items(Tx(world.db), "p", folder / "items.tsv")
    lines = (folder / "items.tsv").read_text().splitlines()
    names = lines[0].split("\t")
    table = [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:]]
    return {int(row["item_id"]): int(row["trusted"]) for row in table}


@pytest.mark.parametrize("kind", ["labels", "votes"])
def test_what_comes_from_outside_is_no_evidence(
    make: Callable[..., Desk], tmp_path: Path, kind: str
) -> None:
    desk = make()
    lines = "item,label\n1.jpg,cat\n2.jpg,dog\n"
    desk.bring(lines, kind=kind, person="u1")
    assert states(desk.world)[:2] == [("labeled", "0"), ("labeled", "1")]
    assert sum(trusted(desk.world, tmp_path).values()) == 0
    # Unless somebody vouches for it.
    desk.bring("item,label\n3.jpg,cat\n", kind=kind, person="u1", blind=True)
    assert [n for n, yes in trusted(desk.world, tmp_path).items() if yes] == [3]


def test_an_ambiguous_name_is_nobodys(make: Callable[..., Desk]) -> None:
    desk = make(items=0)
    from chorus.server.formats.images import Prepared
    from chorus.server.services.adding import add_items

    tx = desk.world.tx()
    names = ("a/x.jpg", "b/x.jpg", "c/y.jpg")
    found = [
        (Prepared(name, f"{n:064x}", 8, 8, "image/jpeg", 1), None, False)
        for n, name in enumerate(names)
    ]
    add_items(tx, "p", "u0", found, 5)
    desk.world.commit(tx)
    summary = desk.dry("item,label\nx.jpg,cat\ny.jpg,cat\nq/b/x.jpg,dog\n", kind="labels")
    assert (summary.ready, summary.faulty) == (2, 1)
    assert desk.faults == [("line 2", "x.jpg", "2 items are called so")]
    # A content of its own is no item's of the same name.
    strange = f'{{"name": "a/x.jpg", "content_hash": "{"e" * 64}", "label": "cat"}}\n'
    assert desk.dry(strange, "in.jsonl", kind="labels").unmatched == 1
    # Nor where the file has names without their endings, as a YOLO export of ours.
    planner = label_plan.Planner(
        Tx(desk.world.db), "p", desk.options, lambda *fault: desk.faults.append(fault)
    )
    row = LabelRow(place="y.txt", names=["c/y"], stem=True, hashes=["e" * 64], label=["cat"])
    assert list(planner.ops([row])) == []
    assert planner.summary.unmatched == 1
    row.hashes = []
    assert [op.item_id for op in planner.ops([row])] == [desk.world.items()[2].item_id]


def test_what_a_vote_was_shown_needs_its_class_too(make: Callable[..., Desk]) -> None:
    desk = make()
    head = "item,item_id,labeler,label,prelabel,created_at\n"
    lines = "1.jpg,1,u1,cat,owl,1700000000000\n2.jpg,2,u1,cat,dog,1700000000000\n"
    summary = desk.dry(head + lines, kind="votes")
    assert (summary.ready, summary.classes, summary.unknown_classes) == (1, 1, {"owl": 1})
    assert desk.land().done == 1


def test_what_no_class_may_be_called_is_a_mistake_of_the_line(make: Callable[..., Desk]) -> None:
    """A column of texts taken for one of labels, say: it asks for no class to be made."""
    desk = make()
    long, deep = "x" * 5000, "/".join("abcdefg")
    lines = f"item,label\n1.jpg,{long}\n2.jpg,{deep}\n3.jpg,owl\n"
    summary = desk.dry(lines, kind="labels")
    assert (summary.faulty, summary.classes, summary.unknown_classes) == (2, 1, {"owl": 1})
    assert [fault[2] for fault in desk.faults] == [
        "a class name has 1 to 100 characters", "'a/b/c/d/e/f/g' has more than 6 levels",
    ]  # fmt: skip


def test_blanks_around_a_class_say_nothing(make: Callable[..., Desk]) -> None:
    desk = make()
    categories = [{"id": 1, "name": " cat"}, {"id": 2, "name": "owl "}]
    images = [{"id": n, "file_name": f"{n}.jpg"} for n in (1, 2)]
    annotations = [{"image_id": n, "category_id": n} for n in (1, 2)]
    parts = {"images": images, "annotations": annotations, "categories": categories}
    summary = desk.dry(json.dumps(parts), "in.json", kind="labels")
    assert (summary.ready, summary.classes, summary.unknown_classes) == (1, 1, {"owl": 1})
    tx = desk.world.tx()
    insert(tx, CurrentUser("u0", "ada", "Ada", True), "p", list(summary.unknown_classes), "go_on")
    desk.world.commit(tx)
    assert desk.land().done == 2


def test_a_class_is_known_by_its_former_name(make: Callable[..., Desk]) -> None:
    """So an export from before it was renamed can still be brought in."""
    desk = make()
    tx = desk.world.tx()
    old = tx.classes("p")[0]
    tx.change_class("p", 0, msgspec.structs.replace(old, name="feline"), old.name)
    names = [c.name for c in tx.classes("p")]
    tx.emit("p", 5, "project.changed", {"user_id": "u0", "by": "Ada", "classes": names})
    desk.world.commit(tx)
    summary = desk.dry(f"item,label\n1.jpg,{old.name}\n2.jpg,feline\n", kind="labels")
    assert (summary.ready, summary.classes) == (2, 0)
    assert desk.land().done == 2
    assert states(desk.world)[:2] == [("labeled", "0"), ("labeled", "0")]


def test_accents_of_a_name_may_be_written_otherwise(make: Callable[..., Desk]) -> None:
    from chorus.server.formats.images import Prepared
    from chorus.server.services.adding import add_items

    desk = make(items=0)
    tx = desk.world.tx()
    names = ("Ka\u0308se.jpg", "in/\u00e9.jpg")
    found = [
        (Prepared(name, f"{n:064x}", 8, 8, "image/jpeg", 1), None, False)
        for n, name in enumerate(names)
    ]
    add_items(tx, "p", "u0", found, 5)
    desk.world.commit(tx)
    table = "item,label\nK\u00e4se.jpg,cat\ne\u0301.jpg,dog\n"
    assert desk.dry(table, kind="labels").ready == 2


# -- over HTTP


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    with running(tmp_path_factory.mktemp("label-imports")) as started:
        yield started
    checked = started.process.fsck()
    assert checked.returncode == 0, checked.stdout


async def until(bench: Bench, one: LabelImport, *states: str) -> LabelImport:
    async with asyncio.timeout(PATIENCE):
        while one.state not in states:
            await asyncio.sleep(0.02)
            one = await bench.admin.label_import(bench.project.project_id, one.import_id)
    return one


async def bring(
    bench: Bench, name: str, content: bytes, kind: str, *, add: bool = False, **options: Any
) -> LabelImport:
    project_id = bench.project.project_id
    one = await bench.admin.begin_label_import(project_id, name, content, kind, **options)
    one = await until(bench, one, "ready", "failed")
    assert one.state == "ready", one.error
    one = await bench.admin.apply_label_import(
        project_id, one.import_id, add_classes=add, add_people=add
    )
    return await until(bench, one, "done", "failed")


def facts(lines: bytes) -> list[Any]:
    """What must survive a way out and in: labels and votes, by content."""
    out = []
    for line in sorted(lines.splitlines()):
        row = json.loads(line)
        votes = [
            (v["labeler"], v["kind"], v["value"], v["created_at"], v["duration_ms"], v["prelabel"])
            for v in row["votes"] if v["standing"]
        ]  # fmt: skip
        # Somebody may just be looking at an item that nobody has answered.
        state = row["state"] if votes else None
        out.append((row["content_hash"], state, row["label"], sorted(votes, key=str)))
    return sorted(out, key=str)


SHAPES = [("jsonl", "multiclass"), ("csv", "multilabel"), ("coco", "multilabel"),
          ("label-studio", "multiclass"), ("parquet", "multilabel")]  # fmt: skip


@pytest.mark.parametrize(("format", "task_type"), SHAPES)
async def test_out_in_and_out_again_is_equal(
    bench: Bench, tmp_path: Path, format: str, task_type: str
) -> None:
    folder = pictures(tmp_path / "in", 6)
    sets = task_type == "multilabel"
    rules = {"task_type": task_type, "votes_min": 2, "votes_max": 2, "consensus": "majority"}
    await bench.make(folder, page_size=4, **rules)
    for _ in range(2):
        stream = await bench.labeler()
        page = await page_of(stream)
        bodies = []
        for n, item in enumerate(page.items):
            answer: Any = item.name.partition("-")[0]
            if sets:
                answer = [[], [answer], ["green", "red"]][n % 3]
            bodies.append(stream.vote(item, "label", answer, duration_ms=1000 + n))
        bodies[3]["kind"], bodies[3]["value"] = "skip", None
        await asyncio.gather(*(stream.socket.cast(body) for body in bodies))
        await stream.finish(page)
    first = await unzipped(bench, await exported(bench, "jsonl"))
    export = await exported(bench, format)
    name = f"exports/{export.export_id}/file"
    async with bench.admin.download(bench.project.project_id, name) as chunks:
        packed = b"".join([chunk async for chunk in chunks])

    await bench.make(folder, **rules)
    done = await bring(bench, f"{format}.zip", packed, "votes", add=True)
    assert (done.state, done.refused) == ("done", {})
    second = await unzipped(bench, await exported(bench, "jsonl"))
    assert facts(second["items.jsonl"]) == facts(first["items.jsonl"])


async def test_nothing_goes_in_that_nobody_allowed(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path / "in", 4))
    project_id = bench.project.project_id
    content = b"item,label\ngreen-00000.png,green\nnobody.png,green\nred-00001.png,blue\n"
    one = await bench.admin.begin_label_import(project_id, "l.csv", content, "labels")
    one = await until(bench, one, "ready")
    assert one.summary is not None
    assert (one.summary["ready"], one.summary["unmatched"]) == (1, 1)
    assert one.summary["unknown_classes"] == {"blue": 1}
    assert one.errors[0] == {"place": "line 3", "name": "nobody.png",
                             "reason": "no item of this project is meant"}  # fmt: skip
    with pytest.raises(ApiError) as refused:
        await bench.admin.apply_label_import(project_id, one.import_id, add_classes=True)
    assert refused.value.code == "conflict"
    assert (await bench.stats()).counts.labeled == 0
    one = await bench.admin.apply_label_import(
        project_id, one.import_id, add_classes=True, leave_out=True
    )
    one = await until(bench, one, "done")
    assert one.done == 2
    stats = await bench.stats()
    assert stats.labels == {"green": 1, "red": 0, "blue": 1}
    # All of it can be taken back, as any decision for many.
    undo = {"bulk_id": "undo-of-the-import", "undoes": one.import_id}
    await bench.admin.request("POST", f"/api/projects/{project_id}/bulks", json=undo)
    bulk = {"state": "running"}
    async with asyncio.timeout(PATIENCE):
        while bulk["state"] == "running":
            await asyncio.sleep(0.02)
            path = f"/api/projects/{project_id}/bulks/{undo['bulk_id']}"
            bulk = (await bench.admin.request("GET", path)).json()
    assert (await bench.stats()).counts.labeled == 0
    # A file of something else is refused with the reason.
    one = await bench.admin.begin_label_import(project_id, "x.csv", b"a,b\n1,2\n", "labels")
    one = await until(bench, one, "failed")
    assert "columns a, b" in (one.error or "")


async def test_what_a_file_needs_is_made_as_a_whole_or_not_at_all(
    bench: Bench, tmp_path: Path
) -> None:
    room_for_one = [f"class {n}" for n in range(CLASSES_MAX - 1)]
    await bench.make(pictures(tmp_path / "in", 4), classes=room_for_one)
    project_id = bench.project.project_id
    person = f"new-{bench.project.project_id}"
    lines = [f"green-00000.png,one more,{person}", f"red-00001.png,and another,{person}"]
    content = "\n".join(["item,label,labeler", *lines]).encode()
    one = await bench.admin.begin_label_import(project_id, "l.csv", content, "votes")
    one = await until(bench, one, "ready")
    with pytest.raises(ApiError, match=f"at most {CLASSES_MAX} classes"):
        await bench.admin.apply_label_import(
            project_id, one.import_id, add_classes=True, add_people=True
        )
    people = (await bench.admin.request("GET", "/api/users")).json()["users"]
    assert person not in [p["login"] for p in people]
    assert (await bench.admin.label_import(project_id, one.import_id)).state == "ready"

    content = f"item,label,labeler\ngreen-00000.png,blue,{person}\n".encode()
    one = await bench.admin.begin_label_import(project_id, "l.csv", content, "votes")
    one = await until(bench, one, "ready")
    # Somebody has made the class by hand meanwhile.
    path = f"/api/projects/{project_id}/classes"
    await bench.admin.request("POST", path, json={"name": "blue"})
    await bench.admin.apply_label_import(
        project_id, one.import_id, add_classes=True, add_people=True
    )
    one = await until(bench, one, "done")
    assert (one.done, (await bench.stats()).labels["blue"]) == (1, 1)


async def test_the_command_line_brings_labels_in_and_takes_them_out(
    bench: Bench, tmp_path: Path
) -> None:
    await bench.make(pictures(tmp_path / "in", 4))
    project_id = bench.project.project_id
    file = tmp_path / "labels.csv"
    file.write_text("item,label\ngreen-00000.png,green\nred-00001.png,blue\n", encoding="utf-8")
    there = ("import", project_id, str(file), "--as", "labels")
    code, out, err = await command(bench, *there, "--dry-run", "--json")
    assert (code, json.loads(out)["summary"]["unknown_classes"]) == (0, {"blue": 1}), err
    code, out, err = await command(bench, *there)
    assert (code, "would be left out" in err) == (1, True)
    assert (await bench.stats()).counts.labeled == 0
    code, out, err = await command(bench, *there, "--add-classes")
    assert (code, out) == (0, "2 brought in, 0 there already\n"), err
    target = tmp_path / "out.zip"
    code, out, err = await command(
        bench, "export", project_id, "--format", "jsonl", "--state", "labeled", "--out",
        str(target), "--json",
    )  # fmt: skip
    assert (code, json.loads(out)["manifest"]["counts"]["items"]) == (0, 2), err
    with zipfile.ZipFile(target) as packed:
        lines = packed.read("items.jsonl").splitlines()
    assert sorted(json.loads(line)["label"] for line in lines) == ["blue", "green"]


async def test_only_an_admin_speaks_for_others(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path / "in", 2))
    project_id = bench.project.project_id
    async with Rest(bench.server.url, await bench.person("supervisor")) as supervisor:
        with pytest.raises(ApiError) as refused:
            await supervisor.begin_label_import(project_id, "l.csv", b"item,label\n", "votes")
        assert refused.value.code == "forbidden"
        one = await supervisor.begin_label_import(
            project_id, "l.csv", b"item,label\ngreen-00000.png,green\n", "labels"
        )
        assert one.state in ("checking", "ready")
    async with Rest(bench.server.url, await bench.person("labeler")) as labeler:
        with pytest.raises(ApiError) as refused:
            await labeler.label_imports(project_id)
        assert refused.value.code == "forbidden"


async def test_a_kill_in_the_middle_loses_nothing(
    bench: Bench, tmp_path: Path, server: TestServer
) -> None:
    await bench.make(pictures(tmp_path / "in", 120, size=8))
    project_id = bench.project.project_id
    lines = ["item,label", *(f"{p.name},{p.name.partition('-')[0]}" for p in
                             sorted((tmp_path / "in").iterdir()))]  # fmt: skip
    one = await bench.admin.begin_label_import(
        project_id, "l.csv", "\n".join(lines).encode(), "labels"
    )
    one = await until(bench, one, "ready")
    await bench.admin.apply_label_import(project_id, one.import_id)
    server.process.kill9()
    await server.process.restart()
    one = await until(bench, one, "done")
    assert one.done == 120
    assert (await bench.stats()).counts.labeled == 120
