"""The review room over real sockets: order, filters, claims, conflicts, many at once, undo."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from chorus.client import Socket
from chorus.client.errors import ApiError
from chorus.client.labeler import LabelerStream
from chorus.client.messages import Frame
from chorus.ml.similar import nearest, similar
from chorus.ml.store import FeatureStore, Writer
from chorus.server.services import fsck
from chorus.server.services.claims import LASTS_MS, Claims, Reviewer
from chorus.server.storage.sqlite import connect
from chorus.server.storage.tx import Tx
from tests.server.world import World
from tests.servers import PATIENCE, Bench, TestServer, page_of, pictures, right


class Room:
    """A reviewer's socket with the room open; `claims` is what the others have."""

    def __init__(self, socket: Socket, project_id: str) -> None:
        self.socket = socket
        self.project_id = project_id
        self.claims: list[dict[str, Any]] = []
        self._changed = asyncio.Event()

    @classmethod
    async def open(cls, bench: Bench) -> Room:
        socket = await bench.socket(await bench.person("supervisor"))
        room = cls(socket, bench.project.project_id)
        body = {"project_id": room.project_id}
        await socket.subscribe("review.open", lambda: body, room._push, room._opened)
        return room

    def _opened(self, reply: msgspec.Raw) -> None:
        self.claims = msgspec.json.decode(reply)["claims"]

    def _push(self, frame: Frame) -> None:
        assert frame.type == "claims"
        self.claims = msgspec.json.decode(frame.body)["claims"]
        self._changed.set()

    async def until_claims(self, *item_ids: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while sorted(c["item_id"] for c in self.claims) != sorted(item_ids):
                self._changed.clear()
                await self._changed.wait()

    async def ask(self, type: str, **body: Any) -> dict[str, Any]:
        project = {"project_id": self.project_id}
        return await self.socket.ask(dict[str, Any], type, {**project, **body})

    async def list(self, **query: Any) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await self.ask("review.list", **query))["items"]
        return items

    async def refused(self, type: str, **body: Any) -> ApiError:
        with pytest.raises(ApiError) as error:
            await self.ask(type, **body)
        return error.value


async def vote(stream: LabelerStream, answers: dict[str, str]) -> None:
    """Answer the stream's page by picture: a class, "skip", "flag"; the right class if not said."""
    page = await page_of(stream)
    for item in list(page.items):
        answer = answers.get(item.name.rpartition("/")[2], right(item.name))
        if answer in ("skip", "flag"):
            await stream.cast(item, answer)  # type: ignore[arg-type]
        else:
            await stream.cast(item, "label", answer)
    await stream.finish(page, credit=False)


def name(item: dict[str, Any]) -> str:
    return str(item["name"]).rpartition("/")[2]


async def disagreeing(bench: Bench, folder: Path, count: int = 4, **settings: Any) -> None:
    """Three people label `count` pictures; the first is disputed, the second flagged."""
    await bench.make(pictures(folder, count), votes_min=3, votes_max=3, page_size=9, **settings)
    first, second = "green-00000.png", "red-00001.png"
    for answers in ({first: "red"}, {second: "flag"}, {}):
        await vote(await bench.labeler(page_size=9, credit=1), answers)


async def test_the_most_informative_come_first_page_after_page(
    bench: Bench, tmp_path: Path
) -> None:
    await bench.make(pictures(tmp_path, 6), votes_min=3, votes_max=3, page_size=6)
    # Two of three agree on two pictures, nobody labels one, one is flagged beside two labels.
    split = {"green-00000.png": "red", "red-00001.png": "green"}
    await vote(await bench.labeler(page_size=6, credit=1), {**split, "green-00002.png": "flag"})
    await vote(await bench.labeler(page_size=6, credit=1), {"red-00003.png": "flag"})
    await vote(await bench.labeler(page_size=6, credit=1), {})
    room = await Room.open(bench)
    everything = await room.list(state="all", order="doubt")
    doubts = [i["doubt"] for i in everything]
    assert doubts == sorted(doubts, reverse=True)
    by_name = {name(i): i["doubt"] for i in everything}
    assert by_name["green-00000.png"] > by_name["green-00004.png"]
    seen: list[int] = []
    after = ""
    while True:
        answer = await room.ask("review.list", state="all", order="doubt", limit=2, after=after)
        assert answer["total"] == 6
        seen += [i["item_id"] for i in answer["items"]]
        if answer["next"] is None:
            break
        after = answer["next"]
    assert seen == [i["item_id"] for i in everything]
    assert (await room.refused("review.list", after="x.y")).code == "bad_value"


async def test_every_vote_is_shown_and_filters_hold(bench: Bench, tmp_path: Path) -> None:
    await disagreeing(bench, tmp_path)
    room = await Room.open(bench)
    (flagged,) = await room.list()
    assert name(flagged) == "red-00001.png"
    assert sorted(v["kind"] for v in flagged["votes"]) == ["flag", "label"]
    assert all(v["standing"] and not v["corrected"] for v in flagged["votes"])
    assert flagged["decided"] is None
    (split,) = await room.list(state="labeled", disagreement="people")
    assert name(split) == "green-00000.png"
    assert len(await room.list(state="labeled")) == 3
    assert len(await room.list(state="all")) == 4
    assert [name(i) for i in await room.list(state="all", text="RED-00003")] == ["red-00003.png"]
    assert await room.list(state="all", text="red%3") == []
    assert {name(i)[:3] for i in await room.list(state="labeled", **{"class": "red"})} == {"red"}
    wrong = next(v for v in split["votes"] if v["value"]["class"] == "red")
    assert len(await room.list(state="all", labeler=wrong["user_id"])) == 4
    assert await room.list(state="all", labeler="nobody") == []
    sure = max(i["confidence"] for i in await room.list(state="labeled"))
    assert len(await room.list(state="labeled", confidence_min=sure)) == 2
    assert [name(i) for i in await room.list(state="labeled", confidence_max=sure - 0.001)] == [
        "green-00000.png"
    ]
    assert await room.list(state="all", prelabel_changed=True) == []
    assert [i["item_id"] for i in await room.list(state="all", item_ids=[split["item_id"]])] == [
        split["item_id"]
    ]
    assert (await room.refused("review.list", state="all", **{"class": "no"})).code == "bad_value"
    crossed = await room.refused("review.list", confidence_min=0.9, confidence_max=0.1)
    assert "nothing is sure from 0.9 to 0.1" in crossed.message


async def test_two_reviewers_never_get_the_same_item(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 3))
    ann, ben = await Room.open(bench), await Room.open(bench)
    ids = [i["item_id"] for i in await ann.list(state="all")]
    first, second = await asyncio.gather(
        ann.ask("review.claim", item_ids=ids), ben.ask("review.claim", item_ids=ids)
    )
    assert {first["item_id"], second["item_id"]} == set(ids[:2])
    await ann.until_claims(second["item_id"])
    await ben.until_claims(first["item_id"])
    assert (await ann.ask("review.claim", item_ids=ids))["item_id"] == first["item_id"]
    taken = await ben.ask("review.claim", item_ids=[first["item_id"]])
    assert taken["item_id"] is None
    await ann.until_claims()
    # Looking at it all the same blocks nobody: Ben decides what Ann has open.
    done = await ben.ask("review.decide", item_id=first["item_id"], action="remove", seen=0)
    assert done["state"] == "removed"
    # A claim goes with its socket.
    await ben.ask("review.claim", item_ids=[ids[2]])
    await ann.until_claims(ids[2])
    await ben.socket.close()
    await ann.until_claims()


def test_a_claim_ends_without_a_heartbeat() -> None:
    now = 1_000_000
    claims = Claims(lambda: now)
    claims._plan = lambda: None  # type: ignore[method-assign]
    seen: list[list[dict[str, Any]]] = []
    ann = Reviewer("p", "a", "Ann", lambda others: None)
    ben = Reviewer("p", "b", "Ben", seen.append)
    claims.join(ann)
    assert claims.join(ben) == []
    assert claims.claim(ann, [7, 8]) == 7
    now += LASTS_MS - 1
    assert claims.claim(ben, [7, 8]) == 8
    now += 1
    assert claims.claim(ben, [7, 8]) == 7
    assert seen == [[{"item_id": 7, "user_id": "a", "name": "Ann"}], []]


async def test_a_decision_never_overwrites_one_that_was_not_seen(
    bench: Bench, tmp_path: Path
) -> None:
    await disagreeing(bench, tmp_path)
    ann, ben = await Room.open(bench), await Room.open(bench)
    (item,) = await ann.list()
    ask = {"item_id": item["item_id"], "seen": 0}
    first = await ann.ask("review.decide", action="change", value={"class": "green"}, **ask)
    refused = await ben.refused("review.decide", action="approve", **ask)
    assert refused.code == "conflict"
    assert "changed it meanwhile" in refused.message
    (now,) = await ben.list(state="labeled", item_ids=[item["item_id"]])
    assert (now["label"], now["decided"]["action"]) == ("green", "change")
    assert now["decided"]["seq"] == first["seq"]
    ask["seen"] = first["seq"]
    stale = {"action": "approve", "value": {"class": "red"}}
    assert (await ben.refused("review.decide", **stale, **ask)).code == "conflict"
    await ben.ask("review.decide", action="approve", value={"class": "green"}, **ask)


async def test_rest_has_the_same_guard(bench: Bench, tmp_path: Path) -> None:
    await disagreeing(bench, tmp_path)
    room = await Room.open(bench)
    (item,) = await room.list()
    path = f"/api/projects/{bench.project.project_id}/items/{item['item_id']}"
    decision = {"action": "change", "value": {"class": "red"}, "seen": 0}
    first = (await bench.admin.request("POST", f"{path}/review", json=decision)).json()
    with pytest.raises(ApiError) as stale:
        await bench.admin.request("POST", f"{path}/review", json=decision)
    assert stale.value.code == "conflict"
    assert "changed it meanwhile" in stale.value.message
    known = (await bench.admin.request("GET", path)).json()["decided"]["seq"]
    assert known == first["seq"]
    again = {**decision, "seen": known}
    await bench.admin.request("POST", f"{path}/review", json=again)
    # Without `seen` a decision is made whatever has happened, as over the socket.
    await bench.admin.review(bench.project.project_id, item["item_id"], "remove")


async def test_votes_taken_back_say_so(bench: Bench, tmp_path: Path) -> None:
    await disagreeing(bench, tmp_path)
    room = await Room.open(bench)
    (item,) = await room.list()
    user_id = item["votes"][0]["user_id"]
    me = await room.ask("votes.take_back", user_id=user_id)
    (now,) = await room.list(state="all", item_ids=[item["item_id"]])
    taken = {v["user_id"]: v["taken_back"] for v in now["votes"]}
    assert taken[user_id]["by"].startswith("supervisor-")
    assert taken[user_id]["at"] > 0
    assert [t for u, t in taken.items() if u != user_id] == [None] * (len(taken) - 1)
    await room.ask("votes.restore", takeback_id=me["takeback_id"])
    (back,) = await room.list(state="all", item_ids=[item["item_id"]])
    assert all(v["taken_back"] is None and v["standing"] for v in back["votes"])


async def test_what_votes_have_brought_is_in_the_stats(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 30), votes_min=2, votes_max=5, page_size=9)
    assert (await bench.stats()).spending.left is None
    for _ in range(2):
        stream = await bench.labeler(page_size=9, credit=2)
        for _ in range(2):
            await vote(stream, {})
            await stream.socket.ask(
                dict[str, Any],
                "labeling.credit",
                {"project_id": bench.project.project_id, "n": 1},
            )
    watch = await bench.watch()
    stats = await watch.until(lambda s: s.votes == 36 and s.spending.spent == 36)
    found = stats.spending
    settled = stats.counts.labeled
    assert (found.settled, found.saved) == (settled, settled * 5 - 2 * settled)
    assert found.note
    assert found.left is not None
    assert found.left.low <= found.left.value <= found.left.high
    open_items = stats.counts.unlabeled + stats.counts.in_progress
    assert found.left.low >= 2 * open_items - (36 - 2 * settled)


async def test_undo_is_a_decision_of_its_own(bench: Bench, tmp_path: Path) -> None:
    await disagreeing(bench, tmp_path)
    room = await Room.open(bench)
    before = await bench.stats()
    item = (await room.list())[0]
    for action, state in (("remove", "removed"), ("requeue", "unlabeled"), ("change", "labeled")):
        value = {"value": {"class": "red"}} if action == "change" else {}
        done = await room.ask("review.decide", item_id=item["item_id"], action=action, **value)
        assert done["state"] == state
        undone = await room.ask(
            "review.decide", item_id=item["item_id"], action="undo", seen=done["seq"]
        )
        assert undone["state"] == "needs_review"
        (again,) = await room.list()
        assert [v["standing"] for v in again["votes"]] == [True, True]
    nothing = await room.refused("review.decide", item_id=item["item_id"], action="undo")
    assert nothing.code == "conflict"
    after = await bench.stats()
    assert (after.counts, after.votes, after.labels) == (before.counts, before.votes, before.labels)
    assert [p.votes for p in after.labelers] == [p.votes for p in before.labelers]


def test_undo_of_a_requeue_keeps_what_was_answered_since() -> None:
    world = World(2, 2, people=3)
    try:
        world.add(1)
        item = world.items()[0].item_id
        for user, value in (("u0", "0"), ("u1", "1")):
            world.deal(user)
            world.cast(user, item, value)
        assert world.item(item).state == "needs_review"
        world.decide(item, "requeue")
        world.deal("u0")
        world.cast("u0", item, "1")
        world.deal("u1")  # holds it again when the old vote comes back
        after = world.decide(item, "undo")
        assert (after.state, after.label, after.n_leases) == ("labeled", "1", 0)
        assert world.findings() == []
    finally:
        world.close()


async def test_an_accepted_skip_leaves_and_a_rejected_one_comes_back(
    bench: Bench, tmp_path: Path
) -> None:
    await bench.make(pictures(tmp_path, 4), page_size=4)
    skips = {"green-00000.png": "skip", "red-00001.png": "skip"}
    await vote(await bench.labeler(page_size=4, credit=1), skips)
    room = await Room.open(bench)
    first, second = await room.list(state="skipped")
    await room.ask("review.decide", item_id=first["item_id"], action="accept_skip")
    await room.ask("review.decide", item_id=second["item_id"], action="requeue")
    stats = await bench.stats()
    assert (stats.counts.removed, stats.counts.unlabeled, stats.counts.items) == (1, 1, 3)
    labeled = (await room.list(state="labeled"))[0]["item_id"]
    assert (await room.refused("review.decide", item_id=labeled, action="accept_skip")).code == (
        "conflict"
    )


async def test_many_at_once_with_an_honest_summary(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 12), page_size=9)
    await vote(await bench.labeler(page_size=9, credit=1), {})
    ann, ben = await Room.open(bench), await Room.open(bench)
    items = await ann.list(state="all")
    labeled = next(i for i in items if i["label"])
    await ben.ask("review.decide", item_id=labeled["item_id"], action="remove")
    chosen = [{"item_id": i["item_id"], "seen": 0} for i in items]
    chosen.append({"item_id": 99_999, "seen": 0})
    answer = await ann.ask("review.decide_many", items=chosen, action="approve")
    assert len(answer["done"]) == 8
    codes = sorted(r["code"] for r in answer["refused"])
    assert codes == ["conflict"] * 4 + ["not_found"]
    assert {i["source"] for i in await ann.list(state="labeled")} == {"review"}
    undo = [{"item_id": d["item_id"], "seen": d["seq"]} for d in answer["done"]]
    assert (await ann.ask("review.decide_many", items=undo, action="undo"))["refused"] == []
    assert {i["source"] for i in await ann.list(state="labeled")} == {"votes"}


async def test_a_note_reaches_everybody_and_stays(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 2))
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def push(frame: Frame) -> None:
        if frame.type == "note":
            heard.put_nowait(msgspec.json.decode(frame.body))

    labeler = await bench.socket(await bench.person())
    body = {"project_id": bench.project.project_id}
    await labeler.subscribe("labeling.open", lambda: {**body, "tab": "t"}, push)
    room = await Room.open(bench)
    item = (await room.list(state="all"))[0]
    for text in ("One.", "  A shadow is\n no colour. "):
        added = await room.ask("note.add", text=text, item_id=item["item_id"])
        note = await asyncio.wait_for(heard.get(), PATIENCE)
        assert note == added["note"]
    assert note["text"] == "A shadow is no colour."
    assert note["item"]["item_id"] == item["item_id"]
    latest = await labeler.ask(dict[str, Any], "note.list", body)
    assert [n["text"] for n in latest["notes"]] == ["A shadow is no colour.", "One."]
    assert (await room.refused("note.add", text=" ")).code == "bad_value"


async def test_similar_says_when_it_cannot(bench: Bench, tmp_path: Path) -> None:
    # Of a size that no other test has: what the model once saw it knows, whatever the project.
    await bench.make(pictures(tmp_path, 2, size=23))
    room = await Room.open(bench)
    item = (await room.list(state="all"))[0]["item_id"]
    path = f"/api/projects/{bench.project.project_id}/items"
    answer = (await bench.admin.request("GET", f"{path}/{item}/similar")).json()
    assert (answer["items"], answer["ready"]) == ([], False)
    assert "not looked" in answer["reason"]
    with pytest.raises(ApiError):
        await bench.admin.request("GET", f"{path}/99999/similar")


@pytest.mark.slow
async def test_similar_items_come_from_the_features(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 12), page_size=9, cluster=True)
    await vote(await bench.labeler(page_size=9, credit=1), {})
    watch = await bench.watch()
    await watch.until(lambda s: s.assist.featurized == 12)
    room = await Room.open(bench)
    item = (await room.list(state="labeled"))[0]
    path = f"/api/projects/{bench.project.project_id}/items/{item['item_id']}/similar"
    for settled, state in (("true", "labeled"), ("false", "unlabeled")):
        found = await bench.admin.request("GET", path, params={"settled": settled, "limit": 2})
        answer = found.json()
        assert answer["ready"]
        assert [i["state"] for i in answer["items"]] == [state, state]
        scores = [i["similarity"] for i in answer["items"]]
        assert scores == sorted(scores, reverse=True)
        assert item["item_id"] not in [i["item_id"] for i in answer["items"]]


def test_nearest_is_the_cosine_of_every_row(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    rows = random.normal(size=(300, 1280)).astype(np.float32)
    store = FeatureStore(tmp_path, "efficientnet_lite0", 1280)
    hashes = [f"{i:064x}" for i in range(300)]
    with Writer(store) as writer:
        writer.append(hashes, rows)
    kept = rows.astype(np.float16).astype(np.float32)
    at, scores = nearest(kept[7], rows.astype(np.float16), 300)
    cosine = kept @ kept[7] / np.linalg.norm(kept, axis=1) / np.linalg.norm(kept[7])
    assert at[0] == 7
    np.testing.assert_allclose(scores, np.sort(cosine)[::-1], atol=1e-5)
    params = {"store": str(tmp_path), "backbone": "efficientnet_lite0", "top": 5}
    found = similar({**params, "content_hash": hashes[7]})
    assert found["hashes"] == [hashes[i] for i in at[1:6]]
    assert similar({**params, "content_hash": "f" * 64})["known"] is False


async def test_nothing_the_reviewers_did_confuses_fsck(server: TestServer) -> None:
    with closing(connect(server.process.data_dir / "chorus.sqlite", readonly=True)) as db:
        assert list(fsck.check(Tx(db))) == []
