"""Plots of models: one palette, told apart by colour-blind eyes and on paper, drawn off screen."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from python_ml.embedding import in_plot

# Okabe and Ito (2008). The same thing has the same colour in every plot.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#767676"
TIER_COLOURS = {"Critical": ORANGE, "High": "#E69F00", "Medium": BLUE, "Low": GREY}
FEATURE_SETS = {
    "champion": ("with text", BLUE, "-"),
    "without_text": ("without text", ORANGE, "--"),
}
KINDS = {
    "xgboost": ("XGBoost", BLUE, "o"),
    "random_forest": ("Random forest", GREEN, "s"),
    "logistic_regression": ("Logistic regression", ORANGE, "^"),
}


def draw(paint: Callable[[Axes], None], *, width: float = 5.2, height: float = 3.6) -> bytes:
    """One pair of axes as a PNG, the same bytes for the same data."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(color="#E4E4E4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    paint(axes)
    image = io.BytesIO()
    FigureCanvasAgg(figure).print_png(image, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return image.getvalue()


def ladder_plot(cells: pd.DataFrame, path: Path) -> None:
    """PR-AUC of each experiment and kind of model, with intervals; published figures hollow.

    Args:
        cells: rows of mart_model_ladder.
        path: PNG to write.
    """
    experiments = sorted(set(cells["experiment"]))

    def paint(axes: Axes) -> None:
        for number, (kind, (title, colour, marker)) in enumerate(KINDS.items()):
            own = cells[cells["model_kind"] == kind].set_index("experiment").loc[experiments]
            place = [x + (number - 1) * 0.22 for x in range(len(experiments))]
            reach = [
                own["test_pr_auc"] - own["test_pr_auc_ci_low"],
                own["test_pr_auc_ci_high"] - own["test_pr_auc"],
            ]
            axes.errorbar(
                place, own["test_pr_auc"], yerr=reach, fmt=marker, color=colour, label=title
            )
            axes.plot(
                [x + 0.08 for x in place],
                own["published_pr_auc"],
                marker,
                color=colour,
                fillstyle="none",
                label="published (hollow)" if number == 0 else None,
            )
        labels = [in_plot(name) for name in experiments]
        axes.set_xticks(range(len(experiments)), labels, rotation=25, ha="right")
        axes.set_ylabel("PR-AUC on the test part")
        axes.set_ylim(0, 1)
        axes.legend(frameon=False, ncols=2, loc="upper left")

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(draw(paint, width=9, height=4.8))


def backtest_plot(rows: pd.DataFrame, path: Path) -> None:
    """Discrimination, calibration and churn by tier over the test dates, one below the other.

    Args:
        rows: of ml.backtest_result.
        path: PNG to write.
    """
    figure = Figure(figsize=(10, 10), layout="constrained")
    ranking, churn, tiers = figure.subplots(3, 1, sharex=True)
    overall = rows[rows["slice"] == "overall"]
    for suffix, (title, colour, line) in zip(
        ("", "_without_text"), FEATURE_SETS.values(), strict=True
    ):
        _over_time(ranking, overall, f"roc_auc{suffix}", f"ROC-AUC {title}", colour, "^" + line)
        _over_time(ranking, overall, f"pr_auc{suffix}", f"PR-AUC {title}", colour, "o" + line)
    ranking.set_title("Tells leavers from others", loc="left", fontsize=10)
    ranking.set_ylim(0, 1.05)
    _over_time(churn, overall, "realised_churn", "left", BLUE, "o-")
    _over_time(churn, overall, "expected_churn", "expected by the model", ORANGE, "s--")
    churn.set_title("Share that leaves", loc="left", fontsize=10)
    churn.set_ylim(bottom=0)
    expected = rows[(rows["metric"] == "expected_churn") & (rows["slice"] != "overall")]
    highest_first = expected.groupby("slice")["metric_value"].mean().sort_values()[::-1]
    for number, tier in enumerate(highest_first.index):
        colour = TIER_COLOURS.get(tier, GREEN)  # of one that the seed adds
        _tier_over_time(tiers, rows[rows["slice"] == tier], tier, colour, number)
    tiers.set_title("Share that leaves, by risk tier", loc="left", fontsize=10)
    tiers.set_ylim(-0.02, 1.05)
    days = pd.to_datetime(sorted(rows["test_as_of_date"].unique()))
    tiers.set_xticks(days, [f"{day:%Y-%m-%d}" for day in days], rotation=40, ha="right")
    tiers.set_xlabel("Test date; the model learned from an earlier one")
    for axes in (ranking, churn, tiers):
        axes.grid(color="#E4E4E4", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = io.BytesIO()
    FigureCanvasAgg(figure).print_png(image, metadata={"Software": None})  # type: ignore[no-untyped-call]
    path.write_bytes(image.getvalue())


def _over_time(
    axes: Axes, rows: pd.DataFrame, metric: str, title: str, colour: str, line: str
) -> None:
    """One metric over the test dates, with its interval as a band."""
    part = rows[rows["metric"] == metric].sort_values("test_as_of_date")
    when = pd.to_datetime(part["test_as_of_date"])
    axes.plot(when, part["metric_value"], line, color=colour, markersize=4, label=title)
    axes.fill_between(when, part["ci_low"], part["ci_high"], color=colour, alpha=0.12, linewidth=0)


def _tier_over_time(axes: Axes, rows: pd.DataFrame, tier: str, colour: str, number: int) -> None:
    """Points with bars for what happened, a line for what was expected; tiers side by side."""
    aside = pd.Timedelta(days=2 * number - 3)
    realised = rows[rows["metric"] == "realised_churn"].sort_values("test_as_of_date")
    expected = rows[rows["metric"] == "expected_churn"].sort_values("test_as_of_date")
    reach = [
        realised["metric_value"] - realised["ci_low"],
        realised["ci_high"] - realised["metric_value"],
    ]
    axes.errorbar(
        pd.to_datetime(realised["test_as_of_date"]) + aside,
        realised["metric_value"],
        yerr=[side.clip(lower=0) for side in reach],
        fmt="o",
        markersize=4,
        elinewidth=1,
        color=colour,
        label=in_plot(f"{tier}: left"),
    )
    axes.plot(
        pd.to_datetime(expected["test_as_of_date"]),
        expected["metric_value"],
        "--",
        color=colour,
        label=in_plot(f"{tier}: expected"),
    )


def precision_recall_plot(curves: pd.DataFrame) -> bytes:
    """Precision over recall, with and without text.

    Args:
        curves: rows of ml.model_curve of one evaluation; so for the other plots of it.
    """

    def paint(axes: Axes) -> None:
        for title, colour, line, part in _sets(curves, "precision_recall"):
            axes.plot(part["x"], part["y"], line, color=colour, label=title)
        axes.set(xlabel="Recall", ylabel="Precision", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(frameon=False, loc="upper right")

    return draw(paint)


def reliability_plot(curves: pd.DataFrame) -> bytes:
    """Observed churn rate over predicted probability, with intervals; on the line they agree."""

    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], ":", color=GREY, label="exact")
        for title, colour, line, part in _sets(curves, "reliability"):
            reach = [part["y"] - part["y_low"], part["y_high"] - part["y"]]
            reach = [side.clip(lower=0) for side in reach]
            axes.errorbar(
                *(part["x"], part["y"]),
                yerr=reach,
                fmt="o" + line,
                markersize=4,
                color=colour,
                label=title,
            )
        axes.set(xlabel="Predicted probability", ylabel="Share that left", xlim=(0, 1), ylim=(0, 1))
        axes.legend(frameon=False, loc="upper left")

    return draw(paint)


def gain_plot(curves: pd.DataFrame) -> bytes:
    """Share of the leavers found over the share of customers contacted, best scores first."""

    def paint(axes: Axes) -> None:
        axes.plot([0, 100], [0, 100], ":", color=GREY, label="by chance")
        for title, colour, line, part in _sets(curves, "decile_recall"):
            share = [0, *(part["x"] * 10)]
            axes.plot(
                share, [0, *(part["y"] * 100)], "o" + line, markersize=4, color=colour, label=title
            )
            axes.fill_between(
                share,
                [0, *(part["y_low"] * 100)],
                [0, *(part["y_high"] * 100)],
                color=colour,
                alpha=0.15,
                linewidth=0,
            )
        axes.set(xlabel="Customers contacted (%)", ylabel="Leavers among them (%)")
        axes.set(xlim=(0, 100), ylim=(0, 102))
        axes.legend(frameon=False, loc="lower right")

    return draw(paint)


def profit_plot(curves: pd.DataFrame) -> bytes:
    """Expected profit of contacting the best-scored customers; below zero it costs more."""

    def paint(axes: Axes) -> None:
        axes.axhline(0, color=GREY, linewidth=1, linestyle=":", label="contact nobody")
        for title, colour, line, part in _sets(curves, "profit"):
            axes.plot(part["x"] * 100, part["y"] / 1000, line, color=colour, label=title)
            axes.fill_between(
                part["x"] * 100,
                part["y_low"] / 1000,
                part["y_high"] / 1000,
                color=colour,
                alpha=0.15,
                linewidth=0,
            )
        axes.set(
            xlabel="Customers contacted (%)", ylabel="Expected profit (1,000 €)", xlim=(0, 100)
        )
        axes.legend(frameon=False, loc="lower left")

    return draw(paint)


def _sets(curves: pd.DataFrame, curve: str) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    """Title, colour, line and points of each feature set's curve."""
    of_curve = curves[curves["curve"] == curve]
    for name, (title, colour, line) in FEATURE_SETS.items():
        part = of_curve[of_curve["feature_set"] == name].sort_values("point")
        yield title, colour, line, part
