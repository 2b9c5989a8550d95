"""Data sources of a project: made, tried, changed and removed by admins."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.model import Job
from chorus.server.domain.sources import (
    EVERY_MAX,
    EVERY_MIN,
    MINUTE_MS,
    Mode,
    Source,
    address_of,
    check_credentials,
    check_options,
)
from chorus.server.domain.tasks import is_text
from chorus.server.errors import ApiError
from chorus.server.formats.folder import IMAGE_SUFFIXES, TEXT_SUFFIXES
from chorus.server.formats.images import MAX_BYTES
from chorus.server.services.projects import Projects
from chorus.server.services.threads import Threads
from chorus.server.storage.guard import Guard
from chorus.server.storage.remote import Credentials, Remote, Trouble, open_remote
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx
from chorus.server.storage.vault import Unreadable, Vault

T = TypeVar("T")
THREADS = 8
"""Files on their way at once, of all sources; and as many for people who wait."""
LOOKED_AT = 20_000
"""Files that a test looks at, at most."""
EXAMPLES = 5
OBJECTS_MOST = 500


class NewSource(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    name: str = ""
    mode: Mode = "copy"
    endpoint: str = ""
    region: str = ""
    account: str = ""
    every_minutes: int | None = None
    credentials: Credentials = msgspec.field(default_factory=Credentials)


class SourceChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is absent stays. The address stays: another one is another source."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    mode: Mode | msgspec.UnsetType = msgspec.UNSET
    endpoint: str | msgspec.UnsetType = msgspec.UNSET
    region: str | msgspec.UnsetType = msgspec.UNSET
    account: str | msgspec.UnsetType = msgspec.UNSET
    every_minutes: int | msgspec.UnsetType | None = msgspec.UNSET
    credentials: Credentials | msgspec.UnsetType = msgspec.UNSET


class DataSources:
    def __init__(self, store: Store, projects: Projects, vault: Vault, guard: Guard) -> None:
        self._store = store
        self._projects = projects
        self._vault = vault
        self._guard = guard
        self._threads = Threads(THREADS)
        self._quick = Threads(THREADS)
        self.rescheduled: Callable[[], None] = lambda: None

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """A blocking call that waits for another server, in a thread of these only."""
        return await self._threads.run(function, *args)

    async def run_quick(self, function: Callable[..., T], *args: Any) -> T:
        """As `run`, for somebody who waits: not behind the files of a refresh."""
        return await self._quick.run(function, *args)

    # -- making and changing

    async def add(self, project_id: str, user_id: str, new: NewSource) -> dict[str, Any]:
        """Raises bad_value."""
        source = self.made(project_id, user_id, new, self.of_texts(project_id))

        def fn(tx: Tx) -> dict[str, Any]:
            tx.add_source(source)
            return _public(tx, source)

        added = await self._store.write(fn)
        self.rescheduled()
        return added

    def made(self, project_id: str, user_id: str, new: NewSource, text: bool) -> Source:
        """A source to be added. Raises bad_value."""
        source_id, now = secrets.token_hex(5), now_ms()
        every = _every_ms(new.every_minutes)
        source = Source(
            source_id, project_id, new.name.strip() or new.url.strip(), new.url.strip(), new.mode,
            new.endpoint.strip().rstrip("/"), new.region.strip(), new.account.strip(), None, every,
            None if every is None else now, None, user_id, now, None,
        )  # fmt: skip
        self._check(source, new.credentials, text)
        if new.credentials.given():
            source.secret = self._vault.seal(msgspec.json.encode(new.credentials), source_id)
        return source

    def _check(self, source: Source, credentials: Credentials | None, text: bool) -> None:
        """Raises bad_value for what can be known without asking there."""
        try:
            address = address_of(source.url)
            check_options(address.kind, source.region, source.account)
            if credentials is not None:
                check_credentials(address.kind, credentials.given())
            if source.endpoint and address.kind in ("gs", "file"):
                raise ValueError("endpoint: only s3:// and az:// can be on a server of one's own")
            if not 1 <= len(source.name) <= 200:
                raise ValueError("name: 1 to 200 characters")
            if source.mode == "reference" and text:
                raise ValueError("mode: texts are small, they are always copied in")
        except ValueError as error:
            raise ApiError("bad_value", str(error)) from None

    def of_texts(self, project_id: str) -> bool:
        return is_text(self._projects.schema(project_id).task_type)

    async def change(self, project_id: str, source_id: str, change: SourceChange) -> dict[str, Any]:
        """Raises not_found, bad_value."""
        given = {
            name: value
            for name in change.__struct_fields__
            if (value := getattr(change, name)) is not msgspec.UNSET
        }
        credentials: Credentials | None = given.pop("credentials", None)
        if "every_minutes" in given:
            given["every_ms"] = _every_ms(given.pop("every_minutes"))
            given["next_at"] = None if given["every_ms"] is None else now_ms()
        for name in ("name", "endpoint", "region", "account"):
            if name in given:
                given[name] = given[name].strip().rstrip("/" if name == "endpoint" else "")
        if credentials is not None:
            sealed = self._vault.seal(msgspec.json.encode(credentials), source_id)
            given["secret"] = sealed if credentials.given() else None

        def fn(tx: Tx) -> dict[str, Any]:
            source = _found(tx, project_id, source_id)
            before = source.mode
            elsewhere = any(
                name in given and given[name] != getattr(source, name)
                for name in ("endpoint", "account")
            )
            if elsewhere and source.secret is not None and credentials is None:
                # They were given for the other server, and nobody may read them back through it.
                raise ApiError("bad_value", "credentials: enter them again for another server")
            for name, value in given.items():
                setattr(source, name, value)
            self._check(source, credentials, self.of_texts(project_id))
            if given:
                tx.change_source(source_id, given)
            if before == "reference" and source.mode == "copy":
                tx.forget_originals(source_id)
            return _public(tx, source)

        changed = await self._store.write(fn)
        self.rescheduled()
        return changed

    async def remove(self, project_id: str, source_id: str) -> None:
        """Its items stay. Raises not_found, conflict."""

        def fn(tx: Tx) -> None:
            source = _found(tx, project_id, source_id)
            job = tx.job(source.last_job) if source.last_job else None
            if job is not None and job.state == "running":
                raise ApiError("conflict", "it is being read: cancel that first")
            held = tx.object_counts(source_id).get("in", 0)
            if source.mode == "reference" and held:
                raise ApiError(
                    "conflict",
                    f"{held} pictures are shown from it; choose “copy” and refresh it, then it can"
                    " be removed",
                )
            if left := tx.to_copy(source_id):
                raise ApiError(
                    "conflict",
                    f"{left} pictures are not copied yet: refresh it, then it can be removed",
                )
            tx.remove_source(source_id, now_ms())

        await self._store.write(fn)
        self.rescheduled()

    # -- looking

    async def list(self, project_id: str) -> list[dict[str, Any]]:
        return await self._store.read(
            lambda tx: [_public(tx, source) for source in tx.sources_of(project_id)]
        )

    async def get(self, project_id: str, source_id: str) -> dict[str, Any]:
        """Raises not_found."""
        return await self._store.read(lambda tx: _public(tx, _found(tx, project_id, source_id)))

    async def objects(
        self, project_id: str, source_id: str, state: str | None, after: str, limit: int
    ) -> dict[str, Any]:
        """What lies there as of the last refresh. Raises not_found."""
        limit = min(OBJECTS_MOST, max(1, limit))

        def fn(tx: Tx) -> dict[str, Any]:
            _found(tx, project_id, source_id)
            rows = tx.objects(source_id, state, after, limit)
            return {
                "objects": [
                    {"name": r.name, "size": r.size, "state": r.state, "reason": r.reason}
                    for r in rows
                ],
                "next": rows[-1].name if len(rows) == limit else None,
            }

        return await self._store.read(fn)

    # -- reaching it

    async def test(self, project_id: str, user_id: str, new: NewSource) -> dict[str, Any]:
        """Whether it would work: `{"ok", "message", "files", "others", "examples"}`; nothing is
        kept. Raises bad_value."""
        text = self.of_texts(project_id)
        return await self._test(self.made(project_id, user_id, new, text), text)

    async def test_for_draft(self, user_id: str, new: NewSource, text: bool) -> dict[str, Any]:
        """As `test`, of a project that is not made yet; text: it will have texts."""
        return await self._test(self.made("", user_id, new, text), text)

    async def test_kept(self, project_id: str, source_id: str) -> dict[str, Any]:
        """As `test`. Raises not_found."""
        source = await self._store.read(lambda tx: _found(tx, project_id, source_id))
        return await self._test(source, self.of_texts(project_id))

    async def _test(self, source: Source, text: bool) -> dict[str, Any]:
        try:
            return await self.run_quick(self._look, source, text)
        except Trouble as trouble:
            return _tested(False, _sentence(trouble.message))

    def _look(self, source: Source, text: bool) -> dict[str, Any]:
        remote = self.open(source)
        suffixes = TEXT_SUFFIXES if text else IMAGE_SUFFIXES
        names: list[str] = []
        files = others = 0
        for part in remote.listing():
            for found in part:
                if PurePosixPath(found.name).suffix.lower() in suffixes:
                    files += 1
                    names += [found.name] if len(names) < EXAMPLES else []
                else:
                    others += 1
            if files + others >= LOOKED_AT:
                break
        kind = "text files" if suffixes is TEXT_SUFFIXES else "pictures"
        if not files:
            what = f"{others} files, but none of a known kind" if others else "nothing"
            wanted = " ".join(sorted(suffixes))
            return _tested(False, f"It can be read, and holds {what} ({wanted}).", 0, others)
        self._try(remote, names[0])
        more = "or more " if files + others >= LOOKED_AT else ""
        return _tested(True, f"It works: {files:,} {more}{kind}.", files, others, names)

    def _try(self, remote: Remote, name: str) -> None:
        """Being allowed to list is not being allowed to read. Raises `Trouble`."""
        with tempfile.TemporaryDirectory(prefix="chorus-") as folder:
            remote.fetch(name, Path(folder) / "file", MAX_BYTES)

    def open(self, source: Source) -> Remote:
        """Blocks. Raises `Trouble`."""
        credentials = Credentials()
        if source.secret is not None:
            try:
                sealed = self._vault.open(source.secret, source.source_id)
                credentials = msgspec.json.decode(sealed, type=Credentials)
            except (Unreadable, msgspec.DecodeError):
                raise Trouble(
                    "wrong",
                    "its credentials cannot be read: the key file of the data folder is another"
                    " one; enter them again",
                ) from None
        return open_remote(
            address_of(source.url), source.endpoint, source.region, source.account, credentials,
            self._guard,
        )  # fmt: skip


def _every_ms(minutes: int | None) -> int | None:
    if minutes is None:
        return None
    if not EVERY_MIN <= minutes <= EVERY_MAX:
        raise ApiError("bad_value", f"every_minutes: {EVERY_MIN} to {EVERY_MAX}, or null")
    return minutes * MINUTE_MS


def _found(tx: Tx, project_id: str, source_id: str) -> Source:
    source = tx.source(source_id)
    if source is None or source.project_id != project_id:
        raise ApiError("not_found", "no such source")
    return source


def _public(tx: Tx, source: Source) -> dict[str, Any]:
    """Source JSON. Of its credentials only whether there are any."""
    job = tx.job(source.last_job) if source.last_job else None
    return {
        "source_id": source.source_id,
        "name": source.name,
        "url": source.url,
        "mode": source.mode,
        "endpoint": source.endpoint,
        "region": source.region,
        "account": source.account,
        "has_credentials": source.secret is not None,
        "every_minutes": None if source.every_ms is None else source.every_ms // MINUTE_MS,
        "next_at": source.next_at,
        "objects": tx.object_counts(source.source_id),
        "last": None if job is None else public_refresh(job),
        "created_at": source.created_at,
    }


def public_refresh(job: Job) -> dict[str, Any]:
    """Refresh JSON."""
    counts = msgspec.json.decode(job.result) if job.result else {}
    return {
        **counts,
        "job_id": job.job_id,
        "state": job.state,
        "progress": job.progress,
        "error": job.error,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def _tested(
    ok: bool, message: str, files: int = 0, others: int = 0, examples: Any = ()
) -> dict[str, Any]:
    return {
        "ok": ok, "message": message, "files": files, "others": others, "examples": list(examples),
    }  # fmt: skip


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")
