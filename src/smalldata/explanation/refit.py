"""The model of a recorded fold, fitted again, checked and taken apart into what is explained of it.

Step in the line: FoldResult + Task -> **OpenFold** -> attribution. A model that does not reproduce
its stored predictions is not explained.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ExplanationError
from smalldata.evaluation.outer_loop import fit_fold, own_preprocessing, predict_fold
from smalldata.explanation.options import background_size
from smalldata.learner import Learner, MarginForm
from smalldata.pipeline.preprocess import Preprocessing
from smalldata.results.folds import Array, Fold, FoldResult, Prediction, Splits
from smalldata.results.record import RunRecord
from smalldata.runtime.memory import share_card
from smalldata.runtime.workers import Killed, count_processes, stream_jobs
from smalldata.seeding import seed_for
from smalldata.task import Task

Part = TypeVar("Part")

REPRODUCTION_TOLERANCE = 1e-5


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenFold:
    """The fitted model of one fold, with its rows as the estimator sees them.

    Attributes
    ----------
    fold : Fold
    estimator : object
    form : MarginForm
        The estimator as the Shapley kernels understand it.
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


def refit_fold(
    task: Task,
    learner: Learner,
    splits: Splits,
    fold: Fold,
    *,
    stored: FoldResult,
    preprocessing: Preprocessing,
    train_size: int | None,
) -> Any:
    """Fit the model of a recorded fold again and check it.

    Parameters
    ----------
    learner : Learner
        With the values of the fold.
    preprocessing : Preprocessing
        With the size of the fold, where it chose one.

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
    pipeline = fit_fold(
        task,
        learner,
        splits,
        fold,
        preprocessing=preprocessing,
        train_size=train_size,
        seed=stored.seed,
        device=stored.device,
    )
    _check_reproduced(predict_fold(pipeline, task, fold), stored.prediction, fold)
    return pipeline


def stream_refits(
    function: Callable[..., Part],
    task: Task,
    record: RunRecord,
    learner: Learner,
    splits: Splits,
    names: Sequence[tuple[int, int]],
    *,
    preprocessing: Preprocessing,
    n_jobs: int | None,
    **options: Any,
) -> Iterator[Part]:
    """Yield what a function makes of each named fold, as it finishes, in processes of their own.

    Parameters
    ----------
    function : callable
        Gets task, learner, splits and fold, ``stored``, ``preprocessing``, ``train_size`` and the
        options: what `refit_fold` needs, with the values and the size that the fold chose.
    names : sequence of (repeat, fold)
        Finished folds of the record.

    Raises
    ------
    ExplanationError
        If a process was killed.
    """
    n_processes = share_card(
        min(count_processes(n_jobs), len(splits.folds)),
        device="cuda" if any(fold.device == "cuda" for fold in record.folds) else "cpu",
        n_jobs=n_jobs,
        n_cells=task.n_samples * task.n_features,
    )
    run = partial(
        _refit_named,
        function,
        task,
        learner,
        splits,
        stored={(fold.repeat, fold.fold): fold for fold in record.folds},
        preprocessing=preprocessing,
        train_size=record.train_size,
        **options,
    )
    for name, part in stream_jobs(run, names, n_processes=n_processes):
        if isinstance(part, Killed):
            raise ExplanationError(f"fold r{name[0]:02d}f{name[1]:02d}: {part.reason}")
        yield part


def _refit_named(
    function: Callable[..., Part],
    task: Task,
    learner: Learner,
    splits: Splits,
    name: tuple[int, int],
    *,
    stored: dict[tuple[int, int], FoldResult],
    preprocessing: Preprocessing,
    **options: Any,
) -> Part:
    """Call what rebuilds a fold with the values and the preprocessing that the fold chose."""
    fold = next(fold for fold in splits.folds if (fold.repeat, fold.fold) == name)
    found = stored[name]
    tuned = replace(learner, **found.values)  # type: ignore[type-var]
    chosen = own_preprocessing(preprocessing, found)
    return function(task, tuned, splits, fold, stored=found, preprocessing=chosen, **options)


def rebuild_fold(
    task: Task,
    learner: Learner,
    splits: Splits,
    fold: Fold,
    *,
    stored: FoldResult,
    preprocessing: Preprocessing,
    background: int | None,
    train_size: int | None,
    seed: int,
) -> OpenFold:
    """Fit the model of a recorded fold again and open it; parameters as in `explain_fold`.

    Raises
    ------
    ExplanationError
        If the stored predictions are not reproduced, or the background asked for is larger than
        the fold.
    """
    pipeline = refit_fold(
        task,
        learner,
        splits,
        fold,
        stored=stored,
        preprocessing=preprocessing,
        train_size=train_size,
    )
    train = splits.train_rows(fold, train_size)
    return open_fold(task, learner, pipeline, fold, train=train, background=background, seed=seed)


def open_fold(
    task: Task,
    learner: Learner,
    pipeline: Any,
    fold: Fold,
    *,
    train: NDArray[np.int64],
    background: int | None,
    seed: int,
) -> OpenFold:
    """Take a fitted pipeline apart into what is explained of it.

    Parameters
    ----------
    train : ndarray of shape (n_train,)
        Rows it was fitted on, ascending; the background is drawn from them.
    """
    compared = _background_rows(
        train, background, seed=seed_for(seed, "background", fold.repeat, fold.fold)
    )
    encode: Callable[[Any], Array] = pipeline["preprocess"].transform
    estimator = pipeline["estimator"]
    return OpenFold(
        fold=fold,
        estimator=estimator,
        form=learner.margin_form(estimator),
        scale=learner.scale(task.kind),
        X=encode(task.X.iloc[fold.test]),
        Z=encode(task.X.iloc[compared]),
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
                f"differ by {gap:.2g}. Run the cell again with the versions now installed, in "
                "another outputs folder."
            )
