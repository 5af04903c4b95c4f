"""What a person sees at the end of a run, a training or an evaluation: tables on stdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from python_ml.console import TIER_STYLES, line, new_table, open_console
from python_ml.contracts.needs import consequence
from python_ml.judge.alarms import AlarmDecision
from python_ml.judge.direction import skipped_changes
from python_ml.judge.drift import DriftResult
from python_ml.judge.metrics import Estimate
from python_ml.judge.verdict import EvaluateResult
from python_ml.pages.preview import PreviewResult
from python_ml.pipeline.closing import Closing
from python_ml.pipeline.results import TrainResult
from python_ml.pipeline.workspace import Run
from python_ml.quality import QualityResult
from python_ml.transform.sentiment import SentimentResult

# Shown in this order; names are those of evaluate.
METRIC_TITLES = {
    "pr_auc": "PR-AUC",
    "roc_auc": "ROC-AUC",
    "precision": "Precision",
    "recall": "Recall",
    "ece": "Calibration error",
}

DEFINED_TERMS = ("at_risk", "flagged", "expected_loss", "offer_cost", "net_value", "control_group")


def euros(amount: float | None) -> str:
    return "not known" if amount is None or pd.isna(amount) else f"{amount:,.0f} €"


def show_training(trained: TrainResult) -> None:
    """A candidate before its evaluation."""
    console = open_console()
    console.print(f"{trained.message}: {trained.model_version}")
    table = new_table("Out-of-fold, training part", "Metric", "Value")
    for name, value in trained.out_of_fold.items():
        table.add_row(METRIC_TITLES.get(name, name), f"{value:.3f}")
    table.add_row("Threshold on the probability", f"{trained.threshold:.3f}")
    console.print(table)
    for alarm in trained.alarms:
        console.print(line("  ", ("leakage alarm", "yellow"), f" {alarm}"))
    console.print(f"next: spanishgas evaluate {trained.model_version}")


def show_evaluation(evaluated: EvaluateResult) -> None:
    """Metrics with intervals, without text beside them, and the gate."""
    console = open_console()
    _show_metrics(console, evaluated)
    table = new_table("Gate", "Check", "Observed", "Limit", "")
    for check in evaluated.checks:
        verdict = line(("passed", "green") if check.is_passed else ("failed", "red"))
        values = (f"{value:.3f}" for value in (check.observed_value, check.limit_value))
        table.add_row(check.check_name, *values, verdict)
    console.print(table)
    if evaluated.alarms:
        console.print(_alarm_table(evaluated.alarms))


def show_run(run: Run) -> None:
    """What a retention manager wants to know, then what an engineer does."""
    console = open_console()
    closing = run.results.require(Closing)
    overview = closing.overview
    console.rule(line((f"Customers at risk, as of {run.as_of_date}", "bold")))
    console.print(_tier_table(closing))
    console.print(
        f"{overview['flagged_count']:,} of {overview['customer_count']:,} customers are flagged. "
        f"{_loss_line(closing)} "
        f"{overview['offer_count']:,} offers to make cost "
        f"{euros(overview['offer_budget_eur'] + overview['contact_cost_eur'])}; "
        f"{overview['withheld_offer_count']:,} more customers at risk get none, by a rule."
        f"{_campaign_line(overview)}\n"
    )
    for row in closing.definitions:
        if row["term_key"] in DEFINED_TERMS:
            console.print(line((row["term"], "bold"), f": {row['definition']}"))
    console.print(_call_table(closing))
    console.print(_budget_table(closing))
    if evaluated := run.results.get(EvaluateResult):
        _show_metrics(console, evaluated)
        console.print(_alarm_line(evaluated.alarms))
    else:
        console.print(
            f"Scored by the champion {overview['model_version']}, which learned from labels of "
            f"{run.training_as_of_date}"
        )
    if quality := run.results.get(QualityResult):
        console.print(_quality_lines(quality))
    for missing in _missing_lines(run):
        console.print(missing)
    if drift := run.results.get(DriftResult):
        console.print(_drift_line(drift))
    if sentiment := run.results.get(SentimentResult):
        console.print(f"Sentiment: {sentiment.message}")
    if trained := run.results.get(TrainResult):
        console.print(f"Model: {trained.message}\n")
    console.print(_step_table(run))
    layout, lake = run.settings.layout, run.engine.lake_place()
    console.print(
        f"Tables    {run.engine.tables_place()} (mart_customer_risk, mart_recommendation, …)\n"
        f"Scores    {lake}/ml/customer_score/run_id={run.run_id}\n"
        f"Model     {lake}/models/{overview['model_version']}\n"
        f"{_pages_line(run)}"
        f"This run  {layout.reports / 'runs' / f'{run.run_id}.json'}",
        soft_wrap=True,
    )


def _loss_line(closing: Closing) -> str:
    """Expected loss, with the number of customers for whom it is not known, if there are any."""
    overview = closing.overview
    if overview["expected_monthly_loss_eur"] is None:
        return "Expected loss is not known, because no customer's margin is."
    at_risk = sum(it["expected_monthly_loss_eur"] or 0 for it in closing.tiers if it["is_at_risk"])
    told = (
        f"Expected loss of all customers: {euros(overview['expected_monthly_loss_eur'])} of margin "
        f"a month; {euros(at_risk)} of it from customers at risk."
    )
    if unknown := overview["unknown_margin_count"]:
        told += f" Not counted are {unknown:,} customers whose margin is not known."
    return told


def _pages_line(run: Run) -> str:
    written = run.results.get(PreviewResult)
    return f"Pages     {written.folder / 'index.html'}\n" if written else ""


def _tier_table(closing: Closing) -> Table:
    table = new_table(
        "",
        *("Risk tier", "Customers", "Share", "Mean probability", "Loss a month"),
        *("Offers", "Offer cost", "Net value"),
    )
    total = closing.overview["customer_count"]
    for tier in closing.tiers:
        mean = tier["mean_churn_probability"]
        table.add_row(
            tier["risk_tier"],
            f"{tier['customer_count']:,}",
            f"{tier['customer_count'] / total:.1%}",
            f"{mean:.1%}" if tier["customer_count"] else "–",
            euros(tier["expected_monthly_loss_eur"]),
            f"{tier['offer_count']:,}",
            euros(tier["offer_budget_eur"] + tier["contact_cost_eur"]),
            euros(tier["expected_net_value_eur"]),
            style=TIER_STYLES.get(tier["risk_tier"], ""),
        )
    overview = closing.overview
    table.add_section()
    table.add_row(
        "All",
        f"{total:,}",
        "100.0%",
        f"{overview['mean_churn_probability']:.1%}",
        euros(overview["expected_monthly_loss_eur"]),
        f"{overview['offer_count']:,}",
        euros(overview["offer_budget_eur"] + overview["contact_cost_eur"]),
        euros(overview["expected_net_value_eur"]),
        style="bold",
    )
    return table


def _campaign_line(overview: Mapping[str, Any]) -> str:
    """By which policy offers are made, and who goes without one for another reason than a rule."""
    budget = overview["campaign_budget_eur"]
    limit = "without a limit" if pd.isna(budget) else f"within {euros(budget)}"
    line = f" Policy {overview['offer_policy']}, {limit}."
    if overview["over_budget_count"]:
        line += f" For {overview['over_budget_count']:,} the budget did not reach."
    return line


def _budget_table(closing: Closing) -> Table:
    table = new_table(
        "Net value by budget: offers and what they bring (mart_offer_budget)",
        *("Budget", "By risk tier", "Net value", "By expected value", "Net value"),
    )
    for row in closing.budgets:
        table.add_row(
            euros(row["budget_eur"]),
            f"{row['fixed_tiers_offer_count']:,}",
            euros(row["fixed_tiers_value_eur"]),
            f"{row['expected_value_offer_count']:,}",
            euros(row["expected_value_value_eur"]),
        )
    return table


def _call_table(closing: Closing) -> Table:
    table = new_table(
        "Call first", "Customer", "Probability", "Loss a month", "Offer", "When", "Main reason"
    )
    table.columns[-1].justify = "left"
    for row in closing.first_to_call:
        table.add_row(
            row["customer_id"],
            f"{row['churn_probability']:.0%}",
            f"{row['expected_monthly_loss_eur']:,.2f} €",
            row["offer"].removeprefix("offer_"),
            row["timing"],
            row["reason_1"],
        )
    return table


def _step_table(run: Run) -> Table:
    total = sum(step.seconds for step in run.steps)
    table = new_table(f"Run {run.run_id}", "Step", "Rows", "Seconds", "Peak memory")
    for step in run.steps:
        rows = "" if step.rows is None else f"{step.rows:,}"
        table.add_row(
            step.name, rows, f"{step.seconds:.1f}", f"{step.peak_memory_mb / 1000:.2f} GB"
        )
    table.add_section()
    peak = max(step.peak_memory_mb for step in run.steps)
    table.add_row("all", "", f"{total:.1f}", f"{peak / 1000:.2f} GB", style="bold")
    return table


def _show_metrics(console: Console, evaluated: EvaluateResult) -> None:
    """What to expect of months to come first, where labels of several dates tell."""
    if later := evaluated.out_of_time:
        title = (
            f"Out of time: learned from labels of {later.told}, tested as of "
            f"{evaluated.as_of_date} on {evaluated.test_count:,} customers it never saw, "
            f"{evaluated.test_churner_count:,} of whom left"
        )
        console.print(_metrics_table(title, later.metrics, later.metrics_without_text))
    title = (
        f"Model {evaluated.model_version} on {evaluated.test_count:,} customers it never saw, "
        f"{evaluated.test_churner_count:,} of whom left"
    )
    if evaluated.as_of_date != evaluated.scoring_as_of_date:
        title += f"; as of {evaluated.as_of_date}"
    console.print(_metrics_table(title, evaluated.metrics, evaluated.metrics_without_text))


def _metrics_table(
    title: str, metrics: Mapping[str, Estimate], without_text: Mapping[str, Estimate]
) -> Table:
    table = new_table(title, "Metric", "Value", "95% interval", "Without text", "95% interval")
    for name, shown in METRIC_TITLES.items():
        table.add_row(shown, *_estimate(metrics, name), *_estimate(without_text, name))
    return table


def _alarm_table(alarms: Sequence[AlarmDecision]) -> Table:
    table = new_table("Alarms of the leakage audit", "Alarm", "What was seen", "Accepted")
    for column in table.columns[1:]:
        column.justify = "left"
    for alarm in alarms:
        accepted = f"{alarm.author}, {alarm.accepted_on}: {alarm.reason}"
        shown = accepted if alarm.is_accepted else line(("no", "red"))
        table.add_row(alarm.alarm, alarm.detail, shown)
    return table


def _alarm_line(alarms: Sequence[AlarmDecision]) -> str:
    if not alarms:
        return "Leakage audit: no alarm"
    subjects = list(dict.fromkeys(alarm.alarm.partition(":")[2] for alarm in alarms))
    return (
        f"Leakage audit: {len(alarms)} alarms, each accepted by name (audit.accepted): "
        f"{', '.join(subjects[:3])}{' and more' if len(subjects) > 3 else ''}. "
        "Where the texts of your own data know the outcome too, read the column without text."
    )


def _quality_lines(quality: QualityResult) -> Text:
    failed = len(quality.warnings)
    first = f"Data quality: {quality.check_count - failed} of {quality.check_count} checks passed"
    warnings = [line("\n  ", ("warning", "yellow"), f" {it}") for it in quality.warnings]
    return line(first).append_text(Text().join(warnings))


def _missing_lines(run: Run) -> list[Text]:
    """What the batch is declared to lack, what is switched off and what could not be checked."""
    absent = run.batch.absent if run.batch else ()
    if not absent:
        return []
    skipped = [*skipped_changes(absent)]
    if (quality := run.results.get(QualityResult)) and (count := len(quality.skipped)):
        skipped.append(f"those of {count} tables and columns (named in the record of the run)")
    lines = [
        ("Missing data", ", ".join(sorted(absent))),
        ("Switched off", consequence(absent) or "nothing"),
        ("Checks skipped", ", ".join(skipped) or "none"),
    ]
    return [line((title, "yellow"), f": {words}") for title, words in lines]


def _drift_line(drift: DriftResult) -> Text:
    if drift.reference_as_of_date == drift.as_of_date:
        return line("Drift: not measured (the model was trained on this date)")
    return line(
        f"Drift since {drift.reference_as_of_date}: {len(drift.alarms)} alarms, "
        f"{len(drift.watched)} to watch, {len(drift.calendar)} that move with the calendar",
        *((": ", (", ".join(drift.alarms[:5]), "red")) if drift.alarms else ()),
    )


def _estimate(metrics: Mapping[str, Estimate], name: str) -> tuple[str, str]:
    estimate = metrics[name]
    return f"{estimate.value:.3f}", f"{estimate.low:.3f} to {estimate.high:.3f}"
