"""How often somebody may try. Pure: the clock is the caller's."""

from __future__ import annotations

import ipaddress
from collections import deque

import msgspec


def network_of(address: str) -> str:
    """Whom an address stands for. Of IPv6 that is its /64: who has one of them has all 2⁶⁴."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # a socket without addresses, a proxy's own word
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    inner = ip.ipv4_mapped
    return str(inner or ipaddress.ip_network((ip, 64), strict=False))


class Limit(msgspec.Struct, frozen=True):
    """At most `most` tries within `window_s` seconds."""

    most: int
    window_s: float


class Tries:
    """Tries of many, by key, in a sliding window. What nobody has tried for a window is forgotten,
    so that inventing keys fills no memory for longer than that."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._made: dict[str, deque[float]] = {}
        self._swept = 0.0

    def __len__(self) -> int:
        return len(self._made)

    def full(self, key: str, now: float) -> bool:
        """Has `key` used up its tries? `now`: seconds of a clock that never goes back."""
        made = self._made.get(key)
        if made is None:
            return False
        self._drop_old(made, now)
        return len(made) >= self.limit.most

    def note(self, key: str, now: float) -> None:
        self._sweep(now)
        self._made.setdefault(key, deque(maxlen=self.limit.most)).append(now)

    def forgive(self, key: str) -> None:
        """The last try was a right one: those before it are forgotten."""
        self._made.pop(key, None)

    def take_back(self, key: str) -> None:
        """The last try was a right one: it alone does not count."""
        made = self._made.get(key)
        if made:
            made.pop()

    def _drop_old(self, made: deque[float], now: float) -> None:
        while made and made[0] <= now - self.limit.window_s:
            made.popleft()

    def _sweep(self, now: float) -> None:
        if now - self._swept < self.limit.window_s:
            return
        self._swept = now
        for key, made in list(self._made.items()):
            self._drop_old(made, now)
            if not made:
                del self._made[key]


class Pace(msgspec.Struct, frozen=True):
    """So many a second for long, `burst` at once."""

    per_s: float
    burst: float


class Buckets:
    """Token buckets of many, by key: what somebody does, at the pace that is allowed.

    A full bucket is forgotten, so only those who are busy take memory.
    """

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._left: dict[str, tuple[float, float]] = {}
        self._swept = 0.0

    def __len__(self) -> int:
        return len(self._left)

    def take(self, key: str, now: float, n: int = 1) -> float:
        """Take `n`; how many seconds to wait until they were there (0: they are). They are taken
        whether the caller waits or not, so that those who go on asking wait longer."""
        self._sweep(now)
        left = self._at(key, now) - n
        # Not without end: whoever stops is free again after one more burst.
        left = max(left, -self.pace.burst)
        self._left[key] = left, now
        return max(0.0, -left / self.pace.per_s)

    def _at(self, key: str, now: float) -> float:
        left, at = self._left.get(key, (self.pace.burst, now))
        return min(self.pace.burst, left + (now - at) * self.pace.per_s)

    def _sweep(self, now: float) -> None:
        if now - self._swept < self.pace.burst / self.pace.per_s:
            return
        self._swept = now
        for key in [k for k in self._left if self._at(k, now) >= self.pace.burst]:
            del self._left[key]
