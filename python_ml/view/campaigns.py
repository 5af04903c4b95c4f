"""What a person sees of campaigns: tables in the terminal, on stdout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from python_ml.console import new_table, open_console

if TYPE_CHECKING:
    from python_ml.campaigns.contacts import Findings
    from python_ml.campaigns.plan import Design
    from python_ml.pipeline.campaigns import Started


def show_design(design: Design) -> None:
    """Chances by stratum, what each arm detects, and other sizes of the control group."""
    console, terms = open_console(), design.terms
    budget = "no limit" if terms.budget_eur is None else f"{terms.budget_eur:,.0f} €"
    console.print(
        f"Campaign {terms.campaign}: policy {terms.policy}, control group "
        f"{terms.control_share:.0%}, budget {budget}, {design.customer_count:,} eligible customers"
    )
    for rule, count in design.excluded.items():
        console.print(f"  {count:,} customers are left out: {rule}", style="dim")
    chances = new_table("Chance of each arm", "Stratum", "Arm", "Chance", "Customers")
    for row in design.chances.to_dict("records"):
        chances.add_row(
            row["stratum"], row["arm"], f"{row['propensity']:.1%}", f"{row['customer_count']:,}"
        )
    console.print(chances)
    power = new_table(
        "Smallest effect that this campaign detects",
        *("Risk tier", "Arm", "Treated", "Control", "Churn", "Points of churn"),
        *("Share saved", "Campaigns for ±5 points"),
    )
    for row in design.power.to_dict("records"):
        power.add_row(
            row["risk_tier"],
            row["arm"],
            f"{row['treated_count']:,.0f}",
            f"{row['control_count']:,.0f}",
            f"{row['expected_churn_share']:.0%}",
            f"{row['detectable_churn_points']:.1f}",
            f"{row['detectable_save_share']:.0%}",
            f"{row['campaigns_for_5_points']:,}",
        )
    console.print(power)
    sizes = new_table(
        "Other sizes of the control group, all tiers and arms together",
        *("Control group", "Customers", "Share saved that is detected"),
        *("Cost", "Expected net value", "Cost of learning"),
    )
    for row in design.control_shares.to_dict("records"):
        sizes.add_row(
            f"{row['control_share']:.0%}",
            f"{row['control_count']:,.0f}",
            f"{row['detectable_save_share']:.0%}",
            f"{row['expected_cost_eur']:,.0f} €",
            f"{row['expected_net_value_eur']:,.0f} €",
            f"{row['cost_of_learning_eur']:,.0f} €",
        )
    console.print(sizes)
    console.print(
        "Effects are known once the horizon is over and labels have matured. Cost of learning: "
        "expected net value given up by leaving customers alone and by trying other offers.",
        soft_wrap=True,
    )


def show_started(started: Started) -> None:
    """Who takes part, by arm."""
    console = open_console()
    verb = "started" if started.is_new else "had started before; nothing was changed"
    console.print(
        f"Campaign {started.campaign} {verb}: {started.customer_count:,} customers as of "
        f"{started.as_of_date}, planned cost {started.planned_cost_eur:,.0f} €",
        soft_wrap=True,
    )
    for arm, count in started.arms.items():
        console.print(f"  {arm:<14} {count:>8,}")
    if started.over_budget_count:
        console.print(f"  {started.over_budget_count:,} eligible customers exceed the budget")
    console.print(f"Lists: spanishgas campaign export {started.campaign}")


def show_findings(findings: Findings, file: str) -> None:
    """How many contacts were recorded, and what to look at."""
    console = open_console()
    known = f", {findings.known_count:,} of them known already" if findings.known_count else ""
    console.print(f"{findings.contact_count:,} contacts recorded from {file}{known}")
    for warning in findings.warnings():
        console.print(f"warning: {warning}", style="yellow", soft_wrap=True)


def show_status(rows: Sequence[Mapping[str, Any]]) -> None:
    """One line per campaign."""
    console = open_console(140)
    if not rows:
        console.print("No campaign has started; spanishgas campaign plan NAME designs one.")
        return
    table = new_table(
        "Campaigns, newest first",
        *("Campaign", "State", "As of", "Outcome", "Treated", "Control", "Contacted"),
        *("Reached", "Called control", "Planned cost", "Cost"),
    )
    for row in rows:
        table.add_row(
            row["campaign"],
            row["state"],
            str(row["as_of_date"]),
            str(row["outcome_date"]),
            *(f"{row[name]:,}" for name in ("treated_count", "control_count", "contacted_count")),
            *(f"{row[name]:,}" for name in ("reached_count", "called_control_count")),
            f"{row['planned_cost_eur']:,.0f} €",
            f"{row['cost_eur']:,.0f} €",
        )
    console.print(table)


def show_effects(rows: Sequence[Mapping[str, Any]], tiers: bool, learned: str) -> None:
    """The verdict on each campaign, then its arms, and on request its risk tiers; at the end how
    offers are chosen from what was learned."""
    console = open_console(140)
    for name in dict.fromkeys(row["campaign"] for row in rows):
        mine = [row for row in rows if row["campaign"] == name]
        whole = next(row for row in mine if row["arm"] == row["risk_tier"] == "all")
        console.print(
            f"{name}: {whole['verdict']} ({whole['reason']})", style="bold", soft_wrap=True
        )
        table = new_table(
            f"As of {whole['look_date']}, 95% intervals that stay valid at every look",
            *("Arm", "Risk tier", "Treated", "Control", "Churn", "without"),
            *("Share saved", "Margin saved", "Cost", "Verdict"),
        )
        for row in mine:
            if row["risk_tier"] != "all" and not tiers:
                continue
            table.add_row(
                row["arm"],
                row["risk_tier"],
                f"{row['treated_count']:,}",
                f"{row['control_count']:,}",
                _share(row["treated_churn_share"]),
                _share(row["control_churn_share"]),
                f"{_share(row['save_share'])}\n{_range(row, 'save_share', _share)}",
                f"{_euro(row['margin_saved_eur'])}\n{_range(row, 'margin_saved_eur', _euro)}",
                _euro(row["cost_eur"]),
                row["verdict"],
            )
        console.print(table)
    console.print(f"Offers are chosen by {learned}", soft_wrap=True)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _euro(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f} €"


def _range(row: Mapping[str, Any], name: str, shown: Callable[[float | None], str]) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "no interval yet" if low is None else f"{shown(low)} to {shown(high)}"
