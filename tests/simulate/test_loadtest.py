"""The load test: its sums by property, and a small one against the shared server."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chorus.client.process import descendants
from chorus.loadtest.cli import meanwhile
from chorus.loadtest.crowd import LONGEST, SHORTEST, left_of_first
from chorus.loadtest.plan import SLOW_MS, Plan, Waits, slope
from chorus.server import cli
from tests.servers import TestServer

SECONDS = st.lists(st.floats(0, 20), min_size=1, max_size=50)


@given(SECONDS, st.floats(0.01, 1))
def test_a_quantile_is_one_of_the_waits_within_a_tenth_of_a_millisecond(
    waits: list[float], share: float
) -> None:
    found = Waits()
    for seconds in waits:
        found.add(seconds)
    exact = sorted(waits)[math.ceil(share * len(waits)) - 1] * 1000
    quantile = found.quantile(share)
    assert quantile is not None
    assert exact - 1e-6 <= quantile <= exact + 0.1 + 1e-6


@given(SECONDS, SECONDS)
def test_waits_of_two_processes_are_those_of_both(one: list[float], two: list[float]) -> None:
    first, second, both = Waits(), Waits(), Waits()
    for seconds in one:
        first.add(seconds)
        both.add(seconds)
    for seconds in two:
        second.add(seconds)
        both.add(seconds)
    first.merge(second)
    assert first == both


@given(SECONDS, st.integers(0, 20_000))
def test_who_waits_longer_is_counted(waits: list[float], ms: int) -> None:
    found = Waits()
    for seconds in waits:
        found.add(seconds)
    assert found.over(ms) == sum(math.ceil(seconds * 10_000) > ms * 10 for seconds in waits)


@given(st.integers(1, 3000), st.sampled_from([1, 4, 6, 9]), st.floats(0.2, 20), st.integers(1, 20))
def test_there_are_items_enough(people: int, size: int, minutes: float, votes: int) -> None:
    plan = Plan(people, 1, 12.0, size, minutes, votes)
    assert plan.items * votes >= plan.votes_per_s * minutes * 60
    assert plan.items >= minutes * 60 / 12.0 * size, "nobody answers an item twice"


@given(st.floats(-5, 5), st.floats(-100, 100), st.integers(2, 30))
def test_the_slope_of_a_line_is_its_own(rise: float, start: float, n: int) -> None:
    assert slope([(float(x), start + rise * x) for x in range(n)]) == pytest.approx(rise, abs=1e-6)


def test_a_small_one_loses_nothing(
    server: TestServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.mount_others()
    monkeypatch.setenv("CHORUS_TOKEN", server.token)
    report = tmp_path / "report.json"
    asked = [
        "loadtest", "--labelers", "6", "--dashboards", "2", "--think-s", "0.5", "--minutes", "0.1",
        "--page-size", "4", "--url", server.url, "--report", str(report),
    ]  # fmt: skip
    done = CliRunner().invoke(cli.app, asked)
    assert done.exit_code == 0, done.output
    found = json.loads(report.read_text())
    assert found["votes"] > 0
    assert found["ack"]["n"] == found["votes"]
    assert sum(one["n"] for one in found["ack_by_second"]) == found["votes"]
    seconds = [one["second"] for one in found["ack_by_second"]]
    assert seconds == sorted(set(seconds))
    assert max(seconds) <= 0.1 * 60
    slow = sum(one["max_ms"] > SLOW_MS for one in found["ack_by_second"])
    assert f"{found['slow_share']:.2%} of the votes" in done.output
    assert f"in {slow} of {len(seconds)}" in " ".join(done.output.split())
    assert (found["lost"], found["doubled"], found["refused"]) == (0, 0, {})
    assert found["dashboards"]["events_per_s_each"] > 0
    assert found["server"] == {}, "it is not ours"


def test_a_process_of_people_that_is_killed_is_said_so(server: TestServer) -> None:
    command = [
        sys.executable, "-m", "chorus.server.cli", "loadtest", "--labelers", "2", "--dashboards",
        "1", "--minutes", "30", "--page-size", "1", "--url", server.url,
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "CHORUS_TOKEN": server.token},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("labeling for"):
                for child in descendants(process.pid):
                    os.kill(child, signal.SIGKILL)
    assert process.returncode == 1, said
    assert "a process of people ended early (signal 9)" in " ".join(said.split())
    assert "Traceback" not in said


def test_as_many_pages_come_in_the_first_seconds_as_later() -> None:
    chance, people, think_s = random.Random(3), 30_000, 10.0
    pages = Counter[int]()
    for _ in range(people):
        at = left_of_first(think_s, chance)
        while at < 40:
            pages[int(at)] += 1
            at += think_s * chance.uniform(SHORTEST, LONGEST)
    # Three thousand a second; a standard deviation is less than sqrt(3000) = 55.
    assert len(pages) == 40
    assert all(abs(n - people / think_s) < 5 * 55 for n in pages.values())


def test_what_the_machine_did_in_slow_seconds_is_told_beside_all_others() -> None:
    shares: list[tuple[float, float, float | None]] = [
        (2.0, 0.5, 0.0), (4.0, 0.9, 0.4), (6.0, 0.4, 0.0), (8.0, 0.2, 0.0),
    ]  # fmt: skip
    said = meanwhile(shares, {3})
    assert said == (
        "the server took 90% of a core (in all: 50%),"
        " something waited for the disk 40% of the time (in all: 10%)"
    )
    silent = [(end, share, None) for end, share, _ in shares]
    assert meanwhile(silent, {3}) == "the server took 90% of a core (in all: 50%)"
