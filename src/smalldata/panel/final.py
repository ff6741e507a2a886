"""The final panel: the procedure of `selector` on all rows, and substitutes for its members.

Step in the line: Task + selector -> **Panel** -> report. No row is left to score it on; the
score of the procedure on the outer folds says what to expect of it.
"""

import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from smalldata.learner import Learner
from smalldata.panel.selector import SignatureSelector
from smalldata.panel.sizes import ROUNDING
from smalldata.pipeline.limits import without_limits
from smalldata.pipeline.training import TrainingRows
from smalldata.results.panel import Panel, Substitute, mean_and_error
from smalldata.seeding import seed_for
from smalldata.statistics.correlation_groups import ALIKE, rank_correlations

MOST_SUBSTITUTES = 5
"""Substitutes tried for one member, the closest first."""

MOST_REPLACED = 20
"""How many members, leading first, get substitutes."""


def find_panel(learner: Learner, selector: SignatureSelector, rows: TrainingRows) -> Panel:
    """Run the whole procedure on all rows: one panel, and substitutes for its members.

    It has no honest score, since no row is left; the score of the procedure on the outer folds says
    what to expect on new samples.

    Parameters
    ----------
    learner : Learner
    selector : SignatureSelector
    rows : TrainingRows
        All rows of a task, without a selection; their seed is the run's.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the folds' notes already hold them
        return _find_panel(learner, selector, rows)


def find_twins(X: Any, members: Sequence[int]) -> list[tuple[int, int, float]]:
    """Find numeric features outside a panel that are correlated with its members.

    Parameters
    ----------
    X : DataFrame of shape (n_samples, n_features)
        Missing values are left out pair by pair.
    members : sequence of int
        Positions; only the first `MOST_REPLACED` are looked at.

    Returns
    -------
    list of (member, feature, correlation)
        By member in the order given, the closest feature first: those with |Spearman correlation|
        of at least `ALIKE`, at most `MOST_SUBSTITUTES` each.
    """
    looked_at = np.array(members[:MOST_REPLACED], dtype=np.int64)
    found = []
    for member, correlations in zip(looked_at, rank_correlations(X, looked_at), strict=True):
        correlations[list(members)] = 0.0
        closest = np.argsort(-np.abs(correlations), kind="stable")[:MOST_SUBSTITUTES]
        found += [
            (int(member), int(feature), float(correlations[feature]))
            for feature in closest
            if abs(correlations[feature]) >= ALIKE
        ]
    return found


def _find_panel(learner: Learner, selector: SignatureSelector, rows: TrainingRows) -> Panel:
    start = time.perf_counter()
    rows = replace(rows, seed=seed_for(rows.seed, "fit", "panel"))
    chosen = selector.select(learner, rows)
    selection = chosen.selection
    folds = selector.cut_folds(replace(rows, preprocessing=chosen.preprocessing))
    score, error = mean_and_error(selector.score_panel(learner, selection.members, folds))
    sign = 1.0 if selector.measure.higher_is_better else -1.0
    substitutes = []
    shown = without_limits(rows.X, rows.below)
    for member, feature, correlation in find_twins(shown, selection.members):
        changed = [feature if kept == member else kept for kept in selection.members]
        found, _ = mean_and_error(selector.score_panel(learner, changed, folds))
        substitutes.append(
            Substitute(
                member=member,
                feature=feature,
                correlation=correlation,
                score=found,
                is_equal=sign * found >= sign * score - error - ROUNDING,
            )
        )
    return Panel(
        selection=selection,
        score=score,
        error=error,
        substitutes=tuple(substitutes),
        seconds=time.perf_counter() - start,
    )
