"""Labeling over real sockets: what a labeler and a supervisor rely on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chorus.client import ApiError, Closed, LabelerStream, Rest, Socket
from chorus.simulate import audit
from tests.servers import PATIENCE, Bench, eventually, page_of, pictures, right, vote_page


async def test_a_page_is_labeled_and_the_next_is_there(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 12), page_size=4)
    stream = await bench.labeler()
    seen: list[int] = []
    for left in (8, 4, 0):
        page = await page_of(stream)
        assert (page.kind, len(page.items)) == ("manual", 4)
        seen += [item.item_id for item in page.items]
        await vote_page(stream, page)
        counts = (await bench.stats()).counts  # one snapshot: the next page's leases move items
        assert counts.unlabeled + counts.in_progress == left
    assert len(set(seen)) == 12
    assert await stream.next_page() is None
    assert stream.empty == "done"
    stats = await bench.stats()
    assert (stats.counts.labeled, stats.labels) == (12, {"green": 6, "red": 6})


async def test_a_lost_connection_comes_back_with_the_same_page(
    bench: Bench, tmp_path: Path
) -> None:
    await bench.make(pictures(tmp_path, 9))
    stream = await bench.labeler(credit=1)
    page = await page_of(stream)
    first, *rest = list(page.items)
    await stream.cast(first, "label", right(first.name))
    votes = [stream.vote(item, "label", right(item.name)) for item in rest]
    sent = [asyncio.ensure_future(stream.socket.cast(vote)) for vote in votes]
    stream.socket.drop()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*sent)
    assert stream.socket.connections == 2
    assert list(stream.pages) == [page.page_id]
    rows = await bench.votes()
    assert len(rows) == 9
    found = audit.check(rows, {v["vote_id"] for v in votes}, 1, 1)
    assert (found.lost, found.duplicate, found.over) == (0, 0, 0)


async def test_a_vote_sent_twice_is_kept_once(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 4), page_size=4)
    stream = await bench.labeler()
    page = await page_of(stream)
    vote = stream.vote(page.items[0], "label", "red")
    first = await stream.socket.cast(vote)
    again = await stream.socket.cast(vote)
    assert (first.duplicate, again.duplicate) == (False, True)
    assert again.seq == first.seq
    assert len(await bench.votes()) == 1


async def test_a_second_vote_needs_to_say_what_it_corrects(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 4), page_size=4)
    stream = await bench.labeler()
    item = (await page_of(stream)).items[0]
    vote = stream.vote(item, "label", "red")
    await stream.socket.cast(vote)
    with pytest.raises(ApiError) as refused:
        await stream.cast(item, "label", "green")
    assert refused.value.code == "already_voted"
    correction = stream.vote(item, "label", "green", supersedes=vote["vote_id"])
    await stream.socket.cast(correction)
    standing = [row for row in await bench.votes() if row.standing]
    assert [(row.vote_id, row.label) for row in standing] == [(correction["vote_id"], "green")]
    assert (await bench.stats()).labels == {"green": 1, "red": 0}


async def test_refused_votes_change_nothing(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 9), page_size=4)
    mine, other = await bench.labeler(credit=1), await bench.labeler(credit=1)
    item = (await page_of(mine)).items[0]
    await page_of(other)
    before = await bench.stats()
    bad = {
        "bad_value": mine.vote(item, "label", "no such class"),
        "not_leased": other.vote(item, "label", "red"),
        "not_found": {**mine.vote(item, "label", "red"), "item_id": 10**9},
        "bad_message": {**mine.vote(item, "label", "red"), "item_id": "one"},
    }
    for code, vote in bad.items():
        stream = other if code == "not_leased" else mine
        with pytest.raises(ApiError) as refused:
            await stream.socket.cast(vote)
        assert refused.value.code == code
    assert (await bench.stats()).seq == before.seq


async def test_leaving_returns_the_leases(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 4), page_size=4)
    holder, waiting = await bench.labeler(), None
    await page_of(holder)
    waiting = await bench.labeler()
    assert await waiting.next_page() is None
    assert waiting.empty == "waiting"
    await holder.close()
    await eventually(waiting, lambda: bool(waiting.pages))
    assert len((await page_of(waiting)).items) == 4


async def test_a_lost_socket_returns_the_leases(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 4), page_size=4)
    holder = await bench.labeler()
    await page_of(holder)
    waiting = await bench.labeler()
    assert await waiting.next_page() is None
    await holder.socket.close()
    await eventually(waiting, lambda: bool(waiting.pages))


async def test_the_same_tab_opened_twice_replaces_the_first(bench: Bench, tmp_path: Path) -> None:
    project = await bench.make(pictures(tmp_path, 8), page_size=4)
    token = await bench.person()
    first = await bench.labeler(token, credit=1)
    held = await page_of(first)
    second = LabelerStream(await bench.socket(token), project.project_id, None)
    second.tab = first.tab
    await second.reopen()
    assert (await page_of(second)).page_id == held.page_id
    with pytest.raises(Closed) as closed:
        await eventually(first, lambda: False)
    assert closed.value.reason == "replaced"


async def test_two_tabs_of_one_person_hold_different_pages(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 8), page_size=4)
    token = await bench.person()
    one, two = await bench.labeler(token, credit=1), await bench.labeler(token, credit=1)
    pages = [await page_of(one), await page_of(two)]
    assert len({item.item_id for page in pages for item in page.items}) == 8


async def test_pause_is_felt_by_all_at_once(bench: Bench, tmp_path: Path) -> None:
    project = await bench.make(pictures(tmp_path, 60), page_size=4)
    streams = [await bench.labeler(credit=1) for _ in range(3)]
    for stream in streams:
        await page_of(stream)
    await bench.admin.change_project(project.project_id, state="paused")
    for stream in streams:
        await eventually(stream, lambda stream=stream: stream.paused)
    await bench.admin.change_project(project.project_id, state="running")
    for stream in streams:
        await eventually(stream, lambda stream=stream: not stream.paused)
        await eventually(stream, lambda stream=stream: bool(stream.pages))


async def test_a_page_that_was_taken_away_is_replaced_once(bench: Bench, tmp_path: Path) -> None:
    """Its credit comes back by itself, also when a program that had it in hand finishes it."""
    project = await bench.make(pictures(tmp_path, 8), page_size=4)
    token = await bench.person()
    stream = await bench.labeler(token, credit=1)
    page = await page_of(stream)
    async with Rest(bench.server.url, token) as own:
        who = {"project_id": project.project_id, "user_id": (await own.me()).user_id}
    supervisor = await bench.socket(bench.server.token)
    await supervisor.request("person.take_page", who)
    await eventually(stream, lambda: page.page_id not in stream.pages)
    await page_of(stream)
    await stream.finish(page)
    other = await bench.labeler(credit=1)
    assert await other.next_page() is not None, "one person holds all of them"


async def test_what_was_taken_away_does_not_come_back_as_a_replacement(
    bench: Bench, tmp_path: Path
) -> None:
    """Of ten items four are taken from a person, who gets others; where one of these is settled
    elsewhere, the next of all is not one that was taken."""
    project = await bench.make(pictures(tmp_path, 10), page_size=4)
    token = await bench.person()
    stream = await bench.labeler(token, credit=1)
    page = await page_of(stream)
    taken = {item.item_id for item in page.items}
    one = f"/api/projects/{project.project_id}"
    async with Rest(bench.server.url, token) as own:
        await bench.admin.request(
            "POST", f"{one}/people/{(await own.me()).user_id}/take-page", json={}
        )
    await eventually(stream, lambda: page.page_id not in stream.pages)
    page = await page_of(stream)
    decision = {"action": "change", "value": {"class": project.classes[0].name}}
    for left in (4, 4, 3):
        held = page.items[0]
        await bench.admin.request("POST", f"{one}/items/{held.item_id}/review", json=decision)
        await eventually(stream, lambda held=held: held not in page.items)
        now = [item.item_id for item in page.items]
        assert len(now) == left
        assert not taken & set(now)


async def test_what_breaks_in_a_callback_is_heard_by_all_who_wait(bench: Bench) -> None:
    def broken(stats: object) -> None:
        raise RuntimeError("a mistake of the program's")

    project = await bench.make()
    watch = await bench.watch()
    watch.on_stats = broken
    await bench.admin.change_project(project.project_id, state="paused")
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(Closed, match="a mistake of the program's") as closed:
            await watch.until(lambda stats: False)
    assert isinstance(closed.value.__cause__, RuntimeError)


async def test_an_address_that_is_none_is_refused() -> None:
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(Closed, match="127"):
            await Socket("127.0.0.1:8000", "token").start()


async def test_nobody_does_what_the_role_may_not(bench: Bench, tmp_path: Path) -> None:
    project = await bench.make(pictures(tmp_path, 4), page_size=4)
    stream = await bench.labeler()
    outsider = await bench.socket(await _stranger(bench))
    refusals = [
        (stream.socket, "subscribe", {"topic": f"project/{project.project_id}/stats"}),
        (stream.socket, "subscribe", {"topic": f"project/{project.project_id}/events"}),
        (stream.socket, "project.pause", {"project_id": project.project_id}),
        (stream.socket, "project.train", {"project_id": project.project_id}),
        (stream.socket, "review.list", {"project_id": project.project_id}),
        (outsider, "labeling.open", {"project_id": project.project_id, "tab": "t" * 16}),
        (outsider, "labeling.history", {"project_id": project.project_id}),
    ]
    for socket, command, body in refusals:
        with pytest.raises(ApiError) as refused:
            await socket.request(command, body)
        assert (command, refused.value.code) == (command, "forbidden")
    assert (await bench.stats()).state == "running"


async def _stranger(bench: Bench) -> str:
    """A member of another project only."""
    mine = bench.project
    await bench.make()
    token = await bench.person("supervisor")
    bench.project = mine
    return token


async def test_a_wrong_token_is_refused(bench: Bench) -> None:
    with pytest.raises(ApiError) as refused:
        await bench.socket("no-such-token")
    assert refused.value.code == "not_signed_in"


@pytest.mark.parametrize(("votes_min", "votes_max"), [(1, 1), (2, 3)])
async def test_never_more_votes_than_needed(
    bench: Bench, tmp_path: Path, votes_min: int, votes_max: int
) -> None:
    """Eight people on a tiny set, all at once: exactly as many votes as the rules allow."""
    count = 15
    await bench.make(
        pictures(tmp_path, count), page_size=4, votes_min=votes_min, votes_max=votes_max
    )
    streams = [await bench.labeler(credit=2) for _ in range(8)]
    acked: set[str] = set()

    async def work(number: int, stream: LabelerStream) -> None:
        while True:
            page = await stream.next_page()
            if page is None:
                await stream.change()
                continue
            # Half of the people see every picture as red, so that many items need a third.
            acked.update(await vote_page(stream, page, "red" if number % 2 else None))

    watch = await bench.watch()
    crew = [asyncio.ensure_future(work(n, stream)) for n, stream in enumerate(streams)]
    async with asyncio.timeout(PATIENCE):
        settled = asyncio.ensure_future(watch.until(lambda s: s.counts.labeled == count))
        await asyncio.wait([settled, *crew], return_when=asyncio.FIRST_COMPLETED)
    assert [task.exception() for task in crew if task.done()] == []
    for stream in streams:
        await stream.socket.flushed()
    for task in crew:
        task.cancel()
    found = audit.check(await bench.votes(), acked, votes_min, votes_max)
    assert (found.lost, found.duplicate, found.over) == (0, 0, 0)
    assert count * votes_min <= found.standing_labels <= count * votes_max
    if votes_max == 1:
        assert found.standing_labels == count


@pytest.mark.parametrize("lost", [False, True])
async def test_a_settled_item_leaves_the_pages_of_others(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    """A supervisor decides an item that somebody has on the screen: it is swapped out, and what
    came for it is not forgotten by who had read the page before."""
    project = await bench.make(pictures(tmp_path, 8), page_size=4)
    stream = await bench.labeler(credit=1)
    page = await page_of(stream)
    gone, *others = list(page.items)
    if lost:
        # What says so never arrives; the page comes again with what is on it now.
        monkeypatch.setattr(stream, "_on_item_closed", lambda closed: stream.socket.drop())
    await bench.admin.review(project.project_id, gone.item_id, "change", "red")
    await eventually(stream, lambda: gone not in page.items)
    assert len(page.items) == 4
    (new,) = [item for item in page.items if item not in others]
    for item in others:
        await stream.cast(item, "label", right(item.name))
    await stream.finish(page)
    assert (await page_of(stream)).items == [new]
    assert len(await vote_page(stream, await page_of(stream))) == 1
    while (later := await stream.next_page()) is not None:
        await vote_page(stream, later)
    assert stream.empty == "done"
