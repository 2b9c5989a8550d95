"""What a person is in a project, by themselves and by their teams."""

from __future__ import annotations

from collections.abc import Collection

ROLES = ("labeler", "supervisor")
"""Of members, the least first."""


def standing(own: str | None, by_teams: Collection[str]) -> tuple[str, bool] | None:
    """(role, whether it is the teams' alone), or None for whoever is no member.

    own: the role given to the person; it stands, whatever their teams have. by_teams: the roles of
    those teams of theirs that are in the project.
    """
    if own is not None:
        return own, False
    if by_teams:
        return max(by_teams, key=ROLES.index), True
    return None
