"""What the page of one cell is made of.

Step in the line: finished cell -> **ReportInputs** -> sections -> page.
"""

from dataclasses import dataclass

from smalldata.comparison.tuning_summary import CellTrials
from smalldata.measures.thresholds import check_prevalence
from smalldata.results.comparison import Comparison
from smalldata.results.evidence import NullImportances
from smalldata.results.explanation import Explanation
from smalldata.results.panel import Panel
from smalldata.results.record import RunRecord
from smalldata.task import Task


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportInputs:
    """A cell and what is known of it.

    Attributes
    ----------
    task : Task
    record : RunRecord
        As `evaluate` returned it: finished, failed or skipped.
    explanation : Explanation, optional
    comparison : Comparison, optional
        The table the cell belongs to; gives the rank, the test against dummy and the link to
        ``../index.html``.
    trials : CellTrials, optional
        Of a tuned cell: what its tuning came to.
    panel : Panel, optional
        Of a cell that seeks a signature: the panel of all rows.
    null : NullImportances, optional
        What permuted labels gave, explained as the explanation.
    prevalence : float, optional
        Share of positives that predictive values and net benefit of a binary cell hold for;
        default: that of the samples.

    Raises
    ------
    ConfigError
        If the prevalence is not a share.
    """

    task: Task
    record: RunRecord
    explanation: Explanation | None = None
    comparison: Comparison | None = None
    trials: CellTrials | None = None
    panel: Panel | None = None
    null: NullImportances | None = None
    prevalence: float | None = None

    def __post_init__(self) -> None:
        """Check the prevalence."""
        check_prevalence(self.prevalence)
