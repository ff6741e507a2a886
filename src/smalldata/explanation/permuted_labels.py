"""How large importances get without signal: the same pipeline on permuted labels, fold by fold.

Step in the line: Cell with permuted labels -> **importances of each permutation** -> evidence.
Labels are permuted by the rule of `resampling.permuting`, which keeps true and permuted ones
exchangeable. They go through everything the true ones did: the same strategy and seed cut the
folds, the pipeline is fitted on training rows (and tuned if the cell is), and a model explains only
rows it never saw. If labels carry no signal, true and permuted ones cannot be told apart, so the
true importances exceed all of n permutations with probability at most 1 / (n + 1) (e.g. Phipson &
Smyth 2010, *Stat. Appl. Genet. Mol. Biol.* 9:39).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from smalldata.errors import ConfigError, ExplanationError
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate_fold
from smalldata.explanation.fold import explain_opened
from smalldata.explanation.options import ExplanationOptions, check_background, rows_to_explain
from smalldata.explanation.refit import rebuild_fold
from smalldata.resampling.permuting import draw_permuted
from smalldata.results.folds import Array, Fold, Rows, Splits
from smalldata.runtime.workers import Killed, stream_jobs
from smalldata.task import Task

Cut = Callable[[Task], Splits]
"""Cuts the folds of a task the way the cell's own were cut."""


def null_importances(
    cell: Cell,
    cut: Cut,
    options: ExplanationOptions,
    *,
    numbers: Sequence[int],
    device: str = "cpu",
    n_jobs: int | None = None,
) -> Iterator[tuple[int, Array]]:
    """Yield the importances of each permutation as it finishes.

    Parameters
    ----------
    cell : Cell
        With the true labels. Its tuner must write no log: an interrupted permutation starts over.
    cut : callable
        Task -> Splits, the way the cell's own were cut.
    options : ExplanationOptions
    numbers : sequence of int
        Which permutations to compute, from 0 on; each is the same whichever others are computed.
    device : {"auto", "cpu", "cuda"}
    n_jobs : int, optional
        Processes; default: one per core. Changes no number.

    Yields
    ------
    number : int
    values : ndarray of shape (n_features,)
        As a row of `NullImportances.values`.

    Raises
    ------
    ExplanationError
        If a fold fails, or no permutation can be cut into folds.

    Examples
    --------
    >>> from smalldata.datasets import load_dataset
    >>> from smalldata.models import load_learner
    >>> from smalldata.resampling.strategies import make_splits
    >>> from smalldata.task import make_task
    >>> task = make_task(load_dataset("nutrimouse"))
    >>> cut = lambda permuted: make_splits(permuted, "kfold", n_splits=2)
    >>> cell = Cell(task=task, learner=load_learner("linear"), splits=cut(task))
    >>> found = null_importances(cell, cut, ExplanationOptions(), numbers=[7], n_jobs=1)
    >>> ((number, values),) = found
    >>> number, values.shape
    (7, (141,))
    """
    place = cell.device(device)
    run = partial(_measure_named, cell, cut, options, device=place)
    n_folds = sum(fold.repeat == 0 for fold in cell.splits.folds)
    jobs = [(number, position) for number in numbers for position in range(n_folds)]
    found: dict[int, dict[int, FoldImportance]] = {}
    n_processes = cell.n_processes(n_jobs, device=place, most=max(1, len(jobs)))
    for (number, position), part in stream_jobs(run, jobs, n_processes=n_processes):
        if isinstance(part, Killed):
            raise ExplanationError(f"permutation {number}, fold {position}: {part.reason}")
        parts = found.setdefault(number, {})
        parts[position] = part
        if len(parts) == n_folds:
            yield number, mean_importance([parts[at] for at in range(n_folds)])
            del found[number]


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldImportance:
    """Sum over held-out rows of |Shapley value|, averaged over the outputs: (n_features,)."""

    total: Array
    n_rows: int


def mean_importance(parts: Sequence[FoldImportance]) -> Array:
    """Mean over the held-out rows of all folds: (n_features,)."""
    total = np.sum([part.total for part in parts], axis=0)
    return np.asarray(total / sum(part.n_rows for part in parts))


def measure_importance(
    cell: Cell, fold: Fold, options: ExplanationOptions, *, device: str = "cpu"
) -> FoldImportance:
    """Fit, check and explain one fold, exactly as with the true labels.

    Raises
    ------
    ExplanationError
        If the fold fails or its values do not add up.
    """
    rows = rows_to_explain(cell, options)
    if not np.isin(fold.test, rows).any():
        return FoldImportance(total=np.zeros(cell.task.n_features), n_rows=0)
    result = evaluate_fold(cell, fold, device=device)
    if result.status != "ok":
        raise ExplanationError(f"{fold.name} fails: {result.reason}")
    fitted = cell.fitted_as(result)
    opened = rebuild_fold(fitted, fold, stored=result, background=options.background)
    values = explain_opened(fitted, opened, options=options, rows=rows).values
    total = np.abs(values).mean(axis=2, dtype=np.float64).sum(axis=0)
    return FoldImportance(total=total, n_rows=len(values))


def draw_permutation(cell: Cell, cut: Cut, options: ExplanationOptions, *, number: int) -> Cell:
    """Permute the labels and cut new folds, until each training fold holds each class.

    The permutation depends on the run's seed and its number, not on the model.

    Raises
    ------
    ExplanationError
        If none of many permutations can be cut.
    """

    def make(task: Task) -> Cell:  # groups vary in size, so folds may be smaller than options need
        permuted = replace(cell, task=task, splits=cut(task))
        check_background(permuted, options, rows=rows_to_explain(permuted, options))
        return permuted

    try:
        return draw_permuted(cell.task, make, seed=cell.seed, number=number, key="explain.null")
    except ConfigError as error:
        raise ExplanationError(str(error)) from None


def _first_repeat(splits: Splits, rows: Rows) -> list[Fold]:
    """Return the folds of the first repeat that holds out some of the rows."""
    first = min(fold.repeat for fold in splits.folds if np.isin(fold.test, rows).any())
    return [fold for fold in splits.folds if fold.repeat == first]


def _measure_named(
    cell: Cell, cut: Cut, options: ExplanationOptions, name: tuple[int, int], *, device: str
) -> FoldImportance:
    number, position = name
    permuted = draw_permutation(cell, cut, options, number=number)
    folds = _first_repeat(permuted.splits, rows_to_explain(permuted, options))
    try:
        return measure_importance(permuted, folds[position], options, device=device)
    except ExplanationError as error:
        raise ExplanationError(f"permutation {number} of the labels: {error}") from None
