"""What an import is to bring in: the files of a folder, of a table, of an upload."""

from __future__ import annotations

import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from chorus.server.errors import ApiError
from chorus.server.formats.archives import safe_path
from chorus.server.formats.folder import ROW_SUFFIXES, BadFolder, list_folder, list_texts
from chorus.server.formats.images import Fault
from chorus.server.formats.tables import BadTable, read_table
from chorus.server.formats.textrows import check, lists_files

T = TypeVar("T")
OTHERWISE = "the table says something else of it, too"
PICTURE_TABLES = frozenset({".csv", ".tsv"})


class Entry(msgspec.Struct):
    """One picture or text to bring in."""

    name: str
    path: str
    """Empty for a row of a table of texts."""
    label: str | list[str] | None = None
    """As a table gives it: a cell, or a list of class names."""
    gold: bool = False
    """People are checked against the label later on (see checking)."""


class Rows(msgspec.Struct):
    """A table whose rows are texts."""

    name: str
    path: str
    columns: list[str] | None
    """The ones to show; None: all but names, labels and gold."""
    gold: bool
    """Every label in it is."""


class Listing(msgspec.Struct):
    """Everything that one import brings."""

    entries: list[Entry]
    faults: list[Fault] = []
    tables: list[Rows] = []


class Options(msgspec.Struct, frozen=True):
    """How to read what comes in."""

    text: bool
    """The project labels texts."""
    gold: bool = False
    columns: list[str] | None = None


def of_folder(folder: Path, options: Options) -> Listing:
    """Raises `ApiError('bad_value')` when the folder, or a table in it, cannot be read."""
    try:
        if options.text:
            return _texts(folder, options)
        found, faults = list_folder(folder)
    except BadFolder as error:
        raise ApiError("bad_value", str(error)) from None
    return Listing([Entry(name, path) for name, path in found], faults)


def of_table(table: Path, options: Options) -> Listing:
    """Raises `ApiError('bad_value')` for a table that cannot be read or lacks its columns."""
    if not options.text:
        return _once(_listed(table, options.gold))

    def read() -> Listing:
        if options.columns is None and lists_files(table):
            return _once(_listed(table, options.gold))
        _checked(table, options)
        return Listing([], [], [Rows(table.name, str(table), options.columns, options.gold)])

    return _read(table.name, read)


def _once(rows: Iterable[Entry]) -> Listing:
    """Each file with the first label that the table gives it."""
    first: dict[str, Entry] = {}
    found = Listing([])
    for row in rows:
        known = first.setdefault(row.path, row)
        if (known.label, known.gold) == (row.label, row.gold):
            found.entries.append(row)
        else:
            found.faults.append(Fault(row.name, OTHERWISE))
    return found


class Listed(NamedTuple):
    """A line of an uploaded table that lists files."""

    folder: str
    """Of the table, below the upload; empty: the upload itself."""
    entry: Entry


def tables_in(files: Path, options: Options) -> list[Listed]:
    """The lines of the tables below `files` that list files: of an uploaded table only names
    and labels count, its paths are never read. Raises `ApiError('bad_value')`."""
    suffixes = ROW_SUFFIXES if options.text else PICTURE_TABLES
    listed: list[Listed] = []
    for table in sorted(p for p in files.rglob("*") if p.suffix.lower() in suffixes):
        if options.text and not _is_list(table, options):
            _checked(table, options)
        else:
            folder = table.parent.relative_to(files).as_posix()
            listed += (Listed(folder, entry) for entry in _listed(table, options.gold))
    return listed


def of_upload(files: Path, listed: Iterable[Listed], options: Options) -> Listing:
    """The uploaded files, with the labels that the tables among them give. Raises `ApiError`."""
    found = of_folder(files, options)
    called: defaultdict[str, list[Entry]] = defaultdict(list)
    ending: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in found.entries:
        called[_plain(entry.name)].append(entry)
        ending[posixpath.basename(_plain(entry.name))].append(entry)
    given: dict[str, Entry] = {}
    for folder, row in listed:
        meant = _meant(folder, row.name, called, ending)
        if not meant:
            found.faults.append(Fault(row.name, "named in the table, but not among the files"))
        elif len(meant) > 1:
            found.faults.append(Fault(row.name, f"{len(meant)} of the files are called so"))
        elif row.label is not None or row.gold:
            (entry,) = meant
            first = given.setdefault(entry.name, row)
            entry.label, entry.gold = first.label, first.gold
            if (first.label, first.gold) != (row.label, row.gold):
                found.faults.append(Fault(row.name, OTHERWISE))
    return found


def _meant(
    folder: str, name: str, called: dict[str, list[Entry]], ending: dict[str, list[Entry]]
) -> list[Entry]:
    """The files that a table in `folder` means by a name: below itself, below the upload, or
    wherever one is whose longer name ends so."""
    name = _plain(name)
    for whole in (posixpath.normpath(f"{folder}/{name}"), name):
        if whole in called:
            return called[whole]
    same = ending.get(posixpath.basename(name), [])
    return [entry for entry in same if _plain(entry.name).endswith(f"/{name}")]


def _plain(name: str) -> str:
    """A name as it can be compared: systems write the same accent in one character or in two."""
    return unicodedata.normalize("NFC", name)


def safe_name(filename: str | None, n: int) -> str | None:
    """A relative path below the upload folder, whatever the browser claims; None for a hidden file,
    which is left out as it is of a folder and of a zip."""
    if not filename:
        return f"file{n}"
    path = safe_path(filename)
    return None if path is None else "/".join(path.split("/")[-8:])


def _texts(folder: Path, options: Options) -> Listing:
    texts, tables, faults = list_texts(folder)
    rows = [
        Rows(name, path, options.columns, options.gold)
        for name, path in tables
        if not _is_list(Path(path), options)
    ]
    return Listing([Entry(name, path) for name, path in texts], faults, rows)


def _checked(table: Path, options: Options) -> None:
    _read(table.name, lambda: check(str(table), options.columns))


def _is_list(table: Path, options: Options) -> bool:
    """Whether an uploaded or found table names files rather than holding texts."""
    if options.columns is not None:
        return False
    return _read(table.name, lambda: lists_files(table))


def _listed(table: Path, gold: bool) -> list[Entry]:
    def read() -> list[Entry]:
        return [
            Entry(row.name, row.path, row.label, row.gold or (gold and row.label is not None))
            for row in read_table(table)
        ]

    return _read(table.name, read)


def _read(name: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except BadTable as error:
        raise ApiError("bad_value", f"{name}: {error}") from None
