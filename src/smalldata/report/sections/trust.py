"""How stable the ranking of the features is over the folds, in plain numbers.

Step in the line: Explanation -> **Steadiness** -> figures and words.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smalldata.report.plain import format_interval
from smalldata.results.explanation import Explanation
from smalldata.statistics.rank_stability import OVERLAP, explained_folds, nogueira, top_k_sets

N_FOLLOWED = 20
"""Features whose place is followed from fold to fold."""


@dataclass(frozen=True, kw_only=True)
class Stability:
    """The index of Nogueira, Sechidis & Brown (2018), with its 95 % interval."""

    index: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """The interval in words; an interval of all values or of one says nothing."""
        if self.low <= 0 and self.high >= 1:
            return "too few folds for an interval"
        if self.low == self.high:
            return "the folds show no variation"
        return f"95 % interval {format_interval(self.low, self.high)}"


@dataclass(frozen=True, kw_only=True)
class Steadiness:
    """The leading features, followed from fold to fold.

    Attributes
    ----------
    stability : Stability or None
        Of the sets of the first ``top_k`` features; None where all features or none are chosen.
    top_k : int
    folds, names : list of str
        Of the features followed.
    places : list of lists of int or None
        Per feature and fold; None where the fold does not use the feature.
    frequency : list of float
        Per feature, the share of folds in which it is among the first ``top_k``.
    """

    stability: Stability | None
    top_k: int
    folds: list[str]
    names: list[str]
    places: list[list[int | None]]
    frequency: list[float]


def summarize_steadiness(
    explanation: Explanation,
    fold_overall: NDArray[np.float64],
    ranking: NDArray[np.int64],
    *,
    top_k: int,
) -> Steadiness | None:
    """Follow the leading features from fold to fold.

    Parameters
    ----------
    explanation : Explanation
    fold_overall : ndarray of shape (n_folds, n_features)
    ranking : ndarray of shape (n_features,)
        Positions of the features, most important first.
    top_k : int
        Size of the sets whose agreement is measured.

    Returns
    -------
    Steadiness or None
        None for a single fold.
    """
    n_folds, n_features = fold_overall.shape
    if n_folds < 2:
        return None
    sets = top_k_sets(fold_overall, top_k)
    followed = ranking[:N_FOLLOWED]
    places = np.empty((n_folds, n_features), dtype=np.int64)
    for line, values in zip(places, fold_overall, strict=True):
        line[np.argsort(-values, kind="stable")] = np.arange(1, n_features + 1)
    stability = None
    if sets.any() and not sets.all():
        index, low, high = nogueira(sets, overlap=OVERLAP)
        stability = Stability(index=index, low=low, high=high)
    return Steadiness(
        stability=stability,
        top_k=top_k,
        folds=[f"r{repeat:02d}f{fold:02d}" for repeat, fold in explained_folds(explanation)],
        names=[str(explanation.feature_names[j]) for j in followed],
        places=[
            [int(places[fold, j]) if fold_overall[fold, j] > 0 else None for fold in range(n_folds)]
            for j in followed
        ],
        frequency=[float(sets[:, j].mean()) for j in followed],
    )
