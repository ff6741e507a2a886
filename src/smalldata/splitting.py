"""Seeded index splits: stratified where there are classes, grouped where there are groups.

The one place that cuts rows into parts; the outer, inner, calibration and early-stopping folds all come from here.
Arrays in, arrays out.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import SplitError

Rows = NDArray[np.int64]


def largest_n_splits(y: NDArray[Any], *, stratify: bool, groups: NDArray[Any] | None = None) -> int:
    """Largest number of folds with which every class is in every training fold and every fold has a row.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Class codes, or values when ``stratify`` is False.
    stratify : bool
        True for classification.
    groups : ndarray of shape (n_samples,), optional

    Returns
    -------
    int
        The size of the smallest class (in groups, where there are groups); without classes the number of rows or groups.
    """
    units = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    if not stratify:
        return len(np.unique(units))
    return min(len(np.unique(units[y == code])) for code in np.unique(y))


def make_folds(
    y: NDArray[Any], n_splits: int, *, stratify: bool, groups: NDArray[Any] | None = None, seed: int
) -> list[tuple[Rows, Rows]]:
    """Cut rows into ``n_splits`` (train, test) pairs whose test parts are disjoint and cover all rows.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    n_splits : int
        At least 2 and at most `largest_n_splits` when there are classes.
    stratify : bool
        Keep the class shares of each fold near those of the whole.
    groups : ndarray of shape (n_samples,), optional
        Rows of one group are never on both sides.
    seed : int

    Returns
    -------
    list of (train, test)
        Ascending row positions, int64.

    Raises
    ------
    SplitError
        If there are fewer rows or groups than folds, or some training fold would lack a class.
    """
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    n_units = len(y) if groups is None else len(np.unique(groups))
    unit = "rows" if groups is None else "groups"
    if not 2 <= n_splits <= n_units:
        raise SplitError(
            f"n_splits must lie between 2 and the number of {unit} ({n_units}); got {n_splits}."
        )
    splitter: Any
    if stratify:
        largest = largest_n_splits(y, stratify=True, groups=groups)
        if largest < 2:
            raise SplitError(
                f"the smallest class has {largest} of the {unit}, so some training fold would lack it; "
                "drop the class or join it with another."
            )
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        # A class smaller than n_splits leaves some test folds without it; every training fold still holds it,
        # so the folds are cut on a target in which scikit-learn has nothing to warn about.
        if groups is None and largest < n_splits:
            return _spread_classes(y, n_splits, seed=seed)
        splitter = kind(n_splits, shuffle=True, random_state=seed)
    else:
        splitter = (KFold if groups is None else GroupKFold)(
            n_splits, shuffle=True, random_state=seed
        )
    folds = [
        (train.astype(np.int64), test.astype(np.int64))
        for train, test in splitter.split(np.zeros(len(y)), y, groups)
    ]
    if stratify:
        _check_classes(y, folds)
    return folds


def split_off(
    y: NDArray[Any], n_splits: int, *, stratify: bool, groups: NDArray[Any] | None = None, seed: int
) -> tuple[Rows, Rows] | None:
    """Split off one part in ``n_splits`` (for early stopping or calibration), capped by the smallest class.

    Returns
    -------
    (train, held_out) or None
        None where the cap falls under 2: there is nothing that could be held out honestly.
    """
    n_splits = min(n_splits, largest_n_splits(y, stratify=stratify, groups=groups))
    if n_splits < 2:
        return None
    return make_folds(y, n_splits, stratify=stratify, groups=groups, seed=seed)[0]


def nested_order(y: NDArray[Any], *, stratify: bool, seed: int) -> Rows:
    """Order rows so that every prefix is a stratified sample that begins with one row of each class.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    stratify : bool
        False: a plain permutation.
    seed : int

    Returns
    -------
    ndarray of shape (n_samples,)
        A permutation of the positions 0 … n_samples-1.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(y)).astype(np.int64)
    if not stratify:
        return shuffled
    # The i-th row of a class of size m is due at (i + 1/2) / m of the way; the first of each class comes before all.
    due = np.empty(len(y))
    labels = y[shuffled]
    for code in np.unique(y):
        members = np.flatnonzero(labels == code)
        due[members] = (np.arange(len(members)) + 0.5) / len(members)
        due[members[0]] = -1.0
    return shuffled[np.argsort(due, kind="stable")]


def _spread_classes(y: NDArray[Any], n_splits: int, *, seed: int) -> list[tuple[Rows, Rows]]:
    """Deal each class over the folds in turn, going on where the class before it ended."""
    rng = np.random.default_rng(seed)
    dealt = np.concatenate([rng.permutation(np.flatnonzero(y == code)) for code in np.unique(y)])
    fold_of = np.empty(len(y), dtype=np.int64)
    fold_of[dealt] = np.arange(len(y)) % n_splits
    relabel = rng.permutation(n_splits)
    fold_of = relabel[fold_of]
    return [
        (
            np.flatnonzero(fold_of != fold).astype(np.int64),
            np.flatnonzero(fold_of == fold).astype(np.int64),
        )
        for fold in range(n_splits)
    ]


def _check_classes(y: NDArray[Any], folds: list[tuple[Rows, Rows]]) -> None:
    n_classes = len(np.unique(y))
    if any(len(np.unique(y[train])) < n_classes for train, _ in folds):
        raise SplitError(
            f"with {len(folds)} folds some training fold would lack a class, since whole groups hold it; "
            "use fewer folds or other groups."
        )
