"""Exact Shapley values of a linear function: coef * (x - mean background), summed by player."""

import numpy as np
from numpy.typing import ArrayLike

from smalldata.shapley.game import Array, finite_matrix, make_game, refuse_overflow


def linear_values(
    X: ArrayLike,
    background: ArrayLike,
    *,
    coef: ArrayLike,
    intercept: ArrayLike,
    players: ArrayLike | None = None,
    n_players: int | None = None,
) -> tuple[Array, Array]:
    """Explain f(x) = intercept + coef x exactly.

    With v(S) the mean over background rows of f(x_S, z_rest), a player's value is the sum over its
    columns of coef * (x - mean background): the game is additive (e.g. Strumbelj & Kononenko 2014,
    section 3).

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
        Rows to explain.
    background : array of shape (n_background, n_columns)
        Rows the absent players are taken from.
    coef : array of shape (n_outputs, n_columns)
    intercept : array of shape (n_outputs,)
    players : array of int of shape (n_columns,), optional
        Player of each column; by default each column is one.
    n_players : int, optional
        How many players there are, if some own no column.

    Returns
    -------
    values : ndarray of shape (n_rows, n_players, n_outputs)
        In the units of f; they sum over players to f(x) - base_values.
    base_values : ndarray of shape (n_outputs,)
        Mean of f over the background.

    Raises
    ------
    ExplanationError
        If shapes do not fit, or a value is missing, infinite or too large.

    Examples
    --------
    >>> values, base = linear_values([[3.0, 1.0]], [[1.0, 1.0]], coef=[[2.0, 5.0]], intercept=[0.5])
    >>> values[0, :, 0].tolist(), base.tolist()
    ([4.0, 0.0], [7.5])
    """
    game = make_game(X, background, players=players, n_players=n_players)
    n_columns = game.rows.shape[1]
    weights = finite_matrix(coef, "coef", shape=(None, n_columns))
    offsets = finite_matrix(intercept, "intercept", shape=(len(weights),))
    with np.errstate(over="ignore", invalid="ignore"):  # looked for afterwards
        centre = game.background.mean(axis=0)
        moved = (game.rows - centre)[:, None, :] * weights
        values = game.sum_columns(moved).transpose(0, 2, 1)
        base_values = offsets + weights @ centre
    return game.spread(refuse_overflow(values)), refuse_overflow(base_values)
