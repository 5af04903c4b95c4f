"""Commands about models: fit, judge, promote, score, explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from python_ml.cli.options import common, print_json, refreshing_pages, shown
from python_ml.errors import UsageError

if TYPE_CHECKING:  # pydantic: 0.2 s that --help need not wait
    from python_ml.settings import Settings


@click.command()
@common
@click.option(
    "--recalibrate",
    metavar="VERSION",
    help="Keep the trees of this model version and refit its calibration on months that have "
    "matured since it was trained.",
)
def train(settings: Settings, as_json: bool, recalibrate: str | None) -> None:
    """Train a candidate on the published data and register it.

    With --recalibrate, the candidate ranks customers as VERSION does, and only its probabilities
    and threshold are new. Either way, `evaluate` tests it against the gate.
    """
    from python_ml.pipeline.commands import train_candidate
    from python_ml.pipeline.workspace import Run
    from python_ml.view import summary

    this_run = Run(settings)
    with refreshing_pages(this_run):
        trained = train_candidate(this_run, recalibrate)
    if as_json:
        print_json(trained.as_dict())
    else:
        summary.show_training(trained)


@click.command()
@common
@click.argument("version", required=False)
def evaluate(settings: Settings, as_json: bool, version: str | None) -> None:
    """Test a candidate against the gate.

    VERSION is a registered model (default: the newest). A rejected one ends with exit code 4.
    """
    from python_ml.pipeline.commands import evaluate_candidate
    from python_ml.pipeline.workspace import Run
    from python_ml.view import summary

    this_run = Run(settings)
    with refreshing_pages(this_run):
        evaluated = evaluate_candidate(this_run, version)
    if as_json:
        print_json(evaluated.as_dict())
    else:
        summary.show_evaluation(evaluated)
    evaluated.raise_if_rejected()


@click.command()
@common
@click.option("--version", help="Approved model version to score with (default: the champion).")
def score(settings: Settings, as_json: bool, version: str | None) -> None:
    """Score all customers again and publish scores and offers.

    With another version than the champion, that version becomes the champion.
    """
    from python_ml.pipeline.commands import rescore
    from python_ml.pipeline.workspace import Run

    this_run = Run(settings)
    with shown(this_run, as_json):
        rescore(this_run, version)


@click.command()
@common
@click.argument("version", required=False)
@click.option("--rollback", is_flag=True, help="Return to the previous champion.")
@click.option("--reason", default="", help="Reason, recorded with the decision.")
@click.option(
    "--by", metavar="NAME", help="Name of the person who decides (default: your user name)."
)
@click.option(
    "--force",
    is_flag=True,
    help="Promote a version that has not passed the gate; requires --reason.",
)
def promote(
    settings: Settings,
    as_json: bool,
    version: str | None,
    rollback: bool,
    reason: str,
    by: str | None,
    force: bool,
) -> None:
    """Make a model version the champion and score with it.

    VERSION is a registered model: one that waits for approval, an earlier champion, or with --force
    and --reason any other whose leakage alarms are all accepted. The decision is recorded with its
    evidence.
    """
    from python_ml.pipeline import commands
    from python_ml.pipeline.closing import Closing
    from python_ml.pipeline.workspace import Run

    if rollback == (version is not None):
        raise UsageError("name the version to promote, or --rollback, not both")
    this_run, champion = Run(settings), {"champion": version}
    with shown(this_run, as_json, champion):
        champion["champion"] = commands.promote(
            this_run, version, is_roll_back=rollback, reason=reason, decided_by=by, force=force
        )
    if not as_json and this_run.results.get(Closing) is None:
        click.echo(f"champion: {champion['champion']}; the next run scores with it")


@click.command()
@common
@click.argument("version", required=False)
def rebuild(settings: Settings, as_json: bool, version: str | None) -> None:
    """Fit a model version again and compare the results.

    VERSION is a registered model (default: the champion). A difference ends with exit code 1.
    """
    from python_ml.engines import open_warehouse
    from python_ml.pipeline.rebuild import rebuild_version

    with open_warehouse(settings) as warehouse:
        rebuilt = rebuild_version(warehouse, settings, version)
    if as_json:
        print_json(rebuilt.as_dict())
    else:
        click.echo(rebuilt.message)
    rebuilt.raise_if_different()


@click.command()
@common
@click.argument("customer_id")
def explain(settings: Settings, as_json: bool, customer_id: str) -> None:
    """Explain the score of a customer.

    Shows what the score rests on and what changed since the previous run.

    CUSTOMER_ID is a scored customer, for example C01234; c1234 and 1234 are the same.
    """
    from python_ml.engines import open_warehouse
    from python_ml.judge.customer import explain_customer
    from python_ml.view.customer import show_customer

    with open_warehouse(settings) as warehouse:
        explained = explain_customer(warehouse, settings, customer_id)
    if as_json:
        print_json(explained.as_dict())
    else:
        show_customer(explained)


@click.command()
@common
@click.argument("version", required=False)
def ladder(settings: Settings, as_json: bool, version: str | None) -> None:
    """Measure what each feature tier adds to three kinds of model.

    VERSION is the model whose rows and split are used (default: the champion).
    """
    from python_ml.pipeline.commands import climb
    from python_ml.pipeline.ladder import LadderReport
    from python_ml.pipeline.workspace import Run
    from python_ml.view import ladder as summary_ladder

    this_run = Run(settings)
    with refreshing_pages(this_run):
        climb(this_run, version)
    climbed = this_run.results.require(LadderReport)
    if as_json:
        print_json(climbed.as_dict())
    else:
        summary_ladder.show_ladder(climbed)


@click.command()
@common
@click.option(
    "--raw",
    metavar="SOURCE",
    help="Folder or s3:// prefix with the raw files (default: raw/ in the data home).",
)
def backtest(settings: Settings, as_json: bool, raw: str | None) -> None:
    """Train on the past and test on later as-of dates.

    The raw batch needs labels of several as-of dates; `simulate --months 24` writes such a one.
    """
    from python_ml.pipeline import commands
    from python_ml.pipeline.backtest import BacktestResult
    from python_ml.pipeline.workspace import Run
    from python_ml.view import backtest as summary_backtest

    this_run = Run(settings)
    with refreshing_pages(this_run):
        commands.backtest(this_run, raw or str(settings.layout.raw))
    tested = this_run.results.require(BacktestResult)
    if as_json:
        print_json(tested.as_dict())
    else:
        summary_backtest.show_backtest(tested)
