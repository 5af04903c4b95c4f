"""Fixtures that several modules of this folder use."""

import gold_fixture as gold
import pytest


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model, small and good enough to be stored, loaded and decided on."""
    return gold.small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def jobs(monkeypatch, tmp_path, model):
    """The state machine's jobs, with the machine in `jobs.machine`."""
    from machine_fixture import state_machine  # moto's interpreter takes its second to import

    with state_machine(monkeypatch, tmp_path, model) as started:
        yield started
