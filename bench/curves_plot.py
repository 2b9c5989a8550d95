"""A line chart as SVG text: panels side by side, one colour a line, nothing to install."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 430, 300, 52, 34, 44
COLORS = ("#767676", "#0072b2", "#d55e00", "#0072b2", "#d55e00")


@dataclass
class Line:
    name: str
    x: list[int]
    y: list[float]
    dashed: bool = False


def plot(panels: dict[str, list[Line]], x_name: str, y_name: str) -> str:
    """panels: title -> lines; the k-th line has the same colour in each."""
    wide, high = WIDTH * len(panels), HEIGHT + 26
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}"'
        f' height="{high}" font-family="sans-serif" font-size="12">',
        f'<rect width="{wide}" height="{high}" fill="#fff"/>',
    ]
    for k, (title, lines) in enumerate(panels.items()):
        out += [f'<g transform="translate({k * WIDTH} 0)">', *_panel(title, lines, x_name, y_name)]
        out.append("</g>")
    x = LEFT
    for k, line in enumerate(next(iter(panels.values()))):
        out.append(
            f'<line x1="{x}" x2="{x + 22}" y1="{HEIGHT + 8}" y2="{HEIGHT + 8}" {_look(k, line)}/>'
        )
        out.append(f'<text x="{x + 27}" y="{HEIGHT + 12}">{escape(line.name)}</text>')
        x += 45 + 7 * len(line.name)
    return "\n".join([*out, "</svg>", ""])


def _look(k: int, line: Line) -> str:
    dash = ' stroke-dasharray="5 4"' if line.dashed else ""
    return f'fill="none" stroke="{COLORS[k % len(COLORS)]}" stroke-width="1.8"{dash}'


def _panel(title: str, lines: list[Line], x_name: str, y_name: str) -> list[str]:
    high = max(x for line in lines for x in line.x)
    floor = int(min(y for line in lines for y in line.y) * 10) / 10
    top = (int(max(y for line in lines for y in line.y) * 20) + 1) / 20
    inner_w, inner_h = WIDTH - LEFT - 14, HEIGHT - TOP - BOTTOM

    def at(x: float, y: float) -> tuple[float, float]:
        return LEFT + x / high * inner_w, TOP + (top - y) / (top - floor) * inner_h

    out = [f'<text x="{LEFT}" y="20" font-weight="bold">{escape(title)}</text>']
    for tick in range(round(floor * 20), round(top * 20) + 1):
        y = at(0, tick / 20)[1]
        out.append(
            f'<line x1="{LEFT}" x2="{LEFT + inner_w}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        )
        out.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick / 20:.2f}</text>')
    for x in range(0, high + 1, 200):
        px = at(x, floor)[0]
        out.append(f'<text x="{px:.1f}" y="{TOP + inner_h + 17}" text-anchor="middle">{x}</text>')
    out.append(
        f'<text x="{LEFT + inner_w}" y="{TOP + inner_h + 33}" text-anchor="end">'
        f"{escape(x_name)}</text>"
        f'<text x="{LEFT + inner_w}" y="20" text-anchor="end">{escape(y_name)}</text>'
    )
    for k, line in enumerate(lines):
        points = " ".join(
            "{:.1f},{:.1f}".format(*at(x, y)) for x, y in zip(line.x, line.y, strict=True)
        )
        out.append(f'<polyline points="{points}" {_look(k, line)}/>')
    return out
