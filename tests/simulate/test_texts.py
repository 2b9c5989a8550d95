"""A whole small simulation with texts: imported, encoded, prelabeled by the real model."""

from __future__ import annotations

import asyncio
import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chorus.simulate.options import BadOptions, Options
from chorus.simulate.run import simulate
from chorus.simulate.texts import labels_of, without_labels
from tests.ml.docs import PACKAGES, docstrings
from tests.servers import TestServer


def table(path: Path, each: int) -> Path:
    """`each` docstrings of each of three packages of Python, in random order."""
    random = np.random.default_rng(0)
    rows = []
    for package in PACKAGES:
        found = docstrings(package)
        some = random.permutation(len(found))[:each]
        rows += [[f"{package}-{n}", found[n], package] for n in some]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "text", "label"])
        writer.writerows(rows[n] for n in random.permutation(len(rows)))
    return path


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_prelabels_come_and_keep_their_promise(tmp_path: Path, server: TestServer) -> None:
    texts = table(tmp_path / "docs.csv", 80)
    people: dict[str, Any] = {"accuracy": [1.0], "labelers": 3}
    rules: dict[str, Any] = {"target": 0.85, "cluster": False}
    where = {"url": server.url, "token": server.token}
    report = asyncio.run(simulate(Options(texts=texts, **people, **rules, **where)))
    assert report["items"] == report["labeled"] == 240
    assert report["accuracy_all"] > 0.93
    assert report["lost_votes"] == report["over_votes"] == report["duplicate_votes"] == 0
    assert report["prelabels"]["shown"] > 40
    assert report["prelabels"]["accuracy"] > 0.85
    # Three classes, 240 texts: prelabels save presses of keys.
    assert report["actions_per_item"] < 1.1
    assert report["settings"]["texts"].endswith("docs.csv")


def test_labels_are_kept_from_the_server(tmp_path: Path) -> None:
    texts = table(tmp_path / "docs.csv", 2)
    labels = labels_of(texts, False)
    assert sorted(labels.values()) == sorted(PACKAGES * 2)
    bare = without_labels(texts, tmp_path / "bare.csv")
    with bare.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["item"] for row in rows} == set(labels)
    assert set(rows[0]) == {"item", "text"}


def test_bad_tables_are_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for content, words in (
        ("text,label\nx,a\n", "no column item"),
        ("id,text\n1,x\n", "no column label"),
        ("id,label\n1,a\n1,b\n", "'1' is there twice"),
        ('id,label\n1,"a\n', "t.csv"),
    ):
        path.write_text(content)
        with pytest.raises(BadOptions, match=words):
            labels_of(path, False)
    for options in (Options(), Options(images=tmp_path, texts=path)):
        with pytest.raises(BadOptions, match="either --images or --texts"):
            options.check()
