"""The detector's jobs on small pictures with squares and discs, really trained for seconds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from chorus.ml import detect_run
from chorus.ml.detect_files import FOLDS, load, load_for, read_pictures, save, weights_file
from chorus.ml.detect_net import Detector
from tests.ml.boxes import draw_pictures, write_round

LABELED = 12


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, networks: Path) -> dict[str, object]:
    """The parameters of a round whose detectors are trained, and what is on its pictures."""
    folder = tmp_path_factory.mktemp("detect")
    drawn = list(draw_pictures(folder / "in", 24).items())
    params = write_round(
        folder / "1", folder / "in", dict(drawn[:LABELED]), dict(drawn[LABELED:]),
        models=str(networks),
    )  # fmt: skip
    (folder / "in" / drawn[0][0]).write_bytes(b"no picture")
    result = detect_run.train(params)
    assert result["unreadable"] == 1
    return {**params, "drawn": dict(drawn)}


def test_a_few_pictures_are_enough_to_find_things_on_others(trained: dict[str, object]) -> None:
    card = detect_run.validate(trained)
    assert card["labels"] == LABELED
    assert card["evidence"] == LABELED - 1, "what cannot be read proves nothing"
    assert card["map50"] > 0.5
    assert card["threshold"] is not None, card["reason"]
    detect_run.infer(trained)
    folder = Path(str(trained["round_dir"]))
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert [line["item_id"] for line in lines] == list(range(LABELED + 1, 25))
    drawn = list(trained["drawn"].values())  # type: ignore[attr-defined]
    near = shown = 0
    for line in lines:
        for cls, x, y, w, h, score in line["shapes"]:
            assert 0 <= x <= x + w <= 96
            assert 0 <= y <= y + h <= 96
            assert card["threshold"] <= score <= 1
            shown += 1
            near += any(
                c == cls and max(abs(x - a), abs(y - b), abs(w - d), abs(h - e)) < 10
                for c, a, b, d, e in drawn[line["item_id"] - 1]
            )
    assert shown >= 5
    assert near / shown > 0.7


def test_no_detector_is_judged_on_what_it_has_learned_from(trained: dict[str, object]) -> None:
    folder = Path(str(trained["round_dir"]))
    pictures = [p for p in read_pictures(folder) if p.boxes is not None]
    for fold in range(FOLDS):
        learned = load(weights_file(folder, fold)).learned
        assert learned
        assert not learned & {p.content_hash for p in pictures if p.fold == fold}
        assert learned >= {p.content_hash for p in pictures[1:] if p.fold != fold}
    # Should they ever mix, the round fails rather than promise anything.
    kept = load(weights_file(folder, 0))
    mine = next(p for p in pictures[1:] if p.fold == 0)
    raw = weights_file(folder, 0).read_bytes()
    try:
        save(kept.network, kept.scale, {*kept.learned, mine.content_hash}, weights_file(folder, 0))
        with pytest.raises(ValueError, match=f"has learned from item {mine.item_id}"):
            detect_run.validate(trained)
    finally:
        weights_file(folder, 0).write_bytes(raw)


def test_the_next_round_goes_on_from_the_weights_of_this_one(
    trained: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(str(trained["round_dir"]))
    monkeypatch.setattr(detect_run, "PASSES", 1)
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "pictures.jsonl").write_bytes((folder / "pictures.jsonl").read_bytes())
    params = {**trained, "round_dir": str(tmp_path / "2"), "warm": str(folder), "classes": 3}
    result = detect_run.train(params)
    assert result["warm"] == FOLDS
    before, after = load(weights_file(folder, 1)), load(weights_file(tmp_path / "2", 1))
    assert after.network.classes == 3, "a class was added meanwhile"
    assert after.learned >= before.learned
    own, old = after.network.state_dict(), before.network.state_dict()
    for name in (Detector.heads[0], "pyramid.inner_blocks.0.0.weight"):
        assert float((own[name][:2] - old[name][:2]).abs().mean()) < 0.01
    # What an attempt whose worker was killed has done is not done again.
    stamp = weights_file(tmp_path / "2", 2).stat().st_mtime_ns
    weights_file(tmp_path / "2", 1).unlink()
    detect_run.train(params)
    assert weights_file(tmp_path / "2", 2).stat().st_mtime_ns == stamp
    assert weights_file(tmp_path / "2", 1).exists()


def test_weights_that_do_not_fit_are_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "detector-0.safetensors"
    assert load_for(path, "fcos", 2) is None
    path.write_bytes(b"not weights")
    assert load_for(path, "fcos", 2) is None
    save(Detector(2), 0.5, ["a"], path)
    assert load_for(path, "fcos", 1) is None
    kept = load_for(path, "fcos", 2)
    assert kept is not None
    assert (kept.scale, kept.learned) == (0.5, {"a"})


def test_the_same_seed_gives_the_same_detector(
    trained: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detect_run, "PASSES", 1)
    folder = Path(str(trained["round_dir"]))
    for name in "ab":
        (tmp_path / name).mkdir()
        lines = (folder / "pictures.jsonl").read_bytes()
        (tmp_path / name / "pictures.jsonl").write_bytes(lines)
        detect_run.train({**trained, "round_dir": str(tmp_path / name), "warm": None})
    a, b = (load(weights_file(tmp_path / name, 0)).network.state_dict() for name in "ab")
    assert all(torch.equal(a[name], b[name]) for name in a)
