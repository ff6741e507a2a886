"""Shapley values of the held-out rows of one fold, pairs of its features, and what they carry.

Step in the line: FoldResult + Task -> **FoldExplanation** -> explanation. The model is rebuilt and
checked in `refit`; values that do not add up to f(x) - mean f(z) are refused. With the values comes
what removing the leading features does to the fold's score.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ExplanationError
from smalldata.evaluation.cell import Cell
from smalldata.explanation.faithfulness import FoldRemovals, score_removals
from smalldata.explanation.options import ExplanationOptions
from smalldata.explanation.refit import OpenFold, rebuild_fold
from smalldata.learner import SupportsLogOdds
from smalldata.measures.registry import find_measure
from smalldata.results.folds import Array, Fold, FoldResult
from smalldata.seeding import seed_for
from smalldata.shapley.dispatch import Look, explain_form, form_interactions, refuse_interactions
from smalldata.task import TaskKind

ADDITIVITY_TOLERANCE = 1e-4

LEADING_ERROR = 0.1
"""Standard error, over their mean size, at which the leading features of a sample are known.

Of its mean over the repeats; a sampled model stops there, if its budget has not ended before.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldExplanation:
    """Shapley values of the held-out rows of one fold; shapes and precision as in Explanation.

    ``removals`` holds what replacing the leading features does to the fold's score, ``look`` how
    expected gradients compare with walks if they were used, ``no_pairs`` why there are no pairs.
    """

    repeat: int
    fold: int
    row: NDArray[np.int64]
    values: NDArray[np.float32]
    base_values: Array
    standard_errors: NDArray[np.float32] | None
    additivity_error: float
    seconds: float
    note: str = ""
    look: Look | None = None
    no_pairs: str = ""
    removals: FoldRemovals | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldPairs:
    """Interactions of one fold; ``magnitude`` of shape (n_chosen, n_chosen, n_outputs)."""

    repeat: int
    fold: int
    magnitude: Array
    seconds: float


def explain_fold(
    cell: Cell,
    fold: Fold,
    *,
    stored: FoldResult,
    options: ExplanationOptions,
    rows: NDArray[np.int64],
) -> FoldExplanation:
    """Rebuild one fold and explain its held-out rows.

    Parameters
    ----------
    cell : Cell
        With the values and the size of this fold. Its seed draws the background, whatever the
        model.
    fold : Fold
    stored : FoldResult
        The fold as it was recorded; its predictions must be reproduced.
    options : ExplanationOptions
    rows : ndarray of shape (n_rows,)
        Positions in the task of the rows to explain; the fold's other rows are left out. Features
        are removed only if all rows of the fold are explained.

    Returns
    -------
    FoldExplanation

    Raises
    ------
    ExplanationError
        If the stored predictions are not reproduced, the background is larger than the training
        fold, or the values do not add up.
    """
    start = time.perf_counter()
    task = cell.task
    opened = rebuild_fold(cell, fold, stored=stored, background=options.background)
    found = explain_opened(cell, opened, options=options, rows=rows)
    if len(found.row) < len(fold.test):
        return replace(found, seconds=time.perf_counter() - start)
    removals = score_removals(
        opened.estimator,
        opened.X,
        opened.Z,
        task.y[fold.test],
        players=opened.players,
        importance=np.abs(found.values).mean(axis=(0, 2), dtype=np.float64),
        measure=find_measure(task.measure, task.kind),
        classes=task.classes,
        seed=seed_for(cell.seed, "removal", fold.repeat, fold.fold),
        threshold=None if stored.threshold is None else stored.threshold.value,
        form=opened.form,
        scale=opened.scale,
    )
    return replace(found, removals=removals, seconds=time.perf_counter() - start)


def explain_opened(
    cell: Cell, opened: OpenFold, *, options: ExplanationOptions, rows: NDArray[np.int64]
) -> FoldExplanation:
    """Compute the Shapley values of held-out rows of a fitted fold.

    Raises
    ------
    ExplanationError
        If the values do not add up.
    """
    start = time.perf_counter()
    task, fold, players = cell.task, opened.fold, opened.players
    asked = np.isin(fold.test, rows)
    X = opened.X[asked]
    found = explain_form(
        opened.form,
        X,
        opened.Z,
        players=players,
        evaluations=options.evaluations,
        seed=seed_for(cell.seed, "walk", fold.repeat, fold.fold),
        quick=options.quick,
        leading_error=LEADING_ERROR * np.sqrt(_times_explained(cell, options)),
    )
    values, base_values, errors = found.values, found.base_values, found.standard_errors
    if opened.scale == "log-odds" and values.shape[2] > 1:  # centred, as the output is
        values = values - values.mean(axis=2, keepdims=True)
        base_values = base_values - base_values.mean()
    output = explained_output(opened.estimator, X, kind=task.kind, scale=opened.scale)
    return FoldExplanation(
        repeat=fold.repeat,
        fold=fold.fold,
        row=fold.test[asked],
        values=_on_features(values, players, task.n_features),
        base_values=np.broadcast_to(base_values, (len(X), values.shape[2])).copy(),
        standard_errors=None if errors is None else _on_features(errors, players, task.n_features),
        additivity_error=_additivity_error(values, base_values, output, fold),
        seconds=time.perf_counter() - start,
        note=found.note,
        look=found.look,
        no_pairs=refuse_interactions(opened.form),
    )


def pair_fold(
    cell: Cell,
    fold: Fold,
    *,
    stored: FoldResult,
    options: ExplanationOptions,
    rows: NDArray[np.int64],
    chosen: NDArray[np.int64],
) -> FoldPairs:
    """Rebuild one fold and compute the interactions of some features in its held-out rows.

    Parameters
    ----------
    chosen : ndarray of shape (n_chosen,)
        Positions of the features.

    Other parameters and errors as in `explain_fold`.
    """
    start = time.perf_counter()
    opened = rebuild_fold(cell, fold, stored=stored, background=options.background)
    values = form_interactions(
        opened.form,
        opened.X[np.isin(fold.test, rows)],
        opened.Z,
        chosen=chosen,
        players=opened.players,
        n_players=cell.task.n_features,
    )
    if opened.scale == "log-odds" and values.shape[3] > 1:  # centred, as the output is
        values = values - values.mean(axis=3, keepdims=True)
    return FoldPairs(
        repeat=fold.repeat,
        fold=fold.fold,
        magnitude=np.abs(values).mean(axis=0),
        seconds=time.perf_counter() - start,
    )


def explained_output(estimator: Any, X: Array, *, kind: TaskKind, scale: str) -> Array:
    """Return f(x) as the estimator itself gives it, on the explained scale: (n_rows, n_outputs).

    Log-odds of several classes are centred over the classes.
    """
    if kind is TaskKind.REGRESSION:
        output = np.asarray(estimator.predict(X), dtype=np.float64)[:, None]
    elif scale == "probability":
        output = np.asarray(estimator.predict_proba(X), dtype=np.float64)
        output = output[:, 1:] if kind is TaskKind.BINARY else output
    elif isinstance(estimator, SupportsLogOdds):
        output = np.asarray(estimator.log_odds(X), dtype=np.float64)
    elif hasattr(estimator, "decision_function"):
        output = np.asarray(estimator.decision_function(X), dtype=np.float64)
        output = output[:, None] if output.ndim == 1 else output
    else:
        logs = np.log(
            np.clip(np.asarray(estimator.predict_proba(X), dtype=np.float64), 1e-300, 1.0)
        )
        output = logs[:, 1:] - logs[:, :1] if kind is TaskKind.BINARY else logs
    if scale == "log-odds" and output.shape[1] > 1:
        output = output - output.mean(axis=1, keepdims=True)
    return output


def _additivity_error(values: Array, base_values: Array, output: Array, fold: Fold) -> float:
    """Return how far values miss f(x) - mean f(z), as a share of how much f varies.

    Raises
    ------
    ExplanationError
        If it is more than rounding can explain.
    """
    gap = float(np.abs(values.sum(axis=1) + base_values - output).max())
    spread = max(
        float(np.abs(output - base_values).max()), float(np.abs(output).max()) * 1e-3, 1e-12
    )
    if not gap <= ADDITIVITY_TOLERANCE * spread:
        raise ExplanationError(
            f"Shapley values must add up to f(x) - mean f(z); in {fold.name} they miss it by "
            f"{gap:.2g} where f varies by {spread:.2g}."
        )
    return gap / spread


def _times_explained(cell: Cell, options: ExplanationOptions) -> int:
    """Return in how many repeats a sample is explained."""
    n_repeats = 1 + max(fold.repeat for fold in cell.splits.folds)
    return n_repeats if options.repeats is None else min(options.repeats, n_repeats)


def _on_features(values: Array, players: NDArray[np.int64], n_features: int) -> NDArray[np.float32]:
    """Spread the values of players with columns over all features; the others get 0."""
    full = np.zeros((values.shape[0], n_features, values.shape[2]), dtype=np.float32)
    full[:, np.unique(players), :] = values
    return full
