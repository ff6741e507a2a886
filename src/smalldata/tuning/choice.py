"""Which trial an outer fold is fitted with: the untuned default, or values that clearly beat it.

Step in the line: the finished trials of an outer fold -> **one of them**, for `tuner`. Only scores
go in; nothing here fits or draws.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from smalldata.learner import Parameter, SearchSpace
from smalldata.measures.registry import Measure
from smalldata.results.folds import Trial
from smalldata.statistics.significance import ROUNDING

Choose = Literal["confirmed", "one_se", "best"]

CONFIRMED, ONE_SE = 1.25, 1.0
"""Standard errors by which the best trial must beat the default on inner folds cut anew, and on
those of the search; the first was chosen in ``benchmarks/tuning_choice``."""

FoldScores = Sequence[float | None]


def best_trial(trials: Sequence[Trial], space: SearchSpace, *, measure: Measure) -> Trial | None:
    """Return the trial with the best inner score; None if none has one.

    Among equal scores, the hyperparameters decide in the order of the space: the simpler value, as
    defined by ``simpler``, wins. Remaining ties go to the earlier trial.
    """
    sign = -1.0 if measure.higher_is_better else 1.0
    scored = [trial for trial in trials if trial.score is not None]
    parameters = space.parameters

    def order(trial: Trial) -> tuple[float, ...]:
        assert trial.score is not None
        plain = [plainness(parameters[key], trial.values[key]) for key in parameters]
        return (sign * trial.score, *plain, trial.ordinal)

    return min(scored, key=order, default=None)


def is_clear(
    found: FoldScores,
    default: FoldScores,
    *,
    measure: Measure,
    spread: float,
    n_splits: int,
    errors: float,
) -> bool:
    """Return whether a trial beats the default by more than so many standard errors.

    Inner folds share training rows, so the standard error of the mean of n differences, from k
    folds and their repeats, is s sqrt(1 / n + 1 / (k - 1)) (Nadeau & Bengio 2003).

    Parameters
    ----------
    found, default : sequence of float or None
        The scores of both on the same inner folds.
    measure : Measure
    spread : float
        s, of the differences from fold to fold, see `pool_spread`.
    n_splits : int
        k.
    errors : float

    Examples
    --------
    >>> from smalldata.task import TaskKind
    >>> from smalldata.measures.registry import find_measure
    >>> auc = find_measure("roc_auc", TaskKind.BINARY)
    >>> about = {"measure": auc, "spread": 0.1, "n_splits": 2, "errors": 1.0}  # error: 0.122
    >>> is_clear([0.9, 0.8], [0.7, 0.7], **about), is_clear([0.8, 0.8], [0.7, 0.7], **about)
    (True, False)
    """
    gaps = _gaps(found, default)
    if not gaps:
        return False
    sign = 1.0 if measure.higher_is_better else -1.0
    error = spread * math.sqrt(1 / len(gaps) + 1 / (n_splits - 1))
    scale = max(1.0, *(abs(score) for score in default if score is not None))
    return sign * math.fsum(gaps) / len(gaps) > errors * error + ROUNDING * scale


def pool_spread(trials: Sequence[Trial]) -> float:
    """Return how much the difference to the default varies from inner fold to inner fold.

    It is pooled over all trials that have a score: the differences of one trial are few, and a
    lucky trial is often one whose few are alike. Pruned trials, far behind and wild, tell little
    about those that lead.

    Parameters
    ----------
    trials : sequence of Trial
        All of one outer fold, the default first.

    Returns
    -------
    float
        Infinite if no trial has two differences: then nothing tells a gain from chance.
    """
    default = trials[0].fold_scores
    # Equal scores come from a repeated trial, or from values that changed nothing.
    others = dict.fromkeys(trial.fold_scores for trial in trials if trial.score is not None)
    others.pop(default, None)
    squares, freedom = 0.0, 0
    for scores in others:
        gaps = np.array(_gaps(scores, default))
        if len(gaps) > 1:
            squares += float(((gaps - gaps.mean()) ** 2).sum())
            freedom += len(gaps) - 1
    return math.sqrt(squares / freedom) if freedom else math.inf


def _gaps(found: FoldScores, default: FoldScores) -> list[float]:
    """Return the differences on the inner folds where both have a score."""
    pairs = zip(found, default, strict=True)
    return [one - other for one, other in pairs if one is not None and other is not None]


def plainness(parameter: Parameter, value: object) -> float:
    """Return a number that is smallest for the simplest value of a dimension."""
    if isinstance(parameter.simpler, tuple):
        return float(parameter.simpler.index(value)) if value in parameter.simpler else math.inf
    if parameter.simpler is None:
        return 0.0
    number = float(value)  # type: ignore[arg-type]
    return number if parameter.simpler == "low" else -number
