"""A simulation where people draw boxes: what is counted meanwhile, and what the report says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chorus.client.messages import Page, PageItem, Stats
from chorus.simulate.audit import ItemRow, VoteRow
from chorus.simulate.boxes import (
    PICTURE_F1,
    Box,
    GoldBoxes,
    Score,
    is_right,
    map50,
    of_cell,
    of_wire,
    to_wire,
)
from chorus.simulate.drawing import Drawers, Habits
from chorus.simulate.options import Options
from chorus.simulate.person import Given
from chorus.simulate.tally import Tally

Pictures = list[tuple[list[Box], tuple[Box, ...]]]
"""(found, gold) of each."""
CHANGES = ("kept", "adjusted", "reclassed", "deleted", "drawn", "followed")


class BoxWork:
    """What all people do, and what comes of it."""

    def __init__(self, gold: GoldBoxes, options: Options, tally: Tally) -> None:
        self._gold = gold
        self._tally = tally
        habits = Habits(
            jitter=options.jitter, miss=options.miss, false_boxes=options.false_boxes,
            confuse=options.confuse, keep=options.keep_iou, follow=options.follow,
        )  # fmt: skip
        self._drawers = Drawers(gold, habits, options.seed)
        self._actions: Counter[str] = Counter()
        self._images: Counter[str] = Counter()
        """By kind of work: "manual", or "prelabeled" where boxes were predicted."""
        self._given = 0
        """Boxes in answers."""
        self._predicted = Score()
        self._changes: Counter[str] = Counter()
        self._by_round: dict[int, Pictures] = {}

    # -- while people work

    def knows(self, name: str) -> bool:
        """Is it known what is on this picture?"""
        return self._gold.get(name) is not None

    def answer(self, person: int, page: Page, items: Sequence[PageItem]) -> list[Given]:
        return [self._one(person, page, item) for item in items]

    def _one(self, person: int, page: Page, item: PageItem) -> Given:
        boxes = None if item.prelabel is None else item.prelabel.boxes
        shown = None if boxes is None else of_wire({"boxes": boxes})
        work = self._drawers.work(person, item.name, shown)
        kind = "manual" if shown is None else "prelabeled"
        self._images[kind] += 1
        cost = 1 if work is None else work.actions
        self._actions[kind] += cost
        self._tally.actions += cost
        if work is None:
            return Given(item, None)
        self._given += len(work.boxes)
        if shown is not None:
            self._judge(page, item, shown)
            self._changes.update({name: getattr(work, name) for name in CHANGES})
        return Given(item, to_wire(work.boxes))

    def _judge(self, page: Page, item: PageItem, shown: list[Box]) -> None:
        picture = self._gold.get(item.name)
        if picture is None:
            return
        self._predicted.add(shown, picture.boxes)
        self._tally.prelabels_shown = self._predicted.found
        self._tally.prelabels_correct = self._predicted.right
        if page.round is not None:
            self._by_round.setdefault(page.round, []).append((shown, picture.boxes))

    # -- afterwards

    def report(
        self, whole: dict[str, Any], stats: Stats, items: Iterable[ItemRow],
        rows: Iterable[VoteRow], quality: Mapping[str, Any], logins: Mapping[str, str],
    ) -> dict[str, Any]:  # fmt: skip
        """`whole` (see `tally.report`) with what boxes have of their own.

        `accuracy`: labeled pictures whose boxes have an F1 of at least 0.9 against gold; a box is
        right that overlaps one of its class by 0.5. `f1`, `map50`: of what people's votes add up to
        on all pictures, those in review with what most drew; `f1_labeled`: of the settled ones.
        `person_f1`: of single votes. `prelabels`: boxes shown, `images` they were on, `accuracy`
        and `precision` are the same; what was done to them; `saved`: by what share fewer actions a
        picture with them took than one without. `rounds`: `map50` as the round's
        card says, `real_map50` and `real_accuracy` (precision) of the boxes that people were shown
        of that round, which are those above its thresholds.
        """
        settled, judged = self._judged(items)
        labeled, everything = Score(), Score()
        for state, found, gold in settled:
            everything.add(found, gold)
            if state == "labeled":
                labeled.add(found, gold)
        right = [state == "labeled" and is_right(found, gold) for state, found, gold in settled]
        n_labeled = sum(state == "labeled" for state, _, _ in settled)
        right_all = sum(is_right(found, gold) for _, found, gold in settled)
        single, people = self._people(rows)
        votes = sum(self._images.values())
        each = {k: _share(self._actions[k], self._images[k]) for k in ("manual", "prelabeled")}
        actions = self._tally.actions
        return whole | {
            "accuracy": _share(sum(right), n_labeled),
            "accuracy_all": _share(right_all, judged),
            "prelabels": whole["prelabels"]
            | {
                "images": self._images["prelabeled"],
                "share": _share(self._images["prelabeled"], votes),
                "precision": _round(self._predicted.precision),
                "recall": _round(self._predicted.recall),
                "actions_per_image": each,
                "saved": _saved(each["prelabeled"], each["manual"]),
                **{name: self._changes[name] for name in CHANGES},
            },
            "rounds": [
                one | self._round(record.number, record.model_accuracy)
                for one, record in zip(whole["rounds"], stats.assist.rounds, strict=True)
            ],
            "labelers": by_person(quality, people, logins),
            "map50": _round(map50([(f, g) for _, f, g in settled], self._gold.classes)),
            "f1": _round(everything.f1),
            "f1_labeled": _round(labeled.f1),
            "person_f1": _round(single.f1),
            "boxes": everything.found,
            "boxes_gold": everything.there,
            "boxes_drawn": self._given,
            "actions_per_image": _share(actions, votes),
            "actions_per_box": _share(actions, self._given),
        }

    def _judged(
        self, items: Iterable[ItemRow]
    ) -> tuple[list[tuple[str, list[Box], tuple[Box, ...]]], int]:
        """((state, boxes, gold) of every picture that has boxes, pictures with gold)."""
        out, known = [], 0
        for row in items:
            picture = self._gold.get(row.name)
            if picture is None or row.state == "removed":
                continue
            known += 1
            found = of_cell(row.label if row.state == "labeled" else row.provisional)
            if found is not None:
                out.append((row.state, found, picture.boxes))
        return out, known

    def _people(self, rows: Iterable[VoteRow]) -> tuple[Score, dict[str, list[Score]]]:
        """(all standing votes against gold, by login each picture's)."""
        whole = Score()
        people: dict[str, list[Score]] = {}
        for row in rows:
            picture = self._gold.get(row.item)
            drawn = of_cell(row.label)
            if row.standing and row.kind == "label" and drawn is not None and picture is not None:
                one = whole.add(drawn, picture.boxes)
                people.setdefault(row.labeler, []).append(one)
        return whole, people

    def _round(self, number: int, card: float | None) -> dict[str, Any]:
        shown = self._by_round.get(number)
        real = Score()
        for found, gold in shown or ():
            real.add(found, gold)
        return {
            "map50": _round(card),
            "real_map50": _round(map50(shown, self._gold.classes)) if shown else None,
            "real_accuracy": _round(real.precision),
        }


def by_person(
    quality: Mapping[str, Any], people: Mapping[str, list[Score]], logins: Mapping[str, str]
) -> list[dict[str, Any]]:
    """By person: votes, the share of right pictures, F1, and what Chorus says of their skill.
    `logins`: user_id -> login, by which votes are exported."""
    out = []
    for person in quality["labelers"]:
        if person["role"] != "labeler":
            continue
        scores, skill = people.get(logins.get(person["user_id"], ""), []), person["skill"] or {}
        whole = Score()
        for one in scores:
            whole.right += one.right
            whole.found += one.found
            whole.there += one.there
        out.append(
            {
                "name": person["name"],
                "votes": len(scores),
                "right": _share(sum(f1 is None or f1 >= PICTURE_F1 for f1 in
                                (one.f1 for one in scores)), len(scores)),
                "f1": _round(whole.f1),
                "skill": skill.get("value"),
                "skill_low": skill.get("low"),
                "skill_high": skill.get("high"),
            }
        )  # fmt: skip
    return sorted(out, key=lambda person: -(person["f1"] or 0.0))


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def _saved(helped: float | None, alone: float | None) -> float | None:
    """Share of the actions on a picture that predicted boxes save; None without either kind."""
    return None if helped is None or not alone else round(1 - helped / alone, 4)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
