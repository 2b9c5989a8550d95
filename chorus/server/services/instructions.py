"""Instructions of a running project: their pictures, and who has read which revision.

A revision is made by every change that labelers should know of (`Projects.change`); their pages ask
once per revision for a word that it was read.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from chorus.server.clock import now_ms
from chorus.server.errors import ApiError
from chorus.server.formats.sniff import sniff
from chorus.server.services.accounts import CurrentUser
from chorus.server.services.prose import to_html
from chorus.server.storage.blobs import BlobStore
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

PICTURE_MAX = 8 << 20
PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
"""What every browser shows."""


class Instructions:
    def __init__(self, store: Store, blobs: BlobStore) -> None:
        self._store = store
        self._blobs = blobs

    async def confirm(self, user: CurrentUser, project_id: str, revision: int) -> dict[str, Any]:
        """The person has read a revision. Raises `ApiError`: bad_value for one that is not."""

        def fn(tx: Tx) -> None:
            project = tx.project(project_id)
            if project is None or not 1 <= revision <= project.instructions_rev:
                raise ApiError("bad_value", f"there is no revision {revision} of the instructions")
            if tx.read_revision(project_id, user.user_id) >= revision:
                return
            now = now_ms()
            tx.set_read(project_id, user.user_id, revision, now)
            body = {"user_id": user.user_id, "name": user.name, "revision": revision}
            tx.emit(project_id, now, "instructions.confirmed", body)

        await self._store.write(fn)
        return {"confirmed": revision}

    async def readers(self, project_id: str) -> dict[str, Any]:
        """`{"revision", "people": [{user_id, name, role, revision, at}]}`: how far every member has
        read; revision 0: what was there from the beginning."""

        def fn(tx: Tx) -> dict[str, Any]:
            project = tx.project(project_id)
            if project is None:
                raise ApiError("not_found", "no such project")
            read = tx.readers(project_id)
            people = []
            for member in tx.members(project_id):
                revision, at = read.get(member["user_id"], (0, None))
                who = {key: member[key] for key in ("user_id", "name", "role")}
                people.append({**who, "revision": revision, "at": at})
            return {"revision": project.instructions_rev, "people": people}

        return await self._store.read(fn)

    def preview(self, markdown: str) -> dict[str, str]:
        """`{"html"}` as labelers will see it."""
        return {"html": to_html(markdown)}

    async def add_picture(
        self, project_id: str, data: bytes, of: str = "projects"
    ) -> dict[str, str]:
        """Keep a picture: `{"url"}`. of: "drafts" where `project_id` is a draft's. Raises
        `ApiError`: too_large, bad_value."""
        if len(data) > PICTURE_MAX:
            raise ApiError("too_large", f"a picture has at most {PICTURE_MAX >> 20} MB")
        media_type = sniff(data[:132])
        if media_type not in PICTURE_TYPES:
            raise ApiError("bad_value", "a picture is a PNG, JPEG, WebP or GIF file")
        content_hash = await asyncio.to_thread(self._blobs.put_bytes, data)
        await self._store.write(
            lambda tx: tx.add_prose_picture(project_id, content_hash, str(media_type), now_ms())
        )
        return {"url": f"/api/{of}/{project_id}/pictures/{content_hash}"}

    async def picture(self, project_id: str, content_hash: str) -> tuple[Path, str]:
        """(file, media type). Raises `ApiError('not_found')`."""
        media_type = await self._store.read(lambda tx: tx.prose_picture(project_id, content_hash))
        if media_type is None:
            raise ApiError("not_found", "no such picture")
        try:
            return await asyncio.to_thread(self._blobs.path, content_hash, "o"), media_type
        except (FileNotFoundError, ValueError):
            raise ApiError("not_found", "no such picture") from None
