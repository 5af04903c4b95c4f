"""What each column adds to a score: exact TreeSHAP for shallow trees, several times as fast.

The contributions of one tree depend only on which way a row goes at each of its few splits. So they
are worked out once for every combination of ways (128 for a tree of depth 3), and looked up for the
rows; XGBoost works them out for each row anew. The definition is XGBoost's own: path-dependent
Shapley values, splits weighted by the Hessians of the training rows (Lundberg et al. 2020, "From
local explanations to global understanding with explainable AI for trees", algorithm 1).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import xgboost as xgb

MAXIMUM_SPLITS = 8  # of a tree: a table has 2^splits lines
BLOCK = 4096  # rows handled at once, so that their columns stay near the processor


@dataclass(frozen=True)
class TreeTable:
    """The splits of a tree (column, threshold, way of what is missing), and what each combination
    of ways (bit i: left at split i) adds to each of `columns`."""

    column: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    columns: np.ndarray
    values: np.ndarray  # columns × combinations
    bias: float


def tree_tables(booster: xgb.Booster) -> list[TreeTable] | None:
    """Tables of all trees; None where a tree has too many splits or splits a category."""
    document = json.loads(bytes(booster.save_raw("json")))
    trees = document["learner"]["gradient_booster"]["model"]["trees"]
    if any(_is_beyond(tree) for tree in trees):
        return None
    return [_table(tree) for tree in trees]


def _is_beyond(tree: dict[str, Any]) -> bool:
    splits = sum(child >= 0 for child in tree["left_children"])
    return splits > MAXIMUM_SPLITS or bool(tree.get("categories_nodes"))


def contributions(
    booster: xgb.Booster, tables: Sequence[TreeTable], matrix: np.ndarray, threads: int
) -> np.ndarray:
    """Contributions of n rows, n × (columns + 1) float64; the last one is the bias.

    Args:
        booster: whose base score is part of the bias.
        tables: of its trees.
        matrix: n rows, float32; NaN is missing.
        threads: blocks handled side by side; the result is the same for any number.
    """
    rows, width = matrix.shape
    result = np.zeros((width + 1, rows))
    result[-1] = _base_margin(booster) + sum(table.bias for table in tables)

    def fill(start: int) -> None:
        part = slice(start, start + BLOCK)
        block = np.ascontiguousarray(matrix[part].T)
        missing = np.isnan(block)
        has_missing = missing.any(axis=1)
        target = result[:, part]
        for table in tables:
            ways = np.zeros(block.shape[1], dtype=np.uint8)
            for bit, (column, threshold, missing_left) in enumerate(
                zip(table.column, table.threshold, table.missing_left, strict=True)
            ):
                left = block[column] < threshold
                if missing_left and has_missing[column]:
                    left |= missing[column]
                ways |= left.view(np.uint8) << np.uint8(bit)
            for column, values in zip(table.columns, table.values, strict=True):
                target[column] += values[ways]

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, range(0, rows, BLOCK)))
    return result.T


def _base_margin(booster: xgb.Booster) -> float:
    """What every row starts from: of a row without a column to go by, less the trees."""
    stored = json.loads(booster.save_config())["learner"]["learner_model_param"]["base_score"]
    base = float(stored.strip("[]"))
    return math.log(base / (1 - base))


def _table(tree: dict[str, Any]) -> TreeTable:
    left, right = tree["left_children"], tree["right_children"]
    cover, condition = tree["sum_hessian"], tree["split_conditions"]
    splits = [node for node, child in enumerate(left) if child >= 0]
    bit = {node: number for number, node in enumerate(splits)}
    index = np.arange(2 ** len(splits))
    goes_left = [(index >> number) & 1 == 1 for number in range(len(splits))]
    columns = sorted({tree["split_indices"][node] for node in splits})
    values = np.zeros((len(columns), len(index)))
    bias = 0.0
    # Every leaf is a game of its own: its value, if all columns on its path lead there.
    paths: list[tuple[int, dict[int, tuple[np.ndarray, float]]]] = [(0, {})]
    while paths:
        node, path = paths.pop()
        if left[node] < 0:
            bias += condition[node] * math.prod(share for _, share in path.values())
            for column, value in _leaf(condition[node], path).items():
                values[columns.index(column)] += value
            continue
        column = tree["split_indices"][node]
        leads, share = path.get(column, (np.ones(len(index), dtype=bool), 1.0))
        for child, way in (
            (left[node], goes_left[bit[node]]),
            (right[node], ~goes_left[bit[node]]),
        ):
            paths.append(
                (child, path | {column: (leads & way, share * cover[child] / cover[node])})
            )
    return TreeTable(
        column=np.array([tree["split_indices"][node] for node in splits], dtype=np.int64),
        threshold=np.array([condition[node] for node in splits], dtype=np.float32),
        missing_left=np.array([tree["default_left"][node] for node in splits], dtype=bool),
        columns=np.array(columns, dtype=np.int64),
        values=values,
        bias=bias,
    )


def _leaf(value: float, path: dict[int, tuple[np.ndarray, float]]) -> dict[int, np.ndarray]:
    """Shapley values of a leaf for each combination of ways.

    Args:
        value: of the leaf.
        path: for each column on the way, whether the row's ways lead there, and the share of the
            training rows that went there.
    """
    size = len(path)
    shapley = {}
    for column, (leads, share) in path.items():
        others = [entry for name, entry in path.items() if name != column]
        total = np.zeros(len(leads))
        for count in range(size):
            weight = math.factorial(count) * math.factorial(size - count - 1) / math.factorial(size)
            for known in combinations(range(size - 1), count):
                product = np.full(len(leads), weight)
                for number, (other_leads, other_share) in enumerate(others):
                    product = product * (other_leads if number in known else other_share)
                total += product
        shapley[column] = value * total * (leads - share)
    return shapley
