"""What a commit knows of a queue's head is what the database would say, or it says nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.server.domain.model import Item
from chorus.server.storage.tx.windows import Row, Window, Windows

KEY = ("p", "manual", 0)
ITEMS, PEOPLE, PLACES = 8, 3, 12
FIELDS = Item.__struct_fields__


@dataclass(frozen=True)
class Lying:
    """An item, and who has to do with it."""

    item_id: int
    queue: str
    queue_pos: int
    room: int
    held: frozenset[str] = frozenset()
    answered: frozenset[str] = frozenset()

    @property
    def row(self) -> Row:
        return [getattr(self, name, None) if name in _OWN else None for name in FIELDS]

    def for_(self, user_id: str, from_pos: int) -> bool:
        return (
            self.queue == KEY[1]
            and self.room > 0
            and self.queue_pos >= from_pos
            and user_id not in self.held | self.answered
        )


_OWN = ("item_id", "queue", "queue_pos", "room")


@dataclass
class Tables:
    """What the database would say."""

    items: dict[int, Lying] = field(default_factory=dict)

    def next_items(self, user_id: str, from_pos: int, limit: int) -> list[int]:
        found = [i for i in self.items.values() if i.for_(user_id, from_pos)]
        return [i.item_id for i in sorted(found, key=lambda i: i.queue_pos)][:limit]


people = st.integers(0, PEOPLE - 1).map("u{}".format)
lying = st.tuples(
    st.sampled_from(["manual", "manual", "manual", "prelabeled"]), st.sampled_from([0, 1, 1, 2]),
    people.map(lambda user_id: frozenset({user_id} - {"u0"})), st.frozensets(people, max_size=1),
)  # fmt: skip
deeds = st.tuples(
    st.sampled_from(["lease", "release", "answer", "room", "move", "queue"]),
    st.integers(1, ITEMS), people, st.integers(0, 40),
)  # fmt: skip
looks = st.tuples(people, st.integers(0, 5), st.integers(1, 6))


@settings(max_examples=300)
@given(
    places=st.permutations(range(PLACES)),
    all_items=st.lists(lying, min_size=ITEMS, max_size=ITEMS),
    begin=st.integers(0, 3),
    most=st.sampled_from([3, ITEMS, ITEMS]),
    happens=st.lists(st.tuples(deeds, looks), min_size=1, max_size=12),
)
def test_a_window_says_what_the_database_would(
    places: list[int], all_items: list[tuple[str, int, frozenset[str], frozenset[str]]],
    begin: int, most: int, happens: list[tuple[tuple[str, int, str, int], tuple[str, int, int]]],
) -> None:  # fmt: skip
    tables = Tables(
        {
            n: Lying(n, queue, places[n], room, held, answered)
            for n, (queue, room, held, answered) in enumerate(all_items, 1)
        }
    )
    inside = sorted(
        (i for i in tables.items.values() if i.queue == "manual" and i.room > 0),
        key=lambda i: i.queue_pos,
    )
    inside = [i for i in inside if i.queue_pos >= begin][:most]
    windows = Windows()
    windows.put(
        KEY, Window(begin, [i.item_id for i in inside], len(inside) < most),
        [(i.item_id, user) for i in inside for user in i.held],
        [(i.item_id, user) for i in inside for user in i.answered],
    )  # fmt: skip
    free = [place for place in range(PLACES) if place not in places[1 : ITEMS + 1]]
    for (deed, item_id, user_id, number), (who, from_pos, limit) in happens:
        before = tables.items[item_id]
        if deed == "lease":
            after = replace(before, held=before.held | {user_id})
            windows.leased(item_id, user_id)
        elif deed == "release":
            user_id = who = min(before.held, default=user_id)
            after = replace(before, held=before.held - {user_id})
            windows.released(item_id, user_id)
        elif deed == "answer":
            after = replace(before, answered=before.answered | {user_id})
            windows.answer(item_id, user_id)
        elif deed == "room":
            after = replace(before, room=number % 3)
        elif deed == "move":
            free.append(before.queue_pos)
            after = replace(before, queue_pos=free.pop(number % len(free)))
        else:
            after = replace(before, queue="manual" if number % 2 else "prelabeled")
        tables.items[item_id] = after
        windows.changed(before.row, after.row)
        rows = {n: item.row for n, item in tables.items.items()}
        found = windows.next_items(KEY, who, from_pos, limit, rows)
        if found is not None:
            ids = [row[FIELDS.index("item_id")] for row in found]
            assert ids == tables.next_items(who, from_pos, limit)


def test_a_window_is_of_use() -> None:
    """It does not say nothing all the time."""
    windows = Windows()
    items = [Lying(n, "manual", n, 1) for n in range(1, 7)]
    rows = {i.item_id: i.row for i in items}
    windows.put(KEY, Window(1, [1, 2, 3, 4], False), [(1, "u0")], [(2, "u0")])
    assert windows.next_items(KEY, "u0", 1, 2, rows) == [rows[3], rows[4]]
    assert windows.next_items(KEY, "u0", 1, 3, rows) is None, "there may be more behind it"
    assert windows.next_items(KEY, "u0", 0, 2, rows) is None, "it begins later"
    windows.changed(rows[3], replace(items[2], room=0).row)
    rows[3] = replace(items[2], room=0).row
    assert windows.next_items(KEY, "u1", 1, 3, rows) == [rows[1], rows[2], rows[4]]
