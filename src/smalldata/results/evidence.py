"""Evidence on how far scores and Shapley values can be trusted. Frozen, no I/O.

Step in the line: the folds of a cell -> **evidence** -> explanation and report.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

FEWEST_PERMUTATIONS = 19
"""Permutations of the labels needed to mark a feature, or for a p-value of 0.05: by chance, 1 in 20
data sets exceeds all."""

ROUNDING = 1e-9
"""Scores that differ by less, relative to the score, are equal."""


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


@dataclass(frozen=True, kw_only=True, eq=False)
class PermutedScores:
    """Scores of a whole cell on permuted labels.

    Attributes
    ----------
    measure : str
    values : ndarray of shape (n_permutations,)
        The score of each permutation, as the table shows that of the true labels; NaN where it is
        undefined.
    """

    measure: str
    values: Array

    def p_value(self, score: float, *, higher_is_better: bool) -> float:
        """Return (1 + permutations with as good a score) / (1 + permutations).

        If the labels mean nothing it is at most x with probability at most x (Phipson & Smyth 2010,
        *Stat. Appl. Genet. Mol. Biol.* 9:39). An undefined score is the worst; one that differs by
        rounding is as good.

        Examples
        --------
        >>> null = PermutedScores(measure="roc_auc", values=np.array([0.4, 0.6, np.nan]))
        >>> null.p_value(0.6, higher_is_better=True)
        0.5
        """
        sign = 1.0 if higher_is_better else -1.0
        scores = np.where(np.isnan(self.values), -np.inf, sign * self.values)
        n_as_good = int(np.sum(scores >= sign * score - ROUNDING * max(1.0, abs(score))))
        return (1 + n_as_good) / (1 + len(scores))
