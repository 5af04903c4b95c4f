"""What tables and columns are declared to be: raw files, outputs of python_ml, the gold table."""
