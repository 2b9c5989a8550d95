"""Ids that a client makes: as RFC 9562 has them, and in the order they were made in."""

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.client import ids


@given(times=st.lists(st.integers(0, (1 << 48) - 1), min_size=2, max_size=5, unique=True))
def test_later_ids_come_later(times: list[int]) -> None:
    made: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for ms in sorted(times):
            patch.setattr(time, "time_ns", lambda ms=ms: ms * 1_000_000 + 999_999)
            made += [ids.new_id(), ids.new_id()]
            found = uuid.UUID(made[-1])
            assert (found.version, found.variant) == (7, uuid.RFC_4122)
            assert found.int >> 80 == ms
    assert len(set(made)) == len(made)
    assert [one[:13] for one in made] == sorted(one[:13] for one in made)
