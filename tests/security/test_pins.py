"""What is installed is named once, by version and by hash."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from scripts.hashes import PYTHONS, SYSTEMS

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z0-9]+\])?==([^\s;\\]+)", re.MULTILINE)


def pins(text: str) -> set[tuple[str, str]]:
    """(name as indexes have it, version)."""
    return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in PIN.findall(text)}


def test_the_lists_agree_and_every_version_has_hashes() -> None:
    """After a change: `make hashes`."""
    lock = pins((ROOT / "requirements.lock").read_text("utf-8"))
    about = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for asked in (about["dependencies"], *about["optional-dependencies"].values()):
        assert pins("\n".join(asked)) <= lock
    hashes = (ROOT / "requirements.hashes").read_text("utf-8")
    assert lock <= pins(hashes)
    for path in (ROOT / "requirements.hashes", *sorted((ROOT / "scripts").glob("*.hashes"))):
        for entry in re.split(r"\n(?=\S)", path.read_text("utf-8").strip())[1:]:
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
            assert "://" not in entry, "no address: whoever installs has an index"


def environment(system: str, python: str) -> dict[str, str]:
    """What markers see there."""
    kernel, machine = system.split(", ")
    mac = kernel.startswith("macOS")
    return {
        **{name: str(value) for name, value in default_environment().items()},
        "sys_platform": "darwin" if mac else "linux",
        "platform_system": "Darwin" if mac else "Linux",
        "platform_machine": "x86_64" if machine == "x86-64" else "arm64" if mac else "aarch64",
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_version": f"{python}.0",
        "extra": "",
    }


def test_the_list_is_whole_on_every_system_and_python() -> None:
    """It is installed without dependencies: what a package asks for there must be on it. (Whether
    there are files of each is asked of the index, by `make hashes`.)"""
    about = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    supported = SpecifierSet(about["requires-python"])
    assert [f"3.{n}" for n in range(9, 20) if f"3.{n}" in supported] == list(PYTHONS)
    setup = (ROOT / "scripts" / "setup.sh").read_text("utf-8")
    assert f"Python {PYTHONS[0]} to {PYTHONS[-1]};" in setup
    text = (ROOT / "requirements.hashes").read_text("utf-8")
    listed = [
        Requirement(line.rstrip(" \\")) for line in re.findall(r"^[^\s#].*", text, re.MULTILINE)
    ]
    asked: list[tuple[str, str, Requirement]] = []
    for entry in listed:
        try:
            needs = metadata.requires(entry.name) or ()
        except metadata.PackageNotFoundError:  # of another system
            continue
        asked += (
            (entry.name, extra, Requirement(need))
            for need in needs
            for extra in ("", *entry.extras)
        )
    assert len(asked) > 200
    for system in SYSTEMS:
        for python in PYTHONS:
            there = environment(system, python)
            have = {
                canonicalize_name(entry.name): entry for entry in listed
                if entry.marker is None or entry.marker.evaluate(there)
            }  # fmt: skip
            for name, extra, need in asked:
                if canonicalize_name(name) not in have:
                    continue
                if need.marker is not None and not need.marker.evaluate({**there, "extra": extra}):
                    continue
                entry = have.get(canonicalize_name(need.name))
                assert entry is not None, f"{system}, {python}: {name} asks for {need}"
                (pin,) = entry.specifier
                assert need.specifier.contains(pin.version, prereleases=True), f"{name}: {need}"
