"""COCO: categories, images and annotations. Of an annotation only its class counts, so boxes may be
anything, as in the exports of the Azure Machine Learning labeling service, whose boxes are shares
of the picture and whose pictures are 0 by 0."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from chorus.server.formats.labels.rows import (
    Bad,
    BadLabels,
    Entry,
    LabelRow,
    Problem,
    VoteIn,
    hashes_of,
    kind_of,
    moment,
    names_of,
    share,
    whole,
    yes,
)


def read_coco(document: dict[str, Any], sets: bool) -> Iterator[Entry]:
    """Raises `BadLabels`."""
    images, annotations, categories = (
        document.get(part) for part in ("images", "annotations", "categories")
    )
    if not (
        isinstance(images, list) and isinstance(annotations, list) and isinstance(categories, list)
    ):
        raise BadLabels("COCO has the lists images, annotations and categories")
    try:
        classes = {c["id"]: str(c["name"]) for c in categories}
    except (TypeError, KeyError):
        raise BadLabels("each of the categories needs an id and a name") from None
    known = set()
    by_image: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)
    votes: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)
    for image in images:
        if isinstance(image, dict):
            known.add(image.get("id"))
    for number, annotation in enumerate(annotations):
        place = f"annotation {number + 1}"
        if not isinstance(annotation, dict) or annotation.get("image_id") not in known:
            yield Problem(place=place, name="", reason="it is of no image of the file")
        else:
            by_image[annotation["image_id"]].append(annotation)
    for vote in document.get("votes") or []:
        if isinstance(vote, dict):
            votes[vote.get("image_id")].append(vote)
    for number, image in enumerate(images):
        place = f"image {number + 1}"
        if not isinstance(image, dict):
            yield Problem(place=place, name="", reason="it is no object")
            continue
        named = [image.get(k) for k in ("file_name", "absolute_url", "coco_url")]
        try:
            row = LabelRow(
                place=place, names=names_of(*named), hashes=hashes_of(image.get("content_hash"))
            )
            if not row.names and not row.hashes:
                raise Bad("it has no file_name")
            _say(row, image, by_image[image.get("id")], classes, sets)
            row.votes = [
                v for raw in votes[image.get("id")] if (v := _vote(raw, classes)) is not None
            ]
        except Bad as bad:
            yield Problem(place=place, name=str(named[0] or "")[:200], reason=str(bad))
        else:
            yield row


def _say(
    row: LabelRow, image: dict[str, Any], annotations: list[dict[str, Any]],
    classes: dict[Any, str], sets: bool,
) -> None:  # fmt: skip
    found = list(dict.fromkeys(_class(a.get("category_id"), classes) for a in annotations))
    scores = [s for a in annotations if (s := share(a.get("score"))) is not None]
    row.score = min(scores, default=None)
    if sets and isinstance(image.get("category_ids"), list):
        row.label = [_class(c, classes) for c in image["category_ids"]]
    elif len(found) > 1 and not sets:
        row.unclear = f"it has {len(found)} classes, and a label here is one of them"
    elif found:
        row.label = found


def _vote(raw: dict[str, Any], classes: dict[Any, str]) -> VoteIn | None:
    if not yes(raw.get("standing"), True) or yes(raw.get("check"), False):
        return None
    kind = kind_of(raw.get("kind"))
    value = _classes(raw, "category", classes)
    if kind == "label" and value is None:
        raise Bad("a vote in it has no category")
    return VoteIn(
        vote_id=raw["id"] if isinstance(raw.get("id"), str) else None,
        labeler=str(raw.get("labeler") or "").strip(),
        kind=kind,
        value=value if kind == "label" else None,
        created_at=moment(raw.get("created_at")),
        duration_ms=whole(raw.get("duration_ms"), "duration_ms"),
        prelabel=_classes(raw, "prelabel", classes),
    )


def _classes(raw: dict[str, Any], field: str, classes: dict[Any, str]) -> list[str] | None:
    many = raw.get(f"{field}_ids")
    if isinstance(many, list):
        return [_class(c, classes) for c in many]
    one = raw.get(f"{field}_id")
    return None if one is None else [_class(one, classes)]


def _class(category: Any, classes: dict[Any, str]) -> str:
    try:
        return classes[category]
    except (KeyError, TypeError):
        raise Bad(f"there is no category {category!r}") from None
