"""What a cell scores on permuted labels: the whole line again, folds and tuning included.

Step in the line: Cell with permuted labels -> **score of each permutation** -> p-value of its row.
Labels are permuted by the rule of `resampling.permuting` and cut into folds by the strategy and the
seed of the cell's own, so each score is a function of features and labels, the one the table shows.
Where folds do not depend on labels, a workspace is made once and only its labels change.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest

import numpy as np

from smalldata.comparison.scores import cell_scores
from smalldata.errors import FitError, SplitError
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate_fold
from smalldata.learner import SupportsLoad, SupportsRelabel, Workspace
from smalldata.measures.registry import Measure, find_measure
from smalldata.pipeline.fitting import describe_failure, make_prediction
from smalldata.pipeline.training import TrainingRows
from smalldata.resampling.permuting import check_permutable, draw_permuted
from smalldata.resampling.strategies import make_splits
from smalldata.results.evidence import PermutedScores
from smalldata.results.folds import Fold, FoldResult, Prediction
from smalldata.results.record import RunRecord
from smalldata.runtime.workers import Killed, stream_jobs
from smalldata.seeding import seed_for
from smalldata.task import Task
from smalldata.tuning.inner_folds import open_workspace

KEY = "permutations"
"""The setting that asks for them."""

MOST_TOGETHER = 10
"""Most permutations that share their workspaces; what a kill costs each process at most."""


def permute_scores(
    cell: Cell,
    record: RunRecord,
    *,
    n: int = 100,
    device: str = "auto",
    n_jobs: int | None = None,
) -> RunRecord:
    """Score a finished cell on permuted labels.

    Parameters
    ----------
    cell : Cell
        Its splits as `make_splits` returned them.
    record : RunRecord
        As `evaluate` returned it for the same task, learner, splits and settings.
    n : int
        Permutations; the smallest p-value is 1 / (n + 1).
    device : {"auto", "cpu", "cuda"}
    n_jobs : int, optional
        Processes; default: one per core. Changes no number.

    Returns
    -------
    RunRecord
        With the scores, from which `compare` makes the p-value of its row.

    Raises
    ------
    ConfigError
        If the labels have too few orders, or permuted ones cannot be cut into folds.
    FitError
        If a permutation fails.

    Examples
    --------
    >>> from smalldata import Cell, compare, evaluate, load_dataset, load_learner, make_splits
    >>> from smalldata import make_task
    >>> task = make_task(load_dataset("nutrimouse"))
    >>> cell = Cell(
    ...     task=task, learner=load_learner("knn"), splits=make_splits(task, "kfold", n_splits=2)
    ... )
    >>> record = evaluate(task, cell.learner, cell.splits, n_jobs=1)
    >>> compare([permute_scores(cell, record, n=19, n_jobs=1)]).rows[0].p_permutation
    0.05
    """
    check_permutable(cell.task, key=KEY)
    found = dict(permuted_scores(cell, numbers=range(n), device=device, n_jobs=n_jobs))
    measure = cell.task.measure
    values = np.array([found[number] for number in range(n)])
    null = PermutedScores(measure=measure, values=values)
    return replace(record, permuted={**record.permuted, measure: null})


def permuted_scores(
    cell: Cell, *, numbers: Sequence[int], device: str = "cpu", n_jobs: int | None = None
) -> Iterator[tuple[int, float]]:
    """Yield the score of each permutation on the task's primary measure as it finishes.

    Parameters
    ----------
    cell : Cell
        With the true labels. Its tuner must write no log: an interrupted permutation starts over.
    numbers : sequence of int
        Which permutations to compute, from 0 on; each is the same whichever others are computed.
    device : {"auto", "cpu", "cuda"}
    n_jobs : int, optional
        Processes; default: one per core. Changes no number.

    Yields
    ------
    number : int
    score : float
        NaN where the measure is undefined.

    Raises
    ------
    ConfigError
        If permuted labels cannot be cut into folds.
    FitError
        If a fold fails.
    """
    if not numbers:
        return
    place = cell.device(device)
    n_processes = cell.n_processes(n_jobs, device=place, most=len(numbers))
    n_together = 1
    if shares_work(cell, number=numbers[0]):
        n_together = min(MOST_TOGETHER, -(-len(numbers) // n_processes))
    starts = range(0, len(numbers), n_together)
    blocks = [tuple(numbers[start : start + n_together]) for start in starts]
    run = partial(score_permutations, cell, cell.record(), device=place)
    for block, scores in stream_jobs(run, blocks, n_processes=min(n_processes, len(blocks))):
        if isinstance(scores, Killed):
            raise FitError(f"permutation {block[0]} of the labels: {scores.reason}")
        yield from zip(block, scores, strict=True)


def shares_work(cell: Cell, *, number: int) -> bool:
    """Return whether permuted labels can reuse what the fit makes of the features alone."""
    if _has_choice(cell) or cell.preprocessing.select not in ("none", "variance"):
        return False
    permuted = draw_cell(cell, number)
    own, drawn = cell.splits.folds, permuted.splits.folds
    return len(own) == len(drawn) and all(
        _rows(cell, one) == _rows(permuted, other) for one, other in zip(own, drawn, strict=True)
    )


def draw_cell(cell: Cell, number: int) -> Cell:
    """Return the cell with permuted labels, cut into folds as its own were.

    Raises
    ------
    SplitError
        If it is not known how the cell's own folds were cut.
    ConfigError
        If no permutation can be cut.
    """
    asked = cell.splits.asked
    if asked is None:
        raise SplitError(
            f"{KEY} cuts permuted labels as the cell's own; give splits that make_splits returned."
        )

    def make(task: Task) -> Cell:
        # Fits kept for an explanation are those of the true labels.
        return replace(cell, task=task, splits=make_splits(task, **asked), fits=None)

    return draw_permuted(cell.task, make, seed=cell.seed, number=number, key=KEY)


def score_permutations(
    cell: Cell, record: RunRecord, numbers: Sequence[int], *, device: str
) -> list[float]:
    """Return the scores of some permutations, computed together in this process.

    Of a cell that does not share work (`shares_work`), one permutation at a time.

    Raises
    ------
    FitError
        If a fold fails.
    """
    measure = find_measure(cell.task.measure, cell.task.kind)
    if isinstance(cell.learner, SupportsLoad):
        cell.learner.load()
    cells = [draw_cell(cell, number) for number in numbers]
    done: list[list[FoldResult]] = [[] for _ in cells]
    # Permuted labels may be cut into another number of folds.
    for folds in zip_longest(*(permuted.splits.folds for permuted in cells)):
        kept: _Kept | None = None
        for number, permuted, fold, results in zip(numbers, cells, folds, done, strict=True):
            if fold is None:
                continue
            try:
                prediction, kept = _predict(permuted, fold, measure, kept, device=device)
            except Exception as error:
                reason = describe_failure(error)
                raise FitError(
                    f"permutation {number} of the labels: {fold.name} fails: {reason}"
                ) from None
            results.append(_result(permuted, fold, measure, prediction))
    return [_mean(record, results, measure) for results in done]


def _predict(
    cell: Cell,
    fold: Fold,
    measure: Measure,
    kept: "_Kept | None",
    *,
    device: str,
) -> "tuple[Prediction, _Kept | None]":
    """Predict the held-out rows of a fold; give back the workspace, which the next may use."""
    if _has_choice(cell):
        result = evaluate_fold(cell, fold, device=device)
        if result.prediction is None:
            raise FitError(result.reason)
        return result.prediction, None
    rows = cell.training(fold, seed=_seed(cell, fold), device=device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        workspace = None
        if kept is not None and kept.rows == _rows(cell, fold):
            workspace = kept.relabel(rows)
        if workspace is None:
            workspace = open_workspace(cell.learner, rows, cell.task.X.iloc[fold.test])
        outputs = workspace.outputs(cell.learner, needs=measure.needs)
    n_classes = len(cell.task.classes)
    prediction = make_prediction(outputs, cell.task.y, rows=fold.test, n_classes=n_classes)
    return prediction, _Kept(rows=_rows(cell, fold), workspace=workspace)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Kept:
    """The workspace of a fold, which the same fold of the next permutation may use."""

    rows: tuple[bytes, bytes]
    workspace: Workspace

    def relabel(self, rows: TrainingRows) -> Workspace | None:
        """Return the workspace with the labels of these rows; None if it is not made for that."""
        found = self.workspace
        return found.relabel(rows.y) if isinstance(found, SupportsRelabel) else None


def _has_choice(cell: Cell) -> bool:
    """Return whether a fold chooses values, features or the labels that the score reads."""
    measure = find_measure(cell.task.measure, cell.task.kind)
    calls = cell.threshold is not None and measure.needs == "label"
    return calls or cell.tuner is not None or cell.selector is not None


def _result(cell: Cell, fold: Fold, measure: Measure, prediction: Prediction) -> FoldResult:
    score = measure.score(prediction, classes=cell.task.classes)
    return FoldResult(
        repeat=fold.repeat,
        fold=fold.fold,
        status="ok",
        seed=_seed(cell, fold),
        prediction=prediction,
        scores={measure.name: score},
    )


def _mean(record: RunRecord, results: Sequence[FoldResult], measure: Measure) -> float:
    """Return the score as the table would show it; NaN if it would show none."""
    done = replace(record, folds=tuple(results), n_planned=len(results))
    mean = cell_scores(done, measure).mean
    return float("nan") if mean is None else mean


def _seed(cell: Cell, fold: Fold) -> int:
    return seed_for(cell.seed, "fit", fold.repeat, fold.fold)


def _rows(cell: Cell, fold: Fold) -> tuple[bytes, bytes]:
    """Return the rows that a fold trains and tests on, to compare them with those of another."""
    return cell.train_rows(fold).tobytes(), fold.test.tobytes()
