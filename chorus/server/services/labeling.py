"""The main path: one vote, from the labeler's answer to the stored consensus."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.filters import Answers
from chorus.server.domain.model import Item, Lease, Project, StandingVote, VoteKind
from chorus.server.domain.shape_changes import changes
from chorus.server.domain.shapes import plain
from chorus.server.domain.values import Schema
from chorus.server.errors import ApiError
from chorus.server.services import checking, practising
from chorus.server.services.announcing import announce
from chorus.server.services.fitting import fitting
from chorus.server.services.projects import Projects
from chorus.server.services.recording import Before, Delta, count, keep
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.known import VoteAhead

DURATION_MAX = 24 * 3600 * 1000
HISTORY_MAX = 200


class PageVote(msgspec.Struct):
    """A labeler's answer as it comes in with others of its project (docs/protocol.md,
    `votes.cast`)."""

    vote_id: str
    item_id: int
    kind: VoteKind
    value: dict[str, Any] | None = None
    duration_ms: int = 0
    lease_id: str | int | None = None
    """For whoever reads messages. What counts is the newest lease that the person had of the item:
    nobody chooses by naming an older one what they had been shown."""
    supersedes: str | None = None


class VoteCast(PageVote, kw_only=True):
    """The same alone (`vote.cast`)."""

    project_id: str


class Labeling:
    def __init__(self, store: Store, projects: Projects) -> None:
        self._store = store
        self._projects = projects

    async def cast(self, user_id: str, user_name: str, vote: VoteCast) -> dict[str, Any]:
        """Keep one vote. Resolves after COMMIT with `{"seq", "duplicate"}`; in practice
        also with what is right (see practising.told).

        Raises `ApiError`: bad_value, not_found, not_leased, already_voted, item_closed, conflict.
        """
        value = await self._value(vote)
        if isinstance(value, ApiError):
            raise value
        return await self._asked(user_id, user_name, vote, value)

    async def cast_page(
        self, user_id: str, user_name: str, votes: Sequence[VoteCast]
    ) -> list[dict[str, Any] | BaseException]:
        """Keep several votes of one person, in one commit where possible: of each what `cast`
        returns, or raises. One that is refused takes nothing of the others with it."""
        values = [await self._value(vote) for vote in votes]
        # One step of the event loop from here on: what is asked in it is handed over together.
        asked = [
            self._asked(user_id, user_name, vote, value)
            for vote, value in zip(votes, values, strict=True)
            if not isinstance(value, ApiError)
        ]
        kept = iter(await asyncio.gather(*asked, return_exceptions=True))
        return [value if isinstance(value, ApiError) else next(kept) for value in values]

    async def _value(self, vote: VoteCast) -> str | ApiError | None:
        """The vote's value, canonical; None: it has none."""
        try:
            if not 8 <= len(vote.vote_id) <= 64:
                raise ApiError("bad_value", "vote_id must be a UUID made by the client")
            schema = self._projects.schema(vote.project_id)
            if vote.kind != "label":
                return None
            if schema.shapes:
                # A large polygon takes a while to check: on a reader's thread, before the writer.
                return await self._store.read(lambda tx: _on_picture(tx, schema, vote))
            return schema.parse(vote.value)
        except ApiError as error:
            return error

    def _asked(
        self, user_id: str, user_name: str, vote: VoteCast, value: str | None
    ) -> Awaitable[dict[str, Any]]:
        return self._store.write(
            self._fn(user_id, user_name, vote, value), repeatable=True,
            ahead=VoteAhead(vote.vote_id, vote.item_id, user_id),
        )  # fmt: skip

    def _fn(
        self, user_id: str, user_name: str, vote: VoteCast, value: str | None
    ) -> Callable[[Tx], dict[str, Any]]:
        schema = self._projects.schema(vote.project_id)

        def fn(tx: Tx) -> dict[str, Any]:
            seq, duplicate, practice = cast(tx, user_id, user_name, vote, value, now_ms())
            kept: dict[str, Any] = {"seq": seq, "duplicate": duplicate}
            # Sent again, it may have been in practice: then they are told again.
            if practice or duplicate:
                told = practising.told(tx, vote.vote_id, schema)
                if told is not None:
                    kept["practice"] = told
            return kept

        return fn

    async def history(
        self, project_id: str, user_id: str, limit: int, before: int | None,
        wanted: Answers,
    ) -> dict[str, Any]:  # fmt: skip
        """`{"votes", "next"}`: the person's standing votes and answers on checks that are `wanted`,
        newest first; `next` is the `before` of the page after. At most so many, and fewer if they
        are large."""
        schema = self._projects.schema(project_id)
        limit = max(1, min(limit, HISTORY_MAX))

        def fn(tx: Tx) -> dict[str, Any]:
            found = tx.history(project_id, user_id, before or 1 << 62, limit, wanted)
            votes = list(fitting(_history_row(tx, row, schema) for row in found))
            more = len(votes) < len(found) or len(found) == limit
            return {"votes": votes, "next": votes[-1]["seq"] if more else None}

        return await self._store.read(fn)


def _on_picture(tx: Tx, schema: Schema, vote: VoteCast) -> str:
    item = tx.item(vote.item_id)
    if item is None or item.project_id != vote.project_id:
        raise ApiError("not_found", f"no item {vote.item_id} in this project")
    return schema.parse(vote.value, (item.width, item.height))


def cast(
    tx: Tx, user_id: str, user_name: str, vote: VoteCast, value: str | None, now: int
) -> tuple[int, bool, bool]:
    """The whole transaction of a vote; `value` is canonical. Returns (seq, whether it had been kept
    before, whether it is known to be practice)."""
    known = tx.vote_seq(vote.vote_id)
    if known is not None:
        if known[:2] != (user_id, vote.item_id):
            raise ApiError("conflict", "this vote_id belongs to another vote")
        return known[2], True, False
    project = tx.project(vote.project_id)
    item = tx.item(vote.item_id)
    if project is None or item is None or item.project_id != vote.project_id:
        raise ApiError("not_found", f"no item {vote.item_id} in this project")
    duration = max(0, min(vote.duration_ms, DURATION_MAX))
    lease = tx.lease_of(item.item_id, user_id) if vote.supersedes is None else None
    answer = checking.Answer(vote.vote_id, vote.kind, value, duration, vote.supersedes)
    if lease is not None and practising.is_practice(tx, lease):
        return practising.cast(tx, item, user_id, user_name, answer, lease, now), False, True
    check = checking.check_of(tx, item, user_id, lease, vote.supersedes)
    if check is not None:
        return checking.cast(tx, item, user_id, user_name, answer, check, now), False, False
    if item.review in ("decided", "removed"):
        raise ApiError("item_closed", "a supervisor has decided this item")
    votes = tx.standing(item.item_id)
    own = next((v for v in votes if v.user_id == user_id), None)
    before = Before.of(item)
    if vote.supersedes is not None:
        seen = _seen_before(tx, own, vote.supersedes)
    else:
        if own is not None:
            raise ApiError("already_voted", "you have answered this item; correct it instead")
        if lease is None:
            raise ApiError("not_leased", "this item was never handed to you")
        seen = _seen_on(tx, project, lease)
        if lease.released_at is None:
            tx.release(lease.lease_id, now, "voted" if vote.kind != "skip" else "skipped")
            item.n_leases = max(0, item.n_leases - 1)
    prelabel = seen.prelabel
    standing = StandingVote(item.item_id, user_id, vote.vote_id, vote.kind, value, prelabel, 0)
    was, votes = votes, [v for v in votes if v.user_id != user_id] + [standing]
    revision = item.revision
    count(item, votes, project, tx.params(project))
    delta = Delta()
    keep(tx, project, item, before, was, votes, delta, now)
    body = {
        "vote_id": vote.vote_id,
        "item_id": item.item_id,
        "user_id": user_id,
        "name": user_name,
        "kind": vote.kind,
        "value": value,
        "page_kind": seen.page_kind,
        "prelabel": prelabel,
        **delta.body(),
    }
    if own is not None:
        body["superseded"] = {
            "vote_id": own.vote_id,
            "kind": own.kind,
            "value": own.value,
            "prelabel": own.prelabel,
        }
    seq = tx.emit(vote.project_id, now, "vote.cast", body)
    tx.add_vote(
        (
            vote.vote_id, vote.project_id, item.item_id, user_id, seq, vote.kind, value,
            seen.page_id, seen.page_kind, prelabel, seen.score, duration, vote.supersedes, now,
        )
    )  # fmt: skip
    tx.set_standing(
        item.item_id, user_id, vote.project_id, vote.vote_id, vote.kind, value, prelabel, seq
    )
    if project.shapes and value is not None:
        _note_changes(tx, item, standing, value, seen)
    announce(tx, item, before, revision, now)
    return seq, False, False


class Seen(NamedTuple):
    """What whoever answers had before them."""

    page_id: int | None
    page_kind: str | None
    prelabel: str | None
    score: float | None


def _seen_before(tx: Tx, own: StandingVote | None, corrected: str) -> Seen:
    """By the vote that is corrected. Raises conflict where it does not stand."""
    if own is None or own.vote_id != corrected:
        raise ApiError("conflict", "the vote to correct is not your standing vote here")
    return Seen(*tx.vote_page(corrected), own.prelabel, None)


def _seen_on(tx: Tx, project: Project, lease: Lease) -> Seen:
    page, prelabel = tx.page(lease.page_id), lease.prelabel
    if prelabel is not None and project.shapes:
        prelabel = plain(prelabel)  # as an answer that lets it stand, which has no scores
    return Seen(lease.page_id, page[0] if page else "manual", prelabel, lease.prelabel_score)


def _note_changes(tx: Tx, item: Item, vote: StandingVote, value: str, seen: Seen) -> None:
    """What a person has changed of the model's shapes; those that were brought in are not its."""
    preset = None if item.preset is None else plain(item.preset)
    if seen.prelabel is None or seen.prelabel == preset:
        return
    page = None if seen.page_id is None else tx.page(seen.page_id)
    tx.add_shape_changes(
        item.project_id, item.item_id, vote.vote_id, vote.user_id, page[2] if page else None,
        changes(seen.prelabel, value),
    )  # fmt: skip


def _history_row(tx: Tx, row: Any, schema: Schema) -> dict[str, Any]:
    vote_id, item_id, kind, value, page_id, created_at, prelabel, seq, check = row
    item = tx.item(item_id)
    assert item is not None
    # Nothing here may tell a check from other items: neither the label it has (or anybody's
    # consensus, which would be missing on checks) nor that it is closed to votes.
    closed = item.review == "removed" or (item.review == "decided" and not check)
    return {
        "vote_id": vote_id,
        "seq": seq,
        **media(item),
        "kind": kind,
        "value": schema.to_wire(value),
        "page_id": page_id,
        "created_at": created_at,
        "prelabel": schema.names(prelabel),
        "open": not closed,
    }


def media(item: Item) -> dict[str, Any]:
    """What a page needs to show an item. Both travel over HTTP, immutable by content."""
    base = f"/media/{item.project_id}/{item.content_hash}"
    shown: dict[str, Any] = {
        "item_id": item.item_id,
        "name": item.name,
        "thumb": f"{base}/s",
        "image": f"{base}/m",
        "width": item.width,
        "height": item.height,
    }
    if item.length:
        shown |= {"thumb": None, "image": None, "text": f"{base}/o", "length": item.length}
    if item.dicom:
        shown["dicom"] = msgspec.json.decode(item.dicom)
    return shown
