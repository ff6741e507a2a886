"""How large importances get without any signal: the same pipeline on permuted labels, fold by fold.

Step in the line: task + learner + folds anew -> **importances of each permutation** -> evidence. A
permutation goes the whole way of the true labels: folds are cut by the same strategy and seed, the
pipeline is fitted (tuned where the cell is) on training rows, and held-out rows are explained by
the model that never saw them. Where labels mean nothing, true and permuted ones cannot be told
apart, so the true importances exceed all of n permutations with probability 1 / (n + 1) at most
(e.g. Phipson & Smyth 2010, *Stat. Appl. Genet. Mol. Biol.* 9:39).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from smalldata.errors import ExplanationError, SmalldataError
from smalldata.evaluation.cell import PLAIN
from smalldata.evaluation.outer_loop import evaluate_fold, own_preprocessing
from smalldata.explanation.fold import explain_opened
from smalldata.explanation.options import ExplanationOptions, check_background, rows_to_explain
from smalldata.explanation.refit import rebuild_fold
from smalldata.learner import Learner
from smalldata.pipeline.choices import Selector, Tuner
from smalldata.pipeline.preprocess import Preprocessing
from smalldata.resampling.strategies import check_train_size
from smalldata.results.folds import Array, Fold, Rows, Splits
from smalldata.runtime.devices import resolve_device
from smalldata.runtime.memory import share_card
from smalldata.runtime.workers import Killed, count_processes, stream_jobs
from smalldata.seeding import seed_for
from smalldata.task import Task

Cut = Callable[[Task], Splits]

MOST_DRAWS = 100
"""So often a permutation is drawn again that leaves a training fold without a class."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pipeline:
    """Everything that makes the importances of a cell out of its task.

    Attributes
    ----------
    learner : Learner
    cut : callable
        Task -> Splits, as the cell's own were made.
    preprocessing : Preprocessing
    train_size : int or None
    tuner : Tuner or None
        Without a log: an interrupted permutation begins anew.
    selector : Selector or None
    options : ExplanationOptions
    seed : int
        The run's seed.
    device : {"auto", "cpu", "cuda"}
    """

    learner: Learner
    cut: Cut
    preprocessing: Preprocessing = PLAIN
    train_size: int | None = None
    tuner: Tuner | None = None
    selector: Selector | None = None
    options: ExplanationOptions
    seed: int = 0
    device: str = "cpu"


def null_importances(
    task: Task, pipeline: Pipeline, *, numbers: Sequence[int], n_jobs: int | None = None
) -> Iterator[tuple[int, Array]]:
    """Yield the importances of each permutation as it finishes.

    Parameters
    ----------
    task : Task
        With the true labels.
    pipeline : Pipeline
    numbers : sequence of int
        Which permutations to make, from 0 on; each is what it is, whichever others are made.
    n_jobs : int, optional
        Processes; default: one per core. Does not change a number.

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
    >>> pipeline = Pipeline(
    ...     learner=load_learner("linear"),
    ...     cut=lambda permuted: make_splits(permuted, "kfold", n_splits=2),
    ...     options=ExplanationOptions(),
    ... )
    >>> ((number, values),) = null_importances(task, pipeline, numbers=[7], n_jobs=1)
    >>> number, values.shape
    (7, (141,))
    """
    device = resolve_device(pipeline.device)[0] if pipeline.learner.traits.uses_gpu else "cpu"
    run = partial(_measure_named, task, replace(pipeline, device=device))
    n_folds = sum(fold.repeat == 0 for fold in pipeline.cut(task).folds)
    jobs = [(number, position) for number in numbers for position in range(n_folds)]
    found: dict[int, dict[int, FoldImportance]] = {}
    n_processes = share_card(
        min(count_processes(n_jobs), max(1, len(jobs))),
        device=device,
        n_jobs=n_jobs,
        n_cells=task.n_samples * task.n_features,
    )
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
    task: Task, pipeline: Pipeline, splits: Splits, fold: Fold
) -> FoldImportance:
    """Fit, check and explain one fold: all that is done with the labels of the task itself.

    Raises
    ------
    ExplanationError
        If the fold fails or its values do not add up.
    """
    rows = rows_to_explain(task, splits, pipeline.options, seed=pipeline.seed)
    if not np.isin(fold.test, rows).any():
        return FoldImportance(total=np.zeros(task.n_features), n_rows=0)
    result = evaluate_fold(
        task,
        pipeline.learner,
        splits,
        fold,
        preprocessing=pipeline.preprocessing,
        train_size=pipeline.train_size,
        tuner=pipeline.tuner,
        selector=pipeline.selector,
        seed=pipeline.seed,
        device=pipeline.device,
    )
    if result.status != "ok":
        raise ExplanationError(f"{fold.name} fails: {result.reason}")
    opened = rebuild_fold(
        task,
        replace(pipeline.learner, **result.values),  # type: ignore[type-var]
        splits,
        fold,
        stored=result,
        preprocessing=own_preprocessing(pipeline.preprocessing, result),
        background=pipeline.options.background,
        train_size=pipeline.train_size,
        seed=pipeline.seed,
    )
    values = explain_opened(
        task,
        opened,
        evaluations=pipeline.options.evaluations,
        seed=pipeline.seed,
        quick=pipeline.options.quick,
        rows=rows,
    ).values
    total = np.abs(values).mean(axis=2, dtype=np.float64).sum(axis=0)
    return FoldImportance(total=total, n_rows=len(values))


def permute_labels(task: Task, *, seed: int) -> Task:
    """Return the task with its labels in another order; rows, groups and folds stay.

    With groups their order is shuffled, and the labels of the groups, one after the other in the
    new order, are laid over the rows sorted by group: rows of one group keep most of what their
    labels have in common, and each label occurs as often as before.
    """
    rng = np.random.default_rng(seed)
    source = np.empty(task.n_samples, dtype=np.int64)
    if task.groups is None:
        source = rng.permutation(task.n_samples)
    else:
        codes = np.unique(task.groups.astype(str), return_inverse=True)[1]
        shuffled = rng.permutation(codes.max() + 1)
        place = np.argsort(codes, kind="stable")
        source[place] = np.concatenate([np.flatnonzero(codes == code) for code in shuffled])
    dataset = replace(task.dataset, y=np.asarray(task.dataset.y)[source])
    return replace(task, dataset=dataset, y=task.y[source])


def draw_permutation(task: Task, pipeline: Pipeline, *, number: int) -> tuple[Task, Splits]:
    """Permute the labels and cut the folds anew, until every training fold holds every class.

    The permutation depends on the run's seed and its number, not on the model.

    Raises
    ------
    ExplanationError
        If `MOST_DRAWS` permutations in a row cannot be cut.
    """
    reason = ""
    for attempt in range(MOST_DRAWS):
        permuted = permute_labels(task, seed=seed_for(pipeline.seed, "null", number, attempt))
        try:
            splits = pipeline.cut(permuted)
            _check(permuted, splits, pipeline)
        except SmalldataError as error:
            reason = str(error)
            continue
        return permuted, splits
    raise ExplanationError(
        f"permuted labels must leave every training fold every class; none of {MOST_DRAWS} "
        f"permutations did: {reason} Use fewer and larger folds, or explain.null=0."
    )


def _check(task: Task, splits: Splits, pipeline: Pipeline) -> None:
    """Refuse folds that came out smaller than the settings need; whole groups vary in size."""
    check_train_size(task, splits, pipeline.train_size)
    rows = rows_to_explain(task, splits, pipeline.options, seed=pipeline.seed)
    check_background(splits, pipeline.options, rows=rows, train_size=pipeline.train_size)


def _first_repeat(splits: Splits, rows: Rows) -> list[Fold]:
    """Return the folds of the first repeat that holds some of the rows out."""
    first = min(fold.repeat for fold in splits.folds if np.isin(fold.test, rows).any())
    return [fold for fold in splits.folds if fold.repeat == first]


def _measure_named(task: Task, pipeline: Pipeline, name: tuple[int, int]) -> FoldImportance:
    number, position = name
    permuted, splits = draw_permutation(task, pipeline, number=number)
    rows = rows_to_explain(permuted, splits, pipeline.options, seed=pipeline.seed)
    try:
        return measure_importance(permuted, pipeline, splits, _first_repeat(splits, rows)[position])
    except ExplanationError as error:
        raise ExplanationError(f"permutation {number} of the labels: {error}") from None
