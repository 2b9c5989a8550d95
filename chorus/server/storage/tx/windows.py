"""The first items of the queues, as one commit knows them: many pages are dealt from them without
asking the database again (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from chorus.server.domain.model import Item

Row = Sequence[Any]
Key = tuple[str, str, int]
"""(project_id, queue, assigned)."""

_ID, _ROOM, _QUEUE, _POS = (
    Item.__struct_fields__.index(name) for name in ("item_id", "room", "queue", "queue_pos")
)


class Window(NamedTuple):
    """A stretch of a queue: all items in it that had room when it was read."""

    begin: int
    """The queue_pos that it begins at."""
    item_ids: list[int]
    """By queue_pos."""
    whole: bool
    """There is nothing behind it."""


class Windows:
    """Whoever changes what decides who may be given an item says so here; what would make a window
    wrong drops them all, and the next page is looked for in the database."""

    def __init__(self) -> None:
        self._windows: dict[Key, Window] = {}
        self._held: dict[int, set[str]] = {}
        """Who has an open lease, by item_id; of the items in windows."""
        self._answered: dict[int, set[str]] = {}
        """Whose answer stands."""

    def __bool__(self) -> bool:
        return bool(self._windows)

    def clear(self) -> None:
        self._windows.clear()
        self._held.clear()
        self._answered.clear()

    def put(
        self, key: Key, window: Window, held: Iterable[tuple[int, str]],
        answered: Iterable[tuple[int, str]],
    ) -> None:  # fmt: skip
        """held, answered: (item_id, user_id)."""
        # Of what the last one had and this one has not, nothing is known here any more.
        for item_id in self._windows[key].item_ids if key in self._windows else ():
            self._held.pop(item_id, None)
            self._answered.pop(item_id, None)
        self._windows[key] = window
        for item_id in window.item_ids:
            self._held[item_id], self._answered[item_id] = set(), set()
        for item_id, user_id in held:
            self._held[item_id].add(user_id)
        for item_id, user_id in answered:
            self._answered[item_id].add(user_id)

    def next_items(
        self, key: Key, user_id: str, from_pos: int, limit: int, rows: Mapping[int, Row]
    ) -> list[Row] | None:
        """Rows of the next `limit` items for one person; None: this is not known here. rows: items
        as they are by now, by item_id."""
        window = self._windows.get(key)
        if window is None or from_pos < window.begin:
            return None
        found = []
        for item_id in window.item_ids:
            row = rows[item_id]
            if (
                row[_ROOM] > 0
                and row[_POS] >= from_pos
                and user_id not in self._held[item_id]
                and user_id not in self._answered[item_id]
            ):
                found.append(row)
                if len(found) == limit:
                    return found
        return found if window.whole else None

    # -- what happens

    def leased(self, item_id: int, user_id: str) -> None:
        if item_id in self._held:
            self._held[item_id].add(user_id)

    def released(self, item_id: int, user_id: str) -> None:
        if item_id in self._held:
            self._held[item_id].discard(user_id)

    def answer(self, item_id: int, user_id: str) -> None:
        if item_id in self._answered:
            self._answered[item_id].add(user_id)

    def changed(self, before: Row, after: Row) -> None:
        """An item's row."""
        if not self._windows:
            return
        moved = (before[_QUEUE], before[_POS]) != (after[_QUEUE], after[_POS])
        # One that lies in a window may lose its room there and have it again.
        opened = before[_ROOM] <= 0 < after[_ROOM] and after[_ID] not in self._held
        if moved or opened:
            self.clear()
