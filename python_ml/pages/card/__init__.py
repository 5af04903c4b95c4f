"""The card of a model version: what it is for, how good it is, and how far it may be trusted.

Written for two readers: a manager stops after the first section, an auditor finds every figure of
the evaluation, with intervals, and where it came from. Figures are read from the tables that
evaluation wrote; nothing is computed again.
"""

from python_ml.pages.card.write import write_card

__all__ = ["write_card"]
