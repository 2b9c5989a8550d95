"""What supervisors do about people's work, over real sockets."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chorus.client import ApiError, LabelerStream
from chorus.simulate.setup import add_person
from tests.servers import (
    Bench,
    eventually,
    page_of,
    pictures,
    right,
    vote_page,
)


async def command(bench: Bench, type: str, **body: Any) -> dict[str, Any]:
    socket = await bench.socket(bench.server.token)
    body = {"project_id": bench.project.project_id, **body}
    found: dict[str, Any] = msgspec.json.decode(await socket.request(type, body))
    return found


async def person(bench: Bench) -> tuple[str, LabelerStream]:
    """A new labeler's user id and open stream."""
    login = f"person-{secrets.token_hex(3)}"
    user, token = await add_person(bench.admin, bench.project.project_id, login, login, "labeler")
    return user.user_id, await bench.labeler(token, credit=1)


async def test_a_paused_person_gets_no_pages_until_resumed(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 8), page_size=4)
    user_id, stream = await person(bench)
    await vote_page(stream, await page_of(stream))
    await page_of(stream)
    await command(bench, "person.pause", user_id=user_id, paused=True)
    await eventually(stream, lambda: stream.empty == "stopped")
    counts = (await bench.stats()).counts
    assert (counts.in_progress, counts.unlabeled) == (0, 4), "what they held went back"
    _, colleague = await person(bench)
    assert len((await page_of(colleague)).items) == 4
    await colleague.close()
    await command(bench, "person.pause", user_id=user_id, paused=False)
    await eventually(stream, lambda: any(len(p.items) == 4 for p in stream.pages.values()))


async def test_votes_taken_back_no_longer_count_until_restored(
    bench: Bench, tmp_path: Path
) -> None:
    await bench.make(pictures(tmp_path, 8), page_size=9, votes_min=2, votes_max=3)
    _, good = await person(bench)
    await vote_page(good, await page_of(good))
    bad_id, bad = await person(bench)
    await vote_page(bad, await page_of(bad), answer="red")
    before = await bench.stats()
    assert before.counts.labeled == 4, "where the two agree"
    done = await command(bench, "votes.take_back", user_id=bad_id)
    assert done["items"] == 8
    after = await bench.stats()
    assert (after.votes, after.counts.labeled) == (8, 0)
    assert len(await bench.votes()) == 16, "facts stay in the log"
    with pytest.raises(ApiError) as caught:
        await command(bench, "votes.take_back", user_id="nobody")
    assert caught.value.code == "conflict"
    restored = await command(bench, "votes.restore", takeback_id=done["takeback_id"])
    assert restored == {"items": 8, "pending": False}
    again = await bench.stats()
    assert (again.counts, again.labels, again.votes) == (before.counts, before.labels, before.votes)
    with pytest.raises(ApiError) as caught:
        await command(bench, "votes.restore", takeback_id=done["takeback_id"])
    assert caught.value.code == "conflict"
    (record,) = (await command(bench, "votes.takebacks"))["takebacks"]
    assert record["user_id"] == bad_id
    assert record["undone_at"] is not None


async def test_a_careless_person_is_found(bench: Bench, tmp_path: Path) -> None:
    """One of four answers at random; the estimate says so, and their votes weigh less."""
    await bench.make(pictures(tmp_path, 60), page_size=9, votes_min=3, votes_max=4)
    people = [await person(bench) for _ in range(4)]
    careless, _ = people[0]
    busy = True
    while busy:
        busy = False
        for user_id, stream in people:
            page = await stream.next_page()
            if page is None:
                await stream.close()
                await stream.reopen()
                continue
            busy = True
            votes = []
            for item in page.items:
                answer = right(item.name)
                if user_id == careless and item.item_id % 2:
                    answer = "red" if answer == "green" else "green"
                votes.append(stream.vote(item, "label", answer, duration_ms=500))
            for vote in votes:
                await stream.socket.cast(vote)
            await stream.finish(page)
    watch = await bench.watch()
    await watch.until(lambda s: not s.estimating)
    quality = await command(bench, "quality.get")
    skills = {p["user_id"]: p["skill"] for p in quality["labelers"] if p["labels"]}
    assert skills[careless]["high"] < min(
        s["value"] for user_id, s in skills.items() if user_id != careless
    )
    assert quality["agreement"]["alpha"]["value"] < 1
    assert sum(map(sum, quality["confusion"])) >= 170
    stats = await bench.stats()
    assert stats.counts.labeled + stats.counts.needs_review == 60
    assert stats.counts.labeled >= 55
