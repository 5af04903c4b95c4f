"""Simulator of the company's seven raw files; docs/simulator.md describes it.

from pathlib import Path
from python_ml.simulate.run import append_month, simulate
simulate(Path("data/raw"), customers=2000, seed=7)
append_month(Path("data/raw"), "2025-01", shift="price-shock")
"""
