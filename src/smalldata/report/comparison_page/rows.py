"""The rows of the table and the tests between them, in plain numbers.

Step in the line: Comparison + RunRecords -> **ComparedCell, PairTest** -> words, figures, HTML.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from smalldata.comparison.tuning_summary import CellTrials
from smalldata.models import is_deep
from smalldata.report.plain import Estimate
from smalldata.report.sections.scores import Difference, find_test, names_of
from smalldata.report.sections.tuning import TuningOutline, outline_tuning
from smalldata.report.sections.tuning_words import outline_text
from smalldata.results.comparison import Comparison, ComparisonRow, Word
from smalldata.results.folds import Status
from smalldata.results.record import RunRecord


@dataclass(frozen=True, kw_only=True)
class ComparedCell:
    """A row of the table.

    Attributes
    ----------
    deep : bool
        Whether its learner is deep (`Traits.deep`).
    label : str
        The model, its settings and its train_size; unique.
    href : str
        Of the cell's own page.
    word : Word or None
        Against the best cell of the same train_size; None for that cell and without a rank.
    reason : str
        Why the status is not ``ok``, or what qualifies the mean.
    seconds : dict of str to float
        By part: tune, fit, predict, explain.
    scores : dict of str to Estimate
        By the name of the measure.
    versus_best : Difference or None
        From the best cell of the same train_size; None for the best and for cells without a rank.
    n_permutations : int
        Of the labels; 0: there is no p-value of them.
    p_permutation : float or None
    tuning : TuningOutline or None
        Trials and optimism of a tuned cell, and ``tuning_text`` in words.
    """

    hash: str
    model: str
    deep: bool
    label: str
    train_size: int | None
    href: str
    has_report: bool
    rank: int | None
    word: Word | None
    status: Status
    reason: str
    optimistic: bool
    seconds: dict[str, float]
    scores: dict[str, Estimate]
    versus_best: Difference | None
    n_permutations: int = 0
    p_permutation: float | None = None
    tuning: TuningOutline | None = None
    tuning_text: str = ""

    @property
    def total_seconds(self) -> float:
        """Of all parts."""
        return sum(self.seconds.values())


@dataclass(frozen=True, kw_only=True)
class PairTest(Difference):
    """A test of two cells of one train_size, by their labels in the table."""

    first: str
    second: str
    train_size: int | None
    p: float


def compared_cells(
    comparison: Comparison,
    records: Mapping[str, RunRecord],
    trials: Mapping[str, CellTrials],
) -> list[ComparedCell]:
    """List the rows of the table, best first; records and trials are by the hash of the cell."""
    return [_cell(comparison, rows, records, trials) for rows in comparison.by_cell()]


def _cell(
    comparison: Comparison,
    rows: Mapping[str, ComparisonRow],
    records: Mapping[str, RunRecord],
    trials: Mapping[str, CellTrials],
) -> ComparedCell:
    own = rows[comparison.measure]
    record = records.get(own.hash)
    best = _best(comparison, own)
    tuning = None if record is None else outline_tuning(record, trials.get(own.hash))
    return ComparedCell(
        hash=own.hash,
        model=own.model,
        deep=record is not None and is_deep(record.identity),
        label=own.full_label,
        train_size=own.train_size,
        href=f"{own.model}-{own.hash}/report.html",
        has_report=record is not None and record.status != "skipped",
        rank=own.rank,
        word=own.versus_best,
        status=own.status,
        reason=own.reason,
        optimistic=own.optimistic,
        seconds=own.seconds,
        scores={
            name: Estimate(mean=row.mean, low=row.ci_low, high=row.ci_high)
            for name, row in rows.items()
        },
        versus_best=None
        if best is None or best.hash == own.hash or own.rank is None
        else find_test(comparison, own, best),
        n_permutations=own.n_permutations,
        p_permutation=own.p_permutation,
        tuning=tuning,
        tuning_text="" if tuning is None else outline_text(tuning),
    )


def _best(comparison: Comparison, own: ComparisonRow) -> ComparisonRow | None:
    peers = [
        row
        for row in comparison.rows
        if row.measure == comparison.measure
        and row.train_size == own.train_size
        and row.rank is not None
    ]
    return min(peers, key=lambda row: row.rank or 0, default=None)


def pair_tests(comparison: Comparison) -> list[PairTest]:
    """List all pairwise tests, with the labels of the table."""
    labels = {
        (row.train_size, name): row.full_label for row in comparison.rows for name in names_of(row)
    }
    return [
        PairTest(
            first=labels[test.train_size, test.first],
            second=labels[test.train_size, test.second],
            train_size=test.train_size,
            difference=test.difference,
            low=test.ci_low,
            high=test.ci_high,
            p=test.p,
            p_holm=test.p_holm,
            p_better=test.p_first_better,
            p_equal=test.p_equal,
            p_worse=test.p_second_better,
            rope=test.rope,
            word=test.word,
            detectable=test.detectable,
        )
        for test in comparison.tests
    ]
