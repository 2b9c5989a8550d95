"""How often Python looks through everything for garbage."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chorus.server.collecting import EVERY_S, LATEST_S, SHARE, pause


@given(st.floats(0, 10))
def test_full_looks_take_next_to_no_time_and_are_made_all_the_same(took: float) -> None:
    assert EVERY_S <= pause(took) <= LATEST_S
    if took <= LATEST_S * SHARE:
        assert took <= SHARE * pause(took) * (1 + 1e-9)
