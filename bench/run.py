"""`python -m bench.run`: what this machine does, beside what it could do at most.

A few minutes. Prints a table and writes bench/results/<date>-<commit>.json. Ceilings are measured
in the same run, so that a figure can be judged on any machine.
"""

from __future__ import annotations

import asyncio
import json
import platform
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from bench import ceilings, exporting, fanout, importing, plots, votes
from chorus.machine import cores

RESULTS = Path(__file__).parent / "results"
RUNS = 5
"""Of votes."""
PARTS = ("votes", "fanout", "import", "export", "featurize", "round")
EXPORTED = 20_000


def main(
    only: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(PARTS)}; may be repeated.")
    ] = None,
    write: Annotated[bool, typer.Option(help="Write the results file.")] = True,
) -> None:
    """Measure votes, pages, fan-out, import, export, features and rounds on this machine."""
    parts = only or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        raise typer.BadParameter(f"unknown: {', '.join(sorted(unknown))}")
    console = Console()
    result: dict[str, Any] = {"machine": _machine(), "commit": _commit()}
    with tempfile.TemporaryDirectory(prefix="chorus-bench-") as folder:
        for part in parts:
            with console.status(f"Measuring {part} …"):
                result[part] = _measure(part, Path(folder))
    console.print(_table(result))
    if write:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}-{result['commit']}.json"
        if path.exists():  # a part that is measured again leaves the others
            result = json.loads(path.read_text()) | result
        path.write_text(json.dumps(result, indent=2) + "\n")
        plots.draw(RESULTS)
        console.print(f"written: bench/results/{path.name}")


def _measure(part: str, folder: Path) -> Any:
    if part == "votes":
        return _votes(folder)
    if part == "fanout":
        return uvloop.run(fanout.fanout(folder))
    if part == "export":
        (folder / "export").mkdir()
        found = asyncio.run(exporting.measure(folder / "export", EXPORTED, ("csv",)))["csv"]
        return {"items": EXPORTED, **found, "per_s": round(EXPORTED / found["seconds"])}
    if part == "import":
        return asyncio.run(importing.import_photos(folder))
    from bench import ml_bench

    if part == "featurize":
        return ml_bench.featurize_bench(folder, 512)
    return [ml_bench.round_bench(folder, n) for n in (2_000, 100_000)]


def _votes(folder: Path) -> dict[str, Any]:
    one, page = (_votes_at_once(folder / f"votes-{n}", n) for n in votes.AT_ONCE)
    return {"sockets": votes.SOCKETS, **one, "by_page": page}


def _votes_at_once(folder: Path, at_once: int) -> dict[str, Any]:
    """The run whose ratio is in the middle: one alone is off by a tenth, as the machine goes."""
    runs = []
    for n in range(RUNS):
        (folder / str(n)).mkdir(parents=True)
        runs.append(_votes_once(folder / str(n), at_once))
    runs.sort(key=lambda run: run["ratio_to_lower_ceiling"])
    all_of = {key: [run[key] for run in runs] for key in runs[0] if key.startswith("ratio")}
    return {**runs[RUNS // 2], "runs": all_of}


def _votes_once(folder: Path, at_once: int) -> dict[str, Any]:
    # The client's loop is uvloop too: it shares the machine with the server it measures.
    sockets, prepared = uvloop.run(votes.over_sockets(folder, at_once))
    same = ceilings.statements(prepared, behind=True)
    alone = ceilings.statements(prepared, behind=False)
    echo = uvloop.run(ceilings.echo(prepared))
    lower = min(same["per_s"], echo["per_s"])
    return {
        "at_once": at_once,
        "durable": sockets,
        "ceilings": {
            "same statements, no network": same,
            "votes' transactions alone, no network": alone,
            "echo server, no database": echo,
        },
        "ratio_to_lower_ceiling": round(sockets["per_s"] / lower, 3),
        "ratio_to_votes_alone": round(sockets["per_s"] / min(alone["per_s"], echo["per_s"]), 3),
    }


def _machine() -> dict[str, Any]:
    return {
        "cores": cores(),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parent,
    )  # fmt: skip
    return done.stdout.strip() or "unknown"


def _table(result: dict[str, Any]) -> Table:
    table = Table("measured", "figure", "beside", title=f"{result['machine']['cores']} cores")
    if "votes" in result:
        for found in (result["votes"], result["votes"]["by_page"]):
            _vote_rows(table, found, result["votes"]["sockets"])
    if "fanout" in result:
        found = result["fanout"]
        table.add_row(
            f"one event to {found['dashboards']:,} dashboards, frames/s",
            f"{found['events']['frames_per_s']:,}",
            f"{found['ratio']:.2f} of a bare broadcast"
            f" ({found['ratio_by_processor']:.2f} by processor time)",
        )
    if "export" in result:
        found = result["export"]
        table.add_row(
            f"export of {found['items']:,} items as CSV, items/s",
            f"{found['per_s']:,}",
            f"{found['memory_mb']} MB more",
        )
    if "import" in result:
        table.add_row("import, photos of 256 px/s", f"{result['import']['per_s']:,}", "")
    if "featurize" in result:
        found = result["featurize"]
        table.add_row(
            "features, photos of 256 px/s",
            f"{found['images_per_s']}",
            f"{found['ratio']:.2f} of bare onnxruntime ({found['bare_onnxruntime_per_s']})",
        )
    for found in result.get("round", []):
        jobs = ", ".join(f"{job} {found[job]}" for job in ("train", "validate", "infer", "cluster"))
        table.add_row(f"a round at {found['items']:,} items", f"{found['seconds']} s", jobs)
    return table


def _vote_rows(table: Table, found: dict[str, Any], sockets: int) -> None:
    durable = found["durable"]
    sent = "one by one" if found["at_once"] == 1 else f"{found['at_once']} together"
    table.add_row(
        f"durable votes/s, {sockets} sockets, {sent}",
        f"{durable['per_s']:,.0f}",
        f"{found['ratio_to_lower_ceiling']:.2f} of the lower ceiling"
        f" ({found['ratio_to_votes_alone']:.2f} of the votes' transactions alone)",
    )
    table.add_row("ack p50, p99", f"{durable['ack_p50_ms']}, {durable['ack_p99_ms']} ms", "")
    for name, ceiling in found["ceilings"].items():
        table.add_row(
            f"ceiling: {name}",
            f"{ceiling['per_s']:,.0f}",
            f"ack {ceiling['ack_p50_ms']}, {ceiling['ack_p99_ms']} ms",
        )
    table.add_row("pages handed out/s", f"{durable['pages_per_s']:,.0f}", "")


if __name__ == "__main__":
    typer.run(main)
