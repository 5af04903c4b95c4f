"""Any bytes in the place of a raw file or of the mapping: landed or refused, and no other end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzzing import MAPPING, TABLES, Fuzzed, Fuzzer


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Fuzzer:
    return Fuzzer(tmp_path_factory.mktemp("fuzz"))


def draw(fuzzer: Fuzzer, count: int, attempt: Any) -> None:
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def one(data: st.DataObject) -> None:
        attempt(data.draw(fuzzer.inputs()))

    one()


@pytest.mark.slow
def test_any_bytes_are_read_or_refused(fuzzer: Fuzzer) -> None:
    draw(fuzzer, 150, fuzzer.try_reader)


@pytest.mark.slow
def test_any_bytes_in_a_batch_leave_the_lake_as_it_was(fuzzer: Fuzzer) -> None:
    draw(fuzzer, 12, fuzzer.try_one)


def test_the_files_that_are_spoilt_are_good(fuzzer: Fuzzer) -> None:
    """Otherwise only early refusals would be tried."""
    for name in TABLES:
        for ending, content in fuzzer.contents[name].items():
            if ending != "csv.gz":  # holds plain text, which is refused as gzip
                assert fuzzer.try_reader(Fuzzed(name, ending, content)) == "", (name, ending)
    assert fuzzer.try_reader(Fuzzed("mapping", "yml", MAPPING)) == ""


def test_the_fuzzer_sees_what_it_looks_for(fuzzer: Fuzzer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("tests.fuzzing.materialise", fail)
    content = fuzzer.contents["churn_label"]["csv"]
    with pytest.raises(ZeroDivisionError):
        fuzzer.try_reader(Fuzzed("churn_label", "csv", content))
