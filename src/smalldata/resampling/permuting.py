"""Permuted labels: the one rule for which rows may exchange their labels.

Step in the line: Task -> **Task with permuted labels** -> splits. Permuting says what happens
without a link between features and labels only if the order of the labels is then a matter of
chance. With groups, the rows of a group resemble each other, so:

- where each group has one label, whole groups exchange theirs, among groups of the same number of
  rows: the label of a large group counts for more rows, and may go with the size;
- where labels differ within a group, rows exchange them within their group. What distinguishes the
  groups stays as it is;
- without groups, all rows do.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ConfigError, SmalldataError
from smalldata.resampling.splitting import Rows
from smalldata.seeding import seed_for
from smalldata.task import Task

Exchange = Literal["all rows", "whole groups", "within groups"]
"""What exchanges labels."""

Made = TypeVar("Made")

FEWEST_ORDERS = 20
"""Different orders of the labels needed: with fewer, no p-value can be 0.05."""

MOST_DRAWS = 100
"""How many times to draw again if a permutation leaves a training fold without a class."""


def permute_labels(y: NDArray[Any], groups: NDArray[Any] | None = None, *, seed: int) -> Rows:
    """Draw a permutation of labels; every one that the rule allows is equally likely.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Class codes or values.
    groups : ndarray of shape (n_samples,), optional
    seed : int

    Returns
    -------
    ndarray of shape (n_samples,)
        The row whose label each row gets; a permutation of 0 … n_samples-1.

    Examples
    --------
    >>> y, groups = np.array([0, 0, 1, 1, 1]), np.array(["a", "a", "b", "b", "c"])
    >>> y[permute_labels(y, groups, seed=3)].tolist()  # a and b exchange theirs, or keep them
    [1, 1, 0, 0, 1]
    """
    rng = np.random.default_rng(seed)
    source = np.arange(len(y), dtype=np.int64)
    for units in exchangeable(y, groups):
        source[units] = units[rng.permutation(len(units))]
    return source


def exchangeable(y: NDArray[Any], groups: NDArray[Any] | None) -> list[Rows]:
    """Return sets of units that exchange labels among each other.

    Returns
    -------
    list of ndarray of shape (n_units, n_rows)
        A unit is one row, or the rows of a group.

    Examples
    --------
    >>> sets = exchangeable(np.array([0, 0, 1, 1, 1]), np.array(["a", "a", "b", "b", "c"]))
    >>> [units.tolist() for units in sets]
    [[[4]], [[0, 1], [2, 3]]]
    """
    if groups is None:
        return [np.arange(len(y), dtype=np.int64)[:, None]]
    members = _members(groups)
    if _differ_within(y, members):
        return [rows[:, None] for rows in members]
    sizes = sorted({len(rows) for rows in members})
    return [np.stack([rows for rows in members if len(rows) == size]) for size in sizes]


def find_exchange(y: NDArray[Any], groups: NDArray[Any] | None) -> Exchange:
    """Say what exchanges labels: all rows, whole groups, or rows within their group."""
    if groups is None:
        return "all rows"
    return "within groups" if _differ_within(y, _members(groups)) else "whole groups"


def count_orders(y: NDArray[Any], groups: NDArray[Any] | None = None) -> int:
    """Count the different orders of the labels that permuting can give, the present one included.

    Examples
    --------
    >>> count_orders(np.array([0, 0, 1, 1]))
    6
    >>> count_orders(np.array([0, 0, 1, 1]), np.array(["a", "a", "b", "b"]))
    2
    """
    total = 1
    for units in exchangeable(y, groups):
        _, counts = np.unique(y[units[:, 0]], return_counts=True)
        total *= math.factorial(len(units))
        for count in counts.tolist():
            total //= math.factorial(count)
    return total


def check_permutable(task: Task, *, key: str) -> None:
    """Refuse to permute labels that have too few orders.

    Parameters
    ----------
    task : Task
    key : str
        The setting that asks for permutations.

    Raises
    ------
    ConfigError
        With fewer than `FEWEST_ORDERS` orders.
    """
    n_orders = count_orders(task.y, task.groups)
    if n_orders >= FEWEST_ORDERS:
        return
    found = f"there {'is' if n_orders == 1 else 'are'} {n_orders}"
    how = find_exchange(task.y, task.groups)
    if how == "all rows":
        found += f" of {task.n_samples} samples"
        remedy = "Use more samples"
    elif how == "whole groups":
        found += ", because only groups with the same number of samples may exchange their label"
        remedy = "Keep the same number of samples of each group"
    else:
        found += ", because labels that differ within a group are exchanged within it"
        remedy = "Use groups in which more labels differ"
    raise ConfigError(
        f"{key} needs labels that can be put in at least {FEWEST_ORDERS} different orders; "
        f"{found}. {remedy}, or set {key}=0."
    )


def permute_task(task: Task, *, seed: int) -> Task:
    """Return the task with its labels in another order; rows and groups stay."""
    source = permute_labels(task.y, task.groups, seed=seed)
    dataset = replace(task.dataset, y=np.asarray(task.dataset.y)[source])
    return replace(task, dataset=dataset, y=task.y[source])


def draw_permuted(
    task: Task, make: Callable[[Task], Made], *, seed: int, number: int, key: str
) -> Made:
    """Return what is made of the task with permuted labels, drawn again until it can be made.

    The labels depend on the seed and the number, not on the model.

    Parameters
    ----------
    task : Task
    make : callable
        Task with permuted labels -> anything that needs its folds; raises SmalldataError if these
        labels do not allow it.
    seed : int
        The run's seed.
    number : int
        Of the permutation, from 0.
    key : str
        The setting that asks for permutations.

    Raises
    ------
    ConfigError
        If `MOST_DRAWS` permutations in a row do not allow it.
    """
    reason = ""
    for attempt in range(MOST_DRAWS):
        permuted = permute_task(task, seed=seed_for(seed, "null", number, attempt))
        try:
            return make(permuted)
        except SmalldataError as error:
            reason = str(error)
    raise ConfigError(
        f"permuted labels must leave each class in each training fold; none of {MOST_DRAWS} "
        f"permutations did: {reason} Use fewer and larger folds, or set {key}=0."
    )


def _differ_within(y: NDArray[Any], members: list[Rows]) -> bool:
    """Whether the labels of any group differ."""
    return any((y[rows] != y[rows[0]]).any() for rows in members)


def _members(groups: NDArray[Any]) -> list[Rows]:
    """Return the rows of each group, the groups in order of their names."""
    codes = np.unique(groups.astype(str), return_inverse=True)[1]
    order = np.argsort(codes, kind="stable").astype(np.int64)
    return np.split(order, np.cumsum(np.bincount(codes))[:-1])
