"""Learning curves: scores at several numbers of training samples, and laws. Frozen, no computing.

Step in the line: RunRecords of several train sizes -> **LearningCurves** -> comparison, report.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """A score at a number of training samples, with the bounds of its 95 % interval.

    Measured: the mean over the folds, and its interval, if there is one.
    Of a law: the fitted score, always with bounds.
    """

    size: int
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class MissingPoint:
    """A number of training samples at which a model has no mean score, and why."""

    size: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class FittedLaw:
    """Inverse power law of one model: a - b n^-c (for errors: a + b n^-c).

    Attributes
    ----------
    a, b, c : Estimate
    line : tuple of CurvePoint
        From the smallest measured number of samples to `REACH` times the largest.
    doubled, reach : CurvePoint
        At twice the largest measured number of samples, and at the end of the law's range.
    """

    a: Estimate
    b: Estimate
    c: Estimate
    line: tuple[CurvePoint, ...]
    doubled: CurvePoint
    reach: CurvePoint


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """One model at several numbers of training samples.

    Attributes
    ----------
    label : str
        As in the table, without the train size.
    is_network : bool
        Whether it counts as deep learning.
    points : tuple of CurvePoint
        Measured; ascending sizes.
    missing : tuple of MissingPoint
    gain : Estimate or None
        Mean score with the most samples minus that with the fewest, fold by fold, with the
        interval; None if there are fewer than two points, or neither has an interval.
    law : FittedLaw or None
    reason : str
        Why there is no law.
    """

    label: str
    model: str
    is_network: bool
    points: tuple[CurvePoint, ...]
    missing: tuple[MissingPoint, ...] = ()
    gain: Estimate | None = None
    law: FittedLaw | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Lead:
    """Numbers of samples, from start to stop, between which one model is clearly ahead.

    Attributes
    ----------
    leader : str
        Label; if several rivals are ahead, that of the one the laws rank first at ``stop``.
    of_first : bool
        Whether the leader is the first model of the contest.
    """

    leader: str
    of_first: bool
    start: int
    stop: int


@dataclass(frozen=True, kw_only=True)
class Contest:
    """A model compared with another, or with several others at once, by their laws.

    Attributes
    ----------
    first : str
        Label.
    rivals : tuple of str
        The first model leads where it is ahead of all of them, and is behind where one of them is
        ahead of it.
    fewest, most, reach : int
        First and last size at which both sides were measured; last size at which they are
        compared.
    leads : tuple of Lead
        Ascending; between them the data do not show who is ahead.
    crossing : Estimate or None
        Where the lead changes once: between the last size at which one side is clearly ahead and
        the first at which the other is.
    """

    first: str
    rivals: tuple[str, ...]
    fewest: int
    most: int
    reach: int
    leads: tuple[Lead, ...]
    crossing: Estimate | None = None


@dataclass(frozen=True, kw_only=True)
class LearningCurves:
    """The learning curves of a comparison, on its primary measure.

    Attributes
    ----------
    curves : tuple of LearningCurve
        In the order of their scores with the most samples, best first.
    pairs : tuple of Contest
        All pairs of models with a law, without dummy.
    networks : tuple of Contest
        Each network with a law against all other models that have one; best network first.
    single : tuple of str
        Labels of the networks that have a score at only one number of training samples.
    """

    measure: str
    curves: tuple[LearningCurve, ...]
    pairs: tuple[Contest, ...] = ()
    networks: tuple[Contest, ...] = ()
    single: tuple[str, ...] = ()
