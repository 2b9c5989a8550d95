"""What a round's jobs read and write on disk: tab-separated files, one folder per round."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from chorus.server.domain.model import OPEN_STATES
from chorus.server.storage.tx import Tx

HEADER = "item_id\tcontent_hash\tlabel\tsoft\ttrusted\tsurvivor\topen\n"
CHUNK = 5000
SCORED_STATES = (*OPEN_STATES, "needs_review")
"""Whoever reviews a dispute sees what the model says, too."""


class Prediction(msgspec.Struct):
    """The model's answer for one item: class index as stored, calibrated score 0..1."""

    value: str
    score: float
    probs: str | None = None
    """The likeliest classes (see domain/probs)."""


class Place(msgspec.Struct):
    """An open item's place in the clusters: block, position in it, how odd (0..1)."""

    block: int
    pos: int
    odd: float


def write_items(tx: Tx, project_id: str, path: Path) -> int:
    """Write the model's input; returns the number of labeled rows.

    trusted: a label of people none of whom saw a prelabel. survivor: no earlier round's
    threshold would have prelabeled it, so it stands for what is still open.
    """
    labeled = 0
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="ascii") as out:
        out.write(HEADER)
        after = 0
        while rows := tx.round_rows(project_id, after, CHUNK):
            after = rows[-1][0]
            for item_id, content, state, label, n_labels, agreement, seen, easy in rows:
                soft = ""
                if label is not None:
                    labeled += 1
                    if n_labels > 1 and agreement is not None and agreement < 1:
                        shares = tx.vote_shares(item_id)
                        total = sum(n for _, n in shares)
                        soft = ",".join(f"{value}:{n / total:.4f}" for value, n in shares)
                out.write(
                    f"{item_id}\t{content}\t{'' if label is None else label}\t{soft}"
                    f"\t{int(label is not None and seen == 0)}\t{int(easy == 0)}"
                    f"\t{int(state in SCORED_STATES)}\n"
                )
    os.replace(temporary, path)
    return labeled


def write_feature_items(rows: list[tuple[str, str]], path: Path) -> None:
    """rows: (content_hash, path of the picture)."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(f"{h}\t{p}\n" for h, p in rows), encoding="utf-8")
    os.replace(temporary, path)


def read_card(round_dir: Path) -> dict[str, Any]:
    card = json.loads((round_dir / "card.json").read_text("utf-8"))
    assert isinstance(card, dict)
    return card


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.exists():
        with path.open(encoding="ascii", newline="") as lines:
            yield from csv.DictReader(lines, delimiter="\t")


def read_predictions(path: Path) -> dict[int, Prediction]:
    return {
        int(r["item_id"]): Prediction(str(int(r["class"])), float(r["score"]), r["probs"])
        for r in _rows(path)
    }


def read_clusters(path: Path) -> dict[int, Place]:
    return {
        int(r["item_id"]): Place(int(r["block"]), int(r["pos"]), float(r["odd"]))
        for r in _rows(path)
    }
