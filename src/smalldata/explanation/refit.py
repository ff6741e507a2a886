"""The model of a recorded fold: fitted again, checked, and opened for explaining.

Step in the line: FoldResult + Task -> **OpenFold** -> `fold`. A model that does not reproduce its
stored predictions is not explained.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ExplanationError
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.kept_fits import kept_fit
from smalldata.evaluation.outer_loop import fit_fold, predict_fold
from smalldata.explanation.options import background_size
from smalldata.learner import MarginForm
from smalldata.results.folds import Array, Fold, FoldResult, Prediction
from smalldata.results.record import RunRecord
from smalldata.runtime.workers import Killed, stream_jobs
from smalldata.seeding import seed_for

Part = TypeVar("Part")

REPRODUCTION_TOLERANCE = 1e-5


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenFold:
    """The fitted model of one fold, and the rows as the estimator sees them.

    Attributes
    ----------
    fold : Fold
    estimator : object
    form : MarginForm
        The estimator in the form the Shapley kernels take.
    scale : str
    X : ndarray of shape (n_test, n_columns)
        The held-out rows.
    Z : ndarray of shape (n_background, n_columns)
    players : ndarray of shape (n_columns,)
        Feature of each column.
    """

    fold: Fold
    estimator: Any
    form: MarginForm
    scale: str
    X: Array
    Z: Array
    players: NDArray[np.int64]


def refit_fold(cell: Cell, fold: Fold, *, stored: FoldResult) -> Any:
    """Fit the model of a recorded fold again, if this run has not kept it, and check it.

    Parameters
    ----------
    cell : Cell
        With the values and the size of the fold (`Cell.fitted_as`).
    fold : Fold
    stored : FoldResult
        The fold as it was recorded.

    Returns
    -------
    sklearn.pipeline.Pipeline

    Raises
    ------
    ExplanationError
        If the stored predictions are not reproduced.
    """
    if stored.prediction is None:
        raise ExplanationError(
            f"only a finished fold can be explained; {fold.name} is {stored.status}."
        )
    pipeline = kept_fit(cell.fits, (fold.repeat, fold.fold))
    if pipeline is None:
        pipeline = fit_fold(cell, fold, seed=stored.seed, device=stored.device)
    _check_reproduced(predict_fold(pipeline, cell.task, fold), stored.prediction, fold)
    return pipeline


def stream_refits(
    function: Callable[..., Part],
    cell: Cell,
    record: RunRecord,
    names: Sequence[tuple[int, int]],
    *,
    n_jobs: int | None,
    **options: Any,
) -> Iterator[Part]:
    """Call a function on each named fold in worker processes, and yield its results as they finish.

    Parameters
    ----------
    function : callable
        Called with the cell as the fold was fitted (`Cell.fitted_as`), the fold, ``stored`` and the
        options.
    names : sequence of (repeat, fold)
        Finished folds of the record.

    Raises
    ------
    ExplanationError
        If a process was killed.
    """
    n_processes = cell.n_processes(
        n_jobs,
        device="cuda" if any(fold.device == "cuda" for fold in record.folds) else "cpu",
        most=len(cell.splits.folds),
    )
    stored = {(fold.repeat, fold.fold): fold for fold in record.folds}
    run = partial(_refit_named, function, cell, stored=stored, **options)
    for name, part in stream_jobs(run, names, n_processes=n_processes):
        if isinstance(part, Killed):
            raise ExplanationError(f"fold r{name[0]:02d}f{name[1]:02d}: {part.reason}")
        yield part


def _refit_named(
    function: Callable[..., Part],
    cell: Cell,
    name: tuple[int, int],
    *,
    stored: dict[tuple[int, int], FoldResult],
    **options: Any,
) -> Part:
    found = stored[name]
    return function(cell.fitted_as(found), cell.fold(*name), stored=found, **options)


def rebuild_fold(cell: Cell, fold: Fold, *, stored: FoldResult, background: int | None) -> OpenFold:
    """Fit the model of a recorded fold again and open it; parameters as in `explain_fold`.

    Raises
    ------
    ExplanationError
        If the stored predictions are not reproduced, or the background is larger than the training
        fold.
    """
    return open_fold(cell, refit_fold(cell, fold, stored=stored), fold, background=background)


def open_fold(cell: Cell, pipeline: Any, fold: Fold, *, background: int | None) -> OpenFold:
    """Split a fitted pipeline into the parts an explanation needs.

    Parameters
    ----------
    cell : Cell
        With the values of the fold. Its seed draws the background from the fold's training rows.
    pipeline : sklearn.pipeline.Pipeline
    fold : Fold
    background : int or None
        How many rows to draw; see `background_size`.
    """
    compared = _background_rows(
        cell.train_rows(fold),
        background,
        seed=seed_for(cell.seed, "background", fold.repeat, fold.fold),
    )
    encode: Callable[[Any], Array] = pipeline["preprocess"].transform
    estimator = pipeline["estimator"]
    return OpenFold(
        fold=fold,
        estimator=estimator,
        form=cell.learner.margin_form(estimator),
        scale=cell.learner.scale(cell.task.kind),
        X=encode(cell.task.X.iloc[fold.test]),
        Z=encode(cell.task.X.iloc[compared]),
        players=np.asarray(pipeline["preprocess"].players_),
    )


def _background_rows(
    train: NDArray[np.int64], asked: int | None, *, seed: int
) -> NDArray[np.int64]:
    size = background_size(len(train), asked)
    if size == len(train):
        return train
    return np.sort(np.random.default_rng(seed).choice(train, size=size, replace=False))


def _check_reproduced(new: Prediction, stored: Prediction, fold: Fold) -> None:
    for name in ("probabilities", "margin", "value"):
        before, now = getattr(stored, name), getattr(new, name)
        if before is None:
            continue
        scale = max(1.0, float(np.abs(before).max()))
        gap = (
            float(np.abs(now - before).max())
            if now is not None and now.shape == before.shape
            else np.inf
        )
        if not gap <= REPRODUCTION_TOLERANCE * scale:
            raise ExplanationError(
                f"the rebuilt model of {fold.name} must give the stored predictions; its {name} "
                f"differ by {gap:.2g}. Run the cell again with the versions installed now, in "
                "another outputs folder."
            )
