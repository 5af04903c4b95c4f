"""What a campaign achieved: differences between arms, by the chances that the arms were drawn with.

Y is churn so far, p the frozen score, h the share of the horizon that is over, T and C say who is
in the arm and in the control group, e and c with which chance. The difference in churn is the mean
over all customers who could have been drawn into the arm of

    φ = (T / e − C / c) (Y − p h)

which is unbiased whatever the score is worth, because e and c are known; a good score makes it
precise. Intervals are confidence sequences (sequence.py), valid at every look.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chi2

from python_ml.campaigns import ALL, CONTROL
from python_ml.campaigns.sequence import boundary, mean_sequence, ratio_sequence
from python_ml.settings import CampaignsSettings

WORKS, DOES_NOT, TOO_EARLY, BROKEN = "works", "does not work", "too early", "broken"
_MOST_SHARE = 1.0  # of churners that can be saved
_SURELY_DRAWN = 7.0  # expected customers of an arm: it has none once in a thousand times


@dataclass(frozen=True)
class Soundness:
    """Whether the comparison can be trusted; `problems` are sentences, none if it can."""

    draw_p_value: float  # arms against their chances, and against scores and margins
    called_control_count: int
    control_count: int
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Arrays:
    """One campaign's customers whose outcome is known, as arrays of n."""

    arm: np.ndarray
    stratum: np.ndarray
    tier: np.ndarray
    is_control: np.ndarray
    own: np.ndarray  # chance of the own arm
    control: np.ndarray  # chance of the control group
    p: np.ndarray
    expected: np.ndarray  # p h: churn expected by now
    churn: np.ndarray
    margin: np.ndarray  # at stake, €
    reached: np.ndarray
    cost: np.ndarray
    planned_cost: np.ndarray

    @classmethod
    def of(cls, customers: pd.DataFrame) -> Arrays:
        def floats(name: str) -> np.ndarray:
            return customers[name].to_numpy(dtype=np.float64, na_value=np.nan)

        control = (customers["arm"] == CONTROL).to_numpy()
        contacted = customers["is_contacted"].to_numpy(dtype=bool)
        reached = customers["is_reached"].to_numpy(dtype=bool)
        return cls(
            arm=customers["arm"].to_numpy(dtype=object),
            stratum=pd.factorize(customers["stratum"])[0],
            tier=customers["risk_tier"].to_numpy(dtype=object),
            is_control=control,
            own=floats("propensity"),
            control=floats("control_propensity"),
            p=floats("churn_probability"),
            expected=floats("churn_probability") * floats("horizon_share"),
            churn=floats("churn"),
            margin=floats("margin_at_stake_eur"),
            reached=np.where(control, contacted, reached).astype(np.float64),
            cost=floats("cost_eur"),
            planned_cost=floats("contact_cost_eur") + floats("offer_budget_eur"),
        )

    def part(self, mask: np.ndarray) -> Arrays:
        return Arrays(**{name: value[mask] for name, value in self.__dict__.items()})


def campaign_effect(
    customers: pd.DataFrame, settings: CampaignsSettings, confidence: float
) -> pd.DataFrame:
    """The effect of one campaign at one look, by arm and risk tier, and of all together.

    Args:
        customers: rows of mart_campaign_customer of the campaign.
        settings: limits beyond which a comparison counts as broken.
        confidence: of the intervals.

    Returns:
        One row per arm and risk tier (`all` for all of them), with the columns of
        ml.campaign_effect but run_id. Effects are positive where the offer keeps customers.
    """
    alpha = 1 - confidence
    sound = soundness(customers, settings)
    known = customers[customers["churn"].notna()]
    every = Arrays.of(customers)
    arrays = every.part(~np.isnan(every.churn))
    share = float(known["horizon_share"].max()) if len(known) else 0.0
    is_final = bool(len(known)) and bool(known["is_matured"].all())
    look = known["look_date"].max() if len(known) else customers["as_of_date"].max()
    named = {
        "campaign": customers["campaign"].iloc[0],
        "as_of_date": pd.Timestamp(customers["as_of_date"].iloc[0]).date(),
        "look_date": pd.Timestamp(look).date(),
        "horizon_share": share,
        "is_final": is_final,
        "draw_p_value": sound.draw_p_value,
        "called_control_count": sound.called_control_count,
    }
    rows = []
    for arm, tier, here, whole in _groups(arrays, every):
        figures = arm_figures(arrays.part(here), every.part(whole), arm, alpha)
        verdict, why = verdict_of(figures, sound, share, is_final)
        rows.append(
            {**named, "arm": arm, "risk_tier": tier, **figures, "verdict": verdict, "reason": why}
        )
    return pd.DataFrame(rows)


def measure_effects(
    customers: pd.DataFrame, settings: CampaignsSettings, confidence: float
) -> pd.DataFrame:
    """The effects of all campaigns, as `campaign_effect` returns them of one."""
    parts = [
        campaign_effect(rows, settings, confidence)
        for _, rows in customers.groupby("campaign", sort=True)
    ]
    return pd.concat(parts, ignore_index=True)


def _groups(known: Arrays, every: Arrays) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Arm, tier, and which customers could have been drawn into it: with a known outcome, all."""
    for arm in (ALL, *sorted(set(every.arm) - {CONTROL})):
        strata = np.unique(every.stratum[(every.arm == arm) | (arm == ALL)])
        for tier in (ALL, *sorted(set(every.tier))):
            here, whole = (
                np.isin(a.stratum, strata) & ((a.tier == tier) | (tier == ALL))
                for a in (known, every)
            )
            if whole.any():
                yield arm, tier, here, whole


def arm_figures(a: Arrays, every: Arrays, arm: str, alpha: float) -> dict[str, float]:
    """Effects of one arm against the control group, in one group of n customers."""
    treated = ~a.is_control if arm == ALL else a.arm == arm
    e = 1 - a.control if arm == ALL else _chance(a, every, arm)
    every_treated = ~every.is_control if arm == ALL else every.arm == arm
    n = len(a.churn)
    figures: dict[str, float] = {
        "treated_count": int(every_treated.sum()),
        "control_count": int(every.is_control.sum()),
        "outcome_count": int((treated | a.is_control).sum()),
        "reached_count": int((every_treated & (every.reached > 0)).sum()),
        "cost_eur": float(every.cost[every_treated].sum()),
        "planned_cost_eur": float(every.planned_cost[every_treated].sum()),
    }
    stake = float((every.p * every.margin)[every_treated].sum())
    cost = figures["cost_eur"] or figures["planned_cost_eur"]
    figures["break_even_share"] = cost / stake if stake > 0 else math.nan
    if not treated.any() or not a.is_control.any():
        return {**figures, **dict.fromkeys(_MEASURES, math.nan)}
    weight = treated / e - a.is_control / a.control
    phi = weight * (a.churn - a.expected)
    baseline = a.is_control / a.control * (a.churn - a.expected) + a.expected
    planned = float(np.sum(a.p * (1 - a.p) * (1 / e + 1 / a.control))) or 1.0
    itt = mean_sequence(-phi, planned, alpha)
    saved = _clipped(ratio_sequence(-phi, baseline, planned, alpha))
    complier = ratio_sequence(-phi, weight * a.reached, planned, alpha)
    scale = float(np.mean(a.margin**2))
    margin = mean_sequence(-phi * e * a.margin, planned * scale, alpha)
    away = _drive_away(phi, a, planned, alpha)
    return {
        **figures,
        "treated_churn_share": float(np.mean(baseline + phi)),
        "control_churn_share": float(np.mean(baseline)),
        **_named("churn_reduction", itt),
        **_named("save_share", saved),
        **_named("complier_reduction", complier),
        **_named("margin_saved_eur", tuple(n * value for value in margin)),
        **_named("drive_away_share", away),
    }


_NAMES = ("churn_reduction", "save_share", "complier_reduction", "margin_saved_eur")
_MEASURES = (
    "treated_churn_share",
    "control_churn_share",
    *(f"{name}{end}" for name in (*_NAMES, "drive_away_share") for end in ("", "_low", "_high")),
)


def _named(name: str, found: tuple[float, ...]) -> dict[str, float]:
    finite = [value if math.isfinite(value) else math.nan for value in found]
    return {name: finite[0], f"{name}_low": finite[1], f"{name}_high": finite[2]}


def _clipped(found: tuple[float, float, float]) -> tuple[float, float, float]:
    """A share of churners that is saved is at most 1, whatever the arithmetic says."""
    value, low, high = (min(number, _MOST_SHARE) for number in found)
    return value, low, high


def _chance(a: Arrays, every: Arrays, arm: str) -> np.ndarray:
    """Chance of an arm for every customer who could have been drawn into it, by stratum."""
    here = every.arm == arm
    by_stratum = dict(zip(every.stratum[here], every.own[here], strict=True))
    return np.array([by_stratum[stratum] for stratum in a.stratum])


def _drive_away(
    phi: np.ndarray, a: Arrays, planned: float, alpha: float
) -> tuple[float, float, float]:
    """Share of those who would have stayed and leave because of the contact.

    The difference in churn of a customer with score p is d (1 − p) − s p: a regression of φ on
    1 − p and −p gives d, with the sandwich variance, as far as scores differ enough.
    """
    n = len(phi)
    design = np.column_stack([1 - a.p, -a.p])
    gram = design.T @ design
    if n < 10 or np.linalg.cond(gram) > 1e8:
        return math.nan, -math.inf, math.inf
    inverse = np.linalg.inv(gram)
    beta = inverse @ (design.T @ phi)
    residual = phi - design @ beta
    covariance = inverse @ (design.T * residual**2) @ design @ inverse
    variance = float(np.sum((phi - phi.mean()) ** 2))
    if variance <= 0:
        return float(beta[0]), -math.inf, math.inf
    half = boundary(variance, planned, alpha) * math.sqrt(covariance[0, 0])
    return float(beta[0]), float(beta[0] - half), float(beta[0] + half)


def soundness(customers: pd.DataFrame, settings: CampaignsSettings) -> Soundness:
    """Whether arms are as they were drawn, and the control group was left alone.

    The sample ratio is tested over all strata together: counts of arms against the sum of their
    chances, with the covariance of independent draws. The same sums, weighted by score and by
    margin within each stratum, must not differ either: a draw that somebody has arranged by risk
    keeps its counts. Each is tested for the control group alone, where most draws go wrong, and for
    all arms together. Where outcomes are missing, those whose outcome is known are tested too:
    labels that one group loses spoil a draw that was sound. All tests share the limit (Bonferroni),
    and the size of the control group, which is what most faults change, has half of it.
    """
    control = customers["arm"] == CONTROL
    called = int((control & customers["is_contacted"].astype(bool)).sum())
    count = int(control.sum())
    p_values = [_draw_p_value(customers)]
    is_known = customers["churn"].notna()
    if is_known.any() and not is_known.all():
        p_values.append(_draw_p_value(customers[is_known]))
    p_value = min(1.0, len(p_values) * min(p_values))
    problems = []
    if p_value < settings.minimum_draw_p_value:
        problems.append(
            f"the arms are not as they were drawn (p = {p_value:.2g}): counts, scores or margins, "
            "of all or of those with a known outcome, differ from what the chances allow"
        )
    if count and called / count > settings.maximum_called_control_share:
        problems.append(f"{called:,} of {count:,} customers of the control group were contacted")
    if not count or count == len(customers):
        problems.append("one of the two groups is empty")
    return Soundness(p_value, called, count, tuple(problems))


def _draw_p_value(customers: pd.DataFrame) -> float:
    """p-value of counts, scores and margins together against the chances of the draw."""
    arms = sorted(set(customers["arm"]) | {CONTROL})
    names = np.array(arms, dtype=object)
    drawn = (customers["arm"].to_numpy()[:, None] == names[None, :]).astype(np.float64)
    chance = _chances(customers, arms)
    # Where a stratum is too small to show the chances of all its arms, the control group's is
    # known all the same.
    is_partial = ~np.isclose(chance.sum(axis=1), 1.0)
    others = names != CONTROL
    for values in (drawn, chance):
        values[np.ix_(is_partial, others)] = 0.0
    gap, at = drawn - chance, arms.index(CONTROL)
    p = customers["churn_probability"].to_numpy(dtype=np.float64).clip(1e-6, 1 - 1e-6)
    margin = customers["margin_at_stake_eur"].to_numpy(dtype=np.float64)
    found = []
    for x in (np.ones(len(gap)), np.log(p / (1 - p)), np.log(np.maximum(margin, 1e-6))):
        values = x
        if x.min() != x.max():
            centre = pd.Series(x).groupby(customers["stratum"].to_numpy()).transform("mean")
            values = x - centre.to_numpy()
        z = values @ gap
        squares = values**2
        covariance = np.diag(squares @ chance) - (chance * squares[:, None]).T @ chance
        inverse = np.linalg.pinv(covariance, rcond=1e-9, hermitian=True)
        rank = int(np.linalg.matrix_rank(covariance, tol=1e-9 * max(covariance.max(), 1e-300)))
        found.append(float(chi2.sf(z @ inverse @ z, max(rank, 1))))
        alone = float(covariance[at, at])
        found.append(float(chi2.sf(z[at] ** 2 / alone, 1)) if alone > 0 else 1.0)
    of_size = found.pop(1)
    return min(1.0, of_size * 2, *(2 * len(found) * p for p in found))


def _chances(customers: pd.DataFrame, arms: Sequence[str]) -> np.ndarray:
    """Chance of each arm for each customer, (customers, arms).

    Chances are those of the stratum's own rows. A stratum where an arm may well have been drawn by
    nobody has the chance of the control group alone.
    """
    found = customers.groupby(["stratum", "arm"])["propensity"].first().unstack()
    found = found.reindex(columns=list(arms))
    size = customers.groupby("stratum").size().reindex(found.index)
    is_small = ~(found.min(axis=1) * size >= _SURELY_DRAWN)
    found.loc[is_small] = 0.0
    found[CONTROL] = customers.groupby("stratum")["control_propensity"].first()
    return found.fillna(0.0).loc[customers["stratum"]].to_numpy(dtype=np.float64)


def verdict_of(
    figures: dict[str, float], sound: Soundness, share: float, is_final: bool
) -> tuple[str, str]:
    """In words: works, does not work, too early, broken; and why."""
    if sound.problems:
        return BROKEN, "; ".join(sound.problems)
    low, high = figures["churn_reduction_low"], figures["churn_reduction_high"]
    if math.isnan(figures["churn_reduction"]) or math.isnan(low):
        return TOO_EARLY, "no outcome is known yet, or one of the two groups is empty"
    saved, top = figures["save_share"], figures["save_share_high"]
    told = (
        f"{saved:.0%} of the churners were saved ({figures['save_share_low']:.0%} to {top:.0%})"
        if not math.isnan(figures["save_share_low"])
        else f"churn is {100 * figures['churn_reduction']:.1f} points lower"
    )
    if low > 0:
        return WORKS, told
    if high < 0:
        return DOES_NOT, f"more customers leave with the offer than without: {told}"
    needed = figures["break_even_share"]
    if not math.isnan(needed) and not math.isnan(top) and top < needed:
        return DOES_NOT, f"{told}; {needed:.0%} would be needed to pay for itself"
    when = "all labels have matured" if is_final else f"{share:.0%} of the horizon is over"
    return TOO_EARLY, f"{told}, which may be chance; {when}"
