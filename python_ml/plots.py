"""Plots of models: one palette, told apart by colour-blind eyes and on paper, drawn off screen."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito (2008). The same thing has the same colour in every plot.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#767676"
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
    FigureCanvasAgg(figure).print_png(image, metadata={"Software": None})
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
        axes.set_xticks(range(len(experiments)), experiments, rotation=25, ha="right")
        axes.set_ylabel("PR-AUC on the test part")
        axes.set_ylim(0, 1)
        axes.legend(frameon=False, ncols=2, loc="upper left")

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(draw(paint, width=9, height=4.8))


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
