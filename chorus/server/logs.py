"""The server's log: one line each, as text or as JSON, with the request that it belongs to."""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the HTTP request, or of the websocket and its command ("socket.command"), that runs here."""

FORMATS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")
GIVEN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def new_id(given: str | None = None) -> str:
    """The id that a proxy has `given` a request, if it is a harmless one, or a new one."""
    return given if given and GIVEN.fullmatch(given) else secrets.token_hex(8)


def plain(text: str) -> str:
    """Without control characters: what somebody sent must not look like another line."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


class Text(logging.Formatter):
    """`time level logger [request] message`; a traceback follows, indented."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        request = request_id.get()
        where = f" [{request}]" if request else ""
        line = f"{at} {record.levelname.lower()} {record.name}{where} {plain(record.getMessage())}"
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            line += "\n" + "\n".join(f"    {plain(one)}" for one in trace.splitlines())
        return line


class Json(logging.Formatter):
    """One JSON object: `time` (RFC 3339, UTC), `level`, `logger`, `message`, and where they are
    known `request_id`, `exception` and the record's own fields (`extra={"fields": {…}}`)."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        body: dict[str, object] = {
            "time": at,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request := request_id.get()) is not None:
            body["request_id"] = request
        body |= getattr(record, "fields", {})
        if record.exc_info:
            body["exception"] = self.formatException(record.exc_info)
        return json.dumps(body, ensure_ascii=True, default=str)


def setup(format: str, level: str) -> None:
    """Send everything of `level` and above to stderr, and nothing anywhere else."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if format == "json" else Text())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Others' talk below a warning is about their own affairs.
    for noisy in ("uvicorn", "httpx", "httpcore", "websockets", "asyncio", "multipart"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
