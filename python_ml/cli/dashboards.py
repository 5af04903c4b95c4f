"""`spanishgas dashboards …`: parses, calls, prints."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from python_ml.cli.options import common, print_json
from python_ml.errors import UsageError

if TYPE_CHECKING:  # pydantic: 0.2 s that --help need not wait
    from python_ml.settings import Settings


@click.group()
def dashboards() -> None:
    """Preview the pages, or apply them to Metabase."""


_url = click.option(
    "--url", metavar="URL", help="Address of the Metabase server (default: metabase.url)."
)
_no_descriptions = click.option(
    "--no-descriptions", is_flag=True, help="Do not copy the descriptions of marts and columns."
)


@dashboards.command()
@common
@_url
@_no_descriptions
def plan(settings: Settings, as_json: bool, url: str | None, no_descriptions: bool) -> None:
    """Show what `apply` would change on the server."""
    from python_ml.pages.metabase import server
    from python_ml.pages.metabase.client import Credentials, MetabaseClient
    from python_ml.pages.metabase.descriptions import mart_manifest
    from python_ml.pages.metabase.plan import make_plan
    from python_ml.pages.metabase.wanted import load_wanted
    from python_ml.view.dashboards import show_plan

    settings = settings.with_overrides({"metabase.url": url})
    wanted = load_wanted(settings)
    manifest = None if no_descriptions else mart_manifest(settings)
    with MetabaseClient(settings.metabase) as client:
        if not server.is_blank(client):
            client.log_in(Credentials.from_environment())
        planned = make_plan(client, wanted, settings, manifest)
    if as_json:
        print_json(planned.as_dict())
    else:
        show_plan(planned)


@dashboards.command()
@common
@_url
@_no_descriptions
@click.option("--reconnect", is_flag=True, help="Send the password of the marts to Metabase again.")
def apply(
    settings: Settings, as_json: bool, url: str | None, no_descriptions: bool, reconnect: bool
) -> None:
    """Apply the definitions to a Metabase server.

    A blank server is set up first. Ids and addresses stay, what left the code is archived, and
    nothing outside of the managed collection is touched. At the end everything is read again and
    each card is run once: exit code 5 if something differs or fails.
    """
    from python_ml.pages.metabase.apply import apply as apply_definitions
    from python_ml.pages.metabase.client import Credentials, MetabaseClient
    from python_ml.pages.metabase.descriptions import mart_manifest
    from python_ml.pages.metabase.wanted import load_wanted
    from python_ml.progress import reporting
    from python_ml.view.dashboards import show_applied

    settings = settings.with_overrides({"metabase.url": url})
    wanted = load_wanted(settings)
    manifest = None if no_descriptions else mart_manifest(settings)
    credentials = Credentials.from_environment()
    with MetabaseClient(settings.metabase) as client, reporting("apply") as say:
        applied = apply_definitions(
            client, wanted, settings, credentials, manifest, say, reconnect=reconnect
        )
    if as_json:
        print_json(applied.as_dict())
    else:
        show_applied(applied)


@dashboards.command()
@common
@_url
@click.option("--offline", is_flag=True, help="Check the definitions only, without a server.")
def check(settings: Settings, as_json: bool, url: str | None, offline: bool) -> None:
    """Check the definitions and the server.

    The server must match the definitions, and every card must run. Exit code 2 for a definition
    that contradicts itself, the grid or the marts; 5 when the server differs or a card fails.
    """
    from python_ml.pages.metabase.apply import verify
    from python_ml.pages.metabase.client import Credentials, MetabaseClient
    from python_ml.pages.metabase.wanted import load_wanted

    if offline and url is not None:
        raise UsageError("--url does not go with --offline, which asks no server")
    settings = settings.with_overrides({"metabase.url": url})
    wanted = load_wanted(settings)
    outcome = {
        "dashboards": len(wanted.dashboards),
        "cards": len(wanted.cards),
        "metrics": len(wanted.metrics),
    }
    if not offline:
        with MetabaseClient(settings.metabase) as client:
            client.log_in(Credentials.from_environment())
            outcome["cards_run"] = verify(client, wanted, settings, None)
    if as_json:
        print_json(outcome)
    else:
        ran = "" if offline else f"; {settings.metabase.url} is as defined and every card runs"
        click.echo(
            f"{outcome['dashboards']} dashboards, {outcome['cards']} cards, "
            f"{outcome['metrics']} metrics: all right{ran}"
        )


@dashboards.command(name="api-key")
@common
@_url
@click.argument("file", type=click.Path(dir_okay=False))
def api_key(settings: Settings, as_json: bool, url: str | None, file: str) -> None:
    """Create or renew an API key for machines.

    The key is written to FILE (mode 0600).
    """
    from python_ml.pages.metabase import server
    from python_ml.pages.metabase.client import Credentials, MetabaseClient

    settings = settings.with_overrides({"metabase.url": url})
    with MetabaseClient(settings.metabase) as client:
        client.log_in(Credentials.from_environment())
        key = server.make_api_key(client)
    path = Path(file)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(key + "\n", encoding="utf-8")
    outcome = {"file": str(path)}
    if as_json:
        print_json(outcome)
    else:
        click.echo(f"the key is in {path}; put it into SPANISHGAS_METABASE_API_KEY")


@dashboards.command()
@common
@click.option(
    "--out", metavar="DIR", help="Output folder (default: reports/dashboards/ in the data home)."
)
def preview(settings: Settings, as_json: bool, out: str | None) -> None:
    """Write the pages as static HTML.

    They need no server and no network; open index.html in any browser. The rows come from the
    published marts.
    """
    from python_ml.engines import open_warehouse
    from python_ml.pages.preview import preview_folder, write_preview

    with open_warehouse(settings) as warehouse:
        written = write_preview(warehouse, settings, Path(out) if out else preview_folder(settings))
    if as_json:
        print_json(written.as_dict())
    else:
        click.echo(
            f"{len(written.pages)} pages, {written.bytes_written / 1e6:.1f} MB in "
            f"{written.seconds:.1f} s: {written.folder / 'index.html'}"
        )


@dashboards.command(name="publish-marts")
@common
def publish_marts(settings: Settings, as_json: bool) -> None:
    """Load the marts into Metabase's Postgres.

    In one transaction: readers see the marts of the run before until they see all of the new ones.
    """
    from python_ml.engines import open_warehouse
    from python_ml.pages.metabase.publish import publish
    from python_ml.progress import reporting

    with open_warehouse(settings) as warehouse, reporting("publish-marts") as say:
        published = publish(warehouse, settings, say)
    if as_json:
        print_json(published.as_dict())
    else:
        click.echo(
            f"{len(published.rows)} marts, {sum(published.rows.values()):,} rows in "
            f"{published.seconds:.1f} s: schema {published.schema} of {published.place}"
        )


@click.command(name="open")
@common
@click.argument("page", default="index", required=False)
def open_pages(settings: Settings, as_json: bool, page: str) -> None:
    """Open the dashboard pages in the browser.

    PAGE is the page to open, for example recommendations (default: the overview).
    """
    from python_ml.pages.preview import preview_folder

    folder = preview_folder(settings)
    known = sorted(path.stem for path in folder.glob("*.html"))
    if not known:
        raise UsageError(
            f"there are no pages in {folder} yet; `spanishgas run` or `spanishgas dashboards "
            "preview` writes them"
        )
    if page not in known:
        raise UsageError(f"there is no page {page!r}; the pages are {', '.join(known)}")
    address = (folder / f"{page}.html").resolve().as_uri()
    is_opened = webbrowser.open(address)
    if as_json:
        print_json({"address": address, "is_opened": is_opened})
    else:
        click.echo(address if is_opened else f"no browser was found; open {address}")
