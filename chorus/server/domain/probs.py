"""The model's view of one item as one short string: "3:0.81,5:0.11,0:0.04".

Only the likeliest classes are kept (ml/run.py writes them); what is left of the mass is spread
evenly over the others.
"""

from __future__ import annotations


def unpack(text: str | None, classes: int) -> list[float] | None:
    """Text -> probabilities (classes,), summing to 1; None stays None.

    Classes added after the model had its say share what it left over.
    """
    if text is None:
        return None
    kept: dict[int, float] = {}
    for entry in text.split(","):
        c, _, p = entry.partition(":")
        kept[int(c)] = float(p)
    others = classes - len(kept)
    left = max(0.0, 1.0 - sum(kept.values()))
    # Never zero: one voter alone must not rule a class out for good.
    each = max(left / others, 1e-4) if others else 0.0
    out = [max(kept.get(c, each), 1e-6) for c in range(classes)]
    total = sum(out)
    return [p / total for p in out]
