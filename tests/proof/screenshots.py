"""Pictures of every page and tab in six states, at three widths and in both themes.

    python -m tests.proof.screenshots --out target/states

A home is made for each state by the commands that lead to it, from a first run of a small company:
a drifted month, a failed model gate, a failed quality check, a running and a stopped campaign. The
pages that the last command left are photographed, each in its whole length, to
`<out>/<state>/<page>[-<tab>]-<width>-<theme>.png`. Printed for each state: what Pipeline Status and
Overview say first, and how many pictures there are. Exit code 1 if a command ends otherwise than
the state asks for, or a page is wider than its window. The pictures are there to be looked at.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from python_ml.pages.compile import load_dashboards
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
STATES = {
    "first_run": State(),
    "drifted_month": State(((APPENDED, 0), ("run --mode score", 0))),
    "failed_gate": State(
        ((APPENDED, 0), ("run", 4)), (("SPANISHGAS_GATE__MINIMUM_PR_AUC", "0.999"),)
    ),
    "failed_quality_check": State(
        ((APPENDED, 0), ("run --mode score", 5)), (("SPANISHGAS_QUALITY__RULES", "{strict}"),)
    ),
    "running_campaign": State((("campaign start spring --control-share 0.2", 0),)),
    "stopped_campaign": State(
        (("campaign start spring --control-share 0.2", 0), ("campaign stop spring", 0))
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Pictures of all pages in six states.")
    parser.add_argument("--out", type=Path, default=Path("target/states"))
    parser.add_argument("--customers", type=int, default=500)
    parser.add_argument("--states", nargs="+", choices=STATES, default=list(STATES))
    parser.add_argument("--home", type=Path, help="a home with a first run, to begin from")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        first = options.home or first_run(Path(scratch) / "first", options.customers)
        program = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))))
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        problems = []
        for name in options.states:
            home = Path(scratch) / name
            shutil.copytree(first, home, symlinks=True)  # the lake has some
            problems += enter(STATES[name], home)
            pictures, wide = photograph(browser, home, options.out / name)
            problems += [f"{name}: {page} is wider than its window" for page in wide]
            print(f"{name}: {pictures} pictures; {'; '.join(said(browser, home))}", flush=True)
            shutil.rmtree(home)
    print("\n".join(problems) or "no page is wider than its window")
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


def enter(state: State, home: Path) -> list[str]:
    """Bring a home to a state; what went otherwise than it should."""
    strict = home / "strict.yml"  # no null may be in gold
    rules = (PROJECT / "python_ml" / "quality.yml").read_text(encoding="utf-8")
    strict.write_text(rules.replace("gold: 0.02}", "gold: -0.01}"), encoding="utf-8")
    given = {name: value.format(strict=strict) for name, value in state.environment}
    problems = []
    for command, code in state.commands:
        done = spanishgas(command, home, given)
        if done.returncode != code:
            last = " ".join(done.stderr.split())[-300:]
            problems.append(f"{command}: exit code {done.returncode}, not {code}: {last}")
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
    """Every page and tab at each width and theme: how many pictures, and which pages are cut."""
    folder.mkdir(parents=True, exist_ok=True)
    count, wide = 0, []
    for width in WIDTHS:
        for theme in THEMES:
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=theme, offline=True
            )
            for name, address in addresses(home / "reports" / "dashboards"):
                page = context.new_page()
                page.goto(address)
                page.wait_for_selector("body[data-ready]")
                page.wait_for_timeout(200)  # charts fade in
                page.screenshot(path=folder / f"{name}-{width}-{theme}.png", full_page=True)
                count += 1
                if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
                    wide.append(f"{name} at {width}")
                page.close()
            context.close()
    return count, wide


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
