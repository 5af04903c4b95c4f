"""Judging a model and its data: split, measures, leakage audit, gate, drift, one customer."""
