"""Numeric transforms learned column by column from the training rows: logs, Yeo-Johnson, rank.

Used by `smalldata.pipeline.preprocess`. Missing values stay missing. No Python loop runs over
columns.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from smalldata.errors import DataError
from smalldata.learner import Array

CHUNK = 1024
"""Columns processed at a time, so that intermediates stay in the cache."""
FARTHEST = 1e6
"""Standard deviations at which Yeo-Johnson clips a value, so that no power overflows."""
LOWEST_POWER, HIGHEST_POWER = -2.0, 4.0
"""Range of the Yeo-Johnson power; it is symmetric about 1, where the transform is the identity."""


class Transform(Protocol):
    """A fitted transform of the numeric columns."""

    def __call__(self, X: Array) -> Array:
        """Transform rows; X of shape (n_samples, n_columns), NaN stays NaN."""
        ...

    def subset(self, columns: NDArray[np.int64]) -> "Transform":
        """Return the same transform of some of the columns."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Log1p:
    """log(1 + x); learns nothing and refuses negative values."""

    names: NDArray[np.object_]

    def __call__(self, X: Array) -> Array:
        """Transform rows."""
        _refuse_negative(X, self.names, "log1p")
        return np.log1p(X)

    def subset(self, columns: NDArray[np.int64]) -> "Log1p":
        """Return the same transform of some of the columns."""
        return Log1p(names=self.names[columns])


@dataclass(frozen=True, kw_only=True, eq=False)
class Log:
    """log(x + c); c is half of the column's smallest value above 0, or 1 if it has none.

    So percentages near 0 and counts in millions get a scale of their own. It refuses negative
    values.
    """

    names: NDArray[np.object_]
    offset: Array

    def __call__(self, X: Array) -> Array:
        """Transform rows."""
        _refuse_negative(X, self.names, "log")
        return np.asarray(np.log(X + self.offset))

    def subset(self, columns: NDArray[np.int64]) -> "Log":
        """Return the same transform of some of the columns."""
        return Log(names=self.names[columns], offset=self.offset[columns])


@dataclass(frozen=True, kw_only=True, eq=False)
class YeoJohnson:
    """Yeo-Johnson power of the standardised column (Yeo & Johnson 2000, Biometrika 87, 954-959).

    The column is centred and scaled first, which makes the transform independent of its unit and
    keeps the powers of huge values finite. The power is the maximum-likelihood one in [-2, 4]; a
    constant column gives zeros.
    """

    centre: Array
    scale: Array
    power: Array

    def __call__(self, X: Array) -> Array:
        """Transform rows."""
        out = np.empty_like(X)
        for part in column_chunks(X.shape[1]):
            z = standardise(X[:, part], self.centre[part], self.scale[part])
            np.clip(z, -FARTHEST, FARTHEST, out=z)
            out[:, part] = _powered(np.log1p(np.abs(z)), z < 0, self.power[part])
        return out

    def subset(self, columns: NDArray[np.int64]) -> "YeoJohnson":
        """Return the same transform of some of the columns."""
        return YeoJohnson(
            centre=self.centre[columns], scale=self.scale[columns], power=self.power[columns]
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Rank:
    """Normal score of a value's rank among the training values of its column.

    The rank is the share of training values below plus half the share of equal ones, at least half
    a row from 0 and 1; a value between two training values is half-way between their ranks. A
    constant column gives zeros.
    """

    ordered: Array
    n_observed: NDArray[np.int64]

    def __call__(self, X: Array) -> Array:
        """Transform rows."""
        out = np.empty_like(X)
        for part in column_chunks(X.shape[1]):
            ordered, n = self.ordered[:, part], self.n_observed[part]
            below = _count_below(ordered, n, X[:, part], inclusive=False)
            upto = _count_below(ordered, n, X[:, part], inclusive=True)
            n_safe = np.maximum(n, 1)
            place = np.clip((below + upto) / (2 * n_safe), 0.5 / n_safe, 1 - 0.5 / n_safe)
            out[:, part] = ndtri(place)
            constant = (n == 0) | (ordered[0] == ordered[np.maximum(n - 1, 0), np.arange(len(n))])
            out[:, part][:, constant] = 0.0
        out[np.isnan(X)] = np.nan
        return out

    def subset(self, columns: NDArray[np.int64]) -> "Rank":
        """Return the same transform of some of the columns."""
        return Rank(ordered=self.ordered[:, columns], n_observed=self.n_observed[columns])


def fit_yeo_johnson(X: Array) -> YeoJohnson:
    """Fit one power per column by golden-section search of its profile likelihood.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        NaN where missing.

    Returns
    -------
    YeoJohnson
    """
    centre, scale = centre_and_scale(X)
    power = np.empty(X.shape[1])
    for part in column_chunks(X.shape[1]):
        z = standardise(X[:, part], centre[part], scale[part])
        observed = ~np.isnan(z)
        z[~observed] = 0.0
        power[part] = _best_power(z, observed)
    power[scale == 0] = 1.0
    return YeoJohnson(centre=centre, scale=scale, power=power)


def fit_log(X: Array, names: NDArray[np.object_]) -> Log:
    """Find the offset of each column; X of shape (n_samples, n_columns), NaN where missing."""
    smallest = np.empty(X.shape[1])
    for part in column_chunks(X.shape[1]):
        positive = np.where(X[:, part] > 0, X[:, part], np.inf)
        smallest[part] = positive.min(axis=0, initial=np.inf)
    half = np.maximum(smallest / 2, np.finfo(np.float64).tiny)
    return Log(names=names, offset=np.where(np.isfinite(smallest), half, 1.0))


def fit_rank(X: Array) -> Rank:
    """Keep the training values in order; X of shape (n_samples, n_columns), NaN where missing."""
    return Rank(ordered=np.sort(X, axis=0), n_observed=(~np.isnan(X)).sum(axis=0))


def centre_and_scale(X: Array) -> tuple[Array, Array]:
    """Return the mean and standard deviation of each column over its observed rows.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        NaN where missing.

    Returns
    -------
    centre, scale : ndarray of shape (n_columns,)
        ``scale`` is 0 for a column that is constant (up to rounding) or all missing, ``centre`` is
        0 for one all missing.
    """
    centre, scale = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for part in column_chunks(X.shape[1]):
        x = X[:, part]
        observed = ~np.isnan(x)
        n = np.maximum(observed.sum(axis=0), 1)
        # Dividing by the largest magnitude first keeps the squares of huge values finite.
        size = np.max(np.where(observed, np.abs(x), 0.0), axis=0)
        size[size == 0] = 1.0
        z = np.where(observed, x, 0.0) / size
        mean = z.sum(axis=0) / n
        spread = np.sqrt((np.where(observed, z - mean, 0.0) ** 2).sum(axis=0) / n)
        # The mean of n equal numbers has rounding errors, so a spread of that size is none.
        spread[spread <= 10 * np.finfo(np.float64).eps * n] = 0.0
        centre[part], scale[part] = mean * size, spread * size
    return centre, scale


def standardise(X: Array, centre: Array, scale: Array) -> Array:
    """Return (X - centre) / scale, and zeros in columns with scale 0 (NaN stays NaN)."""
    constant = scale == 0
    out = (X - centre) / np.where(constant, 1.0, scale)
    if constant.any():
        out[:, constant] = np.where(np.isnan(X[:, constant]), np.nan, 0.0)
    return out


def _refuse_negative(X: Array, names: NDArray[np.object_], transform: str) -> None:
    if (X < 0).any():
        row, column = np.argwhere(X < 0)[0]
        raise DataError(
            f"preprocess.transform={transform} needs values of 0 or more; "
            f"feature {names[column]!r} has {X[row, column]:g}. "
            "Use preprocess.transform=yeo-johnson."
        )


def column_chunks(n_columns: int) -> list[slice]:
    """Return slices of at most `CHUNK` columns."""
    return [slice(start, start + CHUNK) for start in range(0, n_columns, CHUNK)]


def _powered(log_size: Array, negative: NDArray[np.bool_], power: Array) -> Array:
    """sign(z) (exp(p log(1 + |z|)) - 1) / p with p = power, or 2 - power where z < 0."""
    exponent = np.where(negative, 2.0 - power, power)
    # The limit p -> 0 is log_size itself; at |p| = 1e-8 the quotient equals it to eight digits.
    exponent[np.abs(exponent) < 1e-8] = 1e-8
    out = np.expm1(exponent * log_size) / exponent
    return np.where(negative, -out, out)


def _best_power(z: Array, observed: NDArray[np.bool_]) -> Array:
    log_size, negative = np.log1p(np.abs(z)), z < 0
    n = np.maximum(observed.sum(axis=0), 1)
    jacobian = np.where(negative, -log_size, log_size).sum(axis=0)

    def likelihood(power: Array) -> Array:
        out = _powered(log_size, negative, power)
        centred = np.where(observed, out - out.sum(axis=0) / n, 0.0)
        variance = np.maximum((centred**2).sum(axis=0) / n, np.finfo(np.float64).tiny)
        return np.asarray(-0.5 * n * np.log(variance) + (power - 1) * jacobian, dtype=np.float64)

    ratio = (np.sqrt(5.0) - 1) / 2
    low = np.full(z.shape[1], LOWEST_POWER)
    high = np.full(z.shape[1], HIGHEST_POWER)
    inner_low, inner_high = high - ratio * (high - low), low + ratio * (high - low)
    at_low, at_high = likelihood(inner_low), likelihood(inner_high)
    for _ in range(20):  # leaves an interval of 6 * 0.618**20 = 4e-4
        left = at_low >= at_high
        high, low = np.where(left, inner_high, high), np.where(left, low, inner_low)
        fresh = np.where(left, high - ratio * (high - low), low + ratio * (high - low))
        value = likelihood(fresh)
        inner_low, inner_high = (
            np.where(left, fresh, inner_high),
            np.where(left, inner_low, fresh),
        )
        at_low, at_high = np.where(left, value, at_high), np.where(left, at_low, value)
    return np.asarray((low + high) / 2, dtype=np.float64)


def _count_below(
    ordered: Array, n_observed: NDArray[np.int64], X: Array, *, inclusive: bool
) -> NDArray[np.int64]:
    """Count the ordered values below each value of X (or up to it), by bisection of all at once."""
    low = np.zeros(X.shape, dtype=np.int64)
    high = np.broadcast_to(n_observed, X.shape).copy()
    last = max(len(ordered) - 1, 0)
    for _ in range(len(ordered).bit_length()):
        middle = (low + high) // 2
        found = np.take_along_axis(ordered, np.minimum(middle, last), axis=0)
        right = (found <= X if inclusive else found < X) & (low < high)
        low = np.where(right, middle + 1, low)
        high = np.where(right, high, middle)
    return low
