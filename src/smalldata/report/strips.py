"""The small drawings of scores inside the tables.

Step in the line: scores -> **positions** -> HTML.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from smalldata.report.plain import Estimate
from smalldata.report.sections.scores import Score


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Positions in per cent of the width.

    Attributes
    ----------
    dots : list of float
        Of the folds.
    mean : float
    low, high : float or None
        Of the interval.
    guessing : float or None
    """

    dots: list[float]
    mean: float
    low: float | None
    high: float | None
    guessing: float | None


def fold_strip(score: Score) -> Strip | None:
    """Place folds, mean, interval and guessing of one measure; None without a score."""
    values = [fold.value for fold in score.folds if fold.value is not None]
    if not values or score.mean is None:
        return None
    place = _scale([*values, score.mean, score.low, score.high, score.guessing])
    return Strip(
        dots=[place(value) for value in values],
        mean=place(score.mean),
        low=None if score.low is None else place(score.low),
        high=None if score.high is None else place(score.high),
        guessing=None if score.guessing is None else place(score.guessing),
    )


def shared_strips(scores: Sequence[Estimate | None]) -> list[Strip | None]:
    """Place means and intervals of several models on one scale."""
    known = [score for score in scores if score is not None]
    place = _scale([end for score in known for end in (score.mean, score.low, score.high)])
    return [
        None
        if score is None or score.mean is None
        else Strip(
            dots=[],
            mean=place(score.mean),
            low=None if score.low is None else place(score.low),
            high=None if score.high is None else place(score.high),
            guessing=None,
        )
        for score in scores
    ]


def _scale(marks: Sequence[float | None]) -> Callable[[float], float]:
    known = [mark for mark in marks if mark is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    width = high - low or 1.0
    return lambda value: round(4 + 92 * (value - low) / width, 2)
