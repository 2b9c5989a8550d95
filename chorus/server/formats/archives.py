"""A zip that was uploaded in place of many files. Unpacked in a worker process."""

from __future__ import annotations

import errno
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

UNPACKED_MAX = 16 << 30
"""Bytes of all files together: a small zip may hold far more than a disk."""
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
"""The others may ask for gigabytes of memory to be read (LZMA and Zstandard: their window)."""
_CHUNK = 1 << 20


class BadArchive(Exception):
    """The zip cannot be unpacked; the message says why."""


def unpack(archive: str, folder: str, most: int = UNPACKED_MAX) -> int:
    """Write the files of a zip below `folder`, under the paths they have in it, and remove it.

    Hidden files and what macOS adds are left out, and no path leads out of `folder`. Returns the
    number of files. Raises `BadArchive`.
    """
    source, root = Path(archive), Path(folder)
    left, files = most, 0
    try:
        with zipfile.ZipFile(source) as packed:
            for member in packed.infolist():
                name = _safe(member.filename)
                if member.is_dir() or name is None:
                    continue
                if member.compress_type not in _PACKINGS:
                    raise BadArchive("it is not packed by deflate, as zips are")
                target = root / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(member) as data, target.open("wb") as out:
                    # What it says of its size need not be true.
                    while chunk := data.read(_CHUNK):
                        left -= len(chunk)
                        if left < 0:
                            raise BadArchive(f"it holds more than {most / 2**30:.0f} GiB")
                        out.write(chunk)
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
    source.unlink()
    return files


def _safe(name: str) -> str | None:
    """A relative path, None for what is left out."""
    parts = [p for p in PurePosixPath(name.replace("\\", "/")).parts if p not in ("/", "..")]
    if not parts or any(p.startswith((".", "__MACOSX")) for p in parts):
        return None
    return "/".join(parts)
