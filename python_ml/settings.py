"""Typed settings, validated once, and where each thing lies under the data home.

One class a section; the classes hold the defaults, the limits and the words of docs/settings.md,
which `make settings-page` writes. `load_settings` reads flags, variables and a file.
"""

from __future__ import annotations

import difflib
import os
import tomllib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from typing_extensions import override

from python_ml.errors import UsageError

PACKAGE_DIR = Path(__file__).resolve().parent
PROJECT_DIR = PACKAGE_DIR.parent
ASSETS = PACKAGE_DIR / "pages" / "assets"  # what pages are made with, no data
PAGE = "docs/settings.md"
ENV_PREFIX = "SPANISHGAS_"
# What the environment holds under the prefix that is no setting: the file that has them, what a
# container is told, and secrets, which no file holds. Any other name is a mistake.
NOT_SETTINGS = frozenset(
    {
        *("SETTINGS", "RUN_ID", "GIT_SHA"),
        *("METABASE_API_KEY", "METABASE_EMAIL", "METABASE_PASSWORD"),
        *("METABASE_AWS_ACCESS_KEY_ID", "METABASE_AWS_SECRET_ACCESS_KEY"),
        *("MARTS_PASSWORD", "MARTS_READER_PASSWORD"),
    }
)
_NULLS = ("", "null", "~")  # in a variable: a text that may be left out is
UMASKS = {"owner": 0o077, "group": 0o027, "everyone": 0o022}

Share = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(gt=0, lt=1)]  # neither none nor all
Amount = Annotated[float, Field(ge=0)]
PositiveAmount = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
PositiveCount = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=1, le=65535)]
Text = Annotated[str, Field(min_length=1)]
Address = Annotated[str, Field(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+$")]


@cache
def pyproject() -> dict[str, Any]:
    """pyproject.toml; images hold the file, but no installed package."""
    return tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text(encoding="utf-8"))


class Section(BaseModel):
    """A part of the settings. It cannot be changed; unknown names and other kinds are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def as_dict(self) -> dict[str, object]:
        """The values as plain dictionaries, lists, numbers and texts."""
        return self.model_dump()


with warnings.catch_warnings():
    # `schema` is the field's word; the method of pydantic that it hides is long deprecated.
    warnings.filterwarnings("ignore", message='Field name "schema"')

    class AthenaSettings(Section):
        """The target `athena`. Credentials come from the usual chain of AWS."""

        region: Text = Field("eu-south-2", description="AWS region of every service used.")
        work_group: Text = Field("spanishgas", description="Athena workgroup that queries run in.")
        schema: Text = Field(  # type: ignore[assignment]
            "spanishgas",
            description="Glue database of what dbt builds. Landed data is in `<schema>_raw`, what "
            "python_ml writes in `<schema>_ml`.",
        )
        lake: Text = Field(
            "s3://spanishgas-lake",
            description="Bucket or prefix of landed data and python_ml's outputs.",
        )
        data: Text = Field(
            "s3://spanishgas-warehouse",
            description="Bucket or prefix of what dbt builds, and nothing else: dbt empties it.",
        )
        staging: Text = Field(
            "s3://spanishgas-staging",
            description="Bucket or prefix of query results, and of what machines of a job hand to "
            "each other; both may expire after a day.",
        )
        threads: PositiveCount = Field(
            4, description="Threads of dbt: it waits for Athena, not for this machine."
        )
        poll_seconds: PositiveAmount = Field(
            1.0, description="Seconds between two questions whether a query is done."
        )
        usd_per_terabyte: Amount = Field(
            5.0,
            description="Price of a scanned terabyte, by region: "
            "https://aws.amazon.com/athena/pricing/.",
        )
        runs_table: Text = Field(
            "spanishgas-runs", description="DynamoDB table of runs and the lease (docs/runs.md)."
        )
        log_groups: str | None = Field(
            None,
            description="Prefix of the environment's log groups in CloudWatch, such as "
            "`/sg-prod/`, which `forget` searches; without one, it searches no logs.",
        )
        model_package_group: str | None = Field(
            None,
            description="Group of SageMaker's Model Registry in which each version is registered; "
            "without one, none is.",
        )

    class MartsSettings(Section):
        """The Postgres that `spanishgas dashboards publish-marts` loads, as this machine sees it.

        The password is the variable SPANISHGAS_MARTS_PASSWORD.
        """

        host: Text = Field("localhost", description="Host of Postgres.")
        port: Port = Field(5433, description="Port of Postgres.")
        dbname: Text = Field("marts", description="Database that holds the marts.")
        user: Text = Field("marts_writer", description="Role that loads the marts.")
        schema: Text = Field(  # type: ignore[assignment]
            "marts", description="Schema that the marts are loaded into."
        )
        reader: Text = Field("marts_reader", description="Role that is granted the right to read.")


class DoctorSettings(Section):
    """What `spanishgas doctor` requires of this machine."""

    minimum_free_disk_gb: Amount = Field(
        5.0, description="Free disk required, in GB. A full-size run takes about that."
    )
    python_memory_gb: Amount = Field(
        1.0, description="Memory required beside DuckDB's `memory_limit`, in GB."
    )


class PostgresConnection(Section):
    """How Metabase reaches the Postgres that holds the marts."""

    host: Text = Field("postgres", description="Host of Postgres, as Metabase reaches it.")
    port: Port = Field(5432, description="Port of Postgres, as Metabase reaches it.")
    dbname: Text = Field("marts", description="Database that holds the marts.")
    user: Text = Field("marts_reader", description="Role that Metabase reads with.")
    ssl: bool = Field(False, description="Whether the connection is encrypted.")


class Recipients(Section):
    """E-mail addresses that Metabase mails to (infra/metabase/subscriptions.yml), by audience.

    An audience without an address gets no mail.
    """

    retention_manager: Sequence[Address] = Field([], description="Gets Overview every week.")
    analyst: Sequence[Address] = Field([], description="Gets Customer Risk every week.")
    data_scientist: Sequence[Address] = Field([], description="Gets Drift Monitor every week.")
    on_call: Sequence[Address] = Field(
        [], description="Gets Pipeline Status every week, and alarms on every day that has some."
    )

    def of(self, audience: str) -> list[str]:
        """The addresses of an audience, each once, in order."""
        return sorted(set(getattr(self, audience)))


class MetabaseSettings(Section):
    """The Metabase server that `spanishgas dashboards` keeps in step.

    Secrets come from the environment alone (docs/dashboards.md).
    """

    url: Text = Field("http://localhost:3000", description="Address of the server.")
    instance: Text = Field(
        "main", description="Name that tells several sets of dashboards on one server apart."
    )
    collection: Text = Field(
        "SpanishGas",
        description="Collection that holds everything managed; nothing outside it is changed.",
    )
    viewer_group: Text = Field(
        "SpanishGas viewers", description="Group that may see the dashboards."
    )
    analyst_group: Text = Field(
        "SpanishGas analysts",
        description="Group that may also explore the marts with the query builder, without SQL.",
    )
    database: Text = Field(
        "SpanishGas", description="Name of the connection to the marts, as Metabase lists it."
    )
    engine: Literal["postgres", "athena"] = Field(
        "postgres",
        description="Where Metabase reads the marts: `postgres` (loaded by `publish-marts`) or "
        "`athena` (the section `athena`).",
    )
    postgres: PostgresConnection = Field(
        PostgresConnection(), description="The connection if `engine` is `postgres`."
    )
    recipients: Recipients = Field(Recipients(), description="Who gets mail from the server.")
    timeout_seconds: PositiveAmount = Field(
        120.0, description="Longest wait for an answer of the server, in seconds."
    )
    attempts: PositiveCount = Field(6, description="Attempts at a request before giving up.")


class RunsSettings(Section):
    """Lease, records and retention of runs (docs/runs.md)."""

    lease_seconds: PositiveCount = Field(
        300, description="Length of a lease in seconds. It is renewed three times in this time."
    )
    started_by: str | None = Field(
        None,
        description="Who is recorded as having started a run. Default: the user of the system.",
    )
    keep_runs: PositiveCount = Field(
        26,
        description="Number of newest runs whose parts, snapshots, rejected rows and reports are "
        "kept. Scores and their outcomes are kept for good.",
    )
    keep_records: PositiveCount = Field(
        520, description="Number of newest runs that stay on record."
    )


class SimulateSettings(Section):
    """What `spanishgas simulate` writes (docs/simulator.md)."""

    customers: PositiveCount = Field(20099, description="Number of customers.")
    year: PositiveCount = Field(
        2024, description="Calendar year observed; the as-of date is its 31 December."
    )
    seed: Count = Field(42, description="Seed of the random numbers.")
    text_signal: Literal["as-published", "weak", "none"] = Field(
        "as-published", description="How much the interaction texts know of the outcome."
    )
    readings: Literal["all-hours", "typical-days"] = Field(
        "all-hours",
        description="Hourly readings: every hour, or 48 readings that stand for a month.",
    )
    months: Count = Field(
        0, description="Months simulated after the year, each as a company delivers it."
    )


class LandSettings(Section):
    """Limits of a raw batch (docs/landing.md). A batch that breaks one is refused."""

    mapping: str | None = Field(
        None,
        description="File, here or `s3://`, that says what files and columns of your own stand "
        "for (docs/own-files.md).",
    )
    maximum_null_share: Share = Field(
        0.80, description="Largest share of missing values in a required column."
    )
    maximum_rejected_share: Share = Field(
        0.20, description="Largest share of rows with a wrong value in one table."
    )
    maximum_implausible_share: Share = Field(
        0.01,
        description="Largest share of the customers, or of the energy, whose figures contradict "
        "each other (energy and contracted power, activation and readings, price and cost).",
    )
    maximum_load_home: PositiveAmount = Field(
        2.0, description="Largest mean load of a home, in multiples of its contracted power."
    )
    maximum_load_firm: PositiveAmount = Field(
        20.0, description="Largest mean load of a firm, in multiples of its contracted power."
    )
    maximum_price_to_cost: PositiveAmount = Field(
        10.0,
        description="Largest ratio of a customer's price to the cost of the province, and of the "
        "cost to the price.",
    )
    maximum_label_loss: Share = Field(
        0.05,
        description="Largest share of one side of the label (left or stayed) that may be "
        "rejected beyond that of the other, and of unreadable labels to the smaller side.",
    )
    maximum_expansion: PositiveCount = Field(
        200,
        description="How many times its own size a gzip, Parquet or Excel file may hold. Files "
        "that hold at most `expansion_allowed_gb` are exempt.",
    )
    expansion_allowed_gb: Amount = Field(
        1.0, description="Size up to which `maximum_expansion` is not applied, in GB."
    )
    maximum_columns: PositiveCount = Field(1000, description="Largest number of columns of a file.")
    maximum_header_mb: PositiveAmount = Field(
        1.0, description="Longest first line of a CSV file, in MB."
    )
    maximum_record_mb: PositiveAmount = Field(
        64.0,
        description="Longest record of a JSON file, in MB. Some longer ones are read, too.",
    )
    link_files: bool = Field(
        True,
        description="Whether raw files that conform are hard-linked into the lake instead of "
        "copied.",
    )


class QualitySettings(Section):
    """Quality gates after raw, bronze, silver and gold (docs/quality.md)."""

    rules: str | None = Field(
        None, description="File of limits used instead of `python_ml/quality.yml`."
    )
    accepted: Sequence[str] = Field(
        [], description="Failed checks that stop no run, by the name that the message gives."
    )
    check_clock: bool = Field(
        False, description="Whether the as-of date must also be near today's date."
    )
    data_docs: bool = Field(
        True, description="Whether pages are written under `reports/data_docs/<run_id>`."
    )


class SentimentSettings(Section):
    """How the sentiment of texts is read."""

    backend: Literal["vader", "transformer", "none"] = Field(
        "vader",
        description="Lexicon (`vader`), language model (`transformer`, an extra to install) or no "
        "sentiment at all.",
    )


class XgboostParameters(Section):
    """Parameters of XGBoost's trees. Those left out have XGBoost's own default.

    Objective, class weight, random seed and threads are the protocol's and cannot be set. Of a
    parameter that has two names, one is known.
    """

    n_estimators: PositiveCount | None = Field(None, description="Number of trees.")
    learning_rate: PositiveAmount | None = Field(None, description="Weight of each new tree.")
    max_depth: Count | None = Field(None, description="Largest depth of a tree; 0 is no limit.")
    max_leaves: Count | None = Field(
        None, description="Largest number of leaves of a tree; 0 is no limit."
    )
    grow_policy: Literal["depthwise", "lossguide"] | None = Field(
        None, description="Whether trees grow level by level or where the loss falls most."
    )
    max_bin: Annotated[int, Field(ge=2)] | None = Field(
        None, description="Largest number of bins that a column is cut into."
    )
    num_parallel_tree: PositiveCount | None = Field(
        None, description="Number of trees grown in each round."
    )
    max_cat_to_onehot: Count | None = Field(
        None, description="Number of categories below which splits are one against the rest."
    )
    max_cat_threshold: Count | None = Field(
        None, description="Largest number of categories considered in one split."
    )
    gamma: Amount | None = Field(None, description="Smallest fall of the loss that makes a split.")
    min_child_weight: Amount | None = Field(
        None, description="Smallest sum of weights (hessian) in a leaf."
    )
    max_delta_step: Amount | None = Field(
        None, description="Largest step of a leaf's value; 0 is no limit."
    )
    subsample: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Share of rows drawn for each tree."
    )
    colsample_bytree: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Share of columns drawn for each tree."
    )
    colsample_bylevel: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Share of columns drawn for each level of a tree."
    )
    colsample_bynode: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Share of columns drawn for each split."
    )
    reg_lambda: Amount | None = Field(None, description="L2 penalty of the leaves' values.")
    reg_alpha: Amount | None = Field(None, description="L1 penalty of the leaves' values.")

    @model_serializer(mode="wrap")
    def _those_that_are_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """XGBoost must not be handed a None."""
        return {name: value for name, value in handler(self).items() if value is not None}


class AdditiveSettings(Section):
    """Smooth terms that the trees are blended with (docs/model.md)."""

    knots: Annotated[int, Field(ge=0)] = Field(
        8, description="Knots of each spline, at quantiles of its column; 0 leaves trees alone."
    )
    penalty: PositiveAmount = Field(
        20.0, description="Weight of the squared coefficients against the log-likelihood."
    )
    minimum_tree_weight: Share = Field(
        0.5,
        description="Least weight of the trees; how much more they get is learned out of fold.",
    )


class TrainingDatesSettings(Section):
    """As-of dates that a model learns from (docs/model.md)."""

    maximum_count: PositiveCount = Field(
        4,
        description="Most as-of dates that a model learns from, the newest with matured labels "
        "first; 1 leaves the newest alone.",
    )
    months_apart: PositiveCount = Field(
        3,
        description="Least number of months between two of them. Horizons of labels never overlap, "
        "whatever the number.",
    )


class ModelSettings(Section):
    """Training of the model (docs/model.md)."""

    experiment: Text = Field("E5_full", description="Entry of `experiments` that is trained.")
    fallback_experiment: Text = Field(
        "E8_no_sentiment",
        description="Entry of `experiments` that is trained when there is no sentiment.",
    )
    seed: Count = Field(42, description="Seed of splits, folds and trees.")
    test_share: Fraction = Field(0.20, description="Share of customers in the test set.")
    folds: Annotated[int, Field(ge=2)] = Field(5, description="Number of cross-validation folds.")
    maximum_customer_count: PositiveCount = Field(
        250_000,
        description="Customers that a training learns from and is tested on, and that drift "
        "compares. Of more, a random sample of about so many is used, and said to be one.",
    )
    training_dates: TrainingDatesSettings = Field(
        TrainingDatesSettings(), description="As-of dates that the model learns from."
    )
    minimum_recall: Share = Field(
        0.70, description="Recall that the threshold must reach; the most precise one is chosen."
    )
    category_encoding: Literal["one_hot", "native"] = Field(
        "one_hot",
        description="How categories reach the trees: one column each, or XGBoost's own way.",
    )
    xgboost: XgboostParameters = Field(
        XgboostParameters(
            n_estimators=150, learning_rate=0.1, max_depth=3, subsample=0.8, colsample_bytree=0.7
        ),
        description="Parameters of the model's trees; any of them can be added.",
    )
    additive: AdditiveSettings = Field(
        AdditiveSettings(), description="Smooth terms that the trees are blended with."
    )
    excluded_features: Sequence[str] = Field(
        # They move with the season and make no scores of later months better (docs/model.md).
        ["elec_price_volatility_12m", "province_elec_cost_trend", "rolling_margin_trend"],
        description="Features that the model does not learn from, whatever the experiment.",
    )


class EvaluateSettings(Section):
    """Measurement on the test set (docs/model.md)."""

    bootstrap_count: PositiveCount = Field(
        1000, description="Number of bootstrap samples behind each interval."
    )
    confidence: Fraction = Field(0.95, description="Confidence level of the intervals.")
    calibration_bins: PositiveCount = Field(
        10, description="Number of bins of the calibration error."
    )
    segments: Sequence[str] = Field(
        ["segment", "sales_channel", "is_dual_fuel", "is_high_competition_province"],
        description="Columns whose groups of customers are measured one by one.",
    )


class BacktestSettings(Section):
    """Training on the past and testing on a later as-of date."""

    minimum_churner_count: Count = Field(
        50,
        description="Churned customers that an as-of date needs to be trained or tested on. `run` "
        "trains on an older date if that has as many.",
    )


class RandomForestParameters(Section):
    """Parameters of scikit-learn's random forest."""

    n_estimators: PositiveCount = Field(200, description="Number of trees.")
    min_samples_leaf: PositiveCount = Field(1, description="Smallest number of rows in a leaf.")


class LogisticRegressionParameters(Section):
    """Parameters of scikit-learn's logistic regression, on standardised columns."""

    class_weight: Literal["balanced"] | None = Field(
        "balanced", description="Whether both classes weigh the same."
    )
    max_iter: PositiveCount = Field(500, description="Largest number of iterations.")


class LadderSettings(Section):
    """Peers of the champion in `spanishgas ladder`. They are not tuned (docs/model.md)."""

    xgboost: XgboostParameters = Field(
        # depth, rate and trees are those of the published ladder
        XgboostParameters(
            n_estimators=600, learning_rate=0.05, max_depth=5, subsample=0.8, colsample_bytree=0.7
        ),
        description="Parameters of the trees; any of them can be added.",
    )
    random_forest: RandomForestParameters = Field(
        RandomForestParameters(), description="Parameters of the random forest."
    )
    logistic_regression: LogisticRegressionParameters = Field(
        LogisticRegressionParameters(), description="Parameters of the logistic regression."
    )


class GateSettings(Section):
    """What a candidate must reach to become the champion (docs/model.md)."""

    minimum_pr_auc: Share = Field(0.70, description="Lowest PR-AUC (average precision).")
    minimum_pr_auc_of_fallback: Share = Field(
        0.60, description="Lowest PR-AUC of a model without sentiment."
    )
    minimum_recall: Share = Field(0.65, description="Lowest recall.")
    maximum_ece: Share = Field(
        0.03,
        description="Largest calibration error, or what exact probabilities reach by chance if "
        "that is more.",
    )
    minimum_churner_count: Count = Field(
        100,
        description="Churned customers in the test set below which intervals instead of values are "
        "compared with the limits.",
    )
    approval: Literal["automatic", "manual"] = Field(
        "automatic",
        description="Whether a model that passes is promoted at once or by a person.",
    )
    minimum_pr_auc_lift: Amount = Field(
        2.0, description="Lowest PR-AUC as a multiple of the share that churned."
    )
    benchmark_experiment: Text = Field(
        "E0_baseline",
        description="Entry of `experiments` that the benchmark, a logistic regression on smooth "
        "terms, learns from.",
    )
    minimum_benchmark_gain: Annotated[float, Field(ge=-1, le=1)] = Field(
        0.0,
        description="Lowest lower end of the paired interval of the PR-AUC over the benchmark's.",
    )
    noninferiority_confidence: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        0.95,
        description="Share of candidates as good as the champion that pass the comparison with it, "
        "and of those worse by the margin that fail.",
    )
    minimum_margin: Amount = Field(
        0.01,
        description="Smallest margin of the PR-AUC against the champion. A larger one is used "
        "where the test set cannot resolve it.",
    )
    noticed_loss: Amount = Field(
        0.03, description="Loss of PR-AUC that must be noticed; the gate says where it may not be."
    )
    maximum_segment_pr_auc_fall: Share = Field(
        0.05,
        description="Largest fall of the PR-AUC in a group of `evaluate.segments`; counted where "
        "the whole paired interval lies beyond it.",
    )
    maximum_segment_recall_fall: Share = Field(
        0.10, description="Largest fall of the recall in such a group; counted the same way."
    )
    minimum_segment_churners: Count = Field(
        30, description="Churned customers in the test set that a group needs to be compared."
    )
    minimum_direction_share: Share = Field(
        0.95,
        description="Lowest share of customers whose score does not fall when renewal is nearer, "
        "tenure is shorter or a complaint was made.",
    )
    direction_customers: PositiveCount = Field(
        1000, description="Number of customers on whom these directions are tried."
    )


class DriftSettings(Section):
    """When data or scores count as drifted (docs/drift.md)."""

    maximum_p_value: Share = Field(
        0.01, description="Largest p value, adjusted for all subjects (Benjamini–Hochberg)."
    )
    minimum_distance: Share = Field(
        0.05, description="Smallest Kolmogorov–Smirnov distance of numbers, scores and labels."
    )
    minimum_odds_ratio: float = Field(
        1.5,
        gt=1,
        description="Smallest change, as an odds ratio, of a flag or a level of a category that "
        "raises an alarm, however small its share.",
    )
    minimum_missing_change: Share = Field(
        0.02, description="Smallest change of a feature's share of missing values, as a share."
    )
    minimum_dependence: Share = Field(
        0.05,
        description="Smallest 2 AUC − 1 of a classifier that tells the samples apart by all "
        "features together.",
    )
    dependence_customers: PositiveCount = Field(
        4000, description="Customers of each sample that this classifier uses, at most."
    )
    watch_psi: Amount = Field(
        0.10, description="Population stability index from which categories are watched."
    )
    alarm_psi: Amount = Field(
        0.20, description="Population stability index from which categories raise an alarm."
    )


class MonitorSettings(Section):
    """What is assumed of the variation between as-of dates until enough labels have matured
    (docs/model.md)."""

    prior_dates: Annotated[float, Field(gt=2)] = Field(
        6.0, description="Number of as-of dates that the assumption counts as."
    )
    slope_sd: Amount = Field(
        0.07, description="Standard deviation of the calibration slope between dates."
    )
    level_sd: Amount = Field(
        0.1,
        description="Standard deviation of the calibration's level between dates, in log-odds: "
        "with 0.1, churn is a few percent off on most dates, and a fifth at worst.",
    )


class AlertsSettings(Section):
    """Alerts of drift, outcomes, quality and failed runs. A failing sink does not break a run."""

    sinks: Sequence[str] = Field(
        ["log", "file"],
        description="Where alerts go: `log`, `file`, `webhook`, `sns`, `cloudwatch`.",
    )
    webhook_url: str | None = Field(None, description="Address that `webhook` posts to.")
    sns_topic_arn: str | None = Field(None, description="Topic that `sns` publishes to.")
    cloudwatch_namespace: Text = Field(
        "SpanishGas", description="Namespace of the metrics of `cloudwatch`."
    )
    timeout_seconds: PositiveAmount = Field(5.0, description="Longest wait for a sink, in seconds.")


def _iso(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value  # YAML reads dates as such


class Acceptance(Section):
    """An alarm of the leakage audit that somebody has looked into and accepts."""

    model_config = ConfigDict(str_strip_whitespace=True)

    alarm: Text = Field(description="Full name of the alarm; no pattern.")
    data: Annotated[str, Field(pattern=r"^(simulated|[0-9a-f]{5}(-[0-9a-f]{5})*)$")] = Field(
        description="Fingerprint of the data that it is accepted for, as the audit's message "
        "states it; `simulated` for what `spanishgas simulate` writes."
    )
    reason: Text = Field(description="Why it is accepted.")
    author: Text = Field(description="Who accepts it.")
    date: Annotated[str, BeforeValidator(_iso), Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] = Field(
        description="When, as YYYY-MM-DD."
    )


_BESIDE = "Headline figures stand beside those without text."
# Known of the texts that the simulator imitates, and of when its customers write (docs/model.md).
_KNOWN_ALARMS = {
    "pure_churn:customer_intent=Complaint / Escalation": "As published, 97.8 % of those who "
    "complained left: the notes were written knowing it.",
    "pure_churn:is_complaint_intent=1": "Same customers as customer_intent, Complaint / "
    "Escalation.",
    "pure_churn:intent_severity_score=2": "Same customers as customer_intent, Complaint / "
    "Escalation.",
    "pure_churn:recent_complaint_flag=1": "Complaints again, with the few cancellations.",
    "pure_churn:complaint_near_renewal=1": "Complaints again, of customers close to renewal.",
    "pure_churn:dual_fuel_x_intent=1": "Complaints again, of customers with gas.",
    "pure_churn:sentiment_label=negative": "As published: leavers' notes sound negative, nearly "
    "nobody else's do.",
    "pure_churn:is_negative_sentiment=1": "Same customers as sentiment_label, negative.",
    "pure_churn:complaint_x_negative_sentiment=1": "As published, all who complained in a negative "
    "tone left.",
    "too_good:sentiment_label": "The same, in batches of a few hundred customers, where one column "
    "reaches the limit of PR-AUC.",
    "too_good:is_negative_sentiment": "Same customers as sentiment_label, negative.",
    "pure_stay:sentiment_label=positive": "The other end of the same: notes that sound positive "
    "are of customers who stayed.",
    "pure_churn:contact_count=1": "After months of simulation: customers who get in touch do so "
    "every quarter, and most of those with a single note wrote it because they leave.",
    "too_good:contact_count": "Same customers as contact_count, 1.",
}


class AuditSettings(Section):
    """The leakage audit, on the training set (docs/model.md)."""

    maximum_feature_auc: Share = Field(0.85, description="Largest ROC-AUC of one feature alone.")
    maximum_feature_pr_auc: Share = Field(0.55, description="Largest PR-AUC of one feature alone.")
    maximum_trace_auc: Share = Field(
        0.70,
        description="Largest ROC-AUC of one trace alone: when the last contact, price or reading "
        "was, how many there are, what is blank (`silver_customer_trace`).",
    )
    maximum_trace_pr_auc: Share = Field(0.40, description="Largest PR-AUC of one trace alone.")
    maximum_pr_auc_jump: Share = Field(
        0.03,
        description="Largest rise of the out-of-fold PR-AUC over the champion's that chance does "
        "not explain.",
    )
    maximum_model_auc: Share = Field(
        0.98,
        description="Largest out-of-fold ROC-AUC of all features: nobody knows people so well.",
    )
    maximum_identifier_auc: Share = Field(
        0.60,
        description="Largest ROC-AUC of a part of the customer id, by the lower end of its "
        "interval.",
    )
    maximum_churn_share: Share = Field(
        0.95,
        description="Largest share of churned customers among those who share a value, if they are "
        "more than `minimum_group_size`.",
    )
    maximum_common_churn_share: Share = Field(
        0.60,
        description="Largest churn share, by the lower end of its interval, of a group that holds "
        "at least `common_share_of_churners`.",
    )
    maximum_trace_share: Share = Field(
        0.40, description="The same for groups of customers who share a trace."
    )
    common_share_of_churners: Share = Field(
        0.10,
        description="Share of all churned customers that a group must hold for these two limits.",
    )
    minimum_group_size: Count = Field(
        20, description="Customers that a group needs for `maximum_churn_share`."
    )
    minimum_relative_churn: Amount = Field(
        0.01,
        description="Lowest churn of a group relative to the mean, if at least "
        "`minimum_expected_churn` customers would be expected to churn.",
    )
    minimum_expected_churn: Count = Field(
        # Even of a group with a tenth of the usual churn, nobody churns by chance once in 20,000.
        # Of 30 one did: a month to renewal, of 200,990 customers.
        100,
        description="Expected churned customers that a group needs for `minimum_relative_churn`.",
    )
    ablation: XgboostParameters = Field(
        XgboostParameters(n_estimators=60, learning_rate=0.2),
        description="Parameters of the quick trees that measure each tier; any can be added.",
    )
    accepted: Sequence[Acceptance] = Field(
        [
            Acceptance(
                alarm=alarm,
                data="simulated",
                reason=f"{reason} {_BESIDE}",
                author="SpanishGas model owner",
                date="2026-11-23",
            )
            for alarm, reason in _KNOWN_ALARMS.items()
        ],
        description="Alarms that somebody has looked into, one by one, and the data that each is "
        "accepted for. The default entries hold for simulated data alone.",
    )

    @field_validator("accepted")
    @classmethod
    def _one_entry_an_alarm(cls, entries: Sequence[Acceptance]) -> Sequence[Acceptance]:
        names = [(entry.alarm, entry.data) for entry in entries]
        for name in names:
            if "*" in name[0] or names.count(name) > 1:
                raise ValueError(
                    f"{name[0]!r}: one entry for each alarm and data, by its full name"
                )
        return entries


@dataclass(frozen=True)
class Layout:
    """Paths under one data home."""

    home: Path

    @cached_property
    def raw(self) -> Path:
        return self.home / "raw"

    @cached_property
    def lake(self) -> Path:
        return self.home / "lake"

    @cached_property
    def batches(self) -> Path:
        return self.lake / "batches"

    @cached_property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    @cached_property
    def runs(self) -> Path:
        """The record of runs."""
        return self.home / "runs.sqlite"

    @cached_property
    def work(self) -> Path:
        return self.home / ".runs"

    @cached_property
    def models(self) -> Path:
        return self.lake / "models"

    @cached_property
    def rejected(self) -> Path:
        return self.lake / "rejected"

    @cached_property
    def forgetting(self) -> Path:
        """What is still to be searched for of people who are not wholly forgotten."""
        return self.home / ".forgetting"

    @cached_property
    def reports(self) -> Path:
        return self.home / "reports"


def expanded(path: str | Path) -> Path:
    """The path with the user's home folder in place of `~`.

    A folder may be called `~name`, where no user has that name.

    Raises:
        UsageError: nothing says which folder `~` stands for.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        if Path(path).parts[0] == "~":
            raise UsageError(
                f"{path}: the home folder of this user is unknown. Set the variable HOME, or name "
                "the whole path."
            ) from None
        return Path(path)


class CampaignsSettings(Section):
    """Campaigns: how arms are drawn and effects measured (docs/campaigns.md)."""

    minimum_propensity: Fraction = Field(
        0.05, description="Smallest chance of any arm, so that every arm can be compared."
    )
    horizon_days: PositiveCount = Field(
        90, description="Days after the as-of date in which churn counts as an outcome."
    )
    cooldown_days: Count = Field(
        90, description="Days after the horizon in which a customer takes part in no campaign."
    )
    power: Fraction = Field(
        0.8, description="Probability with which a detectable effect is detected."
    )
    maximum_called_control_share: Share = Field(
        0.02,
        description="Share of the control group that may have been contacted before the effect "
        "counts as broken.",
    )
    minimum_draw_p_value: Fraction = Field(
        0.001,
        description="A draw whose arms differ from their chances with a smaller p-value is broken.",
    )
    minimum_uplift_customers: PositiveCount = Field(
        5000, description="Measured customers needed to learn what offers save by customer."
    )
    uplift_confidence: Fraction = Field(
        0.99,
        description="Confidence of the intervals in which rates by customer must be better than "
        "those by risk tier to be used.",
    )


class Settings(Section, BaseSettings):
    """All settings. Build them with `load_settings`; derive a changed copy with `with_overrides`.

    Only `experiments` and the parameters of XGBoost can be added to. Policies that SQL applies
    (tiers, offers, economics, keywords) are seeds, not settings.
    """

    model_config = SettingsConfigDict(validate_default=False)

    home: Text = Field("data", description="Folder that holds all data.")
    readable_by: Literal["owner", "group", "everyone"] = Field(
        "owner",
        description="Who may read what a command writes. Files and folders are made with the "
        "permissions 0600 and 0700, 0640 and 0750, or 0644 and 0755.",
    )
    target: Literal["duckdb", "athena"] = Field("duckdb", description="Engine.")
    threads: PositiveCount = Field(
        2,
        description="Number of threads for DuckDB and XGBoost. On one kind of processor, results "
        "are identical for a given number.",
    )
    memory_limit: Text = Field(
        "1GB", description="Memory of DuckDB; beyond it, DuckDB spills to disk."
    )
    customers_per_part: PositiveCount = Field(
        50_000,
        description="Largest number of customers that `score` reads, scores and writes at a time. "
        "Fewer take less memory; results are the same.",
    )
    athena: AthenaSettings = AthenaSettings()
    doctor: DoctorSettings = DoctorSettings()
    metabase: MetabaseSettings = MetabaseSettings()
    marts: MartsSettings = MartsSettings()
    runs: RunsSettings = RunsSettings()
    simulate: SimulateSettings = SimulateSettings()
    land: LandSettings = LandSettings()
    quality: QualitySettings = QualitySettings()
    sentiment: SentimentSettings = SentimentSettings()
    model: ModelSettings = ModelSettings()
    experiments: Mapping[str, Sequence[str]] = Field(
        {
            "E0_baseline": ["1A"],
            "E1_lifecycle_market": ["1A", "MP core"],
            "E2_add_risk": ["1A", "MP core", "MP risk"],
            "E3_add_behavioral": ["1A", "MP core", "MP risk", "2A"],
            "E4_add_sentiment": ["1A", "MP core", "MP risk", "2A", "2B"],
            "E5_full": ["1A", "MP core", "MP risk", "2A", "2B", "3"],
            "E6_with_strings": ["1A", "MP core", "MP risk", "2A", "2B", "3", "1B"],
            "E7_market_only": ["MP core", "MP risk"],
            "E8_no_sentiment": ["1A", "MP core", "MP risk", "2A", "3"],
        },
        description="Tiers of features (`meta.tier` of `gold_master`) in each experiment.",
    )
    evaluate: EvaluateSettings = EvaluateSettings()
    backtest: BacktestSettings = BacktestSettings()
    ladder: LadderSettings = LadderSettings()
    gate: GateSettings = GateSettings()
    drift: DriftSettings = DriftSettings()
    monitor: MonitorSettings = MonitorSettings()
    alerts: AlertsSettings = AlertsSettings()
    audit: AuditSettings = AuditSettings()
    campaigns: CampaignsSettings = CampaignsSettings()

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing unasked: `load_settings` names the sources, which refuse what they must."""
        return (init_settings,)

    @property
    def layout(self) -> Layout:
        """Where each thing lies under `home`."""
        return Layout(expanded(self.home).resolve())

    @property
    def umask(self) -> int:
        """The permissions that files and folders are made without."""
        return UMASKS[self.readable_by]

    def with_overrides(self, overrides: Mapping[str, object]) -> Settings:
        """A copy in which dotted names (`model.folds`) have new values; None is passed over.

        Raises:
            UsageError: there is no such setting, or it cannot have this value.
        """
        given = [
            _one(tuple(name.split(".")), value, name)
            for name, value in overrides.items()
            if value is not None
        ]
        return _merged([*reversed(given), self.as_dict()]) if given else self


def load_settings(
    overrides: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Settings by flag (`overrides`, dotted names), environment variable, settings file.

    Raises:
        UsageError: a file that cannot be read, a setting that does not exist or that cannot have
            the value it is given.
    """
    environ = os.environ if environ is None else environ
    settings = Settings()
    if own := environ.get(f"{ENV_PREFIX}SETTINGS"):
        settings = _merged([_read(expanded(own), own), settings.as_dict()])
    if given := list(_variables(environ, settings)):
        settings = _merged([*reversed(given), settings.as_dict()])
    settings = settings.with_overrides(overrides or {})
    named = {
        "model.experiment": settings.model.experiment,
        "model.fallback_experiment": settings.model.fallback_experiment,
        "gate.benchmark_experiment": settings.gate.benchmark_experiment,
    }
    for name, wanted in named.items():
        if wanted not in settings.experiments:
            raise UsageError(
                f"{name}: there is no experiment {wanted!r}; settings know "
                f"{', '.join(settings.experiments)}"
            )
    _check_home(settings.layout.home)
    return settings


def _check_home(home: Path) -> None:
    """Refuse the few homes that an engine would take for something else.

    DuckDB's write-ahead log ends up elsewhere after a `?`, its paths with wildcards have no way to
    write a backslash, it reads `name=value` as a column, and dbt-duckdb reads an address up to `#`.
    """
    found = next((sign for sign in "?#\\=" if sign in str(home)), None)
    try:
        str(home).encode()
    except UnicodeEncodeError:
        found = "bytes that are not UTF-8"
    if found is not None:
        raise UsageError(
            f"home {str(home)!r}: the path has {found}, which DuckDB or dbt would misread. "
            r"Choose a home whose path is UTF-8, without ? # \ and =."
        )


def _variables(environ: Mapping[str, str], settings: Settings) -> Iterator[dict[str, Any]]:
    """What each variable sets.

    A text, such as a path, is taken as it stands; other kinds are written as in YAML.
    """
    for variable, text in environ.items():
        name = variable.removeprefix(ENV_PREFIX)
        if not variable.startswith(ENV_PREFIX) or name in NOT_SETTINGS:
            continue
        path = _spelled(name.split("__"), settings)
        kind = _declared(path)
        value: object = text
        if not _is_text(kind):
            try:
                value = yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise UsageError(f"{variable}: {text!r} cannot be read: {error}") from error
        elif text in _NULLS and NoneType in _parts(kind)[0]:
            value = None
        yield _one(path, value, variable)


def _spelled(names: Iterable[str], settings: Settings) -> tuple[str, ...]:
    """The names in a variable, which has capitals alone, as the settings spell them."""
    path: list[str] = []
    here: object = settings
    for name in names:
        known = {key.upper(): key for key in _names(here)}
        path.append(known.get(name.upper(), name.lower()))
        here = getattr(here, path[-1], None) if isinstance(here, Section) else None
    return tuple(path)


def _names(around: object) -> list[str]:
    """The names in a section, or in a mapping that users may add to."""
    if isinstance(around, Section):
        return list(type(around).model_fields)
    return list(around) if isinstance(around, Mapping) else []


def _read(path: Path, named: str) -> dict[str, Any]:
    """What a file sets, with names as texts."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"settings file {path}: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"settings file {path}: expected a mapping of settings")
    return _checked(_with_text_names(values), named)


def _with_text_names(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _with_text_names(entry) for name, entry in value.items()}
    return value


def _one(path: tuple[str, ...], value: object, source: str) -> dict[str, Any]:
    """One setting as a nested dictionary that holds nothing else.

    Args:
        path: its name, one part a level.
        value: what it is to be; of a section, what it changes.
        source: the variable or the dotted name that says so.

    Raises:
        UsageError: there is no such setting, or it cannot have this value.
    """
    for depth in range(1, len(path) + 1):
        if _declared(path[:depth]) is None:
            raise _unknown(path[:depth], source)
    nested: Any = value
    for name in reversed(path):
        nested = {name: nested}
    return _checked(nested, source)


def _checked(values: dict[str, Any], source: str) -> dict[str, Any]:
    """The values of one source, which must be right on their own.

    Raises:
        UsageError: the first that is no setting, or not what the setting can be.
    """
    try:
        _merged([values])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _refusal(first["type"], first["loc"], first.get("ctx", {}), values, source) from None
    return values


def _refusal(
    problem: str,
    place: Sequence[int | str],
    context: Mapping[str, Any],
    values: Any,
    source: str,
) -> UsageError:
    """What is wrong with the values of a source, in words.

    Args:
        problem: pydantic's name for it.
        place: names and, in lists, positions that lead to it.
        context: what a check of our own says.
        values: of the whole source.
        source: a file, a variable or a dotted name.
    """
    path = tuple(map(str, place))
    if problem == "extra_forbidden":
        return _unknown(path, source)
    if isinstance(place[-1], int) and _is_text(_declared(path)):
        place, path = place[:-1], path[:-1]  # of a list of texts, the whole is shown
    named = _named(source, path)
    if problem == "missing":
        return UsageError(f"{named}: required, but missing; see {PAGE}")
    if problem == "value_error":
        return UsageError(f"{named}: {context['error']}")
    for part in place:
        values = values[part]
    return UsageError(f"{named}: expected {kind_of(_declared(path))}, got {values!r}; see {PAGE}")


def _merged(sources: Sequence[dict[str, Any]]) -> Settings:
    """Settings from sources, of which the first wins."""
    given = tuple(InitSettingsSource(Settings, source) for source in sources)
    return Settings(_build_sources=(given, {}))


def _declared(path: Sequence[str]) -> Any:
    """The type of a setting, a section or the entry of a list; None if there is none."""
    kind: Any = Settings
    for name in path:
        around = _parts(kind)[0][0]
        if _is_section(around):
            kind = type_of(around, name)
        else:
            kind = get_args(around)[-1] if get_origin(around) in (Mapping, Sequence) else None
        if kind is None:
            return None
    return kind


def type_of(section: type[Section], name: str) -> Any:
    """The type of a field with the limits on it, for `kind_of`; None if there is no such field."""
    field = section.model_fields.get(name)
    return Annotated[field.annotation, field] if field else None


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _parts(kind: Any) -> tuple[list[Any], list[Any]]:
    """The plain types that a value can have, and the limits that it must keep."""
    if get_origin(kind) is Annotated:
        inner, *around = get_args(kind)
        types, limits = _parts(inner)
        for entry in around:
            limits += entry.metadata if isinstance(entry, FieldInfo) else [entry]
        return types, limits
    if get_origin(kind) in (Union, UnionType):
        types, limits = [], []
        for alternative in get_args(kind):
            more, further = _parts(alternative)
            types, limits = types + more, limits + further
        return types, limits
    return [kind], []


def _is_text(kind: Any) -> bool:
    """Whether a setting is a text, such as a path, which YAML could take for something else."""
    return kind is not None and any(
        it is str or get_origin(it) is Literal for it in _parts(kind)[0]
    )


def kind_of(kind: Any) -> str:
    """What a setting of a type can be, in words: `int, at least 1`, `a list of str`."""
    types, limits = _parts(kind)
    words = " or ".join(_word(it) for it in types)
    low = next((it.ge for it in limits if isinstance(it, Ge)), None)
    high = next((it.le for it in limits if isinstance(it, Le)), None)
    if low is not None and high is not None:
        return f"{words} from {low} to {high}"
    for limit in limits:
        match limit:
            case Ge(ge=bound):
                words += f", at least {bound}"
            case Gt(gt=bound):
                words += f", above {bound}"
            case Le(le=bound):
                words += f", at most {bound}"
            case Lt(lt=bound):
                words += f", below {bound}"
            case MinLen():
                words += ", not empty"
    return words


def _word(kind: Any) -> str:
    """A plain type in words."""
    outer, arguments = get_origin(kind), get_args(kind)
    if outer is Literal:
        return f"one of {', '.join(arguments)}"
    if outer is Mapping:
        return f"a section of settings, each {kind_of(arguments[1])}"
    if outer is Sequence:
        names = ", ".join(arguments[0].model_fields) if _is_section(arguments[0]) else ""
        return f"a list of {f'entries with {names}' if names else kind_of(arguments[0])}"
    if _is_section(kind):
        return "a section of settings"
    return "null" if kind is NoneType else str(kind.__name__)


def _named(source: str, path: Sequence[str]) -> str:
    """The place of a setting for a message: a file and the key, or the variable alone."""
    dotted = ".".join(path)
    if source.startswith(ENV_PREFIX) or dotted == source or not path:
        return source
    # What a flag or an override gets wrong further down is named by its whole name.
    return dotted if dotted.startswith(f"{source}.") else f"{source}: {dotted}"


def _unknown(path: Sequence[str], source: str) -> UsageError:
    around = _declared(path[:-1])
    known = around.model_fields if _is_section(around := around and _parts(around)[0][0]) else {}
    close = difflib.get_close_matches(path[-1], known, n=1)
    meant = f" (did you mean {'.'.join((*path[:-1], close[0]))}?)" if close else ""
    return UsageError(f"{_named(source, path)}: no such setting{meant}; see {PAGE}")
