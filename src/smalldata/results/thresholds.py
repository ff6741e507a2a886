"""The threshold that a fold chose on its training rows. Frozen, no I/O.

Step in the line: training rows of a fold -> **choice** -> FoldResult -> report.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ThresholdChoice:
    """A probability from which on rows of a binary task are called positive.

    Attributes
    ----------
    rule : str
        As in ``threshold.rule``.
    value : float
        Rows whose probability of the positive class is above this are called positive.
    sensitivity, specificity : float
        At this threshold, on the inner out-of-fold predictions that chose it: too good for new
        samples.
    n_rows : int
        Training rows whose inner predictions chose it.
    n_folds : int
        Inner folds that made them.
    draws : tuple of float
        The threshold that the rule takes on each bootstrap draw of the task's rows
        (`smalldata.statistics.proportions.draw_rows`): how far it depends on the samples.
    """

    rule: str
    value: float
    sensitivity: float
    specificity: float
    n_rows: int
    n_folds: int
    draws: tuple[float, ...] = ()
