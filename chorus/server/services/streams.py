"""The labelers' tabs that are open, and what each has in hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from chorus.server.clock import now_ms
from chorus.server.services.accounts import CurrentUser

Push = Callable[[str, dict[str, Any]], None]
Tab = tuple[str, str, str]
"""(project_id, user_id, tab)"""


class Stream:
    """One tab of one labeler in one project."""

    def __init__(
        self, project_id: str, user: CurrentUser, tab: str, size: int, role: str, push: Push,
        bye: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.project_id = project_id
        self.user_id = user.user_id
        self.tab = tab
        self.size = size
        self.role = role
        self.push = push
        self.bye = bye
        self.credit = 0
        self.pages: dict[int, str] = {}
        self.in_hand = 0
        """Pages it has, or has just sent the last answer of; too few where a tab asks for more than
        it has finished."""
        self.told: str | None = None
        self.dealing = False
        self.again = False
        """Something has changed while a page was being dealt: what is found then may be old."""
        self.idle = False
        """Its page ran out untouched: nothing more is handed out until somebody is back."""
        self.failed = False
        """No page could be dealt, by no fault of anybody here."""
        self.closed = False
        self.active_at = now_ms()
        self.time_zone = user.time_zone
        self.today = 0
        self.day_ends = 0
        self.total = 0
        self.counts_changed = False
        self.kind: str | None = None

    @property
    def key(self) -> Tab:
        return self.project_id, self.user_id, self.tab


class Streams:
    """Those that are open: one a tab."""

    def __init__(self) -> None:
        self._by_tab: dict[Tab, Stream] = {}
        self._by_project: defaultdict[str, set[Stream]] = defaultdict(set)
        self._by_person: defaultdict[tuple[str, str], set[Stream]] = defaultdict(set)

    def __contains__(self, stream: Stream) -> bool:
        return self._by_tab.get(stream.key) is stream

    def add(self, stream: Stream) -> None:
        self._by_tab[stream.key] = stream
        self._by_project[stream.project_id].add(stream)
        self._by_person[stream.project_id, stream.user_id].add(stream)

    def drop(self, stream: Stream) -> None:
        """It is open no more, if it was."""
        if stream not in self:
            return
        del self._by_tab[stream.key]
        self._by_project[stream.project_id].discard(stream)
        person = (stream.project_id, stream.user_id)
        self._by_person[person].discard(stream)
        if not self._by_person[person]:
            del self._by_person[person]

    def tabs(self) -> set[Tab]:
        return set(self._by_tab)

    def at(self, tab: Tab) -> Stream | None:
        return self._by_tab.get(tab)

    def all(self) -> list[Stream]:
        return list(self._by_tab.values())

    def of_project(self, project_id: str) -> list[Stream]:
        return list(self._by_project.get(project_id, ()))

    def of_person(self, project_id: str, user_id: str) -> list[Stream]:
        return list(self._by_person.get((project_id, user_id), ()))
