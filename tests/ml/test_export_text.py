"""The model of texts to take away gives what the server's own files say."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from chorus.ml import export, run, text
from chorus.ml.store import FeatureStore
from tests.ml.docs import PACKAGES, ProseRound
from tests.ml.test_text import BOTH

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("backbone", BOTH)
def test_the_example_scores_texts_as_the_server_does(
    tmp_path: Path, models: Path, backbone: str
) -> None:
    folder = tmp_path / "round"
    folder.mkdir()
    found = ProseRound(folder, models, backbone, labeled=30, open=4)
    for job in (run.featurize, run.train, run.validate):
        job(found.params)
    size = export.model_zip(
        {**found.params, "project": "Docs", "number": 3, "labels": list(PACKAGES)}
    )["bytes"]
    assert (folder / "model.zip").stat().st_size == size
    with zipfile.ZipFile(folder / "model.zip") as files:
        files.extractall(tmp_path)
    assert json.loads((tmp_path / "labels.json").read_text()) == list(PACKAGES)
    places = [n for n, is_open in enumerate(found.is_open) if is_open]
    for n in places:
        (tmp_path / f"{n}.txt").write_text(found.texts[n], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "example.py", *(f"{n}.txt" for n in places)],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = list(csv.reader(done.stdout.splitlines(), delimiter="\t"))
    said = [PACKAGES.index(row[1]) for row in rows]
    scores = np.array([float(row[2]) for row in rows])
    assert scores.std() > 0.02

    store = FeatureStore(folder / "features", backbone, text.DIMS[backbone])
    features, known = store.get([found.hashes[n] for n in places])
    assert known.all()
    model = run.load_model(folder)
    card = json.loads((folder / "card.json").read_text())
    own = run.answers_of(card, model.heads.logits(model.heads.project(features), model.embedder))
    assert np.abs(own.scores - scores).max() < 0.01
    assert own.probabilities.argmax(axis=1).tolist() == said
