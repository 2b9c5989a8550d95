"""What a token may do of all that its person may."""

from __future__ import annotations

import msgspec

SCOPES = ("read", "label", "all")
"""Only look; what a labeler may; everything the person may."""


class Grant(msgspec.Struct, frozen=True):
    """How far the token goes by which somebody came."""

    token_id: str
    scope: str
    project_id: str | None
    """The only project it is for; None: all."""
    expires_at: int | None
    """ms; None: until it is revoked."""
    admin: bool
    """Its person is an admin. A token that is not for everything never is one."""

    @property
    def limited(self) -> bool:
        return self.scope != "all" or self.project_id is not None or self.expires_at is not None


def admin_by(grant: Grant) -> bool:
    """May the token do what belongs to no project, as an admin? (One that only reads may look.)"""
    return grant.admin and grant.scope != "label" and grant.project_id is None


def role_by(grant: Grant, project_id: str, role: str) -> str | None:
    """What is left of the person's role in a project; None: nothing."""
    if grant.project_id not in (None, project_id):
        return None
    if grant.scope == "label":
        return "labeler"
    return "supervisor" if role == "admin" and grant.project_id is not None else role
