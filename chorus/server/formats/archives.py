"""A zip that was uploaded in place of many files. Unpacked in a worker process."""

from __future__ import annotations

import contextlib
import errno
import filecmp
import struct
import zipfile
import zlib
from pathlib import Path

UNPACKED_MAX = 16 << 30
"""Bytes of all files together: a small zip may hold far more than a disk."""
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
"""The others may ask for gigabytes of memory to be read (LZMA and Zstandard: their window)."""
_SAYS_UTF8 = 0x800
_CHUNK = 1 << 20
PART = ".part"
"""What a file is called until it is whole: hidden, so none that is sent can be."""


class BadArchive(Exception):
    """The zip cannot be unpacked; the message says why."""


def unpack(archive: str, folder: str, most: int = UNPACKED_MAX) -> int:
    """Write the files of a zip below `folder`, under the paths they have in it, and remove it.

    Hidden files and what macOS adds are left out, and no path leads out of `folder`; no file takes
    the place of another that is there. Returns the number of files. Raises `BadArchive`.
    """
    source, root = Path(archive), Path(folder)
    part = root / PART
    left, files = most, 0
    try:
        with zipfile.ZipFile(source) as packed:
            for member in packed.infolist():
                name = safe_path(_name(member))
                if member.is_dir() or name is None:
                    continue
                if member.compress_type not in _PACKINGS:
                    raise BadArchive("it is not packed by deflate, as zips are")
                target = root / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(member) as data, part.open("wb") as out:
                    # What it says of its size need not be true.
                    while chunk := data.read(_CHUNK):
                        left -= len(chunk)
                        if left < 0:
                            raise BadArchive(f"it holds more than {most / 2**30:.0f} GiB")
                        out.write(chunk)
                if not place(part, target):
                    raise BadArchive(another(name))
                files += 1
    except RuntimeError as error:  # zipfile's word for a password
        raise BadArchive(f"it is encrypted: {error}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise BadArchive(f"it is no zip that can be read: {error}") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise BadArchive("a file in it has the name of a folder") from None
    except OSError as error:
        # A place outside of the file, names that no file can have, and bzip2's word for bad data,
        # which has no number; a full disk is none of them.
        if error.errno not in (None, errno.EINVAL, errno.ENAMETOOLONG):
            raise
        raise BadArchive(f"it is damaged: {error.strerror or error}") from None
    except (ValueError, OverflowError, IndexError, struct.error) as error:
        raise BadArchive(f"it is damaged: {error}") from None
    finally:
        part.unlink(missing_ok=True)
    source.unlink()
    return files


def place(part: Path, target: Path) -> bool:
    """Move a file to where it belongs; False, and nothing is moved, where another one with other
    content is. Raises `IsADirectoryError`."""
    if target.is_file() and not filecmp.cmp(part, target, shallow=False):
        return False
    part.replace(target)
    return True


def another(name: str) -> str:
    """Why there is no place for a file, for the person who sent it."""
    return f"two different files are called {name}; send one of them later, by itself"


def _name(member: zipfile.ZipInfo) -> str:
    """A file's path, which many tools (macOS's own) write as UTF-8 without saying so."""
    name = member.filename
    if not member.flag_bits & _SAYS_UTF8:
        with contextlib.suppress(UnicodeError):
            return name.encode("cp437").decode()
    return name


def safe_path(name: str) -> str | None:
    """A relative path, None for what is left out."""
    # Not by pathlib: two slashes in front are a root of their own to it.
    parts = [p for p in name.replace("\\", "/").split("/") if p not in ("", ".", "..")]
    if not parts or any(p.startswith((".", "__MACOSX")) for p in parts):
        return None
    return "/".join(parts)
