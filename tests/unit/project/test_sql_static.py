"""What can be known of the SQL without an engine: its dialect, its contract and its seeds."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
import pytest
import sqlglot
import trino_sql_validator
import yaml
from sqlglot import exp

ROOT = Path(__file__).resolve().parents[3]
MODELS = sorted((ROOT / "models").glob("*/*.sql"))
BIN = Path(sys.executable).parent
TIERS = {"1A": 15, "MP core": 8, "MP risk": 13, "2A": 11, "2B": 3, "3": 6, "1B": 8}
# Layout says nothing of compiled files; ST06, ST07: see .sqlfluff. AM04 asks for the columns behind
# `select * from final`; RF02 is about the relationships test that dbt itself writes.
COMPILED_RULES_OFF = "layout,ST06,ST07,AM04,RF02"


def read_yaml(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def read_seed(name: str) -> list[dict[str, str]]:
    with (ROOT / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def models_of(layer: str) -> dict[str, dict[str, Any]]:
    path = ROOT / "models" / layer / f"_{layer}__models.yml"
    return {model["name"]: model for model in read_yaml(path)["models"]}


def gold_features() -> dict[str, dict[str, Any]]:
    columns = models_of("gold")["gold_master"]["columns"]
    metas = {column["name"]: column["config"]["meta"] for column in columns}
    return {name: meta for name, meta in metas.items() if meta["role"] == "feature"}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as compiled for Athena, without network, catalog or credentials."""
    folder = tmp_path_factory.mktemp("athena")
    offline = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS", "DBT"))
    }
    offline |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    offline["SPANISHGAS_ATHENA__SCHEMA"] = "sg_prod"
    command: list[str | Path] = [
        BIN / "dbt",
        "compile",
        "--target",
        "athena",
        "--no-populate-cache",
    ]
    command += ["--no-introspect", "--project-dir", ROOT, "--profiles-dir", ROOT]
    command += ["--target-path", folder, "--log-path", folder / "logs"]
    command += ["--vars", "{sentiment_backend: vader-1}"]
    done = subprocess.run(command, env=offline, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return folder / "compiled" / "spanishgas"


def test_athena_compiles_every_model_offline(compiled: Path) -> None:
    # Tests of sources lie in a folder named as their file.
    found = (compiled / "models").glob("*/*.sql")
    built = {path.stem for path in found if path.parent.suffix != ".yml"}
    assert built == {path.stem for path in MODELS}


def test_athena_saves_the_questions_of_an_analyst_as_dbt_compiles_them(compiled: Path) -> None:
    """Terraform puts tables for refs by a pattern: what it saves is what dbt makes of the file."""
    terraform = (ROOT / "infra/terraform/modules/athena/queries.tf").read_text(encoding="utf-8")
    (written,) = re.findall(r'replace\(each\.value, "/(.*)/", "\$1"\)', terraform)
    pattern = written.replace("\\\\", "\\")  # as HCL reads it
    questions = sorted((ROOT / "analyses").glob("*.sql"))
    assert len(questions) == 12
    for path in questions:
        text = path.read_text(encoding="utf-8")
        saved = re.sub(pattern, r"\1", text)
        assert re.match(r"-- [A-Z].*\?\n", text), f"{path.name}: the first line is no question"
        assert not set(saved) & set("{}"), f"{path.name}: more of Jinja than ref()"
        there = (compiled / "analyses" / path.name).read_text(encoding="utf-8")
        assert saved.strip() == re.sub(r'("[^"]+"\.)+"(\w+)"', r"\2", there).strip(), path.name
        tables = set(re.findall(r"\b(?:from|join) (\w+)", saved))
        assert tables and tables <= set(models_of("marts")), path.name


def test_dbt_by_hand_reads_the_variables_of_the_settings(compiled: Path) -> None:
    for model, relation in {
        "bronze/bronze_customer_attribute": '"sg_prod_raw"."customer_attributes"',
        "silver/silver_interaction": '"sg_prod_ml"."interaction_sentiment"',
        "gold/gold_master": '"sg_prod_dev"."silver_customer"',
    }.items():
        assert relation in (compiled / "models" / f"{model}.sql").read_text("utf-8"), model


def test_trino_accepts_every_compiled_statement(compiled: Path) -> None:
    files = [path for path in compiled.rglob("*.sql") if path.read_text().strip()]
    assert len(files) > len(MODELS), "the tests compile too"
    complaints = {}
    for path in files:
        result = trino_sql_validator.validate(path.read_text(encoding="utf-8"), jinja="reject")
        found = [result.error, *result.warnings] if not result.valid else list(result.warnings)
        if found:
            complaints[path.name] = found
    assert not complaints


def test_outer_joins_have_no_condition_on_the_other_side_alone(compiled: Path) -> None:
    """DuckDB compares every row with every other then: minutes in place of a second."""
    found = []
    for path in sorted((compiled / "models").glob("*.sql")):
        statement = sqlglot.parse_one(path.read_text(encoding="utf-8"), read="trino")
        for join in statement.find_all(exp.Join):
            condition = join.args.get("on")
            if join.side != "LEFT" or condition is None:
                continue
            found += [
                f"{path.stem}: {part.sql()}"
                for part in condition.flatten()
                if isinstance(condition, exp.And)
                and join.alias_or_name not in {column.table for column in part.find_all(exp.Column)}
            ]
    assert found == []


def test_sqlfluff_reads_the_compiled_models_as_trino(compiled: Path) -> None:
    command: list[str | Path] = [BIN / "sqlfluff", "lint", compiled / "models"]
    command += ["--disable-progress-bar"]
    command += ["--config", ROOT / ".sqlfluff", "--templater", "raw", "--dialect", "trino"]
    command += ["--exclude-rules", COMPILED_RULES_OFF]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Skipping" not in done.stdout + done.stderr


def test_engines_differ_in_cross_db_only() -> None:
    elsewhere = [*MODELS, *(ROOT / "macros").glob("*.sql"), *(ROOT / "tests/dbt").rglob("*.sql")]
    assert len(elsewhere) > len(MODELS)
    for path in elsewhere:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"target\.(type|name)|adapter\.(type|dispatch)|duckdb__", text), path


# Functions of dbt and its adapters, of which ours holds only what is different here.
ADAPTERS_OWN = {
    "get_assert_columns_equivalent",
    "get_table_columns_and_constraints",
    "safe_create_table_as",
    "set_table_classification",
    "statement",
}


def test_a_cross_db_file_holds_one_function() -> None:
    for path in (ROOT / "macros" / "cross_db").glob("*.sql"):
        names = re.findall(r"{% macro (\w+)\(", path.read_text(encoding="utf-8"))
        public = [name for name in names if not name.startswith("_")]
        if path.stem in ADAPTERS_OWN:
            assert {re.sub(r"^(duckdb|athena)__", "", name) for name in public} == {path.stem}
            continue
        assert public[0] == path.stem
        engines = {name.removesuffix(f"__{path.stem}") for name in public[1:]}
        assert "default" in engines, path
        assert engines - {"default"} <= {"duckdb", "athena"}, path


@pytest.mark.parametrize(
    "pattern",
    [
        r"\bqualify\b",
        r"::",
        r"group by all",
        r"\busing\s*\(",
        r"\bilike\b",
        r"\bnow\(\)|\bcurrent_(date|time)",
    ],
)
def test_no_sql_of_one_engine_or_of_the_clock(pattern: str) -> None:
    for path in MODELS:
        sql = re.sub(r"--.*", "", path.read_text(encoding="utf-8"))
        assert not re.search(pattern, sql), path


def test_only_bronze_reads_what_was_landed() -> None:
    readers = {path for path in MODELS if "source('raw'" in path.read_text(encoding="utf-8")}
    assert readers
    assert {path.parent.name for path in readers} == {"bronze"}


@pytest.mark.parametrize("layer", ["bronze", "silver", "gold", "marts"])
def test_models_say_their_grain_and_have_a_key(layer: str) -> None:
    models = models_of(layer)
    assert set(models) == {path.stem for path in MODELS if path.parent.name == layer}
    for name, model in models.items():
        assert model["description"].startswith("One row per "), name
        of_columns = [rule for column in model["columns"] for rule in column.get("constraints", [])]
        rules = [*model.get("constraints", []), *of_columns]
        assert [rule["type"] for rule in rules].count("primary_key") == 1, name
        tests = [
            test if isinstance(test, str) else next(iter(test)) for test in model["data_tests"]
        ]
        assert "keeps_contract" in tests, name
        undescribed = [c["name"] for c in model["columns"] if not c.get("description")]
        assert not undescribed, name


def test_marts_and_gold_master_have_contracts() -> None:
    marts = models_of("marts")
    assert marts
    for model in [*marts.values(), models_of("gold")["gold_master"]]:
        assert model["config"]["contract"]["enforced"], model["name"]
        assert all(column["data_type"] for column in model["columns"])


def test_gold_master_holds_the_features_of_each_tier() -> None:
    features = gold_features()
    assert Counter(meta["tier"] for meta in features.values()) == TIERS
    assert all("fill" in meta for meta in features.values())
    selected = (ROOT / "models/gold/gold_master.sql").read_text(encoding="utf-8")
    columns = re.findall(r"^        (?:\w+\.|.*\}\} as )(\w+),?$", selected, flags=re.MULTILINE)
    declared = [column["name"] for column in models_of("gold")["gold_master"]["columns"]]
    assert columns == declared


def test_text_features_are_marked() -> None:
    """Whatever rests on what was said; that and when somebody got in touch does not."""
    marked = {name for name, meta in gold_features().items() if meta.get("from_text")}
    reads_text = re.compile(r"intent|sentiment|complaint|price_sensitive")
    assert marked == {name for name in gold_features() if reads_text.search(name)}


def test_seeds_declare_every_column() -> None:
    seeds = {seed["name"]: seed for seed in read_yaml(ROOT / "seeds" / "_seeds.yml")["seeds"]}
    assert set(seeds) == {path.stem for path in (ROOT / "seeds").glob("*.csv")}
    for name, seed in seeds.items():
        header = list(read_seed(name)[0])
        assert list(seed["config"]["column_types"]) == header, name
        assert [column["name"] for column in seed["columns"]] == header, name


def accepted_values(column: dict[str, Any]) -> set[str]:
    """What the check of a column lets through, where it is a list of words."""
    for rule in column.get("constraints", []):
        if " in ('" in rule.get("expression", ""):
            return set(re.findall(r"'([^']*)'", rule["expression"]))
    return set()


def test_every_feature_has_reasons_for_all_its_values() -> None:
    """No customer can be left without a sentence: ranges, flags and categories are covered."""
    reasons: dict[str, list[dict[str, str]]] = {}
    for row in read_seed("reason_codes"):
        reasons.setdefault(row["feature"], []).append(row)
    assert set(reasons) == set(gold_features())
    columns = {c["name"]: c for c in models_of("gold")["gold_master"]["columns"]}
    for feature, rows in reasons.items():
        directions = {row["direction"] for row in rows}
        accepted = accepted_values(columns[feature])
        texts = {row["text_value"] for row in rows if row["direction"] in ("is", "yes", "no")}
        if "any" in directions:
            continue
        if directions == {"yes", "no"}:
            assert texts == {"0", "1"}, feature
        elif accepted:
            assert texts == accepted, feature
        else:
            assert feature == "portfolio_type"
            assert len(texts) == 6


def test_ranges_of_reasons_neither_overlap_nor_leave_gaps() -> None:
    ranges: dict[str, list[tuple[float, float]]] = {}
    for row in read_seed("reason_codes"):
        if row["direction"] in ("low", "high"):
            low = float(row["minimum_value"] or "-inf")
            high = float(row["maximum_value"] or "inf")
            ranges.setdefault(row["feature"], []).append((low, high))
    assert ranges
    for feature, parts in ranges.items():
        parts.sort()
        assert parts[0][0] == float("-inf"), feature
        assert parts[-1][1] == float("inf"), feature
        assert all(a[1] == b[0] for a, b in pairwise(parts)), feature


def test_every_intent_has_one_priority_and_is_accepted() -> None:
    rows = read_seed("intent_keywords")
    priorities = {(row["customer_intent"], row["intent_priority"]) for row in rows}
    assert sorted(int(priority) for _, priority in priorities) == list(range(1, 9))
    assert all(re.fullmatch(r"[a-z0-9]+( [a-z0-9]+)*", row["keyword"]) for row in rows)


def test_tariff_periods_are_those_of_the_regulation() -> None:
    hours = Counter((row["day_type"], row["tariff_period"]) for row in read_seed("tariff_periods"))
    assert hours == {
        ("working_day", "peak"): 8,
        ("working_day", "standard"): 8,
        ("working_day", "off_peak"): 8,
        ("rest_day", "off_peak"): 24,
    }
    tiers = {(row["tariff_period"], row["price_tier"]) for row in read_seed("tariff_periods")}
    assert tiers == {("peak", "1"), ("standard", "2"), ("off_peak", "3")}


def test_dbt_by_hand_reads_the_section_athena_of_the_settings() -> None:
    """As a run does through dbt's own variables; only the schema is another, beside the run's."""
    given = {
        **{"region": "eu-west-9", "work_group": "wg-x", "poll_seconds": "0.25"},
        **{"schema": "sg_x", "staging": "s3://staging-x", "data": "s3://data-x"},
    }
    variables = {f"SPANISHGAS_ATHENA__{name.upper()}": value for name, value in given.items()}
    environment = jinja2.Environment()
    environment.filters["as_number"] = float
    profiles = environment.from_string((ROOT / "profiles.yml").read_text(encoding="utf-8"))
    text = profiles.render(env_var=variables.get)
    athena = yaml.safe_load(text)["spanishgas"]["outputs"]["athena"]
    expected = {
        **{"region_name": "eu-west-9", "work_group": "wg-x", "poll_interval": "0.25"},
        **{"schema": "sg_x_dev", "s3_staging_dir": "s3://staging-x/dbt/"},
        **{"s3_data_dir": "s3://data-x/"},
    }
    assert {name: athena[name] for name in expected} == expected
