"""The comparison of several records: rows, tests, the corrected best score. Frozen, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from smalldata.results.folds import Status
from smalldata.results.learning_curves import LearningCurves
from smalldata.results.notebook import html_table
from smalldata.results.record import cell_label
from smalldata.task import TaskKind

# ---------------------------------------------------------------- the comparison of several records


IntervalName = Literal["jackknife", "nadeau_bengio"]
"""How intervals and tests are made."""


class Word(StrEnum):
    """What the folds say about two models; the rule is `statistics.verdict.choose_word`."""

    BETTER = "clearly better"
    WORSE = "clearly worse"
    EQUAL = "practically equal"
    UNCLEAR = "cannot be told apart"

    @property
    def is_clear(self) -> bool:
        """Whether one model is better."""
        return self in (Word.BETTER, Word.WORSE)

    @property
    def turned(self) -> "Word":
        """The word for the same two models in the other order."""
        return {Word.BETTER: Word.WORSE, Word.WORSE: Word.BETTER}.get(self, self)

    @property
    def mark(self) -> str:
        """Mark in a table, of a model against the best."""
        return {Word.EQUAL: "=", Word.UNCLEAR: "?"}.get(self, "")


MARKS = "=: practically equal to the best, ?: cannot be told apart from it, no mark: clearly worse"


@dataclass(frozen=True, kw_only=True)
class ComparisonRow:
    """One cell and one measure of the table; its interval may be undefined.

    Attributes
    ----------
    versus_best : Word or None
        Against the best cell of the same train_size; None for that cell and for cells without a
        rank.
    n_scored : int
        Folds that the mean covers.
    n_permutations, p_permutation : int, float or None
        How often the whole procedure scores as high without a link between features and labels, by
        so many permutations of the labels.
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
    versus_best: Word | None
    n_scored: int
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
    def tied_with_best(self) -> bool:
        """Whether the cell has a rank and is not clearly worse than the best; a column of files."""
        return self.rank is not None and self.versus_best is not Word.WORSE

    @property
    def mark(self) -> str:
        """Mark of the word against the best; "" for the best itself."""
        return "" if self.versus_best is None else self.versus_best.mark

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
    """Corrected test of two cells on the primary measure; ``difference`` is first minus second.

    Attributes
    ----------
    word : Word
        What it says about the first cell.
    detectable : float or None
        Smallest true difference that these folds would have shown with 80 % power, at the level
        that Holm's adjustment leaves to this pair; None if there are too few folds for any test.
    """

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
    word: Word
    detectable: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """All finished cells of one task and one set of splits.

    Attributes
    ----------
    rows : tuple of ComparisonRow
        One per cell and measure; the primary measure first, best cell first.
    tests : tuple of PairwiseTest
        All pairs of ranked cells on the primary measure, within one train_size.
    n_train : int or None
        Samples that a model was trained on in the mean fold, where no train_size was set.
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
    n_train: int | None = None
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
                "–" if row.rank is None else f"{row.rank}{row.mark}",
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
            f"({MARKS})"
        )
        heads = ["rank", "model", self.measure, "95 % from", "95 % to", "status"]
        return html_table(caption, heads, rows)
