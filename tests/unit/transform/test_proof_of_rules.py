"""Rules of many tables are proved by one query; one that is broken is proved alone."""

from __future__ import annotations

import logging

import pandas as pd
import pytest

from python_ml.transform.dbt import DbtNode, _proved

COLUMNS = ["test_name", "table_name", "column_name", "rule", "broken_row_count"]
BROKEN = ["keeps_contract_t_", "t", "key", "primary_key", 1]
NODES = [
    DbtNode("keeps_contract_t_", "test", "pass", 0.0, "", proof="select of t"),
    DbtNode("keeps_contract_u_", "test", "pass", 0.0, "", proof="select of u"),
    DbtNode("t", "model", "success", 0.0, ""),
]


@pytest.mark.parametrize(("is_broken_alone", "status"), [(True, "fail"), (False, "pass")])
def test_a_broken_rule_is_proved_alone(
    is_broken_alone: bool, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    def query(sql: str) -> pd.DataFrame:
        asked.append(sql)
        is_found = "union all" in sql or is_broken_alone
        return pd.DataFrame([BROKEN] if is_found else [], columns=COLUMNS)

    with caplog.at_level(logging.WARNING):
        found = {node.name: node for node in _proved(NODES, query)}
    assert asked[1:] == ["select of t"], "the others are not asked again"
    assert [found[node.name].status for node in NODES] == [status, "pass", "success"]
    told = "t.key breaks primary_key in 1 rows"
    assert (told in found["keeps_contract_t_"].message) == is_broken_alone
    assert (told in caplog.text) != is_broken_alone
