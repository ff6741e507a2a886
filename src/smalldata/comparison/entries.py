"""The entries of a comparison: labels, order, intervals, contrasts, bootstrap draws.

Step in the line: RunRecords on equal splits -> **Lineup** -> comparison. Entries count the
same samples, so that differences are paired.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from smalldata.comparison.influence import cell_influence, rarest
from smalldata.comparison.scores import CellScores, cell_draws, cell_scores, tested_rows
from smalldata.measures.registry import Measure
from smalldata.results.comparison import IntervalName
from smalldata.results.folds import Array
from smalldata.results.record import RunRecord, cell_label
from smalldata.seeding import seed_for
from smalldata.statistics.influence import Influence, from_folds, optimism
from smalldata.statistics.intervals import (
    Scale,
    all_right_bound,
    difference_test,
    score_interval,
)
from smalldata.statistics.significance import (
    ROUNDING,
    Interval,
    PairedTest,
    corrected_interval,
    corrected_test,
    draw_weights,
    percentile_interval,
)

N_DRAWS = 1000
"""Bootstrap draws for the intervals of calibration."""

STATUS_ORDER = {"ok": 0, "failed": 1, "skipped": 2}


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """A record and the settings that distinguish it from the others in the table."""

    record: RunRecord
    settings: str

    @property
    def label(self) -> str:
        """Name of the entry in the table and in the tests."""
        return cell_label(self.record.model, self.settings)

    @property
    def optimistic(self) -> bool:
        """Whether it was chosen by the score it shows, like the best trial of a sweep."""
        return bool(self.record.identity.get("optimistic", False))


class Lineup:
    """The entries of one comparison, with the values computed once for each."""

    def __init__(self, entries: tuple[Entry, ...], *, interval: IntervalName = "jackknife") -> None:
        self.entries = entries
        self.interval_name = interval
        self._scores: dict[tuple[str, str], CellScores] = {}
        self._draws: dict[tuple[str, str], Array] = {}
        self._influences: dict[tuple[str, str], Influence | None] = {}

    @property
    def sizes(self) -> list[int | None]:
        """The train sizes: the full training folds first, then descending."""
        found = {entry.record.train_size for entry in self.entries}
        numbers = sorted((size for size in found if size is not None), reverse=True)
        return ([None] if None in found else []) + [*numbers]

    @cached_property
    def done(self) -> RunRecord | None:
        """A finished record; all share their test rows and targets."""
        return next((c.record for c in self.entries if c.record.status == "ok"), None)

    @cached_property
    def targets(self) -> NDArray[Any]:
        """Observed target of every row in a test fold."""
        observed: dict[int, Any] = {}
        for fold in self.done.folds if self.done else ():
            if fold.prediction is not None:
                observed.update(zip(fold.prediction.row, fold.prediction.y, strict=True))
        return np.array([observed[row] for row in sorted(observed)])

    @cached_property
    def weights(self) -> Array:
        """Bootstrap draws of the test rows, as weights on all rows of the task."""
        assert self.done is not None
        rows = tested_rows(self.done)
        units = np.arange(self.done.n_samples)
        if self.done.groups is not None:
            units = np.array(self.done.groups)
        drawn = np.zeros((N_DRAWS, self.done.n_samples))
        seed = seed_for(0, "bootstrap", self.done.splits_key)
        drawn[:, rows] = draw_weights(units[rows], N_DRAWS, seed=seed)
        return drawn

    def scores(self, entry: Entry, measure: Measure) -> CellScores:
        """Return the fold scores of an entry on a measure."""
        key = (entry.record.hash, measure.name)
        if key not in self._scores:
            self._scores[key] = cell_scores(entry.record, measure)
        return self._scores[key]

    def influences(self, measure: Measure, entries: Sequence[Entry]) -> list[Influence] | None:
        """Return the influences on the means of finished entries, all of samples or all of folds.

        Parameters
        ----------
        measure : Measure
        entries : sequence of Entry
            With a mean.

        Returns
        -------
        list of Influence or None
            None if there is one test fold and no sample can be left out of it, or if entries count
            different folds.
        """
        found = [self._corrected(entry, measure) for entry in entries]
        if None in found:
            found = [self._of_samples(entry, measure) for entry in entries]
        if None in found:
            found = [
                from_folds(self.scores(entry, measure).values, ratio=entry.record.test_train_ratio)
                for entry in entries
            ]
        usable = [one for one in found if one is not None]
        if len(usable) < len(found) or len({one.moved.shape for one in usable}) > 1:
            return None
        return usable

    def _of_samples(self, entry: Entry, measure: Measure) -> Influence | None:
        """Return `cell_influence`, which is computed once."""
        key = (entry.record.hash, measure.name)
        if key not in self._influences:
            self._influences[key] = cell_influence(entry.record, measure)
        return self._influences[key]

    def _corrected(self, entry: Entry, measure: Measure) -> Influence | None:
        """Return the influence of folds as Nadeau & Bengio count them, where they are asked for.

        None otherwise, and where the folds do not differ, so that samples must tell.
        """
        if self.interval_name != "nadeau_bengio":
            return None
        values = self.scores(entry, measure).values
        if len(values) < 2 or np.ptp(values) <= ROUNDING * max(1.0, float(np.max(np.abs(values)))):
            return None
        return from_folds(values, ratio=entry.record.test_train_ratio, fold_ratio=1.0)

    def draws(self, entry: Entry, measure: Measure) -> Array:
        """Return the scores of a finished entry on the bootstrap draws; shape (N_DRAWS,)."""
        key = (entry.record.hash, measure.name)
        if key not in self._draws:
            self._draws[key] = cell_draws(entry.record, measure, self.weights)
        return self._draws[key]

    def ranked(self, measure: Measure, entries: Sequence[Entry]) -> list[Entry]:
        """Return the entries with a mean, best first; equal means by label."""
        if not measure.ranked:
            return []
        sign = -1.0 if measure.higher_is_better else 1.0
        means = {entry: self.scores(entry, measure).mean for entry in entries}
        placed = [
            (sign * mean, entry.label, entry) for entry, mean in means.items() if mean is not None
        ]
        return [entry for _, _, entry in sorted(placed, key=lambda one: one[:2])]

    def ordered(self, measure: Measure, size: int | None) -> list[Entry]:
        """Return the entries of one train_size: ranked, then undefined, failed, skipped."""
        entries = [entry for entry in self.entries if entry.record.train_size == size]
        ranked = self.ranked(measure, entries)
        rest = [entry for entry in entries if entry not in ranked]
        return ranked + sorted(rest, key=lambda c: (STATUS_ORDER[c.record.status], c.label))

    def interval(self, entry: Entry, measure: Measure) -> Interval | None:
        """Return the interval of an entry's mean, within the measure's range.

        None if it has no mean, if its samples show no variation (dummy), or if one test fold has
        too few of a class to show any. That of a calibration slope or intercept, which is far from
        linear in the samples, is a bootstrap over them.
        """
        scores = self.scores(entry, measure)
        values = scores.values
        if not len(values):
            return None
        mean = float(np.mean(values))
        if scores.pooled and not measure.ranked:
            return percentile_interval(mean, self.draws(entry, measure))
        if self._corrected(entry, measure) is not None:
            found = corrected_interval(values, ratio=entry.record.test_train_ratio)
            low, high = max(found.low, measure.low), min(found.high, measure.high)
            return Interval(mean=mean, low=low, high=high)
        influences = self.influences(measure, [entry])
        if influences is None:
            return None
        margin = self._margin(entry, measure)
        return score_interval(mean, influences[0], scale_of(measure), margin=margin)

    def why_no_interval(self, entry: Entry, measure: Measure) -> str:
        """Say why an entry with a mean has no interval."""
        if self.influences(measure, [entry]) is None:
            return "no interval: without one of its samples, the measure would be undefined"
        return "no interval: the test samples show no variation"

    def contrast(
        self, first: Entry, second: Entry, measure: Measure, *, rope: float
    ) -> PairedTest | None:
        """Return the paired test of two entries with means, first minus second.

        None where the difference has no known variance (see `influences`).
        """
        a, b = self.scores(first, measure).values, self.scores(second, measure).values
        if None not in (self._corrected(first, measure), self._corrected(second, measure)):
            return corrected_test(a, b, ratio=first.record.test_train_ratio, rope=rope)
        influences = self.influences(measure, [first, second])
        if influences is None:
            return None
        difference = influences[0].minus(influences[1])
        return difference_test(
            float(np.mean(a) - np.mean(b)),
            difference,
            scale_of(measure).of_difference,
            rope=rope,
            unseen=math.hypot(
                *(self._unseen(entry, measure, difference.freedom) for entry in (first, second))
            ),
        )

    def _margin(self, entry: Entry, measure: Measure) -> float | None:
        """Return how far a mean at a bound of a finite range may be from its expectation.

        None where it is not at a bound.
        """
        span = measure.high - measure.low
        mean = float(np.mean(self.scores(entry, measure).values))
        if not math.isfinite(span) or mean not in (measure.low, measure.high):
            return None
        fewest, n_classes = rarest(entry.record, measure)
        wrong = 1 - all_right_bound(fewest)
        return span * wrong / (n_classes if measure.by_class else 1)

    def _unseen(self, entry: Entry, measure: Measure, freedom: float) -> float:
        """Return the standard error that reaches as far as `_margin`; 0 without one."""
        return (self._margin(entry, measure) or 0.0) / float(stdtrit(freedom, 0.975))

    def best_corrected(self, measure: Measure, ranked: Sequence[Entry]) -> Interval | None:
        """Return the expected score of the first of ranked entries, chosen for its score.

        The interval is that of the best, moved by its optimism and widened by as much (the optimism
        counts as one more standard error).
        """
        influences = self.influences(measure, ranked)
        if influences is None:
            return None
        means = np.array([self.scores(entry, measure).mean for entry in ranked])
        flattery = optimism(
            means,
            influences,
            higher_is_better=measure.higher_is_better,
            seed=seed_for(0, "choice", ranked[0].record.splits_key),
        )
        if flattery == 0:
            return self.interval(ranked[0], measure)
        best = influences[0].widened(self._unseen(ranked[0], measure, influences[0].freedom))
        mean = float(means[0]) - flattery
        return score_interval(mean, best.widened(flattery), scale_of(measure))


def scale_of(measure: Measure) -> Scale:
    """Return the range of a measure."""
    return Scale(low=measure.low, high=measure.high)
