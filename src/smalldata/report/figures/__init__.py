"""The figures of the reports: summaries in, datasets and Vega-Lite specs out (see grammar).

Step in the line: summary -> **figures** -> HTML.
"""

from smalldata.report.figures.explanation import explanation_figures
from smalldata.report.figures.models import comparison_figures
from smalldata.report.figures.outcomes import outcome_figures
from smalldata.report.figures.permuted_scores import permutation_figures
from smalldata.report.figures.signature import signature_figures
from smalldata.report.figures.thresholds import threshold_figures
from smalldata.report.figures.training import training_figures
from smalldata.report.figures.tuning import tuning_figures

__all__ = [
    "comparison_figures",
    "explanation_figures",
    "outcome_figures",
    "permutation_figures",
    "signature_figures",
    "threshold_figures",
    "training_figures",
    "tuning_figures",
]
