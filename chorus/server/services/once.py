"""Idempotency keys: a request that is sent again is not done again.

The key is claimed in a transaction before the request is done, and its answer kept after. A request
that the server could not answer (killed in between) stays claimed: whether it was done is unknown,
and doing it twice is what a key is there to prevent.
"""

from __future__ import annotations

from chorus.server.clock import now_ms
from chorus.server.errors import ApiError
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

KEPT_MS = 24 * 3600 * 1000
KEY_MAX = 200


class Once:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: set[tuple[str, str]] = set()

    async def claim(self, user_id: str, key: str, digest: str) -> tuple[int, bytes] | None:
        """(status, body) of the answer if this person's request with the key was answered; None:
        it is new, and now claimed. `digest`: of the whole request.

        Raises bad_value (no such key can be), conflict (another request, or one without answer).
        """
        if not 1 <= len(key) <= KEY_MAX:
            raise ApiError("bad_value", f"an Idempotency-Key has 1 to {KEY_MAX} characters")

        def fn(tx: Tx) -> tuple[str, int | None, bytes] | None:
            now = now_ms()
            tx.drop_old_request_keys(now - KEPT_MS)
            found = tx.request_of_key(user_id, key)
            if found is None:
                tx.add_request_key(user_id, key, digest, now)
            return found

        found = await self._store.write(fn)
        if found is None:
            self._running.add((user_id, key))
            return None
        before, status, answer = found
        if before != digest:
            raise ApiError("conflict", "this Idempotency-Key was used for another request")
        if status is not None:
            return status, answer
        if (user_id, key) in self._running:
            raise ApiError("conflict", "the first request with this key is still being answered")
        raise ApiError(
            "conflict",
            "the server was cut off in the first request with this key; look whether it was done,"
            " and use another key if not",
        )

    async def keep(self, user_id: str, key: str, status: int, answer: bytes) -> None:
        await self._store.write(lambda tx: tx.answer_request_key(user_id, key, status, answer))
        self._running.discard((user_id, key))

    async def forget(self, user_id: str, key: str) -> None:
        """The request was refused: nothing was done, so it may come again."""
        await self._store.write(lambda tx: tx.drop_request_key(user_id, key))
        self._running.discard((user_id, key))

    def give_up(self, user_id: str, key: str) -> None:
        """It failed half-way: nobody knows what was done."""
        self._running.discard((user_id, key))
