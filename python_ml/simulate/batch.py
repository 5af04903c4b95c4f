"""The raw folder of a data home: simulate into it, or keep what is there when it is the same."""

from __future__ import annotations

from pathlib import Path

from python_ml.engines import open_engine
from python_ml.errors import UsageError
from python_ml.progress import Reporter, silent
from python_ml.settings import Settings
from python_ml.simulate.offers import Campaigns, Conduct
from python_ml.simulate.place import read_marker, simulator_hash
from python_ml.simulate.run import SimulationResult, described, simulate


def simulate_batch(
    settings: Settings, out: Path, *, reuse: bool = False, progress: Reporter = silent
) -> tuple[SimulationResult, bool]:
    """Write a batch by `settings.simulate`; returns what it is and whether it was there already.

    Args:
        out: folder to write to.
        reuse: keep the files that are there if the same settings and the same simulator made them,
            with the months that were appended since.

    Raises:
        UsageError: the folder holds files that no simulation wrote; they stay.
    """
    found = read_marker(out)
    if reuse and found:
        wanted = {**settings.simulate.as_dict(), "simulator_sha256": simulator_hash()}
        made_from = {
            **found["world"],
            "months": found["months_asked"],
            "simulator_sha256": found["simulator_sha256"],
        }
        if all(made_from[name] == value for name, value in wanted.items()):
            return described(out), True
    if not found and out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} holds files that no simulation wrote; name another --out")
    asked = settings.simulate
    result = simulate(
        out,
        customers=asked.customers,
        year=asked.year,
        seed=asked.seed,
        text_signal=asked.text_signal,
        readings=asked.readings,
        months=asked.months,
        threads=settings.threads,
        progress=progress,
    )
    return result, False


def read_campaigns(settings: Settings, conduct: Conduct) -> Campaigns | None:
    """The campaigns of a home; None where none has started, or where the warehouse is elsewhere.

    Args:
        settings: of the home.
        conduct: how well the work of the month is done.
    """
    engine = open_engine(settings)
    if not engine.lies_in_home:
        return None
    with engine.warehouse() as warehouse:
        assignments = warehouse.read_external("campaign_assignment")
        if assignments.empty:
            return None
        recorded = warehouse.read_external("campaign_contact")
        stops = warehouse.read_external("campaign_stop")
    return Campaigns(assignments, recorded, frozenset(stops["campaign"]), conduct)
