"""One cell measured: five folds scored and timed, in as many processes as asked for.

Seconds of a fold are those of its own process: wall for fit and for prediction, processor seconds
for everything in it. Seconds of a cell are the wall from the first fold's start to the last one's
end, in processes that have fitted the same model on a small table before: imports are not counted.
"""

import hashlib
import json
import os
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from setting import SEED, Cell, load_task, make_learner, make_outer

from smalldata.datasets import load_dataset
from smalldata.evaluation.cell import Cell as ModelCell
from smalldata.evaluation.cell import learner_values
from smalldata.evaluation.outer_loop import evaluate_fold
from smalldata.learner import Learner
from smalldata.results.folds import FoldResult, Splits
from smalldata.results.record import RESULTS_VERSION
from smalldata.runtime.workers import Killed, stream_jobs
from smalldata.task import Task, TaskKind, make_task

_warm: set[tuple[str, TaskKind, int]] = set()

SECOND = {TaskKind.REGRESSION: "r2"}
"""The measure kept beside the primary one; of classes the log loss."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Scores of the folds and what they took."""

    folds: list[dict[str, Any]]
    wall_seconds: float


def digest(task: Task, learner: Learner, splits: Splits) -> str:
    """Name all that decides a cell's scores, in twelve letters: a row of another is out of date."""
    own = type(learner).__module__.startswith("smalldata.")
    about = {
        "content": task.content_key,
        "splits": splits.key,
        "learner": f"{type(learner).__name__} {sorted(learner_values(learner).items())}",
        "results": RESULTS_VERSION if own else None,
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]


def measure(cell: Cell, *, n_jobs: int) -> Measured:
    """Fit and score the five folds of a cell.

    Raises
    ------
    RuntimeError
        If a fold failed.
    """
    task = load_task(cell.dataset)
    learner = make_learner(cell.model, cell.change, task.kind)
    assert learner is not None
    splits = make_outer(task, cell.repeat)
    if (key := (cell.model, task.kind, n_jobs)) not in _warm:
        warm_up(learner, task.kind, n_jobs=n_jobs)
        _warm.add(key)
    start = time.perf_counter()
    found = _run(task, learner, splits, n_jobs=n_jobs)
    seconds = time.perf_counter() - start
    folds = []
    for result, cpu_seconds in found:
        if result.status != "ok":
            raise RuntimeError(f"{cell}, {result.repeat}, {result.fold}: {result.reason}")
        folds.append(
            {
                "repeat": result.repeat,
                "fold": result.fold,
                "score": result.scores[task.measure].value,
                "second": result.scores[SECOND.get(task.kind, "log_loss")].value,
                "fit_seconds": round(result.seconds["fit"], 4),
                "predict_seconds": round(result.seconds["predict"], 4),
                "cpu_seconds": round(cpu_seconds, 4),
            }
        )
    return Measured(folds=folds, wall_seconds=seconds)


def warm_up(learner: Learner, kind: TaskKind, *, n_jobs: int) -> None:
    """Fit the learner on a small table in every process, which then has imported what it needs."""
    task = make_task(load_dataset("synthetic", n=60, p=8, informative=4, kind=str(kind)))
    splits = make_outer(task, 0)
    _run(task, learner, replace(splits, folds=splits.folds[:n_jobs]), n_jobs=n_jobs)


def _run(
    task: Task, learner: Learner, splits: Splits, *, n_jobs: int
) -> list[tuple[FoldResult, float]]:
    run = partial(_timed_fold, task, learner, splits)
    found = []
    for job, result in stream_jobs(run, range(len(splits.folds)), n_processes=n_jobs):
        if isinstance(result, Killed):
            raise RuntimeError(f"fold {job}: {result.reason}")
        found.append(result)
    return sorted(found, key=lambda one: one[0].fold)


def _timed_fold(
    task: Task, learner: Learner, splits: Splits, position: int
) -> tuple[FoldResult, float]:
    start = time.process_time()
    cell = ModelCell(task=task, learner=learner, splits=splits, seed=SEED)
    result = evaluate_fold(cell, splits.folds[position])
    return result, time.process_time() - start


def load_now() -> float:
    """Load average of the last minute."""
    return round(os.getloadavg()[0], 2)
