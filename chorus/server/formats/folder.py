"""The image files of a folder, or its texts and tables."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from chorus.server.formats.dicom import DICOM_SUFFIXES
from chorus.server.formats.images import Fault
from chorus.server.formats.sniff import DICOM_TYPE, HEAD_BYTES, sniff

IMAGE_SUFFIXES = DICOM_SUFFIXES | {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
}
TEXT_SUFFIXES = frozenset({".txt", ".text", ".md"})
CELL_SUFFIXES = frozenset({".csv", ".tsv"})
ROW_SUFFIXES = CELL_SUFFIXES | {".jsonl", ".ndjson"}
# What commonly lies beside pictures and is not meant as one; anything else is listed as a fault.
_BESIDE_SUFFIXES = frozenset(
    {".csv", ".tsv", ".json", ".jsonl", ".txt", ".md", ".xml", ".yaml", ".yml", ".ini", ".db"}
)


class BadFolder(Exception):
    """The folder itself cannot be imported; the message is for the person who named it."""


def list_folder(root: Path) -> tuple[list[tuple[str, str]], list[Fault]]:
    """The pictures below `root` as (name, path), and what else lies there, both by name.

    A picture is told by its suffix (DICOM without one by its first bytes); its name is the path
    below `root` with forward slashes.
    Hidden files and folders (a leading dot) and tables and texts beside the pictures are left
    out; a file of another kind is a `Fault`. Links to folders are not followed. Raises
    `BadFolder` when `root` is no folder or one below it cannot be read.
    """
    _must_be_folder(root)
    found: list[tuple[str, str]] = []
    faults: list[Fault] = []
    for name, path in _named(root, faults):
        suffix = path.suffix.lower()
        # DICOM files often have no suffix, and then say themselves what they are.
        if suffix in IMAGE_SUFFIXES or (not suffix and _says_dicom(path)):
            found.append((name, str(path)))
        elif suffix not in _BESIDE_SUFFIXES:
            faults.append(Fault(name, "not an image file"))
    return sorted(found), sorted(faults, key=lambda fault: fault.name)


def list_texts(
    root: Path,
) -> tuple[list[tuple[str, str]], list[tuple[str, str]], list[Fault]]:
    """The text files below `root`, the tables, both as (name, path), and what else lies there.

    As `list_folder`: told by suffix, hidden files left out, `BadFolder` raised.
    """
    _must_be_folder(root)
    texts: list[tuple[str, str]] = []
    tables: list[tuple[str, str]] = []
    faults: list[Fault] = []
    for name, path in _named(root, faults):
        suffix = path.suffix.lower()
        if suffix in TEXT_SUFFIXES:
            texts.append((name, str(path)))
        elif suffix in ROW_SUFFIXES:
            tables.append((name, str(path)))
        else:
            faults.append(Fault(name, "not a text file or table (.txt, .md, .csv, .tsv, .jsonl)"))
    return sorted(texts), sorted(tables), sorted(faults, key=lambda fault: fault.name)


def list_tables(root: Path) -> list[Path]:
    """The tables beside the pictures below `root`, by name."""
    return sorted(p for _, p in _named(root, []) if p.suffix.lower() in CELL_SUFFIXES)


def _must_be_folder(root: Path) -> None:
    if not root.exists():
        raise BadFolder(f"there is no folder {root} on the server")
    if not root.is_dir():
        raise BadFolder(f"{root} is not a folder")


def _named(root: Path, faults: list[Fault]) -> Iterator[tuple[str, Path]]:
    """(name, path) of every file; one whose name is not UTF-8 goes to `faults`."""
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        if _is_text(name):
            yield name, path
        else:
            faults.append(Fault(name.encode(errors="replace").decode(), "its name is not UTF-8"))


def _files(root: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise BadFolder(f"{error.filename} cannot be read: {error.strerror}") from error

    for folder, folders, files in os.walk(root, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        for name in files:
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _says_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return sniff(file.read(HEAD_BYTES)) == DICOM_TYPE
    except OSError:
        return False


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
