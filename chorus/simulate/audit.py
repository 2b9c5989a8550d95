"""What the server has stored, judged from its public exports."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from chorus.client import Rest
from chorus.simulate.answers import Truth
from chorus.simulate.labels import cell, majority, micro_f1, tags


class VoteRow(Struct):
    """One row of `votes.csv`."""

    vote_id: str
    item_id: int
    item: str
    labeler: str
    kind: str
    label: str | None
    """None: no label."""
    standing: bool


class ItemRow(Struct):
    """One row of `export.csv`; `label` and `provisional` are None where there is none."""

    name: str
    state: str
    label: str | None
    provisional: str | None
    item_id: int = 0
    second_look: bool = False
    """The model contradicted its only vote: the rules ask for one or two more."""


class Integrity(Struct):
    stored: int
    standing_labels: int
    lost: int
    """Acknowledged by the server, but not in the export."""
    duplicate: int
    """A vote_id stored twice, or a second standing vote of one person on one item."""
    over: int
    """Standing labels on items that by the rules needed no more when they were given."""


async def votes(rest: Rest, project_id: str, multilabel: bool = False) -> list[VoteRow]:
    """All stored votes; by item, then in the order they were cast. Of label sets, labels are as
    in `labels.joined`."""
    text = await rest.export(project_id, "votes.csv")
    return [
        VoteRow(
            vote_id=row["vote_id"],
            item_id=int(row["item_id"]),
            item=_cell(row["item"]),
            labeler=row["labeler"],
            kind=row["kind"],
            label=cell(_cell(row["label"]), multilabel),
            standing=row["standing"].strip().lower() in ("1", "true"),
        )
        for row in csv.DictReader(io.StringIO(text, newline=""))
    ]


async def items(rest: Rest, project_id: str, multilabel: bool = False) -> list[ItemRow]:
    text = await rest.export(project_id, "export.csv")
    return [
        ItemRow(
            _cell(row["item"]),
            row["state"],
            cell(_cell(row["label"]), multilabel),
            cell(_cell(row["provisional"]), multilabel),
            int(row["item_id"]),
            row["second_look"] == "1",
        )
        for row in csv.DictReader(io.StringIO(text, newline=""))
    ]


async def names(rest: Rest, project_id: str) -> list[str]:
    """What the items are called."""
    text = await rest.export(project_id, "export.csv")
    return [_cell(row["item"]) for row in csv.DictReader(io.StringIO(text, newline=""))]


def _cell(text: str) -> str:
    """A text cell without the ' that exports put before what a spreadsheet would run."""
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@") else text


def check(
    rows: Iterable[VoteRow],
    acked: Collection[str],
    votes_min: int,
    votes_max: int,
    consensus: str = "majority",
    looked_again: Collection[int] = (),
) -> Integrity:
    """Compare the stored votes with what was acknowledged and with the rules. looked_again: items
    that a second person was asked about."""
    rows = list(rows)
    ids = Counter(row.vote_id for row in rows)
    standing = [row for row in rows if row.standing]
    pairs = Counter((row.item_id, row.labeler) for row in standing)
    return Integrity(
        stored=len(rows),
        standing_labels=sum(row.kind == "label" for row in standing),
        lost=sum(vote_id not in ids for vote_id in acked),
        duplicate=sum(n - 1 for n in ids.values()) + sum(n - 1 for n in pairs.values()),
        over=over_votes(standing, votes_min, votes_max, consensus, looked_again),
    )


def over_votes(
    standing: Iterable[VoteRow], votes_min: int, votes_max: int, consensus: str = "majority",
    looked_again: Collection[int] = (),
) -> int:  # fmt: skip
    """Labels beyond what the rules allowed, replayed in the order they were cast.

    One more label is allowed while there are fewer than `votes_min`, or fewer than `votes_max`
    and no label has more than half of them (`consensus` "by_class", of label sets: one of the
    classes has exactly half). Methods that weigh people may ask for
    `votes_max` labels whatever those say (what was known of people then is in no export), so
    for them only what exceeds that is too much. An item that is `looked_again` at may have two,
    and a third where those differ.
    """
    given: dict[int, list[str]] = {}
    over = 0
    for row in standing:
        if row.kind != "label" or row.label is None:
            continue
        votes = given.setdefault(row.item_id, [])
        n = len(votes)
        again = row.item_id in looked_again
        least, most = (max(2, votes_min), max(3, votes_max)) if again else (votes_min, votes_max)
        over += n >= most or (n >= least and _decided(votes, consensus))
        votes.append(row.label)
    return over


def _decided(votes: Sequence[str], consensus: str) -> bool:
    """By the votes alone, in a project whose votes all count the same."""
    if consensus == "by_class":
        ticks = Counter(c for vote in votes for c in tags(vote))
        return all(2 * n != len(votes) for n in ticks.values())
    return consensus == "majority" and 2 * max(map(votes.count, votes)) > len(votes)


def accuracy(rows: Iterable[ItemRow], truth: Truth) -> tuple[float | None, float | None]:
    """(share of labeled items that are right, the same over all items with a gold answer).

    In the second, items in review count with their provisional label, open ones as wrong.
    """
    labeled = right = known = right_all = 0
    for row in rows:
        gold = truth.get(row.name)
        if gold is None or row.state == "removed":
            continue
        known += 1
        if row.state == "labeled":
            labeled += 1
            right += row.label == gold
            right_all += row.label == gold
        elif row.state == "needs_review":
            right_all += row.provisional == gold
    return (right / labeled if labeled else None, right_all / known if known else None)


def second_looks(rows: Iterable[VoteRow], items: Iterable[ItemRow]) -> dict[str, int]:
    """Items that others were asked about because the model contradicted their only vote, and those
    of them whose label is another one now."""
    again = {item.item_id: item for item in items if item.second_look}
    first: dict[int, str | None] = {}
    for row in rows:
        if row.standing and row.kind == "label" and row.item_id in again:
            first.setdefault(row.item_id, row.label)
    changed = sum(
        item.state == "labeled" and item.label != first.get(item_id)
        for item_id, item in again.items()
    )
    return {"items": len(again), "changed": changed}


def tags_f1(rows: Iterable[ItemRow], truth: Truth) -> float | None:
    """F1 of the classes of labeled items' sets, micro-averaged."""
    return micro_f1(
        (row.label, gold)
        for row in rows
        if row.state == "labeled"
        and row.label is not None
        and (gold := truth.get(row.name)) is not None
    )


def majority_accuracy(
    rows: Iterable[VoteRow], truth: Truth, multilabel: bool = False
) -> float | None:
    """Share of items with votes whose most common vote (of label sets: class by class) is right;
    among equals the one cast first.

    What the same votes are worth when everybody counts the same.
    """
    votes: dict[str, list[str]] = {}
    for row in rows:
        if row.standing and row.kind == "label" and row.label is not None:
            votes.setdefault(row.item, []).append(row.label)
    judged = [
        majority(given, multilabel) == gold
        for name, given in votes.items()
        if (gold := truth.get(name)) is not None
    ]
    return sum(judged) / len(judged) if judged else None


def labelers(
    rows: Iterable[VoteRow], truth: Truth, quality: dict[str, Any], logins: Mapping[str, str]
) -> list[dict[str, Any]]:
    """By person: votes, the share that is right by gold, and the skill that Chorus estimates of
    the votes alone (value, 95 % interval; None before the first estimate). `logins`: user_id ->
    login, by which votes are exported."""
    right: dict[str, list[bool]] = {}
    for row in rows:
        gold = truth.get(row.item)
        if row.standing and row.kind == "label" and gold is not None:
            right.setdefault(row.labeler, []).append(row.label == gold)
    out = []
    for person in quality["labelers"]:
        if person["role"] != "labeler":
            continue
        hits, skill = right.get(logins.get(person["user_id"], ""), []), person["skill"] or {}
        out.append(
            {
                "name": person["name"],
                "votes": len(hits),
                "right": round(sum(hits) / len(hits), 4) if hits else None,
                "skill": skill.get("value"),
                "skill_low": skill.get("low"),
                "skill_high": skill.get("high"),
            }
        )
    return sorted(out, key=lambda person: -(person["right"] or 0.0))
