"""Photos a second, from a folder to items that can be labeled."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Any

from bench import pictures
from chorus.client import Rest
from chorus.client.process import ServerProcess
from chorus.simulate.setup import import_pictures

PHOTOS = 1000


async def import_photos(folder: Path) -> dict[str, Any]:
    """Import generated photos of 256 px; the model is off, so that only the import is measured."""
    photos = pictures.photos(folder / "photos", PHOTOS)
    process = ServerProcess(folder / "import-data")
    token = process.add_user("admin", "Admin", admin=True)
    await process.start()
    try:
        async with Rest(process.url, token) as admin:
            project = await admin.create_project(
                "Bench", ["yes", "no"], cluster=False, prelabel=False
            )
            started = monotonic()
            job = await import_pictures(admin, project.project_id, photos, upload=False)
            seconds = monotonic() - started
    finally:
        await process.stop()
    return {"photos": job.added, "seconds": round(seconds, 2), "per_s": round(job.added / seconds)}
