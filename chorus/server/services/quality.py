"""How good the work is: each person's skill, how far people agree, which classes they mix up."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from itertools import pairwise
from typing import Any

import msgspec

from chorus.server.clock import running_ms
from chorus.server.consensus.estimate import Estimate
from chorus.server.domain.interval import wilson
from chorus.server.domain.shape_changes import ShapeChanges
from chorus.server.domain.values import alike
from chorus.server.errors import ApiError
from chorus.server.matching import Score
from chorus.server.services.projects import Projects
from chorus.server.services.shape_columns import Known, ShapeColumns
from chorus.server.services.signs import signs_of
from chorus.server.services.spending import note, spending, spread_of
from chorus.server.services.vote_columns import Columns, VoteColumns
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.practice import Practised

AUDITED_MIN = 20
"""Audited answers from which on the share of wrong prelabels is worth telling."""
FRESH_MS = 2_000
"""How old an answer may be: many viewers share one computation."""
LOOK_S = 1.0
"""So long the pictures of shapes are looked at before somebody gets an answer about those so far: a
picture takes some milliseconds, the first time."""
Cells = list[tuple[int, int, int]]
"""Of one person: (label, class voted, votes); of sets and shapes, by class, see `Columns.tags`."""


class Quality:
    def __init__(self, store: Store, projects: Projects) -> None:
        self._store = store
        self._projects = projects
        self._kept: dict[str, tuple[int, dict[str, Any], dict[str, Cells]]] = {}
        self._known: dict[str, Known] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(
        self, project_id: str, user_id: str | None = None, *, complete: bool = False
    ) -> dict[str, Any]:
        """See docs/protocol.md, `quality.get`; with `user_id`, `confusion` (and `tags`) is of
        that person's votes alone. Of shapes it is about the pictures looked at so far, and goes on
        the next time; `complete`: about all of them. Raises not_found."""
        schema = self._projects.schema(project_id)
        classes = [c.name for c in schema.classes]
        whole, by_person = await self._found(project_id, classes)
        while complete and _partial(whole):
            whole, by_person = await self._found(project_id, classes)
        if user_id is None:
            return whole
        cells = by_person.get(user_id, [])
        if schema.multilabel or schema.shapes:
            return {**whole, "tags": _tags(cells or [(0, 0, 0)] * len(classes))}
        return {**whole, "confusion": _dense(cells, len(classes))}

    async def _found(
        self, project_id: str, classes: list[str]
    ) -> tuple[dict[str, Any], dict[str, Cells]]:
        """What many viewers share, for a moment."""
        async with self._locks.setdefault(project_id, asyncio.Lock()):
            kept = self._kept.get(project_id)
            if kept is None or running_ms() - kept[0] >= FRESH_MS or _partial(kept[1]):
                # On a reader's thread: it does not stop the event loop, nor the writer.
                known = self._known.setdefault(project_id, {})
                found = await self._store.read(
                    lambda tx: quality(tx, project_id, classes, known, LOOK_S)
                )
                kept = self._kept[project_id] = running_ms(), *found
        return kept[1:]


def _partial(whole: dict[str, Any]) -> bool:
    shapes = whole["shapes"]
    return shapes is not None and shapes["looked"] < shapes["pictures"]


def quality(
    tx: Tx,
    project_id: str,
    classes: list[str],
    known: Known | None = None,
    seconds: float = math.inf,
) -> tuple[dict[str, Any], dict[str, Cells]]:
    """Of shapes: known, what was found out the last time; seconds, see `ShapeColumns`."""
    project = tx.project(project_id)
    if project is None:
        raise ApiError("not_found", "no such project")
    sets = project.multilabel or project.shapes
    votes: VoteColumns | ShapeColumns
    if project.shapes:
        known = {} if known is None else known
        votes = ShapeColumns(tx, project_id, len(classes), project.iou, known, seconds)
    else:
        votes = VoteColumns(tx, project_id, len(classes), sets)
    estimate = tx.estimate(project)
    whole = {
        "method": project.consensus,
        "note": note(project, estimate),
        "model_weight": 0.0 if estimate is None else estimate.params.model_weight,
        "agreement": {"alpha": _interval(votes.alpha()), "fleiss": _interval(votes.fleiss())},
        "votes": spending(spread_of(tx, project_id), project.votes_min, project.votes_max),
        "gold": {"items": tx.count_gold(project_id), "rate": project.gold_rate},
        "labelers": _labelers(tx, project_id, votes, estimate, classes),
        "pairs": _pairs(votes),
        "confusion": None if sets else votes.confusion().tolist(),
        "tags": _tags(votes.tags().tolist()) if sets else None,
        "shapes": _shapes(tx, project_id, votes) if isinstance(votes, ShapeColumns) else None,
        "classes": classes,
    }
    cells = (lambda n: votes.tags(n).tolist()) if sets else votes.confusion_of
    return whole, {user_id: cells(n) for n, user_id in enumerate(votes.raters)}


def _dense(cells: Cells, classes: int) -> list[list[int]]:
    out = [[0] * classes for _ in range(classes)]
    for label, value, n in cells:
        out[label][value] = n
    return out


def _tags(counts: Cells) -> list[dict[str, Any]]:
    """By class: (right, wrong, missed), with how many of the ticks were right (precision) and of
    the labels found (recall); None where there were none."""

    def share(part: int, whole: int) -> float | None:
        return round(part / whole, 4) if whole else None

    return [
        {
            "right": right,
            "wrong": wrong,
            "missed": missed,
            "precision": share(right, right + wrong),
            "recall": share(right, right + missed),
        }
        for right, wrong, missed in counts
    ]


def _labelers(
    tx: Tx, project_id: str, votes: Columns, estimate: Estimate | None, classes: list[str]
) -> list[dict[str, Any]]:
    people = {m["user_id"]: m for m in tx.members(project_id)}
    speed = dict(tx.durations(project_id))
    checked = _Checks(tx, project_id)
    counts = {row[0]: row[3:] for row in tx.board_labelers(project_id)}
    practised = {p.user_id: p for p in tx.practised(project_id)}
    number = {user_id: n for n, user_id in enumerate(votes.raters)}
    audited, agreed = tx.audited(project_id, 0)
    error = 1 - agreed / audited if audited >= AUDITED_MIN else None
    agrees = votes.with_others()
    shown = {who: (int(seen), int(changed)) for who, (_, seen, changed) in counts.items()}
    said = {} if isinstance(votes, ShapeColumns) else checked.said
    hidden = audited, audited - agreed
    found = signs_of(tx, project_id, votes, said, shown, hidden, classes)
    changed_by: defaultdict[str, ShapeChanges] = defaultdict(ShapeChanges)
    for who, _, _, change in tx.shape_changes(project_id):
        changed_by[who] += change
    out = []
    for user_id in sorted(people.keys() | counts.keys() | checked.right.keys()):
        n = number.get(user_id)
        wrong, let_through = (0, 0) if n is None else votes.wrong_prelabels(n)
        skips, seen, changed = counts.get(user_id, (0, 0, 0))
        if isinstance(votes, ShapeColumns):
            expected = changed_by[user_id].shown  # the audit counts shapes, not answers
        else:
            expected = seen
        member = people.get(user_id)
        user = tx.user(user_id)
        skill = estimate.skills.get(user_id) if estimate is not None else None
        drawn = votes.scores[n] if n is not None and isinstance(votes, ShapeColumns) else None
        out.append(
            {
                "user_id": user_id,
                "name": user.name if user is not None else user_id,
                "role": member["role"] if member is not None else None,
                "paused": bool(member and member["paused"]),
                "labels": 0 if n is None else votes.answers(n),
                "skips": int(skips),
                "skill": _drawing_skill(drawn)
                if skill is None
                else {"value": skill.value, "low": skill.low, "high": skill.high},
                "agreement": None if n is None else _finite(agrees[n]),
                "seconds": None if user_id not in speed else round(speed[user_id] / 1000, 2),
                "prelabels_seen": int(seen),
                "prelabels_changed": int(changed),
                # The blind audit says how many were wrong whoever saw them.
                "prelabels_wrong_expected": None if error is None else round(expected * error, 1),
                "wrong_prelabels": wrong,
                "wrong_let_through": let_through,
                "gold": _share(checked.right.get(user_id, [])),
                "self_consistency": _share(checked.same.get(user_id, [])),
                "practice": _practice(practised.get(user_id)),
                "signs": [{"kind": s.kind, "text": s.text} for s in found.get(user_id, ())],
                "shapes": None if drawn is None else _drawing(drawn, changed_by[user_id]),
            }
        )
    return sorted(out, key=lambda person: (-person["labels"], person["name"]))


def _drawing_skill(drawn: Score | None) -> dict[str, float | None] | None:
    """Of all shapes that they or the label have, the share that both have, with Wilson's interval
    as if each shape were drawn for itself; None: no label can judge them."""
    if drawn is None or not (n := drawn.right + drawn.false + drawn.missed):
        return None
    low, high = wilson(drawn.right, n)
    return {"value": _finite(drawn.right / n), "low": _finite(low), "high": _finite(high)}


def _drawing(drawn: Score, changed: ShapeChanges) -> dict[str, Any]:
    """Somebody's shapes beside the labels, and what they did with the model's."""

    def share(whole: int) -> float | None:
        return round(drawn.right / whole, 4) if whole else None

    return {
        "right": drawn.right,
        "false": drawn.false,
        "missed": drawn.missed,
        "precision": share(drawn.right + drawn.false),
        "recall": share(drawn.right + drawn.missed),
        "iou": round(drawn.overlap / drawn.right, 4) if drawn.right else None,
        "changes": msgspec.to_builtins(changed),
    }


def _shapes(tx: Tx, project_id: str, votes: ShapeColumns) -> dict[str, Any]:
    rounds: defaultdict[int, tuple[int, ShapeChanges]] = defaultdict(lambda: (0, ShapeChanges()))
    for _, number, answers, changed in tx.shape_changes(project_id):
        n, so_far = rounds[number or 0]
        rounds[number or 0] = n + answers, so_far + changed
    return {
        "looked": votes.looked,
        "pictures": votes.pictures,
        "f1": None if votes.f1 is None else round(votes.f1, 4),
        "confusion": votes.confusion().tolist(),
        "rounds": [
            {"round": number, "answers": n, **msgspec.to_builtins(changed)}
            for number, (n, changed) in sorted(rounds.items())
        ],
    }


def _practice(done: Practised | None) -> dict[str, Any] | None:
    return None if done is None else {
        "run": done.run,
        "finished_at": done.finished_at,
        "answered": done.answered,
        "judged": done.judged,
        "right": done.right,
    }  # fmt: skip


class _Checks:
    """Answers on checks, by person: was each right, and was it the answer they gave before?

    Only blind checks count here. Votes on an item that became gold later are no test: the easier
    it was, the likelier somebody made it gold.
    """

    def __init__(self, tx: Tx, project_id: str) -> None:
        self.right: dict[str, list[bool]] = defaultdict(list)
        self.same: dict[str, list[bool]] = defaultdict(list)
        self.said: dict[str, list[tuple[str, str]]] = defaultdict(list)
        """(what they said, what is so)."""
        said: dict[tuple[int, str], list[tuple[int, str]]] = defaultdict(list)
        for item_id, user_id, seq, value in tx.first_answers(project_id):
            said[item_id, user_id].append((seq, value))
        for item_id, user_id, seq, given, truth in tx.check_answers(project_id):
            said[item_id, user_id].append((seq, given or ""))
            if truth is not None:
                self.right[user_id].append(alike(given, truth))
                if given is not None:  # a skip is no answer
                    self.said[user_id].append((given, truth))
        for (_, user_id), answers in said.items():
            ordered = [value for _, value in sorted(answers)]
            self.same[user_id] += [alike(a, b) for a, b in pairwise(ordered)]


def _share(outcomes: list[bool]) -> dict[str, Any] | None:
    """A share with Wilson's score interval (1927), 95 %; None without any outcome."""
    n = len(outcomes)
    if not n:
        return None
    right = sum(outcomes)
    low, high = wilson(right, n)
    return {"n": n, "value": _finite(right / n), "low": _finite(low), "high": _finite(high)}


def _pairs(votes: Columns) -> dict[str, Any]:
    """Cohen's kappa of every two labelers who have answered the same items."""
    kappa, shared = votes.kappa()
    return {
        "raters": votes.raters,
        "kappa": [[_finite(k) for k in row] for row in kappa],
        "shared": shared.tolist(),
    }


def _interval(found: Any) -> dict[str, float | None]:
    return {name: _finite(getattr(found, name)) for name in ("value", "low", "high")}


def _finite(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None
