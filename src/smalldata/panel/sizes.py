"""How many leading features to keep: the rule that chooses, and the score of each size.

Step in the line: inner scores -> **size**; a selector + one outer fold -> **Selected** -> fit.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from smalldata.learner import Learner
from smalldata.pipeline.choices import Selected, Selector
from smalldata.pipeline.fitting import fit_rows, predict_rows
from smalldata.pipeline.training import TrainingRows
from smalldata.results.folds import Rows
from smalldata.results.panel import mean_and_error
from smalldata.task import Task

Rule = Literal["one_se", "best"]

ROUNDING = 1e-12
"""Scores that differ by less count as equal."""


def choose_size(
    sizes: Sequence[int],
    scores: Sequence[Sequence[float | None]],
    *,
    higher_is_better: bool,
    rule: Rule = "one_se",
) -> int:
    """Choose a size by its inner scores.

    The rule of one standard error (Breiman, Friedman, Olshen & Stone 1984): the smallest size whose
    mean score is within one standard error of the best mean.

    Parameters
    ----------
    sizes : sequence of int
        Ascending.
    scores : sequence of sequences of float or None
        For each size, on each inner fold.
    higher_is_better : bool
    rule : {"one_se", "best"}

    Example
    -------
    >>> scores = [[0.6, 0.7, 0.8], [0.7, 0.8, 0.9], [0.72, 0.8, 0.9]]
    >>> choose_size([1, 2, 5], scores, higher_is_better=True)
    2
    """
    sign = 1.0 if higher_is_better else -1.0
    found = [mean_and_error(per_fold) for per_fold in scores]
    goodness = [sign * mean for mean, _ in found]
    best = int(np.argmax(np.array(goodness) >= max(goodness) - ROUNDING))  # a tie: the smallest
    margin = found[best][1] if rule == "one_se" else 0.0
    least = goodness[best] - margin - ROUNDING
    return next(size for size, good in zip(sizes, goodness, strict=True) if good >= least)


def select_size(
    learner: Learner, selector: Selector, rows: TrainingRows, *, task: Task, test: Rows
) -> Selected:
    """Choose the size on the training rows, then score each size on the held-out ones.

    Parameters
    ----------
    learner : Learner
    selector : Selector
        Sees the training rows alone.
    rows : TrainingRows
        Without a selection; their seed is that of the fit on them.
    task : Task
    test : ndarray of int
        Positions in the task of the held-out rows.

    Returns
    -------
    Selected
        Its selection holds the score of each size on the held-out rows, which the choice never
        sees.
    """
    selected = selector.select(learner, rows)
    rows = replace(rows, preprocessing=selected.preprocessing)
    outer = []
    for size in selected.selection.sizes:
        pipeline = fit_rows(learner, rows.keep(size), ranker=selected.ranker)
        prediction = predict_rows(pipeline, task.X, task.y, rows=test, n_classes=len(task.classes))
        outer.append(selector.measure.score(prediction, classes=task.classes).value)
    return replace(selected, selection=replace(selected.selection, outer=tuple(outer)))
