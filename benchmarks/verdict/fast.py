"""Mean scores and their influences on many tables at once; a test holds them to the package's."""

import numpy as np
from simulated import FLOOR, Chunk

CLASS_MEASURES = ("roc_auc", "balanced_accuracy", "log_loss")
VALUE_MEASURES = ("rmse", "r2")


def probability(value: np.ndarray) -> np.ndarray:
    """Return the predicted value as a probability."""
    return np.clip(value, FLOOR, 1 - FLOOR)


def class_scores(
    chunk: Chunk, *, only: tuple[str, ...] = CLASS_MEASURES
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return for each measure the fold scores and what each unit moves them.

    Returns
    -------
    dict of str to (scores, moved)
        ``scores`` of shape (n_tables, blocks, repeats, folds), ``moved`` of shape (n_tables,
        blocks, repeats, n_units), freed of small-sample bias.
    """
    n_tables, blocks, repeats, _ = chunk.value.shape
    n_units, n_folds = int(chunk.unit.max()) + 1, int(chunk.fold.max()) + 1
    scores = {m: np.empty((n_tables, blocks, repeats, n_folds)) for m in CLASS_MEASURES}
    moved = {m: np.zeros((n_tables, blocks, repeats, n_units)) for m in CLASS_MEASURES}
    for r in range(repeats):
        for k in range(n_folds):
            test = np.flatnonzero(chunk.fold[r] == k)
            positive, unit = chunk.y[0, test] == 1, chunk.unit[test]
            value = chunk.value[:, :, r, test]
            above, below = value[..., positive], value[..., ~positive]
            won = (above[..., :, None] > below[..., None, :]).astype(float)
            won += 0.5 * (above[..., :, None] == below[..., None, :])
            right = np.where(
                positive, value > chunk.threshold[r, test], value <= chunk.threshold[r, test]
            ).astype(float)
            p = probability(value)
            loss = -np.log(np.where(positive, p, 1 - p))
            ones, zeros = unit[positive], unit[~positive]
            scores["roc_auc"][:, :, r, k] = won.mean(axis=(2, 3))
            moved["roc_auc"][:, :, r] += (
                _without(won.mean(axis=3), ones, n_units)
                + _without(won.mean(axis=2), zeros, n_units)
            ) / n_folds
            recalls = right[..., positive], right[..., ~positive]
            scores["balanced_accuracy"][:, :, r, k] = (
                recalls[0].mean(axis=2) + recalls[1].mean(axis=2)
            ) / 2
            moved["balanced_accuracy"][:, :, r] += (
                _without(recalls[0], ones, n_units) + _without(recalls[1], zeros, n_units)
            ) / (2 * n_folds)
            scores["log_loss"][:, :, r, k] = loss.mean(axis=2)
            moved["log_loss"][:, :, r] += _without(loss, unit, n_units) / n_folds
    return {m: (scores[m], moved[m]) for m in only}


def _without(parts: np.ndarray, unit: np.ndarray, n_units: int) -> np.ndarray:
    """Return mean of the parts minus their mean without each unit, freed of small-sample bias."""
    member = np.zeros((len(unit), n_units))
    member[np.arange(len(unit)), unit] = 1
    counts, own = member.sum(axis=0), parts @ member
    present = counts > 0
    m = present.sum()
    n = len(unit)
    with np.errstate(invalid="ignore", divide="ignore"):
        left = (parts.sum(axis=-1, keepdims=True) - own) / (n - counts)
    deviation = np.where(present, parts.mean(axis=-1, keepdims=True) - left, 0.0)
    return np.sqrt((m - 1) / m) * deviation


def value_scores(chunk: Chunk) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return RMSE and R2 over each repeat, and what each sample moves them; shapes as above."""
    y = chunk.y[:, None, None, :]
    squares = (y - chunk.value) ** 2
    n = squares.shape[-1]
    total = squares.sum(axis=-1, keepdims=True)
    spread = (y - y.mean(axis=-1, keepdims=True)) ** 2
    around = spread.sum(axis=-1, keepdims=True)
    left = total - squares
    share = np.sqrt((n - 1) / n)
    rmse, r2 = np.sqrt(total / n), 1 - total / around
    return {
        "rmse": (rmse, share * (rmse - np.sqrt(left / (n - 1)))),
        "r2": (r2, share * (r2 - (1 - left / (around - spread * n / (n - 1))))),
    }
