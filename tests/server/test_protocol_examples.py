"""docs/protocol.md has an example of every message, and they are what the server takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chorus.server.transport.commands import COMMANDS
from chorus.server.transport.protocol import Connection, decode_body

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
SERVER = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "chorus" / "server").rglob("*.py"))
EXAMPLE = re.compile(r"`([a-z._]+)`\n```json\n(.*?)```", re.DOTALL)
PUSHES = ("welcome", "bye", "page", "item.closed", "page.closed", "empty", "project", "me",
          "stats", "card", "server", "feed", "snapshot", "claims", "bulk", "note",
          "comment")  # fmt: skip


def _frames(text: str) -> list[dict[str, Any]]:
    decoder, at, out = json.JSONDecoder(), 0, []
    while at < len(text.rstrip()):
        frame, end = decoder.raw_decode(text, at)
        out.append(frame)
        at = end + len(text[end:]) - len(text[end:].lstrip())
    return out


FRAMES = [frame for _, block in EXAMPLE.findall(DOC) for frame in _frames(block)]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_an_example_that_decodes(name: str) -> None:
    found = [f for f in FRAMES if f.get("type") == name and "id" in f]
    assert found
    for frame in found:
        command = Connection().receive(json.dumps(frame))
        decode_body(command.body, COMMANDS[name].schema)
    assert any(f.get("re") == found[0]["id"] and f["ok"] for f in FRAMES)


@pytest.mark.parametrize("name", PUSHES)
def test_every_pushed_frame_has_an_example(name: str) -> None:
    assert any(f.get("type") == name and "id" not in f and "seq" not in f for f in FRAMES)


def test_every_event_has_an_example() -> None:
    emitted = set(
        re.findall(r'\.emit\(\s*[^"()]*(?:\([^()]*\))?[^"()]*"([a-z_]+\.[a-z_]+)"', SERVER)
    )
    assert {"vote.cast", "label.decided", "items.added", "round.started"} <= emitted
    shown = {f["type"] for f in FRAMES if "seq" in f and "type" in f}
    # It takes a model that breaks its promise (tests/server/test_audit.py has it), clusters of
    # which nobody would say that they are alike (tests/server/test_clusters.py), or a database of
    # an older version (tests/server/test_timeline.py).
    assert emitted - {"prelabels.suspended", "clusters.withdrawn", "board.based"} <= shown
