"""What a reviewer asks to see, as it comes in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from chorus.server.domain.filters import Filter
from chorus.server.domain.values import NONE
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
    """Of label sets: one that has it; "": the set of none."""
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
    """`reader`: who asks, for what they have not read. Raises bad_value for an unknown class."""
    value = part = None
    if body.class_name is not None:
        schema = services.projects.schema(project_id)
        if not schema.multilabel:
            value = schema.index(body.class_name)
        elif body.class_name == "":
            value = NONE
        else:
            part = schema.index(body.class_name)
    return Filter(
        state=None if body.state == "all" else body.state,
        value=value,
        part=part,
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
