"""What every command of a test needs, imported once where they are forked from.

That process computes nothing itself: a fork of one in which XGBoost has started its threads hangs
or crashes (seen in a test worker).
"""

from __future__ import annotations

import os
import tempfile
from importlib import import_module
from pathlib import Path

from python_ml.quality import process
from python_ml.settings import load_settings
from python_ml.transform.dbt import DbtRunner, import_dbt
from tests.forked_quality import fork_quality_process

import_dbt()
for name in (
    *("dbt.adapters.duckdb", "hypothesis.stateful", "python_ml.cli.main"),
    *("dbt.adapters.athena", "python_ml.engines.athena_engine"),
    *("python_ml.pipeline.score", "python_ml.pipeline.run", "python_ml.land"),
    *("python_ml.pipeline.ladder", "python_ml.quality.expectations"),
):
    import_module(name)
process._begin = fork_quality_process

# dbt writes most of its own code (how each kind of node is read) as it reads a project first. Its
# parser in Rust would wait for ever in a fork of a process that has used it.
os.environ["DBT_STATIC_PARSER"] = "false"
with tempfile.TemporaryDirectory() as folder:
    place = Path(folder)
    settings = load_settings({"home": folder}, environ={})
    DbtRunner(settings, place / "no.duckdb", place, {"touched_months": []}).manifest()
del os.environ["DBT_STATIC_PARSER"]
