"""How often somebody may try: rules without a server."""

from __future__ import annotations

from pathlib import Path

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.domain.limits import Buckets, Limit, Pace, Tries, network_of
from chorus.server.domain.names import is_plain, plain
from chorus.server.errors import ApiError
from chorus.server.services.accounts import Accounts
from chorus.server.services.limits import (
    BY_ADDRESS,
    BY_LOGIN_AND_ADDRESS,
    LINKS_BY_ADDRESS,
    Limits,
)
from chorus.server.storage.sqlite import SqliteStore

times = st.lists(st.floats(0, 1000), max_size=60).map(sorted)


@given(times, st.integers(1, 5), st.floats(0.5, 100))
def test_no_window_has_more_tries_than_allowed(at: list[float], most: int, window: float) -> None:
    tries = Tries(Limit(most, window))
    let_through = []
    for now in at:
        if not tries.full("key", now):
            tries.note("key", now)
            let_through.append(now)
    for now in let_through:
        assert sum(now - window < t <= now for t in let_through) <= most


@given(times)
def test_a_bucket_lets_its_burst_through_and_then_its_pace(at: list[float]) -> None:
    pace = Pace(2.0, 5.0)
    buckets = Buckets(pace)
    free = [now for now in at if buckets.take("key", now) == 0]
    for i, first in enumerate(free):
        for j in range(i, len(free)):
            allowed = pace.burst + (free[j] - first) * pace.per_s
            assert j - i + 1 <= allowed + 1e-6


def test_invented_keys_are_forgotten() -> None:
    tries, buckets = Tries(Limit(3, 10.0)), Buckets(Pace(1.0, 10.0))
    for n in range(1000):
        tries.note(str(n), n / 1000)
        buckets.take(str(n), n / 1000)
    tries.note("later", 100.0)
    buckets.take("later", 100.0)
    assert len(tries) == len(buckets) == 1


def test_many_at_once_get_no_more_tries_than_one_after_the_other() -> None:
    limits = Limits()
    # Nobody has been told yet that the password was wrong.
    for _ in range(BY_LOGIN_AND_ADDRESS.most):
        limits.try_password("ann", "1.1.1.1")
    with pytest.raises(ApiError, match="too many"):
        limits.try_password("ann", "1.1.1.1")
    limits.try_password("ben", "1.1.1.1")
    limits.try_password("ann", "2.2.2.2")
    limits.was_right("ann", "2.2.2.2")


def test_one_address_cannot_try_one_password_on_everybody() -> None:
    limits = Limits()
    for n in range(BY_ADDRESS.most):
        limits.try_password(f"person{n}", "1.1.1.1")
    with pytest.raises(ApiError, match="too many"):
        limits.try_password("another", "1.1.1.1")
    limits.try_password("another", "2.2.2.2")


def test_who_has_an_address_of_ipv6_has_its_whole_network() -> None:
    limits = Limits()
    for n in range(BY_ADDRESS.most):
        limits.try_password(f"person{n}", f"2001:db8:0:1::{n:x}")
    with pytest.raises(ApiError, match="too many"):
        limits.try_password("another", "2001:db8:0:1:ffff::1")
    limits.try_password("another", "2001:db8:0:2::1")
    limits.was_right("another", "2001:db8:0:2::1")
    for n in range(LINKS_BY_ADDRESS.most):
        with pytest.raises(ApiError, match="none"), limits.opening(f"2001:db8:0:3::{n:x}"):
            raise ApiError("not_found", "none")
    with pytest.raises(ApiError, match="too many"), limits.opening("2001:db8:0:3::ffff"):
        pass
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert network_of("testclient") == "testclient"


def test_right_passwords_use_nothing_up() -> None:
    limits = Limits()
    for _ in range(10 * BY_ADDRESS.most):
        limits.try_password("ann", "1.1.1.1")
        limits.was_right("ann", "1.1.1.1")


async def test_an_unknown_login_is_as_much_work_as_a_wrong_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One verification of a hash with the same parameters: time is what that takes."""
    store = SqliteStore(tmp_path / "chorus.sqlite", lambda events: None, readers=1)
    accounts = Accounts(store, "secret")
    await accounts.add_user("ann", "Ann", "correct horse", False)
    verify, seen = accounts._verify, []

    def watched(password_hash: str, password: str) -> bool:
        seen.append(argon2.extract_parameters(password_hash))
        return verify(password_hash, password)

    monkeypatch.setattr(accounts, "_verify", watched)
    for login in ("ann", "nobody"):
        with pytest.raises(ApiError, match="login or password is wrong"):
            await accounts.sign_in(login, "battery staple", "1.1.1.1")
    assert len(seen) == 2
    assert seen[0] == seen[1]
    await store.close()


@given(st.text(max_size=40))
def test_a_plain_name_is_one_line_without_commands(text: str) -> None:
    name = plain(text)
    assert is_plain(name)
    assert len(name.splitlines()) <= 1
    assert "\x1b" not in name


def test_names_of_all_the_world_are_plain() -> None:
    for name in ("José Ångström", "李小龍", "نجيب محفوظ", "O'Brien-Smith", "Zoë 👩🏽‍🔬"):
        assert is_plain(name), name
