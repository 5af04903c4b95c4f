"""Changes that people make to the project, all made in one copy of it, and run.

The worked examples of CONTRIBUTING.md: a feature from SQL to a score is three files, none of
Python; a step of the pipeline is two. A fifth risk tier and a new offer are two rows in two CSVs.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.integration.test_run import LENIENT_GATE

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ["models", "macros", "seeds", "tests", "python_ml", "infra", "dbt_project.yml"]
PROJECT += ["profiles.yml", "pyproject.toml", "requirements.lock"]
FEATURE = "is_winter_renewal"

# File, the line before which (or after which, for the last) something is added, and what.
CHANGES = {
    "models/gold/gold_features_1a.sql": (
        "        {{ flag('months_to_renewal <= 0') }} as is_expired_contract,\n",
        "        {{ flag('extract(month from next_renewal_date) in (12, 1, 2)') }} "
        f"as {FEATURE},\n",
    ),
    "models/gold/gold_master.sql": (
        "        lifecycle.is_expired_contract,\n",
        f"        lifecycle.{FEATURE},\n",
    ),
    "models/gold/_gold__models.yml": (
        "      - name: is_expired_contract\n",
        f"      - name: {FEATURE}\n"
        "        description: The contract is to be renewed between December and February.\n"
        "        data_type: integer\n"
        "        constraints: [{type: not_null}]\n"
        "        config:\n"
        "          meta: {role: feature, tier: 1A, unit: flag, fill: 0, from_text: false}\n",
    ),
}

STEP = "python_ml/pipeline/steps/handover.py"
PLAN = {
    '        Step("publish", f"{_STEPS}.publish:publish_step"),\n': (
        '        Step("handover", f"{_STEPS}.handover:handover_step"),\n'
    ),
    '"marts", "publish")': '"marts", "handover", "publish")',
}


TIER, OFFER = "Raised", "offer_tiny"
SEEDS = {
    "risk_tiers": "risk_tier,tier_rank,minimum_probability,is_at_risk\n"
    f"Low,1,0.0,false\n{TIER},2,0.1,true\nMedium,3,0.4,true\nHigh,4,0.6,true\nCritical,5,0.8,true\n",
    "offer_policy": "risk_tier,offer,monthly_margin_share,contact_after_days,contact_within_days,"
    f"timing\nLow,no_offer,0.0,60,90,60-90 days\n{TIER},{OFFER},0.02,30,60,30-60 days\n"
    "Medium,offer_small,0.05,30,60,30-60 days\nHigh,offer_medium,0.15,0,7,immediate\n"
    "Critical,offer_large,0.25,0,7,immediate\n",
}


def step_of_the_guide() -> str:
    """The new module as CONTRIBUTING.md prints it."""
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (module,) = [
        code
        for code in re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL)
        if "def handover_step" in code
    ]
    return "\n".join(line.removeprefix("   ") for line in module.splitlines()) + "\n"


def spanishgas(project: Path, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "python_ml.cli", *arguments, "--home", "data", "--json"]
    environ = {**os.environ, **LENIENT_GATE, "PYTHONPATH": str(project)}
    done = subprocess.run(
        command, cwd=project, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy with all changes."""
    project = tmp_path_factory.mktemp("project")
    for name in PROJECT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, project / name)
    for name, (anchor, addition) in CHANGES.items():
        text = (project / name).read_text(encoding="utf-8")
        assert text.count(anchor) == 1, name
        (project / name).write_text(text.replace(anchor, addition + anchor), encoding="utf-8")
    (project / STEP).write_text(step_of_the_guide(), encoding="utf-8")
    place = project / "python_ml/pipeline/plan.py"
    plan = place.read_text(encoding="utf-8")
    registered, named = PLAN.items()
    assert plan.count(registered[0]) == 1 and plan.count(named[0]) == 1
    plan = plan.replace(registered[0], registered[1] + registered[0]).replace(*named)
    place.write_text(plan, encoding="utf-8")
    for name, seed in SEEDS.items():
        (project / "seeds" / f"{name}.csv").write_text(seed, encoding="utf-8")
    return project


@pytest.fixture(scope="module")
def done(project: Path) -> dict[str, Any]:
    """What a run of the changed project says."""
    spanishgas(project, "simulate", "--customers", "600", "--readings", "typical-days")
    return spanishgas(project, "run")


def test_a_new_feature_is_trained_on_and_explained(project: Path, done: dict[str, Any]) -> None:
    version = done["training"]["model_version"]
    model = json.loads((project / "data/lake/models" / version / "model.json").read_text())
    assert FEATURE in json.dumps(model)
    with duckdb.connect(str(project / "data/warehouse.duckdb"), read_only=True) as connection:
        ((share,),) = connection.execute(f"select avg({FEATURE}) from gold_master").fetchall()
        ((scored,),) = connection.execute("select count(*) from mart_customer_risk").fetchall()
    assert 0.1 < share < 0.5
    assert scored == 600
    explained = spanishgas(project, "explain", "C00001")
    assert FEATURE in json.dumps(explained)


def test_a_new_step_is_taken(done: dict[str, Any]) -> None:
    steps = [step["step"] for step in done["steps"]]
    assert steps[-3:] == ["marts", "handover", "publish"]
    with Path(done["handover"]["file"]).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == done["steps"][-2]["rows"] == done["closing"]["overview"]["offer_count"]


def test_a_tier_and_an_offer_of_the_seeds_are_everywhere(
    project: Path, done: dict[str, Any]
) -> None:
    tiers = {tier["risk_tier"]: tier for tier in done["closing"]["tiers"]}
    assert list(tiers) == ["Critical", "High", "Medium", TIER, "Low"]
    with duckdb.connect(str(project / "data/warehouse.duckdb"), read_only=True) as warehouse:

        def count(sql: str) -> int:
            ((found,),) = warehouse.execute(f"select count(*) from {sql}").fetchall()
            return int(found)

        of_tier = count(f"mart_customer_risk where risk_tier = '{TIER}' and is_at_risk")
        between = count("mart_customer_risk where churn_probability between 0.1 and 0.3999999999")
        offered = count(f"mart_recommendation where offer = '{OFFER}' and risk_tier = '{TIER}'")
        at_risk = count("mart_customer_risk where risk_tier <> 'Low'")
        ((shown,),) = warehouse.execute("select at_risk_count from mart_overview").fetchall()
    assert of_tier == between == tiers[TIER]["customer_count"] > 0
    assert offered > 0
    assert shown == at_risk
    pages = "".join(
        page.read_text(encoding="utf-8")
        for page in (project / "data/reports/dashboards").glob("*.html")
    )
    assert f'"{TIER}"' in pages
    assert "Tiny discount" in pages
