"""A list of people to invite: pasted, or a table (CSV, TSV)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from typing import NamedTuple

from chorus.server.formats.tables import separator_of

LINES_MAX = 1000
LOGIN = re.compile(r"[\w.@+-]{1,64}")
EMAIL = re.compile(r"[^@\s,;]{1,64}@[^@\s,;]{1,190}")
ROLES = ("labeler", "supervisor")
COLUMNS = {
    "login": "login", "user": "login", "username": "login",
    "name": "name",
    "email": "email", "e-mail": "email", "mail": "email",
    "role": "role",
    "project": "project",
}  # fmt: skip
ORDER = ("login", "name", "role", "project")
"""What the cells of a line are where no first line names them."""


class Invitee(NamedTuple):
    line: int
    """From 1."""
    login: str
    name: str
    email: str | None
    role: str
    project_id: str


class Fault(NamedTuple):
    line: int
    message: str


def read_people(
    text: str, projects: Mapping[str, str], role: str, project_id: str | None
) -> tuple[list[Invitee], list[Fault]]:
    """The people of a list, and what is wrong with it, by line.

    `projects`: id -> name of those that may be named. `role` and `project_id` are for lines
    without their own. A first line of column names may give another order than login, name, role,
    project. An e-mail address does for a login.
    """
    lines = text.lstrip("\ufeff").splitlines()
    separator = separator_of((lines or [""])[0])
    people: list[Invitee] = []
    faults: list[Fault] = []
    order: tuple[str | None, ...] = ORDER
    seen: set[tuple[str, str]] = set()
    begun = False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        cells = [c.strip() for c in next(csv.reader(io.StringIO(line), delimiter=separator))]
        first, begun = not begun, True
        named = tuple(COLUMNS.get(c.lower()) for c in cells)
        if first and ("login" in named or "email" in named):
            order = named
            continue
        given = {key: cell for key, cell in zip(order, cells, strict=False) if key and cell}
        found = _invitee(number, given, projects, role, project_id)
        if isinstance(found, Invitee) and (found.login, found.project_id) in seen:
            found = Fault(number, f"{found.login} is here twice for this project")
        if isinstance(found, Fault):
            faults.append(found)
        else:
            seen.add((found.login, found.project_id))
            people.append(found)
    if len(people) > LINES_MAX:
        faults.append(Fault(people[LINES_MAX].line, f"at most {LINES_MAX} people at once"))
    return people, faults


def _invitee(
    line: int,
    given: Mapping[str, str],
    projects: Mapping[str, str],
    role: str,
    project_id: str | None,
) -> Invitee | Fault:
    email = given.get("email")
    login = given.get("login") or email or ""
    if email is None and EMAIL.fullmatch(login):
        email = login
    if not login:
        return Fault(line, "no login and no e-mail address")
    if not LOGIN.fullmatch(login):
        return Fault(line, f"{login!r} is no login: 1 to 64 letters, digits or . _ - @ +")
    if email is not None and not EMAIL.fullmatch(email):
        return Fault(line, f"{email!r} is no e-mail address")
    name = given.get("name", login)
    if len(name) > 100:
        return Fault(line, "a name has at most 100 characters")
    role = given.get("role", role).lower()
    if role not in ROLES:
        return Fault(line, f"{role!r} is no role: labeler or supervisor")
    wanted = given.get("project", project_id)
    if wanted is None:
        return Fault(line, "no project")
    ids = [p for p, named in projects.items() if wanted in (p, named)]
    if not ids:
        return Fault(line, f"there is no project {wanted!r} that you invite to")
    if len(ids) > 1:
        return Fault(line, f"several projects are called {wanted!r}: use its id")
    return Invitee(line, login, name, email, role, ids[0])
