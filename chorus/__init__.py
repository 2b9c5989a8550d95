"""Chorus: many people label the same data at once, and a model learns while they work."""

__version__ = "0.1.0"
