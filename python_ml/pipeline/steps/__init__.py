"""The steps of a run: typed inputs in, a typed result out. Each writes only where nobody reads yet.

pipeline/plan.py puts them in order; their modules are imported when they begin, since libraries of
models and dbt take seconds.
"""
