"""Rounds' folders: what stays of old ones."""

from __future__ import annotations

import shutil
from pathlib import Path

KEEP_ROUNDS = 5
"""Finished rounds whose model can be downloaded, and rounds whose logs can be read."""
KEEP_WHOLE = 2
"""Rounds of which everything stays on disk; of older ones, what scores and clusters items goes."""
LASTING = {"model.npz", "params.json", "card.json", "model.zip"}


def prune(folder: Path, rounds: list[tuple[int, str]]) -> None:
    """Old rounds' files go; their figures and cards stay in the database.

    rounds: (number, state), oldest first. A model stays while its round is among the newest that
    finished, however many failed after it; the logs of the newest rounds stay whatever they came
    to.
    """
    done = [number for number, state in rounds if state == "done"]
    newest = {number for number, _ in rounds[-KEEP_ROUNDS:]} | set(done[-KEEP_ROUNDS:])
    whole = set(done[-KEEP_WHOLE:]) | {number for number, _ in rounds[-1:]}
    for child in folder.iterdir():
        if not child.name.isdigit() or not child.is_dir() or int(child.name) in whole:
            continue
        if int(child.name) not in newest:
            shutil.rmtree(child, ignore_errors=True)
            continue
        for file in child.iterdir():
            if file.name not in LASTING and file.suffix != ".log":
                file.unlink(missing_ok=True)
