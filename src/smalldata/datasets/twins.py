"""Finds samples that copy each other under other ids: they must not be in two folds.

Step in the line: files -> **Dataset**. Two samples are twins if

- they hold the same value in every feature, three of which are as good as continuous, so that
  chance can't make it, or, in a table of few values (genotypes), no other two come near that; or
- most features are continuous and the two are so near that chance can't make it: of a sample with
  the distances d1 < d2 to its two nearest neighbours, d2 / d1 > x has the probability x^-k in any
  smooth cloud of dimension k (Facco, d'Errico, Rodriguez & Laio 2017, Scientific Reports 7: 12140),
  and k comes from the median ratio of this table. Spectra, which have few dimensions, are thus
  judged by their own measure.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.findings import Finding

N_CONTINUOUS = 3
"""Features with mostly different values that two equal samples must share."""

NEAR = 5.0
"""The next neighbour of near twins is this many times as far: replicates of one person are not."""

EXPECTED = 0.01
"""Near twins are told where chance gives fewer in such a table."""

N_MOST = 5000
"""Samples beyond which the distances are not looked at: that is no small table."""

MAX_COLUMNS = 5000
"""Columns that near twins are sought in, and that are looked at together."""

N_LEAST = 10
"""Samples below which the dimension can't be told from the distances."""

ALIKE = 0.9
"""In a table of few values, equal samples are told where no others agree in this share of them."""

N_FEW = 20
"""With fewer features than this, equal samples of few values may be chance."""

N_COMPARED = 2_000_000_000
"""Values that are compared for it; with more of them such tables are not judged."""

N_NAMED = 5


def find_twins(
    features: pd.DataFrame,
    y: NDArray[Any],
    sample_ids: NDArray[Any],
    *,
    groups: NDArray[Any] | None,
    is_regression: bool,
) -> list[Finding]:
    """Tell of samples that copy each other.

    Parameters
    ----------
    features : DataFrame of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    sample_ids : ndarray of shape (n_samples,)
    groups : ndarray of shape (n_samples,), optional
        Samples of one group are known to belong together.
    is_regression : bool
        The target has values, no labels.

    Returns
    -------
    list of Finding
    """
    if not 2 <= len(features) <= N_MOST:
        return []
    same = _equal_pairs(features)
    near = [pair for pair in _near_pairs(features, groups) if pair not in same]
    if groups is not None:
        same = [(i, j) for i, j in same if groups[i] != groups[j]]
    pairs = same + near
    if not pairs:
        return []
    many = len(pairs) > 1
    counts = {"exactly": len(same), "nearly": len(near)}
    how = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    n_apart = 0 if is_regression else sum(y[i] != y[j] for i, j in pairs)
    named = ", ".join(_named(i, j, y, sample_ids) for i, j in pairs[:N_NAMED])
    named += f" and {len(pairs) - N_NAMED} more" if len(pairs) > N_NAMED else ""
    named += f"; {n_apart} of them with different labels" if n_apart else ""
    return [
        Finding(
            code="SD007",
            what=f"{len(pairs)} pair{'s' * many} of samples copy each other "
            f"under other ids ({how})",
            evidence=named,
            remedy="take one of each out of the file, or name a column of who they are with "
            "dataset.groups, so that they are not in two folds",
        )
    ]


def _named(i: int, j: int, y: NDArray[Any], sample_ids: NDArray[Any]) -> str:
    first, second = (f"{y[row]:g}" if isinstance(y[row], float) else str(y[row]) for row in (i, j))
    labels = f"both {first}" if first == second else f"{first} and {second}"
    return f"{str(sample_ids[i])!r} and {str(sample_ids[j])!r} ({labels})"


def _equal_pairs(features: pd.DataFrame) -> list[tuple[int, int]]:
    """Pairs of samples that agree in every feature; of several equal ones, each with the first."""
    values = features.select_dtypes("number").to_numpy(dtype=np.float64)
    sums = _sums(values)
    if len(np.unique(sums)) == len(sums):
        return []
    first: dict[Any, int] = {}
    candidates = []
    for row, total in enumerate(sums.tolist()):
        if total in first:
            candidates.append((first[total], row))
        else:
            first[total] = row
    values = _some(values)
    if _is_continuous(values).sum() < N_CONTINUOUS and not _stand_out(values, candidates):
        return []
    return [(i, j) for i, j in candidates if features.iloc[i].equals(features.iloc[j])]


def _sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted sums of the rows: equal rows have equal ones, and hardly any others do."""
    weights = np.asarray(np.random.default_rng(0).normal(size=values.shape[1]))
    sums = np.zeros(len(values))
    for start in range(0, values.shape[1], MAX_COLUMNS):
        part = np.nan_to_num(values[:, start : start + MAX_COLUMNS], nan=0.5, posinf=1, neginf=-1)
        with np.errstate(over="ignore", invalid="ignore"):
            sums += (part * weights[start : start + MAX_COLUMNS]).sum(axis=1)
    return sums


def _some(values: NDArray[Any]) -> NDArray[Any]:
    """Every so many columns of a table that has very many."""
    return values[:, :: max(1, -(-values.shape[1] // MAX_COLUMNS))]


def _is_continuous(values: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Tell the columns in which more than half of the samples have a value of their own."""
    ordered = np.sort(values, axis=0)
    n_distinct = (np.diff(ordered, axis=0) > 0).sum(axis=0) + 1
    found: NDArray[np.bool_] = n_distinct > len(values) / 2
    return found


def _stand_out(values: NDArray[np.float64], pairs: list[tuple[int, int]]) -> bool:
    """Whether only these pairs of samples agree in nearly every value."""
    n_samples, n_features = values.shape
    if n_features < N_FEW or n_samples**2 * n_features > N_COMPARED:
        return False
    others = np.setdiff1d(np.arange(n_samples), [j for _, j in pairs])
    for place, row in enumerate(others[1:], start=1):
        if (values[others[:place]] == values[row]).mean(axis=1).max() >= ALIKE:
            return False
    return True


def _near_pairs(features: pd.DataFrame, groups: NDArray[Any] | None) -> list[tuple[int, int]]:
    """Pairs of samples that are each other's nearest, and nearer than chance allows."""
    values = _scaled(features)
    n_samples = len(values)
    if n_samples < N_LEAST or values.shape[1] < N_CONTINUOUS:
        return []
    squares = np.einsum("ij,ij->i", values, values)
    distances = squares[:, None] + squares[None, :] - 2 * (values @ values.T)
    np.fill_diagonal(distances, np.inf)
    if groups is not None:
        distances[groups[:, None] == groups[None, :]] = np.inf
    nearest = np.argmin(distances, axis=1)
    two = np.partition(distances, 1, axis=1)[:, :2].astype(np.float64)
    with np.errstate(invalid="ignore"):
        usable = np.isfinite(two).all(axis=1) & (two[:, 1] > 0)
    if usable.sum() < N_LEAST:
        return []
    # Again and exactly, since a difference of large sums has no small digits.
    rows = np.arange(n_samples)
    exact = ((values - values[nearest]).astype(np.float64) ** 2).sum(axis=1)
    floor = 1e-12 * np.median(two[usable, 1])
    ratios = np.sqrt(np.maximum(two[:, 1], floor) / np.maximum(exact, floor))
    dimension = np.log(2) / max(float(np.median(np.log(np.maximum(ratios[usable], 1.0)))), 1e-9)
    is_near = usable & (ratios >= NEAR)
    is_near &= n_samples * np.maximum(ratios, 1.0) ** -dimension < EXPECTED
    is_near &= nearest[nearest] == rows
    return [(int(i), int(nearest[i])) for i in rows[is_near] if i < nearest[i]]


def _scaled(features: pd.DataFrame) -> NDArray[np.float32]:
    """Numeric features in robust units of spread, limited to 5; missing values are the median."""
    values = _some(features.select_dtypes("number").to_numpy()).astype(np.float32)
    values[~np.isfinite(values)] = np.nan
    half_missing = np.isnan(values).mean(axis=0) > 0.5
    values = values[:, ~half_missing]
    if values.shape[1] == 0:
        return values
    low, middle, high = np.nanquantile(values, [0.25, 0.5, 0.75], axis=0)
    spread = (high - low) / 1.35
    kept = spread > 0
    if _is_continuous(values[:, kept]).sum() <= kept.sum() / 2:
        return values[:, :0]
    values = (values[:, kept] - middle[kept].astype(np.float32)) / spread[kept].astype(np.float32)
    np.nan_to_num(values, copy=False, nan=0.0)
    scaled: NDArray[np.float32] = np.clip(values, -5, 5)
    return scaled
