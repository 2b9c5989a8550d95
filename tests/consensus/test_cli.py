"""`chorus consensus` from files to files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from chorus.server.consensus_cli import consensus
from tests.consensus.data import draw_votes

app = typer.Typer()
app.command()(consensus)


def run(*args: object):
    return CliRunner().invoke(app, [str(a) for a in args])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    table, truth, _ = draw_votes(100, 8, 3, 3, 1)
    lines = [
        f"i{i:03},{'abcdefgh'[w]},{'xyz'[v]}"
        for i, w, v in zip(table.item, table.worker, table.value, strict=True)
    ]
    (tmp_path / "votes.csv").write_text("\n".join(["item,worker,label", *lines]) + "\n")
    gold = [f"i{n:03},{'xyz'[t]}" for n, t in enumerate(truth)]
    (tmp_path / "gold.csv").write_text("\n".join(["item,label", *gold, "elsewhere,x"]) + "\n")
    probs = np.full((100, 3), 0.05)
    probs[np.arange(100), truth] = 0.9
    rows = [f"i{n:03}," + ",".join(map(str, row)) for n, row in enumerate(probs)]
    (tmp_path / "probs.csv").write_text("\n".join(["item,x,y,z", *rows]) + "\n")
    return tmp_path


@pytest.mark.parametrize("method", ["auto", "majority", "one_coin", "dawid_skene"])
def test_labels_and_skills(files: Path, method: str) -> None:
    out, workers = files / "labels.csv", files / "skills.csv"
    found = run(
        files / "votes.csv", "--gold", files / "gold.csv", "--method", method,
        "--out", out, "--workers", workers,
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    assert "alpha" in found.output
    assert "accuracy" in found.output
    labels = list(csv.DictReader(out.open()))
    assert [row["item"] for row in labels] == [f"i{n:03}" for n in range(100)]
    assert all(0.33 < float(row["confidence"]) <= 1 for row in labels)
    skills = list(csv.DictReader(workers.open()))
    assert sum(int(row["votes"]) for row in skills) == 300
    assert all(float(r["skill_low"]) <= float(r["skill"]) <= float(r["skill_high"]) for r in skills)


def test_a_good_model_helps(files: Path) -> None:
    args = (files / "votes.csv", "--gold", files / "gold.csv", "--model-probs", files / "probs.csv")
    for method in ("auto", "one_coin"):
        found = run(*args, "--method", method)
        assert found.exit_code == 0, found.output
        line = next(line for line in found.output.splitlines() if line.strip().startswith("accur"))
        assert float(line.split()[-1]) > 0.95


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("item,label\na,b\n", "line 1: no column 'worker'"),
        ("item,worker,label\n", "no votes"),
        ("item,worker,label\na,b,c\na,b\n", "line 3: 2 fields, need 3"),
        ("item,worker,label\na,,c\n", "line 2: empty worker"),
        ('item,worker,label\na,b,"{""boxes"": []}"\n', "boxes or polygons"),
    ],
)
def test_bad_votes_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(text)
    found = run(path)
    assert found.exit_code == 2
    assert message in found.output
    assert str(path) in found.output


def test_other_bad_input(files: Path) -> None:
    votes = files / "votes.csv"
    assert "unknown 'glad'" in run(votes, "--method", "glad").output
    assert "no folder" in run(votes, "--out", files / "nowhere" / "x.csv").output
    assert run(files / "absent.csv").exit_code == 2
    bad = files / "bad.csv"
    for row, message in [
        ("i001,0.5,0.6,0.2", "sum to 1"),
        ("i001,a,b,c", "line 2"),
        ("i001,1", "need 4"),
    ]:
        bad.write_text(f"item,x,y,z\n{row}\n")
        assert message in run(votes, "--model-probs", bad).output
