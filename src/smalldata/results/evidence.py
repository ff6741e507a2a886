"""Evidence on how far Shapley values can be trusted. Frozen, no I/O.

Step in the line: the folds of a cell -> **evidence** -> explanation and report.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

FEWEST_PERMUTATIONS = 19
"""Permutations of the labels needed to mark a feature: by chance, 1 in 20 data sets exceeds all."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Interactions:
    """How much pairs of features move the output together, beyond their separate effects.

    Attributes
    ----------
    feature : ndarray of shape (n_chosen,)
        Positions of the features included, most important first.
    magnitude : ndarray of shape (n_folds, n_chosen, n_chosen, n_outputs)
        Mean over the held-out rows of a fold of the absolute Shapley interaction index of a pair,
        on the scale of the explanation; symmetric, 0 on the diagonal.
    repeat, fold : ndarray of shape (n_folds,)
    """

    feature: Integers
    magnitude: Array
    repeat: Integers
    fold: Integers


@dataclass(frozen=True, kw_only=True, eq=False)
class Faithfulness:
    """Scores of held-out rows after features were replaced by those of background rows.

    Attributes
    ----------
    measure : str
        Name of the measure of the scores.
    n_removed : ndarray of shape (n_sizes,)
        How many features were replaced, ascending from 0.
    leading : ndarray of shape (n_folds, n_sizes)
        Score without the leading features of the fold; NaN if undefined.
    random : ndarray of shape (n_folds, n_draws, n_sizes)
        Score without the same number of features drawn at random.
    repeat, fold : ndarray of shape (n_folds,)
    """

    measure: str
    n_removed: Integers
    leading: Array
    random: Array
    repeat: Integers
    fold: Integers


@dataclass(frozen=True, kw_only=True, eq=False)
class NullImportances:
    """Importances of the same pipeline on permuted labels and on the true ones.

    Attributes
    ----------
    permutation : ndarray of shape (n_permutations,)
        Number of each permutation, from 0.
    values : ndarray of shape (n_permutations, n_features)
        Mean |Shapley value| over the held-out rows of the first repeat and over the outputs.
    observed : ndarray of shape (n_features,)
        The same for the true labels.
    """

    permutation: Integers
    values: Array
    observed: Array

    @property
    def threshold(self) -> float:
        """Largest importance of any feature on permuted labels."""
        return float(self.values.max())

    @property
    def enough(self) -> bool:
        """Whether there are enough permutations to mark a feature."""
        return len(self.permutation) >= FEWEST_PERMUTATIONS

    @property
    def above(self) -> NDArray[np.bool_]:
        """Whether each feature is marked: above the threshold, with enough permutations.

        If the labels mean nothing, any feature at all is marked with probability 1 / (n + 1).
        """
        above: NDArray[np.bool_] = (self.observed > self.threshold) & self.enough
        return above
