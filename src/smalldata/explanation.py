"""Shapley values of held-out rows: a fold is rebuilt, checked against its record, and explained.

Step in the line: RunRecord + Task -> **Explanation**. Every row is explained by the model of a fold
that never saw it, against rows of that fold's training part, on the scale its learner names. A
model that does not reproduce its stored predictions is not explained; values that do not add up to
f(x) - mean f(z) are not returned.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.cells import PLAIN
from smalldata.errors import ExplanationError
from smalldata.evaluation import fit_fold, predict_fold
from smalldata.learner import Learner
from smalldata.preprocess import Preprocessing
from smalldata.results import (
    RESULTS_VERSION,
    Array,
    Explanation,
    Fold,
    FoldResult,
    Prediction,
    RunRecord,
    Splits,
)
from smalldata.seeding import seed_for
from smalldata.shapley.forms import describe_sampling, form_values
from smalldata.task import Task, TaskKind
from smalldata.workers import Killed, count_processes, stream_jobs

DEFAULT_BACKGROUND = 100
ADDITIVITY_TOLERANCE = 1e-4
REPRODUCTION_TOLERANCE = 1e-5


@dataclass(frozen=True, kw_only=True)
class ExplanationOptions:
    """What is asked of an explanation; its values name the stored file.

    Attributes
    ----------
    background : int or None
        Training rows of the fold to compare with; None: all, up to 100.
    repeats : int or None
        Repeats of the cross-validation whose held-out rows are explained; None: all.
    evaluations : int
        Most calls of a sampled model per explained row; never fewer than 8 walks over the features
        take.
    """

    background: int | None = None
    repeats: int | None = 1
    evaluations: int = 30_000

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, least in (("background", 1), ("repeats", 1), ("evaluations", 1)):
            value = getattr(self, name)
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, int) or value < least
            ):
                raise ExplanationError(
                    f"explain.{name} must be a whole number of at least {least}; got {value!r}."
                )


_DEFAULTS = ExplanationOptions()


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldExplanation:
    """Shapley values of the held-out rows of one fold; shapes as in Explanation."""

    repeat: int
    fold: int
    row: NDArray[np.int64]
    values: Array
    base_values: Array
    standard_errors: Array | None
    additivity_error: float
    seconds: float
    note: str = ""


def folds_to_explain(splits: Splits, options: ExplanationOptions) -> list[Fold]:
    """Return the folds of the first ``options.repeats`` repeats."""
    return [
        fold for fold in splits.folds if options.repeats is None or fold.repeat < options.repeats
    ]


def explain_fold(
    task: Task,
    learner: Learner,
    splits: Splits,
    fold: Fold,
    *,
    stored: FoldResult,
    preprocessing: Preprocessing,
    options: ExplanationOptions,
    train_size: int | None,
    seed: int,
) -> FoldExplanation:
    """Rebuild one fold and explain its held-out rows.

    Parameters
    ----------
    task : Task
    learner : Learner
        With the stored values of this fold.
    splits : Splits
    fold : Fold
    stored : FoldResult
        The fold as it was recorded; its predictions must be reproduced.
    preprocessing : Preprocessing
    options : ExplanationOptions
    train_size : int or None
    seed : int
        The run's seed: the background is drawn from it, not from the model.

    Returns
    -------
    FoldExplanation

    Raises
    ------
    ExplanationError
        If the stored predictions are not reproduced, the background asked for is larger than the
        fold, or the values do not add up.
    """
    start = time.perf_counter()
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
    background = _background_rows(
        train, options.background, seed=seed_for(seed, "background", fold.repeat, fold.fold)
    )
    encode: Callable[[Any], Array] = pipeline["preprocess"].transform
    X = encode(task.X.iloc[fold.test])
    Z = encode(task.X.iloc[background])
    players = np.asarray(pipeline["preprocess"].players_)
    estimator = pipeline["estimator"]
    scale = learner.scale(task.kind)
    form = learner.margin_form(estimator)
    values, base_values, errors = form_values(
        form,
        X,
        Z,
        players=players,
        evaluations=options.evaluations,
        seed=seed_for(seed, "walk", fold.repeat, fold.fold),
    )
    if scale == "log-odds" and values.shape[2] > 1:  # centred, as the output is
        values = values - values.mean(axis=2, keepdims=True)
        base_values = base_values - base_values.mean()
    output = explained_output(estimator, X, kind=task.kind, scale=scale)
    return FoldExplanation(
        repeat=fold.repeat,
        fold=fold.fold,
        row=fold.test,
        values=_on_features(values, players, task.n_features),
        base_values=np.broadcast_to(base_values, (len(fold.test), values.shape[2])).copy(),
        standard_errors=None if errors is None else _on_features(errors, players, task.n_features),
        additivity_error=_additivity_error(values, base_values, output, fold),
        seconds=time.perf_counter() - start,
        note=describe_sampling(form, players, n_background=len(Z), evaluations=options.evaluations),
    )


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
    chosen = [
        fold for fold in folds_to_explain(splits, options) if (fold.repeat, fold.fold) in stored
    ]
    if not chosen:
        raise ExplanationError(
            f"only a finished cell can be explained; {record.label} has no finished fold"
            f"{': ' + record.reason if record.reason else ''}."
        )
    if options.background is not None:
        for fold in chosen:
            _background_size(len(splits.train_rows(fold, record.train_size)), options.background)
    run = partial(
        _explain_named,
        task,
        learner,
        splits,
        stored=stored,
        preprocessing=preprocessing,
        options=options,
        train_size=record.train_size,
        seed=seed,
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


def describe_options(options: ExplanationOptions, *, seed: int) -> dict[str, Any]:
    """Return what an explanation was asked for, as plain values: the name of its file."""
    return {"results_version": RESULTS_VERSION, "seed": seed, **asdict(options)}


def explained_output(estimator: Any, X: Array, *, kind: TaskKind, scale: str) -> Array:
    """Return f(x) on the explained scale as the estimator itself gives it, (n_rows, n_outputs).

    Log-odds of several classes are centred over the classes.
    """
    if kind is TaskKind.REGRESSION:
        output = np.asarray(estimator.predict(X), dtype=np.float64)[:, None]
    elif scale == "probability":
        output = np.asarray(estimator.predict_proba(X), dtype=np.float64)
        output = output[:, 1:] if kind is TaskKind.BINARY else output
    elif hasattr(estimator, "log_odds"):
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
        notes=tuple(dict.fromkeys(part.note for part in ordered if part.note)),
    )


def _explain_named(
    task: Task,
    learner: Learner,
    splits: Splits,
    name: tuple[int, int],
    *,
    stored: dict[tuple[int, int], FoldResult],
    **options: Any,
) -> FoldExplanation:
    fold = next(fold for fold in splits.folds if (fold.repeat, fold.fold) == name)
    found = stored[name]
    tuned = replace(learner, **found.values)  # type: ignore[type-var]
    return explain_fold(task, tuned, splits, fold, stored=found, **options)


def _background_size(n_train: int, asked: int | None) -> int:
    if asked is not None and asked > n_train:
        raise ExplanationError(
            f"explain.background must not exceed the training rows of a fold ({n_train}); "
            f"got {asked}."
        )
    return min(asked or DEFAULT_BACKGROUND, n_train)


def _background_rows(
    train: NDArray[np.int64], asked: int | None, *, seed: int
) -> NDArray[np.int64]:
    size = _background_size(len(train), asked)
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


def _additivity_error(values: Array, base_values: Array, output: Array, fold: Fold) -> float:
    """Return by how much values miss f(x) - mean f(z), as a share of how much f varies.

    Raises
    ------
    ExplanationError
        If that is more than rounding explains.
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


def _on_features(values: Array, players: NDArray[np.int64], n_features: int) -> Array:
    """Put values of the players that own columns on all features; the others get 0."""
    full = np.zeros((values.shape[0], n_features, values.shape[2]))
    full[:, np.unique(players), :] = values
    return full
