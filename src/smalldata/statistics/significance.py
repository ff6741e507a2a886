"""How certain a difference is by fold scores alone (Nadeau & Bengio), Holm's method, the bootstrap.

Step in the line: fold scores -> **intervals, p-values, probabilities** -> comparison. Arrays in,
numbers out; models and measures are not involved. The default intervals are in `intervals`.

The scores of J folds share training rows, so their plain variance is far too small. Nadeau & Bengio
(2003) widen it by r = n_test / n_train: se^2 = (1/J + r) var(d), and mean(d) / se is compared with
Student's t of J - 1 degrees of freedom.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from smalldata.results.folds import Array

ROUNDING = 1e-12
"""Differences and spreads below this share of the scores are rounding, not evidence."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean and the bounds of its interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """Test of the differences of two score vectors (first minus second).

    Attributes
    ----------
    difference, low, high : float
        Mean difference and its interval.
    t, p : float
        Statistic (infinite if all differences are the same nonzero number) and two-sided p.
    p_above, p_equal, p_below : float
        Posterior probability that the first scores higher by more than the rope, that the two are
        practically equal, that the first scores lower by more than the rope. They sum to 1.
    error, freedom : float
        Standard error of the difference and its degrees of freedom.
    units : int
        Samples, groups or folds that carry it.
    """

    difference: float
    low: float
    high: float
    t: float
    p: float
    p_above: float
    p_equal: float
    p_below: float
    error: float
    freedom: float
    units: int


def corrected_interval(scores: ArrayLike, *, ratio: float, level: float = 0.95) -> Interval:
    """Return the interval of a mean score by the corrected variance of Nadeau & Bengio (2003).

    Parameters
    ----------
    scores : array_like of shape (n_folds,)
        One score per outer fold, at least two.
    ratio : float
        r = n_test / n_train of the full folds.
    level : float

    Raises
    ------
    ValueError
        If there are fewer than two scores: one score has no variance (see `percentile_interval`).

    Example
    -------
    >>> found = corrected_interval([0.8, 0.9, 0.7, 0.8], ratio=1 / 3)
    >>> round(found.mean, 3), round(found.low, 3), round(found.high, 3)
    (0.8, 0.602, 0.998)
    """
    values = np.asarray(scores, dtype=np.float64)
    mean, error = _mean_and_error(values, ratio=ratio, scale=float(np.max(np.abs(values))))
    reach = float(stdtrit(len(values) - 1, 0.5 + level / 2)) * error
    return Interval(mean=mean, low=mean - reach, high=mean + reach)


def corrected_test(
    first: ArrayLike, second: ArrayLike, *, ratio: float, rope: float = 0.0, level: float = 0.95
) -> PairedTest:
    """Run the corrected paired t-test, with its Bayesian version, on scores of the same folds.

    The t-test is Nadeau & Bengio's (2003); the same location-scale t is the posterior of the
    correlated Bayesian t-test (Corani & Benavoli 2015).

    Parameters
    ----------
    first, second : array_like of shape (n_folds,)
        Scores of two models on the same folds, in the same order.
    ratio : float
        r = n_test / n_train of the full folds.
    rope : float
        Half width of the region of practical equivalence, in the unit of the scores.
    level : float

    Raises
    ------
    ValueError
        If the lengths differ or there are fewer than two folds.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"both models need the same folds; got {len(a)} and {len(b)} scores")
    scale = float(max(np.max(np.abs(a)), np.max(np.abs(b))))
    mean, error = _mean_and_error(a - b, ratio=ratio, scale=scale)
    freedom = len(a) - 1
    t = _statistic(mean, error)
    if error == 0:
        above, below = float(mean > rope), float(mean < -rope)
    else:
        above = float(stdtr(freedom, (mean - rope) / error))
        below = float(stdtr(freedom, (-rope - mean) / error))
    reach = float(stdtrit(freedom, 0.5 + level / 2)) * error
    return PairedTest(
        difference=mean,
        low=mean - reach,
        high=mean + reach,
        t=t,
        p=float(min(1.0, 2 * stdtr(freedom, -abs(t)))),
        p_above=above,
        p_equal=max(0.0, 1 - above - below),
        p_below=below,
        error=error,
        freedom=float(freedom),
        units=len(a),
    )


def corrected_draws(scores: Array, *, ratio: float, n_draws: int, seed: int) -> Array:
    """Draw several mean scores together, with the corrected intervals as their margins.

    This is the bootstrap over folds with the corrected variance. Each draw weights the folds for
    all columns together (normal weights around equal ones, which have the first two moments of
    drawing folds with replacement but never repeat a draw, even with few folds), so that
    differences of columns keep their pairing; deviations from the mean are widened from 1/J to
    1/J + r (Nadeau & Bengio 2003), and by a common factor from the normal distribution to
    Student's t of J - 1 degrees of freedom.

    Parameters
    ----------
    scores : ndarray of shape (n_folds, n_columns)
        At least two folds; a column per model (or model and training size) on the same folds.
    ratio : float
        r = n_test / n_train of the full folds.
    n_draws : int
    seed : int

    Returns
    -------
    ndarray of shape (n_draws, n_columns)
        Multivariate t around the means; covariance (1/J + r) times that of the columns.

    Raises
    ------
    ValueError
        If there are fewer than two folds.

    Example
    -------
    >>> folds = np.array([[0.8, 0.7], [0.9, 0.8], [0.7, 0.6], [0.8, 0.7]])
    >>> draws = corrected_draws(folds, ratio=1 / 3, n_draws=1000, seed=0)
    >>> bool(np.allclose(draws[:, 0] - draws[:, 1], 0.1))
    True
    """
    n_folds = len(scores)
    if n_folds < 2:
        raise ValueError(f"an interval over folds needs at least two scores; got {n_folds}")
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((n_draws, n_folds))
    freedom = n_folds - 1
    wider = np.sqrt((1 / n_folds + ratio) / rng.chisquare(freedom, size=n_draws))
    mean = scores.mean(axis=0)
    return np.asarray(mean + wider[:, None] * (weights @ (scores - mean)))


def _mean_and_error(values: Array, *, ratio: float, scale: float) -> tuple[float, float]:
    """Return mean and corrected standard error; values that rounding can explain count as 0."""
    n_folds = len(values)
    if n_folds < 2:
        raise ValueError(f"an interval over folds needs at least two scores; got {n_folds}")
    mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
    mean = mean if abs(mean) > ROUNDING * scale else 0.0
    spread = spread if spread > ROUNDING * scale else 0.0
    return mean, math.sqrt(1 / n_folds + ratio) * spread


def _statistic(mean: float, error: float) -> float:
    if error == 0:
        return 0.0 if mean == 0 else math.copysign(math.inf, mean)
    return mean / error


def holm(p_values: Sequence[float] | Array) -> Array:
    """Adjust p-values of a family by Holm's (1979) step-down method.

    Parameters
    ----------
    p_values : array_like of shape (n_tests,)

    Returns
    -------
    ndarray of shape (n_tests,)
        In the order given; reject where at most alpha.

    Example
    -------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


# ---------------------------------------------------------------- the bootstrap


def draw_weights(units: NDArray[np.int64], n_draws: int, *, seed: int) -> Array:
    """Return how often each row is drawn when whole units are drawn with replacement.

    Parameters
    ----------
    units : ndarray of shape (n_rows,)
        Code of the unit (row or group) that each row belongs to.
    n_draws : int
    seed : int

    Returns
    -------
    ndarray of shape (n_draws, n_rows)
        Whole numbers as float64; rows of one unit have equal weights, and every draw takes as many
        units as there are.
    """
    _, place = np.unique(units, return_inverse=True)
    n_units = int(place.max()) + 1
    drawn = np.random.default_rng(seed).integers(0, n_units, size=(n_draws, n_units))
    flat = drawn + n_units * np.arange(n_draws)[:, None]
    counts = np.bincount(flat.ravel(), minlength=n_draws * n_units).reshape(n_draws, n_units)
    return np.asarray(counts[:, place], dtype=np.float64)


def percentile_interval(score: float, draws: Array, *, level: float = 0.95) -> Interval:
    """Return the bootstrap percentile interval of a score, leaving out undefined draws.

    Parameters
    ----------
    score : float
        On the original rows.
    draws : ndarray of shape (n_draws,)
        On each draw; NaN if undefined.
    level : float
    """
    defined = draws[~np.isnan(draws)]
    if not len(defined):
        return Interval(mean=score, low=score, high=score)
    low, high = np.quantile(defined, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(mean=score, low=float(low), high=float(high))
