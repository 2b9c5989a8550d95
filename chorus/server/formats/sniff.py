"""The kind of an image file by its first bytes, never by its name."""

from __future__ import annotations

BROWSER_SAFE = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
"""What every browser shows."""

_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
)


DICOM_TYPE = "application/dicom"
HEAD_BYTES = 132
"""As many tell every kind."""


def sniff(head: bytes) -> str | None:
    """Media type of a file that starts with `head` (132 bytes or more), or None."""
    # First: what precedes it may be anything, often the mark of a TIFF.
    if head[128:132] == b"DICM":
        return DICOM_TYPE
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    return None
