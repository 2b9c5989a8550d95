"""Uploaded zips: their files and nothing else come out, and nowhere else."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.formats.archives import BadArchive, unpack


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(name, content)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_its_files_take_its_place(tmp_path: Path) -> None:
    files = {
        "a.txt": b"a", "folder/b.txt": b"b", "empty/": b"", ".hidden": b"", "x/.y/z.txt": b"",
        "__MACOSX/a.txt": b"", "win\\c.txt": b"c",
    }  # fmt: skip
    archive = pack(tmp_path / "all.zip", files)
    assert unpack(str(archive), str(tmp_path)) == 3
    assert tree(tmp_path) == {"a.txt": b"a", "folder/b.txt": b"b", "win/c.txt": b"c"}


@given(st.lists(st.text("/\\.ab", min_size=1, max_size=8), min_size=1, max_size=5))
def test_nothing_lands_outside(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    outer = tmp_path_factory.mktemp("zip")
    inner = outer / "inner"
    inner.mkdir()
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as out:
        for name in dict.fromkeys(names):
            out.writestr(zipfile.ZipInfo(name), b"x")
    archive = inner / "z.zip"
    archive.write_bytes(data.getvalue())
    try:
        unpack(str(archive), str(inner))
    except BadArchive as error:
        assert "the name of a folder" in str(error)
    assert all(name.startswith("inner/") for name in tree(outer))


def test_bad_zips_say_why(tmp_path: Path) -> None:
    bomb = pack(tmp_path / "bomb.zip", {"zeros.txt": bytes(5_000_000)})
    assert bomb.stat().st_size < 10_000
    with pytest.raises(BadArchive, match="holds more than 0 GiB"):
        unpack(str(bomb), str(tmp_path), most=1_000_000)
    archive = tmp_path / "a.zip"
    archive.write_bytes(b"no zip")
    with pytest.raises(BadArchive, match="no zip"):
        unpack(str(archive), str(tmp_path))
    whole = pack(archive, {"a.txt": b"hello " * 1000}).read_bytes()
    archive.write_bytes(whole[:60] + b"????" + whole[64:])
    with pytest.raises(BadArchive, match="no zip that can be read"):
        unpack(str(archive), str(tmp_path))
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_BZIP2) as out:
        out.writestr("a.txt", b"hello " * 1000)
    whole = archive.read_bytes()
    archive.write_bytes(whole[:60] + b"????" + whole[64:])
    with pytest.raises(BadArchive, match="damaged: Invalid data stream"):
        unpack(str(archive), str(tmp_path))
    # A window of gigabytes is one number in it.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA) as out:
        out.writestr("a.txt", b"hello " * 1000)
    with pytest.raises(BadArchive, match="not packed by deflate"):
        unpack(str(archive), str(tmp_path))
