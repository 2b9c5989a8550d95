"""What rounds leave on disk, and what their jobs print."""

from __future__ import annotations

from pathlib import Path

import pytest

from chorus.server.errors import JobFailed
from chorus.server.jobs.pool import Pool
from chorus.server.jobs.runner import Runner
from chorus.server.services.artifacts import LOG_BYTES, _tail
from chorus.server.services.round_folders import KEEP_ROUNDS, LASTING, prune

FILES = (*LASTING, "items.tsv", "predictions.tsv", "open.npz", "train.log")


def test_models_outlive_failures_and_old_rounds_shrink_before_they_go(tmp_path: Path) -> None:
    states = ["done"] * 8 + ["failed"] * (KEEP_ROUNDS + 1)
    for number in range(1, len(states) + 1):
        (tmp_path / str(number)).mkdir()
        for name in FILES:
            (tmp_path / str(number) / name).write_text("x")
    (tmp_path / "features").mkdir()
    prune(tmp_path, list(enumerate(states, 1)))

    def left(number: int) -> set[str]:
        folder = tmp_path / str(number)
        return {file.name for file in folder.iterdir()} if folder.exists() else set()

    assert (tmp_path / "features").exists()
    for number in (1, 2, 3, 9):  # older than the newest five that finished; an older failure
        assert not left(number), number
    for number in (4, 5, 6):
        assert left(number) == {*LASTING, "train.log"}
    for number in (7, 8, len(states)):
        assert left(number) == set(FILES)
    assert left(len(states) - 1) == {*LASTING, "train.log"}


async def test_a_jobs_log_has_what_it_printed_and_how_it_ended(tmp_path: Path) -> None:
    pool = Pool(1, 0)
    run = Runner(pool)
    try:
        params = {"progress": str(tmp_path / "a.progress"), "word": "spoken"}
        await run("builtins.print", params, lambda share, attempt: None)
        log = (tmp_path / "a.log").read_text()
        assert "print begins, attempt 1" in log
        assert "'word': 'spoken'" in log
        assert "print done in" in log
        with pytest.raises(JobFailed, match="TypeError"):
            await run("os.listdir", params, lambda share, attempt: None)
        log = (tmp_path / "a.log").read_text()
        assert "spoken" not in log, "another job begins a log of its own"
        assert "Traceback" in log
        assert "listdir failed after" in log
    finally:
        await pool.close()


def test_a_long_log_is_read_from_a_line_on(tmp_path: Path) -> None:
    path = tmp_path / "long.log"
    path.write_text("".join(f"line {n}\n" for n in range(10_000)))
    text = _tail(path)
    assert text is not None
    assert len(text) <= LOG_BYTES
    assert text.startswith("line ")
    assert text.endswith("line 9999\n")
    assert _tail(tmp_path / "none.log") is None
