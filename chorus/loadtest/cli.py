"""`chorus loadtest`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import httpx
import msgspec
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from chorus.client import ChorusError
from chorus.loadtest.plan import SLOW_MS, Plan
from chorus.loadtest.run import Report
from chorus.loadtest.run import loadtest as run_it


def loadtest(
    labelers: Annotated[int, typer.Option(min=1, help="People who label.")] = 2000,
    dashboards: Annotated[int, typer.Option(min=0, help="Open dashboards.")] = 100,
    think_s: Annotated[
        float, typer.Option(min=0.1, help="Seconds from one page of a person to the next.")
    ] = 12.0,
    page_size: Annotated[int, typer.Option(help="Items on a page: 1, 4, 6 or 9.")] = 9,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long.")] = 10.0,
    votes_per_item: Annotated[
        int, typer.Option(min=1, max=100, help="Answers that every item gets.")
    ] = 5,
    url: Annotated[
        str | None,
        typer.Option(help="A running server (default: one of its own, removed afterwards)."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write all figures there, as JSON.")] = None,
) -> None:
    """Let many simulated people label in real time, and see whether the server keeps up.

    Of a running server, CHORUS_TOKEN is the token of an admin; the project and the accounts that it
    makes stay there. Exit 1 if a vote was lost, doubled or refused.
    """
    if page_size not in (1, 4, 6, 9):
        raise typer.BadParameter("a page has 1, 4, 6 or 9 items")
    token = os.environ.get("CHORUS_TOKEN")
    if url is not None and not token:
        raise typer.BadParameter("set CHORUS_TOKEN to an admin's token of that server")
    _open_files(labelers + dashboards)
    plan = Plan(labelers, dashboards, think_s, page_size, minutes, votes_per_item)
    console = Console(stderr=True)
    try:
        found = uvloop.run(run_it(plan, url, token, lambda text: console.print(f"{text} …")))
    except (ChorusError, RuntimeError, httpx.HTTPError) as error:
        typer.echo(f"Error: {error or type(error).__name__}", err=True)
        raise typer.Exit(1) from None
    if report is not None:
        report.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    Console().print(table(found))
    if not found.well:
        raise typer.Exit(1)


def _open_files(sockets: int) -> None:
    """Ask for as many as are needed; those whom we start get the same."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = 2 * sockets + 512
    if soft < need:
        if hard != resource.RLIM_INFINITY and hard < need:
            raise typer.BadParameter(
                f"{sockets:,} sockets need {need:,} open files, {hard:,} are allowed: raise the"
                " limit (ulimit -Hn), or take fewer people"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))


def table(found: Report) -> Table:
    out = Table("measured", "figure", title=f"{found.plan.labelers:,} labelers")
    pace = f"{found.votes_per_s:,.0f}/s of {found.wanted_per_s:,.0f}"
    out.add_row("votes", f"{found.votes:,} ({pace})")
    out.add_row("lost, doubled", f"{found.lost}, {found.doubled}")
    if found.refused:
        out.add_row("refused", ", ".join(f"{n} {code}" for code, n in found.refused.items()))
    for failure in found.failures[:3]:
        out.add_row("failed", failure)
    out.add_row("ack p50, p99, longest", _three(found.ack))
    slow = [one for one in found.ack_by_second if (one["max_ms"] or 0) > SLOW_MS]
    out.add_row(
        f"kept after more than {SLOW_MS:.0f} ms",
        f"{found.slow_share:.2%} of the votes, in {len(slow)} of"
        f" {len(found.ack_by_second)} seconds",
    )
    if slow and (shares := found.server.get("shares")):
        out.add_row("… meanwhile", meanwhile(shares, {one["second"] or 0 for one in slow}))
    out.add_row("wait for a page", _three(found.page_wait))
    out.add_row("reconnects, without a page", f"{found.reconnects}, {found.starved}")
    shown = found.dashboards
    out.add_row(
        "each dashboard",
        f"{shown['events_per_s_each']} events in {shown['frames_per_s_each']} frames,"
        f" {shown['kb_per_s_each']} kB a second",
    )
    server = found.server
    if server:
        out.add_row("server's processor", _processor(server["cpu_share"], found))
        out.add_row(
            "server's memory",
            f"{server['rss_mb_first']} → {server['rss_mb_half']} → {server['rss_mb_last']} MB"
            f" ({server['rss_mb_per_minute_last_half']:+} MB a minute in the last half)",
        )
    out.add_row("people's processor", _processor(found.clients["cpu_share"], found))
    return out


def meanwhile(shares: list[tuple[float, float, float | None]], slow: set[float]) -> str:
    """What the server took of a core and how often the disk let something wait, in the slow seconds
    and in all: where neither says why, the machine itself was slow."""
    begins = [0.0, *(end for end, _, _ in shares)]
    bad = [
        one
        for begin, one in zip(begins, shares, strict=False)
        if any(begin - 1 < second < one[0] for second in slow)
    ]
    words = []
    for name, at in (("the server took", 1), ("something waited for the disk", 2)):
        of_all, of_bad = (_mean([one[at] for one in some]) for some in (shares, bad))
        if of_all is not None and of_bad is not None:
            unit = " of a core" if at == 1 else " of the time"
            words.append(f"{name} {of_bad:.0%}{unit} (in all: {of_all:.0%})")
    return ", ".join(words)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _processor(share: float, found: Report) -> str:
    each = share * found.seconds * 1000 / max(1, found.votes)
    return f"{share:.0%} of a core, {each:.2f} ms a vote"


def _three(waits: dict[str, float | None]) -> str:
    return ", ".join(f"{waits[name]}" for name in ("p50_ms", "p99_ms", "max_ms")) + " ms"
