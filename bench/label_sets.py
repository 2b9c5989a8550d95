"""`python -m bench.label_sets`: label sets by majority and by `auto`, drawn votes of known truth.

People overlook classes that are there and invent some that are not; a class may be hard for
everybody, or a person weak in some classes. Every item gets three votes; with stopping they are
taken one by one until the item is decided.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from chorus.server.consensus.decide_sets import SetWitness, decide_sets
from chorus.server.consensus.estimate import Estimate
from chorus.server.consensus.live import Params
from chorus.server.consensus.merged import Merged
from chorus.server.consensus.sets import merge_sets
from chorus.server.domain.values import canonical
from chorus.server.jobs.estimate import estimate

COMMON = (0.3, 0.4, 0.25, 0.2, 0.35, 0.015)
"""How common the classes are."""
INVENTS = 0.02
VOTES, TARGET, SEEDS = 3, 0.95, 10
Votes = list[list[tuple[str, str]]]
"""By item: (person, canonical set) in the order cast."""


class Crowd(NamedTuple):
    name: str
    misses: tuple[float, ...]
    """By person: how often they overlook a class."""
    hard: tuple[float, ...] = (1,) * len(COMMON)
    """By class: how many times as often everybody does."""
    uneven: bool = False
    """Every person overlooks some classes 0.2 and some 4 times as often."""


CROWDS = (
    Crowd("5 to 20 %, one 60 %", (0.05, 0.1, 0.1, 0.15, 0.2, 0.6)),
    Crowd("5 to 20 %", (0.05, 0.1, 0.1, 0.15, 0.2, 0.2)),
    Crowd("10 %, all", (0.1,) * 6),
    Crowd("5 to 20 %, one class 4 times", (0.05, 0.1, 0.1, 0.15, 0.2, 0.2), (1, 1, 1, 1, 4, 1)),
    Crowd("5 to 20 %, by person and class", (0.05, 0.1, 0.1, 0.15, 0.2, 0.2), uneven=True),
)


def draw(crowd: Crowd, items: int, seed: int) -> tuple[list[str], Votes]:
    """(the truth of each item, its votes)."""
    chance = np.random.default_rng(seed)
    classes, people = len(COMMON), len(crowd.misses)
    truth = chance.random((items, classes)) < np.array(COMMON)
    misses = np.array(crowd.misses)[:, None] * np.array(crowd.hard)[None]
    if crowd.uneven:
        misses = misses * chance.choice([0.2, 1, 4], (people, classes))
    misses = np.minimum(misses, 0.9)
    votes: Votes = []
    for n in range(items):
        given = []
        for who in chance.permutation(people)[:VOTES]:
            missed = chance.random(classes) < misses[who]
            invented = chance.random(classes) < INVENTS
            said = np.where(truth[n], ~missed, invented)
            given.append((f"u{who}", canonical(np.flatnonzero(said).tolist())))
        votes.append(given)
    return [canonical(np.flatnonzero(row).tolist()) for row in truth], votes


def known(votes: Votes) -> Params:
    """What the estimating job finds."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        rows = [f"{n}\t{who}\t{v}\t\n" for n, given in enumerate(votes) for who, v in given]
        (place / "votes.tsv").write_text("".join(rows))
        for name in ("checks.tsv", "model.tsv", "gold.tsv"):
            (place / name).write_text("")
        rules = {"classes": len(COMMON), "method": "auto", "sets": True}
        (place / "rules.json").write_bytes(msgspec.json.encode(rules))
        return msgspec.convert(estimate({"folder": folder}), Estimate).params


def merged(given: list[tuple[str, str]], params: Params | None, least: int) -> Merged:
    """`params` None: by majority."""
    if params is None:
        values = [value for _, value in given]
        return merge_sets(values, rule="class", votes_min=least, votes_max=VOTES)
    witnesses = [SetWitness(who, value) for who, value in given]
    return decide_sets(params, witnesses, votes_min=least, votes_max=VOTES, target=TARGET)


def judge(truth: list[str], votes: Votes, params: Params | None, least: int) -> list[float]:
    """[share of sets right by all votes, the same with stopping, votes per item then]."""
    right = stopped = spent = 0
    for true, given in zip(truth, votes, strict=True):
        right += merged(given, params, least).value == true
        for n in range(1, len(given) + 1):
            found = merged(given[:n], params, least)
            if found.reached:
                break
        spent += n
        stopped += found.value == true
    return [count / len(votes) for count in (right, stopped, spent)]


def main() -> None:
    print("| people overlook | items | majority | auto | majority, stopping | auto, stopping |")
    print("|---|---|---|---|---|---|")
    for crowd in CROWDS:
        for items in (150, 500, 2000):
            figures = []
            for seed in range(SEEDS):
                truth, votes = draw(crowd, items, seed)
                majority = judge(truth, votes, None, 2)
                figures.append(majority + judge(truth, votes, known(votes), 1))
            m, ms, mv, a, as_, av = np.mean(figures, axis=0)
            print(
                f"| {crowd.name} | {items:,} | {m:.4f} | {a:.4f} | {ms:.4f} ({mv:.2f})"
                f" | {as_:.4f} ({av:.2f}) |",
                flush=True,
            )


if __name__ == "__main__":
    main()
