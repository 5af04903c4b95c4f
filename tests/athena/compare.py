"""Two tables, cell by cell."""

from __future__ import annotations

import numpy as np
import pandas as pd

RELATIVE = 1e-9  # of doubles; everything else is equal or it is a defect
# Of what a model gives: its smooth terms are fitted by iteration, which stops some way before the
# optimum and carries differences in the last digits of the gold mart along.
RELATIVE_OF_SCORES = 1e-6


def differences(left: pd.DataFrame, right: pd.DataFrame, relative: float = RELATIVE) -> list[str]:
    """What differs between two tables whose rows come in any order."""
    if sorted(left.columns) != sorted(right.columns):
        return [f"columns {sorted(set(left.columns) ^ set(right.columns))}"]
    if len(left) != len(right):
        return [f"{len(left)} rows against {len(right)}"]
    left, right = _ordered(left), _ordered(right[left.columns])
    found = []
    for column in left.columns:
        unequal = _unequal(left[column], right[column], relative)
        if unequal.any():
            first = int(np.flatnonzero(unequal)[0])
            example = f"{left[column].iloc[first]!r} against {right[column].iloc[first]!r}"
            found.append(f"{column}: {int(unequal.sum())} cells, the first {example}")
    return found


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order of everything exact, then of the doubles."""
    doubles = [c for c in frame.columns if frame[c].dtype == np.float64]
    keys = [c for c in frame.columns if c not in doubles] + doubles
    helper = frame.assign(**{c: frame[c].round(6) for c in doubles})
    helper = helper.assign(**{c: helper[c].astype(str) for c in keys if frame[c].dtype == object})
    return frame.loc[helper.sort_values(keys, kind="stable").index].reset_index(drop=True)


def _unequal(left: pd.Series, right: pd.Series, relative: float) -> np.ndarray:
    both_null = (left.isna() & right.isna()).to_numpy()
    one_null = (left.isna() ^ right.isna()).to_numpy()
    if left.dtype == np.float64 and right.dtype == np.float64:
        close = np.isclose(left, right, rtol=relative, atol=0)
    else:
        close = (left == right).fillna(False).to_numpy(dtype=bool)
    return (~close & ~both_null) | one_null
