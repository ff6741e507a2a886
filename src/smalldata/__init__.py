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

if TYPE_CHECKING:
    from smalldata.comparison.comparison import compare
    from smalldata.datasets import load_dataset
    from smalldata.errors import SmalldataError
    from smalldata.evaluation.outer_loop import evaluate
    from smalldata.explanation.explanation import explain
    from smalldata.explanation.options import ExplanationOptions
    from smalldata.models import load_learner, load_space
    from smalldata.report.inputs import ReportInputs
    from smalldata.resampling.strategies import make_splits
    from smalldata.run.publishing import write_report
    from smalldata.task import make_task
    from smalldata.tuning.options import TuningOptions
    from smalldata.tuning.tuner import make_tuner

__all__ = [
    "ExplanationOptions",
    "ReportInputs",
    "SmalldataError",
    "TuningOptions",
    "compare",
    "evaluate",
    "explain",
    "load_dataset",
    "load_learner",
    "load_space",
    "make_splits",
    "make_task",
    "make_tuner",
    "write_report",
]

_HOMES = {
    "ExplanationOptions": "explanation.options",
    "ReportInputs": "report.inputs",
    "SmalldataError": "errors",
    "TuningOptions": "tuning.options",
    "compare": "comparison.comparison",
    "evaluate": "evaluation.outer_loop",
    "explain": "explanation.explanation",
    "load_dataset": "datasets",
    "load_learner": "models",
    "load_space": "models",
    "make_splits": "resampling.strategies",
    "make_task": "task",
    "make_tuner": "tuning.tuner",
    "write_report": "run.publishing",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"smalldata.{_HOMES[name]}"), name)
