"""Uploaded zips: their files and nothing else come out, and nowhere else."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.formats.archives import BadArchive, unpack
from chorus.server.services.sources import safe_name


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


def test_names_that_do_not_say_how_they_are_written(tmp_path: Path) -> None:
    """As macOS packs them: UTF-8, without the mark of it. Others are what they say."""
    archive = pack(tmp_path / "mac.zip", {"Käse/é.txt": b"mac"})
    data = bytearray(archive.read_bytes())
    for signature, at in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        data[data.index(signature) + at] &= ~0x08
    archive.write_bytes(data)
    assert unpack(str(archive), str(tmp_path)) == 1
    archive = pack(tmp_path / "dos.zip", {"xx.txt": b"dos"})
    archive.write_bytes(archive.read_bytes().replace(b"xx.txt", b"\x84\x81.txt"))
    assert unpack(str(archive), str(tmp_path)) == 1
    assert tree(tmp_path) == {"Käse/é.txt": b"mac", "äü.txt": b"dos"}


@pytest.mark.parametrize("root", ["/", "//", "///", "\\\\", "/\\", "../../../../../../../"])
def test_no_path_begins_at_the_root(tmp_path: Path, root: str) -> None:
    """Two slashes are a root, too."""
    place = tmp_path / "outside" / "a.txt"
    name = f"{root}{place.relative_to('/')}"
    inner = tmp_path / "inner"
    inner.mkdir()
    with zipfile.ZipFile(inner / "z.zip", "w") as out:
        out.writestr(zipfile.ZipInfo(name), b"x")
    assert unpack(str(inner / "z.zip"), str(inner)) == 1
    assert tree(tmp_path) == {f"inner/{place.relative_to('/')}": b"x"}
    # Nor does one that a browser sends.
    sent = safe_name(name, 0)
    assert sent is not None
    assert (inner / sent).is_relative_to(inner)


def test_no_file_is_lost_to_another_of_its_name(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", {"x/a.txt": b"1", "./x/a.txt": b"1"})
    assert unpack(str(archive), str(tmp_path)) == 2
    archive = pack(tmp_path / "a.zip", {"y/a.txt": b"1", "./y/a.txt": b"2"})
    with pytest.raises(BadArchive, match=r"two different files are called y/a\.txt"):
        unpack(str(archive), str(tmp_path))
    assert tree(tmp_path).keys() == {"a.zip", "x/a.txt", "y/a.txt"}


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
        assert any(why in str(error) for why in ("the name of a folder", "are called"))
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
