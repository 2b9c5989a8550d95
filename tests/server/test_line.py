"""Which writes share a commit: answers before pages that are dealt ahead of need."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from chorus.server.storage.line import FEW, MOST, PATIENT, Line


@dataclass(frozen=True)
class Write:
    n: int
    asked: int
    patience: int


STEP = 10
"""Between two commits."""

steps = st.lists(
    st.tuples(st.integers(0, 2 * MOST), st.lists(st.integers(1, 5 * STEP), max_size=2 * PATIENT)),
    min_size=1,
    max_size=8,
)
"""Of each moment: how many prompt writes come, and the patience of the others."""


def _run(moments: list[tuple[int, list[int]]]) -> tuple[list[Write], list[tuple[int, list[Write]]]]:
    """Everything that was asked for, and each commit with its time, until nothing is left."""
    line: Line[Write] = Line()
    asked: list[Write] = []
    commits: list[tuple[int, list[Write]]] = []
    now = 0
    while moments or line:
        prompt, patient = moments.pop(0) if moments else (0, [])
        # Patient ones first: others overtake them.
        new = [
            Write(len(asked) + n, now, patience)
            for n, patience in enumerate([*patient, *[0] * prompt])
        ]
        asked += new
        line.add(new)
        commits.append((now, line.take(now)))
        now += STEP
    return asked, commits


@given(steps)
def test_everything_comes_once_and_prompt_ones_in_order(
    moments: list[tuple[int, list[int]]],
) -> None:
    asked, commits = _run(moments)
    taken = [write for _, commit in commits for write in commit]
    assert sorted(write.n for write in taken) == [write.n for write in asked]
    prompt = [write.n for write in taken if not write.patience]
    assert prompt == sorted(prompt)


@given(steps)
def test_a_commit_is_bounded_and_never_empty_while_somebody_waits(
    moments: list[tuple[int, list[int]]],
) -> None:
    waiting = 0
    arrivals = [len(patient) + prompt for prompt, patient in moments]
    _, commits = _run(moments)
    for n, (_, commit) in enumerate(commits):
        waiting += arrivals[n] if n < len(arrivals) else 0
        assert len(commit) <= MOST + PATIENT
        assert commit or not waiting
        waiting -= len(commit)


@given(steps)
def test_nobody_waits_longer_than_their_patience_where_there_is_room(
    moments: list[tuple[int, list[int]]],
) -> None:
    asked, commits = _run(moments)
    at = {write: now for now, commit in commits for write in commit}
    for now, commit in commits:
        late = [w for w in asked if w.patience and w.asked + w.patience <= now <= at[w]]
        # As many as there is room for, longest due first.
        due = sorted(late, key=lambda w: (w.asked + w.patience, w.n))[:PATIENT]
        assert set(due) <= set(commit)
        # Many prompt ones: nobody comes along before their time.
        if sum(not w.patience for w in commit) > FEW:
            assert all(w.asked + w.patience <= now for w in commit if w.patience)


def test_a_page_ahead_of_need_waits_behind_answers_only_while_there_are_many() -> None:
    line: Line[Write] = Line()
    page = Write(0, 0, 5)
    answers = [Write(n, 0, 0) for n in range(1, FEW + 2)]
    line.add([page, *answers])
    assert line.take(1) == answers
    assert line.take(1) == [page]
    line.add([page, *answers[:FEW]])
    assert line.take(1) == [*answers[:FEW], page]
