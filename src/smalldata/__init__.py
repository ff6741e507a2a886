"""Honest comparison and explanation of models on small omics tables.

The same line as the command line, without Hydra:

>>> from smalldata import evaluate, load_dataset, load_learner, make_splits, make_task
>>> task = make_task(load_dataset("nutrimouse"))
>>> splits = make_splits(task, "kfold", n_splits=4)
>>> record = evaluate(task, load_learner("linear"), splits, n_jobs=1)
>>> record.status
'ok'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names for those who read the code: editors, type checkers
    from smalldata.comparison.comparison import compare as compare
    from smalldata.comparison.permuted_scores import permute_scores as permute_scores
    from smalldata.datasets import load_dataset as load_dataset
    from smalldata.datasets.anndata import dataset_from_anndata as dataset_from_anndata
    from smalldata.datasets.frames import dataset_from_frame as dataset_from_frame
    from smalldata.errors import SmalldataError as SmalldataError
    from smalldata.evaluation.cell import Cell as Cell
    from smalldata.evaluation.outer_loop import evaluate as evaluate
    from smalldata.evaluation.thresholds import ThresholdOptions as ThresholdOptions
    from smalldata.explanation.explanation import explain as explain
    from smalldata.explanation.options import ExplanationOptions as ExplanationOptions
    from smalldata.models import load_learner as load_learner
    from smalldata.models import load_space as load_space
    from smalldata.panel.selector import SignatureOptions as SignatureOptions
    from smalldata.panel.selector import make_selector as make_selector
    from smalldata.pipeline.estimator import make_estimator as make_estimator
    from smalldata.pipeline.preprocess import Preprocessing as Preprocessing
    from smalldata.report.inputs import ReportInputs as ReportInputs
    from smalldata.resampling.strategies import make_splits as make_splits
    from smalldata.results.comparison import Comparison as Comparison
    from smalldata.results.explanation import Explanation as Explanation
    from smalldata.results.folds import Splits as Splits
    from smalldata.results.record import RunRecord as RunRecord
    from smalldata.run.looking import Look as Look
    from smalldata.run.looking import look as look
    from smalldata.run.publishing import write_report as write_report
    from smalldata.task import Dataset as Dataset
    from smalldata.task import Task as Task
    from smalldata.task import make_task as make_task
    from smalldata.tuning.options import TuningOptions as TuningOptions
    from smalldata.tuning.tuner import make_tuner as make_tuner

_HOMES = {
    "Cell": "evaluation.cell",
    "Comparison": "results.comparison",
    "Dataset": "task",
    "Explanation": "results.explanation",
    "ExplanationOptions": "explanation.options",
    "Look": "run.looking",
    "Preprocessing": "pipeline.preprocess",
    "ReportInputs": "report.inputs",
    "RunRecord": "results.record",
    "SignatureOptions": "panel.selector",
    "SmalldataError": "errors",
    "Splits": "results.folds",
    "Task": "task",
    "ThresholdOptions": "evaluation.thresholds",
    "TuningOptions": "tuning.options",
    "compare": "comparison.comparison",
    "dataset_from_anndata": "datasets.anndata",
    "dataset_from_frame": "datasets.frames",
    "evaluate": "evaluation.outer_loop",
    "explain": "explanation.explanation",
    "load_dataset": "datasets",
    "load_learner": "models",
    "load_space": "models",
    "look": "run.looking",
    "make_estimator": "pipeline.estimator",
    "make_selector": "panel.selector",
    "make_splits": "resampling.strategies",
    "make_task": "task",
    "make_tuner": "tuning.tuner",
    "permute_scores": "comparison.permuted_scores",
    "write_report": "run.publishing",
}
"""Where each public name lives: the one table of them."""

__all__ = sorted(_HOMES)


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return __all__


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"smalldata.{_HOMES[name]}"), name)
