"""What every export format writes: one row per item, with all its votes."""

from __future__ import annotations

from typing import Any

import msgspec

Names = str | list[Any]
"""A label: a class name; the names of a set of classes in the project's order; or shapes, each
`{"class", "box" | "points"}`, of the model with a `score`."""


class VoteRow(msgspec.Struct, frozen=True, kw_only=True):
    """One vote as exported. Times are milliseconds since 1970 UTC."""

    vote_id: str
    labeler: str
    """The person's login, or what stands for it where people are not to be known."""
    kind: str
    """label, skip or flag."""
    value: Names | None
    """None unless kind is label."""
    created_at: int
    duration_ms: int | None
    page_kind: str | None
    """manual, clustered or prelabeled."""
    prelabel: Names | None
    """What the person was shown, if anything."""
    standing: bool
    """Counts now: neither superseded by a correction nor set aside by a requeue."""
    supersedes: str | None
    check: bool = False
    """An answer on a check (a gold item served blind): no vote, so never standing."""


class ExportRow(msgspec.Struct, frozen=True, kw_only=True):
    """One item as exported."""

    item_id: int
    name: str
    content_hash: str
    width: int
    height: int
    state: str
    label: Names | None
    """The consensus (or the review's decision); None while there is none."""
    provisional: Names | None
    """The best guess from the votes, consensus or not; None without votes."""
    confidence: float | None
    agreement: float | None
    vote_count: int
    """Standing label votes."""
    source: str | None
    """votes or review."""
    gold: bool = False
    length: int = 0
    """Of a text, in characters; 0: a picture."""
    model: Names | None = None
    """What the model's last round said of the item …"""
    model_score: float | None = None
    """… and how sure it was."""
    votes: list[VoteRow]
    """All votes ever cast on the item, oldest first; then all answers on checks."""
