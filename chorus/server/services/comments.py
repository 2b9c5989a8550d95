"""Comments on items: a labeler asks, a supervisor answers, in a thread that only they see.

An item has one thread per labeler. Supervisors see all of them; a labeler sees their own alone, so
that nobody votes by what a colleague wrote.
"""

from __future__ import annotations

from typing import Any

from chorus.server.clock import now_ms
from chorus.server.domain.model import Item
from chorus.server.errors import ApiError
from chorus.server.services.labeling import media
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

TEXT_MAX = 2000
LIST_MAX = 100


class Comments:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(
        self, project_id: str, user_id: str, role: str, comment_id: str, item_id: int, text: str,
        to: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Keep a comment: `{"comment", "duplicate"}`. `to`: the labeler in whose thread a
        supervisor writes; None: one's own.

        Raises `ApiError`: bad_value, not_found, not_leased (a labeler who was never given the
        item), forbidden (another labeler's thread), conflict (the id is another comment's).
        """
        if not 8 <= len(comment_id) <= 64:
            raise ApiError("bad_value", "comment_id must be a UUID made by the client")
        text = text.strip()
        if not 1 <= len(text) <= TEXT_MAX:
            raise ApiError("bad_value", f"a comment has 1 to {TEXT_MAX} characters")
        labeler_id = to or user_id
        if role == "labeler" and labeler_id != user_id:
            raise ApiError("forbidden", "a labeler writes in their own thread")

        def fn(tx: Tx) -> dict[str, Any]:
            item = _item(tx, project_id, item_id, user_id, role)
            known = tx.comment_seq(comment_id)
            if known is not None:
                if known[:2] != (user_id, item_id):
                    raise ApiError("conflict", "this comment_id belongs to another comment")
                rows = tx.comments_of(item_id, None)
                kept = next(_public(row) for row in rows if row[0] == comment_id)
                return {"comment": kept, "duplicate": True}
            author, labeler = tx.user(user_id), tx.user(labeler_id)
            if labeler is None or author is None:
                raise ApiError("not_found", "no such person")
            if to is not None and tx.lease_of(item_id, to) is None and not _wrote(tx, item, to):
                raise ApiError("not_found", "this person was never given the item")
            now = now_ms()
            body = {
                "comment_id": comment_id,
                "item_id": item_id,
                "labeler_id": labeler_id,
                "labeler": labeler.name,
                "user_id": user_id,
                "name": author.name,
                "text": text,
            }
            seq = tx.emit(project_id, now, "comment.added", body)
            tx.add_comment((comment_id, project_id, item_id, labeler_id, user_id, seq, text, now))
            # Whoever answers has read what they answer.
            tx.read_comments(project_id, user_id, item_id, seq)
            return {"comment": {**body, "seq": seq, "at": now}, "duplicate": False}

        return await self._store.write(fn)

    async def of_item(
        self, project_id: str, user_id: str, role: str, item_id: int
    ) -> list[dict[str, Any]]:
        """What the person may read about an item, oldest first. Raises not_found, not_leased."""

        def fn(tx: Tx) -> list[dict[str, Any]]:
            _item(tx, project_id, item_id, user_id, role)
            return [_public(row) for row in tx.comments_of(item_id, _thread(user_id, role))]

        return await self._store.read(fn)

    async def threads(
        self, project_id: str, user_id: str, role: str, unread: bool, before: int | None, limit: int
    ) -> dict[str, Any]:
        """`{"threads": [Thread], "unread": comments in all, "next"}`, newest first."""
        limit = max(1, min(limit, LIST_MAX))

        def fn(tx: Tx) -> dict[str, Any]:
            labeler_id = _thread(user_id, role)
            rows = tx.comment_threads(
                project_id, user_id, labeler_id, unread, before or 1 << 62, limit
            )
            threads = []
            for item_id, labeler, comments, new, _ in rows:
                item = tx.item(item_id)
                assert item is not None
                last = tx.comments_of(item_id, labeler)[-1]
                threads.append(
                    {
                        "item": media(item),
                        "labeler_id": labeler,
                        "labeler": last[4],
                        "comments": comments,
                        "unread": new,
                        "last": _public(last),
                    }
                )
            return {
                "threads": threads,
                "unread": tx.count_unread(project_id, user_id, labeler_id),
                "next": rows[-1][4] if len(rows) == limit else None,
            }

        return await self._store.read(fn)

    async def read(
        self, project_id: str, user_id: str, role: str, item_id: int, seq: int
    ) -> dict[str, Any]:
        """The person has read what is written about an item up to `seq`: `{"unread"}`, what is
        left in the project. Raises not_found, not_leased."""

        def fn(tx: Tx) -> dict[str, Any]:
            _item(tx, project_id, item_id, user_id, role)
            project = tx.project(project_id)
            assert project is not None
            tx.read_comments(project_id, user_id, item_id, min(seq, project.last_seq))
            return {"unread": tx.count_unread(project_id, user_id, _thread(user_id, role))}

        return await self._store.write(fn)


def may_see(body: dict[str, Any], user_id: str, role: str) -> bool:
    """May this person see a comment, by its event?"""
    return role != "labeler" or body["labeler_id"] == user_id


def _thread(user_id: str, role: str) -> str | None:
    """The one thread that a person may see; None: all of them."""
    return user_id if role == "labeler" else None


def _item(tx: Tx, project_id: str, item_id: int, user_id: str, role: str) -> Item:
    item = tx.item(item_id)
    given = role != "labeler" or (item is not None and tx.lease_of(item_id, user_id) is not None)
    if item is None or item.project_id != project_id or not given:
        if role == "labeler":  # what is not theirs to see is as if it were not there
            raise ApiError("not_leased", "this item was never handed to you")
        raise ApiError("not_found", f"no item {item_id} in this project")
    return item


def _wrote(tx: Tx, item: Item, labeler_id: str) -> bool:
    return bool(tx.comments_of(item.item_id, labeler_id))


def _public(row: Any) -> dict[str, Any]:
    comment_id, seq, item_id, labeler_id, labeler, user_id, name, text, at = row
    return {
        "comment_id": comment_id,
        "item_id": item_id,
        "labeler_id": labeler_id,
        "labeler": labeler,
        "user_id": user_id,
        "name": name,
        "text": text,
        "seq": seq,
        "at": at,
    }
