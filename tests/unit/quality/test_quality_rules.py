"""Rules of the quality gates as they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_ml.errors import UsageError
from python_ml.quality.rules import (
    LAYERS,
    SEVERITIES,
    LayerRules,
    NullRule,
    RangeRule,
    TableRules,
    load_rules,
)
from python_ml.settings import Settings, load_settings


def test_rules_that_say_nothing_known_are_refused(tmp_path: Path) -> None:
    text = (Path("python_ml") / "quality.yml").read_text(encoding="utf-8")
    (tmp_path / "rules.yml").write_text(text.replace("ranges:", "range:"), encoding="utf-8")
    settings = load_settings({"quality.rules": str(tmp_path / "rules.yml")}, environ={})
    with pytest.raises(UsageError, match=r"unknown rules \['range'\]"):
        load_rules(settings, "gold")


WRITTEN = """
null_share: {raw: 0.02, bronze: 0.03, silver: 0.04, gold: 0.05}
volume: {stop: 0.5, warn: 1}
duplicate_share: {stop: 0.1}
set_aside_share: {warn: 0.2}
clock: {maximum_age_days: 45}
tables:
  raw:
    prices:
      month_column: month
      freshness: {column: day, stop: 62, warn: 35}
      nulls:
        price: {limit: 0.4, reason: not every tariff has one}
      ranges:
        price: {minimum: 0, maximum: 2.5, severity: warn}
        usage: {minimum: -1}
    plain:
  bronze: {}
"""


def written(folder: Path, text: str = WRITTEN) -> Settings:
    """Settings that name a file with these rules."""
    folder.mkdir(exist_ok=True)
    (folder / "rules.yml").write_text(text, encoding="utf-8")
    return load_settings({"quality.rules": str(folder / "rules.yml")}, environ={})


def test_rules_are_read_as_they_are_written(tmp_path: Path) -> None:
    found = load_rules(written(tmp_path), "raw")
    assert found == LayerRules(
        layer="raw",
        null_share=0.02,
        volume={"stop": 0.5, "warn": 1.0},
        duplicate_share={"stop": 0.1},
        set_aside_share={"warn": 0.2},
        maximum_clock_age_days=45.0,
        tables={
            "prices": TableRules(
                month_column="month",
                fresh_column="day",
                fresh_days={"stop": 62.0, "warn": 35.0},
                nulls={"price": NullRule(0.4, "not every tariff has one")},
                ranges={"price": RangeRule(0, 2.5, "warn"), "usage": RangeRule(-1, None, "stop")},
            ),
            "plain": TableRules(None, None, {}, {}, {}),
        },
    )
    assert isinstance(found.volume["warn"], float)
    bronze = load_rules(written(tmp_path), "bronze")
    assert (bronze.layer, bronze.null_share, bronze.tables) == ("bronze", 0.03, {})


def test_without_a_file_of_ones_own_the_shipped_rules_hold() -> None:
    assert LAYERS == ("raw", "bronze", "silver", "gold")
    assert SEVERITIES == ("stop", "warn")
    for layer in LAYERS:
        found = load_rules(load_settings(environ={}), layer)
        assert found.tables and set(found.volume) <= set(SEVERITIES)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("stop: 0.5, warn: 1", "halt: 0.5", r"layer raw: severity \['halt'\]; known are stop and"),
        ("stop: 62", "later: 62", r"layer raw: severity \['later'\]"),
        ("month_column: month", "months: month", r"unknown rules \['months'\]; known are \['fre"),
        ("clock:", "clocks:", "'clock' is missing"),
        ("  raw:", "  rare:", "'raw' is missing"),
        ("null_share: {raw", "null_share: {rare", "'raw' is missing"),
        ("limit: 0.4, ", "", "layer raw: .*limit"),
        ("maximum_age_days: 45", "maximum_age_days: soon", "layer raw: .*soon"),
        ("volume: {", "volume: [", "rules.yml: "),
    ],
)
def test_what_is_wrong_with_a_file_of_rules_is_said(
    tmp_path: Path, before: str, after: str, words: str
) -> None:
    assert before in WRITTEN
    settings = written(tmp_path / "home", WRITTEN.replace(before, after))
    with pytest.raises(UsageError, match=words) as refusal:
        load_rules(settings, "raw")
    assert f"quality rules {tmp_path / 'home' / 'rules.yml'}" in str(refusal.value)


def test_a_file_of_rules_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    settings = load_settings({"quality.rules": str(tmp_path / "gone.yml")}, environ={})
    with pytest.raises(UsageError, match=r"quality rules .*gone\.yml"):
        load_rules(settings, "raw")
    (tmp_path / "gone.yml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError, match=r"quality rules .*gone\.yml"):
        load_rules(settings, "raw")
