"""Shapley values sample by sample, and the orders in which a heat map lists the samples.

Step in the line: Explanation + Task -> **SampleValues** -> figures. Where a sample was explained in
several repeats, the figures show its mean.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.pipeline.limits import shown_column
from smalldata.report.plain import round_significant
from smalldata.results.explanation import Explanation
from smalldata.task import Task

N_BEESWARM = 20
"""Features of the importance bars and of the beeswarm."""

N_PLOTTED = 200
"""Most features kept sample by sample where not all can be."""

MAX_CELLS = 60_000
"""Most Shapley values in one report; above it features are cut, never samples."""

MAX_RECTANGLES = 14_000
"""Most rectangles of the heat map; above it features are cut, never samples."""

MAX_CLUSTERED = 1_500
"""Most samples that are put in the order of a tree; its distances grow with their square."""


Values = list[float | None]
"""One number per sample; None where a sample was not explained, or its value is missing."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """The values of one feature and its colour range.

    Attributes
    ----------
    x : list of float or None
        Per sample; of a category the position in ``levels``.
    levels : list of str or None
    low, high : float or None
        5th and 95th percentile.
    """

    x: Values
    levels: list[str] | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Heat:
    """Where the samples of the heat map stand, and the bounds of its colours.

    Attributes
    ----------
    places : list of lists of lists
        Orders x outputs x samples, None where a sample was not explained: first by prediction,
        then, unless there are too many samples, by similarity of the leading values.
    limits : list of float or None
        Per output the 98th percentile of |phi| of the leading features.
    n_features : int
        Rows of the map.
    """

    places: list[list[list[int | None]]]
    limits: Values
    n_features: int


@dataclass(frozen=True, kw_only=True)
class SampleValues:
    """Shapley values sample by sample, mean over repeats.

    Attributes
    ----------
    kept : list of str
        Features drawn sample by sample, in order of importance.
    kept_index : list of int
        Their columns in the table.
    n_rest : int
        Features that are not kept.
    phi : list of lists of Values
        Per output and kept feature.
    rest : list of Values
        Per output, the sum of the features not kept.
    base, final : list of Values
        Per output, the mean prediction and the sample's own.
    order : list of lists of int
        Per output, positions in ``kept`` of the leading features.
    columns : list of Column
        Of the kept features.
    explained : list of int
        Rows of the samples that were explained.
    heat : Heat
    """

    kept: list[str]
    kept_index: list[int]
    n_rest: int
    phi: list[list[Values]]
    rest: list[Values]
    base: list[Values]
    final: list[Values]
    order: list[list[int]]
    columns: list[Column]
    explained: list[int]
    heat: Heat


def choose_kept(
    ranking: NDArray[np.int64], per_output: NDArray[np.float64], n_samples: int
) -> NDArray[np.int64]:
    """Choose the features drawn sample by sample: all that are used and fit, else the leading."""
    n_outputs = per_output.shape[1]
    n_used = max(int((per_output.max(axis=1) > 0).sum()), min(N_BEESWARM, len(ranking)))
    if n_used * n_samples * n_outputs <= MAX_CELLS:
        return ranking[:n_used]
    budget = max(N_BEESWARM, min(N_PLOTTED, MAX_CELLS // (n_samples * n_outputs)))
    leading = set(ranking[:budget].tolist())
    for output in range(n_outputs):
        leading |= set(np.argsort(-per_output[:, output], kind="stable")[:N_BEESWARM].tolist())
    return np.array([j for j in ranking if int(j) in leading], dtype=np.int64)


def list_samples(
    task: Task,
    explanation: Explanation,
    kept: NDArray[np.int64],
    per_output: NDArray[np.float64],
) -> SampleValues:
    """Values sample by sample, mean over repeats; None where a row was not explained."""
    n_samples, n_outputs = task.n_samples, per_output.shape[1]
    count = np.bincount(explanation.row, minlength=n_samples).astype(np.float64)
    explained = count > 0
    sums = np.zeros((n_samples, len(kept), n_outputs))
    np.add.at(sums, explanation.row, explanation.values[:, kept].astype(np.float64))
    total = np.zeros((n_samples, n_outputs))
    np.add.at(total, explanation.row, explanation.values.sum(axis=1, dtype=np.float64))
    base = np.zeros((n_samples, n_outputs))
    np.add.at(base, explanation.row, explanation.base_values)
    weight = np.where(explained, count, 1.0)
    phi = sums / weight[:, None, None]
    rest = total / weight[:, None] - phi.sum(axis=1)
    base /= weight[:, None]

    def listed(values: NDArray[np.float64]) -> Values:
        return [
            round_significant(value) if known else None
            for value, known in zip(values.tolist(), explained.tolist(), strict=True)
        ]

    order = [
        np.argsort(-per_output[kept, output], kind="stable")[:N_BEESWARM]
        for output in range(n_outputs)
    ]
    final = base + total / weight[:, None]
    return SampleValues(
        kept=[str(explanation.feature_names[j]) for j in kept],
        kept_index=[int(j) for j in kept],
        n_rest=per_output.shape[0] - len(kept),
        phi=[[listed(phi[:, f, o]) for f in range(len(kept))] for o in range(n_outputs)],
        rest=[listed(rest[:, o]) for o in range(n_outputs)],
        base=[listed(base[:, o]) for o in range(n_outputs)],
        final=[listed(final[:, o]) for o in range(n_outputs)],
        order=[places.tolist() for places in order],
        columns=[_column(task, int(j)) for j in kept],
        explained=[int(row) for row in np.flatnonzero(explained)],
        heat=_heat(phi, final, np.flatnonzero(explained), order),
    )


def _heat(
    phi: NDArray[np.float64],
    final: NDArray[np.float64],
    rows: NDArray[np.int64],
    order: list[NDArray[np.int64]],
) -> Heat:
    """Place every sample in the orders a heat map offers, and bound its colours."""
    n_samples, n_outputs = final.shape
    n_shown = max(1, min(N_BEESWARM, MAX_RECTANGLES // max(len(rows), 1)))
    orders = [[rows[np.argsort(final[rows, o], kind="stable")] for o in range(n_outputs)]]
    if 2 < len(rows) <= MAX_CLUSTERED:
        leading = [phi[np.ix_(rows, order[o])][:, :, o] for o in range(n_outputs)]
        orders.append([rows[_similar(values, final[rows, o])] for o, values in enumerate(leading)])
    places = []
    for listed in orders:
        of_output = []
        for samples in listed:
            place: list[int | None] = [None] * n_samples
            for position, row in enumerate(samples.tolist()):
                place[row] = position
            of_output.append(place)
        places.append(of_output)
    limits = [
        float(np.quantile(np.abs(phi[np.ix_(rows, order[o][:n_shown])][:, :, o]), 0.98)) or 1.0
        for o in range(n_outputs)
    ]
    return Heat(
        places=places,
        limits=[round_significant(limit) for limit in limits],
        n_features=n_shown,
    )


def _similar(values: NDArray[np.float64], final: NDArray[np.float64]) -> NDArray[np.int64]:
    """Order rows by a tree (Ward) of their values, the end of lower predictions first."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    order = leaves_list(linkage(values, method="ward"))
    half = len(order) // 2
    if final[order[:half]].mean() > final[order[half:]].mean():
        order = order[::-1]
    return np.asarray(order, dtype=np.int64)


def _column(task: Task, j: int) -> Column:
    """Read the values of one feature, and their colour range."""
    column = shown_column(task, j)
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        return Column(
            x=[int(code) if code >= 0 else None for code in codes],
            levels=[str(level) for level in column.cat.categories],
            low=0,
            high=max(1, len(column.cat.categories) - 1),
        )
    values = column.to_numpy(dtype=np.float64)
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, [0.05, 0.95]) if len(known) else (0.0, 1.0)
    if low == high:
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    return Column(
        x=[round_significant(value) for value in values.tolist()],
        levels=None,
        low=round_significant(float(low)),
        high=round_significant(float(high if high > low else low + 1.0)),
    )
