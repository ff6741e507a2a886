"""The outer loop: each fold is fitted and predicted on its own, and streamed as it finishes.

Step in the line: task + splits + learner -> **fold results** -> record. Touches no disk: finished
folds come in, new ones go to a sink, both handed in. A fold depends on the data, the recipe and its
own seed alone: not on the number of processes, nor on what was computed before it.
"""

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from smalldata.evaluation.cell import PLAIN, learner_values, make_record
from smalldata.learner import Learner
from smalldata.measures.registry import score_prediction
from smalldata.panel.sizes import select_size
from smalldata.pipeline.choices import Selector, Tuner
from smalldata.pipeline.fitting import describe_failure, fit_rows, predict_rows, shorten
from smalldata.pipeline.preprocess import Preprocessing, Ranker
from smalldata.resampling.strategies import check_train_size
from smalldata.results.folds import Fold, FoldResult, Prediction, Splits
from smalldata.results.record import RunRecord
from smalldata.runtime.devices import resolve_device
from smalldata.runtime.memory import share_card
from smalldata.runtime.workers import Killed, count_processes, stream_jobs
from smalldata.seeding import seed_for
from smalldata.task import Task

_MOST_NOTES = 5


def evaluate(
    task: Task,
    learner: Learner,
    splits: Splits,
    *,
    model: str | None = None,
    preprocessing: Preprocessing = PLAIN,
    train_size: int | None = None,
    tuner: Tuner | None = None,
    selector: Selector | None = None,
    seed: int = 0,
    device: str = "auto",
    n_jobs: int | None = None,
    finished: Iterable[FoldResult] = (),
    sink: Callable[[FoldResult], None] | None = None,
) -> RunRecord:
    """Fit and score a learner on every fold.

    Parameters
    ----------
    task : Task
    learner : Learner
    splits : Splits
        Made of the same task.
    model : str, optional
        Its name in the table; default: the name of the learner's file.
    preprocessing : Preprocessing
    train_size : int, optional
        Train on so many rows of each training fold, nested.
    tuner : Tuner, optional
        Tunes inside each training fold.
    selector : Selector, optional
        Chooses inside each training fold how many features the fit keeps.
    seed : int
        The run's seed.
    device : {"auto", "cpu", "cuda"}
    n_jobs : int, optional
        Processes; default: one per core, on a card as many as its memory holds. Does not change a
        number.
    finished : iterable of FoldResult
        Folds that were computed before; those with status ``ok`` are not computed again.
    sink : callable, optional
        Gets each new FoldResult at once.

    Returns
    -------
    RunRecord
        A fold whose model failed is in it with its reason. A task the learner does not take gives
        a record without folds whose ``skipped`` says why.

    Raises
    ------
    SplitError
        If the splits belong to another task.
    ConfigError
        If train_size, device or n_jobs cannot be had.

    Examples
    --------
    >>> from smalldata.datasets import load_dataset
    >>> from smalldata.models import load_learner
    >>> from smalldata.resampling.strategies import make_splits
    >>> from smalldata.task import make_task
    >>> task = make_task(load_dataset("omics"))
    >>> splits = make_splits(task, "kfold", n_splits=3)
    >>> record = evaluate(task, load_learner("knn"), splits, n_jobs=1)
    >>> record.status, len(record.folds), round(record.folds[0].scores["roc_auc"].value, 1)
    ('ok', 3, 0.8)
    """
    record = make_record(
        task,
        learner,
        splits,
        model=model,
        preprocessing=preprocessing,
        train_size=train_size,
        tuner=tuner,
        selector=selector,
        seed=seed,
    )
    if record.skipped:
        return record
    kept = {(fold.repeat, fold.fold): fold for fold in finished if fold.status == "ok"}
    missing = [fold for fold in splits.folds if (fold.repeat, fold.fold) not in kept]
    for result in evaluate_folds(
        task,
        learner,
        splits,
        folds=missing,
        preprocessing=preprocessing,
        train_size=train_size,
        tuner=tuner,
        selector=selector,
        seed=seed,
        device=device,
        n_jobs=n_jobs,
    ):
        if sink is not None:
            sink(result)
        kept[result.repeat, result.fold] = result
    return replace(record, folds=tuple(kept[key] for key in sorted(kept)))


def evaluate_folds(
    task: Task,
    learner: Learner,
    splits: Splits,
    *,
    folds: Sequence[Fold] | None = None,
    preprocessing: Preprocessing = PLAIN,
    train_size: int | None = None,
    tuner: Tuner | None = None,
    selector: Selector | None = None,
    seed: int = 0,
    device: str = "auto",
    n_jobs: int | None = None,
) -> Iterator[FoldResult]:
    """Yield the result of each fold as it finishes, whatever the order.

    Parameters
    ----------
    folds : sequence of Fold, optional
        Those of ``splits`` that are missing; default: all.

    Other parameters as in `evaluate`. A fold whose process was killed is yielded as failed.
    """
    chosen = list(splits.folds if folds is None else folds)
    if not chosen:
        return
    check_train_size(task, splits, train_size)
    device = resolve_device(device)[0] if learner.traits.uses_gpu else "cpu"
    run = partial(
        _evaluate_named,
        task,
        learner,
        splits,
        preprocessing=preprocessing,
        train_size=train_size,
        tuner=tuner,
        selector=selector,
        seed=seed,
        device=device,
    )
    # As many processes as the splits could use, not as the missing folds can: the same pool then
    # serves a resumed cell and the whole ones after it.
    n_processes = share_card(
        min(count_processes(n_jobs), len(splits.folds)),
        device=device,
        n_jobs=n_jobs,
        n_cells=task.n_samples * task.n_features,
    )
    names = [(fold.repeat, fold.fold) for fold in chosen]
    for (repeat, fold), result in stream_jobs(run, names, n_processes=n_processes):
        if isinstance(result, Killed):
            yield FoldResult(
                repeat=repeat,
                fold=fold,
                status="failed",
                seed=seed_for(seed, "fit", repeat, fold),
                reason=result.reason,
                values=learner_values(learner),
            )
        else:
            yield result


def evaluate_fold(
    task: Task,
    learner: Learner,
    splits: Splits,
    fold: Fold,
    *,
    preprocessing: Preprocessing = PLAIN,
    train_size: int | None = None,
    tuner: Tuner | None = None,
    selector: Selector | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> FoldResult:
    """Fit, predict and score one fold in this process.

    Parameters
    ----------
    seed : int
        The run's seed; the fold's own is derived from it and stored in the result.
    device : {"cpu", "cuda"}

    Returns
    -------
    FoldResult
        Status ``failed`` with the reason if the model raises or predicts what is no number. What
        the libraries warned of is in its notes.
    """
    fold_seed = seed_for(seed, "fit", fold.repeat, fold.fold)
    device = device if learner.traits.uses_gpu else "cpu"
    seconds: dict[str, float] = {}
    about: dict[str, Any] = {
        "repeat": fold.repeat,
        "fold": fold.fold,
        "seed": fold_seed,
        "n_train": len(splits.train_rows(fold, train_size)),
        "seconds": seconds,
        "device": device,
    }
    pipeline = None
    reason = ""
    tuned_notes: tuple[str, ...] = ()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            getattr(learner, "load", lambda: None)()  # once in a process: no part of a fit
            if tuner is not None:
                with _timed(seconds, "tune"):
                    rows = splits.train_rows(fold, train_size)
                    tuned = tuner.tune(
                        learner,
                        task.X.iloc[rows],
                        task.y[rows],
                        None if task.groups is None else task.groups[rows],
                        name=fold.name,
                        preprocessing=preprocessing,
                        seed=seed_for(seed, "tune", fold.repeat, fold.fold),
                        device=device,
                    )
                learner, tuned_notes = tuned.learner, tuned.notes
                about["tuning"] = tuned.counts
                seconds["tune"] += tuned.seconds_before
            if selector is not None:
                with _timed(seconds, "tune"):
                    selected = select_size(
                        task,
                        learner,
                        selector,
                        train=splits.train_rows(fold, train_size),
                        test=fold.test,
                        preprocessing=preprocessing,
                        seed=fold_seed,
                        device=device,
                    )
                preprocessing, tuned_notes = selected.preprocessing, selected.notes
                about["selection"] = selected.selection
            with _timed(seconds, "fit"):
                pipeline = fit_fold(
                    task,
                    learner,
                    splits,
                    fold,
                    preprocessing=preprocessing,
                    train_size=train_size,
                    seed=fold_seed,
                    device=device,
                    ranker=None if selector is None else selected.ranker,
                )
            with _timed(seconds, "predict"):
                about["prediction"] = predict_fold(pipeline, task, fold)
            about["scores"] = score_prediction(
                about["prediction"], kind=task.kind, classes=task.classes
            )
        except Exception as error:  # whatever a model raises concerns this fold alone
            reason = describe_failure(error)
            about.pop("prediction", None)
    estimator = pipeline and pipeline[-1]
    notes = (*tuned_notes, *getattr(estimator, "notes_", ()), *_warned(caught))
    return FoldResult(
        status="failed" if reason else "ok",
        reason=reason,
        values=learner_values(learner),
        notes=notes,
        losses=getattr(estimator, "losses_", None),
        **about,
    )


def fit_fold(
    task: Task,
    learner: Learner,
    splits: Splits,
    fold: Fold,
    *,
    preprocessing: Preprocessing = PLAIN,
    train_size: int | None = None,
    seed: int,
    device: str = "cpu",
    ranker: Ranker | None = None,
) -> Any:
    """Fit preprocessing and estimator on the training rows of one fold.

    Parameters
    ----------
    learner : Learner
        With the values of this fold (`FoldResult.values`).
    preprocessing : Preprocessing
        With the size of this fold, where it chose one (`own_preprocessing`).
    seed : int
        The fold's own seed (`FoldResult.seed`).
    ranker : Ranker, optional
        Ranks in place of what ``preprocessing.select`` names.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Fitted; steps ``preprocess`` and ``estimator``. Equal arguments give an equal pipeline.
    """
    return fit_rows(
        learner,
        task.X,
        task.y,
        task.groups,
        info=task.info,
        rows=splits.train_rows(fold, train_size),
        preprocessing=preprocessing,
        seed=seed,
        device=device,
        ranker=ranker,
    )


def own_preprocessing(preprocessing: Preprocessing, result: FoldResult) -> Preprocessing:
    """Return the preprocessing a fold was fitted with: that of its cell, and the size it chose."""
    chosen = result.selection
    if chosen is None:
        return preprocessing
    return replace(preprocessing, select=chosen.ranking, k=chosen.k)  # type: ignore[arg-type]


def predict_fold(pipeline: Any, task: Task, fold: Fold) -> Prediction:
    """Predict the held-out rows of one fold.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        As `fit_fold` returns it.

    Raises
    ------
    FitError
        If a prediction has the wrong shape, is no finite number or is no probability.
    """
    return predict_rows(pipeline, task.X, task.y, rows=fold.test, n_classes=len(task.classes))


# ---------------------------------------------------------------- inside a fold


def _evaluate_named(
    task: Task, learner: Learner, splits: Splits, name: tuple[int, int], **options: Any
) -> FoldResult:
    fold = next(fold for fold in splits.folds if (fold.repeat, fold.fold) == name)
    return evaluate_fold(task, learner, splits, fold, **options)


class _timed:
    """Add the seconds of a block to a mapping, also where the block fails."""

    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self.seconds, self.name = seconds, name

    def __enter__(self) -> None:
        self.start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds[self.name] = time.perf_counter() - self.start


def _warned(caught: Sequence[warnings.WarningMessage]) -> tuple[str, ...]:
    """Return what the libraries warned of, each once."""
    found = dict.fromkeys(
        f"{warning.category.__name__}: {shorten(str(warning.message))}" for warning in caught
    )
    notes = list(found)[:_MOST_NOTES]
    if len(found) > _MOST_NOTES:
        notes.append(f"{len(found) - _MOST_NOTES} more warnings")
    return tuple(notes)
