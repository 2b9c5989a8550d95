"""`python -m bench.profile` (`make profile`): where the server's time goes while 64 sockets vote.

The votes of bench/votes.py against a real server, watched by py-spy from outside: which functions
hold the interpreter (its lock), by themselves and with all that they call. `--out` keeps the stacks
in the "folded" form of flame graphs. Needs py-spy (in the extra "dev"), and a system that lets one
process look into another of the same person (Linux: ptrace_scope 0, or root).
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from bench import votes

RATE = 250
"""Looks a second."""
TOP = 25


class Watched(votes.Watcher):
    """py-spy beside the server, from the first vote to the last."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, pid: int) -> None:
        command = [
            str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(pid), "--gil",
            "--rate", str(RATE), "--format", "raw", "--threads", "--output", str(self._out),
            "--duration", "600",
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    async def end(self) -> None:
        assert self._process is not None
        self._process.send_signal(2)  # what it has seen so far is written then
        await asyncio.to_thread(self._process.wait)


def read(path: Path) -> tuple[Counter[str], Counter[str], int]:
    """(looks in which a function was running, looks in which it was on the stack, all looks)."""
    alone: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in path.read_text("utf-8").splitlines():
        stack, _, n = line.rpartition(" ")
        frames = [_short(frame) for frame in stack.split(";")]
        alone[frames[-1]] += int(n)
        for frame in set(frames):
            within[frame] += int(n)
    return alone, within, sum(alone.values())


def _short(frame: str) -> str:
    """`function (file)`, without the line, and the file without where it is installed."""
    name, _, rest = frame.partition(" (")
    if not rest:
        return frame
    path = rest.rstrip(")").rpartition(":")[0]
    for mark in ("site-packages/", "/chorus/"):
        at = path.rfind(mark)
        if at >= 0:
            path = path[at + len(mark) :] if mark != "/chorus/" else path[at + 1 :]
            break
    return f"{name} ({path})"


def table(path: Path) -> Table:
    alone, within, total = read(path)
    out = Table("by itself", "with what it calls", "function", title=f"{total:,} looks")
    for name, n in alone.most_common(TOP):
        out.add_row(f"{n / total:.1%}", f"{within[name] / total:.1%}", name)
    out.add_section()
    ours = [(name, n) for name, n in within.most_common() if "(chorus/" in name]
    for name, n in ours[: 2 * TOP]:
        out.add_row(f"{alone[name] / total:.1%}", f"{n / total:.1%}", name)
    return out


def main(
    waves: Annotated[int, typer.Option(help="Times that every socket votes on eight pages.")] = 6,
    at_once: Annotated[int, typer.Option(help="Votes in one message: 1, or 9 for a page.")] = 9,
    out: Annotated[Path | None, typer.Option(help="Keep the folded stacks here.")] = None,
) -> None:
    """Profile the server while people vote."""
    console = Console(width=150)
    with tempfile.TemporaryDirectory(prefix="chorus-profile-") as folder:
        target = out or Path(folder) / "stacks.txt"
        figures, _ = uvloop.run(votes.over_sockets(Path(folder), at_once, waves, Watched(target)))
        console.print(table(target))
    console.print(f"{figures['per_s']:,.0f} votes/s meanwhile (the looks cost some)")


if __name__ == "__main__":
    typer.run(main)
