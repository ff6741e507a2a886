"""Calls of a sampled function and of its gradient, in batches that fit, with checked results."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from smalldata.errors import ExplanationError
from smalldata.shapley.game import Array, Game

# Values in one batch: limits its rows so that wide tables stay within about 100 MB.
BATCH_VALUES = 4_000_000


def rows_in_batch(n_values: int, batch_rows: int) -> int:
    """Return the number of rows in a batch if each takes ``n_values`` numbers."""
    return max(1, min(batch_rows, BATCH_VALUES // n_values))


def evaluate_rows(function: Callable[[Array], Array], rows: Array, batch_rows: int) -> Array:
    """Call the function in batches: (n_rows, n_outputs) in float64."""
    size = rows_in_batch(rows.shape[1], batch_rows)
    # Without rows the number of outputs is still needed.
    parts = [rows[start : start + size] for start in range(0, len(rows), size)] or [rows]
    outputs = [checked_outputs(function(part), len(part)) for part in parts]
    return np.concatenate(outputs)


def checked_outputs(outputs: ArrayLike, n_rows: int) -> Array:
    """Read what a function returned as finite float64 (n_rows, n_outputs).

    Raises
    ------
    ExplanationError
        If it is not.
    """
    checked = np.asarray(outputs, dtype=np.float64)
    if checked.ndim == 1:
        checked = checked[:, None]
    if checked.ndim != 2 or len(checked) != n_rows:
        raise ExplanationError(
            f"the function must return one row of outputs per row ({n_rows}); got {checked.shape}."
        )
    if not np.isfinite(checked).all():
        raise ExplanationError("the function must return finite numbers; it returned others.")
    return checked


def gradient_moves(
    gradient: Callable[[Array], Array],
    game: Game,
    x: Array,
    alpha: Array,
    n_outputs: int,
    batch_rows: int,
) -> Array:
    """Return (x - z) grad f(z + alpha (x - z)) by player: (n_background, n_active, n_outputs).

    ``alpha`` has one number for each background row.
    """
    way = x - game.background
    points = game.background + alpha[:, None] * way
    moves = np.empty((len(points), game.n_active, n_outputs))
    size = rows_in_batch(points.shape[1] * n_outputs, batch_rows)
    for start in range(0, len(points), size):
        here = slice(start, start + size)
        slopes = _checked_slopes(gradient(points[here]), (len(points[here]), n_outputs, len(x)))
        moves[here] = game.sum_columns(slopes * way[here, None, :]).transpose(0, 2, 1)
    return moves


def _checked_slopes(slopes: ArrayLike, shape: tuple[int, int, int]) -> Array:
    checked = np.asarray(slopes, dtype=np.float64)
    if checked.shape != shape:
        raise ExplanationError(
            f"the gradient must be of shape (n_rows, n_outputs, n_columns) = {shape}; got "
            f"{checked.shape}."
        )
    if not np.isfinite(checked).all():
        raise ExplanationError("the gradient must be finite numbers; it has others.")
    return checked


def share_lack(values: Array, errors: Array, moved: Array) -> Array:
    """Share what values lack to ``moved`` (n_rows, n_outputs) among the players, by squared error.

    ``values`` are changed in place; the lack is returned.
    """
    lack: Array = moved - values.sum(axis=1)
    share = np.square(errors)
    total = share.sum(axis=1, keepdims=True)
    n_players = values.shape[1]
    even = np.full_like(share, 1 / n_players)
    values += lack[:, None, :] * np.divide(share, total, out=even, where=total > 0)
    return lack
