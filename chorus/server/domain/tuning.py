"""Fine-tuning: when a network learns from a project's own labels, and from which of them.

What a network has learned from is no evidence of what it knows: its features of those pictures tell
their labels. So the items it learns from are drawn once and remembered, and prove nothing for it or
any later one. They are all that prove nothing anyway (people saw a prelabel, the model chose them,
an earlier round was sure of them), and of the others those on which a coin falls: chance alone, so
that what is left stands for the open items as before.
"""

from __future__ import annotations

import hashlib
from typing import Literal

FIRST = 300
"""Labels before the first one: with fewer, the untouched network does as well (docs/finetuning.md).
"""
GROWTH = 2.0
"""Another one when there are so many times as many labels as at the last."""
OPEN_LEAST = 200
"""Fewer open items are sooner labeled than a network is tuned."""
SHARE = 0.5
"""Of the items that could prove something, the share that the network learns from."""
JUDGE_SHARE = 0.2
"""Of those drawn, the share on which the outcome is judged instead."""
MOST = 20_000
"""Items to learn from; more cost time and teach little."""

Part = Literal["tune", "judge", "rest"]


def due(labels: int, last: int | None, open_items: int) -> bool:
    """Is a fine-tuning to begin? last: the labels there were when the last one began."""
    if open_items < OPEN_LEAST:
        return False
    return labels >= FIRST and (last is None or labels >= GROWTH * last)


def obstacle(labels: int, open_items: int) -> str | None:
    """Why none can begin, even on demand; None: it can."""
    if labels < FIRST:
        return f"fine-tuning needs {FIRST} labels; there are {labels}"
    if open_items == 0:
        return "every item is settled: there is nothing left to help with"
    return None


def part_of(seed: int, item_id: int, *, evidence: bool, drawn: bool) -> Part:
    """What a labeled item is for. The coin of an item always falls the same way.

    evidence: it could prove something. drawn: an earlier fine-tuning has learned from it or was
    judged on it.
    """
    if evidence and not drawn and _coin(seed, item_id, "draw") >= SHARE:
        return "rest"
    # What one network has learned from does not judge the next either: heads are the same.
    return "judge" if evidence and _coin(seed, item_id, "judge") < JUDGE_SHARE else "tune"


def _coin(seed: int, item_id: int, what: str) -> float:
    """0 <= coin < 1, of this item, for this purpose."""
    raw = hashlib.blake2b(f"{seed} {item_id} {what}".encode(), digest_size=8).digest()
    return int.from_bytes(raw, "big") / 2**64
