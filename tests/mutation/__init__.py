"""Mutation testing: small faults planted in the core modules, each of which a test must notice."""
