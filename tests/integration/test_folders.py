"""Homes and raw folders of any name, and the few names that an engine cannot take."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from python_ml.contracts.schema import load_source
from python_ml.errors import BadInputError, UsageError
from python_ml.land import land
from python_ml.settings import load_settings
from tests.integration.command import spanishgas
from tests.integration.raw_batch import RawBatch, landed, rejected
from tests.open_gate import OPEN_GATE, as_variables

NAMES = [
    "o'Brien & sons",
    'a "quoted" name',
    "[brackets]",
    "a[!b-z]",
    "{braces} {{name}} {% if %}",
    "$HOME ${HOME} `id`",
    "star*",
    "parentheses (old)",
    "áccénts ñ 日本",
    "line\nbreak",
    "tab\tand  spaces ",
    "per%20cent %s %(name)s",
    "-- comment; drop",
    "~tilde,comma|pipe",
    "@lake @raw",
]
# All that a shell, SQL, a glob, a template, markup or an address could take for its own.
NASTIEST = "o'Br\"ien [x*] [/v2] {y} {{z}} $HOME @raw %s ñ\n(a), --;"
# Few customers, few trees: it is about the way, not about the figures.
QUICK = {
    **as_variables(OPEN_GATE),
    "SPANISHGAS_MODEL__XGBOOST__N_ESTIMATORS": "40",
    "SPANISHGAS_MODEL__XGBOOST__LEARNING_RATE": "0.15",
    "SPANISHGAS_BACKTEST__MINIMUM_CHURNER_COUNT": "15",
    "SPANISHGAS_EVALUATE__BOOTSTRAP_COUNT": "100",
}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """What lands from folders with plain names."""
    folder = tmp_path_factory.mktemp("plain")
    settings = load_settings({"home": str(folder / "home")}, environ={})
    land(RawBatch().write(folder / "raw"), settings)
    return {
        name: landed(settings.layout.lake, name)
        for name, table in load_source("raw").items()
        if not table.meta.get("supplementary")
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_lands_from_and_into_a_folder_of_any_name(
    tmp_path: Path, expected: dict[str, pd.DataFrame], name: str
) -> None:
    batch = RawBatch()
    # A row too many and a month to write anew: more places where a path is part of a statement.
    readings = batch["consumption_hourly_2024"]
    batch["consumption_hourly_2024"] = pd.concat([readings.loc[[5]], readings], ignore_index=True)
    raw = batch.write(tmp_path / name / "raw")
    settings = load_settings({"home": str(tmp_path / name / "home")}, environ={})
    result = land(raw, settings)
    assert result.tables["consumption_hourly"].taken == "partly as is"
    for table, rows in expected.items():
        if table != "consumption_hourly":
            pd.testing.assert_frame_equal(landed(settings.layout.lake, table), rows)
    assert len(rejected(settings.layout.lake, "consumption_hourly")) == 1
    assert land(raw, settings).reused


@pytest.mark.slow
def test_every_command_works_in_a_home_of_the_nastiest_name(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / NASTIEST / "home", tmp_path / f"raw {NASTIEST}"

    def done(*arguments: str) -> dict[str, Any]:
        result = spanishgas(*arguments, home=home, **QUICK)
        assert result.returncode == 0, f"{arguments}\n{result.stdout}\n{result.stderr}"
        document: dict[str, Any] = json.loads(result.stdout)
        return document

    def customers() -> set[str]:
        with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
            found = connection.execute("select customer_id from mart_customer_risk").fetchall()
        return {row[0] for row in found}

    sizes = ("--customers", "300", "--seed", "8", "--months", "6", "--readings", "typical-days")
    done("simulate", *sizes, "--out", str(elsewhere))
    done("land", str(elsewhere))
    run = done("run", "--raw", str(elsewhere))
    (published,) = [entry for entry in done("status")["runs"] if entry["is_published"]]
    assert published["run_id"] == run["run_id"]
    done("drift")
    done("score")
    before = customers()
    gone = min(before)
    assert done("explain", gone)["customer_id"] == gone
    assert (home / "reports" / "dashboards" / "index.html").is_file()
    (home / "reports" / "dashboards" / "index.html").unlink()
    done("dashboards", "preview")
    assert (home / "reports" / "dashboards" / "index.html").is_file()
    done("rebuild")
    done("backtest", "--raw", str(elsewhere))
    done("forget", gone, "--yes")
    assert customers() == before - {gone}
    beside = {path.relative_to(tmp_path).parts[0] for path in (home, elsewhere)}
    assert {path.name for path in tmp_path.iterdir()} == beside  # and nothing strays


@pytest.mark.parametrize("name", ["what?", "a#b", "back\\slash", "month=2024-01", "latin\udce9"])
def test_a_home_that_an_engine_would_misread_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="home"):
        load_settings({"home": str(tmp_path / name)}, environ={})


def test_a_home_may_begin_with_a_tilde_that_names_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings({"home": "~nobody-of-this-name"}, environ={}).layout.home == (
        tmp_path / "~nobody-of-this-name"
    )


def test_a_raw_folder_whose_name_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    settings = load_settings({"home": str(tmp_path / "home")}, environ={})
    raw = Path(os.fsdecode(bytes(tmp_path / "raw") + b"\xe9"))
    RawBatch().write(tmp_path / "raw").rename(raw)
    with pytest.raises(BadInputError, match="not UTF-8"):
        land(raw, settings)
    assert not settings.layout.lake.exists()
