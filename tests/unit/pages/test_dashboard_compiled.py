from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from python_ml.errors import SpanishGasError
from python_ml.pages import compiled
from python_ml.pages.compile import DEFINITIONS, load_dashboards
from python_ml.pages.compiled import compiled_dashboards

pytestmark = pytest.mark.thorough


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The definitions, to be changed."""
    return shutil.copytree(DEFINITIONS, tmp_path / "dashboards")


def never(folder: Path) -> None:
    raise AssertionError(f"{folder} is compiled")


def test_what_is_kept_is_what_was_compiled(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "target" / "dashboards.json"
    first = compiled_dashboards(folder, kept)
    assert first == load_dashboards(folder)
    monkeypatch.setattr(compiled, "load_dashboards", never)
    assert compiled_dashboards(folder, kept) == first


@pytest.mark.parametrize("file", ["overview.yml", "overview/tiers.sql"])
def test_a_changed_definition_is_compiled(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path, file: str
) -> None:
    kept = tmp_path / "dashboards.json"
    compiled_dashboards(folder, kept)
    changed = folder / file
    changed.write_text(changed.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    monkeypatch.setattr(compiled, "load_dashboards", never)
    with pytest.raises(AssertionError, match="is compiled"):
        compiled_dashboards(folder, kept)


@pytest.mark.parametrize("name", ["THEME_FILE", "MARTS_FILE"])
def test_another_theme_or_contract_is_compiled(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path, name: str
) -> None:
    kept = tmp_path / "dashboards.json"
    compiled_dashboards(folder, kept)
    other = tmp_path / "other.yml"
    other.write_bytes(getattr(compiled, name).read_bytes() + b"\n")
    monkeypatch.setattr(compiled, name, other)
    monkeypatch.setattr(compiled, "load_dashboards", never)
    with pytest.raises(AssertionError, match="is compiled"):
        compiled_dashboards(folder, kept)


def test_a_broken_definition_is_refused(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "dashboards.json"
    compiled_dashboards(folder, kept)
    page = folder / "overview.yml"
    page.write_text(page.read_text(encoding="utf-8") + "\ncolour: red\n", encoding="utf-8")
    with pytest.raises(SpanishGasError, match=r"overview\.yml:.*colour"):
        compiled_dashboards(folder, kept)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": "another"}'])
def test_what_cannot_be_read_is_compiled(folder: Path, tmp_path: Path, content: str) -> None:
    kept = tmp_path / "dashboards.json"
    kept.write_text(content, encoding="utf-8")
    assert compiled_dashboards(folder, kept) == load_dashboards(folder)
    assert '"key"' in kept.read_text(encoding="utf-8")


def test_without_a_place_to_keep_it_is_compiled(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("a file", encoding="utf-8")
    assert compiled_dashboards(folder, tmp_path / "target" / "it.json") == load_dashboards(folder)
