"""What a demo must remember to continue: accounts and projects, in a private file."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct, field


class Account(Struct):
    """A person of the demo; `token` acts as them."""

    user_id: str
    name: str
    token: str


class DemoProject(Struct):
    project_id: str
    imported: bool = False
    people: dict[str, Account] = field(default_factory=dict)
    """By what they are in the demo: labeler, supervisor, colleague-1 …"""


class State(Struct):
    admin: str
    """Bearer token of the admin."""
    projects: dict[str, DemoProject] = field(default_factory=dict)
    """By the folder of pictures."""


def load(path: Path) -> State | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        return None


def save(path: Path, state: State) -> None:
    """Write it whole or not at all, readable by the owner only (it holds tokens)."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(state))
    part.replace(path)
