"""Bytes, memory and the monthly bill at three sizes: `python -m infra.costs` prints the tables of
docs/costs.md and docs/scaling.md.

Prices are list prices in USD, tax excluded, of region eu-west-1, written down by hand from AWS's
price pages as last known to us (2025); eu-south-2 differs by a few per cent. Before you rely on a
figure, look at the page that `PRICES` names and change the number here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

HOURS, RUNS = 730, 52 / 12  # of a month
PRICES = {
    # name: (USD, unit, page)
    "s3": (0.023, "GB-month", "aws.amazon.com/s3/pricing"),
    "athena": (5.0, "TB scanned", "aws.amazon.com/athena/pricing"),
    "job": (0.257, "hour of ml.m5.xlarge", "aws.amazon.com/sagemaker/pricing"),
    "fargate_vcpu": (0.04048, "vCPU-hour", "aws.amazon.com/fargate/pricing"),
    "fargate_gb": (0.004445, "GB-hour", "aws.amazon.com/fargate/pricing"),
    "endpoint": (0.011, "endpoint-hour in a zone", "aws.amazon.com/privatelink/pricing"),
    "alb": (0.0252, "hour", "aws.amazon.com/elasticloadbalancing/pricing"),
    "rds": (0.035, "hour of db.t4g.small", "aws.amazon.com/rds/postgresql/pricing"),
    "rds_gb": (0.127, "GB-month", "aws.amazon.com/rds/postgresql/pricing"),
    "key": (1.0, "key-month", "aws.amazon.com/kms/pricing"),
    "logs": (0.57, "GB", "aws.amazon.com/cloudwatch/pricing"),
    "alarm": (0.10, "alarm-month", "aws.amazon.com/cloudwatch/pricing"),
    "secret": (0.40, "secret-month", "aws.amazon.com/secrets-manager/pricing"),
    "transition": (0.025 / 1000, "transition", "aws.amazon.com/step-functions/pricing"),
}
SIZES = {"20 thousand": 20_000, "2 million": 2_000_000, "20 million": 20_000_000}
# Measured (docs/scaling.md says how), and taken as proportional.
READINGS = 8784  # of a customer in a leap year
ROUNDED_GB = 19e-6  # a customer's year of readings as Parquet, with three decimals
HOURLY_GB = 80e-6  # the same with every digit of a double; the bill counts these
GOLD_GB = 0.25e-6  # a customer's row of gold_master as Parquet
CORE_ROWS = 6.4e6  # readings that one core adds up in a second
SCORE_GB = (0.45, 1.0e-6)  # memory of scoring: fixed, and of a customer
SCORE_SECONDS = 61e-6  # of a customer, on two cores
MACHINES = {  # memory in GB, of which a job may use four fifths
    "ml.m5.xlarge": 16,
    "ml.m5.2xlarge": 32,
    "ml.m5.4xlarge": 64,
    "ml.r5.4xlarge": 128,
    "ml.r5.8xlarge": 256,
}
OTHER_GB = 0.15 / 20_099  # everything else of a run that is kept
KEPT_RUNS = 26
LANDING_GB_AN_HOUR = 60  # one ml.m5.xlarge: copy from S3, check, sort, copy to S3
JOB_OVERHEAD_HOURS = 0.07  # until a job's container has started, and after it
FIT_HOURS = 0.01 / 20_099  # train, evaluate and score, of a customer
DBT_HOURS = (0.15, 0.05 / 1_000_000)  # a run: fixed, and of a customer (Athena does the work)
DASHBOARD_TB = 0.00001 * 2000  # 2,000 cards a month at Athena's minimum of 10 MB
ENDPOINTS, ZONES, ALARMS, SECRETS, TRANSITIONS = 11, 2, 11, 3, 30


def bill(customers: int) -> dict[str, float]:
    """USD a month by item."""
    price = {name: entry[0] for name, entry in PRICES.items()}
    hourly, other = customers * HOURLY_GB, customers * OTHER_GB
    # A run reads one batch's readings once; the columns of other tables perhaps ten times over.
    scanned = RUNS * (hourly + 10 * other) / 1000 + DASHBOARD_TB
    landing = hourly / LANDING_GB_AN_HOUR + JOB_OVERHEAD_HOURS
    jobs = RUNS * (landing + 7 * JOB_OVERHEAD_HOURS + customers * FIT_HOURS)
    dbt = RUNS * (DBT_HOURS[0] + customers * DBT_HOURS[1])
    return {
        "S3: uploads, landed batch, tables, 26 runs": price["s3"]
        * (2 * hourly + KEPT_RUNS * other + 4 * other),
        "Athena: runs and dashboards": price["athena"] * scanned,
        "SageMaker jobs": price["job"] * jobs,
        "dbt on Fargate": dbt * (price["fargate_vcpu"] + 4 * price["fargate_gb"]),
        "Metabase: Fargate, load balancer, database": HOURS
        * (price["fargate_vcpu"] + 3 * price["fargate_gb"] + price["alb"] + price["rds"])
        + 20 * price["rds_gb"],
        "Interface endpoints": ENDPOINTS * ZONES * HOURS * price["endpoint"],
        "Key, secrets, logs, alarms, state machine": price["key"]
        + 5 * price["logs"]
        + ALARMS * price["alarm"]
        + SECRETS * price["secret"]
        + RUNS * TRANSITIONS * price["transition"],
    }


def size_lines() -> Iterator[str]:
    """The table of docs/scaling.md."""

    def line(what: str, text: Callable[[int], str]) -> str:
        return f"| {what} | {' | '.join(text(customers) for customers in SIZES.values())} |"

    def memory(customers: int) -> float:
        return SCORE_GB[0] + customers * SCORE_GB[1]

    scan = PRICES["athena"][0] / 1000  # USD a GB
    yield f"| Customers | {' | '.join(SIZES)} |"
    yield "| --- |" + " ---: |" * len(SIZES)
    yield line("Readings of a year, million", lambda n: f"{n * READINGS / 1e6:,.0f}")
    yield line(
        "Hourly table of a year, GB: three decimals to every digit",
        lambda n: f"{n * ROUNDED_GB:,.1f} to {n * HOURLY_GB:,.1f}",
    )
    yield line(
        "One month of it, GB",
        lambda n: f"{n * ROUNDED_GB / 12:,.2f} to {n * HOURLY_GB / 12:,.2f}",
    )
    yield line(
        "Reading it once in Athena, USD",
        lambda n: f"{n * ROUNDED_GB * scan:,.2f} to {n * HOURLY_GB * scan:,.2f}",
    )
    yield line(
        "Cores that add it up within 30 minutes",
        lambda n: f"{max(1, math.ceil(n * READINGS / CORE_ROWS / 1800))}",
    )
    yield line("Rows of `bronze_customer_month`, million", lambda n: f"{n * 12 / 1e6:,.2f}")
    yield line("`gold_master` as Parquet, GB", lambda n: f"{n * GOLD_GB:,.2f}")
    yield line("Memory of `score`, GB", lambda n: f"{memory(n):,.1f}")
    yield line("Seconds of `score` on two cores", lambda n: f"{n * SCORE_SECONDS:,.0f}")
    yield line(
        "Smallest SageMaker instance for it",
        lambda n: next(name for name, gb in MACHINES.items() if 0.8 * gb > memory(n)),
    )


def tables() -> Iterator[str]:
    """The two tables of docs/costs.md, as lines."""
    bills = {size: bill(customers) for size, customers in SIZES.items()}
    yield f"| USD a month | {' | '.join(SIZES)} |"
    yield "| --- |" + " ---: |" * len(SIZES)
    for item in bills["20 thousand"]:
        yield f"| {item} | {' | '.join(f'{b[item]:,.0f}' for b in bills.values())} |"
    totals = [sum(b.values()) for b in bills.values()]
    yield f"| **all** | {' | '.join(f'**{total:,.0f}**' for total in totals)} |"
    each = [f"{total / n:,.4f}" for total, n in zip(totals, SIZES.values(), strict=True)]
    yield f"| a customer | {' | '.join(each)} |"
    yield ""
    yield "| Price | USD | of a | page |"
    yield "| --- | ---: | --- | --- |"
    for name, (usd, unit, page) in PRICES.items():
        yield f"| {name} | {usd:g} | {unit} | {page} |"


if __name__ == "__main__":
    print("\n".join([*tables(), "", *size_lines()]))
