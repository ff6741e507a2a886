"""The rule that puts a test into words: clearly better, practically equal, or neither.

Step in the line: PairedTest + Holm -> **Word, smallest detectable difference** -> comparison.
Everything that a user reads about two models (pages, tables, screen) follows this rule.
"""

import numpy as np
from scipy.special import stdtrit

from smalldata.results.comparison import Word
from smalldata.results.folds import Array
from smalldata.statistics.significance import PairedTest

EQUAL = 0.95
"""Probability at which two models are practically equal, or one is not worse than the other."""

SIGNIFICANT = 0.05
"""The p-value, after Holm's adjustment, must be below it for a difference to be clear."""

POWER = 0.8
"""Probability with which `smallest_detectable` would have been shown."""

LEAST_UNITS = 4
"""Units (samples, groups; folds where these are counted) below which a t-test says nothing.

Scores of a few rows take few values: two folds have the same difference in 5 to 10 % of comparisons
without any, which no t-test survives. Four folds do in 0.5 % or less
(docs/decisions/056-three-words.md).
"""


def has_enough_units(test: PairedTest) -> bool:
    """Return whether there are samples, groups or folds enough for a t-test to say anything."""
    return test.units >= LEAST_UNITS


def choose_word(test: PairedTest, p_holm: float, *, higher_is_better: bool) -> Word:
    """Put a paired test into words, from the side of its first model.

    Practically equal comes first: a difference that is certain but lies within the region of
    practical equivalence does not matter, so it is not called clear.

    Parameters
    ----------
    test : PairedTest
        With the rope that counts as equal.
    p_holm : float
        Its p-value, adjusted for all pairs.
    higher_is_better : bool

    Examples
    --------
    >>> from smalldata.statistics.significance import corrected_test
    >>> better = corrected_test([0.9, 0.8, 0.9, 0.8], [0.6, 0.55, 0.6, 0.55], ratio=1 / 3)
    >>> str(choose_word(better, better.p, higher_is_better=True))
    'clearly better'
    >>> str(choose_word(better, 0.2, higher_is_better=True))
    'cannot be told apart'
    """
    if not has_enough_units(test):
        return Word.UNCLEAR
    if test.p_equal >= EQUAL:
        return Word.EQUAL
    if p_holm >= SIGNIFICANT or test.low <= 0 <= test.high:
        return Word.UNCLEAR
    return Word.BETTER if (test.difference > 0) == higher_is_better else Word.WORSE


def levels_left(p_holm: Array) -> Array:
    """Return the level at which Holm's method tests each pair, given what it finds in the others.

    With m pairs of which it rejects k others, a pair is rejected if its p-value is at most
    0.05 / (m - k).

    Parameters
    ----------
    p_holm : ndarray of shape (n_pairs,)
        Adjusted p-values of the family.

    Examples
    --------
    >>> levels_left(np.array([0.001, 0.2, 0.9])).tolist()
    [0.016666666666666666, 0.025, 0.025]
    """
    rejected = np.asarray(p_holm) < SIGNIFICANT
    others = rejected.sum() - rejected
    return np.asarray(SIGNIFICANT / (len(rejected) - others))


def smallest_detectable(test: PairedTest, *, level: float) -> float | None:
    """Return the smallest true difference that a test like this shows with 80 % power.

    Parameters
    ----------
    test : PairedTest
        Its standard error and degrees of freedom count, not its difference.
    level : float
        Two-sided level of the test.

    Returns
    -------
    float or None
        (t_{1 - level / 2} + t_{0.8}) times the standard error; None with too few folds.
    """
    if not has_enough_units(test):
        return None
    reach = stdtrit(test.freedom, 1 - level / 2) + stdtrit(test.freedom, POWER)
    return float(reach * test.error)
