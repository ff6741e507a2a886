"""Shapley values of the held-out rows of a whole cell, fold by fold.

Step in the line: RunRecord + Task -> **Explanation**. Each row is explained by the model of a fold
that never saw it, against training rows of that fold, on the scale its learner names; see `fold`
for one fold.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ExplanationError
from smalldata.evaluation.cell import Cell
from smalldata.explanation.faithfulness import join_removals
from smalldata.explanation.fold import FoldExplanation, FoldPairs, explain_fold, pair_fold
from smalldata.explanation.options import (
    ExplanationOptions,
    check_options,
    describe_options,
    folds_to_explain,
    rows_to_explain,
)
from smalldata.explanation.refit import stream_refits
from smalldata.learner import Learner
from smalldata.pipeline.preprocess import PLAIN, Preprocessing
from smalldata.results.evidence import Faithfulness, Interactions
from smalldata.results.explanation import Explanation
from smalldata.results.folds import Splits
from smalldata.results.record import RunRecord
from smalldata.shapley.dispatch import ADDITIVE, SAMPLED, describe_looks
from smalldata.task import Task, TaskKind

_DEFAULTS = ExplanationOptions()


def explain_folds(
    cell: Cell,
    record: RunRecord,
    options: ExplanationOptions = _DEFAULTS,
    *,
    n_jobs: int | None = None,
) -> Iterator[FoldExplanation]:
    """Yield the explanation of each requested fold as it finishes.

    Parameters
    ----------
    cell : Cell
    record : RunRecord
        Of the cell.
    options : ExplanationOptions
    n_jobs : int, optional
        As in `explain`, which raises the same errors.
    """
    stored = {(fold.repeat, fold.fold): fold for fold in record.folds if fold.status == "ok"}
    check_options(cell, options)
    rows = rows_to_explain(cell, options)
    chosen = [
        fold
        for fold in folds_to_explain(cell.splits, options, rows=rows)
        if (fold.repeat, fold.fold) in stored
    ]
    if not chosen:
        raise ExplanationError(
            f"only a finished cell can be explained; {record.label} has no finished fold"
            f"{': ' + record.reason if record.reason else ''}."
        )
    names = [(fold.repeat, fold.fold) for fold in chosen]
    yield from stream_refits(
        explain_fold, cell, record, names, n_jobs=n_jobs, options=options, rows=rows
    )


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
        Processes; default: one per core. Changes no number.

    Returns
    -------
    Explanation

    Raises
    ------
    ExplanationError
        If no fold is finished, a stored prediction is not reproduced, the background is larger than
        a training fold, or values do not add up.
    SplitError
        If the splits belong to another task.

    Examples
    --------
    >>> from smalldata.datasets import load_dataset
    >>> from smalldata.evaluation.outer_loop import evaluate
    >>> from smalldata.models import load_learner
    >>> from smalldata.resampling.strategies import make_splits
    >>> from smalldata.task import make_task
    >>> task = make_task(load_dataset("nutrimouse"))
    >>> splits = make_splits(task, "kfold", n_splits=2)
    >>> learner = load_learner("linear")
    >>> record = evaluate(task, learner, splits, n_jobs=1)
    >>> explain(task, record, learner, splits, n_jobs=1).values.shape
    (40, 141, 5)
    """
    cell = Cell(
        task=task,
        learner=learner,
        splits=splits,
        preprocessing=preprocessing,
        train_size=record.train_size,
        seed=seed,
    )
    found = join_folds(explain_folds(cell, record, options, n_jobs=n_jobs), cell, options)
    if not lacks_pairs(found):
        return found
    return join_pairs(pair_folds(cell, record, found, options, n_jobs=n_jobs), found)


def interaction_features(explanation: Explanation) -> NDArray[np.int64]:
    """Positions of the features to look at in pairs, most important first; empty: none.

    If a number was given, leading features without any importance are left out.
    """
    asked = explanation.options.get("interactions", 0)
    importance = np.abs(explanation.values).mean(axis=2, dtype=np.float64).mean(axis=0)
    order = np.argsort(-importance, kind="stable")
    if isinstance(asked, int):
        return order[: min(asked, int(np.count_nonzero(importance)))]
    return order[np.isin(np.array(explanation.feature_names, dtype=str)[order], asked)]


def lacks_pairs(explanation: Explanation) -> bool:
    """Whether interactions were requested and are possible, but missing."""
    return (
        explanation.interactions is None
        and not {ADDITIVE, SAMPLED} & set(explanation.notes)
        and len(interaction_features(explanation)) > 1
    )


def pair_folds(
    cell: Cell,
    record: RunRecord,
    explanation: Explanation,
    options: ExplanationOptions = _DEFAULTS,
    *,
    n_jobs: int | None = None,
) -> Iterator[FoldPairs]:
    """Yield the interactions of each fold of the first repeat that is explained, as it finishes.

    Parameters as in `explain_folds`; ``explanation`` says which features lead.
    """
    first = int(explanation.repeat.min())
    yield from stream_refits(
        pair_fold,
        cell,
        record,
        [(first, int(fold)) for fold in np.unique(explanation.fold[explanation.repeat == first])],
        n_jobs=n_jobs,
        options=options,
        rows=rows_to_explain(cell, options),
        chosen=interaction_features(explanation),
    )


def join_pairs(parts: Iterable[FoldPairs], explanation: Explanation) -> Explanation:
    """Return the explanation with the interactions of its folds."""
    ordered = sorted(parts, key=lambda part: (part.repeat, part.fold))
    interactions = Interactions(
        feature=interaction_features(explanation),
        magnitude=np.stack([part.magnitude for part in ordered]),
        repeat=np.array([part.repeat for part in ordered], dtype=np.int64),
        fold=np.array([part.fold for part in ordered], dtype=np.int64),
    )
    seconds = explanation.seconds + sum(part.seconds for part in ordered)
    return replace(explanation, interactions=interactions, seconds=seconds)


def join_folds(
    parts: Iterable[FoldExplanation], cell: Cell, options: ExplanationOptions
) -> Explanation:
    """Join explained folds into one Explanation, in the order of repeat, fold and row."""
    task = cell.task
    ordered = sorted(parts, key=lambda part: (part.repeat, part.fold))
    errors = [part.standard_errors for part in ordered if part.standard_errors is not None]
    outputs: tuple[str, ...]
    if task.kind is TaskKind.MULTICLASS:
        outputs = task.classes
    else:
        outputs = (task.positive or task.dataset.target,)
    return Explanation(
        values=np.concatenate([part.values for part in ordered]),
        base_values=np.concatenate([part.base_values for part in ordered]),
        row=np.concatenate([part.row for part in ordered]),
        repeat=np.concatenate([np.full(len(part.row), part.repeat) for part in ordered]),
        fold=np.concatenate([np.full(len(part.row), part.fold) for part in ordered]),
        feature_names=task.dataset.feature_names,
        scale=cell.learner.scale(task.kind),
        outputs=outputs,
        additivity_error=max(part.additivity_error for part in ordered),
        standard_errors=np.concatenate(errors) if len(errors) == len(ordered) else None,
        options=describe_options(cell, options),
        seconds=sum(part.seconds for part in ordered),
        notes=_join_notes(ordered, pairs=bool(options.interactions)),
        faithfulness=_join_removals(ordered, measure=task.measure),
    )


def _join_notes(parts: Sequence[FoldExplanation], *, pairs: bool) -> tuple[str, ...]:
    looks = describe_looks([part.look for part in parts if part.look is not None])
    notes = [looks, *(part.note for part in parts)]
    refusals = {part.no_pairs for part in parts if part.repeat == parts[0].repeat}
    if pairs and "" not in refusals:  # a tuned svm may be linear in one fold and not in another
        notes += sorted(refusals)
    return tuple(dict.fromkeys(note for note in notes if note))


def _join_removals(parts: Sequence[FoldExplanation], *, measure: str) -> Faithfulness | None:
    known = [part for part in parts if part.removals is not None]
    return join_removals(
        [part.removals for part in known if part.removals is not None],
        measure=measure,
        repeat=np.array([part.repeat for part in known]),
        fold=np.array([part.fold for part in known]),
    )
