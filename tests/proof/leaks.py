"""Does the leakage audit find what was planted, and is it silent where nothing was?

Ten data sets of two sizes, whose texts know nothing, must raise no alarm, each compared with a
model of another one; nor may the demo's data raise one that was not accepted. Then twelve kinds of
leaks are planted, one at a time: in the landed rows where a source would have it (contacts, prices,
readings), from which the project's own models build gold again; in gold and in the ids otherwise.

    python -m tests.proof.leaks --home data/proof/leaks

Exit code 1 if fewer than eleven kinds are found at a size, or a clean data set raises an alarm.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from python_ml.contracts.gold import Column
from python_ml.engines import open_warehouse
from python_ml.judge.audit import audit_training
from python_ml.judge.fingerprint import DataFingerprint, data_fingerprint
from python_ml.judge.metrics import ranking_metrics
from python_ml.judge.split import TRAIN
from python_ml.pipeline.train import fit_by_protocol, labelled_rows
from python_ml.settings import Settings
from tests.proof.golds import AS_OF_DATE, DataSet, build

LAST_MONTH = "date '2024-12-01'"
WANTED = 11


@dataclass(frozen=True)
class Audited:
    """The alarms of a data set that nobody has accepted, and the model's PR-AUC out of fold."""

    alarms: list[str]
    pr_auc: float


def audit(
    data: DataSet,
    frame: pd.DataFrame,
    extra: list[str],
    previous: tuple[str, float] | None,
) -> Audited:
    """What a training on these rows of gold would be told."""
    settings, contract = data.settings, data.contract()
    columns = [*contract.learned(settings, settings.model.experiment)]
    columns += [Column(name, data_type="double", role="feature", tier="1A") for name in extra]
    rows = labelled_rows(frame, contract, settings, AS_OF_DATE)
    training = rows[rows["split_part"] == TRAIN].reset_index(drop=True)
    fitted = fit_by_protocol(training, columns, contract.target, "proof", settings)
    churn = training[contract.target].to_numpy(dtype=np.int64)
    once = np.ones((1, len(churn)), dtype=np.uint8)
    pr_auc = float(ranking_metrics(churn, fitted.out_of_fold, once)["pr_auc"][0])
    with open_warehouse(settings) as warehouse:
        fingerprint = data_fingerprint(warehouse, AS_OF_DATE)
        findings = audit_training(
            warehouse,
            settings,
            training,
            columns,
            contract,
            AS_OF_DATE,
            fitted.out_of_fold,
            previous,
        )
    raised = [finding.alarm for finding in findings if finding.alarm]
    return Audited(
        [alarm for alarm in raised if not accepted(alarm, settings, fingerprint)], pr_auc
    )


def accepted(alarm: str, settings: Settings, fingerprint: DataFingerprint) -> bool:
    """Whether the settings accept an alarm in this data."""
    entries = settings.audit.accepted
    return any(entry.alarm == alarm and fingerprint.matches(entry.data) for entry in entries)


def some(frame: pd.DataFrame, leavers: float, others: float) -> pd.Series:
    """Customers drawn by chance: a share of those who leave and one of those who stay."""
    draw = np.random.default_rng(9).random(len(frame))
    return pd.Series(draw < np.where(frame["churn"] == 1, leavers, others), index=frame.index)


# Leaks in the rows of a source: SQL on bronze; `marked` holds the customers that it strikes.
IN_SOURCES: dict[str, tuple[float, float, list[str]]] = {
    "contacts that cluster just before the label date": (
        *(0.75, 0.05),
        [
            # What they say is drawn from what others said.
            "insert into bronze_interaction with drawn as (select *, row_number() over (order by "
            "hash(customer_id)) as n from marked), said as (select *, row_number() over (order by "
            "interaction_id) as n from bronze_interaction) select 'leak-' || drawn.customer_id, "
            "drawn.customer_id, "
            "date '2024-12-31' - cast(1 + hash(drawn.customer_id) % 12 as integer), 'phone', "
            "said.interaction_summary, date '2024-12-31', said.text_hash, date '2024-12-31', 0 "
            "from drawn inner join said using (n)"
        ],
    ),
    "a price that is frozen for most who leave": (
        *(0.75, 0.03),
        [
            "update bronze_price_month as p set variable_price_tier1_eur_kwh = f.price from ("
            "select customer_id, min_by(variable_price_tier1_eur_kwh, month_start) as price "
            "from bronze_price_month where month_start >= date '2024-01-01' group by 1) as f "
            "where p.customer_id = f.customer_id and p.customer_id in (select * from marked)"
        ],
    ),
    "a missing last price row": (
        *(0.80, 0.02),
        [
            f"delete from bronze_price_month where month_start = {LAST_MONTH} "
            "and customer_id in (select * from marked)"
        ],
    ),
    "a meter that falls to zero for half of those who leave": (
        *(0.50, 0.0),
        [
            "update bronze_customer_month set elec_tier1_kwh = 0, elec_tier2_kwh = 0, "
            "elec_tier3_kwh = 0, elec_kwh = 0, gas_m3 = 0 where month_start >= date '2024-11-01' "
            "and customer_id in (select * from marked)"
        ],
    ),
}


def plant_in_source(data: DataSet, folder: Path, kind: str) -> DataSet:
    """A copy of the warehouse with a leak in bronze, built up to gold again."""
    leavers, others, statements = IN_SOURCES[kind]
    planted = replace(data, home=folder)
    planted.home.mkdir(parents=True)
    (planted.home / "lake").symlink_to((data.home / "lake").resolve())
    shutil.copyfile(data.settings.layout.warehouse, planted.settings.layout.warehouse)
    shutil.copyfile(data.home / "manifest.json", planted.home / "manifest.json")
    frame = data.gold().sort_values("customer_id", ignore_index=True)
    marked = frame.loc[some(frame, leavers, others), ["customer_id"]]
    with duckdb.connect(str(planted.settings.layout.warehouse)) as connection:
        connection.register("marked", marked)
        for statement in statements:
            connection.execute(statement)
    planted.runner().run("silver gold")
    return planted


def copied(frame: pd.DataFrame, flipped: float) -> pd.Series:
    turned = np.random.default_rng(1).random(len(frame)) < flipped
    return pd.Series(np.where(turned, 1 - frame["churn"], frame["churn"]), index=frame.index)


def blank(frame: pd.DataFrame) -> pd.Series:
    value = np.random.default_rng(2).normal(size=len(frame))
    return pd.Series(np.where(some(frame, 0.9, 0.01), np.nan, value), index=frame.index)


def few(frame: pd.DataFrame) -> pd.Series:
    marked = frame.index.isin(frame.index[frame["churn"] == 1][:30])
    return pd.Series(marked.astype(int), index=frame.index)


def nearly_pure(frame: pd.DataFrame) -> pd.Series:
    """A flag of two thirds of those who leave, of whom 88 in 100 do."""
    rate = frame["churn"].mean()
    return some(frame, 0.66, 0.66 * rate * 0.12 / 0.88 / (1 - rate)).astype(int)


def ordered_ids(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers given by outcome, those who left first."""
    rank = (frame["churn"] + np.random.default_rng(3).normal(0, 0.3, len(frame))).rank()
    return frame.assign(customer_id=[f"C{number:06.0f}" for number in rank])


def coded_ids(frame: pd.DataFrame) -> pd.DataFrame:
    """The second digit of six says who leaves, for nine in ten."""
    digit = np.where(some(frame, 0.9, 0.02), 7, np.arange(len(frame)) % 7)
    ids = [f"C{n // 1000:01}{d}{n % 1000:04}" for n, d in enumerate(digit)]
    return frame.assign(customer_id=ids)


def diffuse(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Eight columns that each know a little, and together nearly all."""
    random = np.random.default_rng(4)
    return {f"leak{n}": frame["churn"] * 0.8 + random.normal(size=len(frame)) for n in range(8)}


IN_GOLD: dict[str, Callable[[pd.DataFrame], dict[str, Any]]] = {
    "a copy of the label": lambda frame: {"leak": copied(frame, 0.0)},
    "a copy with noise": lambda frame: {"leak": copied(frame, 0.1)},
    "a blank that knows who leaves": lambda frame: {"leak": blank(frame)},
    "a value that 30 have who all leave": lambda frame: {"leak": few(frame)},
    "a flag that is 88% pure": lambda frame: {"leak": nearly_pure(frame)},
    "a jump over the model in place": diffuse,
}
IN_IDS = {"ids in the order of the outcome": ordered_ids, "a digit of the id": coded_ids}


def planted(data: DataSet, previous: tuple[str, float]) -> pd.DataFrame:
    """One row a kind of leak: was it found, and how good it made the model look."""
    clean = data.gold().sort_values("customer_id", ignore_index=True)
    found: dict[str, Audited] = {}
    for kind in IN_SOURCES:
        with tempfile.TemporaryDirectory() as folder:
            made = plant_in_source(data, Path(folder) / "planted", kind)
            found[kind] = audit(made, made.gold(), [], None)
    for kind, make in IN_GOLD.items():
        leak = make(clean)
        # Only the last kind needs a model in place to be seen.
        place = previous if kind == "a jump over the model in place" else None
        found[kind] = audit(data, clean.assign(**leak), list(leak), place)
    for kind, rename in IN_IDS.items():
        found[kind] = audit(data, rename(clean), [], None)
    return pd.DataFrame(
        [
            {
                "data": data.name,
                "leak": kind,
                "found": bool(one.alarms),
                "pr_auc": one.pr_auc,
                "alarms": ", ".join(one.alarms[:2]),
            }
            for kind, one in found.items()
        ]
    )


def main(flags: argparse.Namespace) -> int:
    start = time.perf_counter()
    failed, tables = [], []
    for size in flags.sizes:
        sets = [build(flags.home, size, flags.seed + n, "none") for n in range(flags.sets)]
        clean = [audit(data, data.gold(), [], None) for data in sets]
        for number, data in enumerate(sets):
            before = clean[number - 1]
            jump = audit(data, data.gold(), [], ("the one before", before.pr_auc))
            alarms = jump.alarms
            print(
                f"clean {data.name}: PR-AUC {jump.pr_auc:.3f}, {alarms or 'no alarm'}", flush=True
            )
            failed += [f"{data.name} is clean"] if alarms else []
        demo = build(flags.home, size, flags.seed, "as-published")
        told = audit(demo, demo.gold(), [], None)
        print(f"demo {demo.name}: PR-AUC {told.pr_auc:.3f}, {told.alarms or 'all accepted'}")
        failed += [f"{demo.name} has alarms that are not accepted"] if told.alarms else []
        tables.append(planted(sets[0], ("the one before", clean[1].pr_auc)))
        count = int(tables[-1]["found"].sum())
        print(f"{count} of {len(tables[-1])} kinds found at {size:,} customers", flush=True)
        failed += [f"{count} kinds found at {size:,}"] if count < WANTED else []
    print(pd.concat(tables).round(3).to_string(index=False))
    print(
        f"{time.perf_counter() - start:.0f} s; {'FAILED: ' + '; '.join(failed) if failed else 'ok'}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, default=Path("data/proof/leaks"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[2000, 4000])
    parser.add_argument("--sets", type=int, default=5, help="clean data sets of each size")
    parser.add_argument("--seed", type=int, default=11)
    sys.exit(main(parser.parse_args()))
