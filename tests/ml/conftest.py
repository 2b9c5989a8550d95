"""Fixtures of the model's tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported networks, made once for all tests."""
    return tmp_path_factory.mktemp("models")
