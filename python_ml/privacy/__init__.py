"""Forgetting a person: what gives a person away in files, what is removed, and the proof."""
