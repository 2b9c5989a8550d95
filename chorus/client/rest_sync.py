"""The REST routes, typed. One method per route a program needs; `request` reaches the rest."""

# Made from rest.py by `python -m scripts.sync_client`; change that, not this.
from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

import httpx
import msgspec

from chorus.client.answers import (
    Assignment,
    Assignments,
    Erased,
    Events,
    Item,
    Items,
    LogEvent,
    Refresh,
    Source,
    Sources,
    SourceTest,
    Team,
    Teams,
)
from chorus.client.errors import ApiError, JobFailed
from chorus.client.messages import (
    Answer,
    Export,
    Job,
    LabelImport,
    Pace,
    Project,
    Role,
    RoundStats,
    Stats,
    User,
    wire_value,
)

T = TypeVar("T")
Waited = TypeVar("Waited", Job, Export)
ENDED = ("done", "failed")
POLL_FIRST_S, POLL_GROWTH, POLL_MOST_S = 0.01, 1.5, 1.0
"""Pauses between two looks at a job: a small one is over in a moment, a large one takes long."""
LISTEN_S = 25.0
"""Most that one request waits for events."""


class SyncRest:
    """REST client of one person, without asyncio, by bearer token.

    Every method raises `ApiError` when the server refuses and `httpx.TransportError` when it
    cannot be reached.
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 60.0) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self._timeout = timeout
        # Origin: what a browser sends of itself; needed where a session cookie is used.
        headers = {"Origin": self.url}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(
            base_url=self.url, headers=headers, timeout=timeout, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any route; `options` as httpx takes them (`json`, `params`, `files` …)."""
        response = self._http.request(method, path, **options)
        if response.is_error:
            raise _error(response)
        return response

    def _get(self, path: str, kind: type[T], **params: Any) -> T:
        query = {k: v for k, v in params.items() if v is not None}
        response = self.request("GET", path, params=query)
        return msgspec.json.decode(response.content, type=kind)

    def _send(self, method: str, path: str, body: Any, kind: type[T]) -> T:
        response = self.request(method, path, json=body)
        return msgspec.json.decode(response.content, type=kind)

    def _ended(self, path: str, one: Waited, what: str) -> Waited:
        """A job or an export once it has ended. Raises `JobFailed`."""
        wait = POLL_FIRST_S
        while one.state not in ENDED:
            time.sleep(wait)
            wait = min(wait * POLL_GROWTH, POLL_MOST_S)
            one = self._get(path, type(one))
        if one.state == "failed":
            raise JobFailed(one.error or f"the {what} failed")
        return one

    # -- people

    def sign_in(self, login: str, password: str) -> User:
        """Sign in as a browser does; the session cookie stays with this client."""
        answer = self._send(
            "POST", "/api/session", {"login": login, "password": password}, dict[str, User]
        )
        return answer["user"]

    def sign_in_by(self, link: str) -> None:
        """Open a sign-in link as a browser does; the session cookie stays with this client."""
        self.request("GET", link)

    def create_token(self, name: str) -> str:
        """A bearer token that acts as the signed-in person."""
        answer = self._send("POST", "/api/tokens", {"name": name}, dict[str, Any])
        return str(answer["token"])

    def create_user(
        self, login: str, name: str, password: str | None = None, *, admin: bool = False
    ) -> User:
        """A new account; without a password they sign in by links (`signin_link`)."""
        body = {"login": login, "name": name, "password": password, "admin": admin}
        return self._send("POST", "/api/users", body, User)

    def me(self) -> User:
        return msgspec.convert((self._get("/api/me", dict[str, Any]))["user"], User)

    def users(self) -> list[User]:
        return (self._get("/api/users", dict[str, list[User]]))["users"]

    def erase_user(self, user_id: str, login: str) -> Erased:
        """Erase a person; their votes stay under a pseudonym. `login`: theirs, to be sure."""
        return self._send("POST", f"/api/users/{user_id}/erase", {"login": login}, Erased)

    def signin_link(self, user_id: str) -> str:
        """A link that signs this person in, once."""
        answer = self._send("POST", f"/api/users/{user_id}/signin-link", {}, dict[str, Any])
        return str(answer["url"])

    def change_user(
        self, user_id: str, *, name: str | None = None, admin: bool | None = None
    ) -> None:
        """Rename a person, make them an admin or none."""
        body = {"name": name, "admin": admin}
        self.request("PATCH", f"/api/users/{user_id}", json=body)

    def teams(self) -> list[Team]:
        return (self._get("/api/teams", Teams)).teams

    def add_team(self, name: str) -> Team:
        found = self._send("POST", "/api/teams", {"name": name}, Teams)
        return next(team for team in found.teams if team.name == name.strip())

    def drop_team(self, team_id: str) -> None:
        """Its people leave the projects in which they were by this team alone."""
        self.request("DELETE", f"/api/teams/{team_id}")

    def set_team_person(self, team_id: str, user_id: str, there: bool = True) -> None:
        """Take a person into a team, or out of it."""
        path = f"/api/teams/{team_id}/people/{user_id}"
        self.request("PUT" if there else "DELETE", path)

    def set_team_role(self, project_id: str, team_id: str, role: Role | None) -> None:
        """What a team is in a project; None: not in it."""
        path = f"/api/projects/{project_id}/teams/{team_id}"
        if role is None:
            self.request("DELETE", path)
        else:
            self.request("PUT", path, json={"role": role})

    def set_member(self, project_id: str, user_id: str, role: Role) -> None:
        self.request(
            "PUT", f"/api/projects/{project_id}/members", json={"user_id": user_id, "role": role}
        )

    # -- projects

    def projects(self) -> list[Project]:
        return (self._get("/api/projects", dict[str, list[Project]]))["projects"]

    def project(self, project_id: str) -> Project:
        return self._get(f"/api/projects/{project_id}", Project)

    def create_project(self, name: str, classes: Sequence[str], **settings: Any) -> Project:
        """`settings`: description, instructions, votes_min, votes_max, target, page_size …"""
        body = {"name": name, "classes": list(classes), **settings}
        return self._send("POST", "/api/projects", body, Project)

    def change_project(self, project_id: str, **changes: Any) -> Project:
        return self._send("PATCH", f"/api/projects/{project_id}", changes, Project)

    def clone_project(self, project_id: str, name: str, *, items: bool = False) -> Project:
        """A copy under another name; with `items` paused until its pictures or texts are there."""
        body = {"name": name, "items": items}
        return self._send("POST", f"/api/projects/{project_id}/clone", body, Project)

    def delete_project(self, project_id: str, name: str) -> None:
        """An archived one, for good. `name`: its name, typed out."""
        self.request("DELETE", f"/api/projects/{project_id}", json={"name": name})

    # -- items for some people

    def assignments(self, project_id: str) -> list[Assignment]:
        return (self._get(f"/api/projects/{project_id}/assignments", Assignments)).assignments

    def assign(
        self, project_id: str, *, people: Sequence[str] = (), teams: Sequence[str] = (),
        only: bool = False, text: str = "", guess: str | None = None, share: float = 1.0,
        later: bool = False,
    ) -> list[Assignment]:  # fmt: skip
        """Give open items to some people (ids) and teams first, or to them `only`: those with
        `text` in their name, of which the model says `guess` (a class), or a `share` of them
        (0..1); `later`: also what is brought in later. Returns all assignments; the items follow
        in the background (`state`)."""
        body = {
            "people": list(people), "teams": list(teams), "only": only, "text": text,
            "guess": guess, "share": share, "later": later,
        }  # fmt: skip
        path = f"/api/projects/{project_id}/assignments"
        return (self._send("POST", path, body, Assignments)).assignments

    def reassign(
        self, project_id: str, number: int, *, people: Sequence[str] = (),
        teams: Sequence[str] = (),
    ) -> list[Assignment]:  # fmt: skip
        """Give an assignment's items to others."""
        body = {"people": list(people), "teams": list(teams)}
        path = f"/api/projects/{project_id}/assignments/{number}"
        return (self._send("PATCH", path, body, Assignments)).assignments

    def end_assignment(self, project_id: str, number: int) -> None:
        """Its items are everybody's again."""
        self.request("DELETE", f"/api/projects/{project_id}/assignments/{number}")

    def stats(self, project_id: str) -> Stats:
        return self._get(f"/api/projects/{project_id}/stats", Stats)

    def pace(self, project_id: str) -> Pace:
        """What each way of working costs, and how clusters turn out."""
        return self._get(f"/api/projects/{project_id}/pace", Pace)

    def quality(self, project_id: str) -> dict[str, Any]:
        """How people do, and how far they agree (docs/protocol.md, `quality`)."""
        return self._get(f"/api/projects/{project_id}/quality", dict[str, Any])

    # -- data in

    # `columns`: of tables of texts, the columns that people see; all but names and labels if None.

    def import_folder(
        self, project_id: str, folder: Path | str, *, columns: Sequence[str] | None = None
    ) -> Job:
        """Import a folder (absolute path on the server's machine). Returns at once; see `job`."""
        body = {"folder": str(folder), "columns": columns}
        return self._send("POST", f"/api/projects/{project_id}/import", body, Job)

    def import_csv(
        self, project_id: str, csv: Path | str, *, gold: bool = False,
        columns: Sequence[str] | None = None,
    ) -> Job:  # fmt: skip
        """Import by a CSV (absolute path there) with a column of paths and maybe labels; for texts
        the rows themselves (CSV, TSV or JSON Lines).

        `gold`: the labels are right, and people are checked against them; a column `gold` says
        so of single rows."""
        body = {"csv": str(csv), "gold": gold, "columns": columns}
        return self._send("POST", f"/api/projects/{project_id}/import", body, Job)

    def upload(
        self, project_id: str, files: Mapping[str, bytes | BinaryIO], *, gold: bool = False,
        columns: Sequence[str] | None = None,
    ) -> Job:  # fmt: skip
        """Send files (name -> content, or open file) to the project. Returns at once; see `job`.
        `gold`: as of `import_csv`."""
        parts = [("files", (name, content)) for name, content in files.items()]
        fields: dict[str, Any] = {"gold": "1"} if gold else {}
        if columns:
            fields["columns"] = list(columns)
        response = self.request(
            "POST", f"/api/projects/{project_id}/upload", files=parts, data=fields
        )
        return msgspec.json.decode(response.content, type=Job)

    def sources(self, project_id: str) -> list[Source]:
        """Places that the project's data is read from, again and again."""
        return (self._get(f"/api/projects/{project_id}/sources", Sources)).sources

    def source(self, project_id: str, source_id: str) -> Source:
        return self._get(f"/api/projects/{project_id}/sources/{source_id}", Source)

    def add_source(self, project_id: str, source: Mapping[str, Any]) -> Source:
        """`source`: url, name, mode, endpoint, region, account, every_minutes, credentials (see
        docs/protocol.md). One with `every_minutes` is read at once."""
        return self._send("POST", f"/api/projects/{project_id}/sources", source, Source)

    def test_source(self, project_id: str, source: Mapping[str, Any] | str) -> SourceTest:
        """Can a source be read? One that is there (its id), or one as `add_source` takes it."""
        if isinstance(source, str):
            path = f"/api/projects/{project_id}/sources/{source}/test"
            return self._send("POST", path, {}, SourceTest)
        path = f"/api/projects/{project_id}/sources/test"
        return self._send("POST", path, source, SourceTest)

    def refresh_source(self, project_id: str, source_id: str) -> Refresh:
        """Read a source now. Returns at once; `source` says how far it is."""
        path = f"/api/projects/{project_id}/sources/{source_id}/refresh"
        return self._send("POST", path, {}, Refresh)

    def job(self, project_id: str, job_id: str) -> Job:
        return self._get(f"/api/projects/{project_id}/jobs/{job_id}", Job)

    def wait_for_job(self, project_id: str, job: Job) -> Job:
        """The import once it has ended. Raises `JobFailed`."""
        job_id = job.job_id
        return self._ended(f"/api/projects/{project_id}/jobs/{job_id}", job, "import")

    # -- items

    def items(self, project_id: str, state: str | None = None) -> Iterator[Item]:
        """All items (in that state), page by page as they are needed; without their votes."""
        after: int | None = None
        while True:
            page = self._get(
                f"/api/projects/{project_id}/items", Items, state=state, after=after, limit=200
            )
            for item in page.items:
                yield item
            if page.next is None:
                return
            after = page.next

    def item(self, project_id: str, item_id: int) -> Item:
        """One item, with its votes."""
        return self._get(f"/api/projects/{project_id}/items/{item_id}", Item)

    def media(self, project_id: str, content_hash: str, size: str = "o") -> bytes:
        """A picture's file (`size`: "s" at most 256 px, "m" 1,024 px, "o" as it came), or a text
        as JSON. `content_hash` is a column of export.csv."""
        return (self.request("GET", f"/media/{project_id}/{content_hash}/{size}")).content

    # -- events

    def events(
        self, project_id: str, since: int | None = None, *, follow: bool = True
    ) -> Iterator[LogEvent]:
        """What happens in a project, in order, from the event after `since` on (0: the first;
        None: from now), for good, or with `follow` false up to now.

        None is missed and none comes twice; keep the `seq` of the last one to go on from there
        later, in another program too.
        """
        path = f"/api/projects/{project_id}/events"
        wait_ms = int(min(LISTEN_S, self._timeout / 2) * 1000) if follow else 0
        if since is None:
            since = (self._get(path, Events, since=-1)).next
        while True:
            found = self._get(path, Events, since=since, limit=500, wait_ms=wait_ms)
            for event in found.events:
                yield event
            since = found.next
            if not found.events and not follow:
                return

    # -- model, review, data out

    def train(self, project_id: str) -> None:
        self.request("POST", f"/api/projects/{project_id}/train", json={})

    def rounds(self, project_id: str) -> list[RoundStats]:
        """Every round of the model, oldest first."""
        path = f"/api/projects/{project_id}/rounds"
        return (self._get(path, dict[str, list[RoundStats]]))["rounds"]

    def round_card(self, project_id: str, number: int) -> dict[str, Any]:
        """A round's threshold card, jobs and whether its model can be downloaded."""
        return self._get(f"/api/projects/{project_id}/rounds/{number}/card", dict[str, Any])

    def job_log(self, project_id: str, number: int, kind: str) -> str:
        """The end of what a round's job (`featurize`, `train` …) printed."""
        path = f"/api/projects/{project_id}/rounds/{number}/jobs/{kind}/log"
        return str((self._get(path, dict[str, Any]))["log"])

    def cancel_round(self, project_id: str) -> None:
        """End the running round; returns when it has ended."""
        self.request("POST", f"/api/projects/{project_id}/rounds/cancel", json={})

    def retry_round(self, project_id: str, number: int) -> None:
        """Another round in place of the newest one, which failed or was cancelled."""
        self.request("POST", f"/api/projects/{project_id}/rounds/{number}/retry", json={})

    def review(
        self, project_id: str, item_id: int, action: str, answer: Answer | None = None,
        seen: int | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """`seen`: seq of the newest decision you know of (0: none); a newer one is a conflict."""
        body: dict[str, Any] = {"action": action}
        if seen is not None:
            body["seen"] = seen
        if answer is not None:
            body["value"] = wire_value(answer)
        path = f"/api/projects/{project_id}/items/{item_id}/review"
        return self._send("POST", path, body, dict[str, Any])

    def mark_gold(
        self, project_id: str, item_ids: Sequence[int], gold: bool = True
    ) -> dict[str, Any]:
        """Make labeled items gold (or ordinary again): `{"done", "refused"}`."""
        body = {"item_ids": list(item_ids), "gold": gold}
        return self._send("POST", f"/api/projects/{project_id}/gold", body, dict[str, Any])

    def note_gold(self, project_id: str, item_id: int, text: str) -> dict[str, Any]:
        """Say something of a gold item to whoever practises on it; "" takes it back."""
        path = f"/api/projects/{project_id}/gold/{item_id}/note"
        return self._send("PUT", path, {"text": text}, dict[str, Any])

    def practise_again(self, project_id: str, user_id: str) -> int:
        """Let a person practise before their next page; how often they then were asked to."""
        path = f"/api/projects/{project_id}/people/{user_id}/practice"
        return int((self._send("POST", path, {}, dict[str, Any]))["run"])

    def note(
        self, project_id: str, text: str, *, item_id: int | None = None, to: str | None = None
    ) -> dict[str, Any]:
        """Write a note to all labelers, or a message to the person `to` (a user_id) alone."""
        body = {"text": text, "item_id": item_id, "to": to}
        answer = self._send("POST", f"/api/projects/{project_id}/notes", body, dict[str, Any])
        return dict(answer["note"])

    # -- exports to keep

    def begin_export(
        self, project_id: str, format: str, *, filter: Mapping[str, Any] | None = None,
        people: str = "logins", content: bool = True,
    ) -> Export:  # fmt: skip
        """Ask for an export of one moment. Returns at once; see `past_export`, and `download`
        with `exports/ID/file`. `filter`: as of docs/protocol.md, `review.list`."""
        body = {"format": format, "filter": filter or {}, "people": people, "content": content}
        return self._send("POST", f"/api/projects/{project_id}/exports", body, Export)

    def wait_for_export(self, project_id: str, export: Export) -> Export:
        """The export once it is made, with its manifest. Raises `JobFailed`."""
        export_id = export.export_id
        path = f"/api/projects/{project_id}/exports/{export_id}"
        return self._ended(path, export, "export")

    def past_exports(self, project_id: str) -> list[Export]:
        """Newest first."""
        answer = self._get(f"/api/projects/{project_id}/exports", dict[str, Any])
        return msgspec.convert(answer["exports"], list[Export])

    def past_export(self, project_id: str, export_id: str) -> Export:
        """With its manifest."""
        return self._get(f"/api/projects/{project_id}/exports/{export_id}", Export)

    def delete_export(self, project_id: str, export_id: str) -> None:
        self.request("DELETE", f"/api/projects/{project_id}/exports/{export_id}")

    # -- labels from elsewhere

    def begin_label_import(
        self, project_id: str, name: str, content: bytes | BinaryIO, kind: str, **options: Any
    ) -> LabelImport:
        """Send a file of labels to be looked through (a dry run). Returns at once; see
        `label_import`. kind: labels, votes or prelabels. `options`: person, people, existing
        (keep or replace), blind (docs/exports-and-imports.md)."""
        response = self.request(
            "POST", f"/api/projects/{project_id}/label-imports",
            files=[("file", (name, content))],
            data={"options": msgspec.json.encode({"kind": kind, **options}).decode()},
        )  # fmt: skip
        return msgspec.json.decode(response.content, type=LabelImport)

    def label_imports(self, project_id: str) -> list[LabelImport]:
        """Newest first."""
        path = f"/api/projects/{project_id}/label-imports"
        return (self._get(path, dict[str, list[LabelImport]]))["imports"]

    def label_import(self, project_id: str, import_id: str) -> LabelImport:
        """With the lines that cannot be used."""
        path = f"/api/projects/{project_id}/label-imports/{import_id}"
        return self._get(path, LabelImport)

    def apply_label_import(
        self, project_id: str, import_id: str, *, add_classes: bool = False,
        add_people: bool = False, leave_out: bool = False,
    ) -> LabelImport:  # fmt: skip
        """Let it in. What is missing may be made; lines that cannot be used may be left out."""
        path = f"/api/projects/{project_id}/label-imports/{import_id}/apply"
        body = {"add_classes": add_classes, "add_people": add_people, "leave_out": leave_out}
        return self._send("POST", path, body, LabelImport)

    def delete_label_import(self, project_id: str, import_id: str) -> None:
        """Forget it; what it brought in stays."""
        self.request("DELETE", f"/api/projects/{project_id}/label-imports/{import_id}")

    @contextmanager
    def download(self, project_id: str, name: str) -> Iterator[Iterator[bytes]]:
        """Stream `export.csv`, `votes.csv`, `export.json`, `features.zip`, a past export,
        `exports/ID/file`, or a round's model, `rounds/3/model.zip`, in chunks, in constant memory.

        >>> with rest.download(project_id, "votes.csv") as chunks:   # doctest: +SKIP
        ...     for chunk in chunks: ...
        """
        path = f"/api/projects/{project_id}/{name}"
        with self._http.stream("GET", path) as response:
            if response.is_error:
                response.read()
                raise _error(response)
            yield response.iter_bytes()

    def export(self, project_id: str, name: str) -> str:
        """`download`, whole, as text."""
        with self.download(project_id, name) as chunks:
            return b"".join([chunk for chunk in chunks]).decode()


def _error(response: httpx.Response) -> ApiError:
    try:
        error = response.json()["error"]
        return ApiError(
            error["code"],
            error["message"],
            retry=bool(error.get("retry")),
            status=response.status_code,
        )
    except (ValueError, KeyError, TypeError):
        return ApiError("internal", response.text[:200], status=response.status_code)
