"""Files made ready by worker processes, so that one bad file never takes others with it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from chorus.server.formats.images import Fault, Prepared

log = logging.getLogger(__name__)

Call = Callable[..., Awaitable[Any]]
"""`call(function, *args)` runs a function in a worker process (see jobs/pool)."""


async def prepare(
    call: Call, function: str, files: Sequence[tuple[str, str]], root: str, *options: Any
) -> list[Prepared | Fault]:
    """What became of each (name, path), in order. `function`: one of formats/ that takes (files,
    root, *options). A batch whose worker died is tried file by file. Raises `OSError` when what is
    made cannot be written."""
    try:
        found: list[Prepared | Fault] = await call(
            f"chorus.server.formats.{function}", files, root, *options
        )
        return found
    except OSError:
        raise  # the disk is full or cannot be written: say so once, not per file
    except Exception as error:
        if len(files) == 1:
            log.warning("preparing %s failed: %s", files[0][0], error)
            return [Fault(files[0][0], f"could not be processed: {error}")]
    out: list[Prepared | Fault] = []
    for file in files:
        out += await prepare(call, function, [file], root, *options)
    return out
