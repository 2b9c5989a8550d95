"""A project deleted for good: its rows, its rounds, and the files that no other project has.

Only an archived one, by its name typed out. It vanishes at once; its rows go chunk by chunk, and
what a stop of the server cuts off goes on at the next start. Features of pictures stay: they are
stored by content, for all projects together.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from chorus.server.errors import ApiError
from chorus.server.services.background import Tasks
from chorus.server.services.projects import Projects
from chorus.server.storage.blobs import BlobStore
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

ITEMS = 200
EVENTS = 2_000
"""Rows of one transaction: a vote waits behind one chunk at most."""


class Deleting:
    """`folders`: of each project, besides the database, by its id; `imported()` waits
    until no files are coming in: one of them may be the same as one that goes."""

    def __init__(
        self, store: Store, projects: Projects, blobs: BlobStore, folders: list[Path],
        imported: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._store = store
        self._projects = projects
        self._blobs = blobs
        self._folders = folders
        self._imported = imported
        self._tasks = Tasks[str]("deleting project %s failed")

    async def start(self) -> None:
        for project_id in await self._store.read(lambda tx: tx.deleted_projects()):
            self._wake(project_id)

    async def stop(self) -> None:
        await self._tasks.stop()

    async def delete(self, project_id: str, typed: str) -> None:
        """Raises `ApiError`: not_found, conflict (not archived, a job runs), bad_value (the name
        is another)."""

        def fn(tx: Tx) -> None:
            project = tx.project(project_id)
            if project is None or project.state == "deleting":
                raise ApiError("not_found", "no such project")
            if typed.strip() != project.name:
                raise ApiError("bad_value", f"type the project's name: {project.name}")
            if project.state != "archived":
                raise ApiError("conflict", "only an archived project can be deleted")
            if tx.busy(project_id):
                raise ApiError("conflict", "a round or an import is running; wait, or cancel it")
            if tx.lends(project_id):
                raise ApiError(
                    "conflict",
                    "another project shows pictures from a source of this one; give it that source"
                    " first",
                )
            tx.change_project(project_id, {"state": "deleting"})

        await self._store.write(fn)
        self._projects.drop(project_id)
        self._wake(project_id)

    def _wake(self, project_id: str) -> None:
        self._tasks.begin(project_id, lambda: self._run(project_id))

    async def _run(self, project_id: str) -> None:
        while await self._some(project_id):
            pass
        # Its row last: by it the next start knows that something is left.
        for folder in self._folders:
            await asyncio.to_thread(shutil.rmtree, folder / project_id, True)
        await self._store.persist(lambda tx: tx.delete_project(project_id))

    async def _some(self, project_id: str) -> bool:
        """One chunk; whether there is more. Its files go before its rows: a stop in between leaves
        rows that are looked at again, and no file that nobody knows of."""
        await self._imported()
        hashes = await self._store.read(lambda tx: tx.own_content(project_id, ITEMS))
        await asyncio.to_thread(self._remove, hashes)
        return await self._store.persist(lambda tx: tx.delete_some(project_id, ITEMS, EVENTS))

    def _remove(self, hashes: list[str]) -> None:
        for content_hash in hashes:
            self._blobs.remove(content_hash)
