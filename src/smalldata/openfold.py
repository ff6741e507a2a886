"""The model of a recorded fold, fitted again, checked and taken apart into what is explained of it.

Step in the line: FoldResult + Task -> **OpenFold** -> attribution. A model that does not reproduce
its stored predictions is not explained.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ExplanationError
from smalldata.evaluation import fit_fold, predict_fold
from smalldata.explanationoptions import background_size
from smalldata.learner import Learner, MarginForm
from smalldata.preprocess import Preprocessing
from smalldata.results import Array, Fold, FoldResult, Prediction, Splits
from smalldata.seeding import seed_for
from smalldata.task import Task

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
    """Fit the model of a recorded fold again and check it; parameters as in `explain_fold`.

    Raises
    ------
    ExplanationError
        If the stored predictions are not reproduced, or the background asked for is larger than
        the fold.
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
