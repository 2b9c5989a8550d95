"""What one person, and one address, may do how often: the numbers, in one place.

They are far above what people and well-behaved programs do; what goes beyond is told to wait, and
nothing of it is lost.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from chorus.server.domain.limits import Buckets, Limit, Pace, Tries, network_of
from chorus.server.errors import ApiError

BY_LOGIN_AND_ADDRESS = Limit(8, 300.0)
"""Wrong passwords of one login from one address."""
BY_ADDRESS = Limit(60, 300.0)
"""Wrong passwords from one address, whatever the login: many people may share one address."""
BY_LOGIN = Limit(100, 300.0)
"""Wrong passwords of one login, from wherever."""
LINKS_BY_ADDRESS = Limit(40, 300.0)
"""Links (invitations, sign-in, set-up) from one address that are none."""
REQUESTS = Pace(500, 3_000)
"""HTTP requests of one person."""
COMMANDS = Pace(1_000, 3_000)
"""Websocket commands of one person, over all their sockets."""
UPLOADS_MAX = 4
"""Uploads of one person at once."""
SOCKETS_MAX = 100
"""Open sockets of one person who is no admin."""
HASHING_MAX = 64
"""Passwords that may wait to be looked at; each takes a third of a second of a processor."""

TOO_MANY = "too many failed sign-ins; try again in a few minutes"


class Limits:
    def __init__(self) -> None:
        self._pairs = Tries(BY_LOGIN_AND_ADDRESS)
        self._addresses = Tries(BY_ADDRESS)
        self._logins = Tries(BY_LOGIN)
        self._links = Tries(LINKS_BY_ADDRESS)
        self._requests = Buckets(REQUESTS)
        self._commands = Buckets(COMMANDS)
        self._uploads: Counter[str] = Counter()

    # -- signing in

    def try_password(self, login: str, address: str) -> None:
        """Raises rate_limited. The try counts as a wrong one until `was_right` says otherwise: of
        a thousand at once, no more get through than one after the other."""
        now = time.monotonic()
        for tries, key in self._of(login, address):
            if tries.full(key, now):
                raise ApiError("rate_limited", TOO_MANY)
        for tries, key in self._of(login, address):
            tries.note(key, now)

    def was_right(self, login: str, address: str) -> None:
        address = network_of(address)
        self._pairs.forgive(f"{address}|{login}")
        # Those of others from the same address, or for the same login, still count.
        self._addresses.take_back(address)
        self._logins.take_back(login)

    def _of(self, login: str, address: str) -> tuple[tuple[Tries, str], ...]:
        address = network_of(address)
        return (
            (self._pairs, f"{address}|{login}"),
            (self._addresses, address),
            (self._logins, login),
        )

    @contextmanager
    def opening(self, address: str) -> Iterator[None]:
        """Around what is opened by a link. Raises rate_limited for an address that has tried too
        many which are none."""
        address = network_of(address)
        if self._links.full(address, time.monotonic()):
            raise ApiError("rate_limited", "too many links that are not valid; try again later")
        try:
            yield
        except ApiError as error:
            if error.code in ("not_found", "forbidden"):
                self._links.note(address, time.monotonic())
            raise

    # -- working

    def request(self, user_id: str) -> None:
        """Raises rate_limited for somebody who asks too much."""
        if self._requests.take(user_id, time.monotonic()) > 0:
            raise ApiError("rate_limited", "too many requests; wait a moment")

    def command(self, user_id: str, n: int = 1) -> float:
        """Seconds that this person's next `n` commands wait; 0 is usual."""
        return self._commands.take(user_id, time.monotonic(), n)

    @contextmanager
    def uploading(self, user_id: str) -> Iterator[None]:
        """Around one upload. Raises rate_limited."""
        if self._uploads[user_id] >= UPLOADS_MAX:
            raise ApiError("rate_limited", f"at most {UPLOADS_MAX} uploads at once; wait for one")
        self._uploads[user_id] += 1
        try:
            yield
        finally:
            self._uploads[user_id] -= 1
            if not self._uploads[user_id]:
                del self._uploads[user_id]
