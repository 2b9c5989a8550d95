"""Which of the writes that wait share the next commit (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Generic, Protocol, TypeVar

MOST = 512
"""Most prompt writes in one commit: bounds the wait of the first behind the last. What a commit
costs whatever is in it is then so little of each that a server with too much to do keeps up."""
FEW = 48
"""With so many at most, patient ones may come along before their time."""
PATIENT = 32
"""Most patient writes in one commit: a page takes about as long as four votes."""


class Waiting(Protocol):
    """A write that waits. asked: when it was; patience: how long it may stand behind others that
    came later; both in nanoseconds."""

    asked: int
    patience: int


W = TypeVar("W", bound=Waiting)


class Line(Generic[W]):
    """Prompt writes in the order they were asked for, and patient ones behind them while there are
    many: a page that is dealt ahead of need can wait a little, somebody's answer cannot. A patient
    write whose time has come goes with the next commit, however many others wait, or with one soon
    after if many have come to that."""

    def __init__(self) -> None:
        self._prompt: deque[W] = deque()
        self._patient: list[tuple[int, int, W]] = []
        """A heap by when their time comes; then by order."""
        self._n = 0

    def __len__(self) -> int:
        return len(self._prompt) + len(self._patient)

    def add(self, writes: Iterable[W]) -> None:
        for write in writes:
            if write.patience:
                self._n += 1
                heappush(self._patient, (write.asked + write.patience, self._n, write))
            else:
                self._prompt.append(write)

    def take(self, now: int) -> list[W]:
        """The next commit's, in the order in which they are to be made. now: nanoseconds."""
        taken = [self._prompt.popleft() for _ in range(min(MOST, len(self._prompt)))]
        latest = None if len(taken) <= FEW else now
        for _ in range(PATIENT):
            if not self._patient or (latest is not None and self._patient[0][0] > latest):
                break
            taken.append(heappop(self._patient)[2])
        return taken
