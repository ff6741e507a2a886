"""How steady the ranking of the features is over the folds, in plain numbers.

Step in the line: Explanation -> **plain dict** -> figures and words.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.results.explanation import Explanation
from smalldata.statistics.rank_stability import explained_folds, nogueira, top_k_sets

N_FOLLOWED = 20
"""Features whose place is followed from fold to fold."""


def summarize_steadiness(
    explanation: Explanation,
    fold_overall: NDArray[np.float64],
    ranking: NDArray[np.int64],
    *,
    top_k: int,
) -> dict[str, Any] | None:
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
    dict or None
        ``stability`` with ``low`` and ``high`` (index of Nogueira, Sechidis & Brown 2018; None
        where all features or none are chosen), ``folds`` (names), ``names`` of the features
        followed, ``places`` (n_followed x n_folds; None where a fold does not use the feature) and
        ``frequency``. None for a single fold.
    """
    n_folds, n_features = fold_overall.shape
    if n_folds < 2:
        return None
    sets = top_k_sets(fold_overall, top_k)
    followed = ranking[:N_FOLLOWED]
    places = np.empty((n_folds, n_features), dtype=np.int64)
    for line, values in zip(places, fold_overall, strict=True):
        line[np.argsort(-values, kind="stable")] = np.arange(1, n_features + 1)
    stability = low = high = None
    if sets.any() and not sets.all():
        stability, low, high = nogueira(sets)
    return {
        "stability": stability,
        "low": low,
        "high": high,
        "top_k": top_k,
        "folds": [f"r{repeat:02d}f{fold:02d}" for repeat, fold in explained_folds(explanation)],
        "names": [str(explanation.feature_names[j]) for j in followed],
        "places": [
            [int(places[fold, j]) if fold_overall[fold, j] > 0 else None for fold in range(n_folds)]
            for j in followed
        ],
        "frequency": [float(sets[:, j].mean()) for j in followed],
    }
