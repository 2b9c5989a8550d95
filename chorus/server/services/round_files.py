"""What a round's jobs read and write on disk: tab-separated files, one folder per round."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from chorus.server.consensus.decide import belief
from chorus.server.consensus.decide_sets import belief_sets
from chorus.server.consensus.live import Params
from chorus.server.consensus.sets import shares
from chorus.server.domain.model import OPEN_STATES, Project, StandingVote
from chorus.server.services.recording import set_witnesses_of, witnesses_of
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.rounds import RoundRow, ShapeRow

HEADER = "item_id\tcontent_hash\tlabel\tsoft\ttrusted\tsurvivor\topen\tfresh\ttuned\n"
CHUNK = 5000
SCORED_STATES = (*OPEN_STATES, "needs_review")
"""Whoever reviews a dispute sees what the model says, too."""


class Prediction(msgspec.Struct):
    """The model's answer for one item: canonical value, calibrated chance that it is right."""

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
    """Write the model's input; returns the number of rows it learns from.

    Those are the labeled items and, where skills decide how many votes an item needs, the items
    that wait for more votes: they are the difficult ones, and a model taught and tested on the
    others alone would be sure of itself for no reason. Their label is the best guess so far.
    Targets are soft where people disagree or one vote proves little, by people's votes alone: a
    model must not learn from itself. Of label sets, soft is by class how likely it
    is there (or the share of votes that have it); what is missing is unlikely.

    trusted: a label of people none of whom saw a prelabel (since the model's last broken promise),
    on an item that was drawn at random.
    survivor: no earlier round's threshold would have prelabeled it, so it stands for what is still
    open. open: to be scored. fresh: nobody has it or has had it; may be chosen to be labeled next.
    tuned: the fine-tuning that first learned from it, 0: none.
    """
    project = tx.project(project_id)
    assert project is not None
    params = tx.params(project) if project.weighs else None
    labeled = 0
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="ascii") as out:
        out.write(HEADER)
        after = 0
        while rows := tx.round_rows(project_id, after, CHUNK):
            after = rows[-1].item_id
            standing: Mapping[int, Sequence[StandingVote]] = {}
            if params is not None:
                standing = tx.standing_between(project_id, rows[0].item_id, rows[-1].item_id)
            for row in rows:
                label, soft = row.label, ""
                waits = False
                doubted = row.doubted is not None and row.state == "in_progress"
                if doubted and params is None:
                    # Without it the model would be tested on what it does not contradict.
                    waits, label = True, row.provisional
                elif params is not None:
                    votes = standing.get(row.item_id, ())
                    waits = row.state == "in_progress" and row.n_labels >= project.votes_min
                    if waits:
                        label = row.provisional
                    if votes and (waits or row.label_source == "votes"):
                        soft = _belief(params, votes, project.multilabel)
                elif row.label_source == "votes" and (row.agreement or 0) < 1:
                    shared = shares(tx.vote_shares(row.item_id))
                    soft = ",".join(f"{c}:{share:.4f}" for c, share in shared.items())
                labeled += label is not None
                out.write(
                    f"{row.item_id}\t{row.content_hash}\t{'' if label is None else label}\t{soft}"
                    f"\t{int(label is not None and is_trusted(row, project))}"
                    f"\t{int(row.easy_round == 0)}"
                    f"\t{int(row.state in SCORED_STATES and not waits)}"
                    f"\t{int(row.state == 'unlabeled')}\t{row.tuned}\n"
                )
    os.replace(temporary, path)
    return labeled


def is_trusted(row: RoundRow | ShapeRow, project: Project) -> bool:
    """Nobody saw what the model says, chance has brought the item and no choice of the model's,
    and the label is neither brought in from outside nor from before a broken promise."""
    return row.n_prelabel_votes == 0 and by_chance(row, project)


def by_chance(row: RoundRow | ShapeRow, project: Project) -> bool:
    """As `is_trusted`, whatever people saw."""
    since = project.evidence_since
    decided = row.label_source == "review" and row.decision != "import"
    if decided and (row.n_labels == 0 or since):
        # Whoever decides has the model's answer on the screen, and may have looked for it. What a
        # dispute came to counts all the same, or the evidence would be of easy items only; but not
        # after a broken promise: when people gave these votes is not known here.
        return False
    return row.outside == 0 and row.chosen == 0 and (row.label_at or 0) >= since


def _belief(params: Params, votes: Sequence[StandingVote], multilabel: bool) -> str:
    """What people's label votes say of an item, without the model: "class:probability,…"."""
    labels = [v for v in votes if v.kind == "label"]
    if multilabel:
        chances = belief_sets(params, set_witnesses_of(labels))
    else:
        chances = dict(enumerate(belief(params, witnesses_of(labels), None)))
    return ",".join(f"{c}:{p:.4f}" for c, p in chances.items() if p >= 5e-4)


def write_feature_items(hashes: Sequence[str], original: Callable[[str], Path], path: Path) -> None:
    """Pictures by content hash and path, which `original` knows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(f"{h}\t{original(h)}\n" for h in hashes), encoding="utf-8")
    os.replace(temporary, path)


def read_card(round_dir: Path) -> dict[str, Any]:
    card = json.loads((round_dir / "card.json").read_text("utf-8"))
    assert isinstance(card, dict)
    return card


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.exists():
        with path.open(encoding="ascii") as lines:
            names = next(lines).rstrip("\n").split("\t")
            for line in lines:
                # Half a million of them: csv.DictReader takes four times as long.
                yield dict(zip(names, line.rstrip("\n").split("\t"), strict=True))


def read_predictions(path: Path) -> dict[int, Prediction]:
    return {
        int(r["item_id"]): Prediction(r["value"], float(r["score"]), r["probs"])
        for r in _rows(path)
    }


def read_clusters(path: Path) -> dict[int, Place]:
    return {
        int(r["item_id"]): Place(int(r["block"]), int(r["pos"]), float(r["odd"]))
        for r in _rows(path)
    }


def read_numbers(path: Path, column: str) -> list[int]:
    """A column of whole numbers, in the file's order; none if there is no file."""
    return [int(r[column]) for r in _rows(path)]
