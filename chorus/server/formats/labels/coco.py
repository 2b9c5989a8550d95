"""COCO: categories, images and annotations.

Where labels are classes, only the class of an annotation counts, so boxes may be anything. Where
they are drawn, boxes and outlines may be in pixels or, as in the exports of the Azure Machine
Learning labeling service, whose pictures are 0 by 0, in shares of the picture. An image without
annotations may be one on which nothing is, or one that nobody has looked at: only files of ours say
which (`state`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from chorus.server.formats.labels.drawn import Drawn, ShapeIn, finite
from chorus.server.formats.labels.errors import Bad, BadLabels
from chorus.server.formats.labels.rows import (
    Entry,
    LabelRow,
    Problem,
    Said,
    VoteIn,
    hashes_of,
    kind_of,
    moment,
    names_of,
    share,
    whole,
    yes,
)
from chorus.server.formats.labels.shapes import outline

NAMES = ("file_name", "absolute_url", "coco_url")
"""Fields in which an image is named."""


def read_coco(document: dict[str, Any], sets: bool, drawn: bool = False) -> Iterator[Entry]:
    """`sets`: labels are sets of classes; `drawn`: boxes or polygons. Raises `BadLabels`."""
    images, annotations, categories = (
        document.get(part) for part in ("images", "annotations", "categories")
    )
    if not (
        isinstance(images, list) and isinstance(annotations, list) and isinstance(categories, list)
    ):
        raise BadLabels("COCO has the lists images, annotations and categories")
    reader = _Reader(_classes(categories), sets, _shares(annotations) if drawn else None)
    open_images = document.get("unlabeled")
    if not isinstance(open_images, list):
        open_images = []
    known = _known([*images, *open_images])
    for number, annotation in enumerate(annotations):
        place = f"annotation {number + 1}"
        if not isinstance(annotation, dict) or _id(annotation, "image_id") not in known:
            yield Problem(place=place, name="", reason="it is of no image of the file")
        else:
            reader.annotations[_id(annotation, "image_id")].append((place, annotation))
    votes = document.get("votes")
    for number, vote in enumerate(votes if isinstance(votes, list) else []):
        if not isinstance(vote, dict) or _id(vote, "image_id") not in known:
            reason = "it is of no image of the file"
            yield Problem(place=f"vote {number + 1}", name="", reason=reason)
        else:
            reader.votes[_id(vote, "image_id")].append(vote)
    for number, image in enumerate(images):
        yield reader.entry(f"image {number + 1}", image)
    for number, image in enumerate(open_images):
        yield reader.entry(f"unlabeled {number + 1}", image, is_open=True)


def _classes(categories: list[Any]) -> dict[Any, str]:
    """Category id -> name. Raises `BadLabels`."""
    classes: dict[Any, str] = {}
    try:
        for category in categories:
            number, name = category["id"], str(category["name"])
            if classes.setdefault(number, name) != name:
                raise BadLabels(
                    f"two categories have the id {number!r}: {classes[number]} and {name}"
                )
    except (TypeError, KeyError):
        raise BadLabels("each of the categories needs an id and a name") from None
    return classes


def _known(images: list[Any]) -> set[int | float | str]:
    """The ids of all pictures. Raises `BadLabels` where two share one: whose annotations those are
    nobody could tell."""
    named: dict[int | float | str, list[Any]] = {}
    for image in images:
        number = _id(image) if isinstance(image, dict) else None
        if number is None:
            continue
        names = [image.get(field) for field in (*NAMES, "content_hash")]
        if named.setdefault(number, names) != names:
            pair = named[number], names
            both = " and ".join(str(next(filter(None, n), "?"))[:200] for n in pair)
            raise BadLabels(f"two images have the id {number!r}: {both}")
    return set(named)


def _id(record: dict[str, Any], field: str = "id") -> int | float | str | None:
    """None: there is none. Some tools write whole numbers with a decimal point."""
    value = record.get(field)
    return value if isinstance(value, int | float | str) and not isinstance(value, bool) else None


def _shares(annotations: Iterable[Any]) -> bool:
    """Are coordinates shares of the picture? In pixels a whole file of boxes smaller than one
    would make no sense."""
    found = False
    for annotation in annotations:
        if not isinstance(annotation, dict):
            continue
        parts = [annotation.get("bbox")]
        outlines = annotation.get("segmentation")
        if isinstance(outlines, list):
            parts += outlines
        for part in parts:
            for number in finite(part) or ():
                if number > 1.0001:
                    return False
                found = True
    return found


class _Reader:
    """One file. `shares`: how its coordinates are meant; None: they do not matter."""

    def __init__(self, classes: dict[Any, str], sets: bool, shares: bool | None) -> None:
        self._classes = classes
        self._sets = sets
        self._shares = shares
        self.annotations: defaultdict[Any, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        self.votes: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)

    def entry(self, place: str, image: Any, is_open: bool = False) -> Entry:
        """`is_open`: it is one without a label."""
        if not isinstance(image, dict):
            return Problem(place=place, name="", reason="it is no object")
        named = [image.get(field) for field in NAMES]
        try:
            row = LabelRow(
                place=place, names=names_of(*named), hashes=hashes_of(image.get("content_hash"))
            )
            if not row.names and not row.hashes:
                raise Bad("it has no file_name")
            if not is_open:
                self._say(row, image)
            votes = self.votes.get(_id(image), [])
            row.votes = [v for raw in votes if (v := self._vote(raw, image))]
        except Bad as bad:
            return Problem(place=place, name=str(named[0] or "")[:200], reason=str(bad))
        return row

    def _say(self, row: LabelRow, image: dict[str, Any]) -> None:
        annotations = self.annotations.get(_id(image), [])
        if self._shares is not None:
            if annotations or image.get("state") == "labeled":
                row.label = self._drawn(annotations, image)
            return
        found = list(dict.fromkeys(self._class(a.get("category_id")) for _, a in annotations))
        scores = [s for _, a in annotations if (s := share(a.get("score"))) is not None]
        row.score = min(scores, default=None)
        if self._sets and isinstance(image.get("category_ids"), list):
            row.label = [self._class(c) for c in image["category_ids"]]
        elif len(found) > 1 and not self._sets:
            row.unclear = f"it has {len(found)} classes, and a label here is one of them"
        elif found:
            row.label = found

    # -- what is drawn

    def _drawn(
        self, annotations: Iterable[tuple[str, dict[str, Any]]], image: dict[str, Any]
    ) -> Drawn:
        width, height = finite([image.get("width") or 0, image.get("height") or 0]) or (0.0, 0.0)
        shapes = [self._shape(place, one) for place, one in annotations]
        return Drawn(shapes=shapes, shares=bool(self._shares), width=width, height=height)

    def _shape(self, place: str, one: dict[str, Any]) -> ShapeIn:
        if one.get("iscrowd"):
            raise Bad(f"{place} is a crowd, which is no single thing")
        points, why = outline(one.get("segmentation"))
        box = finite(one.get("bbox"), 4)
        if box is None and points is None:
            raise Bad(f"{place} has no bbox of x, y, width and height")
        return ShapeIn(
            name=self._class(one.get("category_id")),
            box=None if box is None else (box[0], box[1], box[2], box[3]),
            points=points,
            why=why,
            score=share(one.get("score")),
        )

    # -- votes

    def _vote(self, raw: dict[str, Any], image: dict[str, Any]) -> VoteIn | None:
        if not yes(raw.get("standing"), True) or yes(raw.get("check"), False):
            return None
        kind = kind_of(raw.get("kind"))
        if self._shares is not None:
            value, prelabel = (
                self._drawn_vote(raw.get(k), image) for k in ("shapes", "prelabel_shapes")
            )
        else:
            value, prelabel = self._names(raw, "category"), self._names(raw, "prelabel")
        if kind == "label" and value is None:
            raise Bad(f"a vote in it has no {'category' if self._shares is None else 'shapes'}")
        return VoteIn(
            vote_id=raw["id"] if isinstance(raw.get("id"), str) else None,
            labeler=str(raw.get("labeler") or "").strip(),
            kind=kind,
            value=value if kind == "label" else None,
            created_at=moment(raw.get("created_at")),
            duration_ms=whole(raw.get("duration_ms"), "duration_ms"),
            prelabel=prelabel,
        )

    def _drawn_vote(self, shapes: Any, image: dict[str, Any]) -> Said | None:
        if not isinstance(shapes, list):
            return None
        if not all(isinstance(one, dict) for one in shapes):
            raise Bad("a shape of a vote in it is no object")
        named = [(f"shape {n} of a vote", one) for n, one in enumerate(shapes, 1)]
        return self._drawn(named, image)

    def _names(self, raw: dict[str, Any], field: str) -> list[str] | None:
        many = raw.get(f"{field}_ids")
        if isinstance(many, list):
            return [self._class(c) for c in many]
        one = raw.get(f"{field}_id")
        return None if one is None else [self._class(one)]

    def _class(self, category: Any) -> str:
        try:
            return self._classes[category]
        except (KeyError, TypeError):
            raise Bad(f"there is no category {category!r}") from None
