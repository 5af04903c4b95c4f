"""A mapping file: what it may say, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from python_ml.contracts.schema import load_source
from python_ml.errors import BadInputError
from python_ml.land.mapping import BatchMapping, factor, read_mapping

RAW = load_source("raw")


@pytest.fixture
def mapping(tmp_path: Path) -> Callable[[str], BatchMapping]:
    """Read a mapping from its text."""

    def read(text: str) -> BatchMapping:
        path = tmp_path / "mapping.yml"
        path.write_text(text, encoding="utf-8")
        return read_mapping(path)

    return read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sorces: {}", "mapping.yml: sorces: unknown key (did you mean sources?)"),
        ("defaults: {decimals: ','}", "defaults.decimals: unknown key (did you mean decimal?)"),
        (
            "sources: {churn_label: {file: a.csv}}",
            "sources.churn_label.file: unknown key (did you mean files?)",
        ),
        (
            "sources: {churn_label: {columns: {churn: {colum: left}}}}",
            "sources.churn_label.columns.churn.colum: unknown key (did you mean column?)",
        ),
        (
            "sources: {consumption_hourly: {readings: {layuot: daily}}}",
            "sources.consumption_hourly.readings.layuot: unknown key (did you mean layout?)",
        ),
        (
            "sources: {churn_labels: {files: a.csv}}",
            "sources.churn_labels: there is no source 'churn_labels' (did you mean churn_label?)",
        ),
        (
            "sources: {churn_label: {columns: {churned: left}}}",
            "columns.churned: there is no column 'churned' (did you mean churn?)",
        ),
        (
            "sources: {price_history: {columns: {elec_fixed_fee_eur_month: {column: f, unit: W}}}}",
            "elec_fixed_fee_eur_month.unit: unit W cannot be converted to EUR/month",
        ),
        (
            "sources: {price_history: {columns: {elec_fixed_fee_eur_month: {column: f, unit: x}}}}",
            "elec_fixed_fee_eur_month.unit: unit 'x' is unknown",
        ),
        (
            "sources: {churn_label: {columns: {churn: {column: a, value: 1}}}}",
            "columns.churn: expected exactly one of column, sum, first, value and absent: true",
        ),
        (
            "sources: {customer_attributes: {absent: true}}",
            "sources.customer_attributes.absent: this source is required",
        ),
        (
            "sources: {churn_label: {columns: {churn: {absent: true}}}}",
            "columns.churn.absent: churn_label needs this column",
        ),
        (
            "sources: {customer_interactions: {absent: true, files: a.json}}",
            "sources.customer_interactions: absent: true goes with no other key",
        ),
        ("customer_id: {pattern: '['}", "customer_id.pattern: '[' is no regular expression"),
        ("customer_id: {pattern: '(?<=a)b'}", "customer_id.pattern: '(?<=a)b' is no regular"),
        ("defaults: {zone: Spain}", "defaults.zone: 'Spain' is no time zone"),
        ("defaults: {dates: dd/mm/yyyy}", "defaults.dates: expected year_first, day_first"),
        ("defaults: {decimal: ',', thousands: ','}", "decimal and thousands are both ','"),
        ("defaults: {encoding: ebcdic}", "defaults.encoding: input should be 'utf-8'"),
        ("version: 2", "version: input should be '1', got '2'"),
        ("sources: {}\nsources: {}", "the key 'sources' is there twice"),
        ("just words", "expected keys such as sources"),
        ("a: [", "this is not YAML"),
        ("sources: {churn_label: 3}", "sources.churn_label: input should be a valid dictionary"),
        (
            "sources: {consumption_hourly: {readings: {layout: billing_period}}}",
            "layout billing_period needs period_start and period_end",
        ),
        ("sources: {churn_label: {readings: {}}}", "only consumption_hourly has readings"),
        (
            "sources: {churn_label: {columns: {churn: {sum: [a, b]}}}}",
            "columns.churn.sum: only numbers are added up; this is a integer",
        ),
    ],
)
def test_what_is_wrong_is_told_by_file_and_key(
    mapping: Callable[[str], BatchMapping], text: str, said: str
) -> None:
    with pytest.raises(BadInputError) as caught:
        mapping(text)
    assert "mapping.yml" in str(caught.value)
    assert said in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_file_that_is_missing_or_binary_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="nowhere"):
        read_mapping(tmp_path / "nowhere.yml")
    (tmp_path / "m.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError, match=r"m\.yml: cannot be read"):
        read_mapping(tmp_path / "m.yml")


@pytest.mark.parametrize(
    ("unit", "wanted", "expected"),
    [
        ("Wh", "kWh", 0.001),
        ("MWh", "kWh", 1000),
        ("EUR/MWh", "EUR/kWh", 0.001),
        ("cent/kWh", "EUR/kWh", 0.01),
        ("EUR/year", "EUR/month", 1 / 12),
        ("EUR/month", "EUR/year", 12),
        ("W", "kW", 0.001),
        ("m3", "m3", 1),
    ],
)
def test_units_are_converted(unit: str, wanted: str, expected: float) -> None:
    assert factor(unit, wanted) == pytest.approx(expected)


def test_a_mapping_changes_schemas_in_meta_alone(mapping: Callable[[str], BatchMapping]) -> None:
    schemas = mapping(
        """
        customer_id: {pattern: "[0-9a-f]{32}"}
        sources:
          customer_attributes:
            files: clients.csv
            yes: [sí, oui]
            columns:
              customer_id: id
              contracted_power_kw: {column: pow, unit: W}
              is_urban: {absent: true}
        """
    ).apply(RAW)
    assert [table.column_names for table in schemas.values()] == [
        table.column_names for table in RAW.values()
    ]
    assert {table.column("customer_id").meta["pattern"] for table in schemas.values() if
            "customer_id" in table.column_names} == {"[0-9a-f]{32}"}  # fmt: skip
    attributes = schemas["customer_attributes"]
    assert attributes.column("customer_id").names == ("customer_id", "id")
    assert attributes.column("contracted_power_kw").meta["factor"] == 0.001
    assert not attributes.column("is_urban").required
    assert attributes.column("is_urban").nullable
    assert "oui" in attributes.column("is_industrial").meta["words"]["true"]
    assert schemas["churn_label"].column("churn") == RAW["churn_label"].column("churn")


def test_values_are_texts_as_they_stand(mapping: Callable[[str], BatchMapping]) -> None:
    source = mapping(
        """
        sources:
          customer_attributes:
            yes: [yes, si]
            no: no
            nulls:
            columns:
              province_code: {value: 01}
              snapshot_date: {value: 2016-01-31}
              is_urban: {value: yes}
        """
    ).source("customer_attributes")
    assert (source.yes, source.no, source.nulls) == (["yes", "si"], ["no"], None)
    values = [column.value for column in source.columns.values()]
    assert values == ["01", "2016-01-31", "yes"]


def test_content_is_what_is_said_and_not_how(mapping: Callable[[str], BatchMapping]) -> None:
    one = mapping("sources: {customer_interactions: {absent: true}, churn_label: {files: a.csv}}")
    same = mapping(
        "# words\nversion: 1\nsources:\n  customer_interactions: {absent: true}\n"
        "  churn_label:\n    files: [a.csv]\n"
    )
    other = mapping("sources: {churn_label: {files: b.csv}}")
    assert one.content == same.content != other.content
