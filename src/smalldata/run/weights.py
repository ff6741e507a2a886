"""The weights of a finished cell's models, as files: makes and writes the missing ones.

Step in the line: RunRecord on disk -> **weights/rXXfXX.safetensors**. The model of a fold is fitted
again with its seed and values, and kept only if it reproduces the stored predictions, so a fold
need not know whether its weights will be wanted.
"""

from typing import Any

from smalldata.evaluation.cell import Cell
from smalldata.explanation.refit import refit_fold, stream_refits
from smalldata.learner import SupportsWeights
from smalldata.results.folds import Fold, FoldResult
from smalldata.run.plan import Stored
from smalldata.run.progress import Reporter


def save_weights(stored: Stored, reporter: Reporter) -> None:
    """Write the missing weights of a cell's folds; the caller holds its lock.

    Raises
    ------
    ExplanationError
        If a rebuilt model does not give the stored predictions.
    """
    plan, folder = stored.plan, stored.folder
    estimator = plan.cell.learner.build(plan.task.info, seed=0, device="cpu")
    if not isinstance(estimator, SupportsWeights):
        reporter.say(f"{plan.title}: only networks have weights to keep")
        return
    missing = []
    for fold in stored.record.folds:
        found, sentence = folder.resume_weights(fold.name)
        if sentence:
            reporter.warn(sentence)
        if not found:
            missing.append((fold.repeat, fold.fold))
    parts = stream_refits(
        fold_weights, plan.cell, stored.record, missing, n_jobs=plan.config.n_jobs
    )
    total = len(stored.record.folds)
    followed = reporter.follow(
        parts, title=f"weights of {plan.title}", total=total, done=total - len(missing)
    )
    for name, weights in followed:
        folder.write_weights(name, weights)


def fold_weights(cell: Cell, fold: Fold, *, stored: FoldResult) -> tuple[str, dict[str, Any]]:
    """Return the name of a fold and what its model learned."""
    pipeline = refit_fold(cell, fold, stored=stored)
    return fold.name, pipeline["estimator"].learned()
