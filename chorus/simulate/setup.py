"""Accounts and pictures of a simulation, by the public REST routes."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from chorus.client import Rest
from chorus.client.messages import Job, Role, User
from chorus.client.upload import follow, upload_folder


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
    if upload:
        return await upload_folder(admin, project_id, folder, on_progress)
    job = await admin.import_folder(project_id, folder)
    return await follow(admin, project_id, job, on_progress)
