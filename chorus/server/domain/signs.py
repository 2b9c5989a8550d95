"""Signs that somebody does not look at what they label. Pure.

Each is a sentence with numbers, for a supervisor to judge; nothing follows from one by itself. All
of them rest on answers that turned out wrong, or on what no person can do: whoever is fast and
right, or answers mostly one class because most items are of it, shows none.

How unlikely a count is by chance is bounded by Chernoff (1952, by the relative entropy): never too
small, so never an alarm too many for being an approximation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import msgspec

from chorus.server.domain.interval import wilson

CHANCE = 1e-5
"""An alarm by bad luck is rarer than that: many people are looked at, again and again."""
SEEN_MS = 300
"""Nobody sees a page and presses a key in less (simple reaction to something seen: about 250 ms;
choosing takes longer: Hick 1952)."""
IMPOSSIBLE_MIN = 10
IMPOSSIBLE_SHARE = 0.5
FASTER = 3.0
"""So many times as fast as the others is fast."""
FAST_MIN = 50
SAME_SHARE = 0.8
SAME_MIN = 30


class PageTime(msgspec.Struct, frozen=True):
    """One page that somebody answered: of which kind, how many answers, how long (ms): the longer
    of what their page said and of what passed since they sent the page before."""

    kind: str
    answers: int
    ms: int


class Judged(msgspec.Struct, frozen=True):
    """An answer that another witness can judge: a check, or an item that others answered too."""

    value: int
    truth: int


class Work(msgspec.Struct, kw_only=True):
    """What is known of one person's work. Values are codes of answers, -1: none."""

    pages: Sequence[PageTime] = ()
    """The newest, in order."""
    values: Sequence[int] = ()
    """Of all their answers."""
    judged: Sequence[Judged] = ()
    prelabels_seen: int = 0
    prelabels_changed: int = 0


class Others(msgspec.Struct, kw_only=True):
    """What the person is compared with."""

    judged: int = 0
    wrong: int = 0
    """Answers of all others that can be judged, and the wrong ones."""
    seconds: dict[str, float] = {}
    """Of one answer, by kind of page: the others' mean."""
    audited: int = 0
    audited_wrong: int = 0
    """Of the blind audit: hidden prelabels compared, and the wrong ones."""


class Sign(msgspec.Struct, frozen=True):
    kind: str
    """impossible, fast, same or accepts."""
    text: str


def signs(work: Work, others: Others, names: Sequence[str]) -> list[Sign]:
    """What is worth a look. `names`: of classes, by code."""
    found = (_impossible(work), _fast(work, others), _same(work, names), _accepts(work, others))
    return [sign for sign in found if sign is not None]


def chance_of_more(k: int, n: int, p: float) -> float:
    """At most how likely `k` or more of `n` are, each with chance `p`."""
    if n == 0 or k <= n * p:
        return 1.0
    return math.exp(-n * _entropy(k / n, p))


def chance_of_fewer(k: int, n: int, p: float) -> float:
    """At most how likely `k` or fewer of `n` are."""
    return chance_of_more(n - k, n, 1 - p)


def _entropy(q: float, p: float) -> float:
    """Relative entropy of coins with chances q and p."""
    if p <= 0 or p >= 1:
        return math.inf
    first = q * math.log(q / p) if q > 0 else 0.0
    return first + ((1 - q) * math.log((1 - q) / (1 - p)) if q < 1 else 0.0)


def _impossible(work: Work) -> Sign | None:
    n = len(work.pages)
    too_fast = sum(page.ms < SEEN_MS for page in work.pages)
    if too_fast < IMPOSSIBLE_MIN or too_fast < IMPOSSIBLE_SHARE * n:
        return None
    return Sign(
        "impossible",
        f"{too_fast} of the last {n} pages were answered in less than {SEEN_MS / 1000:g} s each,"
        " which is less than it takes to see a page and press a key",
    )


def _fast(work: Work, others: Others) -> Sign | None:
    """Much faster than the others, and much more often wrong."""
    answers = sum(p.answers for p in work.pages if p.kind in others.seconds)
    if answers < FAST_MIN or not others.judged:
        return None
    own = sum(p.ms for p in work.pages if p.kind in others.seconds) / 1000
    # As long as the others would have taken, on the same kinds of pages.
    usual = sum(p.answers * others.seconds[p.kind] for p in work.pages if p.kind in others.seconds)
    if own * FASTER > usual:
        return None
    wrong = sum(j.value != j.truth for j in work.judged)
    _, high = wilson(others.wrong, others.judged)
    if chance_of_more(wrong, len(work.judged), high) > CHANCE:
        return None
    times = f"{usual / own:.0f} times" if own * 1000 > usual else "many times"
    shares = _percent(wrong, len(work.judged)), _percent(others.wrong, others.judged)
    return Sign(
        "fast",
        f"{times} as fast as the others, and {wrong} of {len(work.judged)} answers that can be"
        f" judged are wrong ({shares[0]}; of the others: {shares[1]})",
    )


def _same(work: Work, names: Sequence[str]) -> Sign | None:
    """One answer for nearly everything, also where it is wrong."""
    given = [v for v in work.values if v >= 0]
    if len(given) < SAME_MIN:
        return None
    # Not one count after the other: tens of thousands of answers may be thousands of sets.
    top, times = Counter(given).most_common(1)[0]
    share = times / len(given)
    elsewhere = [j for j in work.judged if j.truth != top]
    said = sum(j.value == top for j in elsewhere)
    # As if a coin decided it, where something else was to be said.
    if share < SAME_SHARE or chance_of_more(said, len(elsewhere), 0.5) > CHANCE:
        return None
    name = names[top] if top < len(names) else "the same"
    return Sign(
        "same",
        f"answered “{name}” to {_percent(times, len(given))} of all, also to {said} of"
        f" {len(elsewhere)} that are something else",
    )


def _accepts(work: Work, others: Others) -> Sign | None:
    """Changes far fewer prelabels than were wrong, by those that nobody was shown."""
    if not others.audited_wrong:
        return None
    low, _ = wilson(others.audited_wrong, others.audited)
    seen, changed = work.prelabels_seen, work.prelabels_changed
    if chance_of_fewer(changed, seen, low) > CHANCE:
        return None
    expected = seen * others.audited_wrong / others.audited
    return Sign(
        "accepts",
        f"changed {changed} of {seen} prelabels; by those that were kept hidden"
        f" ({others.audited_wrong} of {others.audited} wrong), about {expected:.0f} of them were"
        " wrong",
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"
