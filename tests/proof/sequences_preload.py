"""What every command of a sequence needs, imported once where they are forked from.

That process computes nothing itself: a fork of one in which XGBoost has started its threads hangs
or crashes (seen in a test worker).
"""

from __future__ import annotations

from importlib import import_module

from python_ml.dbt_runner import import_dbt

import_dbt()
for name in (
    *("dbt.adapters.duckdb", "hypothesis.stateful", "python_ml.cli.main"),
    *("python_ml.modelling.score", "python_ml.runs.pipeline", "python_ml.land"),
    "python_ml.modelling.ladder",
):
    import_module(name)
