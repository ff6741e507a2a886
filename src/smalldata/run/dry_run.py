"""What a cell would do and how long it would take, judged by its first fold.

Step in the line: Plan -> **one sentence**, instead of a run; nothing is written.
"""

import time
from dataclasses import replace

import numpy as np

from smalldata.evaluation.outer_loop import evaluate_folds
from smalldata.explanation.options import folds_to_explain, rows_to_explain
from smalldata.results.folds import FoldResult
from smalldata.run.plan import Plan
from smalldata.runtime.memory import share_card
from smalldata.runtime.workers import count_processes

TRIALS_TO_TIME = 4
"""How many trials of a tuned cell to run to estimate the cost of all."""

LOADING_SECONDS = 10.0
"""A fold that takes less is timed again: loading torch and compiled code takes seconds."""


def describe_plan(plan: Plan) -> str:
    """Say what a cell would do and how long it would take, from one fold fitted in this process."""
    config, n_folds = plan.config, len(plan.splits.folds)
    line = f"{plan.title}: {plan.folder.path}: "
    if plan.record.skipped:
        return f"{line}skipped, {plan.record.skipped}"
    n_found = sum(fold.status == "ok" for fold in plan.folder.read_folds())
    n_permuted = _count_permutations(plan)
    if n_found == n_folds and not n_permuted:
        return f"{line}all {n_folds} folds are there, nothing to fit"
    n_trials = 0 if plan.tuner is None else plan.tuner.count_trials(config.learner)
    n_tried = min(n_trials, TRIALS_TO_TIME)
    result, seconds = _time_fold(plan, n_trials=n_tried)
    if result.status == "ok" and seconds < LOADING_SECONDS:
        result, seconds = _time_fold(plan, n_trials=n_tried)
    if result.status == "failed":
        return f"{line}{n_folds} folds; the first one fails: {result.reason}"
    if plan.tuner is not None:
        seconds += (n_trials / n_tried - 1) * result.seconds["tune"]
    n_processes = share_card(
        count_processes(config.n_jobs),
        device=result.device,
        n_jobs=config.n_jobs,
        n_values=plan.cell.n_values,
    )
    rounds = -(-(n_folds - n_found) // n_processes)
    permuted = ""
    if n_permuted:  # some do without parts of a fold, and none does more
        most = seconds * n_folds * -(-n_permuted // n_processes)
        permuted = f", up to {most:.0f} s for {n_permuted} permutations of the labels"
    n_numbers = plan.task.n_samples * plan.splits.n_repeats * (4 + 2 * len(plan.task.classes))
    if config.explanation is not None:
        rows = rows_to_explain(plan.cell, config.explanation)
        folds = folds_to_explain(plan.splits, config.explanation, rows=rows)
        n_explained = sum(int(np.isin(fold.test, rows).sum()) for fold in folds)
        n_numbers += n_explained * plan.task.n_features * max(1, len(plan.task.classes))
    return (
        f"{line}{n_folds} folds, {n_found} found, about {seconds * rounds:.0f} s of fitting "
        f"({seconds:.1f} s a fold){permuted} and {n_numbers * 8 / 1e6 + 2:.0f} MB"
        f"{', explanation not counted' if config.explanation is not None else ''}"
    )


def _count_permutations(plan: Plan) -> int:
    """Count the permutations that are still to compute."""
    if not plan.config.permutations:
        return 0
    found = plan.folder.permuted_scores(plan.task.measure).whole()
    return len(set(range(plan.config.permutations)) - found)


def _time_fold(plan: Plan, *, n_trials: int) -> tuple[FoldResult, float]:
    """Evaluate the first fold with a few trials, on one thread as in the run."""
    start = time.perf_counter()
    cell = replace(plan.cell, tuner=plan.tuner and plan.tuner.sample(n_trials))
    (result,) = evaluate_folds(cell, plan.splits.folds[:1], device=plan.config.device, n_jobs=1)
    return result, time.perf_counter() - start
