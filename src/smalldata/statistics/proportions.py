"""Intervals of proportions, of their ratio and of their difference; never of zero width.

Arrays go in, one entry per proportion; several are done at once. Step in the line: none of its own;
the report's section on thresholds uses it. All intervals are score intervals (Wilson 1927, *JASA*
22:209) or made of them, so 15 of 15 gives 0.80 to 1.00, and not 1.00 to 1.00. Rows that come in
groups count as fewer: the number that a simple random sample would need to be as informative
(Korn & Graubard 1998, *Survey Methodology* 24:193).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from smalldata.results.folds import Array
from smalldata.seeding import seed_for
from smalldata.statistics.significance import draw_weights

N_DRAWS = 200
"""Bootstrap draws in which thresholds are chosen again."""

UNSEEN = 1.25
"""Factor on the variance over the draws, which keep the fitted models: see docs/decisions/052."""

QUANTILE = float(ndtri(0.975))
"""Of the 95 % intervals."""

_REACH = 1e9
"""A ratio beyond this, or below its inverse, is unbounded in practice."""

_HALVINGS = 100


class Interval(NamedTuple):
    """Lower and upper ends, one entry per estimate."""

    low: Array
    high: Array


def effective_size(calls: Array, groups: NDArray[np.int64] | None = None) -> Array:
    """Return how many independent rows the rows are worth, column by column.

    Parameters
    ----------
    calls : ndarray of shape (n_rows, n_columns)
        From 0 to 1; the mean of a column is the proportion.
    groups : ndarray of shape (n_rows,), optional
        Rows with the same code are not independent.

    Returns
    -------
    ndarray of shape (n_columns,)
        The number of rows without groups. With groups that number over the design effect of the
        cluster-robust variance, made smaller for the few groups by Student's t; if all rows have
        the same value there is no variance to see, and each group counts as one row. 0 for a single
        group.
    """
    n_rows, n_columns = calls.shape
    if groups is None:
        return np.full(n_columns, float(n_rows))
    codes = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(codes)
    n_groups = len(sizes)
    if n_groups < 2:
        return np.zeros(n_columns)
    share = calls.mean(axis=0)
    excess = np.zeros((n_groups, n_columns))
    np.add.at(excess, codes, calls - share)
    robust = n_groups / (n_groups - 1) * (excess**2).sum(axis=0) / n_rows**2
    simple = share * (1 - share) / n_rows
    most = float(n_rows * np.sum(sizes**2)) / n_rows**2
    effect = np.divide(robust, simple, out=np.full(n_columns, most), where=simple > 1e-12)
    few = (stdtrit(n_rows - 1, 0.975) / stdtrit(n_groups - 1, 0.975)) ** 2
    return np.asarray(n_rows / np.maximum(effect, 1.0) * few)


def draw_rows(n_rows: int, groups: NDArray[np.int64] | None, *, seed: int) -> Array:
    """Return how often each row is drawn in each of `N_DRAWS` draws; groups are drawn whole.

    Parameters
    ----------
    n_rows : int
        All rows of the task.
    groups : ndarray of shape (n_rows,) or None
    seed : int
        Of the run: all folds of a cell see the same draws.

    Returns
    -------
    ndarray of shape (N_DRAWS, n_rows)
    """
    units = np.arange(n_rows) if groups is None else groups
    return draw_weights(units, N_DRAWS, seed=seed_for(seed, "threshold draws"))


def size_by_draws(share: float, drawn: Array, most: float) -> float:
    """Return how many independent rows a proportion is worth whose rule depends on the rows.

    A threshold that is chosen on the samples moves all calls of a fold together, which the number
    of rows does not show. The draws do: in each, the rule chooses again.

    Parameters
    ----------
    share : float
        The proportion.
    drawn : ndarray of shape (n_draws,)
        The proportion on each draw; NaN if undefined.
    most : float
        Its independent rows if the threshold were fixed.
    """
    variance = UNSEEN * float(np.nanvar(drawn, ddof=1)) if np.isfinite(drawn).sum() > 1 else 0.0
    if not 0 < share < 1:
        share = (share * most + 2) / (most + 4)  # Agresti & Coull: its variance is not 0
    return most if variance <= 0 else min(most, share * (1 - share) / variance)


def wilson_interval(share: Array, n: Array) -> Interval:
    """Return the 95 % score interval of a proportion (Wilson 1927).

    Parameters
    ----------
    share : ndarray
    n : ndarray of the same shape
        Independent rows, not necessarily a whole number; with 0 the interval is 0 to 1.

    Example
    -------
    >>> low, high = wilson_interval(np.array([1.0]), np.array([15.0]))
    >>> low.round(3).tolist(), high.tolist()
    ([0.796], [1.0])
    """
    size = np.maximum(n, 1e-9)
    z2 = QUANTILE**2
    middle = (share + z2 / (2 * size)) / (1 + z2 / size)
    half = QUANTILE * np.sqrt(share * (1 - share) / size + z2 / (4 * size**2)) / (1 + z2 / size)
    low = np.where(share <= 0, 0.0, np.maximum(middle - half, 0.0))
    high = np.where(share >= 1, 1.0, np.minimum(middle + half, 1.0))
    return Interval(low, high)


def ratio_interval(first: Array, n_first: Array, second: Array, n_second: Array) -> Interval:
    """Return the 95 % score interval of the ratio of two independent proportions.

    The bounds are the ratios that a score test does not reject (Koopman 1984, *Biometrics* 40:513).
    Unlike the logarithm's they exist for proportions of 0 and 1: the upper bound is infinite if the
    second proportion is 0, the lower bound is 0 if the first is.

    Parameters
    ----------
    first, second : ndarray
        Proportions.
    n_first, n_second : ndarray
        Their independent rows.

    Example
    -------
    >>> low, high = ratio_interval(*(np.array([value]) for value in (36 / 40, 40, 16 / 80, 80)))
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([2.94], [7.15])
    """
    n_1, n_2 = np.maximum(n_first, 1e-9), np.maximum(n_second, 1e-9)

    def bound(target: float) -> Array:
        below = np.full(first.shape, -np.log(_REACH))
        above = -below
        for _ in range(_HALVINGS):
            middle = (below + above) / 2
            is_below = _score(np.exp(middle), first, n_1, second, n_2) > target
            below = np.where(is_below, middle, below)
            above = np.where(is_below, above, middle)
        found: Array = np.exp((below + above) / 2)
        return found

    low, high = bound(QUANTILE), bound(-QUANTILE)
    low = np.where((first <= 0) | (low <= 1.01 / _REACH), 0.0, low)
    high = np.where((second <= 0) | (high >= _REACH / 1.01), np.inf, high)
    return Interval(low, high)


def _score(ratio: Array, first: Array, n_1: Array, second: Array, n_2: Array) -> Array:
    """Return the score statistic of a ratio, which falls as the ratio rises."""
    total = n_1 + n_2
    a = total * ratio
    b = -(ratio * n_1 + n_1 * first + n_2 + ratio * n_2 * second)
    c = n_1 * first + n_2 * second
    lower = (-b - np.sqrt(np.maximum(b * b - 4 * a * c, 0.0))) / (2 * a)
    lower = np.clip(lower, 0.0, np.minimum(1.0, 1 / ratio))
    upper = np.clip(ratio * lower, 0.0, 1.0)
    variance = upper * (1 - upper) / n_1 + ratio**2 * lower * (1 - lower) / n_2
    gap = first - ratio * second
    return np.asarray(gap / np.sqrt(np.maximum(variance, 1e-300)))


def weighted_difference(
    weight_1: Array, first: Array, n_first: Array, weight_2: Array, second: Array, n_second: Array
) -> Interval:
    """Return the 95 % interval of weight_1 * first - weight_2 * second.

    It is put together from the Wilson intervals of both proportions (MOVER: Zou & Donner 2008,
    *Statistics in Medicine* 27:1693), so it has a width even if both are 0 or 1.

    Parameters
    ----------
    weight_1, weight_2 : ndarray
        Not negative.
    first, second : ndarray
        Independent proportions.
    n_first, n_second : ndarray
        Their independent rows.
    """
    one, two = wilson_interval(first, n_first), wilson_interval(second, n_second)
    estimate = weight_1 * first - weight_2 * second
    down = np.hypot(weight_1 * (first - one.low), weight_2 * (two.high - second))
    up = np.hypot(weight_1 * (one.high - first), weight_2 * (second - two.low))
    return Interval(estimate - down, estimate + up)
