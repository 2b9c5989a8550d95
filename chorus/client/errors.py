"""What can go wrong between a program and a Chorus server."""

from __future__ import annotations


class ChorusError(Exception):
    """Base of all errors of this package."""


class ApiError(ChorusError):
    """The server refused: `code` is one of docs/protocol.md's, `message` is for people."""

    def __init__(self, code: str, message: str, *, retry: bool = False, status: int = 0) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry = retry
        self.status = status


class ConnectionLost(ChorusError):
    """The socket went away before the answer came; whether the command was done is unknown."""


class Closed(ChorusError):
    """The socket was closed for good: by us, by the server with a `bye` (then its reason), or by an
    error in what it called or was sent (its `__cause__`)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class JobFailed(ChorusError):
    """An import or export ended without success; the message is the server's."""
