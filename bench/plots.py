"""`python -m bench.plots`: what was measured, as pictures for the docs (docs/images/bench-*.svg).

`make bench` and `python -m bench.scale --write` draw them anew from bench/results/.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
WIDTH = 760
LEFT, ROW, BAR = 330, 34, 16
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#767676")


class Ratio(NamedTuple):
    """How far from the ceiling of the same run; `goal`: what it should be at least."""

    name: str
    value: float
    goal: float


def ratios(result: dict[str, Any]) -> list[Ratio]:
    out = []
    if "votes" in result:
        ways = {"one by one": result["votes"], "by page": result["votes"].get("by_page")}
        out += [
            Ratio(f"votes over websockets, {way} ÷ ceiling", found["ratio_to_lower_ceiling"], 0.7)
            for way, found in ways.items()
            if found is not None
        ]
    if "fanout" in result:
        out.append(Ratio("one event to 1,000 dashboards ÷ bare", result["fanout"]["ratio"], 0.5))
    if "featurize" in result:
        out.append(Ratio("features ÷ bare onnxruntime", result["featurize"]["ratio"], 0.95))
    return out


def bars(title: str, rows: Sequence[Ratio]) -> str:
    high = 46 + ROW * len(rows) + 26
    scale = (WIDTH - LEFT - 60) / max(1.0, *(row.value for row in rows))
    out = [*_begin(WIDTH, high), f'<text x="14" y="24" font-weight="bold">{escape(title)}</text>']
    for n, row in enumerate(rows):
        y = 44 + ROW * n
        color = COLORS[0] if row.value >= row.goal else COLORS[1]
        out += [
            f'<text x="{LEFT - 10}" y="{y + 13}" text-anchor="end">{escape(row.name)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{row.value * scale:.1f}" height="{BAR}"'
            f' fill="{color}"/>',
            f'<text x="{LEFT + row.value * scale + 6:.1f}" y="{y + 13}">{row.value:.2f}</text>',
            f'<line x1="{LEFT + row.goal * scale:.1f}" x2="{LEFT + row.goal * scale:.1f}"'
            f' y1="{y - 4}" y2="{y + BAR + 4}" stroke="#000" stroke-width="2"/>',
        ]
    out.append(f'<text x="{LEFT}" y="{high - 10}" fill="#555">black line: the goal</text>')
    return "\n".join([*out, "</svg>", ""])


def curves(title: str, x: Sequence[float], lines: dict[str, list[float]], unit: str) -> str:
    """Lines over both axes' logarithms: what grows in proportion rises by one step a step."""
    high, left, right, top, bottom = 330, 70, 230, 40, 46
    values = [v for line in lines.values() for v in line if v > 0]
    low_y, high_y = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    low_x, high_x = math.log10(min(x)), math.log10(max(x))

    def at(a: float, b: float) -> tuple[float, float]:
        across = (math.log10(a) - low_x) / max(high_x - low_x, 1e-9)
        up = (math.log10(b) - low_y) / max(high_y - low_y, 1)
        inner = high - top - bottom
        return left + across * (WIDTH - left - right), top + (1 - up) * inner

    out = [*_begin(WIDTH, high), f'<text x="14" y="22" font-weight="bold">{escape(title)}</text>']
    for power in range(low_y, high_y + 1):
        y = at(x[0], 10.0**power)[1]
        out.append(f'<line x1="{left}" x2="{WIDTH - right}" y1="{y:.1f}" y2="{y:.1f}"'
                   f' stroke="#ddd"/><text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">'
                   f"{10.0**power:g}</text>")  # fmt: skip
    for a in x:
        px = at(a, 10.0**low_y)[0]
        out.append(
            f'<text x="{px:.1f}" y="{high - bottom + 18}" text-anchor="middle">{a:,.0f}</text>'
        )
    out.append(f'<text x="{left}" y="{high - 8}" fill="#555">items; {escape(unit)}</text>')
    for n, (name, line) in enumerate(lines.items()):
        color = COLORS[n % len(COLORS)]
        points = [at(a, b) for a, b in zip(x, line, strict=True) if b > 0]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        y = top + 14 + 20 * n
        out += [
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>',
            *(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{color}"/>' for a, b in points),
            f'<line x1="{WIDTH - right + 14}" x2="{WIDTH - right + 34}" y1="{y}" y2="{y}"'
            f' stroke="{color}" stroke-width="2"/>',
            f'<text x="{WIDTH - right + 40}" y="{y + 4}">{escape(name)}</text>',
        ]
    return "\n".join([*out, "</svg>", ""])


def _begin(width: int, high: int) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {high}" width="{width}"'
        f' height="{high}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{high}" fill="#fff"/>',
    ]


def draw(results: Path, images: Path = IMAGES) -> list[Path]:
    """Draw what there are results of; the files written."""
    written = []
    runs = sorted(results.glob("20??-??-??-*.json"), key=lambda path: path.stat().st_mtime)
    if runs:
        newest = json.loads(runs[-1].read_text())
        cores = newest["machine"]["cores"]
        title = f"Beside the ceilings of the same run ({newest['commit']}, {cores} cores)"
        written.append(_write(images / "bench-ratios.svg", bars(title, ratios(newest))))
    scale = results / "scale.json"
    if scale.is_file():
        found = json.loads(scale.read_text())
        if len(found) > 1:
            x = [one["items"] for one in found]
            votes = {
                "a vote, median": [one["quiet_ms"][0] for one in found],
                "a vote, 99 %": [one["quiet_ms"][1] for one in found],
                "during a round, median": [one["busy_ms"][0] for one in found],
                "during a round, 99 %": [one["busy_ms"][1] for one in found],
                "a next page": [one["page_ms"] for one in found],
            }
            rounds = {
                "the round": [one["round"] for one in found],
                "landing": [one["landing"] for one in found],
                "reading": [one["read"] for one in found],
                "scoring": [one["jobs"]["infer"] for one in found],
            }
            title = "What people wait as a project grows"
            written.append(_write(images / "bench-votes.svg", curves(title, x, votes, "ms")))
            title = "What a round takes as a project grows"
            written.append(_write(images / "bench-rounds.svg", curves(title, x, rounds, "seconds")))
    return written


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


if __name__ == "__main__":
    for path in draw(Path(__file__).parent / "results"):
        print(path)
