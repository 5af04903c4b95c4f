"""Commands about raw batches: simulate one, land one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from python_ml.cli.options import common, mapping_option, print_json, refreshing_pages
from python_ml.errors import UsageError

if TYPE_CHECKING:  # pydantic: 0.2 s that --help need not wait
    from python_ml.settings import Settings


@click.command()
@common
@click.option("--out", metavar="DIR", help="Output folder (default: raw/ in the data home).")
@click.option("--customers", type=click.IntRange(1), help="Number of customers (default: 20,099).")
@click.option("--year", type=click.IntRange(1990, 2100), help="Calendar year (default: 2024).")
@click.option(
    "--seed", type=int, help="Seed of the random numbers; the same seed gives the same files."
)
@click.option(
    "--text-signal",
    type=click.Choice(["as-published", "weak", "none"]),
    help="How much the interaction texts reveal of the outcome.",
)
@click.option(
    "--readings",
    type=click.Choice(["all-hours", "typical-days"]),
    help="All hours, or 48 representative hours a month (15 times smaller).",
)
@click.option(
    "--months", type=click.IntRange(0), help="Months to simulate after the first year (default: 0)."
)
@click.option("--append", metavar="YYYY-MM", help="Month to append to the existing files.")
@click.option(
    "--shift",
    type=click.Choice(["none", "price-shock", "channel-mix", "province-outage", "text-style"]),
    help="What changes in the appended month.",
)
@click.option(
    "--reach",
    type=click.FloatRange(0, 1),
    help="Share of the called customers of campaigns who are reached (default: 0.8).",
)
@click.option(
    "--called-control",
    type=click.FloatRange(0, 1),
    help="Share of the control groups that is called all the same (default: 0).",
)
@click.option(
    "--lost-control",
    type=click.FloatRange(0, 1),
    help="Share of the control groups whose labels are lost (default: 0).",
)
@click.option(
    "--reuse", is_flag=True, help="Keep existing files that were made with the same settings."
)
@click.option("--report", is_flag=True, help="Compare the files with the published aggregates.")
def simulate(
    settings: Settings,
    as_json: bool,
    out: str | None,
    customers: int | None,
    year: int | None,
    seed: int | None,
    text_signal: str | None,
    readings: str | None,
    months: int | None,
    append: str | None,
    shift: str | None,
    reach: float | None,
    called_control: float | None,
    lost_control: float | None,
    reuse: bool,
    report: bool,
) -> None:
    """Write simulated raw files, or append a month to them.

    In an appended month, customers react to the campaigns that the home has started.
    """
    from python_ml.progress import reporting
    from python_ml.simulate.batch import read_campaigns, simulate_batch
    from python_ml.simulate.offers import Conduct
    from python_ml.simulate.report import simulation_report
    from python_ml.simulate.run import append_month
    from python_ml.view.batches import show_simulation

    settings = settings.with_overrides(
        {
            "simulate.customers": customers,
            "simulate.year": year,
            "simulate.seed": seed,
            "simulate.text_signal": text_signal,
            "simulate.readings": readings,
            "simulate.months": months,
        }
    )
    own = (customers, year, seed, text_signal, readings, months, reuse or None, report or None)
    if append and any(value is not None for value in own):
        raise UsageError(
            "--append goes on with the files that are there: only --shift, --reach, "
            "--called-control and --lost-control go with it"
        )
    context = click.get_current_context()
    if context.get_parameter_source("target") is ParameterSource.COMMANDLINE:
        raise UsageError("--target has no effect on simulate, which writes files and no tables")
    if shift is not None and not append:
        raise UsageError("--shift needs --append: it says what changes with the month appended")
    asked = {"reach": reach, "called_control": called_control, "lost_control": lost_control}
    given = {name: value for name, value in asked.items() if value is not None}
    if given and not append:
        raise UsageError(
            "--reach, --called-control and --lost-control need --append: they say how the "
            "campaigns of the month appended are carried out"
        )
    folder = Path(out) if out else settings.layout.raw
    with reporting("simulate") as say:
        if append:
            campaigns = read_campaigns(settings, Conduct(**given))
            result, was_there = (
                append_month(
                    folder, append, shift=shift or "none", campaigns=campaigns, progress=say
                ),
                False,
            )
        else:
            result, was_there = simulate_batch(settings, folder, reuse=reuse, progress=say)
        rows = simulation_report(folder, threads=settings.threads) if report else []
    if as_json:
        print_json({**result.as_dict(), "report": [row.as_dict() for row in rows]})
    else:
        show_simulation(result, was_there, rows)


@click.command()
@common
@click.argument("folder")
@click.option("--write", "written", metavar="FILE", help="Write the proposed mapping, to edit.")
def inspect(settings: Settings, as_json: bool, folder: str, written: str | None) -> None:
    """Show how the files of a folder would be read.

    Describes each column and proposes a mapping; nothing is landed. All names are allowed.
    """
    from python_ml.land.inspection import inspect_folder, write_mapping
    from python_ml.view.inspection import show_inspection

    found = inspect_folder(folder, settings)
    if written is not None:
        write_mapping(found, written)
    if as_json:
        print_json(found.as_dict())
    else:
        show_inspection(found)
        if written is not None:
            click.echo(f"Wrote {written}. Answer its questions, then use --mapping {written}.")


@click.command()
@common
@click.argument("source", required=False)
@mapping_option
def land(settings: Settings, as_json: bool, source: str | None, mapping: str | None) -> None:
    """Check a raw batch and write it to the lake.

    SOURCE is a folder or s3:// prefix with the seven files (default: raw/ under the home), or with
    files of your own and --mapping.
    """
    from python_ml.engines import open_engine
    from python_ml.pipeline.land_batch import land_batch
    from python_ml.pipeline.workspace import Run
    from python_ml.view.batches import show_landing

    if not open_engine(settings).lies_in_home:
        raise UsageError(
            "land writes to the lake of a home; on Athena the run itself lands its batch: "
            "spanishgas run --target athena --raw s3://…"
        )
    settings = settings.with_overrides({"land.mapping": mapping})
    this_run = Run(settings)
    with refreshing_pages(this_run):
        landed = land_batch(this_run, source or str(settings.layout.raw))
    if as_json:
        print_json(landed.as_dict())
    else:
        show_landing(landed)
