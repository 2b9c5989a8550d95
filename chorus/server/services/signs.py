"""Signs that somebody does not look (domain/signs.py), gathered from a project's facts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from chorus.server.domain.signs import Judged, Others, PageTime, Sign, Work, signs
from chorus.server.domain.values import indices
from chorus.server.services.vote_columns import UNKNOWN, Columns, VoteColumns
from chorus.server.storage.tx import Tx

RECENT = 1_000
"""Newest answers of a person whose times are looked at."""
REST_MS = 600_000
"""Whoever paused so long was not at the page all the time; a page claims no more."""

Given = Mapping[str, Sequence[tuple[str, str]]]
"""By person: (what they said on a check, the truth), as stored."""


def signs_of(
    tx: Tx, project_id: str, votes: Columns, given: Given,
    prelabels: Mapping[str, tuple[int, int]], audited: tuple[int, int], classes: Sequence[str],
) -> dict[str, list[Sign]]:  # fmt: skip
    """By person. prelabels: (seen, changed); audited: (hidden prelabels compared, wrong ones)."""
    codes = _Codes(votes, classes)
    people = sorted(prelabels.keys() | set(votes.raters) | given.keys())
    work = {}
    for user_id in people:
        seen, changed = prelabels.get(user_id, (0, 0))
        values, judged = codes.of(user_id)
        work[user_id] = Work(
            pages=page_times(tx.recent_answers(project_id, user_id, RECENT)),
            values=values,
            judged=[*judged, *(codes.judged(*pair) for pair in given.get(user_id, ()))],
            prelabels_seen=seen,
            prelabels_changed=changed,
        )
    judged_by = {u: len(w.judged) for u, w in work.items()}
    wrong_by = {u: sum(j.value != j.truth for j in w.judged) for u, w in work.items()}
    times = {u: _times(w.pages) for u, w in work.items()}
    out = {}
    for user_id, mine in work.items():
        others = Others(
            judged=sum(judged_by.values()) - judged_by[user_id],
            wrong=sum(wrong_by.values()) - wrong_by[user_id],
            seconds=_usual([t for u, t in times.items() if u != user_id]),
            audited=audited[0],
            audited_wrong=audited[1],
        )
        out[user_id] = signs(mine, others, codes.names)
    return out


def page_times(answers: Sequence[tuple[int, str, int | None, int]]) -> list[PageTime]:
    """Of answers (page_id, kind, duration_ms or None, created_at), oldest first. The first page is
    left out: nothing says when it began."""
    kinds: dict[int, str] = {}
    claimed: Counter[int] = Counter()
    count: Counter[int] = Counter()
    last: dict[int, int] = {}
    for page_id, kind, duration, at in answers:
        kinds.setdefault(page_id, kind)
        claimed[page_id] += duration or 0
        count[page_id] += 1
        last[page_id] = max(last.get(page_id, at), at)
    out = []
    before: int | None = None
    for page_id in sorted(last, key=lambda page: (last[page], page)):
        if before is not None:
            ms = max(claimed[page_id], min(last[page_id] - before, REST_MS))
            out.append(PageTime(kinds[page_id], count[page_id], min(ms, REST_MS)))
        before = last[page_id]
    return out


def _times(pages: Sequence[PageTime]) -> dict[str, tuple[int, int]]:
    """By kind: (answers, ms)."""
    found: defaultdict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for page in pages:
        n, ms = found[page.kind]
        found[page.kind] = n + page.answers, ms + page.ms
    return dict(found)


def _usual(times: Sequence[Mapping[str, tuple[int, int]]]) -> dict[str, float]:
    """Seconds of one answer by kind: the median person's."""
    by_kind: defaultdict[str, list[float]] = defaultdict(list)
    for person in times:
        for kind, (n, ms) in person.items():
            by_kind[kind].append(ms / n / 1000)
    return {kind: float(np.median(each)) for kind, each in by_kind.items()}


class _Codes:
    """Answers as codes, the same for votes and for checks."""

    def __init__(self, votes: Columns, classes: Sequence[str]) -> None:
        self._votes = votes
        self._known: dict[str, int] = {}
        self.names = list(classes)
        self._number = {user_id: n for n, user_id in enumerate(votes.raters)}
        if votes.sets is not None:
            self.names = []
            for row in votes.sets:
                ticked = np.flatnonzero(row)
                key = frozenset(int(c) for c in ticked)
                self._known[_key(key)] = len(self.names)
                self.names.append(" + ".join(classes[int(c)] for c in ticked) or "none of them")
        # An item that one person alone has answered judges nobody.
        _, which, answers = np.unique(votes.item, return_inverse=True, return_counts=True)
        self._witnessed = (answers[which] > 1) & (votes.label != UNKNOWN) & ~votes.again

    def of(self, user_id: str) -> tuple[list[int], list[Judged]]:
        """(codes of all the person's votes, those of them that others can judge). Of shapes there
        are none: how well somebody draws is measured otherwise."""
        n = self._number.get(user_id)
        if n is None or not isinstance(self._votes, VoteColumns):
            return [], []
        mine = self._votes.rater == n
        judged = mine & self._witnessed
        pairs = zip(
            self._votes.value[judged].tolist(), self._votes.label[judged].tolist(), strict=True
        )
        return self._votes.value[mine].tolist(), [Judged(v, t) for v, t in pairs]

    def judged(self, given: str, truth: str) -> Judged:
        return Judged(self._code(given), self._code(truth))

    def _code(self, value: str) -> int:
        if self._votes.sets is None:
            return int(value) if value.isdecimal() else UNKNOWN
        key = _key(frozenset(indices(value)))
        if key not in self._known:
            self._known[key] = len(self.names)
            self.names.append("another set")
        return self._known[key]


def _key(ticked: frozenset[int]) -> str:
    return ",".join(map(str, sorted(ticked)))
