"""`make fuzz ARGS="--seconds 600"`: every target for as long, each in a process of its own.

Guided by coverage where Atheris (libFuzzer for Python) can be had for this Python, else by chance.
What was found interesting stays in .cache/fuzz (not in the repository) and is where the next run
begins; an input that fails is kept in .cache/fuzz/failed and printed with how to run it again.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib.util
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

from chorus.machine import cores
from tests.fuzz.mutate import mutated

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / ".cache" / "fuzz"
HANG_S = 30
"""An input that takes longer hangs, as far as anybody who waits for it can tell."""


def by_chance(name: str, seconds: float, seed: int) -> int:
    """How many inputs ran. The one that fails is kept, and raises."""
    from tests.fuzz.targets import SEEDS, TARGETS

    rng, end, count = random.Random(seed), time.monotonic() + seconds, 0
    data = b""

    def hung(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"an input took more than {HANG_S} s")

    signal.signal(signal.SIGALRM, hung)
    try:
        while time.monotonic() < end:
            data = mutated(SEEDS[name], rng)
            signal.alarm(HANG_S)
            TARGETS[name](data)
            count += 1
    except BaseException:
        keep(name, data)
        raise
    finally:
        signal.alarm(0)
    return count


def by_coverage(name: str, seconds: float, seed: int) -> None:
    """Does not come back: libFuzzer ends the process, not with 0 if an input fails."""
    import atheris

    with atheris.instrument_imports(include=["chorus.server", "tests.fuzz", "defusedxml", "yaml"]):
        from tests.fuzz.targets import SEEDS, TARGETS

    folder, failed = CORPUS / name, CORPUS / "failed"
    for path in (folder, failed):
        path.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(SEEDS[name]):
        (folder / f"seed-{number}").write_bytes(data)
    options = [
        f"-max_total_time={round(seconds)}", f"-seed={seed}", f"-timeout={HANG_S}",
        "-rss_limit_mb=4096", "-max_len=65536", f"-artifact_prefix={failed}/{name}-",
        "-print_final_stats=1", "-close_fd_mask=1",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(folder)], TARGETS[name])
    atheris.Fuzz()


def memory() -> str | None:
    """Where a target's files lie: in memory where there is room, for on a disk an input costs twice
    the time."""
    folder = Path("/dev/shm")
    if "TMPDIR" in os.environ or not folder.is_dir() or shutil.disk_usage(folder).free < 1 << 30:
        return None
    return str(folder)


def keep(name: str, data: bytes) -> None:
    failed = CORPUS / "failed"
    failed.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=failed, prefix=f"{name}-", delete=False) as file:
        file.write(data)
    print(f"kept: python -m tests.fuzz.run --again {file.name}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 1 << 31))
    parser.add_argument("--target", action="append", help="only this one (again for more)")
    parser.add_argument("--jobs", type=int, default=cores(), help="targets side by side")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--again", type=Path, help="run one kept input again")
    given = parser.parse_args()
    guided = importlib.util.find_spec("atheris") is not None
    # The targets are not imported before this: Atheris has to see it.
    if given.one is not None:
        faulthandler.enable()
        if guided:
            by_coverage(given.one, given.seconds, given.seed)
        print(f"{by_chance(given.one, given.seconds, given.seed)} inputs", flush=True)
        return
    from tests.fuzz.targets import TARGETS

    if given.again is not None:
        TARGETS[given.again.name.partition("-")[0]](given.again.read_bytes())
        return
    unknown = set(given.target or ()) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    how = "guided by coverage (Atheris)" if guided else "by chance (Atheris is not here)"
    print(f"seed {given.seed}, {how}", flush=True)

    def run(name: str) -> bool:
        options = ["--one", name, "--seconds", str(given.seconds), "--seed", str(given.seed)]
        # libFuzzer ends the process at once: what it leaves is removed here.
        with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory()) as folder:
            done = subprocess.run(
                [sys.executable, "-m", "tests.fuzz.run", *options], capture_output=True, text=True,
                errors="replace", cwd=ROOT, env={**os.environ, "TMPDIR": folder},
            )  # fmt: skip
        said = done.stdout + done.stderr
        count = [
            line for line in said.splitlines()
            if "inputs" in line or "number_of_executed_units" in line or "kept:" in line
        ]  # fmt: skip
        failed = f"\n{said[-4000:]}" if done.returncode else ""
        print(f"{name}: {'failed' if failed else 'well'}; {'; '.join(count)}{failed}", flush=True)
        return not failed

    with ThreadPoolExecutor(given.jobs) as pool:
        well = list(pool.map(run, given.target or TARGETS))
    sys.exit(0 if all(well) else 1)


if __name__ == "__main__":
    main()
