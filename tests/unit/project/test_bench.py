"""What `make bench` calls a missed target."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.performance import FULL_SIZE, SMALL_SIZE, Measured, noise_of, targets


def measured(seconds: float, **steps: float) -> Measured:
    listed = [{"step": name, "seconds": value} for name, value in steps.items()]
    return Measured(seconds, 900.0, {"steps": listed})


@pytest.fixture
def sizes() -> dict[int, dict[str, Any]]:
    """Figures of a machine whose bare scan takes two seconds."""
    full = {
        "first run": measured(39, land=5, publish=34),
        "run": measured(36, score=1, train=7),
        "same batch again": measured(2),
        "incremental month": measured(19),
        "aggregation": {
            "scan_seconds_median": 2.0,
            "ratio_median": 2.4,
            "aggregation_peak_mb_maximum": 400.0,
        },
    }
    return {FULL_SIZE: full, SMALL_SIZE: {"first run": measured(12)}}


def missed(sizes: dict[int, dict[str, Any]], noise: float = 0.0) -> list[str]:
    return [target.name for target in targets(sizes, 0.1) if target.is_missed(noise)]


def test_targets_are_ratios_to_the_scan_of_the_same_bench(sizes: dict[int, dict[str, Any]]) -> None:
    assert missed(sizes) == []
    sizes[FULL_SIZE]["aggregation"]["scan_seconds_median"] = 1.0  # all else takes twice as long
    assert missed(sizes) == [
        "first run, land to publish, times the bare scan",
        "one month more in mode score, times the bare scan",
    ]


def test_what_a_small_run_costs_is_held_to_a_third(sizes: dict[int, dict[str, Any]]) -> None:
    sizes[SMALL_SIZE]["first run"] = measured(14)
    assert missed(sizes) == ["first run of 500 customers, share of this one"]
    assert missed(sizes, noise=0.1) == [], "a tenth of noise hides it"


def test_noise_is_how_far_the_same_command_strays() -> None:
    assert noise_of([measured(10), measured(12), measured(9)]) == pytest.approx(0.2)
    assert noise_of([measured(10)]) == 0
