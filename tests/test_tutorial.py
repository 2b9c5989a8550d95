"""The tutorial's commands, run as it says, against a real server."""

from __future__ import annotations

import asyncio
import runpy
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pycocotools.coco import COCO
from typer.testing import CliRunner

from chorus.client import LabelerStream, Rest, Socket, SyncRest
from chorus.client.process import ServerProcess
from chorus.server.cli import app, mount_others
from tests import docs_pages, servers

PAGE = docs_pages.DOCS / "tutorial.md"
SHELL = ("apt-get", "make", ".", "python")
"""What its reader runs besides `chorus`: the machine's, or (draw.py) run here in another way."""


class Reader:
    """Does what the tutorial says, line by line, in a folder of its own."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        self.server: ServerProcess | None = None
        self.token = ""
        self.said: list[tuple[str, str]] = []

    def chorus(self, *words: str) -> str:
        done = CliRunner().invoke(app, list(words), input="a good password\n" * 2)
        assert done.exit_code == 0, f"{words}: {done.output}"
        return done.stdout

    def serve(self, data_dir: Path) -> None:
        (data_dir / "models").symlink_to(str(servers.MODELS))
        self.server = ServerProcess(data_dir)
        asyncio.run(self.server.start())
        self.patch.setenv("CHORUS_URL", self.server.url)
        # What the reader does in the browser, signed in as herself: a token, the project.
        link = self.chorus("user", "add", "--data-dir", str(data_dir), "--login", "browser",
                           "--admin", "--token")  # fmt: skip
        self.token = link.splitlines()[-1]
        with SyncRest(self.server.url, self.token) as rest:
            rest.create_project("Shapes", ["circle", "square"])

    async def label(self) -> None:
        assert self.server is not None
        async with Rest(self.server.url, self.token) as rest:
            (project,) = await rest.projects()
        async with Socket(self.server.url, self.token) as socket:
            stream = await LabelerStream.open(socket, project.project_id)
            while (page := await stream.next_page()) is not None:
                await servers.vote_page(stream, page, "circle")

    def do(self, line: str) -> None:
        words = docs_pages.words(line)
        if words[:2] == ["export", "CHORUS_TOKEN=the-token-that-you-copied"]:
            self.patch.setenv("CHORUS_TOKEN", self.token)
        elif words[:2] == ["chorus", "serve"]:
            assert words[2] == "--data-dir"
            self.serve(Path(words[3]).absolute())
        elif words[0] == "chorus":
            if words[1] == "export" and not self.said[-1][0].startswith("chorus export"):
                asyncio.run(self.label())
            if words[1] == "fsck":
                self.stop()
            self.said.append((line, self.chorus(*words[1:])))
            if words[1] == "import":
                again = self.chorus(*words[1:]).strip()
                assert again == "0 added, 24 there already, 0 faulty"
                assert f"`{again}`" in docs_pages.text_of(PAGE)
        else:
            assert words[0] in SHELL, line

    def stop(self) -> None:
        if self.server is not None:
            asyncio.run(self.server.stop())
            self.server = None


def test_the_tutorial_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mount_others()
    monkeypatch.chdir(tmp_path)
    reader = Reader(monkeypatch)
    try:
        for block in docs_pages.blocks(PAGE):
            if block.language == "python":
                Path("draw.py").write_text(block.text, "utf-8")
                runpy.run_path("draw.py")
                assert len(list(Path("shapes").iterdir())) == 24
            else:
                for line in docs_pages.lines(block.text):
                    reader.do(line)
        check(reader)
    finally:
        reader.stop()


def check(reader: Reader) -> None:
    said: Any = dict(reader.said)
    text = docs_pages.text_of(PAGE)
    brought = said["chorus import Shapes shapes"].strip()
    assert brought == "24 added, 0 there already, 0 faulty"
    assert f"`{brought}`" in text
    table = said["chorus export Shapes"].splitlines()
    assert len(table) == 25
    assert all("circle" in row for row in table[1:])
    with zipfile.ZipFile("shapes.zip") as bundle:
        assert "manifest.json" in bundle.namelist()
        bundle.extract("annotations.json")
    coco = COCO("annotations.json")
    assert len(coco.getAnnIds()) == 24
    assert "All is well" in said["chorus fsck --data-dir tutorial"]
