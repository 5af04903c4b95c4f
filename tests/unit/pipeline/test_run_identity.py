"""A batch is known by its content, work by its code and settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from python_ml.documents import hash_file
from python_ml.engines.ledger import listing_hash
from python_ml.errors import BadInputError, UsageError
from python_ml.pipeline import identity
from python_ml.pipeline.identity import identify_batch, require_unchanged, work_hash
from python_ml.settings import load_settings


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    folder = tmp_path / "monday"
    (folder / "consumption_hourly_2024").mkdir(parents=True)
    (folder / "churn_label.csv").write_text("customer_id,churn\nC00001,1\n")
    (folder / "consumption_hourly_2024" / "part-0.parquet").write_bytes(b"readings")
    (folder / "notes.txt").write_text("not a table")
    return folder


def test_folder_and_times_do_not_matter_and_bytes_do(batch: Path, tmp_path: Path) -> None:
    first = identify_batch(batch).sha256
    os.utime(batch / "churn_label.csv", (0, 0))
    batch.rename(tmp_path / "late")
    (tmp_path / "late" / "notes.txt").write_text("changed, and still not a table")
    assert identify_batch(tmp_path / "late").sha256 == first

    stat = (tmp_path / "late" / "churn_label.csv").stat()
    (tmp_path / "late" / "churn_label.csv").write_text("customer_id,churn\nC00001,0\n")
    os.utime(tmp_path / "late" / "churn_label.csv", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert identify_batch(tmp_path / "late").sha256 != first, "same name, size and time"


def test_a_file_that_changes_or_goes_while_it_is_read_is_noticed(
    batch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = hash_file

    def change(path: Path) -> str:
        digest = read(path)
        (batch / "churn_label.csv").write_text("customer_id,churn\n")
        return digest

    monkeypatch.setattr(identity, "hash_file", change)
    with pytest.raises(BadInputError, match=r"churn_label\.csv changed while"):
        identify_batch(batch)
    monkeypatch.undo()
    entries = identify_batch(batch).entries
    (batch / "churn_label.csv").unlink()
    with pytest.raises(BadInputError, match=r"churn_label\.csv"):
        require_unchanged(batch, entries)


def test_work_is_code_and_the_settings_that_results_depend_on() -> None:
    settings = load_settings({}, {})
    same = settings.with_overrides({"home": "/elsewhere", "threads": 1})
    stricter = settings.with_overrides({"gate.minimum_recall": 0.9})
    other = settings.with_overrides({"model.folds": 4})
    assert work_hash(same) == work_hash(settings)
    assert work_hash(stricter) != work_hash(settings)
    assert work_hash(stricter, with_judges=False) == work_hash(settings, with_judges=False)
    assert work_hash(other, with_judges=False) != work_hash(settings, with_judges=False)


def test_objects_of_a_bucket_count_in_any_order() -> None:
    objects = [("b.csv", 2, '"e2"'), ("a.csv", 1, '"e1"')]
    assert listing_hash(objects) == listing_hash(reversed(objects))
    assert listing_hash(objects) != listing_hash([("b.csv", 2, '"e2"'), ("a.csv", 1, '"e3"')])


def test_a_changed_rules_file_is_a_changed_setting(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text("raw: {}\n")
    settings = load_settings({"quality.rules": str(rules)}, environ={})
    first = work_hash(settings)
    assert first != work_hash(load_settings(environ={}))
    moved = tmp_path / "moved.yml"
    moved.write_text("raw: {}\n")
    assert work_hash(settings.with_overrides({"quality.rules": str(moved)})) == first
    rules.write_text("raw: {stop: []}\n")
    assert work_hash(settings) != first
    assert work_hash(settings, with_judges=False) == work_hash(
        load_settings(environ={}), with_judges=False
    ), "a run may be resumed under other limits"
    rules.unlink()
    with pytest.raises(UsageError, match=r"quality\.rules"):
        work_hash(settings)
