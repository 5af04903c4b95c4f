"""Fixtures that several modules of this folder use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_ml.model.churn_model import ChurnModel
from tests.unit import gold_fixture as gold

if TYPE_CHECKING:
    from tests.unit.machine_fixture import Jobs


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ChurnModel:
    """A model, small and good enough to be stored, loaded and decided on."""
    return gold.small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: ChurnModel) -> Iterator[Jobs]:
    """The state machine's jobs, with the machine in `jobs.machine`."""
    # moto's interpreter takes its second to import
    from tests.unit.machine_fixture import state_machine

    with state_machine(monkeypatch, tmp_path, model) as started:
        yield started
