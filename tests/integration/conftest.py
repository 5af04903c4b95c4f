"""What the tests of landing begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_ml.settings import Settings, load_settings
from tests.integration.raw_batch import RawBatch


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Seven good raw files."""
    return RawBatch().write(tmp_path / "raw")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a home with nothing in it."""
    return load_settings({"home": str(tmp_path / "home")}, environ={})
