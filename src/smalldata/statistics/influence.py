"""How much each sample moves a cross-validated score, and the variance that follows.

Step in the line: scores without each unit -> **Influence** -> intervals, tests, draws. Arrays in,
numbers out; models and measures are not involved.

What is estimated is the expected score, on fresh samples, of models trained on as many samples.
Leaving samples (or groups) out of the test folds, one by one, gives the variance that test samples
cause. Training samples cause more, and no refit is needed to count it: a sample enters the score
as a test sample once a repeat and as a training sample of all other folds. Where the features say
nothing both parts are equal (the score is a sum over pairs of folds, each counted twice), so that
the variance is twice that of the test samples; where they say much the second part is smaller. What
a unit moves on average over the repeats counts 1.4 times, what it moves in one repeat 0.5 times:
together 1.9 where there is one repeat. `benchmarks/verdict` has the coverage that follows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from smalldata.results.folds import Array

SHARED = 1.4
"""Weight of the variance of what units move on average over the repeats."""

CUT = 0.5
"""Weight of the mean variance of single repeats, which the cut into folds adds to."""

LEAST_FREEDOM = 8.0
"""Degrees of freedom of a variance that few of many units carry."""

FOLD_RATIO = 1.6
"""Multiple of n_test / n_train that `from_folds` takes, where samples cannot be counted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Influence:
    """How much each unit moves a mean score; subtracting two gives that of a difference.

    Attributes
    ----------
    moved : ndarray of shape (n_repeats, n_units)
        Score of a repeat minus its score without the unit, freed of small-sample bias (see
        `spread_share`); 0 for a unit that the repeat does not test.
    shared, cut : float
        Weights of the variance of the mean over the repeats, and of single repeats.
    freedom_of_folds : float or None
        Degrees of freedom where the units are folds; None: as the units give them (Satterthwaite).
    n_units : int
        Units that were tested; of folds, one more than their degrees of freedom.
    extra : float
        Variance from elsewhere.
    """

    moved: Array
    shared: float
    cut: float
    n_units: int
    freedom_of_folds: float | None = None
    extra: float = 0.0

    @property
    def mean_moved(self) -> Array:
        """What each unit moves on average over the repeats; inner products are covariances."""
        return np.asarray(self.moved.mean(axis=0))

    @property
    def _squares(self) -> Array:
        """Each unit's part of the variance."""
        of_repeats = np.mean(self.moved**2, axis=0)
        return np.asarray(self.shared * self.mean_moved**2 + self.cut * of_repeats)

    @property
    def variance(self) -> float:
        """Variance of the mean score."""
        return float(np.sum(self._squares)) + self.extra

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the variance: fewer than there are units.

        At least `LEAST_FREEDOM` where there are units enough: where one sample of many is wrong, it
        alone carries the variance, yet the others tell how rare that is.
        """
        if self.freedom_of_folds is not None:
            return self.freedom_of_folds
        most = float(max(1, self.n_units - 1))
        squares = self._squares
        total = float(np.sum(squares))
        spread = float(np.sum(squares**2)) - total**2 / (most + 1)
        if spread <= 2 * total**2 / most:
            return most
        return min(most, max(LEAST_FREEDOM, 2 * total**2 / spread))

    def minus(self, other: "Influence") -> "Influence":
        """Return the influence on the difference of two mean scores of the same splits."""
        freedoms = [one.freedom_of_folds for one in (self, other)]
        fewest = None if None in freedoms else min(one for one in freedoms if one is not None)
        return replace(
            self,
            moved=self.moved - other.moved,
            n_units=min(self.n_units, other.n_units),
            freedom_of_folds=fewest,
        )

    def widened(self, error: float) -> "Influence":
        """Return the influence with an independent error added to the variance."""
        return replace(self, extra=self.extra + error**2)


def from_units(moved: Array, *, tested_share: float, n_folds: int, share: float = 1.0) -> Influence:
    """Weigh what each unit moves the score of each repeat.

    Parameters
    ----------
    moved : ndarray of shape (n_repeats, n_units)
        See `Influence`.
    tested_share : float
        Share of all units that a repeat tests: 1, or less with a holdout.
    n_folds : int
        Test folds of a repeat. The samples of a single one (holdout) train no other fold of the
        repeat; over several repeats they do, the more of them the more often.
    share : float
        Share of the jackknife's variance that the measure has (`Measure.jackknife_share`).
    """
    moved = math.sqrt(share) * moved
    n_units = moved.shape[1]
    if n_folds > 1:
        return Influence(moved=moved, shared=SHARED, cut=CUT, n_units=n_units)
    often = min(1.0, tested_share * (len(moved) - 1))
    n_units = min(n_units, round(tested_share * n_units * len(moved)))
    shared = 1 + (SHARED + CUT - 1) * often
    return Influence(moved=moved, shared=shared, cut=0.0, n_units=n_units)


def spread_share(n_units: Array) -> Array:
    """Return the factor that frees a jackknife deviation of its small-sample bias.

    Leaving out one of m units moves a mean by deviation / (m - 1); the squares sum to m / (m - 1)
    times the variance of the mean.

    Example
    -------
    >>> spread_share(np.array([2, 5])).round(3).tolist()
    [0.707, 0.894]
    """
    return np.asarray(np.sqrt((n_units - 1) / n_units))


def from_folds(scores: Array, *, ratio: float, fold_ratio: float = FOLD_RATIO) -> Influence | None:
    """Count folds as units, where a fold loses the measure with one sample (one positive).

    The corrected variance of Nadeau & Bengio (2003) with 1.6 r in place of r = n_test / n_train,
    and one degree of freedom less for each repeat.

    Parameters
    ----------
    scores : ndarray of shape (n_folds,)
    ratio : float
    fold_ratio : float
        1: as Nadeau & Bengio have it.

    Returns
    -------
    Influence or None
        None with fewer than two folds.
    """
    n_folds = len(scores)
    if n_folds < 2:
        return None
    n_repeats = max(1, round(n_folds / (1 + 1 / ratio)))
    widened = np.sqrt((1 / n_folds + fold_ratio * ratio) / (n_folds - 1))
    moved = widened * (scores - scores.mean())
    freedom = float(max(1, n_folds - n_repeats))
    return Influence(
        moved=moved[None, :],
        shared=1.0,
        cut=0.0,
        n_units=int(freedom) + 1,
        freedom_of_folds=freedom,
    )


# ---------------------------------------------------------------- the choice of the best

THINNED = 0.5
"""Share of a standard error by which scores are disturbed for the choice."""

N_CHOICES = 4000
"""Draws of the disturbance, half of them the negatives of the others."""


def optimism(
    means: Array, influences: Sequence[Influence], *, higher_is_better: bool, seed: int
) -> float:
    """Return by how much the best of several mean scores flatters itself.

    Scores are split into two independent copies (Gaussian thinning: m + e z to choose by and
    m - z / e to score, z with the covariance of the scores), many times over. The second copy of
    the one chosen is unbiased for its expected score. The measure enters by its mean scores and
    their covariance alone, so this holds for every measure; with one score it is 0. The covariance
    is that of what units move on average over the repeats, since what they move in single repeats
    cancels in the differences that decide the choice. What is corrected is never below the worst
    of the models that some draw chooses.

    Parameters
    ----------
    means : ndarray of shape (n_cells,)
    influences : sequence of Influence
        On the same splits.
    higher_is_better : bool
    seed : int

    Returns
    -------
    float
        Best mean minus its expected score: positive if higher is better, else negative, or 0.

    References
    ----------
    Rasines & Young (2023), Splitting strategies for post-selection inference, Biometrika 110.
    """
    sign = 1.0 if higher_is_better else -1.0
    flat = np.stack([math.sqrt(one.shared) * one.mean_moved for one in influences])
    half = np.random.default_rng(seed).standard_normal((N_CHOICES // 2, flat.shape[1])) @ flat.T
    noise = np.concatenate([half, -half])
    chosen = np.argmax(sign * (means + THINNED * noise), axis=1)
    rows = np.arange(len(noise))
    expected = sign * float(np.mean(means[chosen] - noise[rows, chosen] / THINNED))
    worst = float(np.min(sign * means[chosen]))
    best = float(np.max(sign * means))
    return sign * max(0.0, best - max(expected, worst))
