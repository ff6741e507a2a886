"""Pairs of features that move the prediction together, in plain numbers.

Step in the line: Explanation.interactions -> **PairsSummary** -> figures and words.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smalldata.report.plain import round_significant
from smalldata.results.explanation import Explanation

N_PAIRS = 5
"""Strongest pairs told apart from the map."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two features that act together.

    Attributes
    ----------
    first, second : str
    mean : float
        Mean |interaction|.
    share : float or None
        The mean over the mean |phi| of the weaker of the two features.
    """

    first: str
    second: str
    mean: float
    share: float | None


@dataclass(frozen=True, kw_only=True)
class PairsSummary:
    """Interactions, averaged over the folds.

    Attributes
    ----------
    names : list of str
        Features in the order of the map.
    cells : list of dict
        Rows of the map, per output ``k`` and pair: positions ``i`` and ``j`` in ``names``, mean and
        10th and 90th percentile over folds.
    strongest : list of lists of Pair
        The leading pairs per output, and last over all outputs.
    """

    names: list[str]
    cells: list[dict[str, float | None]]
    strongest: list[list[Pair]]


def summarize_pairs(explanation: Explanation) -> PairsSummary | None:
    """Average the interactions over the folds; None where there are none.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    PairsSummary or None
    """
    found = explanation.interactions
    if found is None or len(found.feature) < 2:
        return None
    n_outputs = found.magnitude.shape[3]
    mean = found.magnitude.mean(axis=0)
    low, high = np.quantile(found.magnitude, [0.1, 0.9], axis=0)
    chosen = [int(j) for j in found.feature]
    cells: list[dict[str, float | None]] = [
        {
            "k": k,
            "i": i,
            "j": j,
            "mean": round_significant(float(mean[i, j, k])),
            "low": round_significant(float(low[i, j, k])),
            "high": round_significant(float(high[i, j, k])),
        }
        for k in range(n_outputs)
        for i in range(len(chosen))
        for j in range(len(chosen))
        if i != j
    ]
    alone = np.abs(explanation.values[:, chosen]).mean(axis=0, dtype=np.float64)
    sizes = [mean[:, :, k] for k in range(n_outputs)]
    effects = [alone[:, k] for k in range(n_outputs)]
    if n_outputs > 1:
        sizes.append(mean.mean(axis=2))
        effects.append(alone.mean(axis=1))
    names = [str(explanation.feature_names[j]) for j in chosen]
    return PairsSummary(
        names=names,
        cells=cells,
        strongest=[
            _strongest(size, effect, names) for size, effect in zip(sizes, effects, strict=True)
        ],
    )


def _strongest(
    size: NDArray[np.float64], effect: NDArray[np.float64], names: list[str]
) -> list[Pair]:
    """List the pairs of largest interaction, each once."""
    rows, columns = np.triu_indices(len(names), k=1)
    order = np.argsort(-size[rows, columns], kind="stable")[:N_PAIRS]
    pairs = []
    for i, j in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        weaker = float(min(effect[i], effect[j]))
        pairs.append(
            Pair(
                first=names[i],
                second=names[j],
                mean=float(size[i, j]),
                share=float(size[i, j]) / weaker if weaker > 0 else None,
            )
        )
    return pairs
