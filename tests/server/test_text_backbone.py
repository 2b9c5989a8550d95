"""Which encoder a server takes for texts."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from chorus.ml import text
from chorus.server.cli import serve
from chorus.server.domain.features import Backbones
from chorus.server.settings import TEXT_BACKBONES, Settings


def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def missing(name: str, *more: Any) -> Any:
        return None if name in TEXT_BACKBONES.values() else find(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", missing)


def test_the_server_names_the_encoders_that_there_are() -> None:
    assert set(TEXT_BACKBONES) == set(text.DIMS)


def test_the_best_that_is_installed_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_packages(monkeypatch)
    assert Settings(data_dir=tmp_path).text_backbone == "hashed_ngrams"


def test_each_task_has_its_own() -> None:
    backbones = Backbones("a+b", "words")
    assert backbones.of("multiclass") == backbones.of("multilabel") == ["a", "b"]
    assert backbones.detector() == "fcos"
    both = Backbones("a", "words", "fcos+larger")
    assert (both.detector(), both.detector(1), both.detector(8)) == ("larger", "fcos", "larger")
    assert backbones.of("text-multiclass") == backbones.of("text-multilabel") == ["words"]


@pytest.mark.parametrize(
    ("name", "words"), [("minilm_l6", "docs/texts.md"), ("word2vec", "minilm_l6, hashed_ngrams")]
)
def test_one_that_is_not_there_ends_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    without_packages(monkeypatch)
    app = typer.Typer()
    app.command()(serve)
    done = CliRunner().invoke(app, ["--data-dir", str(tmp_path), "--text-backbone", name])
    assert done.exit_code == 1
    assert words in done.output
