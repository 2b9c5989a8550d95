"""The order of work by hand: what the model chose among what chance brings, as labelers get it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chorus.server.domain.ordering import block_places, interleave, manual_places

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
