"""The blind audit: is the model as right on what it would prelabel as it promised?

A settable share of prelabeled items goes out without the prelabel. What people answer there, who
have not been told, is compared with what the model would have told them.
"""

from __future__ import annotations

import math

import msgspec

from chorus.server.domain.interval import wilson

RISK = 0.05
"""Chance that prelabels which keep their promise are ever suspended, however often one looks."""
WORSE = (1.5, 2.0, 3.0, 5.0, 8.0)
"""How many times more often wrong than promised: what the evidence is weighed against."""
TENTHS = 10_000


class Audit(msgspec.Struct, frozen=True):
    """Answers on audited items: how many, and how many agree with the hidden prelabel."""

    n: int = 0
    right: float = 0
    """Of shapes the sum, over pictures, of the share of a picture's shapes that is right."""
    low: float | None = None
    high: float | None = None
    """Wilson's score interval (1927) of the share that is right, 95 %."""
    breached: bool = False


def chosen(rank: int, share: float) -> bool:
    """Whether an item is audited when it is prelabeled. By the low digits of its random rank, which
    have nothing to do with its place in the order of work."""
    return rank % TENTHS < share * TENTHS


def judge(n: int, right: float, target: float) -> Audit:
    """What `right` of `n` audited items say of the promise `target` (0..1).

    An item may be right in part. That is no less safe: each factor of the martingale (`breached`)
    is convex in how wrong an item is, so it is on average no larger than if items were all right
    or all wrong, as often.
    """
    if not n:
        return Audit()
    low, high = wilson(right, n)
    return Audit(n, right, round(low, 4), round(high, 4), breached(n - right, n, target))


def breached(wrong: float, n: int, target: float) -> bool:
    """True when so many wrong ones prove that the accuracy is below `target`.

    A mixture of likelihood ratios, which is a test martingale: as long as the promise is kept it
    ever exceeds 1 / RISK with chance RISK at most (Ville's inequality), so that looking after every
    round is allowed (Ramdas et al., Game-theoretic statistics and safe anytime-valid inference,
    2023).
    """
    error = 1 - target
    worse = [q for times in WORSE if (q := error * times) < 1] if error > 0 else []
    if not worse:
        return error <= 0 < wrong
    logs = [
        wrong * math.log(q / error) + (n - wrong) * math.log((1 - q) / (1 - error)) for q in worse
    ]
    top = max(logs)
    mean = top + math.log(sum(math.exp(x - top) for x in logs) / len(logs))
    return mean >= -math.log(RISK)
