"""What a dashboard is told of the events: gathered, rare ones whole, frequent ones counted."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chorus.server.domain.model import Event
from chorus.server.transport.feed import EVENTS_MOST, QUIET, VOTERS_MOST, Gathered
from tests.server.raw import Raw, connect
from tests.servers import Bench, page_of, pictures, vote_page

TYPES = ("vote.cast", "page.opened", "label.decided", "comment.added", "member.paused")
HAPPENED = st.lists(
    st.lists(st.tuples(st.sampled_from(TYPES), st.sampled_from("abcdefghijkl")), max_size=30),
    max_size=5,
)


@given(HAPPENED)
def test_a_frame_tells_of_all_that_happened_since_the_last(
    groups: list[list[tuple[str, str]]],
) -> None:
    gathered, seq = Gathered(), 0
    for group in groups:
        events = [Event("p", n, kind, {"user_id": user}, 0)
                  for n, (kind, user) in enumerate(group, seq + 1)]  # fmt: skip
        for event in events:
            gathered.add([event])
        assert bool(gathered) == bool(group)
        body, newest = gathered.take()
        seq += len(group)
        voters = [user for kind, user in group if kind == "vote.cast"]
        last = list(dict.fromkeys(reversed(voters)))[:VOTERS_MOST]
        assert body["votes"] == [[user, voters.count(user)] for user in reversed(last)]
        assert body["people"] == sorted({user for _, user in group})
        assert newest == [e for e in events if e.type not in QUIET][-EVENTS_MOST:]
        assert not gathered


async def test_a_supervisor_hears_of_votes_and_comments(bench: Bench, tmp_path: Path) -> None:
    project = await bench.make(pictures(tmp_path / "p", 4), page_size=4)
    stream = await bench.labeler(credit=1)
    page = await page_of(stream)
    async with connect(bench, bench.server.token) as ws:
        raw = Raw(ws, project)
        topic = f"project/{project.project_id}/feed"
        assert (await raw.ask("subscribe", topic=topic))["ok"]
        await vote_page(stream, page)
        votes, kinds = 0, []
        await bench.admin.change_project(project.project_id, name="Another")
        while votes < 4 or "project.changed" not in kinds:
            body = (await raw.until("feed"))["body"]
            votes += sum(n for _, n in body["votes"])
            kinds += [event["type"] for event in body["events"]]
        assert not QUIET & set(kinds)
