"""Puts cells below and above limits that the table does not state among the typed features.

Step in the line: **files** -> Dataset. They are infinities in `Dataset.X`; each fold learns a
number for them (`smalldata.pipeline.limits`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets.detection import FACTOR, Met
from smalldata.datasets.marks import Marks
from smalldata.datasets.side_by_side import Features, Values
from smalldata.task import BelowLimit, Dataset


@dataclass(frozen=True, kw_only=True)
class Censored:
    """Features with their cells below and above limits.

    Attributes
    ----------
    columns : mapping of str to ndarray of float64 or Categorical
        With -inf and inf where the limit is learned in each fold.
    below : BelowLimit or None
        None where nothing is left to learn.
    is_below : mapping of str to ndarray of bool
        Cells below a limit of the columns that have some.
    """

    columns: Mapping[str, Values]
    below: BelowLimit | None
    is_below: Mapping[str, NDArray[np.bool_]]

    @classmethod
    def of(cls, columns: Mapping[str, Values], marks: Marks) -> "Censored":
        """Put the cells into columns in which those without a stated limit are missing."""
        mets = {name: met for name, met in marks.met.items() if name in columns}
        is_below = {name: met.is_below for name, met in mets.items() if met.is_below is not None}
        unknown = {
            name: met
            for name, met in mets.items()
            if met.below_unknown is not None or met.above_unknown is not None
        }
        if not unknown:
            return cls(columns=columns, below=None, is_below=is_below)
        factor = FACTOR[str(marks.below_detection)]
        put, stated = dict(columns), {}
        for name, met in unknown.items():
            values = np.array(columns[name], dtype=np.float64)
            stated[name] = _set_apart(values, met) if factor < 1 else ()
            if met.below_unknown is not None:
                values[met.below_unknown] = -np.inf
            if met.above_unknown is not None:
                values[met.above_unknown] = np.inf
            put[name] = values
        below = BelowLimit(factor=factor, stated=tuple(stated.items()))
        return cls(columns=put, below=below, is_below=is_below)

    def shown(self) -> Mapping[str, Values]:
        """Return the columns with a number for each cell, for looking at them only."""
        if self.below is None:
            return self.columns
        shown = dict(self.columns)
        for name, _ in self.below.stated:
            values = np.asarray(shown[name])
            finite = values[np.isfinite(values)]
            if len(finite):
                low = self.below.factor * finite.min()
                shown[name] = np.where(
                    np.isneginf(values), low, np.where(np.isposinf(values), finite.max(), values)
                )
        return shown

    def into(self, dataset: Dataset) -> Dataset:
        """Put the columns into a dataset, and their shares of such values into its reading."""
        if self.is_below:
            reading = replace(
                dataset.reading,
                censored={name: float(rows.mean()) for name, rows in self.is_below.items()},
                censored_by_class=_by_class(dataset, list(self.is_below.values())),
            )
            dataset = replace(dataset, reading=reading)
        if self.below is None:
            return dataset
        return replace(dataset, X=Features.of(self.columns).table(), below=self.below)


def _set_apart(values: NDArray[np.float64], met: Met) -> tuple[float, ...]:
    """Give the values that stand for stated limits, each told from measured ones.

    Where a measured value is the same number, the stated one gets the next smaller float.
    """
    if met.is_below is None:
        return ()
    is_stated = met.is_below if met.below_unknown is None else met.is_below & ~met.below_unknown
    measured = values[~met.is_below]
    while (is_same := is_stated & (values != 0) & np.isin(values, measured)).any():
        values[is_same] = np.nextafter(values[is_same], -np.inf)
    return tuple(np.unique(values[is_stated]).tolist())


def _by_class(dataset: Dataset, censored: Sequence[NDArray[np.bool_]]) -> dict[str, float]:
    """Share of values below a limit by class, over the columns that have any."""
    if not dataset.kind.is_classification:
        return {}
    share = np.mean(censored, axis=0)
    labels = np.asarray(dataset.y).astype(str)
    return {str(name): float(share[labels == name].mean()) for name in np.unique(labels)}
