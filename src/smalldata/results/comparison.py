"""The comparison of several records: rows, tests, the corrected best score. Frozen, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from smalldata.results.folds import Status
from smalldata.results.learning_curves import LearningCurves
from smalldata.results.notebook import html_table
from smalldata.results.record import cell_label
from smalldata.task import TaskKind

# ---------------------------------------------------------------- the comparison of several records


IntervalName = Literal["jackknife", "nadeau_bengio"]
"""How intervals and tests are made."""


@dataclass(frozen=True, kw_only=True)
class ComparisonRow:
    """One cell and one measure of the table; its interval may be undefined.

    ``p_permutation`` says how often the whole procedure scores as high without a link between
    features and labels, by ``n_permutations`` of the labels.
    """

    dataset: str
    cv: str
    train_size: int | None
    model: str
    settings: str
    hash: str
    measure: str
    mean: float | None
    ci_low: float | None
    ci_high: float | None
    rank: int | None
    tied_with_best: bool
    n_ok: int
    n_failed: int
    status: Status
    reason: str
    tune_seconds: float | None
    fit_seconds: float | None
    predict_seconds: float | None
    explain_seconds: float | None
    optimistic: bool = False
    n_permutations: int = 0
    p_permutation: float | None = None

    @property
    def label(self) -> str:
        """Name of the cell in the table and in the tests; unique within a train_size."""
        return cell_label(self.model, self.settings)

    @property
    def full_label(self) -> str:
        """The label with the train_size, where it has one."""
        return self.label if self.train_size is None else f"{self.label}, {self.train_size} samples"

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of the parts that were timed."""
        parts = {
            "tune": self.tune_seconds,
            "fit": self.fit_seconds,
            "predict": self.predict_seconds,
            "explain": self.explain_seconds,
        }
        return {part: seconds for part, seconds in parts.items() if seconds is not None}


@dataclass(frozen=True, kw_only=True)
class PairwiseTest:
    """Corrected test of two cells on the primary measure; ``difference`` is first minus second."""

    first: str
    second: str
    measure: str
    train_size: int | None
    difference: float
    ci_low: float
    ci_high: float
    t: float
    p: float
    p_holm: float
    p_first_better: float
    p_equal: float
    p_second_better: float
    rope: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """All finished cells of one task and one set of splits.

    Attributes
    ----------
    rows : tuple of ComparisonRow
        One per cell and measure; the primary measure first, best cell first.
    tests : tuple of PairwiseTest
        All pairs of ranked cells on the primary measure, within one train_size.
    best_corrected : mapping or None
        Score of "take the best of these", corrected for the choice: mean, ci_low, ci_high,
        n_models.
    interval : {"jackknife", "nadeau_bengio"}
        How intervals and tests were made.
    learning : LearningCurves or None
        On the primary measure; None if no model was trained at several sizes.
    """

    dataset: str
    cv: str
    kind: TaskKind
    classes: tuple[str, ...]
    target: str
    measure: str
    n_samples: int
    n_features: int
    splits_key: str
    n_folds: int
    rows: tuple[ComparisonRow, ...]
    tests: tuple[PairwiseTest, ...]
    interval: IntervalName = "jackknife"
    best_corrected: Mapping[str, float] | None = None
    learning: LearningCurves | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def by_cell(self) -> list[dict[str, ComparisonRow]]:
        """Return the rows of each cell by measure, in their order."""
        cells: dict[str, dict[str, ComparisonRow]] = {}
        for row in self.rows:
            cells.setdefault(row.hash, {})[row.measure] = row
        return list(cells.values())

    def _repr_html_(self) -> str:
        """Show the cells with their primary measure in a notebook, those without a rank last."""
        cells: dict[str, ComparisonRow] = {}
        for row in self.rows:
            if row.measure == self.measure or row.hash not in cells:
                cells[row.hash] = row
        rows = [
            [
                "–"
                if row.rank is None
                else f"{row.rank}{'=' * (row.tied_with_best and row.rank > 1)}",
                row.label if row.train_size is None else f"{row.label}, {row.train_size} samples",
                *(
                    "–" if value is None or row.measure != self.measure else value
                    for value in (row.mean, row.ci_low, row.ci_high)
                ),
                row.status if not row.reason else f"{row.status}: {row.reason}",
            ]
            for row in sorted(cells.values(), key=lambda row: row.rank is None)
        ]
        caption = (
            f"{self.dataset} · {self.cv} · {self.n_samples} × {self.n_features} · {self.target} "
            "(= tied with the best)"
        )
        heads = ["rank", "model", self.measure, "95 % from", "95 % to", "status"]
        return html_table(caption, heads, rows)
