"""Who is in the test part, and in which fold of the training part.

Customers are split, not rows: whatever as-of dates a customer has rows of, they are all on the same
side of every comparison. The test part is of the newest date, so that older rows of its customers
are not used at all.

A customer's place follows from a hash of the seed and the customer id, ranked within the label's
stratum. It does not depend on the order of rows, and when customers come and go between as-of dates
nearly all others keep their part: a champion is seldom compared on rows that it was trained on. The
test part moves on a little every month, so that no customers judge for ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from fractions import Fraction

import numpy as np
import pandas as pd

from python_ml.errors import BadInputError

TRAIN, TEST = "train", "test"
DRAWS = 1 << 56  # a customer's draw is below


def rotation(as_of_date: date, test_share: float) -> float:
    """How far the test part has moved on by a date: one twelfth of itself a month, as a share of
    all customers. After a year it is wholly another."""
    months = as_of_date.year * 12 + as_of_date.month
    return float(Fraction(months, 12) * Fraction(test_share).limit_denominator(1000) % 1)


def stratified_split(
    customer_ids: pd.Series,
    churn: pd.Series,
    *,
    seed: int,
    test_share: float,
    folds: int,
    rotated_by: float = 0.0,
) -> pd.DataFrame:
    """Test part and folds, each with the churn rate of the whole, to within one customer.

    Args:
        customer_ids: n distinct ids.
        churn: n labels, 0 or 1.
        seed: of the hash.
        test_share: of each stratum; 0 leaves no test part.
        folds: of the training part.
        rotated_by: share of the customers by which the test part has moved on (`rotation`).

    Returns:
        n rows sorted by customer: customer_id, split_part (train or test), cv_fold (1 … folds;
        null in the test part).

    Raises:
        BadInputError: a fold would be left without churners or without others.
    """
    churners = int(churn.sum())
    sizes = (churners, len(churn) - churners)
    if not is_splittable(sizes, test_share=test_share, folds=folds):
        raise BadInputError(
            f"too few labelled customers to train on: {sizes[0]} churners and {sizes[1]} others "
            f"for {folds} folds and a test part"
        )
    return _placed(customer_ids, churn, seed, test_share, folds, rotated_by)


def split_by_customer(
    rows: pd.DataFrame,
    target: str,
    as_of_date: date,
    *,
    seed: int,
    test_share: float,
    folds: int,
    rotated_on: date | None = None,
) -> pd.DataFrame:
    """The split of customers with rows of several as-of dates; see `stratified_split`.

    Customers of the newest date are where they are without the other dates. Those who had left by
    then are split alike, although only their training part is of use: if all of them were learned
    from, but four fifths of those who stayed, too many would have left.

    Args:
        rows: labelled rows with customer_id and as_of_date.
        target: name of the label column.
        as_of_date: the newest, of which the test part is.
        seed: of the hash.
        test_share: of each stratum; 0 leaves no test part.
        folds: of the training part.
        rotated_on: as-of date whose test part it is, as far as its customers are still there; the
            newest by default.

    Raises:
        BadInputError: a fold would be left without churners or without others of the newest date.
    """
    newest = of_date(rows, as_of_date)
    moved = rotation(rotated_on or as_of_date, test_share)
    split = stratified_split(
        newest["customer_id"],
        newest[target].astype(int),
        seed=seed,
        test_share=test_share,
        folds=folds,
        rotated_by=moved,
    )
    gone = rows[~rows["customer_id"].isin(newest["customer_id"])]
    if gone.empty:
        return split
    outcome = gone.groupby("customer_id")[target].max().astype(int)
    places = _placed(outcome.index.to_series(), outcome, seed, test_share, folds, moved)
    return pd.concat([split, places]).sort_values("customer_id", ignore_index=True)


def placed(rows: pd.DataFrame, split: pd.DataFrame, as_of_date: date) -> pd.DataFrame:
    """Rows with the split_part and cv_fold of their customer, sorted by customer and date.

    What customers of the test part were on earlier dates is left out.
    """
    joined = rows.merge(split, on="customer_id", validate="many_to_one")
    is_newest = pd.to_datetime(joined["as_of_date"]) == pd.Timestamp(as_of_date)
    kept = joined[is_newest | (joined["split_part"] == TRAIN)]
    return kept.sort_values(["customer_id", "as_of_date"], ignore_index=True)


def of_date(rows: pd.DataFrame, as_of_date: date) -> pd.DataFrame:
    """Those of an as-of date."""
    return rows[pd.to_datetime(rows["as_of_date"]) == pd.Timestamp(as_of_date)]


def _placed(
    customer_ids: pd.Series,
    churn: pd.Series,
    seed: int,
    test_share: float,
    folds: int,
    rotated_by: float,
) -> pd.DataFrame:
    frame = pd.DataFrame({"customer_id": customer_ids.to_numpy(), "churn": churn.to_numpy()})
    frame = frame.sort_values("customer_id", ignore_index=True)
    draws = np.array([_draw(seed, customer) for customer in frame["customer_id"]], dtype=np.int64)
    frame["draw"] = (draws - round(rotated_by * DRAWS)) % DRAWS
    rank = frame.groupby("churn")["draw"].rank(method="first").to_numpy().astype(np.int64) - 1
    size = frame.groupby("churn")["draw"].transform("size").to_numpy()
    test_size = np.rint(size * test_share).astype(np.int64)
    is_test = rank < test_size
    fold = ((rank - test_size) % folds + 1).astype(float)
    return pd.DataFrame(
        {
            "customer_id": frame["customer_id"],
            "split_part": np.where(is_test, TEST, TRAIN),
            "cv_fold": pd.Series(np.where(is_test, np.nan, fold)).astype("Int64"),
        }
    )


def is_splittable(sizes: Sequence[int], *, test_share: float, folds: int) -> bool:
    """Whether strata of these sizes fill every fold, and the test part if there is one."""
    tests = [round(size * test_share) for size in sizes]
    return all(
        size - test >= folds and (test > 0 or test_share == 0)
        for size, test in zip(sizes, tests, strict=True)
    )


def _draw(seed: int, customer_id: str) -> int:
    digest = hashlib.blake2b(f"{seed}:{customer_id}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big")


def split_hash(split: pd.DataFrame) -> str:
    """sha256 of who is where."""
    folds = split["cv_fold"].fillna(0).astype(int)
    lines = split["customer_id"] + "," + split["split_part"] + "," + folds.astype(str)
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
