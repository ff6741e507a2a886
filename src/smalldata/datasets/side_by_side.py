"""Typed features with their numbers side by side in one matrix, which all checks walk over.

Step in the line: **files** -> Dataset. Tables have 100,000 features: what is done to each of them
in Python takes longer than reading the file, so the checks take blocks of the matrix.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.runtime.workers import count_processes

Values = NDArray[np.float64] | pd.Categorical
Result = TypeVar("Result")

N_AT_ONCE = 1 << 16
"""Numbers of a block: they and what is made of them stay in the processor's cache."""


@dataclass(frozen=True, kw_only=True)
class Features:
    """The features of a table.

    Attributes
    ----------
    columns : mapping of str to ndarray of float64 or Categorical
        All of them, in their order.
    numeric : list of str
        Names of those of numbers.
    matrix : ndarray of shape (n_samples, n_numeric)
        Their values; each column is one piece of memory.
    """

    columns: Mapping[str, Values]
    numeric: list[str]
    matrix: NDArray[np.float64]

    @classmethod
    def of(cls, columns: Mapping[str, Values]) -> "Features":
        """Put typed columns side by side; those that share a matrix already are not copied."""
        numeric = [name for name, values in columns.items() if isinstance(values, np.ndarray)]
        numbers = [columns[name] for name in numeric]
        matrix = _shared_matrix(numbers)
        if matrix is None:
            n_rows = len(next(iter(columns.values()))) if columns else 0
            matrix = np.empty((n_rows, len(numeric)), order="F")
            for place, values in enumerate(numbers):
                matrix[:, place] = values
        return cls(columns=columns, numeric=numeric, matrix=matrix)

    @property
    def categorical(self) -> dict[str, pd.Categorical]:
        """The features of categories."""
        if len(self.numeric) == len(self.columns):
            return {}
        return {
            name: values
            for name, values in self.columns.items()
            if isinstance(values, pd.Categorical)
        }

    def table(self) -> pd.DataFrame:
        """Return them as a table; the numeric ones stay in the matrix."""
        frame = pd.DataFrame(self.matrix, columns=pd.Index(self.numeric, dtype="str"), copy=False)
        if not (categorical := self.categorical):
            return frame
        both = pd.concat([frame, pd.DataFrame(categorical)], axis=1)
        return both[list(self.columns)]


def parts_of(matrix: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Give the columns of a matrix in blocks that fit into the cache, each column as a row."""
    n_samples, n_columns = matrix.shape
    height = max(1, N_AT_ONCE // max(n_samples, 1))
    for start in range(0, n_columns, height):
        places = slice(start, min(start + height, n_columns))
        yield places, np.ascontiguousarray(matrix.T[places])


def in_threads(work: Callable[[int], Result], starts: Sequence[int]) -> list[Result]:
    """Do work that is nearly all numpy's, for each start, and give the results in order."""
    if len(starts) < 2:
        return list(map(work, starts))
    with ThreadPoolExecutor(min(len(starts), count_processes(None))) as pool:
        return list(pool.map(work, starts))


def is_finite(values: NDArray[np.float64]) -> bool:
    """Whether all values are plain numbers; a few that are too large together count as not."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()))  # several times as fast as looking at each


def _shared_matrix(columns: Sequence[Any]) -> NDArray[np.float64] | None:
    """Give the matrix that holds these columns side by side already, if nobody can change it."""
    from pyarrow import py_buffer

    base = columns[0].base if columns else None
    if base is None or base.flags.writeable or base.dtype != np.float64 or base.ndim != 2:
        return None
    matrix = base if base.flags.f_contiguous else base.T
    n_rows = matrix.shape[0]
    if not matrix.flags.f_contiguous or any(column.base is not base for column in columns):
        return None
    if {(column.shape, column.strides) for column in columns} != {((n_rows,), (8,))}:
        return None
    # As ctypes.data, in a fifth of the time.
    places = np.array([py_buffer(column).address for column in columns]) - matrix.ctypes.data
    first = int(places[0]) // (8 * n_rows)
    if not np.array_equal(places, 8 * n_rows * np.arange(first, first + len(columns))):
        return None
    return np.asarray(matrix[:, first : first + len(columns)])
