"""What is wrong with a file of labels, or with a line of it."""

from __future__ import annotations


class BadLabels(Exception):
    """The file cannot be used at all; the message says why, for the person who brought it."""


class Bad(Exception):
    """One line cannot; raised inside a reader."""
