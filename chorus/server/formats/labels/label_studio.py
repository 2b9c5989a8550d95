"""Label Studio's JSON: tasks, each with any number of people's annotations.

Of an annotation its choices count, or where labels are drawn its rectangles and polygons, which are
in percent of the picture. An annotation without any is one of a picture on which nothing is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from chorus.server.formats.labels.drawn import Drawn, ShapeIn, finite
from chorus.server.formats.labels.errors import Bad
from chorus.server.formats.labels.rows import (
    Entry,
    LabelRow,
    Problem,
    Said,
    VoteIn,
    hashes_of,
    meant,
    moment,
    names_of,
    share,
    text_hashes,
    whole,
)

_NO_CHOICES = "choices; boxes, regions and the like have none"
_NO_REGIONS = "result"
_BESIDE = ("choices", "textarea", "rating", "taxonomy")
"""Parts of a result that say something else, of a region or of the picture."""
_DATA_NAMES = ("name", "image", "url", "img", "text_url", "file_name", "path")


def looks_so(document: Any) -> bool:
    """Is this a list of tasks?"""
    return isinstance(document, list) and all(
        isinstance(task, dict) and isinstance(task.get("data"), dict) for task in document[:5]
    )


def read_tasks(document: list[Any], sets: bool, drawn: bool = False) -> Iterator[Entry]:
    """`sets`: labels are sets of classes; `drawn`: boxes or polygons."""
    for number, task in enumerate(document):
        place = f"task {number + 1}"
        try:
            yield _row(task, place, _regions if drawn else partial(_choices, sets=sets), drawn)
        except Bad as bad:
            data = task.get("data") if isinstance(task, dict) else None
            name = next((v for v in data.values() if isinstance(v, str)), "") if data else ""
            yield Problem(place=place, name=name[:200], reason=str(bad))


def _row(task: Any, place: str, answer: Callable[[Any], Said | None], drawn: bool) -> LabelRow:
    if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
        raise Bad("it has no data")
    data: dict[str, Any] = task["data"]
    hashes = hashes_of(data.get("content_hash"))
    if not hashes:
        hashes = text_hashes("text", data.get("text"))
    row = LabelRow(
        place=place, names=names_of(*(data.get(n) for n in _DATA_NAMES), task.get("file_upload")),
        hashes=hashes,
    )  # fmt: skip
    if not row.names and not row.hashes:
        raise Bad(f"its data names no file and has no text (it has {', '.join(data) or 'nothing'})")
    truths: list[Said] = []
    answers: list[Said] = []
    for annotation in task.get("annotations") or []:
        if not isinstance(annotation, dict):
            raise Bad("an annotation in it is no object")
        cancelled = bool(annotation.get("was_cancelled"))
        choices = None if cancelled else answer(annotation.get("result"))
        if choices is None and not cancelled:
            raise Bad(f"an annotation in it has no {_NO_REGIONS if drawn else _NO_CHOICES}")
        labeler = _person(annotation.get("completed_by"))
        if annotation.get("ground_truth") and choices is not None:
            truths.append(choices)
            if not labeler:
                continue  # the consensus of an export of ours: nobody's vote
        elif choices is not None:
            answers.append(choices)
        lead = annotation.get("lead_time")
        row.votes.append(
            VoteIn(
                vote_id=_id(annotation.get("unique_id")),
                labeler=labeler,
                kind="skip" if cancelled else "label",
                value=choices,
                created_at=moment(annotation.get("created_at")),
                duration_ms=None if lead is None else whole(1000 * _number(lead), "lead_time"),
            )
        )
    _agree(row, truths or answers)
    for prediction in task.get("predictions") or []:
        if isinstance(prediction, dict):
            row.prediction = answer(prediction.get("result"))
            row.prediction_score = share(prediction.get("score"))
    return row


def _agree(row: LabelRow, answers: list[Said]) -> None:
    if any(meant(answer) != meant(answers[0]) for answer in answers):
        row.unclear = "its annotations disagree; bring them in as votes"
    elif answers:
        row.label = answers[0]


def _choices(result: Any, sets: bool) -> Said | None:
    """The classes that a result names; None: it has no choices."""
    if not isinstance(result, list):
        return None
    found: list[str] = []
    there = sets and not result  # nothing ticked: none of the classes
    for part in result:
        value = part.get("value") if isinstance(part, dict) else None
        choices = value.get("choices") if isinstance(value, dict) else None
        if isinstance(choices, list):
            there = True
            found += [str(choice) for choice in choices]
    return list(dict.fromkeys(found)) if there else None


def _regions(result: Any) -> Drawn | None:
    """The rectangles and polygons of a result; None: it is no result. Raises `Bad`."""
    if not isinstance(result, list):
        return None
    drawn = Drawn(shapes=[], shares=True)
    for part in result:
        value = part.get("value") if isinstance(part, dict) else None
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(value, dict) or kind in _BESIDE:
            continue
        names = value.get(kind) if isinstance(kind, str) else None
        if kind not in ("rectanglelabels", "polygonlabels"):
            raise Bad(f"an annotation in it has a region of the type {str(kind)[:40]!r}")
        if not isinstance(names, list) or len(names) != 1:
            raise Bad(f"a region in it has {len(names) if isinstance(names, list) else 0} labels")
        drawn.shapes.append(_region(value, kind, str(names[0]), share(part.get("score"))))
    if result and not drawn.shapes:
        raise Bad("an annotation in it has neither rectangles nor polygons")
    return drawn


def _region(value: dict[str, Any], kind: str, name: str, score: float | None) -> ShapeIn:
    if kind == "polygonlabels":
        given = value.get("points")
        points = [finite(point, 2) for point in given] if isinstance(given, list) else [None]
        if None in points:
            raise Bad("a polygon in it has points that are not [x, y]")
        return ShapeIn(
            name=name, points=[(p[0] / 100, p[1] / 100) for p in points if p is not None],
            score=score,
        )  # fmt: skip
    if value.get("rotation"):
        raise Bad("a rectangle in it is turned, and boxes here are upright")
    box = finite([value.get(k) for k in ("x", "y", "width", "height")])
    if box is None:
        raise Bad("a rectangle in it lacks x, y, width or height")
    x, y, width, height = (c / 100 for c in box)
    return ShapeIn(name=name, box=(x, y, width, height), score=score)


def _person(by: Any) -> str:
    """A number, an address or an object with either."""
    if isinstance(by, dict):
        by = by.get("email") or by.get("username") or by.get("id")
    return "" if by is None else str(by).strip()


def _id(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise Bad("lead_time is no number") from None
