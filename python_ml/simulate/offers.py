"""What campaigns do in the simulated company: who is called, and who stays or leaves because of it.

Assignments come from a home, and so do contacts that somebody has recorded there. Of campaigns
without any, the simulated retention team calls the customers within their contact windows. Calls
are kept beside the other truths, so that a month can be made again from the files alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from python_ml.errors import UsageError
from python_ml.simulate.lifecycle import Call, Course, reaction
from python_ml.simulate.noise import Floats, Integers, uniform
from python_ml.simulate.panel import ProvinceCosts
from python_ml.simulate.reference import calibration
from python_ml.simulate.world import World

CALLS = Path("_truth") / "campaign_call.parquet"
CONTACTS = "campaign_contacts"
CONTROL, CONTACT_ONLY = "control", "contact_only"  # as python_ml.campaigns names them
_RAW = ("campaign", "customer_id", "contact_date", "channel", "outcome", "offer", "cost_eur")
_COLUMNS = ("month", "start", "index", "is_reached", "is_recorded", "arm", *_RAW)
_SAYS = {"not_reached": 0, "reached": 1, "refused": 2, "accepted": 3}


@dataclass(frozen=True)
class Conduct:
    """How well a month's work is done; shares, from 0 to 1."""

    reach: float = 0.8  # of those who are called
    called_control: float = 0.0  # of the control group, who are called all the same
    lost_control: float = 0.0  # of the control group, whose labels are not delivered

    def __post_init__(self) -> None:
        for name, value in self.__dict__.items():
            if not 0 <= value <= 1:
                raise UsageError(f"{name.replace('_', ' ')} {value}: a share is from 0 to 1")


@dataclass(frozen=True)
class Campaigns:
    """Campaigns as a home has them: ml.campaign_assignment, ml.campaign_contact, and those that
    were stopped."""

    assignments: pd.DataFrame
    recorded: pd.DataFrame
    stopped: frozenset[str] = frozenset()
    conduct: Conduct = field(default_factory=Conduct)


def read_calls(folder: Path) -> pd.DataFrame:
    """The calls of earlier months, by campaign, customer and day; none where there are none."""
    path = folder / CALLS
    return pd.read_parquet(path) if path.exists() else pd.DataFrame(columns=list(_COLUMNS))


def write_calls(calls: pd.DataFrame, folder: Path) -> None:
    """Keep the calls, and write those of the simulated team as the raw table campaign_contacts."""
    calls = calls.sort_values(["month", "campaign", "customer_id"], ignore_index=True)
    (folder / CALLS).parent.mkdir(parents=True, exist_ok=True)
    calls.to_parquet(folder / CALLS, index=False)
    own = calls.loc[~calls["is_recorded"].astype(bool), list(_RAW)]
    if len(own):
        own.to_csv(folder / f"{CONTACTS}.csv", index=False, lineterminator="\n")


class Team:
    """The retention team in one month."""

    def __init__(
        self, world: World, month: int, campaigns: Campaigns | None, earlier: pd.DataFrame
    ) -> None:
        self._world, self._month = world, month
        self.earlier = earlier
        self._conduct = Conduct() if campaigns is None else campaigns.conduct
        self._parts = [] if earlier.empty else [earlier]
        self._assigned, self._planned = pd.DataFrame(), pd.DataFrame()
        if campaigns is not None and len(campaigns.assignments):
            self._assigned = _placed(campaigns.assignments, world, month)
            self._planned = self._plan(campaigns)

    @property
    def calls(self) -> pd.DataFrame:
        """The calls of earlier months, and those of this one so far."""
        return pd.concat(self._parts, ignore_index=True) if self._parts else self.earlier

    @property
    def own_count(self) -> int:
        """Contacts that the simulated team has made in this month."""
        made = self.calls.iloc[len(self.earlier) :]
        return int((~made["is_recorded"].astype(bool)).sum())

    def calls_to(self, course: Course) -> tuple[Call, ...]:
        """The calls of earlier months that reached customers of a chunk."""
        return _reaching(self.earlier, course.traits.index)

    def work(self, course: Course, costs: ProvinceCosts) -> tuple[Call, ...]:
        """Call the customers of a chunk who are still there; returns all calls that reached them.

        Args:
            course: with the calls of earlier months.
        """
        before = self.calls_to(course)
        index = course.traits.index
        if self._planned.empty:
            return before
        planned = self._planned[self._planned["index"].isin(index)]
        at = np.searchsorted(index, planned["index"].to_numpy())
        is_there = (course.leaves[at] >= self._month) & (course.cohort[at] < self._month)
        planned = planned[is_there]
        if planned.empty:
            return before
        made = self._outcomes(planned, at[is_there], course, costs)
        self._parts.append(made)
        return (*before, *_reaching(made, index))

    def lost(self, labelled: int) -> set[str]:
        """Customers of control groups whose labels of an as-of date never arrive."""
        if not self._conduct.lost_control or self._assigned.empty:
            return set()
        rows = self._assigned
        rows = rows[(rows["arm"] == CONTROL) & (rows["start"] == labelled)]
        u = _by_campaign(self._world.seed, "lost", rows)
        return set(rows.loc[u < self._conduct.lost_control, "customer_id"])

    def _plan(self, campaigns: Campaigns) -> pd.DataFrame:
        """Calls of this month, reached or not, with the outcome where it was recorded."""
        world, month = self._world, self._month
        first, last = pd.Timestamp(world.first_day(month)), pd.Timestamp(world.as_of(month))
        rows = self._assigned.assign(is_recorded=False, recorded_outcome=None)
        rows["channel"] = "phone"
        is_over = rows["start"] + calibration()["course"]["horizon_months"] < month
        rows = rows[~is_over & ~rows["campaign"].isin(campaigns.stopped)]
        called = pd.MultiIndex.from_frame(self.earlier[["campaign", "customer_id"]])
        rows = rows[~pd.MultiIndex.from_frame(rows[["campaign", "customer_id"]]).isin(called)]
        simulated = set(self.earlier.loc[~self.earlier["is_recorded"].astype(bool), "campaign"])
        by_hand = set(campaigns.recorded["campaign"]) - simulated
        own = rows[~rows["campaign"].isin(by_hand)]
        days = (own["contact_until_date"] - own["contact_from_date"]).dt.days.clip(lower=0)
        day = np.floor(_by_campaign(world.seed, "day", own) * (days + 1))
        date = (own["contact_from_date"] + pd.to_timedelta(day, unit="D")).clip(lower=first)
        is_control = (own["arm"] == CONTROL).to_numpy()
        is_called = ~is_control | (
            _by_campaign(world.seed, "called", own) < self._conduct.called_control
        )
        reached = _by_campaign(world.seed, "reached", own) < self._conduct.reach
        dearest = own.groupby("campaign")["contact_cost_eur"].transform("max")
        own = own.assign(
            contact_date=date,
            is_reached=reached,
            offer=np.where(is_control, CONTACT_ONLY, own["arm"]),
            contact_cost_eur=np.where(is_control, dearest, own["contact_cost_eur"]),
        )[is_called & (date <= last) & (date <= own["outcome_date"])]
        planned = [own, self._recorded(rows, campaigns.recorded, first, last, by_hand)]
        parts = [part for part in planned if len(part)] or [own]
        every: pd.DataFrame = pd.concat(parts, ignore_index=True)
        return every

    def _recorded(
        self,
        rows: pd.DataFrame,
        recorded: pd.DataFrame,
        first: pd.Timestamp,
        last: pd.Timestamp,
        by_hand: set[str],
    ) -> pd.DataFrame:
        """Contacts of this month that somebody recorded; the one that says most, of each."""
        if not by_hand:
            return rows.iloc[:0]
        seen = recorded.assign(
            contact_date=pd.to_datetime(recorded["contact_date"]),
            rank=recorded["outcome"].map(_SAYS),
        )
        seen = seen[seen["campaign"].isin(by_hand) & seen["contact_date"].between(first, last)]
        seen = seen.sort_values(["campaign", "customer_id", "rank", "contact_date", "channel"])
        seen = seen.drop_duplicates(["campaign", "customer_id"], keep="last")
        seen = seen.rename(columns={"outcome": "recorded_outcome", "offer": "offer_made"})
        names = ["campaign", "customer_id", "contact_date", "channel", "recorded_outcome"]
        both = rows.drop(columns=["channel", "recorded_outcome"]).merge(
            seen[[*names, "offer_made"]], on=["campaign", "customer_id"]
        )
        arm = np.where(both["arm"] == CONTROL, CONTACT_ONLY, both["arm"])
        made = both["offer_made"].where(
            both["offer_made"].isin(calibration()["response"]["offers"])
        )
        return both.assign(
            offer=made.fillna(pd.Series(arm, index=both.index)),
            is_reached=both["recorded_outcome"] != "not_reached",
            is_recorded=True,
        ).drop(columns="offer_made")

    def _outcomes(
        self, planned: pd.DataFrame, at: Integers, course: Course, costs: ProvinceCosts
    ) -> pd.DataFrame:
        """The calls, with what the customers said: whoever goes on to leave has refused."""
        horizon = calibration()["course"]["horizon_months"]
        start = planned["start"].to_numpy()
        offer = planned["offer"].to_numpy(dtype=object)
        saved, woken = _reactions(course, costs, at, start, offer)
        would_leave = course.leaves[at] <= start + horizon
        refused = np.where(would_leave, ~saved, woken)
        said = np.where(refused, "refused", "accepted")
        said = np.where(offer == CONTACT_ONLY, "reached", said)
        said = np.where(planned["is_reached"].to_numpy(dtype=bool), said, "not_reached")
        is_recorded = planned["is_recorded"].to_numpy(dtype=bool)
        said = np.where(is_recorded, planned["recorded_outcome"].to_numpy(dtype=object), said)
        granted = np.where(said == "accepted", planned["offer_budget_eur"], 0.0)
        # What the CRM calls a call without an offer; what somebody recorded is kept as it is.
        named = np.where((offer == CONTACT_ONLY) & ~is_recorded, "", offer)
        return planned.assign(
            month=self._month,
            outcome=said,
            offer=named,
            cost_eur=(planned["contact_cost_eur"] + granted).round(2),
            contact_date=planned["contact_date"].dt.strftime("%Y-%m-%d"),
        )[list(_COLUMNS)]


def _placed(assignments: pd.DataFrame, world: World, month: int) -> pd.DataFrame:
    """Assignments with the customers' indices and the months that the campaigns start from.

    Raises:
        UsageError: they cannot be those of this company.
    """
    starts = {str(world.as_of(number)): number for number in range(month)}
    rows = assignments.copy()
    for name in ("as_of_date", "contact_from_date", "contact_until_date", "outcome_date"):
        rows[name] = pd.to_datetime(rows[name])
    date = rows["as_of_date"].dt.strftime("%Y-%m-%d")
    # A campaign on scores of a later month has not begun yet.
    rows = rows[(date < str(world.as_of(month))).to_numpy()]
    start = date[rows.index].map(starts)
    index = pd.to_numeric(rows["customer_id"].str[1:], errors="coerce") - 1
    is_foreign = start.isna() | ~index.between(0, world.customer_count(month) - 1)
    if is_foreign.any():
        name = rows.loc[is_foreign, "campaign"].iloc[0]
        raise UsageError(
            f"campaign {name} is not one of the simulated company: {int(is_foreign.sum()):,} of "
            "its customers or as-of dates are unknown; name the home of these files with --home"
        )
    placed: pd.DataFrame = rows.assign(start=start.astype(np.int64), index=index.astype(np.int64))
    return placed


def _by_campaign(seed: int, name: str, rows: pd.DataFrame) -> Floats:
    """A uniform draw for each customer of each campaign."""
    u = np.empty(len(rows))
    for campaign, places in rows.groupby("campaign").indices.items():
        u[places] = uniform(seed, f"{name}:{campaign}", rows["index"].to_numpy()[places])
    return u


def _reaching(calls: pd.DataFrame, index: Integers) -> tuple[Call, ...]:
    """Calls that reached customers of a chunk, by campaign month and offer."""
    if calls.empty:
        return ()
    mine = calls[calls["is_reached"].astype(bool) & calls["index"].isin(index)]
    offer = mine["offer"].where(mine["offer"] != "", CONTACT_ONLY)
    keys = pd.MultiIndex.from_arrays([mine["start"], mine["month"], offer])
    at = np.searchsorted(index, mine["index"].to_numpy(dtype=np.int64))
    codes, groups = pd.factorize(keys, sort=True)
    return tuple(
        Call(at=at[codes == number], month=int(month), start=int(start), offer=str(made))
        for number, (start, month, made) in enumerate(groups)
    )


def _reactions(
    course: Course, costs: ProvinceCosts, at: Integers, start: np.ndarray, offer: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each call keeps a customer who would leave, and drives away one who would stay."""
    saved, woken = np.zeros(len(at), dtype=bool), np.zeros(len(at), dtype=bool)
    for month in np.unique(start).tolist():
        reacts = reaction(course, costs, month)
        for name in np.unique(offer[start == month]).tolist():
            here = (start == month) & (offer == name)
            saved[here] = reacts.saved[name][at[here]]
            woken[here] = reacts.woken[at[here]]
    return saved, woken
