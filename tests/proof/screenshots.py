"""Pictures of every page and tab in six states, at three widths and in both themes.

    python -m tests.proof.screenshots --out target/states

A home is made for each state by the commands that lead to it, from a first run of a small company:
a drifted month, a failed model gate, a failed quality check, a running and a finished campaign.
While the next home is made, the pages that the last command left are photographed, each in its
whole length, to `<out>/<state>/<page>[-<tab>]-<width>-<theme>.png`. Printed for each state: what
Pipeline Status and Overview say first, how many pictures there are and what is cut on them. Exit
code 1 if a command ends otherwise than the state asks for, or anything is cut. The pictures are
there to be looked at.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from python_ml.pages.compile import load_dashboards
from tests.dashboards.pages.clipping import clipped
from tests.proof.old_homes import PROJECT, environment

Theme = Literal["light", "dark"]
WIDTHS = (390, 768, 1440)
THEMES: tuple[Theme, ...] = ("light", "dark")
PLACES = (("pipeline_status", "banner"), ("overview", "trust"))


@dataclass(frozen=True)
class State:
    """Commands after the first run, each with the exit code that it ends with."""

    commands: tuple[tuple[str, int], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


APPENDED = "simulate --append 2025-01 --shift price-shock"
CAMPAIGN = "campaign start spring --control-share 0.2"
STATES = {
    "first_run": State(),
    "drifted_month": State(((APPENDED, 0), ("run --mode score", 0))),
    "failed_gate": State((("run --force", 4),), (("SPANISHGAS_GATE__MINIMUM_PR_AUC", "0.999"),)),
    "failed_quality_check": State(
        ((APPENDED, 0), ("run --mode score", 5)), (("SPANISHGAS_QUALITY__RULES", "{strict}"),)
    ),
    "running_campaign": State(((CAMPAIGN, 0),)),
    "finished_campaign": State(
        (
            (CAMPAIGN, 0),
            *((f"simulate --append 2025-{month:02d}", 0) for month in (1, 2, 3)),
            ("run --mode score", 0),
        )
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Pictures of all pages in six states.")
    parser.add_argument("--out", type=Path, default=Path("target/states"))
    parser.add_argument("--customers", type=int, default=400)
    parser.add_argument("--states", nargs="+", choices=STATES, default=list(STATES))
    parser.add_argument("--home", type=Path, help="a home with a first run, to begin from")
    options = parser.parse_args()
    program = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))))
    problems = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        ThreadPoolExecutor(1) as pool,
        sync_playwright() as playwright,
    ):
        first = options.home or first_run(Path(scratch) / "first", options.customers)
        homes = {it: pool.submit(enter, it, first, Path(scratch) / it) for it in options.states}
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, entered in homes.items():
            problems += entered.result()
            home = Path(scratch) / name
            pictures, cut = photograph(browser, home, options.out / name)
            problems += [f"{name}: {it}" for it in cut]
            print(f"{name}: {pictures} pictures; {'; '.join(said(browser, home))}", flush=True)
            shutil.rmtree(home)
    print("\n".join(problems) or "nothing is cut")
    return bool(problems)


def first_run(home: Path, customers: int) -> Path:
    for command in (f"simulate --customers {customers}", "run"):
        done = spanishgas(command, home, {})
        if done.returncode:
            raise SystemExit(f"{command}: {done.stderr}")
    return home


def spanishgas(command: str, home: Path, given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "python_ml.cli", *command.split(), "--home", str(home)],
        env=environment(PROJECT) | given,
        capture_output=True,
        text=True,
        check=False,
    )


def enter(name: str, first: Path, home: Path) -> list[str]:
    """Bring a copy of the first home to a state; what went otherwise than it should."""
    shutil.copytree(first, home, symlinks=True)  # the lake has some
    state = STATES[name]
    strict = home / "strict.yml"  # no null may be in gold
    rules = (PROJECT / "python_ml" / "quality.yml").read_text(encoding="utf-8")
    strict.write_text(rules.replace("gold: 0.02}", "gold: -0.01}"), encoding="utf-8")
    given = {name: value.format(strict=strict) for name, value in state.environment}
    problems = []
    for command, code in state.commands:
        done = spanishgas(command, home, given)
        if done.returncode != code:
            last = " ".join(done.stderr.split())[-300:]
            problems.append(f"{name}: {command}: exit code {done.returncode}, not {code}: {last}")
    return problems


def addresses(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and address of each page and tab."""
    for page in load_dashboards():
        address = (folder / f"{page.key}.html").as_uri()
        if not page.tabs:
            yield page.key, address
        for tab in page.tabs:
            yield f"{page.key}-{tab.key}", f"{address}#tab={tab.key}"


def photograph(browser: Browser, home: Path, folder: Path) -> tuple[int, list[str]]:
    """Every page and tab at each width and theme: how many pictures, and what is cut on them."""
    folder.mkdir(parents=True, exist_ok=True)
    count, cut = 0, []
    for width in WIDTHS:
        for theme in THEMES:
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=theme, offline=True
            )
            page = context.new_page()
            for name, address in addresses(home / "reports" / "dashboards"):
                page.goto("about:blank")  # a tab of the same page is loaded like any other
                page.goto(address)
                page.wait_for_selector("body[data-ready]")
                page.screenshot(path=folder / f"{name}-{width}-{theme}.png", full_page=True)
                count += 1
                if theme == THEMES[0]:
                    cut += [f"{name} at {width}: {it}" for it in clipped(page)]
            context.close()
    return count, cut


def said(browser: Browser, home: Path) -> Iterator[str]:
    """What the cards say that a reader sees first."""
    for key, card in PLACES:
        page = browser.new_page()
        page.goto((home / "reports" / "dashboards" / f"{key}.html").as_uri())
        page.wait_for_selector("body[data-ready]")
        yield f"{key}: {' '.join(page.locator(f'#card_{card} .body').inner_text().split())}"
        page.close()


if __name__ == "__main__":
    sys.exit(main())
