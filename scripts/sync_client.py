"""Write the sync client from the async one: `python -m scripts.sync_client`.

The same methods, types and words, without `await`; a test tells when the file is out of date.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CLIENT = Path(__file__).resolve().parent.parent / "chorus" / "client"
SOURCE, TARGET = CLIENT / "rest.py", CLIENT / "rest_sync.py"
HEAD = "# Made from rest.py by `python -m scripts.sync_client`; change that, not this.\n"
WORDS = (
    (r"\basync def\b", "def"),
    (r"\basync with\b", "with"),
    (r"\basync for\b", "for"),
    (r"\bawait ", ""),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\bAsyncClient\b", "Client"),
    (r"\b__aenter__\b", "__enter__"),
    (r"\b__aexit__\b", "__exit__"),
    (r"\baclose\b", "close"),
    (r"\baread\b", "read"),
    (r"\baiter_bytes\b", "iter_bytes"),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"^import asyncio$", "import time"),
    (r"\bclass Rest\b", "class SyncRest"),
    (r"REST client of one person", "REST client of one person, without asyncio"),
)


def converted(source: str) -> str:
    """The text of rest_sync.py."""
    for pattern, word in WORDS:
        source = re.sub(pattern, word, source, flags=re.MULTILINE)
    head, found, rest = source.partition("from __future__")
    return f"{head}{HEAD}{found}{rest}"


def main() -> int:
    TARGET.write_text(converted(SOURCE.read_text(encoding="utf-8")), encoding="utf-8")
    print(TARGET.relative_to(CLIENT.parent.parent))
    return 0


if __name__ == "__main__":
    sys.exit(main())
