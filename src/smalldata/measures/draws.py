"""Scores of many bootstrap draws at once: row weights in, one score per draw out.

Step in the line: stored predictions + drawn weights -> **scores of the draws** -> significance. A
draw is a vector of whole numbers, how often each row was taken, and its score is that of the rows
repeated so often; every ranked measure is computed for all draws together.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.measures.formulas import PROBABILITY_FLOOR, positive_score
from smalldata.measures.registry import Measure
from smalldata.results.folds import Array, Prediction


def score_draws(
    measure: Measure, prediction: Prediction, weights: Array, *, classes: tuple[str, ...] = ()
) -> Array:
    """Score of a prediction on every draw.

    Parameters
    ----------
    measure : Measure
    prediction : Prediction
        Of n_rows rows.
    weights : ndarray of shape (n_draws, n_rows)
        How often each row was drawn, whole numbers.
    classes : tuple of str

    Returns
    -------
    ndarray of shape (n_draws,)
        NaN where the measure is undefined on the draw.
    """
    y, given = prediction.y, measure.given(prediction)
    if given is None or np.any(np.isnan(given)):
        return np.full(len(weights), np.nan)
    # Undefined draws divide 0 by 0 and so become NaN; that is what the caller is promised.
    with np.errstate(all="ignore"):
        if measure.needs == "label":
            return _from_confusion(measure.name, _confusion(y, given, weights, len(classes)))
        if measure.name == "roc_auc":
            return _areas(y == 1, positive_score(given), weights)
        if measure.name == "roc_auc_ovr":
            present = np.unique(y)
            areas = [_areas(y == code, given[:, code], weights) for code in present]
            return mean_defined(np.column_stack(areas))
        if measure.name == "average_precision":
            return _average_precision(y, positive_score(given), weights)
        if measure.name == "r2":
            return _r2(y, given, weights)
        if measure.name == "spearman":
            return _spearman(y, given, weights)
        losses = _row_losses(measure.name, y, given)
        if losses is not None:
            means = weights @ losses / weights.sum(axis=1)
            return np.asarray(np.sqrt(means) if measure.name == "rmse" else means)
    return _one_by_one(measure, prediction, weights, classes)


def mean_defined(scores: Array) -> Array:
    """Mean over the columns that are not NaN; NaN where none is.

    Parameters
    ----------
    scores : ndarray of shape (n_draws, n_parts)
    """
    defined = ~np.isnan(scores)
    n_defined = defined.sum(axis=1)
    total = np.where(defined, scores, 0.0).sum(axis=1)
    return np.asarray(np.where(n_defined > 0, total / np.maximum(n_defined, 1), np.nan))


def _row_losses(name: str, y: NDArray[Any], given: NDArray[Any]) -> Array | None:
    """Losses whose weighted mean (for RMSE: its root) is the measure, or None if there are none."""
    if name == "rmse":
        return np.asarray((y - given) ** 2)
    if name == "mae":
        return np.asarray(np.abs(y - given))
    if name == "brier":
        return np.asarray((given[:, 1] - y) ** 2)
    if name == "log_loss":
        return np.asarray(-np.log(np.clip(given[np.arange(len(y)), y], PROBABILITY_FLOOR, 1.0)))
    return None


def _areas(positive: NDArray[np.bool_], score: NDArray[Any], weights: Array) -> Array:
    """Weighted share of pairs whose positive row scores higher, for all draws by one product."""
    above, below = score[positive, None], score[None, ~positive]
    wins = (above > below) + 0.5 * (above == below)
    w_positive, w_negative = weights[:, positive], weights[:, ~positive]
    won = np.sum((w_positive @ wins) * w_negative, axis=1)
    return np.asarray(won / (w_positive.sum(axis=1) * w_negative.sum(axis=1)))


def _average_precision(y: NDArray[Any], score: NDArray[Any], weights: Array) -> Array:
    order = np.argsort(-score, kind="stable")
    taken = np.cumsum(weights[:, order], axis=1)
    hits = np.cumsum(weights[:, order] * (y[order] == 1), axis=1)
    last = np.append(score[order][1:] != score[order][:-1], True)
    taken, hits = taken[:, last], hits[:, last]
    gained = np.diff(hits, axis=1, prepend=0.0)
    precision = np.where(taken > 0, hits / taken, 0.0)
    # With positives alone every order is perfect: undefined, as it is for the measure itself.
    total = np.where(hits[:, -1] < taken[:, -1], hits[:, -1], 0.0)
    return np.asarray(np.where(total > 0, np.sum(gained * precision, axis=1) / total, np.nan))


def _confusion(
    y: NDArray[Any], given: NDArray[Any], weights: Array, n_classes: int
) -> NDArray[np.float64]:
    """Weighted confusion of shape (n_draws, n_classes observed, n_classes predicted)."""
    cell = np.zeros((len(y), n_classes * n_classes))
    cell[np.arange(len(y)), y * n_classes + given] = 1.0
    return np.asarray((weights @ cell).reshape(len(weights), n_classes, n_classes))


def _from_confusion(name: str, confusion: Array) -> Array:
    observed, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    if name == "balanced_accuracy":
        return mean_defined(hits / observed)
    if name == "f1":
        harmonic = 2 * hits[:, 1] / (observed[:, 1] + predicted[:, 1])
        return np.asarray(np.where(np.all(observed > 0, axis=1), harmonic, np.nan))
    n = observed.sum(axis=1)
    covariance = n * hits.sum(axis=1) - np.sum(observed * predicted, axis=1)
    spread_y = n * n - np.sum(observed**2, axis=1)
    spread_label = n * n - np.sum(predicted**2, axis=1)
    mcc = np.where(spread_label > 0, covariance / np.sqrt(spread_y * spread_label), 0.0)
    return np.asarray(np.where(spread_y > 0, mcc, np.nan))


def _r2(y: NDArray[Any], given: NDArray[Any], weights: Array) -> Array:
    centred = y - np.mean(y)
    n = weights.sum(axis=1)
    total = weights @ centred**2 - (weights @ centred) ** 2 / n
    # A draw of one value repeated has total 0; rounding must not turn it into a number.
    floor = 1e-12 * float(np.max(centred**2)) * n
    return np.asarray(np.where(total > floor, 1 - (weights @ (y - given) ** 2) / total, np.nan))


def _spearman(y: NDArray[Any], given: NDArray[Any], weights: Array) -> Array:
    n = weights.sum(axis=1, keepdims=True)
    first = _drawn_ranks(y, weights) - (n + 1) / 2
    second = _drawn_ranks(given, weights) - (n + 1) / 2
    spread = np.sum(weights * first**2, axis=1) * np.sum(weights * second**2, axis=1)
    covariance = np.sum(weights * first * second, axis=1)
    return np.asarray(np.where(spread > 0, covariance / np.sqrt(spread), np.nan))


def _drawn_ranks(values: NDArray[Any], weights: Array) -> Array:
    """Mid-rank of each row among the rows of a draw."""
    found, place = np.unique(values, return_inverse=True)
    member = np.zeros((len(values), len(found)))
    member[np.arange(len(values)), place] = 1.0
    counts = weights @ member
    return np.asarray((np.cumsum(counts, axis=1) - (counts - 1) / 2)[:, place])


def _one_by_one(
    measure: Measure, prediction: Prediction, weights: Array, classes: tuple[str, ...]
) -> Array:
    """Plain way, by repeating rows: for measures without a weighted form."""
    scores = np.full(len(weights), np.nan)
    for draw, weight in enumerate(weights):
        found = measure.score(repeated(prediction, weight), classes=classes).value
        scores[draw] = np.nan if found is None else found
    return scores


def repeated(prediction: Prediction, weight: Array) -> Prediction:
    """Return the prediction with each row as often as its weight says.

    Parameters
    ----------
    prediction : Prediction
    weight : ndarray of shape (n_rows,)
        Whole numbers.
    """
    rows = np.repeat(np.arange(len(prediction.y)), weight.astype(np.int64))
    return taken(prediction, rows)


def taken(prediction: Prediction, rows: NDArray[Any]) -> Prediction:
    """Return some rows of a prediction, by position."""
    parts = {
        name: None if part is None else part[rows]
        for name, part in (
            ("label", prediction.label),
            ("probabilities", prediction.probabilities),
            ("margin", prediction.margin),
            ("value", prediction.value),
        )
    }
    return Prediction(row=prediction.row[rows], y=prediction.y[rows], **parts)
