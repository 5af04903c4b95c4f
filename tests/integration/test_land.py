"""Landing of good batches: every format, twice the same, and a kill at any moment."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from python_ml.contracts.schema import load_source
from python_ml.errors import LeaseHeldError, SpanishGasError
from python_ml.land import LandResult, land, write
from python_ml.settings import Settings, load_settings
from tests.integration.raw_batch import (
    READINGS,
    RawBatch,
    landed,
    readings,
    tree_hash,
    write_json,
    write_parquet,
)

TABLES = [name for name, it in load_source("raw").items() if not it.meta.get("supplementary")]


def test_landed_tables_have_names_types_and_rows_of_the_schema(
    raw: Path, settings: Settings
) -> None:
    result = land(raw, settings)
    for name, schema in load_source("raw").items():
        if name not in TABLES:
            continue
        frame = landed(settings.layout.lake, name)
        assert tuple(frame.columns) == schema.column_names
        assert len(frame) == result.tables[name].rows_landed == result.tables[name].rows_in > 0
        expected = {"date": "object", "double": "float64", "integer": "int32", "boolean": "bool"}
        for column in schema.columns:
            if column.data_type in expected and frame[column.name].notna().all():
                assert str(frame[column.name].dtype) == expected[column.data_type], column
    frame = RawBatch()["customer_interactions"].sort_values(["customer_id", "date"])
    found = landed(settings.layout.lake, "customer_interactions").sort_values(
        ["customer_id", "date"]
    )
    assert found["interaction_summary"].tolist() == frame["interaction_summary"].tolist()
    assert (result.newest_month, str(result.as_of_date)) == ("2024-12", "2024-12-31")


def test_result_is_json_and_back(raw: Path, settings: Settings) -> None:
    result = land(raw, settings, batch_id="run-1")
    document = json.loads(json.dumps(result.as_dict()))
    assert document["tables"]["churn_label"]["rows_landed"] == 6
    assert document["batch_id"] == "run-1"
    assert LandResult.from_dict(document) == result


# ---------------------------------------------------------------- formats


def _write(frame: pd.DataFrame, folder: Path, name: str, kind: str) -> None:
    match kind:
        case "csv":
            frame.to_csv(folder / f"{name}.csv", index=False)
        case "csv.gz":
            frame.to_csv(folder / f"{name}.csv.gz", index=False)
        case "parquet":
            write_parquet(frame, folder / f"{name}.parquet")
        case "folder of parquet":
            half = len(frame) // 2
            write_parquet(frame.iloc[half:], folder / name / "b.parquet")
            write_parquet(frame.iloc[:half], folder / name / "a.parquet")
            (folder / name / "_SUCCESS").touch()
        case "json":
            write_json(_as_text(frame), folder / f"{name}.json")
        case "jsonl":
            write_json(_as_text(frame), folder / f"{name}.jsonl", lines=True)
        case "json.gz":
            write_json(_as_text(frame), folder / "plain")
            packed = gzip.compress((folder / "plain").read_bytes())
            (folder / f"{name}.json.gz").write_bytes(packed)
            (folder / "plain").unlink()


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    if "timestamp" not in frame:
        return frame
    return frame.assign(timestamp=frame["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%S"))


@pytest.mark.parametrize(
    "kind", ["csv", "csv.gz", "parquet", "folder of parquet", "json", "jsonl", "json.gz"]
)
def test_every_format_gives_the_same_tables(
    raw: Path, settings: Settings, tmp_path: Path, kind: str
) -> None:
    land(raw, settings)
    expected = {name: landed(settings.layout.lake, name) for name in TABLES}
    folder = tmp_path / "other"
    folder.mkdir()
    for name, frame in RawBatch().frames.items():
        _write(frame, folder, name, kind)
    result = land(folder, settings)
    assert not result.reused
    for name in TABLES:
        pd.testing.assert_frame_equal(landed(settings.layout.lake, name), expected[name])
        assert result.tables[name].taken == "rewritten"


def test_order_of_rows_in_the_files_does_not_matter(
    raw: Path, settings: Settings, tmp_path: Path
) -> None:
    land(raw, settings)
    expected = {name: landed(settings.layout.lake, name) for name in TABLES}
    batch = RawBatch()
    batch.frames = {name: f.sample(frac=1, random_state=3) for name, f in batch.frames.items()}
    land(batch.write(tmp_path / "shuffled"), settings)
    for name in TABLES:
        pd.testing.assert_frame_equal(landed(settings.layout.lake, name), expected[name])


def test_two_years_together(raw: Path, settings: Settings) -> None:
    frame = readings("2025-01-01", "2025-02-28 23:00")
    frame.to_csv(raw / "consumption_hourly_2025.csv", index=False)
    result = land(raw, settings)
    assert result.newest_month == "2025-02"
    assert result.tables["consumption_hourly"].taken == "partly as is"
    assert len(landed(settings.layout.lake, "consumption_hourly")) == 13_248 + len(frame)


def test_month_in_several_parts_is_merged(raw: Path, settings: Settings) -> None:
    path = raw / READINGS / "month=2024-11" / "part-0.parquet"
    frame = RawBatch()[READINGS]
    november = frame[frame["timestamp"].dt.month == 11]
    path.unlink()
    for number in range(3):
        write_parquet(november.iloc[number::3], path.with_name(f"part-{number}.parquet"))
    result = land(raw, settings)
    assert result.tables["consumption_hourly"].taken == "partly as is"
    found = landed(settings.layout.lake, "consumption_hourly")
    pd.testing.assert_frame_equal(
        found[found["timestamp"].dt.month == 11].reset_index(drop=True),
        november.reset_index(drop=True).astype(found.dtypes.to_dict()),
    )


# ---------------------------------------------------------------- the user's files


def test_conforming_months_are_linked_and_nothing_of_the_user_changes(
    raw: Path, settings: Settings
) -> None:
    before = tree_hash(raw)
    assert land(raw, settings).tables["consumption_hourly"].taken == "as is"
    assert tree_hash(raw) == before
    part = Path("month=2024-10/part-0.parquet")
    taken = settings.layout.lake / "raw" / "consumption_hourly" / part
    assert taken.stat().st_ino == (raw / READINGS / part).stat().st_ino


def test_copies_where_links_are_not_wanted(raw: Path, settings: Settings) -> None:
    settings = settings.with_overrides({"land.link_files": False})
    land(raw, settings)
    part = Path("month=2024-10/part-0.parquet")
    taken = settings.layout.lake / "raw" / "consumption_hourly" / part
    assert taken.stat().st_ino != (raw / READINGS / part).stat().st_ino
    assert taken.read_bytes() == (raw / READINGS / part).read_bytes()


def test_copies_where_links_are_not_possible(
    raw: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_link)
    assert land(raw, settings).tables["consumption_hourly"].taken == "as is"
    assert len(landed(settings.layout.lake, "consumption_hourly")) == 13_248


# ---------------------------------------------------------------- twice


def test_same_files_again_are_recognised(raw: Path, settings: Settings) -> None:
    first = land(raw, settings)
    before = tree_hash(settings.layout.lake)
    again = land(raw, settings, batch_id="another-run")
    assert again.reused
    assert (again.batch_id, again.content_hash) == (first.batch_id, first.content_hash)
    assert again.tables == first.tables
    assert tree_hash(settings.layout.lake) == before


def test_copy_of_the_files_elsewhere_is_recognised_by_content(
    raw: Path, settings: Settings, tmp_path: Path
) -> None:
    first = land(raw, settings)
    other = shutil.copytree(raw, tmp_path / "copy", copy_function=shutil.copyfile)
    assert land(other, settings).reused
    assert land(other, settings).content_hash == first.content_hash


def test_corrected_file_of_the_same_name_and_size_lands(raw: Path, settings: Settings) -> None:
    first = land(raw, settings)
    path = raw / "churn_label.csv"
    path.write_text(path.read_text().replace("C00001,0", "C00001,1"))
    second = land(raw, settings)
    assert not second.reused
    assert second.batch_id != first.batch_id
    assert landed(settings.layout.lake, "churn_label")["churn"].tolist()[0] == 1
    assert not (settings.layout.lake / "batches" / first.batch_id).exists()


def test_raw_file_changed_in_place_is_noticed(raw: Path, settings: Settings) -> None:
    """A linked month shares its bytes with the raw file; the lake must not be taken for intact."""
    land(raw, settings)
    frame = readings("2024-12-01", "2024-12-31 23:00").assign(consumption_gas_m3=0.5)
    with (raw / READINGS / "month=2024-12" / "part-0.parquet").open("r+b") as stream:
        write_parquet(frame, raw.parent / "new.parquet")
        stream.write((raw.parent / "new.parquet").read_bytes())
        stream.truncate()
    assert not land(raw, settings).reused
    gas = landed(settings.layout.lake, "consumption_hourly")["consumption_gas_m3"]
    assert (gas == 0.5).sum() >= len(frame)


def test_other_rules_land_the_same_files_again(raw: Path, settings: Settings) -> None:
    land(raw, settings)
    assert not land(raw, settings.with_overrides({"land.maximum_null_share": 0.7})).reused


def test_two_lakes_of_the_same_files_are_the_same(raw: Path, tmp_path: Path) -> None:
    hashes = []
    for name in ("one", "two"):
        settings = load_settings({"home": str(tmp_path / name)}, environ={})
        batch = settings.layout.lake / "batches" / land(raw, settings).batch_id
        (batch / write.MANIFEST).unlink()  # times
        hashes.append(tree_hash(batch))
    assert hashes[0] == hashes[1]


# ---------------------------------------------------------------- kills and locks


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize(
    ("owner", "step", "new_has_landed", "new_is_current"),
    [
        (write, "write_manifest", False, False),
        (Path, "symlink_to", True, False),
        (write, "remove_others", True, True),
    ],
)
def test_kill_leaves_a_readable_lake(
    raw: Path,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    step: str,
    new_has_landed: bool,
    new_is_current: bool,
) -> None:
    land(raw, settings)
    before = (settings.layout.lake / "raw").readlink()
    batch = RawBatch()
    batch["churn_label"] = batch["churn_label"].assign(churn=1)
    other = batch.write(tmp_path / "other")

    def kill(*_: Any, **__: Any) -> None:
        if step == "remove_others" and (settings.layout.lake / "raw").readlink() == before:
            return
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(owner, step, kill)
        land(other, settings)
    churn = landed(settings.layout.lake, "churn_label")["churn"]
    assert churn.sum() == (6 if new_is_current else 2)
    assert len(landed(settings.layout.lake, "consumption_hourly")) == 13_248

    (settings.layout.lake / ".staging-dead" / "batch").mkdir(parents=True)
    assert land(other, settings).reused is new_has_landed
    assert landed(settings.layout.lake, "churn_label")["churn"].sum() == 6
    assert not list(settings.layout.lake.glob(".staging-*"))
    assert len(list((settings.layout.lake / "batches").iterdir())) == 1


def test_kill_of_the_very_first_landing(
    raw: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Path, "symlink_to", kill)
        land(raw, settings)
    assert not (settings.layout.lake / "raw").exists()
    result = land(raw, settings)
    assert result.batch_id == result.content_hash[:12]


def test_second_landing_at_a_time_is_turned_away(raw: Path, settings: Settings) -> None:
    with write.locked(settings.layout.lake), pytest.raises(LeaseHeldError, match="Wait"):
        land(raw, settings)


def test_foreign_folder_in_the_place_of_the_link(raw: Path, settings: Settings) -> None:
    (settings.layout.lake / "raw").mkdir(parents=True)
    with pytest.raises(SpanishGasError, match="did not write"):
        land(raw, settings)


# ---------------------------------------------------------------- optional contacts


CONTACTS = pd.DataFrame(
    {
        "campaign": "spring",
        "customer_id": ["C00001", "C00002"],
        "contact_date": ["2024-12-30", "2024-12-31"],
        "channel": ["phone", None],
        "outcome": ["accepted", "not_reached"],
    }
)


def test_contacts_of_campaigns_may_be_delivered_too(raw: Path, settings: Settings) -> None:
    CONTACTS.to_csv(raw / "campaign_contacts.csv", index=False)
    result = land(raw, settings)
    assert result.tables["campaign_contacts"].rows_landed == 2
    frame = landed(settings.layout.lake, "campaign_contacts")
    assert list(frame["outcome"]) == ["accepted", "not_reached"]
    assert frame["cost_eur"].isna().all()


def test_contacts_are_checked_like_other_files(raw: Path, settings: Settings) -> None:
    CONTACTS.assign(outcome="maybe").to_csv(raw / "campaign_contacts.csv", index=False)
    with pytest.raises(SpanishGasError, match=r"campaign_contacts\.csv"):
        land(raw, settings)


def test_without_contacts_nothing_is_missing(raw: Path, settings: Settings) -> None:
    assert "campaign_contacts" not in land(raw, settings).tables
