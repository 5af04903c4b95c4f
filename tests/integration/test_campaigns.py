"""Campaigns as their users run them: commands on a published home, killed ones too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from tests.integration.command import spanishgas
from tests.open_gate import OPEN_GATE, as_variables

LENIENT = as_variables(OPEN_GATE)
pytestmark = pytest.mark.slow


def called(home: Path, *words: str, code: int = 0) -> Any:
    done = spanishgas("campaign", *words, home=home, **LENIENT)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if code == 0 else done.stderr


def drawn(home: Path) -> pd.DataFrame:
    parts = sorted((home / "lake/ml/campaign_assignment").glob("run_id=2*/*.parquet"))
    frames = [pd.read_parquet(part) for part in parts]
    return pd.concat(frames).sort_values(["campaign", "customer_id"], ignore_index=True)


def shown(home: Path, sql: str) -> pd.DataFrame:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).df()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    made = ["simulate", "--customers", "800", "--seed", "5", "--readings", "typical-days"]
    for words in (made, ["run"]):
        done = spanishgas(*words, home=home, **LENIENT)
        assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def home(published: Path, tmp_path: Path) -> Path:
    subprocess.run(["cp", "-r", str(published), str(tmp_path / "home")], check=True)
    return tmp_path / "home"


def test_a_campaign_from_plan_to_stop(home: Path) -> None:
    plan = called(home, "plan", "first", "--control-share", "0.3")
    assert plan["customer_count"] > 30
    assert not list((home / "lake/ml").glob("campaign_assignment/run_id=2*")), (
        "a plan writes nothing"
    )

    started = called(home, "start", "first", "--control-share", "0.3")
    assert started["is_new"]
    assert started["customer_count"] == plan["customer_count"]
    before = drawn(home)
    again = called(home, "start", "first", "--control-share", "0.5")
    assert not again["is_new"]
    pd.testing.assert_frame_equal(before, drawn(home))

    recommended = shown(home, "select * from mart_recommendation where current_campaign = 'first'")
    assert len(recommended) == len(before)
    assert set(recommended["decision"]) <= {"in_campaign", "low_risk"}
    assert (recommended["offer"] == "no_offer").all()
    assert "in_campaign" in called(home, "start", "second", code=2)

    lists = called(home, "export", "first", "--out", str(home / "lists"))
    assert lists["call_count"] == started["treated_count"]
    calls = pd.read_parquet(next((home / "lists").glob("*call-list*.parquet")))
    crm = home / "crm.csv"
    calls[["campaign", "customer_id"]].assign(
        contact_date="2025-01-03", channel="phone", outcome="accepted"
    ).to_csv(crm, index=False)
    for known in (0, len(calls)):
        recorded = called(home, "record", str(crm))
        assert (recorded["contact_count"], recorded["known_count"]) == (len(calls), known)
        row = shown(home, "select * from mart_campaign").iloc[0]
        assert row["contacted_count"] == row["reached_count"] == len(calls)
        assert row["state"] == "running"
        assert row["cost_eur"] == pytest.approx(row["planned_cost_eur"])

    effects = called(home, "effect", "first")["effects"]
    whole = next(row for row in effects if row["arm"] == row["risk_tier"] == "all")
    assert whole["verdict"] == "too early"
    assert whole["treated_count"] == len(calls)
    measured = shown(home, "select * from mart_campaign_effect where is_newest")
    assert len(measured) == len(effects)

    assert called(home, "stop", "first", "--reason", "a test")["is_new"]
    assert called(home, "stop", "first", "--reason", "another")["reason"] == "a test"
    assert called(home, "status")["campaigns"][0]["state"] == "stopped"
    assert "stopped" in called(home, "export", "first", code=2)
    assert "no campaign" in called(home, "status", "third", code=2)
    assert "nobody" not in called(home, "record", str(home / "none.csv"), code=3)


@pytest.mark.parametrize("moment", [1.5, 3.0, 4.5, 6.0, 8.0])
def test_a_start_that_is_killed_changes_nobody(home: Path, moment: float) -> None:
    """Whenever the process dies, the next start draws what the first one drew, or had drawn."""
    command = [sys.executable, "-m", "python_ml.cli", "campaign", "start", "killed"]
    words = ["--control-share", "0.3", "--home", str(home)]
    process = subprocess.Popen(
        [*command, *words], env={**os.environ, **LENIENT}, stderr=subprocess.DEVNULL
    )
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    process.wait()
    parts = (home / "lake/ml/campaign_assignment").glob("run_id=2*/*.parquet")
    before = drawn(home) if list(parts) else None
    called(home, "start", "killed", "--control-share", "0.3")
    after = drawn(home)
    assert not after.duplicated(["campaign", "customer_id"]).any()
    if before is not None:
        pd.testing.assert_frame_equal(before, after)
    assert shown(home, "select count(*) as n from mart_campaign_customer")["n"][0] == len(after)


def test_the_simulated_company_reacts_to_a_campaign(home: Path) -> None:
    """A started campaign is carried out by the next months, and comes back as raw data."""
    started = called(home, "start", "played", "--control-share", "0.3")
    for month, words in (("2025-01", ["--reach", "0.9"]), ("2025-02", []), ("2025-03", [])):
        done = spanishgas("simulate", "--append", month, *words, home=home)
        assert done.returncode == 0, done.stderr
    contacts = pd.read_csv(home / "raw" / "campaign_contacts.csv")
    arm = drawn(home).set_index("customer_id")["arm"]
    assert 0.5 * started["treated_count"] < len(contacts) <= started["treated_count"]
    assert (arm[contacts["customer_id"]] != "control").all()

    done = spanishgas("run", home=home, **LENIENT)
    assert done.returncode in (0, 4), done.stderr
    if done.returncode == 0:
        row = shown(home, "select * from mart_campaign where campaign = 'played'").iloc[0]
        assert row["state"] == "measured"
        assert row["contacted_count"] == len(contacts)
        effect = shown(
            home,
            "select * from mart_campaign_effect"
            " where is_newest and arm = 'all' and risk_tier = 'all'",
        ).iloc[0]
        assert effect["outcome_count"] == started["customer_count"]
        assert effect["verdict"] != "broken"
