"""The monthly bill at three sizes: `python -m infra.costs` prints the tables of docs/costs.md.

Prices are list prices in USD, tax excluded, of region eu-west-1, written down by hand from AWS's
price pages as last known to us (2025); eu-south-2 differs by a few per cent. Before you rely on a
figure, look at the page that `PRICES` names and change the number here.
"""

from __future__ import annotations

from collections.abc import Iterator

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
    "transition": (0.025 / 1000, "transition", "aws.amazon.com/step-functions/pricing"),
}
SIZES = {"20 thousand": 20_000, "2 million": 2_000_000, "20 million": 20_000_000}
# Measured on 20,099 customers (docs/simulator.md, docs/athena.md), and taken as proportional.
HOURLY_GB = 1.8 / 20_099  # a customer's year of readings as Parquet
OTHER_GB = 0.15 / 20_099  # everything else of a run that is kept
KEPT_RUNS = 26
LANDING_GB_AN_HOUR = 60  # one ml.m5.xlarge: copy from S3, check, sort, copy to S3
JOB_OVERHEAD_HOURS = 0.07  # until a job's container has started, and after it
FIT_HOURS = 0.01 / 20_099  # train, evaluate and score, of a customer
DBT_HOURS = (0.15, 0.05 / 1_000_000)  # a run: fixed, and of a customer (Athena does the work)
DASHBOARD_TB = 0.00001 * 2000  # 2,000 cards a month at Athena's minimum of 10 MB
ENDPOINTS, ZONES, ALARMS, TRANSITIONS = 11, 2, 4, 30


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
        "Key, logs, alarms, state machine": price["key"]
        + 5 * price["logs"]
        + ALARMS * price["alarm"]
        + RUNS * TRANSITIONS * price["transition"],
    }


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
    print("\n".join(tables()))
