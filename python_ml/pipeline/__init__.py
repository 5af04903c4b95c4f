"""A run from raw files to published marts, its steps, and commands that are runs themselves."""
