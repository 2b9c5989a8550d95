"""Assignments: a supervisor gives items, or a share of them, to some people first or to them only.

Making one, or ending it, is a row at once; its items follow in the background, chunk by chunk, so
that a vote waits behind one chunk at most. What a stop of the server cuts off goes on at the next
start.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import msgspec

from chorus.server.clock import now_ms, running_ms
from chorus.server.domain.assignment import ASSIGNMENTS_MAX, Wanted
from chorus.server.errors import ApiError
from chorus.server.services.background import Wakes, Woken
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.assignments import Assignment

T = TypeVar("T")
CHUNK = 500
"""Items looked at in one transaction."""
FRESH_MS = 5_000
"""How old an answer may be: many viewers share one computation."""
SPREADING, ON, ENDING = "spreading", "on", "ending"


class NewAssignment(msgspec.Struct, kw_only=True):
    """Body of `POST …/assignments`."""

    people: list[str] = []
    teams: list[str] = []
    only: bool = False
    """Nobody else gets its items; otherwise others do when nothing else is left for them."""
    text: Annotated[str, msgspec.Meta(max_length=200)] = ""
    guess: str | None = None
    """A class: what the model says now."""
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    later: bool = False
    """Also of what is brought in later; not together with `guess`."""


class Assignees(msgspec.Struct):
    """Body of `PATCH …/assignments/{number}`."""

    people: list[str]
    teams: list[str]


class Assignments:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._wakes = Wakes(Woken, self._run, "assignments of %s failed")
        self._kept: dict[str, tuple[int, list[dict[str, Any]]]] = {}

    async def start(self) -> None:
        for project_id in await self._store.read(lambda tx: tx.unfinished_assignments()):
            self._wakes.wake(project_id)

    async def stop(self) -> None:
        await self._wakes.stop()

    async def of(self, project_id: str) -> list[dict[str, Any]]:
        """See client/answers.Assignment."""
        kept = self._kept.get(project_id)
        if kept is None or running_ms() - kept[0] >= FRESH_MS:
            found = await self._store.read(lambda tx: _public(tx, project_id))
            kept = self._kept[project_id] = running_ms(), found
        return kept[1]

    async def make(
        self, project_id: str, user_id: str, new: NewAssignment,
        guess: tuple[str | None, str | None],
    ) -> int:  # fmt: skip
        """Its number. guess: `new.guess` as (a whole canonical value, a class index in it).
        Raises bad_value, conflict."""
        wanted = Wanted(new.text.strip(), *guess, new.share, new.later)
        if new.later and new.guess is not None:
            raise ApiError("bad_value", "of what comes later the model has said nothing yet")

        def fn(tx: Tx) -> int:
            there = tx.assignments(project_id)
            if len(there) >= ASSIGNMENTS_MAX:
                raise ApiError("conflict", f"a project has {ASSIGNMENTS_MAX} assignments at most")
            number = max((a.number for a in there), default=0) + 1
            people = _people(tx, new.people, new.teams)
            made = Assignment(number, new.only, wanted, SPREADING, 0, user_id, now_ms())
            tx.put_assignment(project_id, made)
            tx.set_assignees(project_id, number, people)
            _tell(tx, project_id, user_id, {"made": number, "only": new.only})
            return number

        return await self._change(project_id, fn)

    async def give(
        self, project_id: str, user_id: str, number: int, people: Sequence[str],
        teams: Sequence[str],
    ) -> None:  # fmt: skip
        """The same items to other people. Raises bad_value, not_found."""

        def fn(tx: Tx) -> None:
            _known(tx, project_id, number)
            tx.set_assignees(project_id, number, _people(tx, people, teams))
            _tell(tx, project_id, user_id, {"given": number})

        await self._change(project_id, fn)

    async def drop(self, project_id: str, user_id: str, number: int) -> None:
        """Its items are everybody's again, at once. Raises not_found."""

        def fn(tx: Tx) -> None:
            found = _known(tx, project_id, number)
            tx.put_assignment(project_id, found._replace(state=ENDING, after_item=0))
            _tell(tx, project_id, user_id, {"ended": number})

        await self._change(project_id, fn)

    async def _change(self, project_id: str, fn: Callable[[Tx], T]) -> T:
        done = await self._store.write(fn)
        self._kept.pop(project_id, None)
        self._wakes.wake(project_id)
        return done

    async def _run(self, project_id: str, state: Woken) -> None:
        while self._wakes.again(state):
            while await self._store.persist(lambda tx: step(tx, project_id, CHUNK, now_ms())):
                pass
            self._kept.pop(project_id, None)


def step(tx: Tx, project_id: str, limit: int, now: int) -> bool:
    """The transaction of a chunk; whether there may be more to do."""
    at_work = next((a for a in tx.assignments(project_id) if a.state != ON), None)
    if at_work is None:
        return False
    number = at_work.number
    rows = tx.to_assign(project_id, at_work.after_item, limit)
    if not rows:
        if at_work.state == ENDING:
            tx.drop_assignment(project_id, number)
        else:
            tx.put_assignment(project_id, at_work._replace(state=ON))
        return True
    if at_work.state == ENDING:
        ids = [row.item_id for row in rows if row.assigned == number]
        tx.unassign(ids)
    else:
        wanted = at_work.wanted
        ids = [
            row.item_id
            for row in rows
            if row.open and not row.assigned and wanted.takes(number, row.rank, row.name, row.guess)
        ]
        tx.assign(ids, number, not wanted.by_chance)
    tx.put_assignment(project_id, at_work._replace(after_item=rows[-1].item_id))
    if ids:
        # Whoever waits, or has passed them over, looks again.
        tx.emit(project_id, now, "queue.changed", {"assignment": number, "count": len(ids)})
    return True


def _known(tx: Tx, project_id: str, number: int) -> Assignment:
    found = next((a for a in tx.assignments(project_id) if a.number == number), None)
    if found is None or found.state == ENDING:
        raise ApiError("not_found", "no such assignment")
    return found


def _people(tx: Tx, people: Sequence[str], teams: Sequence[str]) -> list[tuple[str, str]]:
    """(kind, id). Raises bad_value."""
    if not people and not teams:
        raise ApiError("bad_value", "name at least one person or team")
    if any(tx.user(user_id) is None for user_id in people):
        raise ApiError("bad_value", "no such person")
    if any(tx.team(team_id) is None for team_id in teams):
        raise ApiError("bad_value", "no such team")
    found = [("person", one) for one in people] + [("team", one) for one in teams]
    return list(dict.fromkeys(found))


def _tell(tx: Tx, project_id: str, user_id: str, what: dict[str, Any]) -> None:
    user = tx.user(user_id)
    body = {"user_id": user_id, "by": user.name if user else user_id, "assignment": what}
    tx.emit(project_id, now_ms(), "project.changed", body)


def _public(tx: Tx, project_id: str) -> list[dict[str, Any]]:
    there = tx.assignments(project_id)
    if not there:
        return []
    given: defaultdict[int, dict[str, list[str]]] = defaultdict(lambda: {"person": [], "team": []})
    for number, kind, one in tx.assignees(project_id):
        given[number][kind].append(one)
    members = {m["user_id"]: m for m in tx.members(project_id)}
    inside: defaultdict[str, list[str]] = defaultdict(list)
    for team_id, user_id in tx.team_people():
        inside[team_id].append(user_id)
    teams = dict(tx.teams())
    names = {str(idx): c.name for idx, c in enumerate(tx.classes(project_id))}
    out = []
    for a in there:
        people, of = given[a.number]["person"], given[a.number]["team"]
        can = {*people, *(user_id for team_id in of for user_id in inside[team_id])}
        can = {u for u in can if u in members and not members[u]["paused"]}
        count = tx.count_assigned_open(project_id, a.number)
        stuck = tx.count_stuck(project_id, a.number, sorted(can)) if a.only else 0
        guess = a.wanted.guess_part if a.wanted.guess is None else a.wanted.guess
        by = tx.user(a.created_by)
        out.append(
            {
                "number": a.number,
                "people": [{"user_id": u, "name": _name(tx, u)} for u in people],
                "teams": [{"team_id": t, "name": teams[t]} for t in of if t in teams],
                "only": a.only,
                "text": a.wanted.text,
                "guess": None if guess is None else names.get(guess, ""),
                "share": a.wanted.share,
                "later": a.wanted.later,
                "state": a.state,
                "open": count,
                "stuck": 0 if a.state == ENDING else stuck,
                "by": by.name if by else a.created_by,
                "created_at": a.created_at,
            }
        )
    return out


def _name(tx: Tx, user_id: str) -> str:
    user = tx.user(user_id)
    return user.name if user else user_id
