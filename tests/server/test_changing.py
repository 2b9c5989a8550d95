"""Changing a running project: instructions that are read, rules whose effect is known first."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chorus.client import ApiError, Rest
from chorus.server.services import previewing, remerging
from chorus.server.services.prose import to_html
from chorus.server.storage.tx import Tx
from tests.server.world import World
from tests.servers import Bench, TestServer, eventually, page_of, pictures, running, vote_page


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    with running(tmp_path_factory.mktemp("changing")) as found:
        yield found


async def send(
    bench: Bench, method: str, path: str = "", rest: Rest | None = None, **body: Any
) -> Any:
    root = f"/api/projects/{bench.project.project_id}{path}"
    response = await (rest or bench.admin).request(method, root, json=body or None)
    return response.json()


def test_instructions_run_nothing_and_ask_no_other_site() -> None:
    html = to_html(
        "<script>x</script> [go](javascript:x) [out](https://a.b) ![p](https://a.b/c.png)"
        ' ![q"](/api/projects/p/pictures/ff)'
    )
    assert "<script" not in html
    assert 'href="javascript' not in html
    assert '<a href="https://a.b" target="_blank" rel="noopener noreferrer">out</a>' in html
    assert html.count("<img") == 1
    assert '<img src="/api/projects/p/pictures/ff" alt="q&quot;" loading="lazy">' in html


async def test_new_instructions_are_pushed_and_confirmed_once_per_revision(
    bench: Bench, tmp_path: Path
) -> None:
    await bench.make(pictures(tmp_path, 4), instructions="first")
    token = await bench.person()
    stream = await bench.labeler(token, credit=1)
    await page_of(stream)
    assert (await send(bench, "GET", "/instructions"))["revision"] == 0
    await send(bench, "PATCH", instructions="second")
    await eventually(stream, lambda: stream.project.instructions == "second")
    async with Rest(bench.server.url, token) as person:
        mine = await send(bench, "GET", rest=person)
        assert (mine["instructions_rev"], mine["confirmed_rev"]) == (1, 0)
        await send(bench, "POST", "/instructions/confirm", person, revision=1)
        assert (await send(bench, "GET", rest=person))["confirmed_rev"] == 1
        with pytest.raises(ApiError, match="no revision 2"):
            await send(bench, "POST", "/instructions/confirm", person, revision=2)
        readers = await send(bench, "GET", "/instructions")
        assert [(p["revision"], p["role"]) for p in readers["people"]] == [(1, "labeler")]
        # A slip of the pen asks nobody.
        await send(bench, "PATCH", instructions="2nd", quiet=True)
        assert (await send(bench, "GET", rest=person))["instructions_rev"] == 1
        out = io.BytesIO()
        Image.new("RGB", (8, 8), "red").save(out, "PNG")
        root = f"/api/projects/{bench.project.project_id}/pictures"
        made = await bench.admin.request("POST", root, content=out.getvalue())
        got = await person.request("GET", made.json()["url"])
        assert (got.headers["content-type"], got.content) == ("image/png", out.getvalue())
        with pytest.raises(ApiError, match="PNG"):
            await bench.admin.request("POST", root, content=b"<svg onload=x>")


RULES = st.fixed_dictionaries(
    {},
    optional={
        "votes": st.tuples(st.integers(1, 3), st.integers(0, 2)),
        "skips_max": st.integers(1, 2),
        "consensus": st.sampled_from(["majority", "auto"]),
        "target": st.sampled_from([0.6, 0.9, 0.99]),
    },
)


@settings(max_examples=20)
@given(answers=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=14), rules=RULES)
def test_what_a_preview_says_is_what_the_change_does(
    answers: list[tuple[int, int]], rules: dict[str, Any]
) -> None:
    world = World(votes_min=1, votes_max=2, people=4)
    try:
        world.add(6)
        for person, answer in answers:
            user = f"u{person}"
            if not world.leases(user):
                world.deal(user, 2)
            for lease in world.leases(user):
                kind = "label" if answer < 3 else "skip"
                world.cast(user, lease.item_id, str(answer) if answer < 3 else None, kind)
        low, more = rules.pop("votes", (1, 1))
        changes = {**rules, "votes_min": low, "votes_max": low + more}
        now = Tx(world.db).project("p")
        assert now is not None
        then = msgspec.structs.replace(now, **changes)
        found = previewing.Found()
        previewing.look(Tx(world.db), now, then, 0, found)
        before = {i.item_id: (i.state, i.label) for i in world.items()}
        tx = world.tx()
        tx.change_project("p", changes)
        tx.emit("p", world.now, "project.changed", changes)
        remerging.begin(tx, "p", world.now)
        world.commit(tx)
        after = {i.item_id: (i.state, i.label) for i in world.items()}
        moved = Counter((before[i][0], after[i][0]) for i in before if before[i][0] != after[i][0])
        assert found.moves == moved
        same = [i for i in before if before[i][0] == after[i][0]]
        assert found.relabeled == sum(before[i][1] != after[i][1] for i in same)
        assert world.findings() == []
    finally:
        world.close()


def test_an_item_that_goes_to_review_is_not_counted_as_settled_too() -> None:
    world = World(votes_min=3, votes_max=3, people=4)
    try:
        world.add(2)
        for user, second in (("u0", "1"), ("u1", "2")):
            world.deal(user, 2)
            first, *_ = (item.item_id for item in world.items())
            for lease in world.leases(user):
                world.cast(user, lease.item_id, "1" if lease.item_id == first else second)
        tx = Tx(world.db)
        now = tx.project("p")
        assert now is not None
        found = previewing.Found()
        then = msgspec.structs.replace(now, votes_min=2, votes_max=2)
        previewing.look(tx, now, then, 0, found)
        assert found.moves == {("in_progress", "labeled"): 1, ("in_progress", "needs_review"): 1}
        assert (found.public()["settle"], found.public()["to_review"]) == (1, 1)
    finally:
        world.close()


async def test_a_preview_changes_nothing(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 6), page_size=6)
    stream = await bench.labeler(credit=1)
    await vote_page(stream, await page_of(stream))
    effect = await send(bench, "POST", "/preview", votes_min=2, votes_max=3, gold_rate=0.1)
    assert (effect["open_again"], effect["settle"], effect["whole"]) == (6, 0, True)
    assert effect["moves"] == [["labeled", "in_progress", 6]]
    assert effect["votes_asked"] == {"now": 0, "then": 6}
    assert effect["checks_per_1000"] == [50, 100]
    assert (await bench.stats()).counts.labeled == 6
    with pytest.raises(ApiError, match="votes_min <= votes_max"):
        await send(bench, "POST", "/preview", votes_min=3)
