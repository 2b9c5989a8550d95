"""Copy the browser parts that npm fetched into the folder the server serves them from.

`python -m scripts.vendor`, after `npm ci` in chorus/web. Each file keeps its licence beside it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent / "chorus" / "web"
PARTS = {
    "echarts": "dist/echarts.min.js",
    "htmx.org": "dist/htmx.min.js",
    "konva": "konva.min.js",
}
"""npm package -> the one file of it that the pages load."""


def vendor(modules: Path, target: Path) -> list[Path]:
    """Copy every part from `modules` (node_modules) to `target`; the paths written.

    Raises `FileNotFoundError` naming the package when one is missing.
    """
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for package, file in PARTS.items():
        source = modules / package / file
        if not source.is_file():
            raise FileNotFoundError(f"{source} is missing: run `npm ci` in chorus/web first")
        written.append(_copy(source, target / source.name))
        for licence in sorted((modules / package).glob("LICENSE*")):
            written.append(_copy(licence, target / f"{package}.{licence.name}.txt"))
    return written


def _copy(source: Path, target: Path) -> Path:
    # Through a temporary name: a running server never serves half a file.
    part = target.with_suffix(".part")
    shutil.copyfile(source, part)
    part.replace(target)
    return target


def main() -> int:
    try:
        written = vendor(WEB / "node_modules", WEB / "static" / "vendor")
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(written)} files in {WEB / 'static' / 'vendor'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
