"""`python scripts/label_studio_reads.py EXPORT.zip`: what Label Studio's own reader makes of an
export of ours (format label-studio).

In an environment of its own, because it needs other versions of much that we use and brings half a
gigabyte: `python -m venv /tmp/ls && /tmp/ls/bin/pip install label-studio-sdk`. Run with 2.1.2:
converts single classes, label sets, boxes and polygons, pictures and texts.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from pathlib import Path

from label_studio_sdk.converter import Converter


def main(export: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(export) as packed:
        root = Path(folder)
        packed.extractall(root)
        tasks = json.loads((root / "tasks.json").read_text("utf-8"))
        converter = Converter(str(root / "label_config.xml"), project_dir=None)
        said = [a for task in tasks for a in task["annotations"] if not a["was_cancelled"]]
        regions = sum(len(a["result"]) for a in said)
        print(f"{len(tasks)} tasks, {len(said)} annotations, {regions} results")
        given = str(root / "tasks.json"), str(root / "json")
        converter.convert_to_json_min(*given, is_dir=False)
        read = json.loads((root / "json" / "result.json").read_text("utf-8"))
        print(f"JSON_MIN: {len(read)} annotations")
        if "COCO" in converter.supported_formats:
            converter.convert_to_coco(given[0], str(root / "coco"), is_dir=False)
            coco = json.loads((root / "coco" / "result.json").read_text("utf-8"))
            print(
                f"COCO: {len(coco['annotations'])} annotations, {len(coco['categories'])} classes"
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
