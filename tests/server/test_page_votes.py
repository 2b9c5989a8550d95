"""A page's votes in one message: each is kept, or refused, as if it had come alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.client.packing import CHARS_MAX, VOTES_MAX, packed
from tests.server.raw import Raw, connect
from tests.servers import Bench, TestServer, pictures, right

bodies = st.lists(
    st.fixed_dictionaries(
        {"project_id": st.sampled_from("pq"), "value": st.sampled_from(["x", "x" * 50_000])}
    ),
    max_size=150,
)


@given(bodies)
def test_all_votes_are_packed_once_and_in_their_order(sent: list[dict[str, str]]) -> None:
    sent = [{**body, "vote_id": f"v{n}"} for n, body in enumerate(sent)]
    commands = list(packed(sent, {one["vote_id"] for one in sent}))
    assert [v for command in commands for v in command.vote_ids] == [b["vote_id"] for b in sent]
    unpacked = [
        vote if command.type == "vote.cast" else {"project_id": command.body["project_id"], **vote}
        for command in commands
        for vote in command.body.get("votes", [command.body])
    ]
    assert unpacked == sent
    for command in commands:
        assert (len(command.vote_ids) == 1) == (command.type == "vote.cast")
        assert len(command.vote_ids) <= VOTES_MAX
        assert len(str(command.body)) < 2 * CHARS_MAX


@given(
    st.lists(
        st.tuples(st.sampled_from([1, 1, 60_000, 200_000]), st.integers(0, 3), st.booleans()),
        min_size=1, max_size=90,
    )
)  # fmt: skip
def test_a_correction_is_in_one_message_with_its_vote_or_waits(
    votes: list[tuple[int, int, bool]],
) -> None:
    sent, unkept = [], set()
    for n, (size, back, kept) in enumerate(votes):
        vote = {"vote_id": f"v{n}", "project_id": "p", "value": "x" * size}
        sent.append({**vote, "supersedes": f"v{n - back}"} if back else vote)
        unkept |= set() if kept else {f"v{n}"}
    commands = list(packed(sent, unkept))
    place = {v: n for n, one in enumerate(commands) for v in one.vote_ids}
    assert list(place) == [body["vote_id"] for body in sent if body["vote_id"] in place]
    for body in sent:
        before = body.get("supersedes")
        if body["vote_id"] not in place:
            assert before in unkept
        elif before in unkept:
            assert place[before] == place[body["vote_id"]]


@pytest.mark.timeout(60)
async def test_it_does_not_matter_which_lease_a_vote_names(
    server: TestServer, tmp_path: Path
) -> None:
    """The one that counts is the person's own newest one of the item."""
    async with Bench(server) as bench:
        project = await bench.make(pictures(tmp_path / "p", 4), votes_min=2, votes_max=2)
        async with (
            connect(bench, await bench.person()) as ann,
            connect(bench, await bench.person()) as ben,
        ):
            pages = []
            for ws in (ann, ben):
                raw = Raw(ws, project)
                await raw.ask("labeling.open", tab="t", page_size=4, credit=1)
                pages.append((await raw.until("page"))["body"])
            mine = pages[1]["items"]
            others = {item["item_id"]: item["lease_id"] for item in pages[0]["items"]}
            names = [others[mine[0]["item_id"]], mine[0]["lease_id"], "no lease", None]
            votes = [
                {
                    "vote_id": f"named-{n:04d}", "item_id": item["item_id"], "lease_id": lease_id,
                    "kind": "label", "value": {"class": "red"}, "duration_ms": 700,
                }
                for n, (item, lease_id) in enumerate(zip(mine, names, strict=True))
            ]  # fmt: skip
            kept = (await raw.ask("votes.cast", votes=votes))["body"]["votes"]
            assert all("seq" in one for one in kept)
        assert len(await bench.votes()) == 4


@pytest.mark.timeout(60)
async def test_a_page_in_one_message(server: TestServer, tmp_path: Path) -> None:
    async with Bench(server) as bench:
        project = await bench.make(pictures(tmp_path / "p", 9))
        async with connect(bench, await bench.person()) as ws:
            raw = Raw(ws, project)
            await raw.ask("labeling.open", tab="t", page_size=9, credit=1)
            page = (await raw.until("page"))["body"]
            votes = [
                {
                    "vote_id": f"vote-{n:04d}", "item_id": item["item_id"],
                    "lease_id": item["lease_id"], "kind": "label",
                    "value": {"class": right(item["name"])}, "duration_ms": 700,
                }
                for n, item in enumerate(page["items"])
            ]  # fmt: skip
            votes[3] = {**votes[3], "value": {"class": "no such class"}}
            votes[5] = {**votes[5], "item_id": 10**6}
            kept = (await raw.ask("votes.cast", votes=votes))["body"]["votes"]
            assert [n for n, one in enumerate(kept) if "seq" in one] == [0, 1, 2, 4, 6, 7, 8]
            assert [kept[n]["error"]["code"] for n in (3, 5)] == ["bad_value", "not_found"]
            assert len({one["seq"] for one in kept if "seq" in one}) == 7
            again = (await raw.ask("votes.cast", votes=votes[:3]))["body"]["votes"]
            assert again == [{"seq": one["seq"], "duplicate": True} for one in kept[:3]]
            # A number that SQLite cannot hold is its own vote's mistake.
            huge = {**votes[0], "vote_id": "vote-huge", "item_id": 1 << 70}
            mixed = [votes[0], huge, votes[1]]
            first, second, third = (await raw.ask("votes.cast", votes=mixed))["body"]["votes"]
            assert (first, third) == (again[0], again[1])
            assert second["error"]["code"] == "bad_value"
            for wrong in ([], votes[:1] * (VOTES_MAX + 1)):
                answer = await raw.ask("votes.cast", votes=wrong)
                assert answer["error"]["code"] == "bad_message"
        assert len(await bench.votes()) == 7
