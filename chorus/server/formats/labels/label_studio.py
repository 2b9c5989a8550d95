"""Label Studio's JSON: tasks, each with any number of people's annotations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chorus.server.formats.labels.rows import (
    Bad,
    Entry,
    LabelRow,
    Problem,
    Said,
    VoteIn,
    hashes_of,
    moment,
    names_of,
    share,
    text_hashes,
    whole,
)

_DATA_NAMES = ("name", "image", "url", "img", "text_url", "file_name", "path")


def looks_so(document: Any) -> bool:
    """Is this a list of tasks?"""
    return isinstance(document, list) and all(
        isinstance(task, dict) and isinstance(task.get("data"), dict) for task in document[:5]
    )


def read_tasks(document: list[Any], sets: bool) -> Iterator[Entry]:
    for number, task in enumerate(document):
        place = f"task {number + 1}"
        try:
            yield _row(task, place, sets)
        except Bad as bad:
            data = task.get("data") if isinstance(task, dict) else None
            name = next((v for v in data.values() if isinstance(v, str)), "") if data else ""
            yield Problem(place=place, name=name[:200], reason=str(bad))


def _row(task: Any, place: str, sets: bool) -> LabelRow:
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
        choices = None if cancelled else _choices(annotation.get("result"), sets)
        if choices is None and not cancelled:
            raise Bad("an annotation in it has no choices; boxes, regions and the like have none")
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
            row.prediction = _choices(prediction.get("result"), sets)
            row.prediction_score = share(prediction.get("score"))
    return row


def _agree(row: LabelRow, answers: list[Said]) -> None:
    different = {tuple(sorted(answer)) for answer in answers}
    if len(different) > 1:
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
