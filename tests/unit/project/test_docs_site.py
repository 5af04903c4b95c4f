"""The documentation builds as a site without warnings, and the site needs no other host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from python_ml.settings import PROJECT_DIR

# Attributes that make a browser load something, as opposed to a link that a reader may follow.
LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*?\bsrc=[\"']?(?:https?:)?//[^\"'\s>]+"
    r"|<link\b(?![^>]*rel=[\"']?canonical)[^>]*?\bhref=[\"']?(?:https?:)?//[^\"'\s>]+"
)


def build(docs: Path, site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=docs,
        capture_output=True,
        text=True,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(PROJECT_DIR, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.thorough
def test_every_page_is_built(site: Path) -> None:
    pages = {page.stem for page in (PROJECT_DIR / "docs").glob("*.md")} | {"contributing"}
    assert {page.stem for page in site.glob("*.html")} - {"404"} == pages
    assert (site / "search/search_index.json").stat().st_size > 100_000


def test_pages_load_nothing_from_other_hosts(site: Path) -> None:
    loaded = {
        match for page in site.rglob("*.html") for match in LOADED.findall(page.read_text("utf-8"))
    }
    styles = {
        match
        for sheet in site.rglob("*.css")
        for match in re.findall(
            r"(?:url\(|@import )[\"']?https?://[^\"')]+", sheet.read_text("utf-8")
        )
    }
    assert loaded | styles == set()
    # Material fetches Mermaid from a CDN for a diagram of this class.
    assert not [p.name for p in site.glob("*.html") if 'class="mermaid"' in p.read_text("utf-8")]


def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("# Start\n\n[gone](gone.md)\n", encoding="utf-8")
    settings = (PROJECT_DIR / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:")[0]
    (tmp_path / "mkdocs.yml").write_text(
        re.sub(r"^hooks:.*\n", "", settings, flags=re.MULTILINE), encoding="utf-8"
    )
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    assert "gone.md" in done.stdout + done.stderr
