"""The `spanishgas` command: parses, calls a stage, prints.

Its modules import what a command does within that command: dbt, XGBoost and pandas take seconds,
which `--help` and other commands need not wait for.
"""
