"""`python -m python_ml.cli`."""

from python_ml.cli.main import main

main()
