"""Gold items: labeled items that people are given again, blind, to see how right they are.

Gold is a flag on an item; the truth is the label it has now, so a later review changes the truth
too. A check is a lease on a gold item that is no work on it: the answer is kept for good
(`check_vote`), but never counts as a vote. To the person a check looks like any other item.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.model import Item, Lease, PageKind, Project, VoteKind
from chorus.server.domain.values import parts
from chorus.server.errors import ApiError
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

GAP = 50
"""Answers a person gives to other items before the same gold may come again."""
MANY_MAX = 5000
CHUNK = 200
"""Items marked in one transaction, and in one event."""


class Gold:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def mark(
        self, project_id: str, item_ids: Sequence[int], gold: bool, user_id: str
    ) -> dict[str, Any]:
        """Make settled items gold, or gold ordinary again. One that is refused stops no other:
        `{"done": [item_id], "refused": [{item_id, code, message}]}`. Raises bad_value."""
        if len(item_ids) > MANY_MAX:
            raise ApiError("bad_value", f"at most {MANY_MAX} items at once")
        done: list[int] = []
        refused: list[dict[str, Any]] = []
        for at in range(0, len(item_ids), CHUNK):
            some = list(dict.fromkeys(item_ids[at : at + CHUNK]))
            good, bad = await self._store.write(
                lambda tx, some=some: mark(tx, project_id, some, gold, user_id, now_ms())  # type: ignore[misc]
            )
            done += good
            refused += bad
        return {"done": done, "refused": refused}


def mark(
    tx: Tx, project_id: str, item_ids: Sequence[int], gold: bool, user_id: str, now: int
) -> tuple[list[int], list[dict[str, Any]]]:
    """The whole transaction of some marks: (items that are so now, refusals)."""
    found = {i.item_id: i for i in tx.items_by_id(item_ids) if i.project_id == project_id}
    done: list[int] = []
    changed: list[int] = []
    known: Counter[str] = Counter()
    refused: list[dict[str, Any]] = []
    for item_id in item_ids:
        item = found.get(item_id)
        if item is None:
            error = {"code": "not_found", "message": f"no item {item_id} in this project"}
            refused.append({"item_id": item_id, **error})
            continue
        if gold and item.state != "labeled":
            error = {"code": "conflict", "message": "only a labeled item can be gold"}
            refused.append({"item_id": item_id, **error})
            continue
        done.append(item_id)
        if bool(item.gold) != gold:
            tx.set_gold(item_id, gold)
            changed.append(item_id)
            if item.label is not None:
                known.update(parts(item.label))
    if changed:
        user = tx.user(user_id)
        name = user.name if user else user_id
        body = {
            "user_id": user_id, "name": name, "gold": gold, "item_ids": changed,
            "known": {part: n if gold else -n for part, n in known.items()},
        }  # fmt: skip
        tx.emit(project_id, now, "gold.marked", body)
    return done, refused


# -- which checks a page gets


def with_checks(
    tx: Tx, project: Project, user_id: str, kind: PageKind, size: int, items: Sequence[Item]
) -> tuple[list[Item], set[int]]:
    """(a page of up to `size` items made of `items` and the checks that are due, ids of the
    checks). On pages that are not manual either nothing is a check, or everything.

    What a person is owed grows by the rate with every item they are handed, and every check takes
    one off. A manual page takes what is due, its own share with it; between other pages whole
    pages of checks are handed out, because one item without a prelabel among prelabeled ones would
    stand out. When exactly is left to chance, or every twentieth item would be known for a check.
    The chance depends on nothing but the project's secret seed, the person and the log: the same
    database deals the same page.
    """
    project_id, rate = project.project_id, project.gold_rate
    if not rate or not tx.has_gold(project_id):
        return list(items), set()
    chance = Random(_digest(project.seed, user_id, project.last_seq))
    debt = tx.check_debt(project_id, user_id)
    due = min(int(max(0.0, debt + size * rate + chance.random())), size)
    checks: list[Item] = []
    if due == size or (due and kind == "manual"):
        # Everybody begins elsewhere in the same random order.
        first = _digest(project.seed, user_id) >> 2
        checks = tx.unseen_gold(project_id, user_id, first, due)
        if len(checks) < due:
            checks += tx.seen_gold(project_id, user_id, GAP, due - len(checks))
    page = list(items[: size - len(checks)]) if kind == "manual" or not checks else []
    for check in checks:
        page.insert(chance.randrange(len(page) + 1), check)
    # Never more than a page is owed: who could not be checked for long is not flooded.
    debt = min(debt + len(page) * rate - len(checks), size)
    tx.set_check_debt(project_id, user_id, debt)
    return page, {check.item_id for check in checks}


def _digest(*parts: object) -> int:
    text = ":".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


# -- answers


class Answer(msgspec.Struct):
    """A vote on a check, as `cast` needs it; `value` is canonical."""

    vote_id: str
    kind: VoteKind
    value: str | None
    duration_ms: int
    supersedes: str | None


class Check(msgspec.Struct):
    """The check that a vote answers."""

    page_id: int
    lease: Lease | None
    """None for a correction."""
    superseded: dict[str, Any] | None = None
    """The answer that it corrects."""


def check_of(
    tx: Tx, item: Item, user_id: str, lease: Lease | None, supersedes: str | None
) -> Check | None:
    """What a vote by the person who had `lease` answers; None: it is no check, but work.

    Raises `ApiError`: conflict, already_voted, as for votes.
    """
    if supersedes is not None:
        old = tx.check_vote(supersedes)
        if old is None:
            return None
        owner, item_id, page_id, kind, value, stands = old
        if (owner, item_id) != (user_id, item.item_id) or not stands:
            raise ApiError("conflict", "the vote to correct is not your standing vote here")
        return Check(page_id, None, {"vote_id": supersedes, "kind": kind, "value": value})
    if lease is None or not lease.blind_check:
        return None
    if tx.check_answer(item.item_id, user_id, lease.page_id) is not None:
        raise ApiError("already_voted", "you have answered this item; correct it instead")
    return Check(lease.page_id, lease)


def cast(
    tx: Tx, item: Item, user_id: str, user_name: str, answer: Answer, check: Check, now: int
) -> int:
    """The whole transaction of an answer on a check. Returns its seq."""
    if check.lease is not None and check.lease.released_at is None:
        tx.release(check.lease.lease_id, now, "voted" if answer.kind != "skip" else "skipped")
    body = {
        "vote_id": answer.vote_id,
        "item_id": item.item_id,
        "user_id": user_id,
        "name": user_name,
        "kind": answer.kind,
        "value": answer.value,
        "page_kind": "manual",
    }
    if check.superseded is not None:
        body["superseded"] = check.superseded
    seq = tx.emit(item.project_id, now, "check.cast", body)
    tx.add_check_vote(
        (
            answer.vote_id, item.project_id, item.item_id, user_id, seq, answer.kind, answer.value,
            check.page_id, answer.duration_ms, answer.supersedes, now,
        )
    )  # fmt: skip
    return seq
