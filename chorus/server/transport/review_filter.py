"""What a reviewer asks to see, as it comes in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from chorus.server.domain.filters import Filter
from chorus.server.domain.values import Schema
from chorus.server.errors import ApiError
from chorus.server.services import Services

ListState = Literal[
    "needs_review", "skipped", "labeled", "in_progress", "unlabeled", "removed", "all"
]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Ids = Annotated[list[int], msgspec.Meta(max_length=200)]


class FilterBody(msgspec.Struct, kw_only=True):
    """The fields of a filter in a message (docs/protocol.md, `review.list`)."""

    state: ListState = "needs_review"
    class_name: str | None = msgspec.field(default=None, name="class")
    """Of sets and shapes: what has it; "": the set of none, the empty picture."""
    guess: str | None = None
    """What the model says, as `class`."""
    labeler: str | None = None
    confidence_min: Share | None = None
    confidence_max: Share | None = None
    disagreement: Literal["people", "model"] | None = None
    prelabel_changed: bool = False
    gold: bool = False
    flagged: bool = False
    comments: Literal["any", "unread"] | None = None
    text: Annotated[str, msgspec.Meta(max_length=200)] = ""
    order: Literal["doubt", "item"] | None = None
    item_ids: Ids | None = None


class BulkBody(FilterBody, kw_only=True):
    """One decision for all that a filter finds, or `undoes`: the bulk to take back."""

    bulk_id: str
    action: str = "undo"
    value: dict[str, Any] | None = None
    as_of: int | None = None
    undoes: str | None = None


def filter_of(services: Services, project_id: str, body: FilterBody, reader: str = "") -> Filter:
    """`reader`: who asks, for what they have not read. Raises bad_value for an unknown class, and
    where shapes are asked for what they do not have."""
    schema = services.projects.schema(project_id)
    if schema.shapes and (body.disagreement == "model" or body.prelabel_changed):
        # Nearly everything would be found: no two shapes are drawn the same.
        raise ApiError(
            "bad_value",
            "disagreement=model and prelabel_changed compare whole answers, and no two drawings are"
            " the same: of shapes the quality page counts what was changed",
        )
    least, most = body.confidence_min, body.confidence_max
    if least is not None and most is not None and least > most:
        raise ApiError("bad_value", f"nothing is sure from {least:g} to {most:g}")
    value, part = class_of(schema, body.class_name)
    guess, guess_part = class_of(schema, body.guess)
    return Filter(
        state=None if body.state == "all" else body.state,
        value=value,
        part=part,
        guess=guess,
        guess_part=guess_part,
        labeler=body.labeler,
        confidence_min=body.confidence_min,
        confidence_max=body.confidence_max,
        disagreement=body.disagreement,
        prelabel_changed=body.prelabel_changed,
        gold=body.gold,
        flagged=body.flagged,
        comments=body.comments,
        reader=reader,
        text=body.text.strip(),
        item_ids=None if body.item_ids is None else tuple(body.item_ids),
        order=body.order,
    )


class PriorityBody(msgspec.Struct, kw_only=True):
    """Which open items come before all others (`raised`), or in their usual order again."""

    bulk_id: str
    raised: bool = True
    state: Literal["unlabeled", "in_progress", "open"] = "open"
    text: Annotated[str, msgspec.Meta(max_length=200)] = ""
    guess: str | None = None
    item_ids: Ids | None = None

    def filter(self, services: Services, project_id: str) -> Filter:
        """Raises bad_value for an unknown class."""
        state: Any = "all" if self.state == "open" else self.state
        body = FilterBody(state=state, text=self.text, guess=self.guess, item_ids=self.item_ids)
        return filter_of(services, project_id, body)


def class_of(schema: Schema, name: str | None) -> tuple[str | None, str | None]:
    """(the canonical value of a class, None), or of sets and shapes (None, the class index)."""
    if name is None:
        return None, None
    if not (schema.multilabel or schema.shapes):
        return schema.index(name), None
    return (schema.nothing, None) if name == "" else (None, schema.index(name))
