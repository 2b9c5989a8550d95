"""What one line of an import of labels does to one item, inside a transaction.

Whatever was planned, the item is looked at again: people go on labeling meanwhile. What does not
fit any more is refused, with the reason, and changes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from chorus.server.domain.model import OPEN_STATES, Item, Project, StandingVote, User, VoteKind
from chorus.server.domain.values import Schema, canonical
from chorus.server.errors import ApiError
from chorus.server.formats.labels.drawn import Drawn, Misplaced, placed
from chorus.server.formats.labels.read import Kind
from chorus.server.formats.labels.rows import Said
from chorus.server.services.announcing import announce
from chorus.server.services.recording import Before, Delta, close, count, keep
from chorus.server.services.review import decide
from chorus.server.storage.tx import Tx

IMPORTED = "imported"
"""As page kind of a vote: it was not given here."""


class Options(msgspec.Struct, kw_only=True):
    """How an import is meant."""

    kind: Kind
    person: str | None = None
    """Login of the one whose votes all of them are."""
    people: dict[str, str] = {}
    """What the file calls a person -> login."""
    existing: Literal["keep", "replace"] = "keep"
    """What becomes of another label, or another vote of the same person, that is there."""
    blind: bool = False
    """People gave these labels without seeing a model's, on items that chance has chosen."""


class Op(msgspec.Struct, kw_only=True):
    """One thing to do."""

    item_id: int
    place: str
    value: Said | None = None
    kind: str = "label"
    score: float | None = None
    labeler: str = ""
    """Login."""
    vote_id: str | None = None
    created_at: int | None = None
    duration_ms: int | None = None
    prelabel: Said | None = None


class Refused(Exception):
    """It does not fit, and why."""


class Nothing(Exception):
    """It is so already."""


def names_in(said: Said) -> list[str]:
    """The classes that an answer names, each once."""
    given = [shape.name for shape in said.shapes] if isinstance(said, Drawn) else said
    return list(dict.fromkeys(given))


def value_of(
    said: Said, classes: Mapping[str, str], schema: Schema, item: Item, *, scored: bool = False
) -> str:
    """Canonical value. `classes`: name -> its canonical value; `scored`: a model's answer, whose
    shapes keep their scores. Raises `Refused` for an unknown class, more than one where labels are
    single, a shape that cannot be on the item's picture."""
    unknown = [name for name in names_in(said) if name not in classes]
    if unknown:
        raise Refused(f"unknown class {unknown[0]!r}")
    if schema.shapes:
        return _shapes(said, schema, item, scored)
    if isinstance(said, Drawn):
        raise Refused("a label here is of the whole picture, and it draws shapes")
    if schema.multilabel:
        return canonical(int(classes[name]) for name in said)
    if len(said) != 1:
        raise Refused(f"a label here is one class, and it has {len(said) or 'none'}")
    return classes[said[0]]


def _shapes(said: Said, schema: Schema, item: Item, scored: bool) -> str:
    if not isinstance(said, Drawn):
        raise Refused(f"a label here is {schema.task_type}, and it has a class")
    size = item.width, item.height
    try:
        wire = placed(said, "boxes" if schema.task_type == "boxes" else "polygons", size)
        return schema.parse(wire, size, scored=scored)
    except Misplaced as bad:
        raise Refused(str(bad)) from None
    except ApiError as error:
        raise Refused(error.message) from None


def check(item: Item, votes: Sequence[StandingVote], op: Op, value: str | None, user_id: str | None,
          options: Options) -> None:  # fmt: skip
    """Does it fit the item as it is? `value`, None: a class that is still to be made.
    Raises `Refused`, `Nothing`."""
    if item.state == "removed":
        raise Refused("the item was removed")
    if options.kind == "labels":
        if value is not None and item.label == value and item.review == "decided":
            raise Nothing
        if item.label is not None and options.existing == "keep":
            if item.label == value:
                raise Nothing
            raise Refused("the item has another label already")
    elif options.kind == "votes":
        if item.review == "decided":
            raise Refused("a supervisor has decided the item: it takes no more votes")
        own = next((v for v in votes if v.user_id == user_id), None)
        if own is not None:
            if own.kind == op.kind and own.value == value:
                raise Nothing
            if options.existing == "keep":
                raise Refused("this person has another vote on the item already")
    else:
        if item.state not in OPEN_STATES:
            raise Refused("the item needs no answer any more")
        if votes:
            raise Refused("people have answered the item already")
        if item.preset is not None and item.preset == value:
            raise Nothing
        if options.existing == "keep" and item.queue == "prelabeled":
            raise Refused("the item has a prelabel already")


class Landing(msgspec.Struct, kw_only=True):
    """What all lines of one import share."""

    import_id: str
    project: Project
    schema: Schema
    classes: dict[str, str]
    """Name -> canonical value."""
    options: Options
    user_id: str
    """Whose import it is."""
    now: int


def apply_op(tx: Tx, landing: Landing, op: Op, users: Mapping[str, User]) -> None:
    """The whole of one line. Raises `Refused` or `Nothing` before anything is written."""
    item = tx.item(op.item_id)
    if item is None or item.project_id != landing.project.project_id:
        raise Refused("the item is gone")
    value = None
    if op.value is not None:
        scored = landing.options.kind == "prelabels"
        value = value_of(op.value, landing.classes, landing.schema, item, scored=scored)
    user = None
    if landing.options.kind == "votes":
        user = users.get(op.labeler)
        if user is None:
            raise Refused(f"nobody with the login {op.labeler!r} is in this project")
    votes = tx.standing(item.item_id)
    check(item, votes, op, value, user.user_id if user else None, landing.options)
    if landing.options.kind == "labels":
        assert value is not None
        try:
            decide(
                tx, item, landing.user_id, "import", value, landing.now,
                bulk_id=landing.import_id,
            )  # fmt: skip
        except ApiError as error:  # raised before anything is written
            raise Refused(error.message) from None
    elif user is not None:
        _vote(tx, landing, op, item, value, user, votes)
    else:
        _prelabel(tx, landing, op, item, value, votes)


def _vote(
    tx: Tx, landing: Landing, op: Op, item: Item, value: str | None, user: User,
    votes: Sequence[StandingVote],
) -> None:  # fmt: skip
    """A vote that was given elsewhere: as one given here, but without lease or page."""
    project, now = landing.project, landing.now
    vote_id = _vote_id(tx, project.project_id, op, item, user)
    prelabel = None
    if op.prelabel is not None:
        prelabel = value_of(op.prelabel, landing.classes, landing.schema, item, scored=True)
    created_at = now if op.created_at is None else min(op.created_at, now)
    own = next((v for v in votes if v.user_id == user.user_id), None)
    before, revision = Before.of(item), item.revision
    delta = Delta()
    for lease in tx.open_leases(item.item_id):
        if lease.user_id == user.user_id:  # nobody holds what they have answered
            close(tx, lease, delta, now)
            item.n_leases = max(0, item.n_leases - 1)
    kind: VoteKind = "label" if op.kind == "label" else "skip" if op.kind == "skip" else "flag"
    standing = StandingVote(item.item_id, user.user_id, vote_id, kind, value, prelabel, 0)
    after = [v for v in votes if v.user_id != user.user_id] + [standing]
    count(item, after, project, tx.params(project))
    keep(tx, project, item, before, votes, after, delta, now)
    body = {
        "vote_id": vote_id,
        "item_id": item.item_id,
        "user_id": user.user_id,
        "name": user.name,
        "kind": kind,
        "value": value,
        "page_kind": IMPORTED,
        "prelabel": prelabel,
        "created_at": created_at,
        "import_id": landing.import_id,
        "by": landing.user_id,
        **delta.body(),
    }
    if own is not None:
        body["superseded"] = {
            "vote_id": own.vote_id,
            "kind": own.kind,
            "value": own.value,
            "prelabel": own.prelabel,
        }
    seq = tx.emit(project.project_id, now, "vote.imported", body)
    tx.add_vote(
        (
            vote_id, project.project_id, item.item_id, user.user_id, seq, kind, value, None,
            IMPORTED, prelabel, None, op.duration_ms, own.vote_id if own else None, created_at,
        )
    )  # fmt: skip
    tx.set_standing(
        item.item_id, user.user_id, project.project_id, vote_id, kind, value, prelabel, seq
    )
    announce(tx, item, before, revision, now)


def _vote_id(tx: Tx, project_id: str, op: Op, item: Item, user: User) -> str:
    """The vote's own id where this server has no such vote, else one that follows from it: the
    same file brought in twice means the same votes. Raises `Nothing`."""
    seed = op.vote_id or f"{op.kind}/{op.value}/{op.created_at}"
    made = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{project_id}/{item.item_id}/{user.user_id}/{seed}"))
    for vote_id in (op.vote_id, made):
        if vote_id is None or not 8 <= len(vote_id) <= 64:
            continue
        known = tx.vote_seq(vote_id)
        if known is None:
            return vote_id
        if known[:2] == (user.user_id, item.item_id):
            raise Nothing
    return str(uuid.uuid4())


def _prelabel(
    tx: Tx, landing: Landing, op: Op, item: Item, value: str | None,
    votes: Sequence[StandingVote],
) -> None:  # fmt: skip
    """What people find on the item, to be confirmed; as after a start over (see review)."""
    before, revision = Before.of(item), item.revision
    item.preset = item.pre_value = value
    item.pre_score, item.odd = op.score, None
    item.queue, item.queue_pos, item.queue_block = "prelabeled", item.rank, 0
    delta = Delta()
    keep(tx, landing.project, item, before, votes, votes, delta, landing.now)
    tx.emit(
        landing.project.project_id, landing.now, "queue.changed",
        {"import_id": landing.import_id, "count": 1, **delta.body()},
    )  # fmt: skip
    announce(tx, item, before, revision, landing.now)
