"""Out-of-fold predictions of one cell in plain numbers: curves, confusion, every sample.

Step in the line: RunRecord + Task -> **Outcomes** -> figures. The curve of a repeat is the mean
of its folds' curves, never one of their pooled predictions: scores of different models have no
common order, and the area under the mean is the mean of the areas in the table. Only where no fold
holds both classes (leave-one-out) are the probabilities pooled. Calibration pools, as it must.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.measures.curves import (
    calibration_points,
    precision_recall_points,
    quantile_bins,
    roc_points,
    share_band,
)
from smalldata.results.folds import Array, FoldResult
from smalldata.results.record import RunRecord
from smalldata.statistics.significance import draw_weights
from smalldata.task import Task, TaskKind

GRID = np.linspace(0.0, 1.0, 101)
"""Where curves of folds and repeats are averaged."""

N_DRAWS = 1000
"""Draws of the samples behind the band of the calibration curve."""


@dataclass(frozen=True, kw_only=True)
class RepeatCurve:
    """The curve of one repeat, at the points of `GRID`."""

    repeat: int
    y: list[float]


@dataclass(frozen=True, kw_only=True)
class Curves:
    """A curve of one class against the rest.

    Attributes
    ----------
    repeats : list of RepeatCurve
    mean : list of dict
        Points: ``x``, mean ``y`` over the repeats, and their range ``low`` and ``high``; empty
        where no fold has a curve.
    prevalence : float or None
        Of a precision-recall curve: share of the class.
    """

    repeats: list[RepeatCurve]
    mean: list[dict[str, float]]
    prevalence: float | None = None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Observed share of a class against its predicted probability, in quantile bins.

    Attributes
    ----------
    pooled, lines : list of dict
        Points ``predicted``, ``observed``, ``n``: of all repeats together, and of each ``repeat``
        by itself. Those of all repeats may have the bounds ``low`` and ``high`` of a 95 % band.
    """

    pooled: list[dict[str, float]]
    lines: list[dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Rows observed, columns predicted: samples per repeat, and the share of the row."""

    counts: list[list[float]]
    shares: list[list[float]]


@dataclass(frozen=True, kw_only=True)
class ClassSample:
    """What was predicted for one held-out sample, over the repeats.

    Attributes
    ----------
    row : int
    id : str
    observed, predicted : int
        Codes of classes.
    probabilities : list of float
        Mean per class; of a model without probabilities the share of the repeats.
    n_wrong, n_seen : int
        Repeats that called it wrong; that held it out.
    """

    row: int
    id: str
    observed: int
    predicted: int
    probabilities: list[float]
    n_wrong: int
    n_seen: int


@dataclass(frozen=True, kw_only=True)
class ValueSample:
    """Observed value of one held-out sample, mean and spread of its predictions."""

    row: int
    id: str
    observed: float
    predicted: float
    sd: float


@dataclass(frozen=True, kw_only=True)
class ClassOutcomes:
    """What a classifier predicted for the held-out samples.

    Attributes
    ----------
    outputs : list of str
        Classes the curves speak for.
    confusion : Confusion
    samples : list of ClassSample
    roc, precision_recall : list of Curves
        Per output; empty where some sample was given neither a margin nor a probability.
    calibration : list of Calibration
        Per output; empty where some sample was given no probabilities.
    """

    n_repeats: int
    outputs: list[str]
    confusion: Confusion
    samples: list[ClassSample]
    roc: list[Curves]
    precision_recall: list[Curves]
    calibration: list[Calibration]


@dataclass(frozen=True, kw_only=True)
class ValueOutcomes:
    """What a regression predicted for the held-out samples."""

    samples: list[ValueSample]


Outcomes = ClassOutcomes | ValueOutcomes


@dataclass(frozen=True, kw_only=True, eq=False)
class Repeat:
    """Held-out predictions of the folds of one repeat, joined; ``fold`` keeps them apart."""

    repeat: int
    fold: NDArray[np.int64]
    row: NDArray[np.int64]
    y: NDArray[Any]
    probabilities: Array | None
    margin: Array | None
    label: NDArray[np.int64] | None
    value: Array | None


def pool_repeats(folds: Sequence[FoldResult]) -> list[Repeat]:
    """Join the held-out predictions of each repeat, in the order of the repeats."""
    repeats = []
    for number in sorted({fold.repeat for fold in folds}):
        parts = [
            fold.prediction
            for fold in folds
            if fold.repeat == number and fold.status == "ok" and fold.prediction is not None
        ]
        if not parts:
            continue

        def joined(name: str, parts: list[Any] = parts) -> Any:
            columns = [getattr(part, name) for part in parts]
            return None if any(column is None for column in columns) else np.concatenate(columns)

        repeats.append(
            Repeat(
                repeat=number,
                fold=np.repeat(np.arange(len(parts)), [len(part.y) for part in parts]),
                row=joined("row"),
                y=joined("y"),
                probabilities=joined("probabilities"),
                margin=joined("margin"),
                label=joined("label"),
                value=joined("value"),
            )
        )
    return repeats


def summarize_outcomes(task: Task, record: RunRecord) -> Outcomes | None:
    """Describe the held-out predictions of a model; None if no fold holds any."""
    repeats = pool_repeats(record.folds)
    if not repeats:
        return None
    if task.kind is TaskKind.REGRESSION:
        return ValueOutcomes(samples=_value_samples(task, repeats))
    outputs = curve_outputs(task)
    ranked = outputs if can_rank(repeats) else []
    sure = outputs if has_probabilities(repeats) else []
    return ClassOutcomes(
        n_repeats=len(repeats),
        outputs=[task.classes[code] for code in outputs],
        confusion=_confusion(task, repeats),
        samples=_class_samples(
            task, repeats, by_label=any(fold.threshold is not None for fold in record.folds)
        ),
        roc=[roc_curves(repeats, code) for code in ranked],
        precision_recall=[precision_recall_curves(repeats, code) for code in ranked],
        calibration=[calibration(repeats, code, units=_units(task)) for code in sure],
    )


def has_probabilities(repeats: Sequence[Repeat]) -> bool:
    """Whether every held-out sample was given probabilities."""
    return bool(repeats) and all(repeat.probabilities is not None for repeat in repeats)


def can_rank(repeats: Sequence[Repeat]) -> bool:
    """Whether every held-out sample was given a margin or a probability."""
    return bool(repeats) and all(
        repeat.margin is not None or repeat.probabilities is not None for repeat in repeats
    )


def curve_outputs(task: Task) -> list[int]:
    """Class codes the curves speak for: the positive class, or each class against the rest."""
    return [1] if task.kind is TaskKind.BINARY else list(range(len(task.classes)))


# ---------------------------------------------------------------- curves


def roc_curves(repeats: Sequence[Repeat], code: int) -> Curves:
    """ROC curve of a class against the rest, per repeat, with mean and range over the repeats."""
    return _averaged(repeats, code, lambda truth, score: _roc_on_grid(*roc_points(truth, score)))


def precision_recall_curves(repeats: Sequence[Repeat], code: int) -> Curves:
    """Precision against recall of a class, per repeat, with mean and range; the prevalence."""
    curves = _averaged(
        repeats,
        code,
        lambda truth, score: _precision_on_grid(*precision_recall_points(truth, score)),
    )
    return replace(curves, prevalence=float(np.mean(repeats[0].y == code)))


def _roc_on_grid(false_rate: Array, true_rate: Array) -> Array | None:
    """Read the true positive rate at the grid of false positive rates; at a jump its top."""
    return np.interp(GRID, false_rate, true_rate) if len(false_rate) else None


def _precision_on_grid(recall: Array, precision: Array) -> Array | None:
    """Precision at the first threshold that reaches each recall, and finds any, of the grid."""
    if not len(recall):
        return None
    found: Array = precision[np.searchsorted(recall, np.maximum(GRID - 1e-12, 1e-12))]
    return found


def _averaged(
    repeats: Sequence[Repeat],
    code: int,
    on_grid: Callable[[NDArray[np.bool_], Array], Array | None],
) -> Curves:
    """Mean over the folds of each repeat, then mean and range over the repeats."""
    curves = []
    for repeat in repeats:
        truth, score = repeat.y == code, _ranking_score(repeat, code)
        members = [repeat.fold == fold for fold in np.unique(repeat.fold)]
        both = [rows for rows in members if 0 < truth[rows].sum() < rows.sum()]
        if not both and repeat.probabilities is not None:
            both, score = [np.full(len(truth), True)], repeat.probabilities[:, code]
        defined = [
            curve for rows in both if (curve := on_grid(truth[rows], score[rows])) is not None
        ]
        if defined:
            curves.append((repeat.repeat, np.mean(np.stack(defined), axis=0)))
    if not curves:
        return Curves(repeats=[], mean=[])
    stacked = np.stack([curve for _, curve in curves])
    columns = {
        "x": GRID,
        "y": stacked.mean(axis=0),
        "low": stacked.min(axis=0),
        "high": stacked.max(axis=0),
    }
    listed = {key: _rounded(values) for key, values in columns.items()}
    return Curves(
        repeats=[RepeatCurve(repeat=number, y=_rounded(curve)) for number, curve in curves],
        mean=[
            dict(zip(listed, values, strict=True)) for values in zip(*listed.values(), strict=True)
        ],
    )


def calibration(
    repeats: Sequence[Repeat], code: int, *, units: NDArray[np.int64] | None = None
) -> Calibration:
    """Observed share of a class against its predicted probability, in quantile bins.

    Parameters
    ----------
    repeats : sequence of Repeat
    code : int
        The class.
    units : ndarray of shape (n_samples,), optional
        The sample or group of each row of the task, to draw a band.
    """
    n_bins = int(np.clip(len(repeats[0].row) // 20, 3, 10))
    truth = np.concatenate([_scored(repeat, code)[0] for repeat in repeats])
    score = np.concatenate([_scored(repeat, code)[1] for repeat in repeats])
    pooled = _bins(truth, score, n_bins)
    if units is not None:
        member = units[np.concatenate([repeat.row for repeat in repeats])]
        weights = draw_weights(np.arange(units.max() + 1), N_DRAWS, seed=0)
        low, high = share_band(truth, quantile_bins(score, n_bins=n_bins), member, weights)
        ends = zip(pooled, _rounded(low), _rounded(high), strict=True)
        pooled = [{**point, "low": one, "high": other} for point, one, other in ends]
    return Calibration(
        pooled=pooled,
        lines=[
            {"repeat": repeat.repeat, **point}
            for repeat in repeats
            for point in _bins(*_scored(repeat, code), n_bins)
        ],
    )


def _units(task: Task) -> NDArray[np.int64]:
    if task.groups is None:
        return np.arange(task.n_samples)
    return np.asarray(np.unique(task.groups.astype(str), return_inverse=True)[1], dtype=np.int64)


def _bins(truth: NDArray[np.bool_], score: Array, n_bins: int) -> list[dict[str, float]]:
    points = calibration_points(truth, score, n_bins=n_bins)
    return [
        {"predicted": round(float(x), 4), "observed": round(float(y), 4), "n": int(n)}
        for x, y, n in zip(*points, strict=True)
    ]


def _ranking_score(repeat: Repeat, code: int) -> Array:
    """Order the samples as the measures do: of two classes by the margin, else the probability."""
    if repeat.margin is not None and repeat.margin.shape[1] == 1:
        score: Array = repeat.margin[:, 0]
        return score
    return _scored(repeat, code)[1]


def _scored(repeat: Repeat, code: int) -> tuple[NDArray[np.bool_], Array]:
    assert repeat.probabilities is not None
    return repeat.y == code, repeat.probabilities[:, code]


def _rounded(values: Array) -> list[float]:
    return [round(value, 4) for value in values.tolist()]


# ---------------------------------------------------------------- tables of samples


def _confusion(task: Task, repeats: Sequence[Repeat]) -> Confusion:
    n_classes = len(task.classes)
    counts = np.zeros((n_classes, n_classes))
    n_labelled = 0
    for repeat in repeats:
        if repeat.label is not None:
            np.add.at(counts, (repeat.y.astype(int), repeat.label), 1)
            n_labelled += 1
    counts /= max(n_labelled, 1)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    return Confusion(
        counts=[[round(value, 1) for value in row] for row in counts.tolist()],
        shares=[[round(value, 4) for value in row] for row in shares.tolist()],
    )


def _class_samples(task: Task, repeats: Sequence[Repeat], *, by_label: bool) -> list[ClassSample]:
    """Join the repeats of each sample; ``by_label``: labels follow thresholds, so they vote."""
    n_samples, n_classes = task.n_samples, len(task.classes)
    sums = np.zeros((n_samples, n_classes))
    seen = np.zeros(n_samples)
    wrong = np.zeros(n_samples)
    votes = np.zeros((n_samples, n_classes))
    for repeat in repeats:
        if repeat.probabilities is not None:
            np.add.at(sums, repeat.row, repeat.probabilities)
        elif repeat.label is not None:
            np.add.at(sums, (repeat.row, repeat.label), 1.0)
        np.add.at(seen, repeat.row, 1.0)
        if repeat.label is not None:
            np.add.at(votes, (repeat.row, repeat.label), 1.0)
            np.add.at(wrong, repeat.row, (repeat.label != repeat.y).astype(float))
    means = sums / np.where(seen > 0, seen, 1.0)[:, None]
    predicted = (votes if by_label else means).argmax(axis=1)
    return [
        ClassSample(
            row=row,
            id=str(task.dataset.sample_ids[row]),
            observed=int(task.y[row]),
            predicted=int(predicted[row]),
            probabilities=[round(value, 4) for value in means[row].tolist()],
            n_wrong=int(wrong[row]),
            n_seen=int(seen[row]),
        )
        for row in np.flatnonzero(seen > 0).tolist()
    ]


def _value_samples(task: Task, repeats: Sequence[Repeat]) -> list[ValueSample]:
    predictions: dict[int, list[float]] = {}
    for repeat in repeats:
        if repeat.value is not None:
            for row, value in zip(repeat.row.tolist(), repeat.value.tolist(), strict=True):
                predictions.setdefault(row, []).append(value)
    return [
        ValueSample(
            row=row,
            id=str(task.dataset.sample_ids[row]),
            observed=float(f"{task.y[row]:.5g}"),
            predicted=float(f"{np.mean(values):.5g}"),
            sd=float(f"{np.std(values):.3g}"),
        )
        for row, values in sorted(predictions.items())
    ]
