"""What a fine-tuning learns from: drawn from a finished round's input, kept in its own folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from chorus.server.domain.tuning import MOST, part_of

HEADER = "content_hash\tpath\tlabel\tsoft\tpart\n"


class Drawn(msgspec.Struct):
    """The items of a fine-tuning, in order of item_id."""

    labels: int
    """Labeled items there were."""
    marked: list[int]
    """Items that prove nothing of the network from here on."""
    hashes: list[str]
    """Content of those on which the outcome is judged: it has to be looked at by the new network.
    """


def draw(round_items: Path, target: Path, seed: int, original: Callable[[str], Path]) -> Drawn:
    """Write `target` (see HEADER; part: as of `domain.tuning.Part`) from a round's items.tsv.

    original: content_hash -> path of the picture.
    """
    labels = 0
    marked: list[int] = []
    hashes: list[str] = []
    taught = 0
    part_file = target.with_suffix(".tmp")
    with part_file.open("w", encoding="utf-8") as out:
        out.write(HEADER)
        for row in _rows(round_items):
            if not row["label"]:
                continue
            labels += 1
            item_id = int(row["item_id"])
            part = part_of(
                seed, item_id,
                evidence=row["trusted"] == "1" and row["survivor"] == "1",
                drawn=row["tuned"] != "0",
            )  # fmt: skip
            if part == "tune":
                taught += 1
                if taught > MOST:
                    continue
            if part != "rest":
                marked.append(item_id)
            if part != "tune":
                hashes.append(row["content_hash"])
            path = original(row["content_hash"])
            out.write(f"{row['content_hash']}\t{path}\t{row['label']}\t{row['soft']}\t{part}\n")
    os.replace(part_file, target)
    return Drawn(labels, marked, hashes)


def judged(target: Path) -> list[str]:
    """The hashes of `draw` again, from what it wrote."""
    return [row["content_hash"] for row in _rows(target) if row["part"] != "tune"]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        (header,) = islice(lines, 1)
        names = header.rstrip("\n").split("\t")
        for line in lines:
            yield dict(zip(names, line.rstrip("\n").split("\t"), strict=True))
