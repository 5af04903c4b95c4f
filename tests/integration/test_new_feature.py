"""The worked examples of CONTRIBUTING.md, made in a copy of the project, and run.

A feature from SQL to a score is three files, none of Python; a step of the pipeline is two.
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

import duckdb

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


def step_of_the_guide() -> str:
    """The new module as CONTRIBUTING.md prints it."""
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (module,) = [
        code
        for code in re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL)
        if "def handover_step" in code
    ]
    return "\n".join(line.removeprefix("   ") for line in module.splitlines()) + "\n"


def spanishgas(project: Path, *arguments: str) -> dict:
    command = [sys.executable, "-m", "python_ml.cli", *arguments, "--home", "data", "--json"]
    environ = {**os.environ, **LENIENT_GATE, "PYTHONPATH": str(project)}
    done = subprocess.run(
        command, cwd=project, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_new_feature_is_trained_on_and_explained_and_a_new_step_taken(tmp_path: Path) -> None:
    for name in PROJECT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    for name, (anchor, addition) in CHANGES.items():
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert text.count(anchor) == 1, name
        (tmp_path / name).write_text(text.replace(anchor, addition + anchor), encoding="utf-8")
    (tmp_path / STEP).write_text(step_of_the_guide(), encoding="utf-8")
    place = tmp_path / "python_ml/pipeline/plan.py"
    plan = place.read_text(encoding="utf-8")
    registered, named = PLAN.items()
    assert plan.count(registered[0]) == 1 and plan.count(named[0]) == 1
    plan = plan.replace(registered[0], registered[1] + registered[0]).replace(*named)
    place.write_text(plan, encoding="utf-8")

    spanishgas(tmp_path, "simulate", "--customers", "600")
    done = spanishgas(tmp_path, "run")
    version = done["training"]["model_version"]
    model = json.loads((tmp_path / "data/lake/models" / version / "model.json").read_text())
    assert FEATURE in json.dumps(model)
    with duckdb.connect(str(tmp_path / "data/warehouse.duckdb"), read_only=True) as connection:
        share = connection.execute(f"select avg({FEATURE}) from gold_master").fetchone()[0]
        scored = connection.execute("select count(*) from mart_customer_risk").fetchone()[0]
    assert 0.1 < share < 0.5
    assert scored == 600
    explained = spanishgas(tmp_path, "explain", "C00001")
    assert FEATURE in json.dumps(explained)

    steps = [step["step"] for step in done["steps"]]
    assert steps[-3:] == ["marts", "handover", "publish"]
    with Path(done["handover"]["file"]).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == done["steps"][-2]["rows"] == done["closing"]["overview"]["offer_count"]
