"""Long statistical proofs, run by hand: `python -m tests.proof.<name>`; exit 1 when one fails."""
