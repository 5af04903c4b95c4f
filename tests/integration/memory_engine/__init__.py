"""A third engine, to show what one takes: this folder, and a line in `python_ml.engines.ENGINES`.

Published tables and the record of runs live in the memory of this process. Runs build in a file of
the home, as dbt's adapter wants one, and the lake is a folder.
"""
