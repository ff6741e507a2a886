"""The outer loop: each fold is fitted and predicted on its own, and streamed as it finishes.

Step in the line: Cell -> **fold results** -> record. Nothing here touches the disk: the caller
passes finished folds in and a sink for new ones. A fold depends only on the data, the recipe and
its own seed, not on the number of processes or on what was computed before it.
"""

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from smalldata.evaluation.cell import Cell, learner_values
from smalldata.evaluation.kept_fits import keep_fit
from smalldata.evaluation.thresholds import ThresholdOptions, choose_on_inner_folds
from smalldata.learner import TRANSFORM, Learner, SupportsLoad
from smalldata.measures.registry import score_prediction
from smalldata.panel.sizes import select_size
from smalldata.pipeline.choices import Selected, Selector, Tuner
from smalldata.pipeline.fitting import describe_failure, fit_rows, predict_rows, shorten
from smalldata.pipeline.preprocess import PLAIN, Preprocessing, TransformName
from smalldata.pipeline.training import TrainingRows
from smalldata.results.folds import Fold, FoldResult, Prediction, Score, Splits
from smalldata.results.panel import Selection
from smalldata.results.record import RunRecord
from smalldata.results.thresholds import ThresholdChoice
from smalldata.runtime.workers import Killed, stream_jobs
from smalldata.seeding import seed_for
from smalldata.task import Task

_MOST_NOTES = 5


def evaluate(
    task: Task,
    learner: Learner,
    splits: Splits,
    *,
    model: str = "",
    preprocessing: Preprocessing = PLAIN,
    train_size: int | None = None,
    tuner: Tuner | None = None,
    selector: Selector | None = None,
    threshold: ThresholdOptions | None = None,
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
        Train on this many rows of each training fold, nested.
    tuner : Tuner, optional
        Tunes inside each training fold.
    selector : Selector, optional
        Chooses inside each training fold how many features the fit keeps.
    threshold : ThresholdOptions, optional
        Chooses inside each training fold the threshold of its labels; default: the most probable
        class.
    seed : int
        The run's seed.
    device : {"auto", "cpu", "cuda"}
    n_jobs : int, optional
        Processes; default: one per core, or on a card as many as fit in its memory. Changes no
        number.
    finished : iterable of FoldResult
        Folds computed earlier; those with status ``ok`` are not computed again.
    sink : callable, optional
        Called with each new FoldResult as soon as it is there.

    Returns
    -------
    RunRecord
        A fold whose model failed is in it, with the reason. If the learner cannot take the task,
        the record has no folds and ``skipped`` says why.

    Raises
    ------
    SplitError
        If the splits belong to another task.
    ConfigError
        If train_size, device or n_jobs is impossible, or settings exclude each other.

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
    cell = Cell(
        task=task,
        learner=learner,
        splits=splits,
        preprocessing=preprocessing,
        train_size=train_size,
        tuner=tuner,
        selector=selector,
        threshold=threshold,
        seed=seed,
        model=model,
    )
    record = cell.record()
    if record.skipped:
        return record
    kept = {(fold.repeat, fold.fold): fold for fold in finished if fold.status == "ok"}
    missing = [fold for fold in splits.folds if (fold.repeat, fold.fold) not in kept]
    for result in evaluate_folds(cell, missing, device=device, n_jobs=n_jobs):
        if sink is not None:
            sink(result)
        kept[result.repeat, result.fold] = result
    return replace(record, folds=tuple(kept[key] for key in sorted(kept)))


def evaluate_folds(
    cell: Cell,
    folds: Sequence[Fold] | None = None,
    *,
    device: str = "auto",
    n_jobs: int | None = None,
) -> Iterator[FoldResult]:
    """Yield the result of each fold as it finishes, in any order.

    Parameters
    ----------
    cell : Cell
    folds : sequence of Fold, optional
        The folds to compute; default: all of the cell's.
    device : {"auto", "cpu", "cuda"}
    n_jobs : int, optional
        As in `evaluate`.

    Yields
    ------
    FoldResult
        Status ``failed`` where the fold's process was killed.
    """
    chosen = cell.splits.folds if folds is None else folds
    if not chosen:
        return
    place = cell.device(device)
    # As many processes as all folds could use, not just the missing ones: the same pool then serves
    # a resumed cell and the complete ones after it.
    n_processes = cell.n_processes(n_jobs, device=place, most=len(cell.splits.folds))
    run = partial(_evaluate_named, cell, device=place)
    names = [(fold.repeat, fold.fold) for fold in chosen]
    for (repeat, fold), result in stream_jobs(run, names, n_processes=n_processes):
        if isinstance(result, Killed):
            yield FoldResult(
                repeat=repeat,
                fold=fold,
                status="failed",
                seed=seed_for(cell.seed, "fit", repeat, fold),
                reason=result.reason,
                values=learner_values(cell.learner),
            )
        else:
            yield result


def _evaluate_named(cell: Cell, name: tuple[int, int], *, device: str) -> FoldResult:
    return evaluate_fold(cell, cell.fold(*name), device=device)


def evaluate_fold(cell: Cell, fold: Fold, *, device: str = "cpu") -> FoldResult:
    """Fit, predict and score one fold in this process.

    Parameters
    ----------
    cell : Cell
    fold : Fold
    device : {"cpu", "cuda"}
        Where it runs, as `Cell.device` gives it.

    Returns
    -------
    FoldResult
        Status ``failed`` with the reason if the model raises or predicts NaN or infinity. Its notes
        hold the warnings of the libraries. Its seed is derived from the run's.
    """
    attempt = _Attempt(cell=cell, fold=fold, device=device, learner=cell.learner)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            attempt.run()
        except Exception as error:  # whatever a model raises stays within this fold
            attempt.reason = describe_failure(error)
    return attempt.result(_warned(caught))


@dataclass(kw_only=True, eq=False)
class _Attempt:
    """One fold in progress; a failure keeps what was done before it."""

    cell: Cell
    fold: Fold
    device: str
    learner: Learner
    seconds: dict[str, float] = field(default_factory=dict)
    tuning: Mapping[str, int] = field(default_factory=dict)
    transform: TransformName | None = None
    selection: Selection | None = None
    threshold: ThresholdChoice | None = None
    pipeline: Any = None
    prediction: Prediction | None = None
    scores: Mapping[str, Score] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    reason: str = ""

    @property
    def seed(self) -> int:
        return seed_for(self.cell.seed, "fit", self.fold.repeat, self.fold.fold)

    def run(self) -> None:
        """Tune, select and choose a threshold if the cell does, then fit, predict and score."""
        cell, task = self.cell, self.cell.task
        if isinstance(self.learner, SupportsLoad):  # once per process, so not part of the fit
            self.learner.load()
        rows, ranker = cell.training(self.fold, seed=self.seed, device=self.device), None
        if cell.tuner is not None:
            self._tune(cell.tuner, rows)
            if self.transform is not None:
                found = replace(rows.preprocessing, transform=self.transform)
                rows = replace(rows, preprocessing=found)
        if cell.selector is not None:
            selected = self._select(cell.selector, rows)
            rows = replace(rows, preprocessing=selected.preprocessing)
            ranker = selected.ranker
        if cell.threshold is not None:
            with self._timed("threshold"):
                self.threshold = choose_on_inner_folds(
                    self.learner, rows, cell.threshold, draws=cell.draws(self.fold)
                )
        with self._timed("fit"):
            self.pipeline = fit_rows(self.learner, rows, ranker=ranker)
        with self._timed("predict"):
            prediction = predict_fold(self.pipeline, task, self.fold)
        if self.threshold is not None:
            prediction = prediction.called_at(self.threshold.value)
        if cell.fits is not None:
            keep_fit(cell.fits, (self.fold.repeat, self.fold.fold), self.pipeline)
        self.scores = score_prediction(prediction, kind=task.kind, classes=task.classes)
        self.prediction = prediction

    def _tune(self, tuner: Tuner, rows: TrainingRows) -> None:
        """Replace the learner by the one with the values chosen on the training rows."""
        seed = seed_for(self.cell.seed, "tune", self.fold.repeat, self.fold.fold)
        with self._timed("tune"):
            tuned = tuner.tune(self.learner, replace(rows, seed=seed), name=self.fold.name)
        self.learner, self.notes, self.tuning = tuned.learner, tuned.notes, tuned.counts
        self.transform = tuned.transform
        self.seconds["tune"] += tuned.seconds_before

    def _select(self, selector: Selector, rows: TrainingRows) -> Selected:
        """Choose how many features the fit keeps, and how they are ranked."""
        with self._timed("tune"):
            selected = select_size(
                self.learner, selector, rows, task=self.cell.task, test=self.fold.test
            )
        self.notes, self.selection = selected.notes, selected.selection
        return selected

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        """Record the seconds of a block, even if it fails."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = time.perf_counter() - start

    def result(self, warned: tuple[str, ...]) -> FoldResult:
        """Return the fold's result; without a prediction if it failed."""
        estimator = self.pipeline and self.pipeline[-1]
        return FoldResult(
            repeat=self.fold.repeat,
            fold=self.fold.fold,
            status="failed" if self.reason else "ok",
            seed=self.seed,
            reason=self.reason,
            n_train=len(self.cell.train_rows(self.fold)),
            prediction=self.prediction,
            scores=self.scores,
            values=learner_values(self.learner)
            | ({} if self.transform is None else {TRANSFORM: self.transform}),
            transform={} if self.pipeline is None else self.pipeline[0].transformed_,
            seconds=self.seconds,
            device=self.device,
            notes=(*self.notes, *getattr(estimator, "notes_", ()), *warned),
            tuning=self.tuning,
            selection=self.selection,
            losses=getattr(estimator, "losses_", None),
            threshold=self.threshold,
        )


def fit_fold(cell: Cell, fold: Fold, *, seed: int, device: str = "cpu") -> Any:
    """Fit preprocessing and estimator on the training rows of one fold, untuned.

    Parameters
    ----------
    cell : Cell
        With the values and the size this fold chose, if any (`Cell.fitted_as`).
    fold : Fold
    seed : int
        The fold's own seed (`FoldResult.seed`).
    device : {"cpu", "cuda"}

    Returns
    -------
    sklearn.pipeline.Pipeline
        Fitted; steps ``preprocess`` and ``estimator``. Equal arguments give an equal pipeline.
    """
    return fit_rows(cell.learner, cell.training(fold, seed=seed, device=device))


def predict_fold(pipeline: Any, task: Task, fold: Fold) -> Prediction:
    """Predict the held-out rows of one fold.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        As `fit_fold` returns it.

    Raises
    ------
    FitError
        If a prediction has the wrong shape or is not finite, or a probability is not one.
    """
    return predict_rows(pipeline, task.X, task.y, rows=fold.test, n_classes=len(task.classes))


def _warned(caught: Sequence[warnings.WarningMessage]) -> tuple[str, ...]:
    """Return the warnings of the libraries, each once."""
    found = dict.fromkeys(
        f"{warning.category.__name__}: {shorten(str(warning.message))}" for warning in caught
    )
    notes = list(found)[:_MOST_NOTES]
    if len(found) > _MOST_NOTES:
        notes.append(f"{len(found) - _MOST_NOTES} more warnings")
    return tuple(notes)
