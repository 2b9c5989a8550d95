"""What services need of a database: whole functions run in transactions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.known import PageAhead, VoteAhead

T = TypeVar("T")


class Store(Protocol):
    """A database whose writes are synchronous functions run whole on one writer.

    `write` resolves only after COMMIT is on disk; events emitted by the function are published
    after that, before the caller wakes. `read` runs on a reader that sees committed data only.
    `persist` writes again and again while the disk is full or fails: for work that nobody waits
    for, and nobody would begin anew. repeatable: the function may be called again if another one
    fails, and has no effect but on the transaction. ahead: what it will look at, which is read for
    many such writes at once. patience_s: how long it may wait behind others that came later, where
    many do (storage/line).
    """

    def write(
        self, fn: Callable[[Tx], T], repeatable: bool = False,
        ahead: VoteAhead | PageAhead | None = None, patience_s: float = 0.0,
    ) -> Awaitable[T]: ...  # fmt: skip

    async def persist(self, fn: Callable[[Tx], T]) -> T: ...

    def read(self, fn: Callable[[Tx], T]) -> Awaitable[T]: ...

    @property
    def waiting(self) -> int:
        """Writes that wait for the writer, or for their commit."""
        ...

    async def close(self) -> None: ...
