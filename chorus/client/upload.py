"""Following an import job, and sending a whole folder in uploads of bearable size."""

from __future__ import annotations

import asyncio
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from chorus.client.errors import JobFailed
from chorus.client.messages import Job
from chorus.client.rest import Rest

UPLOAD_FILES = 200
UPLOAD_BYTES = 16 << 20
"""An upload holds at most so many files and bytes."""
TABLES = (".csv", ".tsv")
"""They may name the other files: all of these go in one upload, as a zip."""

POLL_FIRST_S, POLL_GROWTH, POLL_MOST_S = 0.01, 1.5, 0.2
"""Pauses between two looks at a job: a small import is over in a moment, a large one takes long."""

_NOT_IN_FORMS = re.compile(r'["\x00-\x1f]')
"""Characters that forms write as %22 and the like, which nothing tells from a name with these."""

OnProgress = Callable[[Job], None]


class ImportFailed(JobFailed):
    """The import job ended without success."""


async def follow(
    rest: Rest, project_id: str, job: Job, on_progress: OnProgress = lambda _: None
) -> Job:
    """Poll a job until it has ended, soon at first. Raises `ImportFailed`, `ApiError`."""
    wait = POLL_FIRST_S
    while job.state not in ("done", "failed"):
        await asyncio.sleep(wait)
        wait = min(wait * POLL_GROWTH, POLL_MOST_S)
        job = await rest.job(project_id, job.job_id)
        on_progress(job)
    if job.state == "failed":
        raise ImportFailed(job.error or "the import failed")
    return job


async def upload_folder(
    rest: Rest, project_id: str, folder: Path, on_progress: OnProgress = lambda _: None,
    *, gold: bool = False, columns: Sequence[str] | None = None, tables: bool = True,
) -> Job:  # fmt: skip
    """Send every file of a folder; the job returned sums all uploads up. `gold`: the labels of a
    CSV among them are; `columns`: of tables of texts, the columns to show; `tables`: else they, and
    the labels in them, stay here.

    Raises `ImportFailed`, `ApiError`.
    """
    files = _files(folder)
    if not tables:
        files = [path for path in files if path.suffix.lower() not in TABLES]
    elif any(path.suffix.lower() in TABLES for path in files):
        with tempfile.TemporaryFile() as packed:
            await asyncio.to_thread(_pack, folder, files, packed)
            sent = await rest.upload(project_id, {"folder.zip": packed}, gold=gold, columns=columns)
            return await follow(rest, project_id, sent, on_progress)
    total: Job | None = None
    for batch in _batches(folder, files):
        sent = await rest.upload(project_id, batch, gold=gold, columns=columns)
        job = await follow(rest, project_id, sent, on_progress)
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


def _files(folder: Path) -> list[Path]:
    """Without hidden ones and those in hidden folders, which come in from nowhere."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    ]


def _pack(folder: Path, files: Sequence[Path], target: BinaryIO) -> None:
    # As they are: pictures do not get smaller.
    with zipfile.ZipFile(target, "w", strict_timestamps=False) as out:
        for path in files:
            out.write(path, path.relative_to(folder).as_posix())
    target.seek(0)


def _batches(folder: Path, files: Sequence[Path]) -> Iterator[Mapping[str, bytes | BinaryIO]]:
    odd = [p for p in files if _NOT_IN_FORMS.search(p.relative_to(folder).as_posix())]
    if odd:
        with tempfile.TemporaryFile() as packed:
            _pack(folder, odd, packed)
            yield {"folder.zip": packed}
    batch: dict[str, bytes | BinaryIO] = {}
    size = 0
    for path in sorted(set(files) - set(odd)):
        content = path.read_bytes()
        if batch and (len(batch) >= UPLOAD_FILES or size + len(content) > UPLOAD_BYTES):
            yield batch
            batch, size = {}, 0
        batch[path.relative_to(folder).as_posix()] = content
        size += len(content)
    if batch:
        yield batch
