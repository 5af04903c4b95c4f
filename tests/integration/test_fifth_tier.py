"""A fifth risk tier and a new offer: two rows in two CSVs, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
from test_new_feature import PROJECT, ROOT, spanishgas

TIER, OFFER = "Raised", "offer_tiny"
SEEDS = {
    "risk_tiers": "risk_tier,tier_rank,minimum_probability,is_at_risk\n"
    f"Low,1,0.0,false\n{TIER},2,0.1,true\nMedium,3,0.4,true\nHigh,4,0.6,true\nCritical,5,0.8,true\n",
    "offer_policy": "risk_tier,offer,monthly_margin_share,contact_after_days,contact_within_days,"
    f"timing\nLow,no_offer,0.0,60,90,60-90 days\n{TIER},{OFFER},0.02,30,60,30-60 days\n"
    "Medium,offer_small,0.05,30,60,30-60 days\nHigh,offer_medium,0.15,0,7,immediate\n"
    "Critical,offer_large,0.25,0,7,immediate\n",
}


def test_a_tier_and_an_offer_of_the_seeds_are_everywhere(tmp_path: Path) -> None:
    for name in PROJECT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    for name, text in SEEDS.items():
        (tmp_path / "seeds" / f"{name}.csv").write_text(text, encoding="utf-8")
    spanishgas(tmp_path, "simulate", "--customers", "600")
    done = spanishgas(tmp_path, "run")
    tiers = {tier["risk_tier"]: tier for tier in done["closing"]["tiers"]}
    assert list(tiers) == ["Critical", "High", "Medium", TIER, "Low"]
    with duckdb.connect(str(tmp_path / "data/warehouse.duckdb"), read_only=True) as warehouse:

        def count(sql: str) -> int:
            return warehouse.execute(f"select count(*) from {sql}").fetchone()[0]

        of_tier = count(f"mart_customer_risk where risk_tier = '{TIER}' and is_at_risk")
        between = count("mart_customer_risk where churn_probability between 0.1 and 0.3999999999")
        offered = count(f"mart_recommendation where offer = '{OFFER}' and risk_tier = '{TIER}'")
        at_risk = count("mart_customer_risk where risk_tier <> 'Low'")
        shown = warehouse.execute("select at_risk_count from mart_overview").fetchone()[0]
    assert of_tier == between == tiers[TIER]["customer_count"] > 0
    assert offered > 0
    assert shown == at_risk
    pages = "".join(
        page.read_text(encoding="utf-8")
        for page in (tmp_path / "data/reports/dashboards").glob("*.html")
    )
    assert f'"{TIER}"' in pages
    assert "offer tiny" in pages
