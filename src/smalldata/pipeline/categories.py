"""How one categorical feature becomes columns; its levels come only from the training rows.

Used by `preprocess`. A level not seen in training counts as missing.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.learner import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Category:
    """One categorical feature: its levels in the training rows, and how they become columns."""

    feature: int
    levels: tuple[str, ...]
    single: bool  # two levels, none missing: one column is enough
    shares: Array  # of the levels among all training rows

    @classmethod
    def learn(cls, column: "pd.Series[Any]", feature: int) -> Self:
        """Learn the levels and their shares from the training rows."""
        seen = column.dropna()
        # Sorted, unless the user gave an order; the order of appearance depends on held-out rows.
        present = {str(value) for value in seen.unique()}
        order = list(column.cat.categories) if column.cat.ordered else sorted(present)
        levels = tuple(str(level) for level in order if str(level) in present)
        counts = seen.astype(str).value_counts()
        shares = np.array([counts[level] for level in levels], dtype=np.float64) / max(
            len(column), 1
        )
        single = len(levels) == 2 and len(seen) == len(column)
        return cls(feature=feature, levels=levels, single=single, shares=shares)

    def codes(self, column: "pd.Series[Any]") -> NDArray[np.int64]:
        """Return the index of each value's level; -1 if missing or not seen in training."""
        known = pd.Index(self.levels, dtype=object)
        labels = pd.Index([str(level) for level in column.cat.categories], dtype=object)
        to_level = known.get_indexer(labels)
        codes = column.cat.codes.to_numpy()
        return np.where(codes < 0, -1, to_level[codes] if len(to_level) else -1).astype(np.int64)

    def onehot(self, column: "pd.Series[Any]") -> Array:
        """Return one column per level; missing is all zeros (in a single column: the share)."""
        codes = self.codes(column)
        if self.single:
            column_values = np.where(codes < 0, self.shares[1], (codes == 1).astype(np.float64))
            return np.asarray(column_values[:, None])
        return np.asarray(codes[:, None] == np.arange(max(len(self.levels), 1)), dtype=np.float64)

    def integer(self, column: "pd.Series[Any]", *, impute: bool) -> Array:
        """Return one column of codes; missing is NaN or, if imputed, -1."""
        codes = self.codes(column).astype(np.float64)
        if not impute:
            codes[codes < 0] = np.nan
        return codes[:, None]

    def names(self, feature: str, categories: str) -> list[str]:
        """Return the names of the feature's columns."""
        if categories == "integer":
            return [feature]
        if self.single:
            return [f"{feature}={self.levels[1]}"]
        return [f"{feature}={level}" for level in self.levels] or [feature]
