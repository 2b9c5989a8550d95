"""Clusters that turn out mixed lower their queue by themselves; alike ones keep it."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.client import StatsWatch
from chorus.client.messages import Stats
from chorus.server.domain import purity
from chorus.server.domain.queue import ROUND_SPAN
from chorus.server.services import clusters, landing, round_records
from chorus.server.services import pace as counting
from chorus.server.services.round_files import Place, Prediction
from chorus.server.storage.bus import Bus
from chorus.server.storage.sqlite import SqliteStore
from chorus.server.storage.tx import Tx
from chorus.simulate.plan import cost, plan
from tests.server.world import World
from tests.servers import PATIENCE, Bench, TestServer, page_of, pictures, vote_page

SIZES = st.sampled_from([4, 6, 9])
PAGES = st.dictionaries(
    st.integers(4, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))),
    st.integers(1, 12),
    min_size=1,
    max_size=8,
)


# -- the rules


@given(answers=st.lists(st.sampled_from("abcd"), min_size=4, max_size=9))
def test_what_a_page_saves_is_what_the_keys_say(answers: list[str]) -> None:
    """Nobody needs more actions than by the cluster, nor more than one by one."""
    n, alike = len(answers), max(Counter(answers).values())
    by_cluster = 3 + 2 * (n - alike)
    assert n * purity.gain(n, alike) == pytest.approx(n + 1 - by_cluster)
    assert cost(plan([None] * n, answers, n)) <= min(n + 1, by_cluster)


@given(size=SIZES, alike=st.integers(1, 9))
def test_a_page_is_worth_it_exactly_from_the_share_that_is_told(size: int, alike: int) -> None:
    if alike <= size:
        assert (purity.gain(size, alike) > 0) == (alike / size > purity.worth_from(size))


@given(PAGES)
def test_pages_that_are_worth_it_are_never_withdrawn(pages: dict[tuple[int, int], int]) -> None:
    good = {(n, alike): k for (n, alike), k in pages.items() if purity.gain(n, alike) >= 0}
    assert not purity.mixed(good)


@given(PAGES, st.integers(4, 9))
def test_a_page_more_that_is_mixed_never_speaks_for_clusters(
    pages: dict[tuple[int, int], int], n: int
) -> None:
    worse = Counter(pages) + Counter({(n, 1): 1})
    if purity.mixed(pages):
        assert purity.mixed(worse)
    better = Counter(pages) + Counter({(n, n): 1})
    if not purity.mixed(pages) and sum(pages.values()) >= purity.LEAST_PAGES:
        assert not purity.mixed(better)


def _drawn(draw: random.Random, share: float) -> tuple[int, int]:
    """A page of nine on which each item is of the common class with chance `share`."""
    return 9, max(1, sum(draw.random() < share for _ in range(9)))


def _withdrawn_after(draw: random.Random, share: float, most: int) -> int | None:
    pages: Counter[tuple[int, int]] = Counter()
    for n in range(1, most + 1):
        pages[_drawn(draw, share)] += 1
        if purity.mixed(pages):
            return n
    return None


def test_who_is_worth_it_is_hardly_ever_withdrawn() -> None:
    """At the very edge, looking after every page of a long round."""
    edge = purity.worth_from(9)
    gone = sum(_withdrawn_after(random.Random(s), edge, 200) is not None for s in range(400))
    assert gone / 400 <= purity.RISK + 0.02


@pytest.mark.parametrize(("share", "pages"), [(0.3, 14), (0.43, 30)])
def test_mixed_pages_are_found_soon(share: float, pages: int) -> None:
    took = [_withdrawn_after(random.Random(s), share, 400) for s in range(100)]
    assert None not in took
    assert sum(t for t in took if t is not None) / 100 <= pages


SHARES = st.lists(st.floats(0.1, 1), min_size=1, max_size=30)


@given(SHARES, SIZES)
def test_as_long_as_nothing_is_measured_all_is_served(shares: list[float], size: int) -> None:
    assert all(purity.served(shares, size, None))
    few = purity.Past(0.9, {(9, 1): purity.LEAST_PAGES - 1})
    assert purity.gap([few]) is None


@given(SHARES, SIZES, st.floats(-1, 1))
def test_all_is_served_or_what_saves_most(shares: list[float], size: int, gap: float) -> None:
    served = purity.served(shares, size, gap)
    corrected = [share + gap for share in shares]
    if sum(corrected) / len(shares) > purity.worth_from(size):
        assert all(served)
        return
    hoped = [2 * share - 1 - 2 / size for share in corrected]
    best = sum(gain for gain in hoped if gain > 0)
    assert sum(g for g, s in zip(hoped, served, strict=True) if s) == pytest.approx(best)


@given(SHARES, SIZES, st.floats(-1, 1), st.floats(0, 1))
def test_better_pages_before_never_mean_fewer_clusters_now(
    shares: list[float], size: int, gap: float, more: float
) -> None:
    before = purity.served(shares, size, gap)
    after = purity.served(shares, size, gap + more)
    assert all(b or not a for a, b in zip(before, after, strict=True))


@given(expected=st.floats(0.2, 1), pages=PAGES)
def test_the_gap_is_what_came_less_what_was_expected(
    expected: float, pages: dict[tuple[int, int], int]
) -> None:
    found = purity.turnout(pages)
    assert found is not None
    gap = purity.gap([purity.Past(expected, pages)])
    if found.pages < purity.LEAST_PAGES:
        assert gap is None
    else:
        assert gap == pytest.approx(found.alike - expected, abs=1e-4)


# -- in the database


@pytest.fixture
def world() -> Iterator[World]:
    made = World(gold_rate=0)
    yield made
    made.close()


def cluster_all(world: World, odd: float = 0.1) -> dict[str, object] | None:
    """A round puts all open items on clustered pages, as the server does; its figures."""
    ids = [i.item_id for i in world.items() if i.state == "unlabeled"]
    tx = world.tx()
    record, _ = round_records.open_round(tx, "p")
    world.commit(tx)
    places = {i: Place(at // 9, at % 9, odd) for at, i in enumerate(ids)}
    tx = world.tx()
    kept, made = clusters.choose(places, 9, clusters.gap(tx, "p"))
    guess = {i: Prediction("0", 1 - odd, f"0:{1 - odd}") for i in ids}
    planned = landing.Plan(record.number, landing.Limits({}), True, guess, kept, {})
    landing.land_chunk(tx, "p", planned, ids, world.now)
    figures = {"clusters": msgspec.to_builtins(made)}
    round_records.finish(tx, record, "done", figures, world.now)
    world.commit(tx)
    return figures["clusters"]  # type: ignore[no-any-return]


def answer_pages(world: World, pages: int, answers: str) -> list[str]:
    """Work on so many pages, item after item with these answers; kinds of the pages."""
    kinds = []
    for _ in range(pages):
        page = world.deal("u0", 9).page
        assert page is not None
        kinds.append(page["kind"])
        for item, value in zip(page["items"], answers, strict=False):
            world.cast("u0", item["item_id"], value)
    return kinds


def measure(world: World) -> bool:
    """Count what is new; whether clusters were withdrawn."""
    gone = False
    while (found := counting.look(Tx(world.db), "p", 500)) is not None:
        tx = world.tx()
        gone |= counting.keep(tx, "p", found, world.now)
        world.commit(tx)
    return gone


def move_all(world: World, number: int) -> int:
    moved = 0
    ids = Tx(world.db).clustered_items("p")
    for at in range(0, len(ids), 50):
        tx = world.tx()
        moved += clusters.move(tx, "p", number, ids[at : at + 50], world.now)
        world.commit(tx)
    return moved


def test_mixed_clusters_go_to_the_manual_queue(world: World) -> None:
    world.add(270)
    assert cluster_all(world) == {"blocks": 30, "served": 30, "expected": 0.9, "corrected": None}
    held = world.deal("u1", 9)
    kinds = answer_pages(world, 9, "012012012")
    assert set(kinds) == {"clustered"}
    assert not measure(world), "a third alike on nine pages may be bad luck"
    answer_pages(world, 6, "012012012")
    assert measure(world)
    (told,) = (e.body for e in world.events if e.type == "clusters.withdrawn")
    assert (told["number"], told["pages"], told["alike"]) == (1, 15, 0.3333)
    assert world.findings() == []
    left = 270 - 15 * 9
    assert move_all(world, 1) == left, "those that somebody holds too: they may come back"
    assert measure(world) is False
    assert world.findings() == []
    assert {i.queue for i in world.items() if i.state in ("unlabeled", "in_progress")} == {"manual"}
    # Who holds a page of clusters goes on with it; the next one is ordinary.
    assert held.page is not None
    world.cast("u1", held.page["items"][0]["item_id"], "0")
    dealt = world.deal("u0", 9)
    assert dealt.page is not None
    assert (dealt.page["kind"], dealt.page["round"]) == ("manual", None)
    said = counting.figures(Tx(world.db), "p")
    assert said["clusters"]["state"] == "paused"
    assert "15 pages of round 1 turned out 33% alike" in said["clusters"]["note"]
    assert said["rounds"][0]["withdrawn"] is True
    assert (said["rounds"][0]["expected"], said["rounds"][0]["alike"]) == (0.9, 0.3333)


def test_pages_that_are_alike_keep_their_queue(world: World) -> None:
    world.add(270)
    cluster_all(world)
    answer_pages(world, 24, "000000001")
    assert not measure(world)
    assert move_all(world, 0) == 0
    said = counting.figures(Tx(world.db), "p")
    assert said["clusters"] is None
    assert said["rounds"][0]["pages"] == 24
    assert said["rounds"][0]["alike"] == pytest.approx(8 / 9, abs=1e-4)
    assert sum(i.queue == "clustered" for i in world.items() if i.state == "unlabeled") == 54


def test_the_next_round_serves_what_can_still_be_worth_it(world: World) -> None:
    world.add(450)
    cluster_all(world, odd=0.1)
    answer_pages(world, 16, "000012121")  # 4 of 9 alike, where 90 % were expected
    assert measure(world)
    move_all(world, 1)
    gap = clusters.gap(Tx(world.db), "p")
    assert gap == pytest.approx(4 / 9 - 0.9)
    # Those that the model thinks no better of than before stay with the people …
    made = cluster_all(world, odd=0.1)
    assert made is not None
    assert (made["served"], made["expected"]) == (0, None)
    assert made["corrected"] == pytest.approx(4 / 9, abs=1e-3)
    assert answer_pages(world, 1, "000000000") == ["manual"]
    said = counting.figures(Tx(world.db), "p")["clusters"]
    assert said["state"] == "paused"
    assert "round 2 would be 44% alike" in said["note"]
    # … and after some more rounds what was measured then says nothing of the model of now.
    for _ in range(purity.MEMORY):
        made = cluster_all(world)
    assert made is not None
    assert made["served"] == made["blocks"]
    assert answer_pages(world, 1, "000000000") == ["clustered"]
    measure(world)
    assert world.findings() == []


def test_only_the_better_clusters_come_where_the_others_are_not_worth_it() -> None:
    places = {n: Place(n // 9, n % 9, 0.02 if n < 90 else 0.3) for n in range(270)}
    kept, made = clusters.choose(places, 9, -0.3)
    assert set(kept) == set(range(90))
    assert (made.blocks, made.served, made.expected) == (30, 10, 0.98)
    assert made.corrected == pytest.approx((0.98 + 2 * 0.7) / 3 - 0.3, abs=1e-4)
    all_kept, all_made = clusters.choose(places, 9, -0.1)
    assert all_kept == places
    assert all_made.served == 30


def test_what_a_newer_round_has_put_on_its_pages_stays(world: World) -> None:
    world.add(90)
    cluster_all(world)
    cluster_all(world)
    assert all(i.queue_pos // ROUND_SPAN == 2 for i in world.items())
    assert move_all(world, 1) == 0
    assert move_all(world, 2) == 90


def test_a_page_says_nothing_before_it_is_done_or_when_it_is_small(world: World) -> None:
    world.add(40)
    cluster_all(world)
    page = world.deal("u0", 9).page
    assert page is not None
    for item in page["items"][:5]:
        world.cast("u0", item["item_id"], "0")
    measure(world)
    assert Tx(world.db).turnouts("p") == [], "four are still to come"
    world.cast("u0", page["items"][5]["item_id"], None, kind="skip")
    world.leave("u0")  # the others go back
    measure(world)
    assert Tx(world.db).turnouts("p") == [("clustered", 1, 6, 5, 1)]
    page = world.deal("u1", 9).page
    assert page is not None
    for item in page["items"][:3]:
        world.cast("u1", item["item_id"], "0")
    world.leave("u1")
    measure(world)
    assert len(Tx(world.db).turnouts("p")) == 1
    assert world.findings() == []


async def test_what_a_stop_of_the_server_cuts_off_is_done_at_the_next_start(world: World) -> None:
    world.add(270)
    cluster_all(world)
    answer_pages(world, 15, "012012012")
    assert measure(world), "decided, and nothing has moved yet"
    bus = Bus()
    store = SqliteStore(world.path, bus.publish)
    pace = counting.Pace(store)
    bus.listen(pace.on_events)
    done = asyncio.Event()
    pace.changed = lambda project_id: None if pace.measuring(project_id) else done.set()
    await pace.start()
    await asyncio.wait_for(done.wait(), PATIENCE)
    said = await pace.of("p")
    await pace.stop()
    await store.close()
    assert said["clusters"]["state"] == "paused"
    assert Tx(world.db).clustered_items("p") == []
    assert sum(i.queue == "manual" and i.state == "unlabeled" for i in world.items()) == 135
    assert world.findings() == []


# -- a real server, real pages


CLASSES = ["green", "red", "grey", "blue"]


async def clustered(bench: Bench, folder: Path, page_size: int = 9) -> None:
    """A project whose first round has put most pictures on clustered pages. Two answers to each
    item: one person alone settles nothing, and no further round comes."""
    bench.project = await bench.admin.create_project(
        "Clusters", CLASSES, cluster=True, prelabel=False, votes_min=2, votes_max=2,
        consensus="majority", page_size=page_size, gold_rate=0, ordering="random",
    )  # fmt: skip
    await bench.admin.import_folder(bench.project.project_id, pictures(folder, 260))
    watch = await bench.watch()
    await watch.until(lambda s: s.assist.featurized == s.assist.featurize_total >= 260)
    people = [await bench.labeler(credit=1) for _ in range(2)]
    for _ in range(math.ceil(27 / page_size)):
        for person in people:
            page = await page_of(person)
            assert page.kind == "manual"
            await vote_page(person, page)
    for person in people:
        await person.close()
    await watch.until(lambda s: bool(s.queue.get("clustered")) and not s.assist.running)


async def test_pages_of_any_size_are_full_of_alike_items(bench: Bench, tmp_path: Path) -> None:
    """What is left over of a larger cluster would be a page of two that takes three actions."""
    await clustered(bench, tmp_path, page_size=4)
    person = await bench.labeler(credit=1)
    for _ in range(6):
        page = await page_of(person)
        assert (page.kind, len(page.items)) == ("clustered", 4)
        await vote_page(person, page)


async def measured(bench: Bench, watch: StatsWatch) -> Stats:
    """Wait until all that has happened so far is counted, and what follows from it done."""
    now = await bench.stats()
    watch.offer(now)
    return await watch.until(lambda s: s.seq >= now.seq and not s.measuring)


async def test_people_who_find_clusters_mixed_get_ordinary_pages(
    server: TestServer, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        await clustered(bench, tmp_path / "pictures")
        watch = await bench.watch()
        person = await bench.labeler(credit=1)
        page = await page_of(person)
        worked = answers = 0
        while page.kind == "clustered":
            assert page.round == 1
            for n, item in enumerate(page.items):
                await person.cast(item, "label", CLASSES[n % 4], duration_ms=700)
            answers += len(page.items)
            worked += 1
            await measured(bench, watch)  # or it depends on the machine how many more there are
            await person.finish(page)
            page = await page_of(person)
        assert worked <= 22, "mixed clusters went on and on"
        assert page.kind == "manual"
        stats = await watch.until(lambda s: not s.measuring and s.queue["clustered"] == 0)
        assert stats.queue["manual"] > 0
        assert stats.pace.clusters is not None
        assert stats.pace.clusters.state == "paused"
        (round_,) = stats.pace.rounds
        assert round_.withdrawn
        assert round_.alike is not None
        assert round_.alike < 0.5 < (round_.expected or 0)
        assert round_.pages >= purity.LEAST_PAGES
        grid, pages = (
            next(v for v in stats.pace.views if v.view == w) for w in ("grid", "clustered")
        )
        assert (grid.timed, pages.timed) == (54, answers)
        assert pages.seconds is not None
        assert pages.seconds.seconds == pytest.approx(0.7, rel=0.03)
        assert await bench.admin.pace(bench.project.project_id) == stats.pace
    check = server.process.fsck()
    assert check.returncode == 0, check.stdout


async def test_people_who_find_clusters_alike_keep_them(server: TestServer, tmp_path: Path) -> None:
    async with Bench(server) as bench:
        await clustered(bench, tmp_path / "pictures")
        watch = await bench.watch()
        person = await bench.labeler(credit=1)
        for _ in range(12):
            page = await page_of(person)
            assert page.kind == "clustered"
            await vote_page(person, page)
        stats = await watch.until(lambda s: not s.measuring and s.pace.rounds[0].pages >= 12)
        assert stats.queue["clustered"] > 0
        assert stats.pace.clusters is None
        assert not stats.pace.rounds[0].withdrawn
        assert (stats.pace.rounds[0].alike or 0) > purity.worth_from(9)
