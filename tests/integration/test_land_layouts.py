"""The layouts and formats that files come in: whatever they are, the same rows land."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from python_ml.errors import BadInputError
from python_ml.land import land
from python_ml.settings import Settings
from tests.integration.raw_batch import READINGS, RawBatch, landed, write_json, write_parquet
from tests.workbook import write_workbook

FRAME = RawBatch()[READINGS]


def months(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    names = frame["timestamp"].dt.strftime("%Y-%m")
    return {str(month): part for month, part in frame.groupby(names)}


def no_endings(folder: Path) -> None:
    for path in sorted(folder.rglob("*.parquet")):
        path.rename(path.with_suffix(""))


def newest_without_ending(folder: Path) -> None:
    path = folder / "month=2024-12" / "part-0.parquet"
    path.rename(path.with_suffix(""))


def newest_as_csv(folder: Path) -> None:
    (folder / "month=2024-12" / "part-0.parquet").unlink()
    months(FRAME)["2024-12"].to_csv(folder / "month=2024-12" / "part-0.csv", index=False)


def newest_as_packed_csv(folder: Path) -> None:
    (folder / "month=2024-12" / "part-0.parquet").unlink()
    months(FRAME)["2024-12"].to_csv(folder / "december.csv.gz", index=False, sep=";", decimal=",")


def newest_as_json(folder: Path) -> None:
    (folder / "month=2024-12" / "part-0.parquet").unlink()
    write_json(months(FRAME)["2024-12"], folder / "december.jsonl", lines=True)


def newest_linked(folder: Path) -> None:
    elsewhere = folder.parent.parent / "elsewhere"
    (folder / "month=2024-12").rename(elsewhere)
    (folder / "month=2024-12").symlink_to(elsewhere, target_is_directory=True)


def newest_file_linked(folder: Path) -> None:
    elsewhere = folder.parent.parent / "december.parquet"
    path = folder / "month=2024-12" / "part-0.parquet"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def one_file_a_customer(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    for customer, part in FRAME.groupby("customer_id"):
        part.to_csv(folder / f"{customer}.csv", index=False)


def partitions_by_customer(folder: Path) -> None:
    shutil.rmtree(folder)
    for customer, part in FRAME.groupby("customer_id"):
        path = folder / f"customer_id={customer}" / "part-0.parquet"
        write_parquet(part.drop(columns="customer_id"), path)


def partitions_by_customer_as_csv(folder: Path) -> None:
    shutil.rmtree(folder)
    for customer, part in FRAME.groupby("customer_id"):
        (folder / f"customer_id={customer}").mkdir(parents=True)
        path = folder / f"customer_id={customer}" / "readings.csv"
        part.drop(columns="customer_id").to_csv(path, index=False)


def an_empty_list_as_a_month(folder: Path) -> None:
    newest_as_json(folder)
    (folder / "january.json").write_text("[]")


def one_parquet_file(folder: Path) -> None:
    shutil.rmtree(folder)
    write_parquet(FRAME, folder.with_suffix(".parquet"))


def utf_16(folder: Path) -> None:
    shutil.rmtree(folder)
    text = FRAME.to_csv(index=False, sep="\t")
    folder.with_suffix(".csv").write_bytes(text.encode("utf-16"))


@pytest.mark.parametrize(
    "change",
    [
        *(no_endings, newest_without_ending, newest_as_csv, newest_as_packed_csv, newest_as_json),
        *(newest_linked, newest_file_linked, one_file_a_customer, partitions_by_customer),
        *(partitions_by_customer_as_csv, an_empty_list_as_a_month, one_parquet_file, utf_16),
    ],
)
def test_layouts_of_readings(raw: Path, settings: Settings, change: Callable[[Path], None]) -> None:
    """Parts that were not named as expected had been left out: the batch was a month too old."""
    change(raw / READINGS)
    result = land(raw, settings)
    assert result.newest_month == "2024-12"
    assert result.tables["consumption_hourly"].set_aside == {}
    found = landed(settings.layout.lake, "consumption_hourly")
    order = ["customer_id", "timestamp"]
    pd.testing.assert_frame_equal(
        found.sort_values(order, ignore_index=True), FRAME.sort_values(order, ignore_index=True)
    )


def test_a_link_that_leads_nowhere(raw: Path, settings: Settings) -> None:
    (raw / READINGS / "month=2024-12" / "part-1.parquet").symlink_to(raw / "nowhere")
    with pytest.raises(BadInputError, match=r"part-1\.parquet: the link leads nowhere"):
        land(raw, settings)


def test_a_link_to_the_folder_above(raw: Path, settings: Settings) -> None:
    (raw / READINGS / "loop").symlink_to(raw, target_is_directory=True)
    assert land(raw, settings).tables["consumption_hourly"].rows_landed == len(FRAME)


def test_a_month_beside_the_folder_of_its_year(raw: Path, settings: Settings) -> None:
    """It had been ignored: the batch was a month too old."""
    december = raw / READINGS / "month=2024-12" / "part-0.parquet"
    december.rename(raw / "consumption_hourly_2024-12.parquet")
    with pytest.raises(BadInputError, match="named like a part of consumption_hourly_"):
        land(raw, settings)


def test_a_part_that_is_something_else(raw: Path, settings: Settings) -> None:
    (raw / READINGS / "notes.txt").write_text("delivered by Ana\n")
    with pytest.raises(BadInputError, match=r"consumption_hourly_2024/notes\.txt, column customer"):
        land(raw, settings)


def test_parts_of_several_formats_with_other_columns(raw: Path, settings: Settings) -> None:
    newest_as_csv(raw / READINGS)
    path = raw / READINGS / "month=2024-12" / "part-0.csv"
    months(FRAME)["2024-12"].drop(columns="consumption_gas_m3").to_csv(path, index=False)
    with pytest.raises(BadInputError, match="consumption_gas_m3"):
        land(raw, settings)


# ---------------------------------------------------------------- the other tables


def prices(raw: Path) -> pd.DataFrame:
    (raw / "price_history.csv").unlink()
    return RawBatch()["price_history"]


def as_bank_csv(raw: Path) -> None:
    """`sep=;`, decimal commas, dd/mm/yyyy, #N/D and a delimiter at the end of each line."""
    frame = prices(raw)
    dates = pd.to_datetime(frame["pricing_date"]).dt.strftime("%d/%m/%Y")
    frame = frame.assign(pricing_date=dates.where(frame.index != 0, "31/12/2023"))
    frame["gas_fixed_cost_eur_year"] = frame["gas_fixed_cost_eur_year"].mask(frame.index == 1)
    text = frame.to_csv(index=False, sep=";", decimal=",", na_rep="#N/D")
    lines = ["sep=;", *(f"{line};" for line in text.splitlines())]
    (raw / "price_history.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")


def as_bank_csv_with_a_plain_header(raw: Path) -> None:
    as_bank_csv(raw)
    lines = (raw / "price_history.csv").read_text(encoding="utf-8-sig").splitlines()
    lines[1] = lines[1].removesuffix(";")
    (raw / "price_history.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def as_workbook(raw: Path) -> None:
    frame = prices(raw)
    frame = frame.assign(pricing_date=pd.to_datetime(frame["pricing_date"]))
    frame.loc[0, "pricing_date"] = pd.Timestamp("2023-12-31")
    frame["gas_fixed_cost_eur_year"] = frame["gas_fixed_cost_eur_year"].mask(frame.index == 1)
    write_workbook(frame, raw / "price_history.xlsx")


def as_spanish_workbook(raw: Path) -> None:
    """Numbers and dates as texts, the way they are shown."""
    as_bank_csv(raw)
    path = raw / "price_history.csv"
    frame = pd.read_csv(path, sep=";", skiprows=1, dtype=str, keep_default_na=False).iloc[:, :-1]
    path.unlink()
    write_workbook(frame, raw / "price_history.xlsx")


@pytest.mark.parametrize(
    "write", [as_bank_csv, as_bank_csv_with_a_plain_header, as_workbook, as_spanish_workbook]
)
def test_formats_of_a_table(raw: Path, settings: Settings, write: Callable[[Path], None]) -> None:
    write(raw)
    result = land(raw, settings)
    assert result.tables["price_history"].set_aside == {}
    found = landed(settings.layout.lake, "price_history")
    assert str(found["pricing_date"].min()) == "2023-12-31"
    assert found["gas_fixed_cost_eur_year"].isna().sum() == 1
    column = "variable_price_tier1_eur_kwh"
    expected = sorted(RawBatch()["price_history"][column])
    assert sorted(found[column]) == pytest.approx(expected)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_an_encoding_that_the_mapping_states(
    raw: Path, settings: Settings, tmp_path: Path, encoding: str
) -> None:
    text = RawBatch()["customer_attributes"].to_csv(index=False)
    content = text.encode("utf-16-le" if encoding == "utf-16" else encoding)
    (raw / "customer_attributes.csv").write_bytes(content)
    mapping = tmp_path / "mapping.yml"
    mapping.write_text(f"sources: {{customer_attributes: {{encoding: {encoding}}}}}\n")
    land(raw, settings.with_overrides({"land.mapping": str(mapping)}))
    assert set(landed(settings.layout.lake, "customer_attributes")["region"]) == {"España"}


@pytest.mark.parametrize("form", ["wrapped", "wrapped on lines", "objects on lines", "lines"])
def test_forms_of_json(raw: Path, settings: Settings, form: str) -> None:
    path = raw / "customer_interactions.json"
    records = json.loads(path.read_text(encoding="utf-8"))
    texts = {
        "wrapped": json.dumps({"count": 3, "data": records}),
        "wrapped on lines": json.dumps({"data": records, "next": None}, indent=2),
        "objects on lines": "\n".join(json.dumps(record, indent=1) for record in records),
        "lines": "\n".join(json.dumps(record) for record in records),
    }
    path.write_text(texts[form], encoding="utf-8")
    result = land(raw, settings)
    assert result.tables["customer_interactions"].rows_landed == 3


@pytest.mark.parametrize("text", ["[]", " [\n ]\n", '{"data": []}'])
def test_an_empty_list_is_a_table_without_rows(raw: Path, settings: Settings, text: str) -> None:
    (raw / "customer_interactions.json").write_text(text)
    result = land(raw, settings)
    assert any("holds no record" in warning for warning in result.warnings)
    assert len(landed(settings.layout.lake, "customer_interactions")) == 0


def test_a_file_without_an_ending_is_known_by_its_first_bytes(
    raw: Path, settings: Settings
) -> None:
    write_parquet(RawBatch()["price_history"], raw / "price_history")
    (raw / "price_history.csv").unlink()
    (raw / "churn_label.csv").rename(raw / "churn_label")
    (raw / "customer_interactions.json").rename(raw / "customer_interactions")
    assert land(raw, settings).row_count > len(FRAME)


def test_a_workbook_that_is_none(raw: Path, settings: Settings) -> None:
    (raw / "price_history.csv").unlink()
    for content, message in (
        (b"PK\x03\x04" + bytes(200), "the workbook cannot be read"),
        (b"customer_id,", "is not an Excel file or is truncated"),
    ):
        (raw / "price_history.xlsx").write_bytes(content)
        with pytest.raises(BadInputError, match=message):
            land(raw, settings)


def test_a_column_without_a_name_that_holds_something(raw: Path, settings: Settings) -> None:
    text = RawBatch()["churn_label"].assign(x=["", "", "late", "", "", ""]).to_csv(index=False)
    (raw / "churn_label.csv").write_text(text.replace("churn,x", "churn,"))
    with pytest.raises(BadInputError, match=r"a column without a name has values \(1 row\)"):
        land(raw, settings)


def test_parquet_parts_with_a_column_in_the_path_that_they_have_too(
    raw: Path, settings: Settings
) -> None:
    shutil.rmtree(raw / READINGS)
    for customer, part in FRAME.groupby("customer_id"):
        write_parquet(part, raw / READINGS / f"customer_id={customer}" / "part-0.parquet")
    assert land(raw, settings).tables["consumption_hourly"].rows_landed == len(FRAME)
