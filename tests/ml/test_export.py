"""The model to take away gives what the server's own files say; the features are those it uses."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from chorus.ml import export, learn, run
from chorus.ml.sets import to_text
from chorus.ml.store import FeatureStore
from tests.ml.test_run import CLASSES, CONFIG, Round, draw_all

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Round:
    """A round that has gone through its jobs: 60 labeled pictures, 30 open ones."""
    found = Round(tmp_path_factory.mktemp("round"), tmp_path_factory.mktemp("models"), pictures=90)
    found.featurize()
    # Some wrong labels, so that the model is not sure of everything.
    found.truth = [kind ^ (i % 5 == 0) for i, kind in enumerate(found.truth)]
    found.write_items(60)
    for job in (run.train, run.validate, run.infer):
        job(found.params)
    return found


def test_the_example_scores_pictures_as_the_server_does(finished: Round, tmp_path: Path) -> None:
    size = export.model_zip(
        {**finished.params, "project": "Shapes", "number": 3, "labels": list(CLASSES)}
    )["bytes"]
    packed = finished.folder / "model.zip"
    assert packed.stat().st_size == size
    with zipfile.ZipFile(packed) as files:
        files.extractall(tmp_path)
    assert json.loads((tmp_path / "labels.json").read_text()) == list(CLASSES)
    pictures = finished.paths[60:80]
    done = subprocess.run(
        [sys.executable, "example.py", *(str(path) for path in pictures)],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = list(csv.reader(done.stdout.splitlines(), delimiter="\t"))
    assert [row[0] for row in rows] == [str(path) for path in pictures]
    said = np.array([CLASSES.index(row[1]) for row in rows])
    scores = np.array([float(row[2]) for row in rows])
    assert scores.std() > 0.02

    # The same head on the features the server keeps (half precision).
    store = FeatureStore(finished.folder / "features", CONFIG.name, CONFIG.dim)
    features, known = store.get(finished.hashes[60:80])
    assert known.all()
    model = run.load_model(finished.folder)
    card = json.loads((finished.folder / "card.json").read_text())
    own = learn.softmax(
        model.heads.logits(model.heads.project(features), model.embedder), card["temperature"]
    )
    assert np.abs(own.max(axis=1) - scores).max() < 0.01
    assert (own.argmax(axis=1) == said).all()

    # What the server stored for these items comes from three heads that saw less.
    stored = finished.rows("predictions.tsv")[:20]
    near = np.abs(np.array([float(row["score"]) for row in stored]) - scores)
    assert near.mean() < 0.1
    for row, kind in zip(stored, said, strict=True):
        assert int(row["value"]) == kind or float(row["score"]) < 0.75


def test_the_example_says_sets_as_the_server_does(
    finished: Round, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Pictures with a disc, a square, both or neither."""
    round_ = Round(tmp_path_factory.mktemp("sets"), Path(finished.params["models"]), pictures=0)
    sets = np.random.default_rng(3).random((110, 2)) < 0.5
    shown = [[kind for kind, there in zip(CLASSES, row, strict=True) if there] for row in sets]
    round_.add(
        [draw_all(round_.folder / f"{i}.png", kinds, i) for i, kinds in enumerate(shown)],
        [to_text(row) for row in sets],
    )
    round_.params["multilabel"] = True
    round_.featurize()
    round_.write_items(90)
    for job in (run.train, run.validate, run.infer):
        job(round_.params)
    export.model_zip({**round_.params, "project": "Shapes", "number": 3, "labels": list(CLASSES)})
    unpacked = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(round_.folder / "model.zip") as files:
        files.extractall(unpacked)
    card = json.loads((round_.folder / "card.json").read_text())
    labels = json.loads((unpacked / "labels.json").read_text())
    assert [label["name"] for label in labels] == list(CLASSES)
    assert [label["cut"] for label in labels] == [row["cut"] for row in card["per_class"]]
    done = subprocess.run(
        [sys.executable, "example.py", *(str(path) for path in round_.paths[90:])],
        cwd=unpacked, capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = list(csv.reader(done.stdout.splitlines(), delimiter="\t"))

    store = FeatureStore(round_.folder / "features", CONFIG.name, CONFIG.dim)
    features, _ = store.get(round_.hashes[90:])
    model = run.load_model(round_.folder)
    own = run.answers_of(card, model.heads.logits(model.heads.project(features), model.embedder))
    names = [", ".join(np.array(CLASSES)[row]) or "-" for row in own.sets]
    assert [row[1] for row in rows] == names
    assert len(set(names)) > 2
    assert [float(row[2]) for row in rows] == pytest.approx(own.scores, abs=0.01)


def test_features_and_their_items_go_together(finished: Round, tmp_path: Path) -> None:
    items = tmp_path / "items.tsv"
    names = [f'disc "{i}", one' for i in range(90)]
    with items.open("w", newline="") as out:
        rows = csv.writer(out, delimiter="\t")
        for i, content in enumerate(finished.hashes):
            rows.writerow([i + 1, content, names[i]])
        rows.writerow([91, "0" * 64, "not looked at yet"])
    target = tmp_path / "features.zip"
    params = {**finished.params, "items": str(items), "target": str(target)}
    assert export.features_zip(params) == {"items": 90, "without_features": 1}
    with zipfile.ZipFile(target) as files:
        features = np.load(io.BytesIO(files.read("features.npy")))
        table = list(csv.DictReader(io.StringIO(files.read("items.csv").decode())))
    assert features.shape == (90, CONFIG.dim)
    assert features.dtype == np.float16
    assert [row["name"] for row in table] == names
    store = FeatureStore(finished.folder / "features", CONFIG.name, CONFIG.dim)
    kept, _ = store.get([row["content_hash"] for row in table])
    assert np.array_equal(features.astype(np.float32), kept)
