"""What `spanishgas explain` shows in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from python_ml.console import TIER_STYLES, line, new_table, open_console

if TYPE_CHECKING:
    from python_ml.judge.customer import Change, Contribution, CustomerExplanation

SHOWN_COUNT = 12
BAR_WIDTH = 18  # of each side
RAISES, LOWERS = "red", "blue"  # distinct for colour-blind eyes too


def show_customer(customer: CustomerExplanation) -> None:
    """Profile, score, contributions as bars, and what has changed."""
    console = open_console()
    console.rule(line((f"Customer {customer.customer_id}, as of {customer.as_of_date}", "bold")))
    _show_profile(console, customer)
    _show_score(console, customer)
    console.print(_bars(customer))
    console.print(
        f"All {len(customer.contributions)} contributions and the bias {customer.bias:+.2f} sum to "
        f"{customer.log_odds:+.2f} log-odds; calibrated ({customer.calibration_slope:.3f} × "
        f"log-odds {customer.calibration_intercept:+.3f}) that is a probability of "
        f"{customer.churn_probability:.1%}.\n"
    )
    if customer.change is None:
        console.print("No earlier run has scored this customer.")
    else:
        _show_change(console, customer, customer.change)


def _show_profile(console: Console, customer: CustomerExplanation) -> None:
    told: list[str | tuple[str, str]] = []
    for name, value in customer.profile.items():
        missing = "not known" if name.endswith("_eur") else "–"
        shown = missing if value is None else f"{value:,.1f}" if isinstance(value, float) else value
        told += [" · " if told else "", f"{name.replace('_', ' ')} ", (str(shown), "bold")]
    console.print(line(*told, "\n"))


def _show_score(console: Console, customer: CustomerExplanation) -> None:
    flagged = "flagged" if customer.is_flagged else "not flagged"
    console.print(
        line(
            *("Probability of leaving ", (f"{customer.churn_probability:.1%}", "bold")),
            ": ",
            (customer.risk_tier, TIER_STYLES.get(customer.risk_tier, "")),
            f", {flagged} (threshold {customer.threshold:.1%}). Offer: {customer.offer} "
            f"({customer.decision}).",
        )
    )
    for reason in customer.reasons:
        console.print(f"  • {reason}")
    console.print(f"Scored by {customer.model_version} in run {customer.run_id}\n")


def _bars(customer: CustomerExplanation) -> Table:
    table = new_table("What the score rests on", "Feature", "Value", "Log-odds", "")
    table.columns[-1].justify = "left"
    shown = customer.contributions[:SHOWN_COUNT]
    widest = max((abs(entry.log_odds) for entry in shown), default=0.0) or 1.0
    for entry in shown:
        table.add_row(
            entry.feature, entry.value or "–", f"{entry.log_odds:+.2f}", _bar(entry, widest)
        )
    if rest := customer.contributions[SHOWN_COUNT:]:
        total = sum(entry.log_odds for entry in rest)
        table.add_row(f"{len(rest)} others", "", f"{total:+.2f}", "", style="dim")
    return table


def _bar(entry: Contribution, widest: float) -> Text:
    length = round(abs(entry.log_odds) / widest * BAR_WIDTH)
    if entry.log_odds < 0:
        return Text(" " * (BAR_WIDTH - length) + "█" * length + "│", style=LOWERS)
    return Text(" " * BAR_WIDTH + "│" + "█" * length, style=RAISES)


def _show_change(console: Console, customer: CustomerExplanation, change: Change) -> None:
    console.print(
        f"Since run {change.run_id} (as of {change.as_of_date}): from "
        f"{change.churn_probability:.1%} to {customer.churn_probability:.1%}, log-odds "
        f"{change.log_odds:+.2f} to {customer.log_odds:+.2f}. Why: {change.reason}."
    )
    if not change.features:
        return
    table = new_table("What has changed", "Feature", "Before", "Now", "Log-odds")
    for entry in change.features[:SHOWN_COUNT]:
        table.add_row(
            entry.feature,
            entry.value_before or "–",
            entry.value_now or "–",
            f"{entry.log_odds_change:+.2f}",
        )
    table.add_section()
    table.add_row("data", "", "", f"{change.from_data:+.2f}")
    table.add_row("model", "", "", f"{change.from_model:+.2f}")
    console.print(table)
