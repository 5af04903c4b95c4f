"""Simulator of the company's seven raw files; docs/simulator.md describes it.

from pathlib import Path
from python_ml.simulate import simulate
simulate(Path("data/raw"), customers=2000, seed=7)
"""

from python_ml.simulate.report import ReportRow, simulation_report
from python_ml.simulate.run import SimulationResult, simulate

__all__ = ["ReportRow", "SimulationResult", "simulate", "simulation_report"]
