"""Real prose with known classes: the docstrings of Python's own packages, by package.

No labels of people: which package a docstring is from is simply known. What they say is real text
that somebody wrote for readers.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import pkgutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

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


def store_texts(folder: Path, texts: Sequence[str]) -> list[Path]:
    """As the server stores them."""
    paths = []
    for n, one in enumerate(texts):
        path = folder / f"{n}.json"
        path.write_text(json.dumps({"fields": [["", one]]}))
        paths.append(path)
    return paths


class ProseRound:
    """A folder with texts and what the server would write for the jobs: of each package
    `labeled` docstrings with their class, then `open` without."""

    def __init__(
        self, folder: Path, models: Path, backbone: str, labeled: int = 60, open: int = 20
    ) -> None:
        self.folder = folder
        self.open = open
        self.texts: list[str] = []
        self.truth: list[int] = []
        for kind, package in enumerate(PACKAGES):
            found = docstrings(package)
            order = np.random.default_rng(kind).permutation(len(found))[: labeled + open]
            self.texts += [found[n] for n in order]
            self.truth += [kind] * (labeled + open)
        self.paths = store_texts(folder, self.texts)
        self.hashes = [hashlib.sha256(p.read_bytes()).hexdigest() for p in self.paths]
        self.is_open = [n % (labeled + open) >= labeled for n in range(len(self.texts))]
        items = folder / "features.tsv"
        pairs = zip(self.hashes, self.paths, strict=True)
        items.write_text("".join(f"{h}\t{p}\n" for h, p in pairs))
        self.params: dict[str, Any] = {
            "store": str(folder / "features"), "models": str(models), "backbone": backbone,
            "items": str(items), "start": 0, "stop": len(self.paths), "round_dir": str(folder),
            "classes": len(PACKAGES), "target": 0.8, "prelabel": True, "seed": 1, "threads": 2,
            "progress": str(folder / "progress"),
        }  # fmt: skip
        with (folder / "items.tsv").open("w") as out:
            out.write("item_id\tcontent_hash\tlabel\tsoft\ttrusted\tsurvivor\topen\n")
            for n, content in enumerate(self.hashes):
                known = not self.is_open[n]
                label = str(self.truth[n]) if known else ""
                out.write(f"{n}\t{content}\t{label}\t\t{int(known)}\t1\t{int(not known)}\n")
