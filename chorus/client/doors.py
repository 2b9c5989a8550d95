"""Exports and imports of labels from beginning to end: ask, wait, and say how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chorus.client.errors import ChorusError
from chorus.client.messages import Export, LabelImport
from chorus.client.rest import Rest

LOOK_S = 0.2


class ExportFailed(ChorusError):
    """The export ended without a file."""


async def exported(
    rest: Rest, project_id: str, format: str, order: Mapping[str, Any],
    on_progress: Callable[[Export], None] = lambda _: None,
) -> Export:  # fmt: skip
    """Ask for an export and wait until it is there; `order`: filter, people, content as of
    `Rest.begin_export`. Raises `ExportFailed`, `ApiError`."""
    one = await rest.begin_export(project_id, format, **order)
    while one.state in ("waiting", "running"):
        on_progress(one)
        await asyncio.sleep(LOOK_S)
        one = await rest.past_export(project_id, one.export_id)
    on_progress(one)
    if one.state != "done":
        raise ExportFailed(one.error or "the export failed")
    return one


async def look_through(
    rest: Rest, project_id: str, file: Path, kind: str, options: Mapping[str, Any],
    on_progress: Callable[[LabelImport], None] = lambda _: None,
) -> LabelImport:  # fmt: skip
    """The dry run of a file of labels: `ready`, or `failed` with the reason. `kind`, `options`: as
    of `Rest.begin_label_import`. Raises `ApiError`."""
    with file.open("rb") as content:
        one = await rest.begin_label_import(project_id, file.name, content, kind, **options)
    return await _until(rest, project_id, one, ("ready", "failed"), on_progress)


async def bring_in(
    rest: Rest, project_id: str, one: LabelImport, how: Mapping[str, bool],
    on_progress: Callable[[LabelImport], None] = lambda _: None,
) -> LabelImport:  # fmt: skip
    """Let what was looked through in, and wait until it is; `how`: as of
    `Rest.apply_label_import`. Raises `ApiError`."""
    landing = await rest.apply_label_import(project_id, one.import_id, **how)
    return await _until(rest, project_id, landing, ("done", "failed"), on_progress)


async def _until(
    rest: Rest, project_id: str, one: LabelImport, states: tuple[str, ...],
    on_progress: Callable[[LabelImport], None],
) -> LabelImport:  # fmt: skip
    while one.state not in states:
        on_progress(one)
        await asyncio.sleep(LOOK_S)
        one = await rest.label_import(project_id, one.import_id)
    on_progress(one)
    return one
