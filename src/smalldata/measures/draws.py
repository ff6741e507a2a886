"""Weighted forms of the measures: all bootstrap draws of the rows at once.

Step in the line: stored predictions + drawn weights -> **scores of the draws** -> significance. A
draw is a vector of whole numbers, how often each row was drawn; its score is that of the rows
repeated this often. Each function takes targets (n,), the part of the prediction that the measure
reads, weights (n_draws, n) and the number of classes, and returns one score per draw, NaN if the
measure is undefined there. Called through `Measure.score_draws`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.measures.calibration import intercepts, logits, slopes
from smalldata.measures.formulas import PROBABILITY_FLOOR, expected_precision, positive_score
from smalldata.results.folds import Array, Prediction

Values = NDArray[Any]


def mean_defined(scores: Array) -> Array:
    """Return the mean over the columns that are not NaN; NaN if all are.

    Parameters
    ----------
    scores : ndarray of shape (n_draws, n_parts)
    """
    defined = ~np.isnan(scores)
    n_defined = defined.sum(axis=1)
    total = np.where(defined, scores, 0.0).sum(axis=1)
    return np.asarray(np.where(n_defined > 0, total / np.maximum(n_defined, 1), np.nan))


def roc_auc(y: Values, given: Values, weights: Array, n_classes: int) -> Array:
    """Weighted share of pairs whose positive row scores higher."""
    return _areas(y == 1, positive_score(given), weights)


def roc_auc_ovr(y: Values, given: Values, weights: Array, n_classes: int) -> Array:
    """Mean over the classes of each against the rest."""
    areas = [_areas(y == code, given[:, code], weights) for code in np.unique(y)]
    return mean_defined(np.column_stack(areas))


def rmse(y: Values, given: Values, weights: Array, n_classes: int) -> Array:
    """Root of the weighted mean square."""
    return np.asarray(np.sqrt(_mean((y - given) ** 2, weights)))


def mae(y: Values, given: Values, weights: Array, n_classes: int) -> Array:
    """Weighted mean of the absolute errors."""
    return _mean(np.abs(y - given), weights)


def brier(y: Values, given: Values, weights: Array, n_classes: int) -> Array:
    """Weighted mean square of the positive class's probability."""
    return _mean((given[:, 1] - y) ** 2, weights)


def log_loss(y: Values, given: Values, weights: Array, n_classes: int) -> Array:
    """Weighted mean of -log of the observed class's probability."""
    observed = np.clip(given[np.arange(len(y)), y], PROBABILITY_FLOOR, 1.0)
    return _mean(-np.log(observed), weights)


def _mean(losses: Values, weights: Array) -> Array:
    return np.asarray(weights @ losses / weights.sum(axis=1))


def _areas(positive: NDArray[np.bool_], score: Values, weights: Array) -> Array:
    """Weighted share of pairs whose positive row scores higher, for all draws by one product."""
    above, below = score[positive, None], score[None, ~positive]
    wins = (above > below) + 0.5 * (above == below)
    w_positive, w_negative = weights[:, positive], weights[:, ~positive]
    won = np.sum((w_positive @ wins) * w_negative, axis=1)
    return np.asarray(won / (w_positive.sum(axis=1) * w_negative.sum(axis=1)))


def average_precision(y: Values, given: Values, weights: Array, n_classes: int) -> Array:
    """Mean precision at the places of the positive rows; equal scores in random order."""
    found = expected_precision(y == 1, positive_score(given), weights)
    # With only positives every order is perfect, so it is undefined, as for the measure itself.
    return np.asarray(np.where(weights[:, y != 1].any(axis=1), found, np.nan))


def calibration_slope(y: Values, given: Values, weights: Array, n_classes: int) -> Array:
    """Slope of the logistic regression on the logit of the probability."""
    return slopes(logits(given[:, 1])[0], y, weights)


def calibration_intercept(y: Values, given: Values, weights: Array, n_classes: int) -> Array:
    """Shift of the logits towards the share of the positive class."""
    return intercepts(logits(given[:, 1])[0], y, weights)


def _confusion(y: Values, given: Values, weights: Array, n_classes: int) -> Array:
    """Weighted confusion of shape (n_draws, n_classes observed, n_classes predicted)."""
    cell = np.zeros((len(y), n_classes * n_classes))
    cell[np.arange(len(y)), y * n_classes + given] = 1.0
    return np.asarray((weights @ cell).reshape(len(weights), n_classes, n_classes))


def balanced_accuracy(y: Values, given: Values, weights: Array, n_classes: int) -> Array:
    """Mean recall of the classes in a draw."""
    confusion = _confusion(y, given, weights, n_classes)
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    return mean_defined(hits / confusion.sum(axis=2))


def f1(y: Values, given: Values, weights: Array, n_classes: int) -> Array:
    """Harmonic mean of precision and recall of the positive class."""
    confusion = _confusion(y, given, weights, n_classes)
    observed, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    harmonic = 2 * confusion[:, 1, 1] / (observed[:, 1] + predicted[:, 1])
    return np.asarray(np.where(np.all(observed > 0, axis=1), harmonic, np.nan))


def mcc(y: Values, given: Values, weights: Array, n_classes: int) -> Array:
    """Correlation of observed and predicted classes (Gorodkin 2004)."""
    confusion = _confusion(y, given, weights, n_classes)
    observed, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    n = observed.sum(axis=1)
    covariance = n * hits.sum(axis=1) - np.sum(observed * predicted, axis=1)
    spread_y = n * n - np.sum(observed**2, axis=1)
    spread_label = n * n - np.sum(predicted**2, axis=1)
    found = np.where(spread_label > 0, covariance / np.sqrt(spread_y * spread_label), 0.0)
    return np.asarray(np.where(spread_y > 0, found, np.nan))


def r2(y: Values, given: Values, weights: Array, n_classes: int) -> Array:
    """Explained share of the weighted variance."""
    centred = y - np.mean(y)
    n = weights.sum(axis=1)
    total = weights @ centred**2 - (weights @ centred) ** 2 / n
    # A draw of one value repeated has total 0; rounding must not turn it into a number.
    floor = 1e-12 * float(np.max(centred**2)) * n
    return np.asarray(np.where(total > floor, 1 - (weights @ (y - given) ** 2) / total, np.nan))


def spearman(y: Values, given: Values, weights: Array, n_classes: int) -> Array:
    """Correlation of the mid-ranks within a draw."""
    n = weights.sum(axis=1, keepdims=True)
    first = _drawn_ranks(y, weights) - (n + 1) / 2
    second = _drawn_ranks(given, weights) - (n + 1) / 2
    spread = np.sum(weights * first**2, axis=1) * np.sum(weights * second**2, axis=1)
    covariance = np.sum(weights * first * second, axis=1)
    return np.asarray(np.where(spread > 0, covariance / np.sqrt(spread), np.nan))


def _drawn_ranks(values: Values, weights: Array) -> Array:
    """Mid-rank of each row among the rows of a draw."""
    found, place = np.unique(values, return_inverse=True)
    member = np.zeros((len(values), len(found)))
    member[np.arange(len(values)), place] = 1.0
    counts = weights @ member
    return np.asarray((np.cumsum(counts, axis=1) - (counts - 1) / 2)[:, place])


def repeated(prediction: Prediction, weight: Array) -> Prediction:
    """Return the prediction with each row repeated by its weight.

    Parameters
    ----------
    prediction : Prediction
    weight : ndarray of shape (n_rows,)
        Whole numbers.
    """
    rows = np.repeat(np.arange(len(prediction.y)), weight.astype(np.int64))
    return taken(prediction, rows)


def taken(prediction: Prediction, rows: Values) -> Prediction:
    """Return some rows of a prediction, by position."""
    parts: dict[str, Any] = {
        name: None if part is None else part[rows]
        for name, part in (
            ("label", prediction.label),
            ("probabilities", prediction.probabilities),
            ("margin", prediction.margin),
            ("value", prediction.value),
        )
    }
    return Prediction(row=prediction.row[rows], y=prediction.y[rows], **parts)
