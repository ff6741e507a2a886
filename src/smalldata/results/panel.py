"""Which features a fit was left with, and what was seen to decide so. Frozen, no I/O.

Step in the line: training rows of a fold -> **selection** -> FoldResult; all rows -> **panel** ->
report.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Selection:
    """How many leading features a fit keeps, chosen on its training rows alone.

    Attributes
    ----------
    ranking : str
        How the features were ranked, as in ``preprocess.select``.
    sizes : tuple of int
        Numbers of features that were tried, ascending.
    inner : tuple of tuple of float or None
        Score of each size on each inner fold, the ranking made anew inside each; None where the
        measure is undefined for every model.
    k : int
        The size chosen.
    leading : tuple of int
        Positions of the leading features of all the training rows, most important first, as many
        as the largest size.
    outer : tuple of float or None
        Score of each size on the held-out rows; empty where there are none.
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

    @property
    def inner_errors(self) -> tuple[float, ...]:
        """Standard error of the mean inner score of each size."""
        return tuple(mean_and_error(scores)[1] for scores in self.inner)


@dataclass(frozen=True, kw_only=True)
class Substitute:
    """A feature tried in the place of a member of a panel.

    Attributes
    ----------
    member, feature : int
        Positions.
    correlation : float
        Spearman's, of the two.
    score : float
        Of the panel with the feature in the member's place, by cross-validation of all rows.
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
    """The features chosen on all rows: what goes on to be measured.

    Attributes
    ----------
    selection : Selection
        Of all rows; it has no held-out ones.
    score, error : float
        Of exactly these members by cross-validation of the rows that chose them, and its standard
        error: too high for new samples, to be compared with its substitutes' alone.
    substitutes : tuple of Substitute
        Of each member those features that are most like it, the closest first.
    seconds : float
    """

    selection: Selection
    score: float
    error: float
    substitutes: tuple[Substitute, ...]
    seconds: float = 0.0


def mean_and_error(scores: Sequence[float | None]) -> tuple[float, float]:
    """Mean of the defined scores and its standard error; the error of one score is 0.

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
