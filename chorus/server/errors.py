"""One exception for everything a caller did wrong; transport turns it into a code and status."""

from __future__ import annotations

STATUS = {
    "bad_message": 400,
    "unknown_type": 400,
    "not_signed_in": 401,
    "wrong_password": 401,
    "forbidden": 403,
    "bad_origin": 403,
    "not_found": 404,
    "conflict": 409,
    "not_leased": 409,
    "already_voted": 409,
    "item_closed": 409,
    "source_gone": 410,
    "source_changed": 410,
    "too_large": 413,
    "bad_value": 422,
    "rate_limited": 429,
    "internal": 500,
    "shutting_down": 503,
    "source_unreachable": 503,
}
RETRY = {"rate_limited", "internal", "shutting_down", "source_unreachable"}


class ApiError(Exception):
    """A refusal with a stable `code` (see docs/protocol.md) and a message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        return STATUS.get(self.code, 500)

    def body(self) -> dict[str, object]:
        return {"code": self.code, "message": self.message, "retry": self.code in RETRY}


class JobFailed(Exception):
    """A job gave up; `attempts` were made. The message is for people."""

    def __init__(self, message: str, attempts: int) -> None:
        super().__init__(message)
        self.attempts = attempts
