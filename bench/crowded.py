"""A project of any size whose pictures nobody has: real database, real feature store, drawn data.

What a round costs depends on how many items and labels there are and how their features lie to
each other, not on what pictures show; so features are drawn around centres, some near each other.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np

from chorus.ml.store import FeatureStore, Writer
from chorus.server.formats.images import Prepared
from chorus.server.services.adding import add_items
from chorus.server.storage.migrations import migrate
from chorus.server.storage.sqlite import connect
from chorus.server.storage.tx import Tx

BACKBONES = ("efficientnet_lite0", "efficientnet_lite2")
DIM = 1280
CLASSES = 20
KINDS = 8
"""Of each class: looks that have a centre of their own."""
NEAR, NEARER = 0.09, 0.11
"""Spread of the centres of classes, and of their kinds around them, where an item's is 1: a model
that has seen 10,000 labels is right on four items of five."""
CHUNK = 10_000


class Truth(msgspec.Struct):
    """`hashes` and `classes` of all items, in order of item_id, which begin at 1."""

    hashes: list[str]
    classes: list[int]


def truth(items: int) -> Truth:
    rng = np.random.default_rng(5)
    return Truth(
        [hashlib.sha256(f"item {i}".encode()).hexdigest() for i in range(items)],
        rng.integers(CLASSES, size=items).tolist(),
    )


def fill_features(folder: Path, known: Truth) -> None:
    """One row of each backbone for every item, by the writer that featurize uses."""
    rng = np.random.default_rng(6)
    classes = np.array(known.classes)
    kinds = rng.integers(KINDS, size=len(classes))
    for name in BACKBONES:
        centres = rng.standard_normal((CLASSES, 1, DIM), dtype=np.float32) * NEAR
        centres = centres + rng.standard_normal((CLASSES, KINDS, DIM), dtype=np.float32) * NEARER
        with Writer(FeatureStore(folder, name, DIM)) as writer:
            for at in range(0, len(classes), CHUNK):
                here = slice(at, at + CHUNK)
                rows = rng.standard_normal((len(classes[here]), DIM), dtype=np.float32)
                rows += centres[classes[here], kinds[here]]
                writer.append(known.hashes[here], rows)


def fill_project(database: Path, project_id: str, user_id: str, known: Truth, labeled: int) -> None:
    """All items through the importer's own function, the first `labeled` with their classes, and
    the note that every backbone has seen them. No server may run meanwhile."""
    db = connect(database)
    db.execute("PRAGMA synchronous=OFF")
    migrate(db)
    db.execute("BEGIN")
    tx = Tx(db)
    for at in range(0, len(known.hashes), CHUNK):
        some = [
            (
                Prepared(f"IMG_{i:07}.jpg", known.hashes[i], 256, 256, "image/jpeg", 20_000),
                str(known.classes[i]) if i < labeled else None,
                False,
            )
            for i in range(at, min(at + CHUNK, len(known.hashes)))
        ]
        add_items(tx, project_id, user_id, some, 1_700_000_000_000)
    (last,) = tx.row("SELECT MAX(item_id) FROM item WHERE project_id = ?", (project_id,))
    for name in BACKBONES:
        tx.set_feature_pass(project_id, name, last, len(known.hashes))
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
