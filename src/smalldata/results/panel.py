"""The features that a fit keeps, and the scores that decided it. Frozen, no I/O.

Step in the line: training rows of a fold -> **selection** -> FoldResult; all rows -> **panel** ->
report.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Selection:
    """How many leading features a fit keeps, chosen only on its training rows.

    Attributes
    ----------
    ranking : str
        How the features were ranked, as in ``preprocess.select``.
    sizes : tuple of int
        Numbers of features that were tried, ascending.
    inner : tuple of tuple of float or None
        Score of each size on each inner fold, with a separate ranking in each; None if the measure
        is undefined for every model.
    k : int
        The size chosen.
    leading : tuple of int
        Positions of the leading features on all training rows, most important first, as many as
        the largest size.
    outer : tuple of float or None
        Score of each size on the held-out rows; empty if there are none.
    """

    ranking: str
    sizes: tuple[int, ...]
    inner: tuple[tuple[float | None, ...], ...]
    k: int
    leading: tuple[int, ...]
    outer: tuple[float | None, ...] = ()

    @property
    def members(self) -> tuple[int, ...]:
        """Positions of the features kept, most important first."""
        return self.leading[: self.k]

    @property
    def inner_means(self) -> tuple[float, ...]:
        """Mean inner score of each size."""
        return tuple(mean_and_error(scores)[0] for scores in self.inner)


@dataclass(frozen=True, kw_only=True)
class Substitute:
    """A feature tried in place of a member of a panel.

    Attributes
    ----------
    member, feature : int
        Positions.
    correlation : float
        Spearman correlation of the two.
    score : float
        Cross-validated score, on all rows, of the panel with the feature instead of the member.
    is_equal : bool
        Whether that is within one standard error of the panel's own score, or above.
    """

    member: int
    feature: int
    correlation: float
    score: float
    is_equal: bool


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The features chosen on all rows: those to measure from now on.

    Attributes
    ----------
    selection : Selection
        Made on all rows, without held-out ones.
    score, error : float
        Cross-validated score of exactly these members on the rows that chose them, and its standard
        error. Too optimistic for new samples: only for comparison with the substitutes.
    substitutes : tuple of Substitute
        For each member the most similar features, closest first.
    seconds : float
    """

    selection: Selection
    score: float
    error: float
    substitutes: tuple[Substitute, ...]
    seconds: float = 0.0


def mean_and_error(scores: Sequence[float | None]) -> tuple[float, float]:
    """Return the mean of the defined scores and its standard error; for one score that is 0.

    Example
    -------
    >>> mean_and_error([1.0, None, 3.0])
    (2.0, 1.0)
    """
    found = [score for score in scores if score is not None]
    mean = math.fsum(found) / len(found)
    if len(found) < 2:
        return mean, 0.0
    squares = math.fsum((score - mean) ** 2 for score in found)
    return mean, math.sqrt(squares / (len(found) - 1) / len(found))
