"""`make sbom`: the bill of materials, Python's and the browser's, as CycloneDX in dist/sbom."""

from __future__ import annotations

import json
import subprocess
import sys

from scripts.audit import PARTS, ROOT, tool

OUT = ROOT / "dist" / "sbom"


def main() -> None:
    program = tool("cyclonedx-py")
    if program is None:
        sys.exit("cyclonedx-bom could not be installed")
    OUT.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [program, "environment", sys.executable, "--pyproject", ROOT / "pyproject.toml",
         "--output-reproducible", "--of", "JSON", "-o", OUT / "python.cdx.json"],
        check=True,
    )  # fmt: skip
    for part in PARTS:
        name = part.rpartition("/")[2]
        (OUT / f"{name}.cdx.json").write_text(browser(part), encoding="utf-8")
    for path in sorted(OUT.glob("*.json")):
        count = len(json.loads(path.read_text("utf-8")).get("components", ()))
        print(f"{path.relative_to(ROOT)}: {count} components")


def browser(part: str) -> str:
    """Of a package-lock.json: names, versions and integrity hashes, as CycloneDX 1.6."""
    lock = json.loads((ROOT / part / "package-lock.json").read_text("utf-8"))
    components = []
    for path, about in sorted(lock["packages"].items()):
        if not path:
            continue
        name = path.rpartition("node_modules/")[2]
        components.append(
            {
                "type": "library",
                "name": name,
                "version": about["version"],
                "purl": f"pkg:npm/{name.replace('@', '%40')}@{about['version']}",
                **(
                    {"licenses": [{"license": {"name": about["license"]}}]}
                    if "license" in about
                    else {}
                ),
                "properties": [
                    {"name": "npm:integrity", "value": about.get("integrity", "")},
                ],
            }
        )
    body = {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"component": {"type": "application", "name": lock["name"]}},
        "components": components,
    }  # fmt: skip
    return json.dumps(body, indent=2) + "\n"


if __name__ == "__main__":
    main()
