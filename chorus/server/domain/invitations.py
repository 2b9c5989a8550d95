"""Who may invite whom."""

from __future__ import annotations


def may_invite(admin: bool, held: str | None, role: str) -> bool:
    """An admin anybody; a supervisor labelers, to their own project.

    held: what whoever invites is in the project of the invitation; None: no member.
    """
    return admin or (role == "labeler" and held == "supervisor")
