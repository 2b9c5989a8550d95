"""Accounts, project and pictures of a simulation, by the public REST routes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from chorus.client import ChorusError, Rest
from chorus.client.messages import Job, Role, User

UPLOAD_FILES = 200
UPLOAD_BYTES = 16 << 20
"""An upload holds at most so many files and bytes."""


class ImportFailed(ChorusError):
    """The import job ended without success."""


async def add_person(
    admin: Rest, project_id: str, login: str, name: str, role: Role
) -> tuple[User, str]:
    """Make an account with membership; return it with a bearer token of its own."""
    password = secrets.token_urlsafe(16)
    user = await admin.create_user(login, name, password)
    await admin.set_member(project_id, user.user_id, role)
    async with Rest(admin.url) as own:
        await own.sign_in(login, password)
        return user, await own.create_token("simulate")


async def import_pictures(
    admin: Rest,
    project_id: str,
    folder: Path,
    *,
    upload: bool,
    on_progress: Callable[[Job], None] = lambda _: None,
) -> Job:
    """Bring a folder (absolute path) in and wait; `upload` if the server is on another machine.

    Raises `ImportFailed`, `ApiError`.
    """
    if not upload:
        job = await admin.import_folder(project_id, folder)
        return await follow(admin, project_id, job, on_progress)
    total: Job | None = None
    for batch in _batches(folder):
        job = await follow(admin, project_id, await admin.upload(project_id, batch), on_progress)
        if total is not None:
            job.added += total.added
            job.duplicates += total.duplicates
            job.faulty += total.faulty
            job.total += total.total
            job.errors = total.errors + job.errors
        total = job
    if total is None:
        raise ImportFailed(f"no files in {folder}")
    return total


async def follow(rest: Rest, project_id: str, job: Job, on_progress: Callable[[Job], None]) -> Job:
    """Poll a job until it has ended."""
    while job.state not in ("done", "failed"):
        await asyncio.sleep(0.1)
        job = await rest.job(project_id, job.job_id)
        on_progress(job)
    if job.state == "failed":
        raise ImportFailed(job.error or "the import failed")
    return job


def _batches(folder: Path) -> Iterator[Mapping[str, bytes]]:
    batch: dict[str, bytes] = {}
    size = 0
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        if batch and (len(batch) >= UPLOAD_FILES or size + len(content) > UPLOAD_BYTES):
            yield batch
            batch, size = {}, 0
        batch[path.relative_to(folder).as_posix()] = content
        size += len(content)
    if batch:
        yield batch
