"""What is stored about a person: given out whole, or erased.

Erasing leaves the work and takes the person away: votes, decisions and their times stay under a
pseudonym, so that labels, skills and the past of the dashboards are what they were. At once: the
account, its tokens, sessions, e-mail address, memberships, drafts. In the background, chunk by
chunk, and going on after a stop of the server: their name in the log, in kept copies of the boards,
and in comments.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.erasing import Erased, names_of
from chorus.server.errors import ApiError
from chorus.server.services.accounts import leave
from chorus.server.services.assigning import release
from chorus.server.services.background import Tasks
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

CHUNK = 500
"""Events of one transaction: a vote waits behind one chunk at most."""


class Erasing:
    """`gone(user_id, project_ids)` is called once somebody is erased, with where they were."""

    def __init__(self, store: Store, folder: Path) -> None:
        """folder: for files that are being sent."""
        self._store = store
        self._folder = folder
        self._tasks = Tasks[str]("erasing %s has not ended")
        self.gone: Callable[[str, list[str]], None] = lambda user_id, project_ids: None

    # -- giving out

    async def export(self, user_id: str) -> tuple[Path, str]:
        """(a new file with all that is stored about a person, as JSON, of one moment; their
        login). The caller removes it. Raises not_found."""
        target = self._folder / f"person-{secrets.token_hex(8)}.json"

        def fn(tx: Tx) -> str:
            user = tx.user(user_id)
            if user is None:
                raise ApiError("not_found", "no such person")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("w", encoding="utf-8") as out:
                write_export(tx, user_id, out.write)
            return user.login

        return target, await self._store.read(fn)

    # -- erasing

    async def erase(self, user_id: str, typed: str, by: str | None) -> dict[str, Any]:
        """`{"pseudonym", "exports"}`; exports: `{"project_id", "export_id"}` of files that people
        have made with logins in them, and that may be kept elsewhere, too.

        `typed`: the person's login; `by`: who asks (None: the operator). Raises not_found,
        bad_value, conflict (oneself, or the last admin).
        """
        if user_id == by:
            raise ApiError("conflict", "nobody erases themselves: another admin can")

        def fn(tx: Tx) -> tuple[str, list[str], list[tuple[str, str]]]:
            return erase(tx, user_id, typed, now_ms())

        pseudonym, project_ids, exports = await self._store.write(fn)
        self.gone(user_id, project_ids)
        self._wake(user_id)
        found = [{"project_id": p, "export_id": e} for p, e in exports]
        return {"pseudonym": pseudonym, "exports": found}

    async def start(self) -> None:
        """Go on with what a stop of the server cut off; files that were being sent go."""
        await asyncio.to_thread(shutil.rmtree, self._folder, True)
        for user_id in await self._store.read(lambda tx: tx.erasures()):
            self._wake(user_id)

    async def stop(self) -> None:
        await self._tasks.stop()

    async def finish(self) -> None:
        """Wait until nothing is left to be done."""
        await self._tasks.finish()

    def _wake(self, user_id: str) -> None:
        self._tasks.begin(user_id, lambda: self._land(user_id))

    async def _land(self, user_id: str) -> None:
        while await self._store.persist(lambda tx: land(tx, user_id)):
            pass


def write_export(tx: Tx, user_id: str, write: Callable[[str], Any]) -> None:
    """One JSON object: `projects` (names and classes, for the indexes that votes store), a list of
    rows for each table, `notes`, and `skills` as last estimated, by project."""

    def one(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, default=str)

    all_projects = tx.projects()
    projects = {
        p.project_id: {"name": p.name, "classes": [c.name for c in tx.classes(p.project_id)]}
        for p in all_projects
    }
    write(f'{{"projects": {one(projects)}')
    last = None
    for table, row in tx.rows_of_person(user_id):
        write(", " if table == last else f'{"" if last is None else "]"},\n"{table}": [')
        last = table
        write(one(row))
    write(("" if last is None else "]") + ',\n"notes": [')
    for number, (project_id, seq, at, body) in enumerate(tx.notes_of_person(user_id)):
        about = {"project_id": project_id, "seq": seq, "at": at, **json.loads(body)}
        write((", " if number else "") + one(about))
    skills = {}
    for project in all_projects:
        estimate = tx.estimate(project)
        if estimate is not None and (skill := estimate.skills.get(user_id)) is not None:
            skills[project.project_id] = msgspec.to_builtins(skill)
    write(f'],\n"skills": {one(skills)}}}\n')


def erase(
    tx: Tx, user_id: str, typed: str, now: int
) -> tuple[str, list[str], list[tuple[str, str]]]:
    """The first transaction: (pseudonym, projects they were in, exports that have their login)."""
    user = tx.user(user_id)
    if user is None:
        raise ApiError("not_found", "no such person")
    if typed.strip() != user.login:
        raise ApiError("bad_value", f"type the login: {user.login}")
    if user.admin and tx.count_admins() == 1:
        raise ApiError("conflict", "this is the last admin; make another one first")
    pseudonym = f"erased-{secrets.token_hex(4)}"
    email = next((e for u, e, *_ in tx.people_table() if u == user_id), None)
    known = names_of(user.name, user.login, email)
    boards = tx.boards_of_person(user_id)
    for project_id in boards:
        # The name first: whoever leaves stays on a board that has votes of theirs.
        tx.emit(project_id, now, "person.renamed", {"user_id": user_id, "name": pseudonym})
        leases = tx.leases_of_user(project_id, user_id)
        release(tx, project_id, user_id, leases, "returned")
        leave(tx, project_id, user_id, now)
    if user.admin:
        tx.end_links(user_id, ("admin",), None)
    tx.forget_person(user_id, user.login, email, pseudonym)
    tx.end_webhooks(user_id)  # an admin's need no membership
    tx.add_erasure(user_id, pseudonym, known, now)
    return pseudonym, boards, tx.exports_naming(boards)


def land(tx: Tx, user_id: str) -> bool:
    """The transaction of one more chunk; whether there is more."""
    found = tx.erasure(user_id)
    if found is None:
        return False
    pseudonym, known, project_id, seq = found
    who = Erased(user_id, pseudonym, known)
    events = tx.raw_events(project_id, seq, CHUNK) if project_id else []
    for at, type, raw in events:
        if who.concerns(raw):
            body = who.out_of(type, msgspec.json.decode(raw))
            after = msgspec.json.encode(body).decode()
            if after != raw:
                tx.set_event_body(project_id, at, after)
    if events:
        tx.set_erasure(user_id, who.known, project_id, events[-1][0])
        return True
    if project_id:
        _texts(tx, project_id, who)
    further = tx.next_project(project_id)
    if further is None:
        tx.drop_erasure(user_id)
        return False
    tx.set_erasure(user_id, who.known, further, 0)
    return True


def _texts(tx: Tx, project_id: str, who: Erased) -> None:
    """Of one project, what else may name them."""
    for table, column, key, text in list(tx.texts_of_project(project_id)):
        if not who.concerns(text):
            continue
        if column == "body":
            body = who.out_of(table, msgspec.json.decode(text))
            after = msgspec.json.encode(body).decode()
        else:
            after = who.in_text(text)
        if after != text:
            tx.set_text(project_id, table, column, key, after)
    for seq, raw in tx.board_bodies(project_id):
        if not who.concerns(raw.decode()):
            continue
        board = who.out_of("board", msgspec.json.decode(raw))
        tx.set_board_body(project_id, seq, msgspec.json.encode(board))
