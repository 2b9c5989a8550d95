"""Small pictures with things to find on them, for the detector's tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

SIDE = 96
COLOURS = ((230, 60, 50), (60, 90, 235))
"""Of class 0, squares, and class 1, discs."""
Drawn = list[list[int]]
"""[class, x, y, width, height] of each thing."""


def draw_pictures(folder: Path, count: int, seed: int = 0, most: int = 3) -> dict[str, Drawn]:
    """PNG files with up to `most` things each, on noise; what is where, by file name."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    out: dict[str, Drawn] = {}
    for n in range(count):
        image = Image.fromarray(rng.integers(90, 150, (SIDE, SIDE, 3), dtype=np.uint8))
        pen, things = ImageDraw.Draw(image), []
        corners = [(x, y) for x in (2, 50) for y in (2, 50)]
        for at in rng.permutation(4)[: int(rng.integers(1, most + 1))]:
            side, cls = int(rng.integers(22, 34)), int(rng.integers(2))
            x, y = (c + int(rng.integers(0, 12)) for c in corners[at])
            shape = pen.rectangle if cls == 0 else pen.ellipse
            shape([x, y, x + side - 1, y + side - 1], fill=COLOURS[cls])
            things.append([cls, x, y, side, side])
        name = f"things-{seed}-{n:03}.png"
        image.save(folder / name)
        out[name] = sorted(things)
    return out


def write_round(
    folder: Path, pictures: Path, labeled: dict[str, Drawn], unlabeled: dict[str, Drawn],
    **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """pictures.jsonl of a round in `folder`, as the server writes it; the jobs' parameters."""
    folder.mkdir(parents=True)
    with (folder / "pictures.jsonl").open("w") as out:
        for n, (name, things) in enumerate({**labeled, **unlabeled}.items(), 1):
            known = name in labeled
            row = {
                "item_id": n, "content_hash": name, "path": str(pictures / name), "width": SIDE,
                "height": SIDE, "label": things if known else None,
                "weights": [1.0] * len(things) if known else [], "trusted": known,
                "open": not known,
            }  # fmt: skip
            out.write(json.dumps(row) + "\n")
    return {
        "round_dir": str(folder), "classes": 2, "target": 0.6, "seed": 1, "warm": None,
        "shown": [0, 1], "detector": "fcos",
        "progress": str(folder / "progress"), "threads": 2, **more,
    }  # fmt: skip
