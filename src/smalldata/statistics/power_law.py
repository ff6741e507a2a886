"""Inverse power laws of learning curves: fitting, evaluation, comparison. Arrays only.

Step in the line: mean scores at several numbers of training samples -> **laws** -> learning curves.
A score that rises with n samples follows score(n) = a - b n^-c, an error that falls a + b n^-c,
with b >= 0, c > 0 and an asymptote a within the measure's range (Cortes, Jackel, Solla, Vapnik &
Denker 1993, *NIPS* 6; Figueroa, Zeng-Treitler, Kandula & Ngo 2012, *BMC Med. Inform. Decis. Mak.*
12:8; Viering & Loog 2023, *IEEE TPAMI* 45:7799).

At a given c the law is linear in a and b, and its least squares within the bounds have a closed
form. So only c is searched, on a grid that is refined around its best point: the fit has no start,
cannot stop at a local minimum between starts, and takes all draws of a bootstrap at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smalldata.results.folds import Array

N_SIZES = 4
"""Fewest sizes for a law: it has three parameters, and one more size must be able to disagree."""

REACH = 4
"""No law is evaluated beyond this many times the largest number of samples it was fitted to."""

EXPONENTS = (0.05, 3.0)
"""Range in which c is searched. Towards 0 the law becomes a straight line in log n."""

N_EXPONENTS = 41
N_ZOOMS = 6
N_WITHIN = 9
"""Points of the first grid, number of refinements, points of each refined grid."""

ROUNDING = 1e-9
"""A rise b n^-c below this share of the scores is rounding: the law is flat."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Laws:
    """Power laws, one per entry of the arrays: a - sign b n^-c.

    Attributes
    ----------
    a, b, c : ndarray of shape (...)
        Asymptote, remaining gain at n = 1, exponent. A flat law has b = 0 and c = 1.
    sign : float
        1 if scores rise with n, -1 if errors fall.
    low, high : float
        Range of the measure; no score is predicted outside of it.
    fewest, most : float
        Smallest and largest number of samples they were fitted to.
    """

    a: Array
    b: Array
    c: Array
    sign: float
    low: float
    high: float
    fewest: float
    most: float

    @property
    def reach(self) -> float:
        """Largest number of samples at which the laws are evaluated."""
        return REACH * self.most

    def at(self, sizes: ArrayLike) -> Array:
        """Return the scores at numbers of samples.

        Parameters
        ----------
        sizes : array_like of shape (n_sizes,)

        Returns
        -------
        ndarray of shape (..., n_sizes)

        Raises
        ------
        ValueError
            If a size is below the smallest one fitted or beyond `reach`.
        """
        n = np.asarray(sizes, dtype=np.float64)
        if np.any(n < self.fewest * (1 - ROUNDING)) or np.any(n > self.reach * (1 + ROUNDING)):
            raise ValueError(
                f"a law fitted to {self.fewest:g} to {self.most:g} samples is evaluated between "
                f"{self.fewest:g} and {self.reach:g}; got {n.min():g} to {n.max():g}"
            )
        gain = self.b[..., None] * n ** -self.c[..., None]
        return np.clip(self.a[..., None] - self.sign * gain, self.low, self.high)


def fit_laws(
    sizes: ArrayLike,
    scores: ArrayLike,
    *,
    higher_is_better: bool,
    low: float = -np.inf,
    high: float = np.inf,
) -> Laws:
    """Fit power laws by least squares, within the bounds of their three numbers.

    Parameters
    ----------
    sizes : array_like of shape (n_sizes,)
        Different numbers of training samples, at least `N_SIZES`.
    scores : array_like of shape (..., n_sizes)
        Means at these sizes; each leading entry is a separate curve (draw).
    higher_is_better : bool
    low, high : float
        Range of the measure, which bounds the asymptote; may be infinite.

    Returns
    -------
    Laws
        With arrays of the leading shape.

    Raises
    ------
    ValueError
        If there are too few sizes, or one of them is not positive or repeated.

    Example
    -------
    >>> n = np.array([20, 40, 80, 160])
    >>> law = fit_laws(n, 0.9 - 2 / n, higher_is_better=True, high=1.0)
    >>> [round(float(value), 3) for value in (law.a, law.b, law.c)]
    [0.9, 2.0, 1.0]
    """
    n = np.asarray(sizes, dtype=np.float64)
    if len(n) < N_SIZES or len(np.unique(n)) < len(n) or np.any(n <= 0):
        raise ValueError(
            f"a law needs at least {N_SIZES} different positive sizes; got {n.tolist()}"
        )
    sign = 1.0 if higher_is_better else -1.0
    given = np.asarray(scores, dtype=np.float64)
    leading = given.shape[:-1]
    # Signs such that scores rise; n in units of its middle, so that x is about 1.
    y = sign * given.reshape(-1, len(n))
    ends = (low, high) if higher_is_better else (-high, -low)
    middle = float(np.exp(np.log(n).mean()))
    a, b, log_c = _best(np.log(n / middle), y, *ends)
    c = np.exp(log_c)
    flat = b <= ROUNDING * np.maximum(np.abs(y).max(axis=1), np.finfo(float).tiny)
    a = np.where(flat, np.clip(y.mean(axis=1), *ends), a)
    b, c = np.where(flat, 0.0, b * middle**c), np.where(flat, 1.0, c)
    return Laws(
        a=(sign * a).reshape(leading),
        b=b.reshape(leading),
        c=c.reshape(leading),
        sign=sign,
        low=low,
        high=high,
        fewest=float(n.min()),
        most=float(n.max()),
    )


def _best(log_n: Array, y: Array, low: float, high: float) -> tuple[Array, Array, Array]:
    """Return the least-squares a, b and log c of rising curves (n_curves, n_sizes)."""
    every = np.arange(len(y))
    ends = np.log(EXPONENTS)
    step = (ends[1] - ends[0]) / (N_EXPONENTS - 1)
    grid = np.tile(np.linspace(ends[0], ends[1], N_EXPONENTS), (len(y), 1))
    for zoom in range(N_ZOOMS + 1):
        a, b, loss = _at_exponents(log_n, y, np.exp(grid), low, high)
        best = np.argmin(loss, axis=1)
        found = a[every, best], b[every, best], grid[every, best]
        if zoom < N_ZOOMS:
            around = found[2][:, None] + step * np.linspace(-1, 1, N_WITHIN)
            grid, step = np.clip(around, *ends), step * 2 / (N_WITHIN - 1)
    return found


def _at_exponents(
    log_n: Array, y: Array, c: Array, low: float, high: float
) -> tuple[Array, Array, Array]:
    """Solve least squares of y = a - b x, x = n^-c, with low <= a <= high and b >= 0, at each c.

    The loss is convex, so its minimum is that of the free line if allowed, or lies on one of the
    bounds b = 0, a = low, a = high, where one parameter is left.

    Parameters
    ----------
    log_n : ndarray of shape (n_sizes,)
    y : ndarray of shape (n_curves, n_sizes)
    c : ndarray of shape (n_curves, n_exponents)

    Returns
    -------
    (a, b, loss) : ndarrays of shape (n_curves, n_exponents)
    """
    x = np.exp(-c[:, :, None] * log_n)
    mean_x, mean_y = x.mean(axis=2), y.mean(axis=1)[:, None]
    mean_xx = (x * x).mean(axis=2)
    mean_xy = np.einsum("ijk,ik->ij", x, y) / len(log_n)
    mean_yy = (y * y).mean(axis=1)[:, None]

    def loss(a: Array, b: Array) -> Array:
        return np.asarray(
            mean_yy
            - 2 * a * mean_y
            + 2 * b * mean_xy
            + a * a
            - 2 * a * b * mean_x
            + b * b * mean_xx
        )

    spread = np.maximum(mean_xx - mean_x**2, np.finfo(float).tiny)
    slope = (mean_x * mean_y - mean_xy) / spread
    line = mean_y + slope * mean_x
    flat = np.broadcast_to(np.clip(mean_y, low, high), mean_x.shape)
    a, b, least = flat, np.zeros_like(mean_x), loss(flat, np.zeros_like(mean_x))
    candidates = [(line, slope, (slope >= 0) & (line >= low) & (line <= high))]
    for end in (low, high):
        if np.isfinite(end):
            rise = np.maximum(0.0, (end * mean_x - mean_xy) / mean_xx)
            candidates.append((np.full_like(mean_x, end), rise, np.isfinite(rise)))
    for other_a, other_b, allowed in candidates:
        found = np.where(allowed, loss(other_a, other_b), np.inf)
        better = found < least
        a, b = np.where(better, other_a, a), np.where(better, other_b, b)
        least = np.where(better, found, least)
    return a, b, least


def draw_laws(
    sizes: ArrayLike,
    means: ArrayLike,
    draws: ArrayLike,
    *,
    higher_is_better: bool,
    low: float = -np.inf,
    high: float = np.inf,
    seed: int,
) -> tuple[Laws, Laws]:
    """Fit a law to the means of a curve, and one to each of their draws.

    The draws show how the means vary with the folds, but not how far the law misses them, since a
    real curve is not a power law. So each draw also gets normal errors, size by size, of the
    standard deviation of the residuals, sqrt(sum of squares / (n_sizes - 3)), as in a residual
    bootstrap (Efron 1979, *Ann. Statist.* 7:1).

    Parameters
    ----------
    sizes : array_like of shape (n_sizes,)
    means : array_like of shape (n_sizes,)
    draws : array_like of shape (n_draws, n_sizes)
    higher_is_better, low, high
        As in `fit_laws`; values outside the range are clipped to it before the fit.
    seed : int
        Seed of the errors.

    Returns
    -------
    (law, laws) : Laws
        The law of the means, and those of the draws, with arrays of shape (n_draws,).
    """
    means, drawn = np.asarray(means, dtype=np.float64), np.asarray(draws, dtype=np.float64)
    law = fit_laws(sizes, means, higher_is_better=higher_is_better, low=low, high=high)
    missed = np.sum((law.at(sizes) - means) ** 2) / (len(means) - N_SIZES + 1)
    errors = np.random.default_rng(seed).standard_normal(drawn.shape) * np.sqrt(missed)
    drawn = np.clip(drawn + errors, low, high)
    return law, fit_laws(sizes, drawn, higher_is_better=higher_is_better, low=low, high=high)


# ---------------------------------------------------------------- where one curve leads


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Numbers of samples between which one side is clearly ahead.

    Attributes
    ----------
    ahead : bool
        True if the first side is ahead, False if the other is.
    start, stop : float
    """

    ahead: bool
    start: float
    stop: float


def clear_stretches(
    sizes: Array, curve: Array, rivals: Array, *, higher_is_better: bool, level: float = 0.95
) -> list[Stretch]:
    """Find where a curve is clearly ahead of every rival, and where some rival is ahead of it.

    At one number of samples the curve is ahead if the interval of its difference to *each* rival
    excludes 0 (an intersection-union test, which needs no correction: Berger 1982,
    *Technometrics* 24:295); it is behind if the interval to *some* rival does, at a level corrected
    for their number (Bonferroni). With one rival, where the two curves truly meet, each claim has
    the error of one interval, so the gap between two stretches is an interval of that level for the
    crossing.

    Parameters
    ----------
    sizes : ndarray of shape (n_sizes,), ascending
    curve : ndarray of shape (n_draws, n_sizes)
    rivals : ndarray of shape (n_rivals, n_draws, n_sizes)
        The same draws.
    higher_is_better : bool
    level : float

    Returns
    -------
    list of Stretch
        In the order of the sizes; neighbours with the same leader are joined only if they touch.
    """
    tail = (1 - level) / 2
    lead = (curve - rivals) * (1.0 if higher_is_better else -1.0)
    ahead = np.all(np.quantile(lead, tail, axis=1) > 0, axis=0)
    behind = np.any(np.quantile(lead, 1 - tail / len(rivals), axis=1) < 0, axis=0)
    state = ahead.astype(int) - behind.astype(int)
    edges = np.flatnonzero(np.diff(state)) + 1
    found = []
    for part in np.split(np.arange(len(sizes)), edges):
        if state[part[0]] != 0:
            start, stop = float(sizes[part[0]]), float(sizes[part[-1]])
            found.append(Stretch(ahead=bool(state[part[0]] > 0), start=start, stop=stop))
    return found


def find_crossing(sizes: Array, difference: Array) -> float | None:
    """Find the number of samples at which a difference changes sign; None unless it does once.

    Parameters
    ----------
    sizes : ndarray of shape (n_sizes,), ascending
    difference : ndarray of shape (n_sizes,)

    Example
    -------
    >>> find_crossing(np.array([10.0, 20.0, 40.0]), np.array([-1.0, -0.5, 0.5]))
    28.284271247461902
    """
    n, gap = sizes[difference != 0], difference[difference != 0]
    place: NDArray[np.int64] = np.flatnonzero(np.sign(gap[:-1]) != np.sign(gap[1:]))
    if len(place) != 1:
        return None
    i = int(place[0])
    share = gap[i] / (gap[i] - gap[i + 1])
    return float(n[i] * (n[i + 1] / n[i]) ** share)
