"""Whether a trial can still win, judged against the best trial on the inner folds done so far.

Step in the line: scores of the inner folds so far -> **stop or go on**, for `tuning`. The rows of a
fold are equally easy or hard for all trials. This cancels in the difference to the best trial on
the same folds, so one or two folds can be enough. Only scores go in; nothing here fits or draws.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from smalldata.results.folds import Array, Trial
from smalldata.statistics.significance import ROUNDING

RISK = 0.1
"""Chance per check of stopping a trial that would have won; chosen in ``benchmarks/pruning``."""

WARM_UP = 3
"""Different trials, besides the best one, needed to estimate the noise of a difference."""

FoldScores = Sequence[float | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Race:
    """The trial to beat, and how much the difference to it varies from fold to fold.

    Made by `start_race` from the trials of one study.

    Attributes
    ----------
    sign : float
        1 if higher scores are better, else -1. In everything else here, higher is better.
    best : ndarray of shape (n_folds,)
        Scores of the best finished trial; NaN if the measure is undefined.
    perfect : float
        The highest possible score of a fold; may be infinite.
    squares : float
        Sum of squares of the differences of all trials to the best one, about each trial's mean.
    freedom : int
        Degrees of freedom of ``squares``.
    is_warm : bool
        Whether enough trials have contributed to ``squares``.
    """

    sign: float
    best: Array
    perfect: float
    squares: float
    freedom: int
    is_warm: bool

    def is_lost(self, scores: Sequence[FoldScores]) -> bool:
        """Return whether a trial is too far behind to be worth its other folds.

        With k of n folds done, the mean of the n differences d to the best trial is estimated by
        that of the k done, with the standard error of a sample of k out of n (Cochran 1977,
        *Sampling Techniques*, chapter 2), s sqrt((n - k) / (k n)); s is pooled over the trials of
        the study. A trial is lost if its mean d is below 0 by more than that error times the
        1 - `RISK` quantile of Student's t, or if perfect scores on all other folds would not save
        it.

        Parameters
        ----------
        scores : sequence of shape (n_reached, n_values)
            Scores on each inner fold so far: one column, or one for each value that the fits give;
            then all of them must be lost.

        Examples
        --------
        >>> def trial(ordinal, *scores):
        ...     mean = sum(scores) / len(scores)
        ...     return Trial(
        ...         ordinal=ordinal, state="ok", values={}, score=mean, fold_scores=scores
        ...     )
        >>> tried = [trial(0, 0.8, 0.6, 0.9), trial(1, 0.7, 0.6, 0.9), trial(2, 0.8, 0.5, 0.9)]
        >>> race = start_race([*tried, trial(3, 0.7, 0.6, 0.7)], higher_is_better=True, perfect=1)
        >>> race.is_lost([[0.75]]), race.is_lost([[0.6]])
        (False, True)
        """
        found = self._met(scores)
        is_known = ~np.isnan(self.best)
        met = is_known[: len(found)]
        n_folds, n_met = int(is_known.sum()), int(met.sum())
        n_left = n_folds - n_met
        if not n_met or not n_left:
            return False
        found, best = found[met], self.best[is_known]
        ceiling = (found.sum(axis=0) + n_left * self.perfect) / n_folds
        goal = float(best.mean())
        is_behind = ceiling < goal - ROUNDING * max(1.0, abs(goal))
        if self.is_warm:
            ahead = found - best[:n_met, None]
            lead = ahead.mean(axis=0)
            squares = self.squares + ((ahead - lead) ** 2).sum(axis=0)
            freedom = self.freedom + n_met - 1
            error = np.sqrt(squares / freedom * n_left / (n_met * n_folds))
            is_behind |= lead + stdtrit(freedom, 1 - RISK) * error < 0
        return bool(np.all(is_behind))

    def estimate(self, scores: FoldScores) -> float:
        """Estimate the mean over all folds of a trial that did some: the best mean + mean d."""
        found = self._met([[score] for score in scores])[:, 0]
        ahead = (found - self.best)[~np.isnan(found)]
        return self.sign * float(np.nanmean(self.best) + ahead.mean())

    def _met(self, scores: Sequence[FoldScores]) -> Array:
        found: Array = self.sign * np.array(scores, dtype=np.float64)
        return found


def start_race(
    trials: Sequence[Trial], *, higher_is_better: bool, perfect: float = math.inf
) -> Race | None:
    """Set up the race that the next trial has to win.

    Parameters
    ----------
    trials : sequence of Trial
        The study so far, all on the same inner folds.
    higher_is_better : bool
    perfect : float
        The best value that the measure can take; infinite if there is none.

    Returns
    -------
    Race or None
        None before the first trial has finished.
    """
    sign = 1.0 if higher_is_better else -1.0
    finished = [trial for trial in trials if trial.score is not None]
    if not finished:
        return None
    first = max(finished, key=lambda trial: sign * (trial.score or 0.0))
    # Equal scores come from a repeated trial, or from values that changed nothing.
    others = dict.fromkeys(trial.fold_scores for trial in trials if trial.state != "failed")
    others.pop(first.fold_scores)
    best: Array = sign * np.array(first.fold_scores, dtype=np.float64)
    ahead = sign * np.array([*others], dtype=np.float64).reshape(len(others), len(best)) - best
    n_met = (~np.isnan(ahead)).sum(axis=1)
    ahead, n_met = ahead[n_met > 1], n_met[n_met > 1]
    lead = np.nansum(ahead, axis=1) / n_met
    return Race(
        sign=sign,
        best=best,
        perfect=sign * perfect if math.isfinite(perfect) else math.inf,
        squares=float(np.nansum((ahead - lead[:, None]) ** 2)),
        freedom=int((n_met - 1).sum()),
        is_warm=len(ahead) >= WARM_UP,
    )


def count_fits(
    trials: Sequence[Trial], *, n_folds: int, shares_first: bool = True
) -> dict[str, int]:
    """Count the fits of a study's trials, and the fits that pruning saved.

    Parameters
    ----------
    trials : sequence of Trial
    n_folds : int
        Inner folds on which the measure is defined.
    shares_first : bool
        Whether values that equal those of the first trial were not fitted again.

    Returns
    -------
    dict
        ``trials``, ``pruned``, ``fits`` (on inner folds) and ``spared`` (fits that pruning saved).
        Repeated values cost nothing and save nothing.
    """
    seen: set[str] = set()
    fits = spared = 0
    for trial in trials:
        values = repr(sorted(trial.values.items()))
        if values not in seen:
            n_met = sum(score is not None for score in trial.fold_scores)
            fits += n_met + (trial.state == "failed")
            spared += n_folds - n_met if trial.state == "pruned" else 0
        if trial.ordinal or shares_first:
            seen.add(values)
    n_pruned = sum(trial.state == "pruned" for trial in trials)
    return {"trials": len(trials), "pruned": n_pruned, "fits": fits, "spared": spared}
