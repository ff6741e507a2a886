"""Shapley values of the held-out rows of a whole cell, fold by fold.

Step in the line: RunRecord + Task -> **Explanation**. Every row is explained by the model of a fold
that never saw it, against rows of that fold's training part, on the scale its learner names; see
`attribution` for one fold.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from smalldata.attribution import FoldExplanation, explain_fold
from smalldata.cells import PLAIN
from smalldata.errors import ExplanationError
from smalldata.evaluation import own_preprocessing
from smalldata.evidence import Faithfulness
from smalldata.explanationoptions import (
    ExplanationOptions,
    check_options,
    describe_options,
    folds_to_explain,
    rows_to_explain,
)
from smalldata.faithfulness import join_removals
from smalldata.learner import Learner
from smalldata.preprocess import Preprocessing
from smalldata.results import Explanation, FoldResult, RunRecord, Splits
from smalldata.shapley.forms import describe_looks
from smalldata.task import Task, TaskKind
from smalldata.workers import Killed, count_processes, stream_jobs

_DEFAULTS = ExplanationOptions()


def explain_folds(
    task: Task,
    record: RunRecord,
    learner: Learner,
    splits: Splits,
    *,
    preprocessing: Preprocessing = PLAIN,
    options: ExplanationOptions = _DEFAULTS,
    seed: int = 0,
    n_jobs: int | None = None,
) -> Iterator[FoldExplanation]:
    """Yield the explanation of each asked fold as it finishes; parameters as in `explain`."""
    stored = {(fold.repeat, fold.fold): fold for fold in record.folds if fold.status == "ok"}
    check_options(task, learner, splits, options, train_size=record.train_size)
    rows = rows_to_explain(task, options, seed=seed)
    chosen = [
        fold
        for fold in folds_to_explain(splits, options, rows=rows)
        if (fold.repeat, fold.fold) in stored
    ]
    if not chosen:
        raise ExplanationError(
            f"only a finished cell can be explained; {record.label} has no finished fold"
            f"{': ' + record.reason if record.reason else ''}."
        )
    run = partial(
        _explain_named,
        task,
        learner,
        splits,
        stored=stored,
        preprocessing=preprocessing,
        background=options.background,
        evaluations=options.evaluations,
        train_size=record.train_size,
        seed=seed,
        quick=options.quick,
        rows=rows,
    )
    names = [(fold.repeat, fold.fold) for fold in chosen]
    n_processes = min(count_processes(n_jobs), len(splits.folds))
    for name, part in stream_jobs(run, names, n_processes=n_processes):
        if isinstance(part, Killed):
            raise ExplanationError(f"fold r{name[0]:02d}f{name[1]:02d}: {part.reason}")
        yield part


def explain(
    task: Task,
    record: RunRecord,
    learner: Learner,
    splits: Splits,
    *,
    preprocessing: Preprocessing = PLAIN,
    options: ExplanationOptions = _DEFAULTS,
    seed: int = 0,
    n_jobs: int | None = None,
) -> Explanation:
    """Explain the held-out rows of a finished cell.

    Parameters
    ----------
    task : Task
    record : RunRecord
        As `evaluate` returned it for the same task, learner, splits and preprocessing.
    learner : Learner
    splits : Splits
    preprocessing : Preprocessing
    options : ExplanationOptions
    seed : int
        The run's seed.
    n_jobs : int, optional
        Processes; default: one per core. Does not change a number.

    Returns
    -------
    Explanation

    Raises
    ------
    ExplanationError
        If there is no finished fold, a stored prediction is not reproduced, the background asked
        for is larger than a fold, or values do not add up.

    Examples
    --------
    >>> from smalldata.datasets import load_dataset
    >>> from smalldata.evaluation import evaluate
    >>> from smalldata.models import load_learner
    >>> from smalldata.resampling import make_splits
    >>> from smalldata.task import make_task
    >>> task = make_task(load_dataset("nutrimouse"))
    >>> splits = make_splits(task, "kfold", n_splits=2)
    >>> learner = load_learner("linear")
    >>> record = evaluate(task, learner, splits, n_jobs=1)
    >>> explain(task, record, learner, splits, n_jobs=1).values.shape
    (40, 141, 5)
    """
    parts = explain_folds(
        task,
        record,
        learner,
        splits,
        preprocessing=preprocessing,
        options=options,
        seed=seed,
        n_jobs=n_jobs,
    )
    return join_folds(
        parts, task=task, learner=learner, options=describe_options(options, seed=seed)
    )


def join_folds(
    parts: Iterable[FoldExplanation],
    *,
    task: Task,
    learner: Learner,
    options: dict[str, Any],
) -> Explanation:
    """Join explained folds into one Explanation, in the order of repeat, fold and row."""
    ordered = sorted(parts, key=lambda part: (part.repeat, part.fold))
    errors = [part.standard_errors for part in ordered if part.standard_errors is not None]
    outputs: tuple[str, ...]
    if task.kind is TaskKind.MULTICLASS:
        outputs = task.classes
    else:
        outputs = (task.positive or task.dataset.target,)
    return Explanation(
        values=np.concatenate([part.values for part in ordered]).astype(np.float32),
        base_values=np.concatenate([part.base_values for part in ordered]),
        row=np.concatenate([part.row for part in ordered]),
        repeat=np.concatenate([np.full(len(part.row), part.repeat) for part in ordered]),
        fold=np.concatenate([np.full(len(part.row), part.fold) for part in ordered]),
        feature_names=task.dataset.feature_names,
        scale=learner.scale(task.kind),
        outputs=outputs,
        additivity_error=max(part.additivity_error for part in ordered),
        standard_errors=np.concatenate(errors).astype(np.float32)
        if len(errors) == len(ordered)
        else None,
        options=options,
        seconds=sum(part.seconds for part in ordered),
        notes=_join_notes(ordered),
        faithfulness=_join_removals(ordered, measure=task.measure),
    )


def _join_notes(parts: Sequence[FoldExplanation]) -> tuple[str, ...]:
    looks = describe_looks([part.look for part in parts if part.look is not None])
    return tuple(dict.fromkeys(note for note in (looks, *(part.note for part in parts)) if note))


def _join_removals(parts: Sequence[FoldExplanation], *, measure: str) -> Faithfulness | None:
    known = [part for part in parts if part.removals is not None]
    return join_removals(
        [part.removals for part in known if part.removals is not None],
        measure=measure,
        repeat=np.array([part.repeat for part in known]),
        fold=np.array([part.fold for part in known]),
    )


def _explain_named(
    task: Task,
    learner: Learner,
    splits: Splits,
    name: tuple[int, int],
    *,
    stored: dict[tuple[int, int], FoldResult],
    preprocessing: Preprocessing,
    **options: Any,
) -> FoldExplanation:
    fold = next(fold for fold in splits.folds if (fold.repeat, fold.fold) == name)
    found = stored[name]
    tuned = replace(learner, **found.values)  # type: ignore[type-var]
    chosen = own_preprocessing(preprocessing, found)
    return explain_fold(task, tuned, splits, fold, stored=found, preprocessing=chosen, **options)
