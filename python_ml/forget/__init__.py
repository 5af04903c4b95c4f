"""Forgetting a person: what is removed, how the next run keeps the person out, and the proof."""
