"""How well each feature tells the target by itself, in one fast walk over all of them.

Step in the line: **files** -> Dataset. Nothing is judged here: see `leaks`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.task import TaskKind

SAME_NUMBERS = 1e-9
"""Below 1, the absolute correlation of a numeric target with itself in another unit."""

LEVELS = 2
"""Categories for each class beyond which a feature is no form of the target: patients, litters and
sites lie within one class each, and are groups."""

N_KEPT = 20
"""Best features that are looked at exactly."""


@dataclass(frozen=True, kw_only=True)
class Separation:
    """How well one feature tells the target.

    Attributes
    ----------
    name : str
    score : float
        Two classes: AUC from 0.5 to 1. More: 1 minus the share of superfluous runs. Numeric target:
        absolute rank correlation.
    counts : tuple of int
        Samples without a gap in each class; for a numeric target all of them.
    levels : int
        Of a categorical feature; 0 for numbers.
    is_gap : bool
        It is missing in exactly the samples of one class.
    is_code : bool
        It has one value for each class, or is the numeric target on another scale.
    """

    name: str
    score: float
    counts: tuple[int, ...]
    levels: int = 0
    is_gap: bool = False
    is_code: bool = False


def separations(y: NDArray[np.generic], *, kind: TaskKind) -> "Walk":
    """Start the walk over the features of a table."""
    if kind is TaskKind.REGRESSION:
        values = np.asarray(y, dtype=np.float64)
        return _walk(np.zeros(len(y), dtype=np.intp), 0, values=values, ranks=_ranks(values))
    classes, codes = np.unique(np.asarray(y).astype(str), return_inverse=True)
    return _walk(codes, len(classes), values=np.zeros(0), ranks=np.zeros(0))


def _walk(
    codes: NDArray[np.intp],
    n_classes: int,
    *,
    values: NDArray[np.float64],
    ranks: NDArray[np.float64],
) -> "Walk":
    shuffled = np.random.default_rng(0).permutation(len(codes))
    n_bits = max(n_classes - 1, 0).bit_length()
    return Walk(
        codes=codes,
        n_classes=n_classes,
        values=values,
        ranks=ranks,
        tags=(shuffled << n_bits) | codes,
        samples=np.argsort(shuffled),
        n_bits=n_bits,
    )


@dataclass(frozen=True, kw_only=True)
class Order:
    """Some columns, each with its samples in order of size, missing ones last.

    Attributes
    ----------
    keys : ndarray of int64 of shape (n_columns, n_samples)
        Bits of the values in order, the tag of the sample in the last ones.
    mask : int64
        The bits of the tag.
    n_present : ndarray of shape (n_columns,)
        Samples without a gap.
    is_here : ndarray of shape (n_columns, n_samples) or None
        The keys of those; None where there is no gap.
    """

    keys: NDArray[np.int64]
    mask: np.int64
    n_present: NDArray[np.intp]
    is_here: NDArray[np.bool_] | None

    def tags(self) -> NDArray[np.int64]:
        """Tags of the samples, in order."""
        return self.keys & self.mask

    def tag_at(self, places: NDArray[np.intp]) -> NDArray[np.int64]:
        """Tag of one sample of each column."""
        return self.keys[np.arange(len(places)), places] & self.mask

    def may_be_equal(self, first: NDArray[np.intp], last: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Tell the columns whose values from one place of the order to another may be equal."""
        rows = np.arange(len(first))
        ends = [self.keys[rows, place] & ~self.mask for place in (first, np.maximum(first, last))]
        return np.asarray((last < first) | (ends[0] == ends[1]))


@dataclass(kw_only=True)
class Walk:
    """Keeps the features that tell most of the target, as they pass.

    Attributes
    ----------
    codes : ndarray of shape (n_samples,)
        Class of each sample.
    n_classes : int
        0 for a numeric target.
    values, ranks : ndarray of shape (n_samples,)
        Of a numeric target.
    tags : ndarray of shape (n_samples,)
        A number of each sample: its place in a random order, then ``n_bits`` with its class.
    samples : ndarray of shape (n_samples,)
        The samples in that random order.
    n_bits : int
    """

    codes: NDArray[np.intp]
    n_classes: int
    values: NDArray[np.float64]
    ranks: NDArray[np.float64]
    tags: NDArray[np.int64]
    samples: NDArray[np.intp]
    n_bits: int
    _kept: list[Separation] = field(default_factory=list)
    _gaps: list[Separation] = field(default_factory=list)

    def order(self, values: NDArray[np.float64], absent: NDArray[np.bool_] | None) -> Order:
        """Order columns of numbers, shape (n_columns, n_samples), by size, ties at random.

        The tag goes into the last bits of each number, so that plain sorting does it: several times
        as fast as argsort, and numbers that differ by less than one in 10 ** 12 count as ties.
        """
        n_columns, n_samples = values.shape
        mask = np.int64((1 << int(self.tags.max(initial=0)).bit_length()) - 1)
        numbers = values + 0.0  # a copy, and no -0.0
        keys = numbers.view(np.int64)
        keys &= ~mask
        keys |= self.tags
        numbers.sort(axis=1)  # with a tag, NaN is still NaN, and last
        n_present = np.full(n_columns, n_samples)
        if absent is None:
            return Order(keys=keys, mask=mask, n_present=n_present, is_here=None)
        n_present -= absent.sum(axis=1)
        is_here = np.arange(n_samples) < n_present[:, None]
        return Order(keys=keys, mask=mask, n_present=n_present, is_here=is_here)

    def samples_of(self, tags: NDArray[np.int64]) -> NDArray[np.intp]:
        """Give the samples that have these tags."""
        return np.asarray(self.samples[tags >> self.n_bits])

    def rough_scores(self, order: Order) -> NDArray[np.float64]:
        """Score many columns; ties are broken at random."""
        scores = self._rough(order)
        scores[order.n_present < 2] = 0.0
        return scores

    def add_numbers(
        self, names: Sequence[str], values: NDArray[np.float64], scores: NDArray[np.float64]
    ) -> None:
        """Take columns of numbers, shape (n_columns, n_samples), with their rough scores."""
        best = np.argsort(-scores, kind="stable")[:N_KEPT]
        exact = [self._exact(names[place], values[place]) for place in best.tolist()]
        self._keep([entry for entry in exact if entry is not None])

    def are_one_class(self, absent: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell the columns that are missing in exactly the samples of one of two classes."""
        if self.n_classes != 2:
            return np.zeros(len(absent), dtype=bool)
        is_one = self.codes == 1
        return np.asarray((absent == is_one).all(axis=1) | (absent == ~is_one).all(axis=1))

    def add_gaps(self, names: Sequence[str]) -> None:
        """Take the columns of `are_one_class`."""
        n_ones = int((self.codes == 1).sum())
        counts = (len(self.codes) - n_ones, n_ones)
        self._gaps += [
            Separation(name=name, score=1.0, counts=counts, levels=2, is_gap=True) for name in names
        ]

    def add_categories(self, name: str, column: pd.Categorical) -> None:
        """Take one column of categories."""
        if not self.n_classes:
            return
        present = np.asarray(column.codes) >= 0
        levels, inverse = np.unique(np.asarray(column.codes)[present], return_inverse=True)
        codes = self.codes[present]
        if len(levels) < 2 or len(levels) > min(len(codes) / 4, LEVELS * self.n_classes):
            return
        table = np.zeros((len(levels), self.n_classes))
        np.add.at(table, (inverse, codes), 1)
        # Two classes: the levels in the order of their shares, else the share of the right class.
        if self.n_classes == 2:
            shares = table[:, 1] / table.sum(axis=1)
            entry = self._exact(name, shares[inverse], codes=codes)
            score = 0.0 if entry is None else entry.score
        else:
            score = float(table.max(axis=1).sum() / table.sum())
            score = 0.0 if len(set(table.argmax(axis=1))) < self.n_classes else score
        counts = tuple(int(count) for count in table.sum(axis=0))
        is_code = score == 1.0 and len(levels) == self.n_classes
        self._keep(
            [Separation(name=name, score=score, counts=counts, levels=len(levels), is_code=is_code)]
        )

    def found(self) -> list[Separation]:
        """Give the best features, best first, and those whose gaps are one class."""
        return [*self._kept, *self._gaps]

    def _keep(self, entries: list[Separation]) -> None:
        both = [*self._kept, *entries]
        self._kept = sorted(both, key=lambda entry: (-entry.score, not entry.is_code))[:N_KEPT]

    def _rough(self, order: Order) -> NDArray[np.float64]:
        n_present, is_here = order.n_present, order.is_here
        place = np.arange(1, order.keys.shape[1] + 1, dtype=np.float64)
        codes = order.keys & np.int64((1 << self.n_bits) - 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            if self.n_classes == 2:
                ones = codes.astype(np.float64)
                if is_here is not None:
                    ones *= is_here
                n1 = ones.sum(axis=1)
                auc = (ones @ place - n1 * (n1 + 1) / 2) / ((n_present - n1) * n1)
                score = np.maximum(auc, 1 - auc)
            elif self.n_classes:
                is_change = codes[:, 1:] != codes[:, :-1]
                if is_here is not None:
                    is_change &= is_here[:, 1:]
                score = -(is_change.sum(axis=1) / np.maximum(n_present, 1))
                score += 2.0  # above the 0 of a column without values
            else:
                ranks = self.ranks[self.samples_of(order.tags())]
                if is_here is not None:
                    ranks *= is_here
                mean = ranks.sum(axis=1) / n_present
                middle = (n_present + 1) / 2
                together = ranks @ place - n_present * middle * mean
                spread = (ranks**2).sum(axis=1) - n_present * mean**2
                score = np.abs(together) / np.sqrt(spread * n_present * (n_present**2 - 1) / 12)
        return np.asarray(np.nan_to_num(score), dtype=np.float64)

    def _exact(
        self, name: str, values: NDArray[np.float64], codes: NDArray[np.intp] | None = None
    ) -> Separation | None:
        present = ~np.isnan(values)
        numbers = values[present]
        if not self.n_classes:
            ranks, own = _ranks(self.ranks[present]), _ranks(numbers)
            if len(own) < 3 or np.ptp(ranks) == 0 or np.ptp(own) == 0:
                return None
            score = abs(float(np.corrcoef(own, ranks)[0, 1]))
            # Scaled first, since squares of very large values leave the range of floats.
            scaled = numbers / np.abs(numbers).max()
            straight = abs(float(np.corrcoef(scaled, self.values[present])[0, 1]))
            is_code = straight > 1 - SAME_NUMBERS
            return Separation(name=name, score=score, counts=(len(own),), is_code=is_code)
        labels = (self.codes if codes is None else codes)[present]
        counts = np.bincount(labels, minlength=self.n_classes)
        if (counts == 0).any():
            return None
        told = tuple(int(count) for count in counts)
        if self.n_classes == 2:
            n_right = _ranks(numbers)[labels == 1].sum() - counts[1] * (counts[1] + 1) / 2
            share = float(n_right / (counts[0] * counts[1]))
            score = max(share, 1 - share)
            return Separation(
                name=name,
                score=score,
                counts=told,
                is_code=score == 1.0 and _n_values(numbers) == 2,
            )
        n = len(labels)
        order = np.lexsort((np.random.default_rng(0).permutation(n), numbers))
        n_runs = 1 + int((labels[order][1:] != labels[order][:-1]).sum())
        usual = 1 + (n**2 - (counts**2).sum()) / n
        score = 1 - (n_runs - self.n_classes) / max(usual - self.n_classes, 1)
        if n_runs == self.n_classes and not _apart(numbers[order], labels[order]):
            score = 0.99  # equal values in two classes
        is_code = score == 1.0 and _n_values(numbers) == self.n_classes
        return Separation(name=name, score=float(score), counts=told, is_code=is_code)


def _n_values(values: NDArray[np.float64]) -> int:
    return len(np.unique(values))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def _apart(values: NDArray[np.float64], labels: NDArray[np.intp]) -> bool:
    """Whether no two samples of different classes have the same value."""
    edges = np.flatnonzero(labels[1:] != labels[:-1])
    return bool((values[edges] != values[edges + 1]).all())
