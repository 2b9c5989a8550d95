"""Accounts, pictures and texts of a simulation, by the public REST routes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from chorus.client import Rest
from chorus.client.messages import Job, Role, User
from chorus.client.upload import follow, upload_folder
from chorus.simulate.texts import without_labels


async def add_person(
    admin: Rest, project_id: str, login: str, name: str, role: Role
) -> tuple[User, str]:
    """Make an account with membership; return it with a bearer token of its own.

    By a sign-in link: hashing passwords is slow on purpose.
    """
    user = await admin.create_user(login, name)
    await admin.set_member(project_id, user.user_id, role)
    async with Rest(admin.url) as own:
        await own.sign_in_by(await admin.signin_link(user.user_id))
        return user, await own.create_token("simulate")


async def import_pictures(
    admin: Rest,
    project_id: str,
    folder: Path,
    *,
    upload: bool,
    on_progress: Callable[[Job], None] = lambda _: None,
) -> Job:
    """Bring a folder (absolute path) in and wait, without labels that a table in it may have;
    `upload` if the server is on another machine.

    Raises `ImportFailed`, `ApiError`.
    """
    if upload:
        return await upload_folder(admin, project_id, folder, on_progress, tables=False)
    job = await admin.import_folder(project_id, folder)
    return await follow(admin, project_id, job, on_progress)


async def import_texts(
    admin: Rest,
    project_id: str,
    table: Path,
    *,
    upload: bool,
    on_progress: Callable[[Job], None] = lambda _: None,
) -> Job:
    """Bring the texts of a table in, without the labels it may have; as `import_pictures`."""
    with tempfile.TemporaryDirectory(prefix="chorus-texts-") as folder:
        bare = without_labels(table, Path(folder) / "texts.csv")
        if upload:
            with bare.open("rb") as file:
                job = await admin.upload(project_id, {bare.name: file})
        else:
            job = await admin.import_csv(project_id, bare)
        return await follow(admin, project_id, job, on_progress)
