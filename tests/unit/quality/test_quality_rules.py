"""Rules of the quality gates as they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_ml.errors import UsageError
from python_ml.quality.rules import load_rules
from python_ml.settings import load_settings


def test_rules_that_say_nothing_known_are_refused(tmp_path: Path) -> None:
    text = (Path("python_ml") / "quality.yml").read_text(encoding="utf-8")
    (tmp_path / "rules.yml").write_text(text.replace("ranges:", "range:"), encoding="utf-8")
    settings = load_settings({"quality.rules": str(tmp_path / "rules.yml")}, environ={})
    with pytest.raises(UsageError, match=r"unknown rules \['range'\]"):
        load_rules(settings, "gold")
