"""The websocket protocol without I/O: text frames in, commands out; answers in, frames out."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from chorus.server.errors import RETRY, ApiError

FRAME_MAX = 2 * 1024 * 1024
"""Bytes of one incoming frame. The largest answer there is fits: all the points that
domain/shapes.py allows, even where no coordinate is rounded (52 bytes a point), on as many shapes
as it allows, each with a class of 500 bytes."""

UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What reading JSON of strangers raises: the last for what is nested too deeply."""

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode

Frame = tuple[bytes, ...]
"""A text on its way out, in pieces (UTF-8): the last may be one that many are sent."""


class Command(msgspec.Struct):
    """One request of a client. `body` is decoded by the command's own schema."""

    id: int
    type: str
    body: msgspec.Raw = msgspec.Raw(b"{}")


class BadFrame(Exception):
    """A frame that is no valid command; `frame` is the answer to send."""

    def __init__(self, frame: Frame) -> None:
        super().__init__(frame)
        self.frame = frame


_decoder = msgspec.json.Decoder(Command)


class Connection:
    """The state of one connection: ids of its commands rise."""

    def __init__(self) -> None:
        self.last_id = 0

    def receive(self, text: str | bytes) -> Command:
        """Raises `BadFrame` for what is not a command of this protocol."""
        if len(text) > FRAME_MAX:
            error = ApiError("too_large", f"a message has at most {FRAME_MAX >> 20} MiB")
            raise BadFrame(error_frame(_id_of(text), error))
        try:
            command = _decoder.decode(text)
        except UNREADABLE as error:
            raise BadFrame(error_frame(None, ApiError("bad_message", str(error)))) from None
        if command.id <= self.last_id:
            message = f"ids must rise: {command.id} after {self.last_id}"
            raise BadFrame(error_frame(command.id, ApiError("bad_message", message)))
        self.last_id = command.id
        return command


_BEGINNING = re.compile(rb'\s*\{\s*"id"\s*:\s*(\d{1,18})\s*[,}]')


def _id_of(text: str | bytes) -> int | None:
    """The id of a frame that is not parsed, where it is what the frame begins with."""
    head = text[:64]
    found = _BEGINNING.match(head.encode(errors="replace") if isinstance(head, str) else head)
    return int(found[1]) if found else None


def decode_body(raw: msgspec.Raw, schema: type[T]) -> T:
    """Raises `ApiError('bad_message')` naming the field."""
    try:
        return msgspec.json.decode(raw, type=schema)
    except UNREADABLE as error:
        raise ApiError("bad_message", str(error)) from None


def error_body(error: ApiError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "retry": error.code in RETRY}


def reply_frame(re: int, body: dict[str, Any]) -> Frame:
    return (_encode({"re": re, "ok": True, "body": body}),)


def error_frame(re: int | None, error: ApiError) -> Frame:
    return (_encode({"re": re, "ok": False, "error": error_body(error)}),)


def push_frame(sub: int, type: str, body: dict[str, Any]) -> Frame:
    return (_encode({"sub": sub, "type": type, "body": body}),)


def shared_tail(type: str, body: dict[str, Any], seq: int | None = None) -> bytes:
    """What a pushed frame has after its subscription number: encoded once, sent to all."""
    rest = {"type": type, "body": body} if seq is None else {"seq": seq, "type": type, "body": body}
    return _encode(rest)[1:]


def with_sub(sub: int, tail: bytes) -> Frame:
    return (b'{"sub":%d,' % sub, tail)


def plain_frame(type: str, body: dict[str, Any]) -> Frame:
    return (_encode({"type": type, "body": body}),)
