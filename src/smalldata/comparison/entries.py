"""The entries of a comparison: labels, order, intervals, contrasts, bootstrap draws.

Step in the line: RunRecords on equal splits -> **Lineup** -> comparison. All entries get the same
draws, so that differences are paired.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.comparison.scores import CellScores, cell_draws, cell_scores, tested_rows
from smalldata.measures.registry import Measure
from smalldata.results.folds import Array
from smalldata.results.record import RunRecord, cell_label
from smalldata.seeding import seed_for
from smalldata.statistics.significance import (
    Interval,
    PairedTest,
    bootstrap_test,
    corrected_interval,
    corrected_test,
    draw_weights,
    percentile_interval,
)

N_DRAWS = 1000
"""Bootstrap draws for holdout intervals and for the bias-corrected best."""

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

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries
        self._scores: dict[tuple[str, str], CellScores] = {}
        self._draws: dict[tuple[str, str], Array] = {}

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

    @cached_property
    def left_out(self) -> Array:
        """The test rows that each draw left out."""
        assert self.done is not None
        tested = np.zeros(self.done.n_samples)
        tested[tested_rows(self.done)] = 1.0
        return np.asarray((self.weights == 0) * tested)

    def scores(self, entry: Entry, measure: Measure) -> CellScores:
        """Return the fold scores of an entry on a measure."""
        key = (entry.record.hash, measure.name)
        if key not in self._scores:
            self._scores[key] = cell_scores(entry.record, measure)
        return self._scores[key]

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
        """Return the corrected interval of an entry's mean, within the measure's range."""
        scores = self.scores(entry, measure)
        values = scores.values
        if not len(values):
            return None
        # A slope is far from linear in the rows, so its folds' parts make a poor interval.
        if len(values) == 1 or (scores.pooled and not measure.ranked):
            found = percentile_interval(float(np.mean(values)), self.draws(entry, measure))
        else:
            found = corrected_interval(values, ratio=entry.record.test_train_ratio)
        low, high = max(found.low, measure.low), min(found.high, measure.high)
        return Interval(mean=found.mean, low=low, high=high)

    def contrast(self, first: Entry, second: Entry, measure: Measure, *, rope: float) -> PairedTest:
        """Return the paired test of two entries with means, first minus second."""
        a, b = self.scores(first, measure).values, self.scores(second, measure).values
        if len(a) == 1:
            draws = self.draws(first, measure) - self.draws(second, measure)
            return bootstrap_test(float(a[0] - b[0]), draws, rope=rope)
        return corrected_test(a, b, ratio=first.record.test_train_ratio, rope=rope)
