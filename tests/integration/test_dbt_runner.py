"""What dbt keeps of the project from one process to the next."""

from __future__ import annotations

from pathlib import Path

from dbt_home import settings_of

from python_ml.dbt_runner import DbtRunner


def test_what_dbt_has_read_serves_the_next_home_with_its_own_paths(tmp_path: Path) -> None:
    manifests = []
    for name in ("one", "other"):
        settings = settings_of(tmp_path / name)
        runner = DbtRunner(settings, tmp_path / "unused", tmp_path / name / "dbt", {})
        manifests.append(runner.manifest()["nodes"])
        lake = str(settings.layout.lake)
        for source in runner._parsed().sources.values():
            assert lake in source.meta["external_location"] and "@" not in str(source.meta)
    first, second = manifests
    assert {key: node["created_at"] for key, node in first.items()} == {
        key: node["created_at"] for key, node in second.items()
    }
