"""Whole small simulations against a real server."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from chorus.client import ApiError
from chorus.client.cli import export, import_
from chorus.simulate import lockstep
from chorus.simulate.cli import simulate as simulate_command
from chorus.simulate.options import BadOptions, Options
from chorus.simulate.run import simulate
from tests.servers import Bench, TestServer, pictures, right

FIELDS = (
    "items", "labeled", "needs_review", "skipped", "accuracy", "accuracy_all", "votes",
    "votes_per_item", "over_votes", "acked_votes", "stored_votes", "lost_votes",
    "duplicate_votes", "actions", "actions_per_item", "pages", "cluster_purity",
    "manual_purity", "prelabels", "rounds", "ack_ms", "page_wait_ms", "seconds",
    "server_rss_mb", "settings", "version", "accuracy_majority", "labelers", "accuracy_tags",
    "second_looks",
)  # fmt: skip
TIMES = {"ack_ms", "page_wait_ms", "seconds", "server_rss_mb"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """40 pictures and their gold.csv."""
    folder = pictures(tmp_path / "images", 40)
    names = sorted(p.name for p in folder.iterdir())
    gold = "".join(f"{name},{right(name)}\n" for name in names)
    (tmp_path / "gold.csv").write_text("item,label\n" + gold)
    return tmp_path


def options(data: Path, server: TestServer, **changes: Any) -> Options:
    settings: dict[str, Any] = {
        "images": data / "images",
        "gold": data / "gold.csv",
        "url": server.url,
        "token": server.token,
        "labelers": 3,
        "cluster": False,
        "prelabel": False,
        **changes,
    }
    return Options(**settings)


def test_the_same_seed_gives_the_same_report(data: Path, server: TestServer) -> None:
    first, second = (
        asyncio.run(
            simulate(options(data, server, accuracy=[0.8], votes_min=2, votes_max=3, seed=5))
        )
        for _ in range(2)
    )
    assert tuple(first) == FIELDS
    assert {k: v for k, v in first.items() if k not in TIMES} == {
        k: v for k, v in second.items() if k not in TIMES
    }
    assert first["items"] == 40
    assert first["labeled"] + first["needs_review"] == 40
    assert 80 <= first["votes"] == first["stored_votes"] == first["acked_votes"] <= 120
    assert first["lost_votes"] == first["duplicate_votes"] == first["over_votes"] == 0
    assert first["page_wait_ms"]["zero_share"] is None


async def test_a_model_that_comes_no_further_is_named(data: Path, server: TestServer) -> None:
    async with Bench(server) as bench:
        await bench.make(data / "images")
        project_id = bench.project.project_id
        watch = await bench.watch()
        gate = lockstep.Gate(bench.admin, watch, project_id, assist=False, patience=0.1)
        stats = await gate.settled(0)
        assert (await gate.settled(stats.seq)).seq == stats.seq
        with pytest.raises(lockstep.Stuck, match=r"come no further .*: Clustering and prelabels"):
            await gate.settled(stats.seq + 1)


def test_free_running_people_share_the_work(data: Path, server: TestServer) -> None:
    report = asyncio.run(
        simulate(options(data, server, accuracy=[1.0], free_running=True, votes_min=2, votes_max=3))
    )
    assert (report["labeled"], report["accuracy"], report["votes_per_item"]) == (40, 1.0, 2.0)
    assert report["lost_votes"] == report["duplicate_votes"] == report["over_votes"] == 0
    assert report["page_wait_ms"]["zero_share"] is not None


def test_label_sets(data: Path, server: TestServer) -> None:
    """Every third picture has both classes, every fifth none."""
    names = sorted(p.name for p in (data / "images").iterdir())
    labels = ["" if n % 5 == 0 else "green|red" if n % 3 == 0 else right(name)
              for n, name in enumerate(names)]  # fmt: skip
    gold = "".join(f"{name},{label}\n" for name, label in zip(names, labels, strict=True))
    (data / "gold.csv").write_text("item,label\n" + gold)
    settings: dict[str, Any] = {"task": "multilabel", "votes_min": 2, "votes_max": 3}
    report = asyncio.run(simulate(options(data, server, accuracy=[1.0], **settings)))
    assert (report["labeled"], report["accuracy"], report["accuracy_tags"]) == (40, 1.0, 1.0)
    assert (report["votes"], report["accuracy_majority"]) == (80, 1.0)
    report = asyncio.run(
        simulate(options(data, server, accuracy=[0.7], set_rule="exact", **settings))
    )
    assert report["lost_votes"] == report["over_votes"] == 0
    assert report["accuracy_tags"] >= report["accuracy"] > 0.6
    assert report["settings"]["set_rule"] == "exact"


def test_it_stops_at_max_labels(data: Path, server: TestServer) -> None:
    report = asyncio.run(simulate(options(data, server, max_labels=23)))
    assert report["acked_votes"] == report["stored_votes"] == 23


def test_it_drives_a_running_server_by_upload(data: Path, server: TestServer) -> None:
    report = asyncio.run(simulate(options(data, server)))
    assert (report["labeled"], report["server_rss_mb"]) == (40, None)
    again = asyncio.run(simulate(options(data, server)))
    assert again["labeled"] == 40


@pytest.mark.parametrize("free_running", [False, True])
def test_answers_that_no_project_has_stop_it(
    data: Path, server: TestServer, monkeypatch: pytest.MonkeyPatch, free_running: bool
) -> None:
    """Not a report of nothing: every answer would be refused."""
    monkeypatch.setattr("chorus.simulate.person.answer_of", lambda label, multilabel: f"{label}?")
    with pytest.raises(ApiError, match=r"green\?|red\?"):
        asyncio.run(simulate(options(data, server, free_running=free_running)))


def test_answers_to_none_of_the_items_stop_it(data: Path, server: TestServer) -> None:
    (data / "gold.csv").write_text("item,label\nimages/1.png,cat\nimages/2.png,dog\n")
    with pytest.raises(BadOptions, match=r"they are called '.*\.png'"):
        asyncio.run(simulate(options(data, server)))


def test_why_there_were_no_prelabels_is_said(data: Path, server: TestServer) -> None:
    done = chorus(
        "simulate", "--images", str(data / "images"), "--gold", str(data / "gold.csv"),
        "--free-running", "--max-labels", "5", "--url", server.url, "--token", server.token,
        "--report", str(data / "r.json"),
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "note: The model needs" in done.stderr


def test_a_folder_without_pictures_stops_it(data: Path, server: TestServer) -> None:
    (data / "images" / "empty").mkdir()
    (data / "images" / "empty" / "notes.docx").write_bytes(b"no picture")
    with pytest.raises(BadOptions, match=r"nothing to label .* 1, as 'notes.docx'"):
        asyncio.run(simulate(options(data, server, images=data / "images" / "empty")))


def test_what_is_not_in_the_report_is_said(data: Path, server: TestServer) -> None:
    twin = sorted((data / "images").glob("*.png"))[0]
    (data / "images" / "broken.png").write_bytes(b"not a picture")
    shutil.copy(twin, data / "images" / f"z{twin.name}")
    gold = (data / "gold.csv").read_text().splitlines()
    (data / "gold.csv").write_text("\n".join(gold[:-2]))
    done = chorus(
        "simulate", "--images", str(data / "images"), "--gold", str(data / "gold.csv"),
        "--no-assist", "--url", server.url, "--token", server.token,
        "--report", str(data / "r.json"),
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "could not be imported: 1, as 'broken.png': " in done.stderr
    assert "duplicates left out: 1" in done.stderr
    assert "without an answer, so skipped: 2, as" in done.stderr
    assert json.loads((data / "r.json").read_text())["skipped"] == 2


def test_the_command_writes_the_report_and_a_table(data: Path) -> None:
    """As people run it, with a server of its own."""
    command = [
        sys.executable, "-m", "chorus.server.cli",
        "simulate", "--images", str(data / "images"), "--gold", str(data / "gold.csv"),
        "--no-assist", "--accuracy", "1", "--report", str(data / "r.json"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((data / "r.json").read_text())
    assert report["accuracy"] == 1.0
    assert report["server_rss_mb"] > 10
    assert "40 of 40" in done.stdout


def chorus(*arguments: str) -> Result:
    """The command, in this process: to start another one takes a second."""
    app = typer.Typer()
    for name, run in (("import", import_), ("export", export), ("simulate", simulate_command)):
        app.command(name)(run)
    return CliRunner().invoke(app, arguments)


def test_bad_input_is_named_before_anything_starts(data: Path) -> None:
    images = str(data / "images")
    for arguments, message in [
        (["--images", "nowhere", "--gold", str(data / "gold.csv")], "nowhere"),
        (["--images", images], "--gold or --votes"),
        (["--images", images, "--gold", str(data / "no.csv")], "no.csv"),
        (
            [
                "--images",
                images,
                "--gold",
                str(data / "gold.csv"),
                "--url",
                "http://127.0.0.1:1",
                "--token",
                "x",
            ],
            "http://127.0.0.1:1: ",
        ),
        (["--images", images, "--gold", str(data / "gold.csv"), "--accuracy", "high"], "high"),
    ]:
        done = chorus("simulate", *arguments, "--report", str(data / "r.json"))
        assert done.exit_code == 2
        assert message in done.stderr
    assert not (data / "r.json").exists()


def test_import_and_export_on_the_command_line(data: Path, server: TestServer) -> None:
    (data / "images" / "broken.png").write_bytes(b"not a picture")
    project = _project(server)
    where = ["--url", server.url, "--token", server.token]
    done = chorus("import", "Cats", str(data / "images"), *where)
    assert done.exit_code == 0, done.stderr
    assert "40 added, 0 there already, 1 faulty" in done.stdout
    assert "broken.png: " in done.stderr
    again = chorus("import", project, str(data / "images"), *where, "--upload")
    assert "0 added, 40 there already, 1 faulty" in again.stdout
    out = data / "out.csv"
    assert chorus("export", "Cats", *where, "--out", str(out)).exit_code == 0
    assert len(out.read_text().splitlines()) == 41
    coco = json.loads(chorus("export", "Cats", *where, "--format", "json").stdout)
    assert len(coco["images"]) == 40
    for arguments, message in [
        (["export", "Dogs", *where], "no project 'Dogs'"),
        (["export", "Cats", "--url", server.url, "--token", "wrong"], ""),
        (["import", "Cats", str(data / "none"), *where], "there is no"),
    ]:
        failed = chorus(*arguments)
        assert (failed.exit_code, message in failed.stderr) == (1, True), failed.stderr


def _project(server: TestServer) -> str:
    from chorus.client import Rest

    async def make() -> str:
        async with Rest(server.url, server.token) as admin:
            return (await admin.create_project("Cats", ["green", "red"])).project_id

    return asyncio.run(make())
