"""Webhooks: how a message is signed, and when a failed one is tried again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

PREFIX = "whsec_"
FIRST_MS, MOST_MS = 1_000, 3_600_000
GIVE_UP_MS = 3 * 24 * 3_600_000
"""Failures in a row for so long turn a webhook off."""


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """As Standard Webhooks has it: "v1,BASE64" of HMAC-SHA256 over "id.seconds.body"."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def wait_ms(failures: int, chance: float) -> int:
    """After so many failures in a row (1 …): doubling up to an hour; `chance` in 0…1 spreads it
    over the upper half, so that many do not come back at once."""
    most = min(MOST_MS, FIRST_MS << min(failures - 1, 20))
    return int(most * (0.5 + chance / 2))


def gives_up(failing_since: int | None, now: int) -> bool:
    return failing_since is not None and now - failing_since >= GIVE_UP_MS


TYPES = frozenset(
    [
        "items.added",
        "items.featurized",
        "page.opened",
        "page.closed",
        "vote.cast",
        "vote.imported",
        "label.decided",
        "label.withdrawn",
        "item.needs_review",
        "review.decided",
        "note.added",
        "comment.added",
        "gold.marked",
        "check.cast",
        "practice.answered",
        "practice.ordered",
        "member.joined",
        "member.left",
        "member.paused",
        "person.renamed",
        "votes.taken_back",
        "votes.restored",
        "skills.estimated",
        "prelabels.suspended",
        "clusters.withdrawn",
        "labels.remerged",
        "project.changed",
        "instructions.confirmed",
        "queue.changed",
        "priority.changed",
        "round.started",
        "round.finished",
        "round.failed",
        "round.cancelled",
        "job.changed",
        "tuning.changed",
        "import.finished",
        "board.based",
    ]
)
"""Events that may be asked for (docs/protocol.md)."""
