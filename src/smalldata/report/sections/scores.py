"""The scores of one cell in plain numbers, and its place among the others.

Step in the line: RunRecord + Comparison -> **Score, Standing** -> words -> HTML.
"""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from smalldata.comparison.entries import Entry, Lineup
from smalldata.comparison.scores import DUMMY, fold_scores, guessing_score, scores_by_fold
from smalldata.comparison.words import covers_range
from smalldata.measures.registry import Measure, find_measure, measures_for
from smalldata.results.comparison import Comparison, ComparisonRow, PairwiseTest, Word
from smalldata.results.record import RunRecord
from smalldata.runtime.sealing import strict_plain
from smalldata.statistics.intervals import WHOLE_LINE, Scale, fold_interval
from smalldata.task import Task, TaskKind


@dataclass(frozen=True, kw_only=True)
class MeasureFacts:
    """Title and direction of a measure.

    Attributes
    ----------
    better : str
        "higher", "lower", or "close to" the ideal value.
    guessing : float or None
        What a model that ignores the features scores, where that is known.
    says, says_below_chance : str
        Templates of the sentences that put a score in everyday words, or "".
    in_target_unit : bool
    """

    name: str
    title: str
    better: str
    guessing: float | None
    says: str
    says_below_chance: str
    in_target_unit: bool


@dataclass(frozen=True, kw_only=True)
class Tally:
    """A text and the number of folds that gave it."""

    text: str
    n: int


@dataclass(frozen=True, kw_only=True)
class FoldScore:
    """The score of one fold; ``reason`` says why ``value`` is None."""

    fold: str
    value: float | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Score(MeasureFacts):
    """One measure over the folds.

    Attributes
    ----------
    mean, low, high : float or None
        With the corrected 95 % interval.
    min, max : float or None
        Of single folds.
    no_interval : str
        Why there is a mean without an interval, where that is known.
    n : int
        Folds that count in the mean.
    folds : list of FoldScore
    undefined : list of Tally
        Reasons of the folds without a value.
    """

    mean: float | None
    low: float | None
    high: float | None
    no_interval: str
    min: float | None
    max: float | None
    n: int
    folds: list[FoldScore]
    undefined: list[Tally]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """First minus second cell, with its interval and p-value after Holm's correction.

    Attributes
    ----------
    p_better, p_equal, p_worse : float
        Probabilities that the first is better by more than ``rope``, that the two differ by less,
        that the first is worse by more.
    word : Word
        What all of this says about the first.
    detectable : float or None
        As in `PairwiseTest`.
    """

    difference: float
    low: float
    high: float
    p_holm: float
    p_better: float
    p_equal: float
    p_worse: float
    rope: float
    word: Word
    detectable: float | None

    def turned(self) -> "Difference":
        """Return the same test as second minus first."""
        return Difference(
            difference=0.0 - self.difference,  # not −0.0
            low=0.0 - self.high,
            high=0.0 - self.low,
            p_holm=self.p_holm,
            p_better=self.p_worse,
            p_equal=self.p_equal,
            p_worse=self.p_better,
            rope=self.rope,
            word=self.word.turned,
            detectable=self.detectable,
        )


@dataclass(frozen=True, kw_only=True)
class Rival(Difference):
    """Another cell and its mean; the difference is this cell minus that one."""

    model: str
    mean: float | None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The place of a cell in its comparison.

    Attributes
    ----------
    rank : int or None
    n_ranked : int
        Cells of the same train_size with a rank.
    best : str or None
        Label of the best cell.
    others : dict of str to Word
        By label, the cells with a rank but the best one, and their word against it.
    dummy, linear, versus_best : Rival or None
    """

    rank: int | None
    n_ranked: int
    best: str | None
    others: dict[str, Word]
    optimistic: bool
    dummy: Rival | None
    linear: Rival | None
    versus_best: Rival | None


def describe_measure(name: str, kind: TaskKind) -> MeasureFacts:
    """Title, direction and chance level of a measure."""
    measure = find_measure(name, kind)
    return MeasureFacts(
        name=measure.name,
        title=measure.title,
        better=f"close to {measure.target:g}"
        if measure.target is not None
        else "higher"
        if measure.higher_is_better
        else "lower",
        guessing=measure.chance,
        says=measure.says,
        says_below_chance=measure.says_below_chance,
        in_target_unit=measure.in_target_unit,
    )


def rows_of(comparison: Comparison | None, cell_hash: str) -> dict[str, ComparisonRow]:
    """Rows of one cell by measure."""
    if comparison is None:
        return {}
    return {row.measure: row for row in comparison.rows if row.hash == cell_hash}


def names_of(row: ComparisonRow) -> set[str]:
    """All names a pairwise test may call a cell by."""
    return {row.hash, row.label, f"{row.model}-{row.hash}"}


def find_test(
    comparison: Comparison, first: ComparisonRow, second: ComparisonRow
) -> Difference | None:
    """Pairwise test of two cells, turned so that ``difference`` is first minus second."""
    for test in comparison.tests:
        if test.train_size != first.train_size:
            continue
        if test.first in names_of(first) and test.second in names_of(second):
            return _difference(test)
        if test.first in names_of(second) and test.second in names_of(first):
            return _difference(test).turned()
    return None


def _difference(test: PairwiseTest) -> Difference:
    return Difference(
        difference=test.difference,
        low=test.ci_low,
        high=test.ci_high,
        p_holm=test.p_holm,
        p_better=test.p_first_better,
        p_equal=test.p_equal,
        p_worse=test.p_second_better,
        rope=test.rope,
        word=test.word,
        detectable=test.detectable,
    )


# ---------------------------------------------------------------- the parts of a cell


def tallies(counts: Counter[str]) -> list[Tally]:
    """List counted texts, the most frequent first."""
    return [Tally(text=text, n=n) for text, n in counts.most_common()]


def summarize_scores(task: Task, record: RunRecord, comparison: Comparison | None) -> list[Score]:
    """Per measure, the primary first: mean, interval, and the score of every fold."""
    names = [measure.name for measure in measures_for(task.kind)]
    names.sort(key=lambda name: name != record.measure)
    rows = rows_of(comparison, record.hash)
    lineup = Lineup((Entry(record=record, settings=""),))
    scores = []
    for name in names:
        measure = find_measure(name, task.kind)
        folds = [
            FoldScore(
                fold=fold.name, value=strict_plain(score.value), reason=score.reason or score.note
            )
            for fold, score in scores_by_fold(record, measure)
        ]
        values = [fold.value for fold in folds if fold.value is not None]
        row = rows.get(name)
        found = fold_scores(record, measure)
        own = lineup.interval(lineup.entries[0], measure) if len(found.values) else None
        mean, low, high, no_interval = found.mean, None, None, ""
        if own is None and mean is not None:
            no_interval = lineup.why_no_interval(lineup.entries[0], measure)
        if own is not None and not covers_range(own.low, own.high, measure):
            low, high = own.low, own.high
        # A pooled score counts every fold, also one that has no score of its own.
        missing = [] if found.pooled else [fold.reason for fold in folds if fold.value is None]
        if row is not None and row.mean is not None:
            mean, low, high = row.mean, row.ci_low, row.ci_high
            no_interval = row.reason if low is None else ""
        facts = replace(
            describe_measure(name, task.kind),
            guessing=_guessing(task, record, measure, comparison),
        )
        scores.append(
            Score(
                **vars(facts),
                mean=mean,
                low=low,
                high=high,
                no_interval=no_interval,
                min=min(values, default=None),
                max=max(values, default=None),
                n=len(found.values) or len(values),
                folds=folds,
                undefined=tallies(Counter(missing)),
            )
        )
    return scores


def _guessing(
    task: Task, record: RunRecord, measure: Measure, comparison: Comparison | None
) -> float | None:
    """Return dummy's score in the table, or else what it would score; None if it is not known."""
    if not measure.ranked:
        return None
    for row in () if comparison is None else comparison.rows:
        beside = row.measure == measure.name and row.train_size == record.train_size
        if beside and row.model == DUMMY and row.mean is not None:
            return row.mean
    # Rows that a train_size leaves out are not in the record, so the training mean is not known.
    known = record.train_size is None or task.kind.is_classification
    found = guessing_score(record, measure, task.y) if known else None
    return measure.chance if found is None else found


def mean_interval(
    values: list[float], test_train_ratio: float, scale: Scale = WHOLE_LINE
) -> tuple[float | None, float | None, float | None]:
    """Mean of numbers of single folds with the 95 % interval over folds; none for one fold.

    Example
    -------
    >>> mean_interval([0.75], 0.25)
    (0.75, None, None)
    """
    if len(values) < 2:
        return (values[0] if values else None), None, None
    found = fold_interval(np.array(values), ratio=test_train_ratio, scale=scale)
    if found is None:
        return float(np.mean(values)), None, None
    return found.mean, found.low, found.high


def summarize_standing(record: RunRecord, comparison: Comparison | None) -> Standing | None:
    """Place a cell in its comparison: rank, tests against dummy, linear, the best."""
    if comparison is None:
        return None
    own = rows_of(comparison, record.hash).get(comparison.measure)
    if own is None:
        return None
    peers = [
        row
        for row in comparison.rows
        if row.measure == comparison.measure
        and row.train_size == own.train_size
        and row.mean is not None
        and row.rank is not None
    ]
    best = min(peers, key=lambda row: row.rank or 0, default=None)

    def against(*others: ComparisonRow) -> Rival | None:
        for other in others:
            test = None if other.hash == own.hash else find_test(comparison, own, other)
            if test is not None:
                return Rival(**vars(test), model=other.label, mean=other.mean)
        return None

    return Standing(
        rank=own.rank,
        n_ranked=len(peers),
        best=None if best is None else best.label,
        others={row.label: row.versus_best for row in peers if row.versus_best is not None},
        optimistic=own.optimistic,
        dummy=against(*(row for row in peers if row.model == "dummy")),
        linear=against(*(row for row in peers if row.model == "linear")),
        versus_best=None if best is None else against(best),
    )
