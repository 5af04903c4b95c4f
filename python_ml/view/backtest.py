"""What a person sees of a backtest: tables in the terminal, on stdout."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from python_ml.console import TIER_STYLES, line, new_table, open_console

if TYPE_CHECKING:
    from python_ml.pipeline.backtest import BacktestResult


def show_backtest(result: BacktestResult) -> None:
    """Newest test date first, then churn by tier over all dates, then what was left out."""
    console, rows = open_console(), result.tested.rows
    table = new_table(
        "Trained on the past, tested on a later date; newest first, 95% intervals",
        *("Test date", "Trained on", "Customers", "PR-AUC", "without text", "ROC-AUC"),
        *("ECE", "Left", "Expected"),
    )
    overall = rows[rows["slice"] == "overall"]
    for (test, train), part in sorted(
        overall.groupby(["test_as_of_date", "train_as_of_date"]), reverse=True
    ):
        figures = {row["metric"]: row for row in part.to_dict("records")}
        table.add_row(
            str(test),
            str(train),
            f"{figures['pr_auc']['customer_count']:,}",
            _figure(figures["pr_auc"]),
            _figure(figures["pr_auc_without_text"]),
            _figure(figures["roc_auc"]),
            f"{figures['ece']['metric_value']:.3f}",
            _figure(figures["realised_churn"]),
            f"{figures['expected_churn']['metric_value']:.3f}",
        )
    console.print(table)
    _show_tiers(result)
    for day, reason in result.tested.skipped.items():
        console.print(f"  {day} was not tested: {reason}", style="dim")
    console.print(
        f"{result.tested.seconds:.0f} s in all\nPlot   {result.plot}\nTable  mart_backtest",
        soft_wrap=True,
    )


def _show_tiers(result: BacktestResult) -> None:
    """Customers of all test dates together; a customer counts once a date, so no interval."""
    rows = result.tested.rows
    table = new_table(
        "Churn by tier, all test dates", "Tier", "Customers", "Left", "Share", "Expected", "Within"
    )
    expected_churn = rows[(rows["metric"] == "expected_churn") & (rows["slice"] != "overall")]
    highest_first = expected_churn.groupby("slice")["metric_value"].mean().sort_values()[::-1]
    for tier in highest_first.index:
        part = rows[rows["slice"] == tier]
        realised = part[part["metric"] == "realised_churn"].set_index("test_as_of_date")
        expected = part[part["metric"] == "expected_churn"].set_index("test_as_of_date")
        if realised.empty:
            continue
        size = realised["customer_count"].sum()
        mean = (expected["metric_value"] * expected["customer_count"]).sum() / size
        inside = expected["metric_value"].between(realised["ci_low"], realised["ci_high"])
        table.add_row(
            line((tier, TIER_STYLES.get(tier, ""))),
            f"{size:,}",
            f"{realised['churner_count'].sum():,}",
            f"{realised['churner_count'].sum() / size:.3f}",
            f"{mean:.3f}",
            f"{inside.sum()} of {len(inside)}",
        )
    console = open_console()
    console.print(table)
    console.print(
        "Within: test dates on which the expected share lies in the interval of the real one"
    )


def _figure(row: Mapping[Hashable, Any]) -> str:
    return f"{row['metric_value']:.3f}\n{row['ci_low']:.2f}–{row['ci_high']:.2f}"
