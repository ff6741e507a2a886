"""What one cell scores on permuted labels, in plain numbers.

Step in the line: RunRecord + Task -> **PermutedSummary** -> figures and words.
"""

from dataclasses import dataclass

import numpy as np

from smalldata.comparison.scores import cell_scores
from smalldata.measures.registry import find_measure
from smalldata.resampling.permuting import Exchange, find_exchange
from smalldata.results.comparison import Comparison
from smalldata.results.record import RunRecord
from smalldata.task import Task


@dataclass(frozen=True, kw_only=True)
class PermutedSummary:
    """The score of a cell beside those of the same procedure on permuted labels.

    Attributes
    ----------
    title : str
        Of the measure.
    higher : bool
        Whether higher is better.
    score : float
        On the true labels.
    p : float
    n, n_as_good, n_undefined : int
        Permutations; those with as good a score, or with none.
    values : list of float
        The scores of the others, ascending.
    exchange : Exchange
        What exchanged labels.
    chooses : bool
        Whether values, features or thresholds were chosen inside the folds of each permutation too.
    """

    title: str
    higher: bool
    score: float
    p: float
    n: int
    n_as_good: int
    n_undefined: int
    values: list[float]
    exchange: Exchange
    chooses: bool


def summarize_permuted(
    task: Task, record: RunRecord, comparison: Comparison | None
) -> PermutedSummary | None:
    """Place the score among those of permuted labels; None if there are none."""
    asked = record.measure if comparison is None else comparison.measure
    null = record.permuted.get(asked)
    measure = find_measure(asked, record.kind)
    score = cell_scores(record, measure).mean
    if null is None or not len(null.values) or score is None:
        return None
    p, n = null.p_value(score, higher_is_better=measure.higher_is_better), len(null.values)
    choices = ["tuning", "signature", *(["threshold"] if measure.needs == "label" else [])]
    defined = np.sort(null.values[~np.isnan(null.values)])
    return PermutedSummary(
        title=measure.title,
        higher=measure.higher_is_better,
        score=score,
        p=p,
        n=n,
        n_as_good=round(p * (n + 1)) - 1,
        n_undefined=n - len(defined),
        values=defined.tolist(),
        exchange=find_exchange(task.y, task.groups),
        chooses=any(record.identity.get(name) for name in choices),
    )
