"""Which of their own answers a labeler asks for, as it comes in."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from chorus.server.domain.filters import Answers
from chorus.server.services import Services


class AnswersBody(msgspec.Struct, kw_only=True):
    """The fields of `labeling.history` that choose (docs/protocol.md)."""

    kind: Literal["label", "skip", "flag"] | None = None
    class_name: str | None = msgspec.field(default=None, name="class")
    """Of sets and shapes: what has it; "": the set of none, the empty picture."""
    text: Annotated[str, msgspec.Meta(max_length=200)] = ""
    since: int | None = None
    until: int | None = None


def answers_of(services: Services, project_id: str, body: AnswersBody) -> Answers:
    """Raises bad_value for an unknown class."""
    value = part = None
    if body.class_name is not None:
        schema = services.projects.schema(project_id)
        if not (schema.multilabel or schema.shapes):
            value = schema.index(body.class_name)
        elif body.class_name == "":
            value = schema.nothing
        else:
            part = schema.index(body.class_name)
    return Answers(
        kind=body.kind,
        value=value,
        part=part,
        text=body.text.strip(),
        since=body.since,
        until=body.until,
    )
