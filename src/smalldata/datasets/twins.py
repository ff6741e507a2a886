"""Finds samples that copy each other under other ids: they must not be in two folds.

Step in the line: files -> **Dataset**. Samples are twins if

- they hold the same value in every feature, three of which hardly repeat a value, so that chance
  can't make it; or
- up to ten of them lie so close that chance can't make it. Of a sample with the distances
  d1 < d2 < … to its neighbours, d2 / d1 > x has the probability x^-k in any smooth cloud of
  dimension k (Facco, d'Errico, Rodriguez & Laio 2017, Scientific Reports 7: 12140), and a gap
  after a later neighbour is less likely still. The k comes from the median ratio of this table,
  so that spectra, which have few dimensions, are judged by their own measure, and so are tables
  in which everyone was measured twice. A table of few values (genotypes) is no smooth cloud:
  there all others must lie far apart.

Cells that one of two samples lacks don't count, and rows are also compared without a factor and
without a shift of their own: a dilution, in logarithms too.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.findings import Finding

Floats = NDArray[np.float64]

N_CONTINUOUS = 3
"""Features that hardly repeat a value which two equal samples must share."""

NEAR = 4.0
"""The next neighbour of twins is this many times as far, and so are neighbours usually: a second
visit of a person is as near only if the visits have less than 1 / 16 of the variance."""

EXPECTED = 0.01
"""Near twins are told where chance gives fewer in such a table, in all views together."""

APART = 0.5
"""In a table of few values, all others are at least this share of the usual distance apart."""

SHARED = 0.25
"""Share of the features that two samples must both have."""

COMMON = 0.25
"""A value that this share of the other samples, or of the cells of a sample, has is no evidence:
samples that failed are alike in their zeros."""

OWN = 0.5
"""Twins have this share of the evidence that samples of this table usually have."""

N_COPIES = 10
"""Samples that are known as copies of one; not more than a quarter of all samples."""

N_LEAST = 10
"""Samples below which the dimension can't be told from the distances."""

N_MOST = 5000
"""Samples beyond which no twins are sought: that is no small table."""

N_MEASURED = 2000
"""Samples beyond which only equal ones are sought."""

N_VALUES = 120_000
"""Values that are looked at, from columns all over the table."""

N_VIEWS = 3
"""Rows as they are, without a factor and without a shift."""

N_STEPS = 8
"""Quantiles between which a feature is taken as linear."""

N_NAMED = 5

EQUAL, GAPS = "exactly", "exactly where both have values"


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
    if not 2 <= len(features) <= N_MOST or features.shape[1] < N_CONTINUOUS:
        return []
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        pairs = _pairs(features, groups)
    if not pairs:
        return []
    many = len(pairs) > 1
    kinds = list(pairs.values())
    how = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(sorted(kinds)))
    n_apart = 0 if is_regression else sum(y[i] != y[j] for i, j in pairs)
    named = ", ".join(_named(i, j, y, sample_ids) for i, j in list(pairs)[:N_NAMED])
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


def _pairs(features: pd.DataFrame, groups: NDArray[Any] | None) -> dict[tuple[int, int], str]:
    """Pairs of samples and how they copy each other; of several copies, each with the first."""
    values = _values(features)
    equal = _equal_pairs(features, values)
    rows = np.setdiff1d(np.arange(len(values)), [j for _, j in equal])
    agree, own = _ties(values[rows])
    sure = agree * len(rows) < 1 and 2 * len(rows) >= len(values)
    pairs = dict.fromkeys(equal, EQUAL) if sure else {}
    if not sure:
        rows = np.arange(len(values))
        agree, own = _ties(values)
    known = None if groups is None else groups[rows]
    least = 0.5 * agree**2
    for kind, view in _views(values[rows]):
        for i, *copies in _clusters(_places(view), own, known, least=least, sure=sure):
            for j in copies:
                pair = (int(rows[i]), int(rows[j]))
                pairs.setdefault(pair, _kind(features, *pair) or kind)
    if groups is not None:
        pairs = {(i, j): kind for (i, j), kind in pairs.items() if groups[i] != groups[j]}
    return pairs


def _values(features: pd.DataFrame) -> Floats:
    """Every so many columns as numbers; categories by their place."""
    n_columns = max(N_STEPS, N_VALUES // len(features))
    some = features.iloc[:, :: max(1, -(-features.shape[1] // n_columns))]
    values = np.empty(some.shape)
    for place, (_, column) in enumerate(some.items()):
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes = column.cat.codes.to_numpy()
            values[:, place] = np.where(codes >= 0, codes, np.nan)
        else:
            values[:, place] = column
    values[~np.isfinite(values)] = np.nan
    return values


def _equal_pairs(features: pd.DataFrame, values: Floats) -> list[tuple[int, int]]:
    """Pairs of samples that agree in every feature, each with the first of several."""
    first: dict[bytes, int] = {}
    # Samples without a value, or of one species only, are equal by chance.
    n_distinct = (np.diff(np.sort(values, axis=1), axis=1) > 0).sum(axis=1) + 1
    enough = np.flatnonzero(n_distinct >= N_CONTINUOUS).tolist()
    # Adding zero makes -0 a 0.
    likely = [(first.setdefault((values[j] + 0.0).tobytes(), j), j) for j in enough]
    return [(i, j) for i, j in likely if i < j and _kind(features, i, j) == EQUAL]


def _kind(features: pd.DataFrame, i: int, j: int) -> str:
    """How two samples agree in all features: exactly, but for gaps, or not."""
    first, second = features.iloc[i], features.iloc[j]
    if first.equals(second):
        return EQUAL
    both = (first.notna() & second.notna()).to_numpy()
    return GAPS if first[both].equals(second[both]) else ""


def _ties(values: Floats) -> tuple[float, Floats]:
    """Find where samples agree by chance.

    Returns
    -------
    agree : float
        Chance that two samples have the same value, in the third best feature.
    own : ndarray of shape (n_samples,)
        Share of the cells of a sample whose value few other samples and few of its other cells
        have.
    """
    there = ~np.isnan(values)
    n_others = np.maximum(there.sum(axis=0) - 1, 1)
    shared = _repeats(values.T).T / n_others
    agree = np.sort((shared * there).sum(axis=0) / (n_others + 1))[N_CONTINUOUS - 1]
    n_cells = np.maximum(there.sum(axis=1), 1)
    repeated = _repeats(values) / n_cells[:, None]
    own = (there & (shared < COMMON) & (repeated < COMMON)).sum(axis=1) / n_cells
    return float(agree), own


def _repeats(lines: Floats) -> Floats:
    """How many other cells of its line have the value of a cell."""
    n_lines, length = lines.shape
    order = np.argsort(lines, axis=1)
    ordered = np.take_along_axis(lines, order, axis=1)
    starts = np.ones(lines.shape, dtype=bool)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    sizes = np.diff(np.append(np.flatnonzero(starts), lines.size))
    repeats = np.empty(lines.shape)
    np.put_along_axis(
        repeats, order, np.repeat(sizes - 1.0, sizes).reshape(n_lines, length), axis=1
    )
    return repeats


def _views(values: Floats) -> Iterator[tuple[str, Floats]]:
    """Yield the rows as they are, and without a factor and without a shift of their own."""
    yield "nearly", values
    values = values[:, np.fmax.reduce(values, axis=0) > np.fmin.reduce(values, axis=0)]
    if not values.size:
        return
    factors = _mean(np.abs(values) / _mean(np.abs(values), axis=0), axis=1)
    yield "but for a factor or shift", values / np.where(factors > 0, factors, 1)
    centred = values - _mean(values, axis=0)
    spread = _mean(np.abs(centred), axis=0)
    shifts = _mean(centred / spread, axis=1) / np.mean(1 / spread)
    yield "but for a factor or shift", values - shifts


def _mean(values: Floats, axis: int) -> Floats:
    counts = np.maximum((~np.isnan(values)).sum(axis=axis, keepdims=True), 1)
    means: Floats = np.nansum(values, axis=axis, keepdims=True) / counts
    return means


def _places(values: Floats) -> Floats:
    """Place of a value in its feature, from 0 to 1: linear between some quantiles."""
    ordered = np.sort(values.T, axis=1)
    last = np.maximum((~np.isnan(ordered)).sum(axis=1) - 1, 0)
    at = np.rint(last[:, None] * np.linspace(0, 1, N_STEPS + 1)).astype(int)
    knots = np.take_along_axis(ordered, at, axis=1).T
    places = np.zeros(values.shape)
    for low, high in itertools.pairwise(knots):
        width = high - low
        part = np.clip((values - low) / np.where(width > 0, width, 1), 0, 1)
        tied = (values > low) + 0.5 * (values == low)
        places += np.where((width > 0) | np.isnan(values), part, tied)
    return places / N_STEPS


def _distances(places: Floats) -> Floats:
    """Mean squared differences over the features that two samples have."""
    there = (~np.isnan(places)).astype(np.float64)
    centred = np.nan_to_num(places - 0.5)
    shared = there @ there.T
    sums = (centred**2) @ there.T
    sums = sums + sums.T - 2 * (centred @ centred.T)
    shared[shared < max(N_CONTINUOUS, SHARED * places.shape[1])] = np.nan
    squares: Floats = np.nan_to_num(np.maximum(sums / shared, 0), nan=np.inf)
    return squares


def _clusters(
    places: Floats, own: Floats, groups: NDArray[Any] | None, *, least: float, sure: bool
) -> list[list[int]]:
    """List samples that are nearer to each other than chance allows, and far from all others."""
    n_samples, n_features = places.shape
    if not N_LEAST <= n_samples <= N_MEASURED:
        return []
    squares = _distances(places)
    if groups is not None:
        squares[groups[:, None] == groups[None, :]] = np.inf
    np.fill_diagonal(squares, np.inf)
    # A difference of large sums has no small digits, and values of few steps no small distances.
    least = max(least / n_features, 1e-14)
    n_near = min(N_COPIES, n_samples // 4) + 1
    nearest = np.argpartition(squares, n_near, axis=1)[:, :n_near]
    near = np.take_along_axis(squares, nearest, axis=1)
    order = np.argsort(near, axis=1)
    nearest = np.take_along_axis(nearest, order, axis=1)
    near = np.sqrt(np.maximum(np.take_along_axis(near, order, axis=1), least))
    judged = np.isfinite(near[:, 1]) & (near[:, 0] > 1.001 * np.sqrt(least))
    if judged.sum() < N_LEAST:
        return []
    known = np.isfinite(near)
    ratios = np.where(known[:, 1:], near[:, 1:] / np.where(known, near, 1)[:, :-1], 1)
    # One standard error below, since few samples tell the dimension only roughly.
    error = 1 / (np.log(2) * np.sqrt(judged.sum()))
    dimension = np.log(2) / (1 + error) / max(float(np.median(np.log(ratios[judged, 0]))), 1e-9)
    usual = np.median(near[np.isfinite(near[:, 0]), 0])
    is_gap = (ratios >= NEAR) & (near[:, :-1] * NEAR <= usual)
    is_gap &= (own >= OWN * np.median(own))[:, None]
    if sure:
        is_gap &= N_VIEWS * n_samples * ratios**-dimension < EXPECTED
    sizes = np.where(is_gap.any(axis=1), is_gap.argmax(axis=1) + 1, 0)
    members = [frozenset([i, *nearest[i, : sizes[i]].tolist()]) for i in range(n_samples)]
    found = {cluster for cluster in members if len(cluster) > 1}
    found = {cluster for cluster in found if all(members[i] == cluster for i in cluster)}
    clusters = sorted(sorted(cluster) for cluster in found)
    rest = np.setdiff1d(np.arange(n_samples), [i for cluster in clusters for i in cluster])
    if not sure and near[rest, 0].min() < APART * np.sqrt(np.median(squares[np.isfinite(squares)])):
        return []
    return clusters
