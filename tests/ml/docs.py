"""Real prose with known classes: the docstrings of Python's own packages, by package.

No labels of people: which package a docstring is from is simply known. What they say is real text
that somebody wrote for readers.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

PACKAGES = ("asyncio", "email", "unittest")
WORDS_LEAST = 8


def docstrings(package: str) -> list[str]:
    """Each once, sorted, of at least WORDS_LEAST words."""
    top = importlib.import_module(package)
    names = [f"{package}.{m.name}" for m in pkgutil.iter_modules(top.__path__)]
    found: set[str] = set()
    for name in [package, *names]:
        if name.endswith(("__main__", "windows_events", "windows_utils")):
            continue
        found.update(_of(importlib.import_module(name), package))
    return sorted(found)


def _of(thing: object, package: str, depth: int = 0) -> Iterator[str]:
    text = inspect.getdoc(thing)
    if text is not None and len(text.split()) >= WORDS_LEAST:
        yield text
    if depth == 2:
        return
    for member in vars(thing).values():
        if str(getattr(member, "__module__", None)).split(".")[0] == package:
            if inspect.isclass(member):
                yield from _of(member, package, depth + 1)
            elif inspect.isfunction(member):
                yield from _of(member, package, 2)
