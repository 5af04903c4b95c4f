"""Customers of the simulated company react to campaigns as the truth says they would."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from python_ml.contracts.schema import load_source
from python_ml.errors import UsageError
from python_ml.land.discover import assign, list_source
from python_ml.simulate.offers import CALLS, Campaigns, Conduct
from python_ml.simulate.response import TRUTH
from python_ml.simulate.run import append_month, simulate
from tests.unit.simulate.test_simulate import digests

pytestmark = pytest.mark.slow

CUSTOMERS, SEED = 900, 3
ARMS = ("control", "contact_only", "offer_large")
EVERYBODY = Conduct(reach=1.0)
MONTHS = ("2025-01", "2025-02", "2025-03")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("base") / "raw"
    simulate(out, customers=CUSTOMERS, seed=SEED, readings="typical-days")
    return out


@pytest.fixture
def raw(base: Path, tmp_path: Path) -> Path:
    shutil.copytree(base, tmp_path / "raw")
    return tmp_path / "raw"


def assignments(
    as_of: str = "2024-12-31", campaign: str = "first", until: int = 20
) -> pd.DataFrame:
    """A third of the customers in each arm, all to be called within some days."""
    start = pd.Timestamp(as_of)
    return pd.DataFrame(
        {
            "campaign": campaign,
            "customer_id": [f"C{number:05d}" for number in range(1, CUSTOMERS + 1)],
            "arm": [ARMS[number % 3] for number in range(CUSTOMERS)],
            "as_of_date": start.date(),
            "contact_from_date": start.date(),
            "contact_until_date": (start + pd.Timedelta(days=until)).date(),
            "outcome_date": (start + pd.Timedelta(days=90)).date(),
            "contact_cost_eur": [20.0 * (number % 3 > 0) for number in range(CUSTOMERS)],
            "offer_budget_eur": [10.0 * (number % 3 > 1) for number in range(CUSTOMERS)],
        }
    )


def campaigns(
    rows: pd.DataFrame | None = None,
    conduct: Conduct = EVERYBODY,
    recorded: pd.DataFrame | None = None,
) -> Campaigns:
    none = pd.DataFrame(columns=["campaign", "customer_id", "contact_date", "channel", "outcome"])
    recorded = none.assign(offer=None) if recorded is None else recorded
    return Campaigns(assignments() if rows is None else rows, recorded, conduct=conduct)


def labels_of(raw: Path, date: str = "2024-12-31") -> pd.Series:
    labels = pd.read_csv(raw / "churn_label.csv")
    return labels[labels["label_date"] == date].set_index("customer_id")["churn"]


def test_without_campaigns_nothing_changes(raw: Path, tmp_path: Path) -> None:
    shutil.copytree(raw, tmp_path / "other")
    append_month(raw, "2025-01")
    append_month(tmp_path / "other", "2025-01", campaigns=campaigns(assignments().iloc[:0]))
    assert digests(raw) == digests(tmp_path / "other")
    assert not (raw / CALLS).exists() and not (raw / "campaign_contacts.csv").exists()


def test_everybody_does_what_the_truth_says(raw: Path) -> None:
    """All are called, and in time: labels are the outcomes with the offer of their arm."""
    truth = pd.read_parquet(raw / TRUTH)
    for month in MONTHS:
        append_month(raw, month, campaigns=campaigns())
    rows = assignments().set_index("customer_id")["arm"]
    found = labels_of(raw)
    without = truth[truth["offer"] == "contact_only"].set_index("customer_id")["leaves_without"]
    control = rows.index[rows == "control"]
    assert (found[control] == without[control].astype(int)).all()
    for arm in ARMS[1:]:
        with_offer = truth[truth["offer"] == arm].set_index("customer_id")["leaves_with"]
        mine = rows.index[rows == arm]
        assert (found[mine] == with_offer[mine].astype(int)).all()
        assert found[mine].sum() < without[mine].sum(), "the arm keeps somebody"
    contracts = pd.read_csv(raw / "customer_contracts.csv")
    here = set(contracts.loc[contracts["snapshot_date"] == "2025-03-31", "customer_id"])
    assert set(found.index[found == 0]) <= here and not set(found.index[found == 1]) & here


def test_contacts_are_a_raw_table(raw: Path) -> None:
    append_month(raw, "2025-01", campaigns=campaigns(conduct=Conduct(reach=0.7)))
    contacts = pd.read_csv(raw / "campaign_contacts.csv")
    found, _, problems = assign(list_source(raw), load_source("raw"))
    assert not problems and "campaign_contacts" in {table.table.name for table in found}
    rows = assignments().set_index("customer_id")
    assert not contacts.duplicated(["campaign", "customer_id"]).any()
    assert set(rows.loc[contacts["customer_id"], "arm"]) == {"contact_only", "offer_large"}
    assert contacts["contact_date"].between("2024-12-31", "2025-01-31").all()
    reached = contacts["outcome"] != "not_reached"
    assert reached.mean() == pytest.approx(0.7, abs=0.07)
    accepted = contacts["outcome"] == "accepted"
    assert (contacts.loc[accepted, "cost_eur"] == 30).all()
    assert (contacts.loc[~accepted, "cost_eur"] == 20).all()
    before = (raw / "campaign_contacts.csv").read_text(encoding="utf-8")
    append_month(raw, "2025-02", campaigns=campaigns())
    assert (raw / "campaign_contacts.csv").read_text(encoding="utf-8").startswith(before)


def test_the_same_calls_give_the_same_bytes(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(raw, tmp_path / "other")
    rows = assignments(until=50)
    for month in MONTHS:
        append_month(raw, month, campaigns=campaigns(rows))
    monkeypatch.setattr("python_ml.simulate.month.CHUNK_CUSTOMERS", 117)
    for month in MONTHS:
        append_month(tmp_path / "other", month, campaigns=campaigns(rows.sample(frac=1.0)))
    assert digests(raw) == digests(tmp_path / "other")


def test_calls_of_earlier_months_are_kept(raw: Path, tmp_path: Path) -> None:
    """A month without the home still knows who was called before."""
    append_month(raw, "2025-01", campaigns=campaigns())
    shutil.copytree(raw, tmp_path / "other")
    for month in MONTHS[1:]:
        append_month(raw, month, campaigns=campaigns())
        append_month(tmp_path / "other", month)
    assert (labels_of(raw) == labels_of(tmp_path / "other")).all()


def test_a_later_campaign_keeps_the_stated_share(raw: Path) -> None:
    append_month(raw, "2025-01")
    untouched = raw.parent / "untouched"
    shutil.copytree(raw, untouched)
    rows = assignments("2025-01-31", "second")
    for month in ("2025-02", "2025-03", "2025-04"):
        append_month(raw, month, campaigns=campaigns(rows))
        append_month(untouched, month)
    left, with_calls = labels_of(untouched, "2025-01-31"), labels_of(raw, "2025-01-31")
    arm = rows.set_index("customer_id")["arm"].reindex(left.index)
    control = arm == "control"
    assert (left[control] == with_calls[control]).all()
    leaver = left == 1
    kept = 1 - with_calls[leaver].groupby(arm[leaver]).mean()
    assert 0.05 < kept["contact_only"] < kept["offer_large"] < 0.8
    assert set(with_calls.index) == set(left.index)


def test_a_control_group_that_is_called_or_lost(raw: Path) -> None:
    spoilt = Conduct(reach=1.0, called_control=0.3, lost_control=0.25)
    for month in MONTHS:
        append_month(raw, month, campaigns=campaigns(conduct=spoilt))
    arm = assignments().set_index("customer_id")["arm"]
    contacts = pd.read_csv(raw / "campaign_contacts.csv")
    called = set(contacts["customer_id"]) & set(arm.index[arm == "control"])
    assert len(called) / (arm == "control").sum() == pytest.approx(0.3, abs=0.09)
    known = labels_of(raw)
    lost = arm[~arm.index.isin(known.index)]
    assert set(lost) == {"control"}
    assert len(lost) / (arm == "control").sum() == pytest.approx(0.25, abs=0.08)


def test_recorded_contacts_are_what_happened(raw: Path) -> None:
    """Of a campaign whose contacts somebody recorded, nobody else is called."""
    arm = assignments().set_index("customer_id")["arm"]
    spoken = arm.index[arm == "offer_large"][::2]
    recorded = pd.DataFrame(
        {
            "campaign": "first",
            "customer_id": spoken,
            "contact_date": pd.Timestamp("2025-01-05").date(),
            "channel": "phone",
            "outcome": np.where(np.arange(len(spoken)) % 2, "accepted", "not_reached"),
            "offer": None,
        }
    )
    truth = pd.read_parquet(raw / TRUTH)
    truth = truth[truth["offer"] == "offer_large"].set_index("customer_id")
    for month in MONTHS:
        append_month(raw, month, campaigns=campaigns(recorded=recorded))
    assert not (raw / "campaign_contacts.csv").exists(), "they are in the home already"
    found, reached = labels_of(raw), recorded["outcome"].to_numpy() == "accepted"
    with_offer, without = truth["leaves_with"].astype(int), truth["leaves_without"].astype(int)
    assert (found[spoken[reached]] == with_offer[spoken[reached]]).all()
    others = found.index.difference(spoken[reached])
    assert (found[others] == without[others]).all()


def test_campaigns_of_another_company_are_refused(raw: Path) -> None:
    before = digests(raw)
    rows = assignments()
    rows.loc[0, "customer_id"] = "C99999"
    with pytest.raises(UsageError, match="first is not one of the simulated company: 1 of its"):
        append_month(raw, "2025-01", campaigns=campaigns(rows))
    assert digests(raw) == before
