"""Seeded index splits: stratified by classes, and grouped by groups, if there are any.

The only place that cuts rows into parts: outer, inner, calibration and early-stopping folds all
come from here. Arrays in, arrays out. The algorithm is our own: every class is in every training
fold or there is an error, there are no warnings, and the folds of a seed do not change with the
version of another library.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import SplitError

Rows = NDArray[np.int64]


def largest_n_splits(y: NDArray[Any], *, stratify: bool, groups: NDArray[Any] | None = None) -> int:
    """Return the largest number of folds for which every test fold can have every class.

    This limits inner, calibration and early-stopping folds. There may be more outer folds (a
    leave-one-out test fold has only one class), as long as no training fold lacks a class.

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
        The size of the smallest class (in groups, if there are groups); without classes the number
        of rows or groups.

    Examples
    --------
    >>> largest_n_splits(np.array([0, 0, 0, 1, 1]), stratify=True)
    2
    """
    units = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    if not stratify:
        return len(np.unique(units))
    return min(len(np.unique(units[y == code])) for code in np.unique(y))


def make_folds(
    y: NDArray[Any], n_splits: int, *, stratify: bool, groups: NDArray[Any] | None = None, seed: int
) -> list[tuple[Rows, Rows]]:
    """Cut rows into ``n_splits`` (train, test) pairs; the test parts are disjoint and cover all.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    n_splits : int
        From 2 to the number of rows (or groups).
    stratify : bool
        Keep the class shares of each fold near those of the whole: without groups, the rows of a
        class (and all rows) differ by at most one between folds.
    groups : ndarray of shape (n_samples,), optional
        Rows of one group are never on both sides.
    seed : int

    Returns
    -------
    list of (train, test)
        Ascending row positions, int64; no part is empty.

    Raises
    ------
    SplitError
        If there are fewer rows or groups than folds, or some training fold would lack a class; the
        message names an n_splits that works.

    Examples
    --------
    >>> folds = make_folds(np.array([0, 0, 1, 1]), 2, stratify=True, seed=0)
    >>> [len(test) for train, test in folds]
    [2, 2]
    """
    n_units = len(y) if groups is None else len(np.unique(groups))
    unit = "rows" if groups is None else "groups"
    if not 2 <= n_splits <= n_units:
        raise SplitError(
            f"n_splits must be between 2 and the number of {unit} ({n_units}); got {n_splits}."
        )
    if stratify and (smallest := largest_n_splits(y, stratify=True, groups=groups)) < 2:
        raise SplitError(
            f"every class must be in at least 2 {unit}, the smallest is in {smallest}, so some "
            "training fold would lack it for any n_splits; drop that class or merge it with "
            "another."
        )
    fold_of = _deal(y, n_splits, stratify=stratify, groups=groups, seed=seed)
    if fold_of is None:
        working = next(
            n
            for n in (*range(n_splits - 1, 1, -1), *range(n_splits + 1, n_units + 1))
            if _deal(y, n, stratify=stratify, groups=groups, seed=seed) is not None
        )
        raise SplitError(
            f"every training fold must have every class; with n_splits={n_splits} whole groups "
            f"would remove one. Set n_splits={working}, the nearest that works here."
        )
    return [
        (
            np.flatnonzero(fold_of != fold).astype(np.int64),
            np.flatnonzero(fold_of == fold).astype(np.int64),
        )
        for fold in range(n_splits)
    ]


def make_holdout(
    y: NDArray[Any],
    test_share: float,
    *,
    stratify: bool,
    groups: NDArray[Any] | None = None,
    seed: int,
) -> tuple[Rows, Rows]:
    """Cut rows once into a training and a test part.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    test_share : float
        Share of the rows in the test part, between 0 and 1; with groups, as close as whole groups
        allow.
    stratify : bool
        Keep the class shares; every class is in the training part.
    groups : ndarray of shape (n_samples,), optional
    seed : int

    Returns
    -------
    (train, test)
        Ascending row positions, int64.

    Raises
    ------
    SplitError
        If the share leaves either part empty or the training part without one of the classes.

    Examples
    --------
    >>> train, test = make_holdout(np.arange(10.0), 0.3, stratify=False, seed=0)
    >>> len(train), len(test)
    (7, 3)
    """
    n_samples = len(y)
    n_least = len(np.unique(y)) if stratify else 1
    n_test = round(test_share * n_samples)
    if not (0 < test_share < 1 and 1 <= n_test <= n_samples - n_least):
        raise SplitError(
            f"test_share must leave at least 1 of the {n_samples} rows for testing and {n_least} "
            f"for training; got {test_share:g}."
        )
    if groups is None:
        order = nested_order(y, stratify=stratify, seed=seed)
        return np.sort(order[: n_samples - n_test]), np.sort(order[n_samples - n_test :])
    shares = np.array([test_share, 1 - test_share])
    part = _deal_groups(y, groups, shares, n_tested=1, stratify=stratify, seed=seed)
    if part is None or len(np.unique(part)) < 2:
        raise SplitError(
            f"the groups must be small enough for a test part of share {test_share:g} and a "
            "training part with every class; these are not. Use cv=groups or another test_share."
        )
    return np.flatnonzero(part == 1).astype(np.int64), np.flatnonzero(part == 0).astype(np.int64)


def split_off(
    y: NDArray[Any], n_splits: int, *, stratify: bool, groups: NDArray[Any] | None = None, seed: int
) -> tuple[Rows, Rows] | None:
    """Split off one part in ``n_splits`` (for early stopping or calibration).

    The smallest class limits ``n_splits``.

    Returns
    -------
    (train, held_out) or None
        None if no part can be held out: the limit is below 2, or whole groups would remove a
        class.
    """
    n_splits = min(n_splits, largest_n_splits(y, stratify=stratify, groups=groups))
    if n_splits < 2:
        return None
    try:
        return make_folds(y, n_splits, stratify=stratify, groups=groups, seed=seed)[0]
    except SplitError:
        return None


def nested_order(y: NDArray[Any], *, stratify: bool, seed: int) -> Rows:
    """Order rows so that every prefix with at least one row per class is a stratified sample.

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

    Examples
    --------
    >>> y = np.array([0, 0, 0, 0, 1, 1])
    >>> sorted(y[nested_order(y, stratify=True, seed=0)[:2]].tolist())
    [0, 1]
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(y)).astype(np.int64)
    if not stratify:
        return shuffled
    # The i-th row of a class of size m is due at (i + 1/2) / m; the first of each class comes
    # before all others.
    due = np.empty(len(y))
    labels = y[shuffled]
    for code in np.unique(y):
        members = np.flatnonzero(labels == code)
        due[members] = (np.arange(len(members)) + 0.5) / len(members)
        due[members[0]] = -1.0
    return shuffled[np.argsort(due, kind="stable")]


def _deal(
    y: NDArray[Any], n_splits: int, *, stratify: bool, groups: NDArray[Any] | None, seed: int
) -> Rows | None:
    """Return the fold of each row; None if whole groups would remove a class from training."""
    if groups is not None:
        shares = np.full(n_splits, 1 / n_splits)
        return _deal_groups(y, groups, shares, n_tested=n_splits, stratify=stratify, seed=seed)
    # Deal each class in turn over the folds, continuing where the previous class ended.
    rng = np.random.default_rng(seed)
    classes = y if stratify else np.zeros(len(y))
    dealt = np.concatenate(
        [rng.permutation(np.flatnonzero(classes == code)) for code in np.unique(classes)]
    )
    fold_of = np.empty(len(y), dtype=np.int64)
    fold_of[dealt] = np.arange(len(y)) % n_splits
    relabelled: Rows = rng.permutation(n_splits)[fold_of]
    return relabelled


def _deal_groups(
    y: NDArray[Any],
    groups: NDArray[Any],
    shares: NDArray[np.float64],
    *,
    n_tested: int,
    stratify: bool,
    seed: int,
) -> Rows | None:
    """Deal whole groups, heaviest first, so that all parts stay near their shares of each class.

    With n_pc rows of class c in part p, N_c in total and s_p the part's share, a group of g_c
    rows goes where sum_c (2 n_pc g_c + g_c^2) / (N_c^2 s_p) is least: the increment of
    sum_pc (n_pc - s_p N_c)^2 / (N_c^2 s_p). The first ``n_tested`` parts are test parts: none of
    them may take all rows of a class; None if that is impossible.
    """
    names, group_of = np.unique(groups, return_inverse=True)
    codes = np.unique(y, return_inverse=True)[1] if stratify else np.zeros(len(y), dtype=np.int64)
    counts = np.zeros((len(names), int(codes.max()) + 1))
    np.add.at(counts, (group_of, codes), 1)
    totals = counts.sum(axis=0)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    heaviness = (counts / totals) ** 2
    placed = np.zeros((len(shares), len(totals)))
    part_of = np.empty(len(names), dtype=np.int64)
    for group in shuffled[np.argsort(-heaviness.sum(axis=1)[shuffled].round(12), kind="stable")]:
        added = counts[group]
        cost = ((2 * placed * added + added**2) / totals**2).sum(axis=1) / shares
        takes_all = ((placed + added == totals) & (added > 0)).any(axis=1)
        if stratify:
            cost[:n_tested][takes_all[:n_tested]] = np.inf
        # With equal shares an empty part is filled before any other takes a second group: nothing
        # in it overlaps and no part has fewer rows.
        part = np.lexsort((placed.sum(axis=1) / shares, cost.round(12)))[0]
        if np.isinf(cost[part]):
            return None
        placed[part] += added
        part_of[group] = part
    dealt: Rows = part_of[group_of]
    return dealt
