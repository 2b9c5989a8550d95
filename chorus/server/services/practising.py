"""Practice: before a person's first real page come some gold items, and they are told the answers.

A practice item is held like a check (a lease that is no work on it), on a page of kind 'practice'.
Its answer is kept in a table of its own: it is no vote and no check, so nothing counts it. What a
person was told the answer of is never a blind check for them again.
"""

from __future__ import annotations

from typing import Any

from chorus.server.clock import now_ms
from chorus.server.domain.model import Item, Lease, Project
from chorus.server.domain.values import Schema, alike
from chorus.server.errors import ApiError
from chorus.server.services.checking import Answer
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

NOTE_MAX = 500
"""Characters of a note on a gold item."""


class Practising:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def again(self, project_id: str, user_id: str, by: str) -> dict[str, Any]:
        """Let a person practise (again) before their next page: `{"run"}`. Raises not_found,
        conflict."""
        return {"run": await self._store.write(lambda tx: again(tx, project_id, user_id, by))}

    async def note(self, project_id: str, item_id: int, text: str) -> dict[str, Any]:
        """Say something of a gold item to whoever practises on it; "": nothing. Returns
        `{"item_id", "text"}`. Raises not_found, conflict, bad_value."""
        said = " ".join(text.split())
        if len(said) > NOTE_MAX:
            raise ApiError("bad_value", f"a note has at most {NOTE_MAX} characters")

        def fn(tx: Tx) -> None:
            item = tx.item(item_id)
            if item is None or item.project_id != project_id:
                raise ApiError("not_found", f"no item {item_id} in this project")
            if said and not item.gold:
                raise ApiError("conflict", "only a gold item has a note for practice")
            tx.set_gold_note(project_id, item_id, said)

        await self._store.write(fn)
        return {"item_id": item_id, "text": said}


def again(tx: Tx, project_id: str, user_id: str, by: str) -> int:
    project = tx.project(project_id)
    if project is None or tx.role(project_id, user_id) is None:
        raise ApiError("not_found", "no such person in this project")
    if not project.practice:
        raise ApiError("conflict", "practice is switched off in the project's settings")
    run, finished_at = tx.practice(project_id, user_id) or (0, 0)
    if finished_at is None:
        raise ApiError("conflict", "this person is practising now")
    if not tx.practice_gold(project_id, user_id, run + 1, 1):
        raise ApiError("conflict", "there is no gold to practise on")
    user, boss = tx.user(user_id), tx.user(by)
    tx.set_practice(project_id, user_id, run + 1, None)
    body = {
        "user_id": user_id,
        "name": user.name if user else user_id,
        "by": boss.name if boss else by,
        "run": run + 1,
    }
    tx.emit(project_id, now_ms(), "practice.ordered", body)
    return run + 1


# -- the next page


def due(tx: Tx, project: Project, user_id: str, now: int) -> tuple[int, list[Item], bool] | None:
    """(run, gold that the person is still to practise on, whether they hold some of it); None:
    they may go to work. As many as the project wants, or as there are."""
    if not project.practice:
        return None
    project_id = project.project_id
    found = tx.practice(project_id, user_id)
    if found is not None and found[1] is not None:
        return None
    if found is None and tx.at_work(project_id, user_id):
        tx.set_practice(project_id, user_id, 0, now)
        return None
    run = 1 if found is None else found[0]
    held = tx.practice_in_hand(project_id, user_id)
    answered = tx.practice_pages(project_id, user_id, run)
    left = project.practice - len(held) - len(answered)
    items = tx.practice_gold(project_id, user_id, run, left) if left > 0 else []
    if items and found is None:
        tx.set_practice(project_id, user_id, run, None)
    if not items and not held:
        # Without any gold it is no practice: it may come before the person has begun to work.
        if found is not None:
            tx.set_practice(project_id, user_id, run, now)
        return None
    return run, items, bool(held)


def place(tx: Tx, project: Project, user_id: str, page_id: int) -> dict[str, int]:
    """`{"done", "of"}`: items before this page, and in all."""
    project_id = project.project_id
    run, finished_at = tx.practice(project_id, user_id) or (1, None)
    pages = tx.practice_in_hand(project_id, user_id) + tx.practice_pages(project_id, user_id, run)
    left = 0 if finished_at is not None else project.practice - len(pages)
    more = len(tx.practice_gold(project_id, user_id, run, left)) if left > 0 else 0
    return {"done": sum(page < page_id for page in pages), "of": len(pages) + more}


# -- answers


def is_practice(tx: Tx, lease: Lease) -> bool:
    if not lease.blind_check:
        return False
    page = tx.page(lease.page_id)
    return page is not None and page[0] == "practice"


def cast(
    tx: Tx, item: Item, user_id: str, user_name: str, answer: Answer, lease: Lease, now: int
) -> int:
    """The whole transaction of an answer. Returns its seq. Raises `ApiError`: already_voted."""
    if tx.practice_given(item.item_id, user_id, lease.page_id) is not None:
        raise ApiError("already_voted", "you have answered this item")
    if lease.released_at is None:
        tx.release(lease.lease_id, now, "voted" if answer.kind != "skip" else "skipped")
    truth = item.label if item.gold and item.state == "labeled" else None
    run = (tx.practice(item.project_id, user_id) or (1, None))[0]
    body = {
        "vote_id": answer.vote_id,
        "item_id": item.item_id,
        "user_id": user_id,
        "name": user_name,
        "kind": answer.kind,
        "value": answer.value,
        "right": judged(answer.kind, answer.value, truth),
    }
    seq = tx.emit(item.project_id, now, "practice.answered", body)
    tx.add_practice_answer(
        (
            answer.vote_id, item.project_id, item.item_id, user_id, run, seq, lease.page_id,
            answer.kind, answer.value, truth, answer.duration_ms, now,
        )
    )  # fmt: skip
    return seq


def judged(kind: str, value: str | None, truth: str | None) -> bool | None:
    """Was it right? None: nobody knows."""
    return None if truth is None else kind == "label" and alike(value, truth)


def told(tx: Tx, vote_id: str, schema: Schema) -> dict[str, Any] | None:
    """What a person is told of their answer: `{"right", "answer", "note"}`; None: it was none in
    practice."""
    given = tx.practice_answer(vote_id)
    if given is None:
        return None
    _, item_id, _, kind, value, truth = given
    return {
        "right": judged(kind, value, truth),
        "answer": schema.to_wire(truth),
        "note": tx.gold_note(item_id),
    }
