"""The order of work by hand: what the model chose among what chance brings, as labelers get it."""

from __future__ import annotations

import asyncio
import csv
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.domain.ordering import (
    ORDERINGS,
    block_places,
    chooses,
    interleave,
    manual_places,
)
from chorus.server.services import choosing, landing, round_files
from chorus.server.services.clusters import move as withdraw
from chorus.server.services.round_files import Place, Prediction
from tests.server.world import World
from tests.servers import Bench, TestServer, page_of, pictures, right

permutations = st.integers(0, 40).flatmap(lambda n: st.permutations(range(n)))


@st.composite
def orders(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """(all items as chance has them, some of them as the model would like them)."""
    chance = draw(permutations)
    liked = draw(st.permutations(chance)) if chance else []
    return list(chance), list(liked[: draw(st.integers(0, len(liked)))])


@given(orders())
def test_every_second_one_is_the_models_in_any_beginning(
    order: tuple[list[int], list[int]],
) -> None:
    chance, chosen = order
    out = interleave(chance, chosen)
    items = [item for item, _ in out]
    assert len(set(items)) == len(items)
    for end in range(len(out) + 1):
        liked = sum(by_choice for _, by_choice in out[:end])
        assert liked - (end - liked) in (0, 1)
    assert {item for item, by_choice in out if by_choice} <= set(chosen)
    # Whatever was chosen has a place, be it that chance brought it.
    assert set(chosen) <= set(items)


@given(orders())
def test_what_chance_brings_does_not_depend_on_what_is_chosen(
    order: tuple[list[int], list[int]],
) -> None:
    """Its items come in their order, and none is passed over but what the choice took before."""
    chance, chosen = order
    taken: set[int] = set()
    expected = iter(chance)
    for item, by_choice in interleave(chance, chosen):
        if not by_choice:
            assert item == next(i for i in expected if i not in taken)
        taken.add(item)


@given(
    st.dictionaries(st.integers(1, 500), st.integers(10, 2**61), max_size=40).flatmap(
        lambda ranks: st.tuples(st.just(ranks), st.permutations([*ranks, 901, 902]))
    ),
    st.integers(0, 45),
)
def test_the_manual_queue_alternates(drawn: tuple[dict[int, int], list[int]], count: int) -> None:
    """As the queue is read: by place. Only chosen items have left their rank."""
    ranks, liked = drawn
    spread = {item: rank * 4 for item, rank in ranks.items()}
    if len(set(spread.values())) < len(spread):
        return  # two items of one rank: one in 2 ** 62
    chosen = liked[:count]
    places = manual_places(spread, chosen)
    assert set(places) <= set(chosen) & set(spread)
    queue = sorted(spread, key=lambda item: places.get(item, spread[item]))
    by_rank = sorted(spread, key=spread.__getitem__)
    expected = interleave(by_rank, [item for item in chosen if item in spread])
    assert queue[: len(expected)] == [item for item, _ in expected]
    assert set(places) == {item for item, by_choice in expected if by_choice}
    assert [i for i in queue if i not in places] == [i for i in by_rank if i not in places]


@given(orders())
def test_blocks_alternate_and_none_is_lost(order: tuple[list[int], list[int]]) -> None:
    chance, chosen = order
    places, by_choice = block_places(chance, [*chosen, 77])
    assert sorted(places) == sorted(chance)
    assert sorted(places.values()) == list(range(len(chance)))
    assert by_choice <= set(chosen)
    queue = sorted(places, key=places.__getitem__)
    for end in range(2 * len(by_choice)):
        liked = sum(block in by_choice for block in queue[:end])
        assert liked - (end - liked) in (0, 1)


@given(
    ordering=st.sampled_from(ORDERINGS),
    prelabel=st.booleans(),
    threshold=st.none() | st.floats(0.5, 1),
    labels=st.integers(1, 500),
    needed=st.none() | st.integers(1, 1000),
)
def test_auto_leaves_it_to_chance_while_proof_is_what_is_missing(
    ordering: str, prelabel: bool, threshold: float | None, labels: int, needed: int | None
) -> None:
    found = chooses(
        ordering, prelabel=prelabel, threshold=threshold, labels=labels, labels_needed=needed
    )
    if ordering != "auto":
        assert found == (ordering == "uncertain")
    else:
        within_reach = prelabel and threshold is None and (needed is None or needed <= labels)
        assert found is not within_reach


# -- landing: where the model's choice comes to lie


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def land(world: World, number: int, chosen: list[int], blocks: dict[int, int] | None = None,
         chosen_blocks: Sequence[int] = (), prelabel: Sequence[int] = (),
         purest: bool = False) -> None:  # fmt: skip
    """A round lands. blocks: item -> block of the items that are clustered; prelabel: of those that
    it is sure of; purest: those blocks are the better ones of more."""
    tx = world.tx()
    items = tx.open_items("p")
    guess = {
        i.item_id: Prediction("0", 0.99 if i.item_id in prelabel else 0.4, "0:0.4") for i in items
    }
    places = {i: Place(block, i, 0.5) for i, block in (blocks or {}).items()}
    clusters, choice = choosing.arrange(
        items, prelabel, places, chosen, chosen_blocks, purest=purest
    )
    order = {i: at for at, i in enumerate(prelabel)}
    plan = landing.Plan(
        number, landing.Limits({"0": 0.9}), True, guess, clusters, order, 0.0, choice
    )
    landing.land_chunk(tx, "p", plan, sorted(guess), world.now)
    world.commit(tx)


def page(world: World, user: str = "u0", size: int = 6) -> list[int]:
    dealt = world.deal(user, size, tab=f"{user}{world.now}")
    world.now += 1
    assert dealt.page is not None
    return [i["item_id"] for i in dealt.page["items"]]


def by_rank(world: World) -> list[int]:
    return [i.item_id for i in sorted(world.items(), key=lambda i: i.rank)]


def test_pages_are_half_chosen_and_half_by_chance(world: World) -> None:
    world.add(60)
    chance = by_rank(world)
    liked = chance[:29:-1][:20]
    land(world, 1, liked)
    assert page(world) == [liked[0], chance[0], liked[1], chance[1], liked[2], chance[2]]
    assert page(world) == [liked[3], chance[3], liked[4], chance[4], liked[5], chance[5]]
    chosen = {i.item_id: i.chosen for i in world.items()}
    assert {i for i, number in chosen.items() if number} == set(liked)
    assert set(chosen.values()) == {0, 1}
    assert not world.findings()


def test_clusters_are_no_evidence_when_only_the_purest_are_served(world: World) -> None:
    """They are easier than what stays open, whatever the ordering is."""
    world.add(30)
    chance = by_rank(world)
    blocks = {item: n // 9 for n, item in enumerate(chance[:18])}
    land(world, 1, [], blocks)
    assert not any(i.chosen for i in world.items())
    land(world, 2, [], blocks, purest=True)
    assert {i.item_id for i in world.items() if i.chosen} == set(blocks)
    land(world, 3, chance[20:24], blocks, chosen_blocks=[1], purest=True)
    assert set(blocks) < {i.item_id for i in world.items() if i.chosen}
    land(world, 4, [])
    assert not any(i.chosen for i in world.items())
    assert not world.findings()


def test_what_chance_brings_first_is_evidence_though_the_model_wants_it(world: World) -> None:
    world.add(30)
    chance = by_rank(world)
    liked = [chance[20], chance[21], chance[0], chance[1], chance[22]]
    land(world, 1, liked)
    assert page(world) == [chance[20], chance[0], chance[21], chance[1], chance[22], chance[2]]
    assert [i.item_id for i in world.items() if i.chosen] == sorted(
        [chance[20], chance[21], chance[22]]
    )


def test_only_a_choice_that_was_handed_out_stays_one(world: World) -> None:
    world.add(40)
    chance = by_rank(world)
    liked = chance[30:36]
    land(world, 1, liked)
    first = page(world, size=4)
    given_by_choice = [i for i in first if i in liked]
    voted = given_by_choice[0]
    world.cast("u0", voted, "1")
    # The next round likes other items: what nobody has had goes back to its rank.
    others = chance[24:28]
    land(world, 2, others)
    chosen = {i.item_id: i.chosen for i in world.items() if i.chosen}
    assert chosen == {**dict.fromkeys(given_by_choice, 1), **dict.fromkeys(others, 2)}
    for item in world.items():
        if item.item_id in liked and item.item_id not in given_by_choice:
            assert item.queue_pos == item.rank
    # Random again: all that nobody has had.
    land(world, 3, [])
    assert {i.item_id for i in world.items() if i.chosen} == set(given_by_choice)
    rest = [i for i in chance if i not in first]
    assert page(world, "u1", 6) == rest[:6]


def test_chosen_labels_teach_and_never_test(world: World, tmp_path: Path) -> None:
    world.add(40)
    liked = by_rank(world)[30:36]
    land(world, 1, liked)
    answered = page(world) + page(world)
    for item_id in answered:
        world.cast("u0", item_id, str(item_id % 2))
    tx = world.tx()
    learned = round_files.write_items(tx, "p", tmp_path / "items.tsv")
    share = tx.chosen_share("p")
    world.commit(tx)
    assert learned == len(answered) == 12
    assert share == 0.5
    lines = (tmp_path / "items.tsv").read_text().splitlines()
    rows = [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
    trusted = {int(r["item_id"]) for r in rows if r["trusted"] == "1"}
    assert trusted == set(answered) - set(liked)
    assert {int(r["item_id"]) for r in rows if r["label"]} == set(answered)
    assert {int(r["item_id"]) for r in rows if r["fresh"] == "1"} == {
        i.item_id for i in world.items()
    } - set(answered)


def test_chosen_blocks_come_between_blocks_by_chance(world: World) -> None:
    world.add(45)
    ids = [i.item_id for i in world.items()]
    blocks = {item_id: at // 9 for at, item_id in enumerate(ids)}
    land(world, 1, [], blocks, chosen_blocks=[4, 3])
    order = [{blocks[i] for i in page(world, size=9)} for _ in range(5)]
    assert order == [{4}, {0}, {3}, {1}, {2}]
    assert {blocks[i.item_id] for i in world.items() if i.chosen} == {3, 4}


def test_what_is_prelabeled_is_chosen_no_longer(world: World) -> None:
    world.add(20)
    liked = by_rank(world)[10:14]
    land(world, 1, liked)
    land(world, 2, liked[1:], prelabel=liked[:1])
    item = world.item(liked[0])
    assert (item.queue, item.chosen) == ("prelabeled", 0)
    assert {i.item_id for i in world.items() if i.chosen} == set(liked[1:])


def test_withdrawn_clusters_leave_no_choice_behind(world: World) -> None:
    world.add(18)
    ids = [i.item_id for i in world.items()]
    land(world, 1, [], {i: at // 9 for at, i in enumerate(ids)}, chosen_blocks=[1])
    tx = world.tx()
    assert withdraw(tx, "p", 1, ids, 0) == 18
    world.commit(tx)
    assert not any(i.chosen for i in world.items())
    assert page(world, size=9) == by_rank(world)[:9]


# -- over real sockets, with the real model


@pytest.mark.slow
async def test_a_labeler_gets_every_second_picture_by_choice(
    server: TestServer, bench: Bench, tmp_path: Path
) -> None:
    folder = pictures(tmp_path / "pictures", 120)
    project = await bench.make(folder, ordering="auto", audit_share=0.0, page_size=9)
    assert project.ordering == "auto"
    data = server.process.data_dir
    watch = await bench.watch()
    stream = await bench.labeler(credit=1)

    async def finished(number: int) -> None:
        async with asyncio.timeout(240):
            await watch.until(
                lambda s: bool(
                    s.assist.round
                    and s.assist.round.number >= number
                    and s.assist.round.state == "done"
                    and not (s.assist.running or s.assist.round_due)
                )
            )

    def items(columns: str) -> list[tuple[Any, ...]]:
        of_project = "FROM item WHERE project_id = ? ORDER BY rank"
        with closing(sqlite3.connect(data / "chorus.sqlite")) as db:
            found = db.execute(f"SELECT item_id, {columns} {of_project}", (project.project_id,))
            return found.fetchall()

    def rows(number: int, name: str) -> list[dict[str, str]]:
        path = data / "rounds" / project.project_id / str(number) / name
        with path.open(newline="") as lines:
            return list(csv.DictReader(lines, delimiter="\t"))

    answered: list[int] = []

    async def work() -> list[int]:
        page = await page_of(stream)
        assert page.kind == "manual"
        bodies = [stream.vote(i, "label", right(i.name)) for i in page.items]
        await asyncio.gather(*(stream.socket.cast(body) for body in bodies))
        await stream.finish(page, credit=False)
        answered.extend(i.item_id for i in page.items)
        return [i.item_id for i in page.items]

    # A round that begins before is had again, with however many labels there are then.
    await watch.until(lambda s: s.assist.featurized == 120)
    rank = [item_id for (item_id, _) in items("rank")]
    assert await work() == rank[:9], "before the first round chance alone has a say"
    for _ in range(2):
        await stream.credit(1)
        await work()
    await finished(1)

    liked = [int(r["item_id"]) for r in rows(1, "next.tsv")]
    assert liked
    assert not set(liked) & set(answered)
    left = [i for i in rank if i not in answered]
    expected = interleave(left, liked)
    await stream.credit(1)
    seen = await work()
    assert seen == [item for item, _ in expected[:9]]
    by_choice = {item for item, chosen in expected[:9] if chosen}
    assert len(by_choice) == 5

    await bench.admin.train(project.project_id)  # nine more labels alone begin none
    await finished(2)
    trusted = {int(r["item_id"]) for r in rows(2, "items.tsv") if r["trusted"] == "1"}
    taught = {int(r["item_id"]) for r in rows(2, "items.tsv") if r["label"]}
    assert taught == set(answered)
    assert trusted == set(answered) - by_choice, "what was chosen teaches and does not test"
    assist = (await bench.stats()).assist
    assert assist.ordering == "auto"
    assert (assist.mixing.queue, assist.mixing.labels) == (0.5, round(5 / 36, 4))
