"""One calm line about what happens, rewritten in place; plain lines where there is no terminal."""

from __future__ import annotations

import asyncio

from rich.console import Console
from rich.live import Live
from rich.text import Text

from chorus.client import StatsWatch
from chorus.client.messages import Stats

PLAIN_SECONDS = 10.0


async def show(watch: StatsWatch, console: Console) -> None:
    """Runs until cancelled."""
    seq = -1
    if not console.is_terminal:
        while True:
            stats = await watch.until(lambda s, seq=seq: s.seq > seq)  # type: ignore[misc]
            seq = stats.seq
            console.print(line(stats), highlight=False, soft_wrap=True)
            await asyncio.sleep(PLAIN_SECONDS)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            stats = await watch.until(lambda s, seq=seq: s.seq > seq)  # type: ignore[misc]
            seq = stats.seq
            live.update(Text(line(stats), overflow="ellipsis", no_wrap=True), refresh=True)


def line(stats: Stats) -> str:
    counts, assist = stats.counts, stats.assist
    here = sum(labeler.here for labeler in stats.labelers)
    parts = [f"{counts.labeled} of {counts.items} labeled", f"{here} here"]
    if stats.state == "paused":
        parts.append("paused")
    if counts.needs_review:
        parts.append(f"{counts.needs_review} need review")
    if assist.running:
        parts.append("the model is learning")
    elif assist.featurized < assist.featurize_total and assist.round is None:
        parts.append(f"the model looks at the pictures: {assist.featurized}")
    elif assist.round is None and assist.next_round_at is not None:
        parts.append(f"first round at {assist.next_round_at} {assist.next_round_of}s")
    if assist.round is not None:
        parts.append(f"round {assist.round.number}")
        if assist.round.model_accuracy is not None:
            parts.append(f"model right {assist.round.model_accuracy:.0%}")
    queue = [f"{stats.queue.get(k, 0)} {k}" for k in ("clustered", "prelabeled")]
    if assist.round is not None:
        parts.append(", ".join(queue) + " to do")
    return " · ".join(parts)
