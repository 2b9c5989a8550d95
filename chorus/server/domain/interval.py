"""How sure a share is."""

from __future__ import annotations

import math

Z = 1.959964
"""Of a normal distribution, 95 % lie within so many standard deviations."""


def wilson(right: float, n: int) -> tuple[float, float]:
    """Wilson's score interval (1927) of the share `right` / `n`, 95 %, within 0..1; n > 0."""
    share = right / n
    middle = share + Z * Z / (2 * n)
    half = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    scale = 1 + Z * Z / n
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
