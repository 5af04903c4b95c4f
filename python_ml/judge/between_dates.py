"""How far a calibration is off from one as-of date to another, beyond what a sample explains.

A calibration that holds on average over the dates that it was fitted on is a little off on each of
them: seasons, rivals and prices differ. On a date with index m, the log-odds x of its customers are
taken to be really c + (1 + slope_m) (x − c) + level_m, where c is the customers' mean log-odds,
each weighted by p (1 − p), and slope_m and level_m are random effects with mean zero.

Their variances are estimated from published scores whose labels have matured, by the moments of
DerSimonian and Laird (Meta-analysis in clinical trials, 1986) around the known mean zero, where the
scores are right: a bias that lasts counts as variation. Few dates say little of a variance, so a
prior counts as some dates more (`monitor` in the settings), and what is drawn has the tails of
Student's t, as in the prediction interval of Higgins, Thompson and Spiegelhalter (A re-evaluation
of random-effects meta-analysis, 2009). Horizons that overlap tell the same departures, so only
dates a horizon apart count towards its degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from scipy.special import ndtri

from python_ml.settings import Settings

ALL_CUSTOMERS = "all customers"
SLOPE, LEVEL = "calibration_slope", "calibration_level"
DAYS_A_MONTH = 30.44
EXACT = {SLOPE: 1.0, LEVEL: 0.0}  # of a calibration that is right


@dataclass(frozen=True)
class BetweenDates:
    """Standard deviations of the random effects of a date, in log-odds, and how well they are
    known."""

    slope_sd: float
    level_sd: float
    degrees_of_freedom: float

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray:
        """(count, 2): slopes and levels of dates, with mean zero."""
        spread = np.array([self.slope_sd, self.level_sd])
        drawn: np.ndarray = random.standard_t(self.degrees_of_freedom, size=(count, 2)) * spread
        return drawn


def between_dates(outcomes: pd.DataFrame, as_of_date: date, settings: Settings) -> BetweenDates:
    """The variation between dates, by dates before `as_of_date` whose outcomes are known.

    Args:
        outcomes: rows of `score_outcome`; of several measurements of a date the last counts.
        as_of_date: of the scores that it is wanted for.
        settings: the prior, the length of the horizon, and the confidence of the intervals.
    """
    prior = settings.monitor
    known = outcomes[
        (outcomes["dimension"] == ALL_CUSTOMERS)
        & (pd.to_datetime(outcomes["as_of_date"]) < pd.Timestamp(as_of_date))
        & np.isfinite(outcomes["measured_value"].astype(float))
    ]
    known = known.sort_values("run_id").groupby(["as_of_date", "measure"], as_index=False).last()
    found = {
        measure: known[known["measure"] == measure].sort_values("as_of_date")
        for measure in (SLOPE, LEVEL)
    }
    independent = min(
        _independent(rows["as_of_date"], settings.campaigns.horizon_days) for rows in found.values()
    )
    sds = {
        measure: _pooled_sd(
            found[measure], EXACT[measure], sd, prior.prior_dates, independent, settings
        )
        for measure, sd in ((SLOPE, prior.slope_sd), (LEVEL, prior.level_sd))
    }
    return BetweenDates(sds[SLOPE], sds[LEVEL], prior.prior_dates + independent)


def _pooled_sd(
    rows: pd.DataFrame,
    exact: float,
    prior_sd: float,
    prior_dates: float,
    independent: int,
    settings: Settings,
) -> float:
    """Root of the mean of prior and estimated variance, by the dates that each stands for."""
    reach = 2 * ndtri(0.5 + settings.evaluate.confidence / 2)
    error = (rows["ci_high"] - rows["ci_low"]).to_numpy(dtype=np.float64) / reach
    estimated = between_variance(rows["measured_value"].to_numpy(dtype=np.float64) - exact, error)
    pooled = (prior_dates * prior_sd**2 + independent * estimated) / (prior_dates + independent)
    return float(np.sqrt(pooled))


def between_variance(deviation: np.ndarray, standard_error: np.ndarray) -> float:
    """Variance of the deviations beyond that of their sampling, by moments around zero; at least 0.

    >>> between_variance(np.array([0.3, -0.3]), np.array([0.1, 0.1])).__round__(6)
    0.08
    """
    if not len(deviation):
        return 0.0
    weight = standard_error**-2.0
    excess = float((weight * deviation**2).sum()) - len(deviation)
    return max(excess / float(weight.sum()), 0.0)


def _independent(dates: pd.Series, horizon_days: int) -> int:
    """Number of month ends whose horizons do not overlap, at most."""
    apart, count, free_from = round(horizon_days / DAYS_A_MONTH), 0, 0
    for month in sorted(day.year * 12 + day.month for day in pd.to_datetime(dates)):
        if count == 0 or month >= free_from:
            count, free_from = count + 1, month + apart
    return count
