"""What permuted labels say about the importances of a cell, in plain numbers.

Step in the line: NullImportances -> **NullSummary** -> figures and words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smalldata.results.evidence import FEWEST_PERMUTATIONS, NullImportances


@dataclass(frozen=True, kw_only=True)
class NullSummary:
    """Which features exceed all permutations of the labels.

    Attributes
    ----------
    n, needed : int
        Permutations, and how many it takes to mark features.
    enough : bool
    threshold : float
        The largest importance of any feature in any permutation.
    above : list of str
        Features that are marked, most important first.
    """

    n: int
    enough: bool
    needed: int
    threshold: float
    above: list[str]


def summarize_null(null: NullImportances, names: Sequence[str]) -> NullSummary:
    """Say which features exceed all permutations of the labels.

    Parameters
    ----------
    null : NullImportances
    names : sequence of str, length n_features

    Returns
    -------
    NullSummary
    """
    order = np.argsort(-null.observed, kind="stable")
    above = null.above
    return NullSummary(
        n=len(null.permutation),
        enough=null.enough,
        needed=FEWEST_PERMUTATIONS,
        threshold=null.threshold,
        above=[str(names[j]) for j in order if above[j]],
    )
