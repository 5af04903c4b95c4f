"""The `spanishgas` command: parses, calls a stage, prints."""
