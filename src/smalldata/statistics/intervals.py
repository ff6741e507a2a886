"""Intervals and tests from influences: on a scale that keeps a score inside its range.

Step in the line: Influence -> **intervals, p-values, probabilities** -> comparison. A score with
two bounds gets the interval of a proportion (Wilson). An error is taken to its logarithm, a
difference of scores between -1 and 1 to its inverse hyperbolic tangent; there the interval is
symmetric (delta method). All take Student's t.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from smalldata.results.folds import Array
from smalldata.statistics.influence import Influence, from_folds
from smalldata.statistics.significance import ROUNDING, Interval, PairedTest


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The range of a score, and the monotone map that takes it to the whole line."""

    low: float
    high: float

    def to_line(self, value: float) -> float:
        """Map a score to the line; infinite at a bound of the range."""
        if math.isfinite(self.low) and math.isfinite(self.high):
            share = min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
            with np.errstate(divide="ignore"):
                return float(np.log(share) - np.log1p(-share))
        if math.isfinite(self.low):
            return math.log(value - self.low) if value > self.low else -math.inf
        if math.isfinite(self.high):
            return -math.log(self.high - value) if value < self.high else math.inf
        return value

    def slope(self, value: float) -> float:
        """Return the derivative of `to_line`; infinite at a bound of the range."""
        if math.isfinite(self.low) and math.isfinite(self.high):
            inside = (value - self.low) * (self.high - value)
            return (self.high - self.low) / inside if inside > 0 else math.inf
        distance = value - self.low if math.isfinite(self.low) else self.high - value
        if not math.isfinite(distance):
            return 1.0
        return 1 / distance if distance > 0 else math.inf

    def from_line(self, place: float) -> float:
        """Map a place on the line back to the score."""
        if math.isfinite(self.low) and math.isfinite(self.high):
            share = 1 / (1 + math.exp(-place)) if place > -700 else 0.0
            return self.low + (self.high - self.low) * share
        if math.isfinite(self.low):
            return self.low + _exp(place)
        if math.isfinite(self.high):
            return self.high - _exp(-place)
        return place

    @property
    def of_difference(self) -> "Scale":
        """The scale of a difference of two such scores."""
        span = self.high - self.low
        return Scale(low=-span, high=span)


WHOLE_LINE = Scale(low=-math.inf, high=math.inf)
"""No bounds."""


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


def all_right_bound(n_units: int, *, level: float = 0.95) -> float:
    """Return the share right that n units, all right, leave possible (Clopper & Pearson 1934).

    Example
    -------
    >>> round(all_right_bound(15), 3)
    0.782
    """
    return float((0.5 - level / 2) ** (1 / n_units))


def score_interval(
    mean: float,
    influence: Influence,
    scale: Scale,
    *,
    margin: float | None = None,
    level: float = 0.95,
) -> Interval | None:
    """Return the interval of a mean score.

    Parameters
    ----------
    mean : float
    influence : Influence
    scale : Scale
        Range of the score; the interval stays inside it.
    margin : float, optional
        How far the expected score may be from a mean at a bound of the range, where the samples
        show no variation (see `all_right_bound`).
    level : float

    Returns
    -------
    Interval or None
        None if the samples show no variation and there is no margin.
    """
    if _is_constant(mean, influence, scale):
        if margin is None or mean not in (scale.low, scale.high):
            return None
        inward = mean + (margin if mean == scale.low else -margin)
        return Interval(mean=mean, low=min(mean, inward), high=max(mean, inward))
    bound = float(stdtrit(influence.freedom, 0.5 + level / 2))
    if math.isfinite(scale.low) and math.isfinite(scale.high):
        return _wilson(mean, influence.variance, scale, bound)
    place, error = scale.to_line(mean), math.sqrt(influence.variance) * scale.slope(mean)
    reach = bound * error
    return Interval(
        mean=mean, low=scale.from_line(place - reach), high=scale.from_line(place + reach)
    )


def _wilson(mean: float, variance: float, scale: Scale, bound: float) -> Interval:
    """Return the score interval (Wilson 1927) of a share that has this variance."""
    span = scale.high - scale.low
    share = (mean - scale.low) / span
    weight = bound**2 * variance / (span**2 * share * (1 - share))  # bound^2 / n of a proportion
    centre = (share + weight / 2) / (1 + weight)
    reach = math.sqrt(weight * share * (1 - share) + weight**2 / 4) / (1 + weight)
    low, high = max(0.0, centre - reach), min(1.0, centre + reach)
    return Interval(mean=mean, low=scale.low + span * low, high=scale.low + span * high)


def fold_interval(values: Array, *, ratio: float, scale: Scale = WHOLE_LINE) -> Interval | None:
    """Return the interval of a mean over folds that is no score of single samples.

    Parameters
    ----------
    values : ndarray of shape (n_folds,)
    ratio : float
        r = n_test / n_train of the full folds.
    scale : Scale

    Returns
    -------
    Interval or None
        None with fewer than two folds, or if they show no variation.
    """
    influence = from_folds(values, ratio=ratio)
    if influence is None:
        return None
    return score_interval(float(np.mean(values)), influence, scale)


def difference_test(
    difference: float,
    influence: Influence,
    scale: Scale,
    *,
    rope: float = 0.0,
    unseen: float = 0.0,
    level: float = 0.95,
) -> PairedTest:
    """Test a difference of two mean scores on the same splits (first minus second).

    The probabilities are those of the t distribution around the difference, the posterior under a
    flat prior, as in the correlated Bayesian t-test (Corani & Benavoli 2015).

    Parameters
    ----------
    difference : float
    influence : Influence
        Of the difference.
    scale : Scale
        Of a difference.
    rope : float
        Half width of the region of practical equivalence, in the unit of the scores.
    unseen : float
        Standard error to add for scores at a bound of their range, whose samples show no
        variation.
    level : float
    """
    size = max(abs(difference), abs(scale.low) if math.isfinite(scale.low) else 0.0)
    difference = difference if abs(difference) > ROUNDING * size else 0.0
    freedom = influence.freedom
    error = math.hypot(math.sqrt(influence.variance), unseen)
    if error <= ROUNDING * size:
        return PairedTest(
            difference=difference,
            low=difference,
            high=difference,
            t=math.copysign(math.inf, difference) if difference else 0.0,
            p=0.0 if difference else 1.0,
            p_above=float(difference > rope),
            p_equal=float(abs(difference) <= rope),
            p_below=float(difference < -rope),
            error=0.0,
            freedom=freedom,
            units=influence.n_units,
        )
    place, slope = scale.to_line(difference), scale.slope(difference)
    zero = scale.to_line(0.0)
    on_line = error * slope
    if not math.isfinite(on_line):  # the largest difference there is
        place, zero, on_line = difference, 0.0, error
        scale = Scale(low=-math.inf, high=math.inf)
    t = (place - zero) / on_line
    reach = float(stdtrit(freedom, 0.5 + level / 2)) * on_line

    def below(bound: float) -> float:
        return float(stdtr(freedom, (scale.to_line(bound) - place) / on_line))

    p_below, p_above = below(-rope), 1 - below(rope)
    return PairedTest(
        difference=difference,
        low=scale.from_line(place - reach),
        high=scale.from_line(place + reach),
        t=t,
        p=float(min(1.0, 2 * stdtr(freedom, -abs(t)))),
        p_above=p_above,
        p_equal=max(0.0, 1 - p_above - p_below),
        p_below=p_below,
        error=error,
        freedom=freedom,
        units=influence.n_units,
    )


def _is_constant(mean: float, influence: Influence, scale: Scale) -> bool:
    if mean in (scale.low, scale.high):
        return True
    return math.sqrt(influence.variance) <= ROUNDING * max(abs(mean), 1e-300)
