"""Flat records: a line of a CSV or of JSON Lines, a row of Parquet. Ours, those of the labeling
service of Azure Machine Learning, and anything else that names an item and its label."""

from __future__ import annotations

from typing import Any

from chorus.server.formats.labels.drawn import Drawn
from chorus.server.formats.labels.errors import Bad
from chorus.server.formats.labels.rows import (
    LabelRow,
    VoteIn,
    first,
    hashes_of,
    kind_of,
    moment,
    names_of,
    said,
    share,
    text_hashes,
    whole,
    yes,
)

NAMES = (
    "item", "name", "path", "file_name", "filename", "file", "image", "image_url", "url", "uri",
)  # fmt: skip
TEXTS = ("text", "input")
LABELS = ("label", "labels", "class", "category", "classes", "objects")
SCORES = ("confidence", "labelconfidence", "label_confidence", "score")
LABELERS = ("labeler", "annotator", "completed_by", "worker", "user", "login", "email")


def knows(fields: set[str]) -> bool:
    """Can records with these fields (lower case) be understood?"""
    named = fields & {*NAMES, *TEXTS, "content_hash"}
    return bool(named) and bool(fields & {*LABELS, "votes", "kind"})


def row_of(record: dict[str, Any], place: str, sets: bool) -> LabelRow | None:
    """`record`: by lower-case field. None: a line that says nothing that could be brought in (an
    answer that was corrected or set aside, or one on a check). Raises `Bad`."""
    names = names_of(*(record.get(n) for n in NAMES if isinstance(record.get(n), str)))
    hashes = hashes_of(record.get("content_hash"))
    for field in TEXTS:
        if not hashes:
            hashes = text_hashes(field, record.get(field))
    if not names and not hashes:
        raise Bad("it does not say which item it is about")
    row = LabelRow(place=place, names=names, hashes=hashes)
    labeler = first(record, LABELERS)
    size = _size(record)
    if isinstance(record.get("votes"), list):
        row.votes = [v for vote in record["votes"] if (v := _vote(vote, sets)) is not None]
    elif labeler is not None or "vote_id" in record:
        vote = _vote(record | {"labeler": labeler or ""}, sets)
        if vote is None:
            return None
        row.votes = [vote]
        return row
    row.label = said(_label(record, sets), sets)
    row.score = share(first(record, SCORES))
    row.prediction = said(record.get("model"), sets)
    row.prediction_score = share(record.get("model_score"))
    for vote in row.votes:
        _on(vote.value, size)
        _on(vote.prelabel, size)
    _on(row.label, size)
    _on(row.prediction, size)
    return row


def _size(record: dict[str, Any]) -> tuple[float, float]:
    """Of the picture, as far as the record says it; Azure's has "640px" in `image_details`."""
    details = record.get("image_details")
    source = details if isinstance(details, dict) else record
    try:
        width, height = (
            float(str(source.get(side) or 0).removesuffix("px")) for side in ("width", "height")
        )
    except ValueError:
        return 0.0, 0.0
    return width, height


def _on(value: Any, size: tuple[float, float]) -> None:
    if isinstance(value, Drawn):
        value.width, value.height = size


def _label(record: dict[str, Any], sets: bool) -> Any:
    for name in LABELS:
        value = record.get(name)
        # Of a set, an empty list is an answer: none of the classes.
        if value is not None and value != "" and (sets or value != []):
            return value
    return None


def _vote(record: Any, sets: bool) -> VoteIn | None:
    if not isinstance(record, dict):
        raise Bad("a vote in it is no object")
    if not yes(record.get("standing"), True) or yes(record.get("check"), False):
        return None
    kind = kind_of(record.get("kind"))
    value = record["value"] if "value" in record else _label(record, sets)
    vote = VoteIn(
        vote_id=record["vote_id"] if isinstance(record.get("vote_id"), str) else None,
        labeler=str(record.get("labeler") or "").strip(),
        kind=kind,
        value=said(value, sets) if kind == "label" else None,
        created_at=moment(record.get("created_at")),
        duration_ms=whole(record.get("duration_ms"), "duration_ms"),
        prelabel=said(record.get("prelabel"), sets),
    )
    if kind == "label" and vote.value is None:
        raise Bad("a vote in it has no label")
    return vote
