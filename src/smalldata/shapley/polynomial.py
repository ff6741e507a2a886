"""Exact Shapley values of a sum of polynomial kernels (gamma <x, s> + coef0)^degree, up to 3.

With B = gamma <z, s> + coef0, D_p = gamma sum over the player's columns of s (x - z), T = sum_p D_p
and Q = sum_p D_p^2, a coalition is worth (B + sum over its members of D_p)^degree. A product of D's
of different players is a unanimity game whose worth is shared equally by the players in it, which
gives

    degree 1: D_p        degree 2: D_p (2 B + T)        degree 3: D_p (3 B^2 + 3 B T + T^2 + Q / 2)
    - D_p^2 T / 2

These sum over players to (B + T)^degree - B^degree. Cost is linear in the number of columns: D_p
and D_p^2 get weights that do not depend on p, so that the work is a few matrix products for each
row. In a unanimity game of s players any two of them have the interaction 1 / (s - 1) (Grabisch &
Roubens 1999, An axiomatic approach to the concept of interaction among players in cooperative
games, International Journal of Game Theory 28:547-565), so that two players' interaction is

    degree 1: 0        degree 2: 2 D_p D_r        degree 3: 3 D_p D_r (2 B + T)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from smalldata.errors import ExplanationError
from smalldata.shapley.game import (
    Array,
    Game,
    finite_matrix,
    finite_number,
    make_game,
    refuse_overflow,
)


@np.errstate(over="ignore", invalid="ignore")  # looked for in what is returned
def polynomial_values(
    X: ArrayLike,
    background: ArrayLike,
    *,
    support: ArrayLike,
    coef: ArrayLike,
    gamma: float,
    coef0: float,
    degree: int,
    intercept: ArrayLike,
    players: ArrayLike | None = None,
    n_players: int | None = None,
) -> tuple[Array, Array]:
    """Explain f(x) = intercept + sum_i coef_i (gamma <x, support_i> + coef0)^degree exactly.

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
        Rows to explain.
    background : array of shape (n_background, n_columns)
        Rows the absent players are taken from.
    support : array of shape (n_support, n_columns)
    coef : array of shape (n_outputs, n_support)
    gamma, coef0 : float
    degree : int
        1, 2 or 3.
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
        If shapes do not fit, a value is missing, infinite or too large, or the degree is not 1, 2
        or 3.

    Examples
    --------
    >>> values, base = polynomial_values(
    ...     [[1.0, 2.0]], [[0.0, 0.0]], support=[[1.0, 1.0]], coef=[[1.0]],
    ...     gamma=1.0, coef0=0.0, degree=2, intercept=[0.0])
    >>> values[0, :, 0].tolist(), base.tolist()
    ([3.0, 6.0], [0.0])
    """
    machine = _make_polynomial(
        X, background, support, coef, gamma, coef0, degree, intercept, players, n_players
    )
    game, scaled, weights, base = machine.game, machine.scaled, machine.coef, machine.base
    n_columns = scaled.shape[1]
    sizes = np.diff(game.starts, append=n_columns)
    parts = [game.columns_of(position) for position in np.flatnonzero(sizes > 1)]
    alone = game.order[game.starts[sizes == 1]]
    values = np.empty((len(game.rows), game.n_active, len(weights)))
    for row, x in enumerate(game.rows):
        moved = x - game.background
        total = moved @ scaled.T
        if degree == 1:
            linear = np.ones_like(total)
        elif degree == 2:
            linear = 2 * base + total
        else:
            steps = [moved[:, columns] @ scaled[:, columns].T for columns in parts]
            squares = np.square(moved[:, alone]) @ np.square(scaled[:, alone]).T
            for step in steps:
                squares += np.square(step)
            linear = 3 * base * (base + total) + np.square(total) + squares / 2
        # The weights of D_p are summed over the background before they are multiplied by the
        # support rows: all outputs share them.
        by_column = weights @ (scaled * (linear.T @ moved))
        values[row] = game.sum_columns(by_column).T
        if degree == 3:
            shared = np.square(scaled[:, alone]) * (total.T @ np.square(moved[:, alone]))
            values[row, sizes == 1] -= (weights @ shared).T / 2
            for position, step in zip(np.flatnonzero(sizes > 1), steps, strict=True):
                values[row, position] -= weights @ (np.square(step) * total).sum(axis=0) / 2
    values /= len(game.background)
    base_values = machine.intercept + weights @ (base**degree).mean(axis=0)
    return game.spread(refuse_overflow(values)), refuse_overflow(base_values)


@np.errstate(over="ignore", invalid="ignore")  # looked for in what is returned
def polynomial_interactions(
    X: ArrayLike,
    background: ArrayLike,
    *,
    support: ArrayLike,
    coef: ArrayLike,
    gamma: float,
    coef0: float,
    degree: int,
    intercept: ArrayLike,
    chosen: ArrayLike,
    players: ArrayLike | None = None,
    n_players: int | None = None,
) -> Array:
    """Interactions of chosen players in f(x) = intercept + sum_i coef_i k(x, s_i), exact.

    Parameters
    ----------
    X, background, support, coef, gamma, coef0, degree, intercept, players, n_players
        As in ``polynomial_values``.
    chosen : array of int of shape (n_chosen,)
        The players whose pairs to compute, each once; the game is still that of all players.

    Returns
    -------
    values : ndarray of shape (n_rows, n_chosen, n_chosen, n_outputs)
        Shapley interaction index of each pair, in the units of f: symmetric, 0 on the diagonal and
        for players without a column.

    Raises
    ------
    ExplanationError
        As ``polynomial_values``, and if a chosen player does not exist or is chosen twice.

    Examples
    --------
    >>> values = polynomial_interactions(
    ...     [[1.0, 2.0]], [[0.0, 0.0]], support=[[1.0, 1.0]], coef=[[1.0]],
    ...     gamma=1.0, coef0=0.0, degree=2, intercept=[0.0], chosen=[0, 1])
    >>> values[0, :, :, 0].tolist()
    [[0.0, 4.0], [4.0, 0.0]]
    """
    machine = _make_polynomial(
        X, background, support, coef, gamma, coef0, degree, intercept, players, n_players
    )
    game, scaled, weights, base = machine.game, machine.scaled, machine.coef, machine.base
    positions = game.positions_of(chosen)
    n_chosen = len(positions)
    values = np.zeros((len(game.rows), n_chosen, n_chosen, len(weights)))
    if degree == 1:
        return values
    for row, x in enumerate(game.rows):
        moved = x - game.background
        shared = np.full_like(base, 2.0) if degree == 2 else 3 * (2 * base + moved @ scaled.T)
        steps = np.zeros((n_chosen, *base.shape))
        for place in np.flatnonzero(positions >= 0):
            columns = game.columns_of(positions[place])
            steps[place] = moved[:, columns] @ scaled[:, columns].T
        for first in range(n_chosen):
            pairs = np.einsum("zs,ozs->os", steps[first] * shared, steps[:first])
            values[row, first, :first] = pairs @ weights.T
            values[row, :first, first] = values[row, first, :first]
    values /= len(game.background)
    return refuse_overflow(values)


@dataclass(frozen=True, kw_only=True, eq=False)
class _PolynomialMachine:
    """A checked function: gamma times its support rows, and B at the background."""

    game: Game
    scaled: Array
    coef: Array
    intercept: Array
    base: Array


def _make_polynomial(
    X: ArrayLike,
    background: ArrayLike,
    support: ArrayLike,
    coef: ArrayLike,
    gamma: float,
    coef0: float,
    degree: int,
    intercept: ArrayLike,
    players: ArrayLike | None,
    n_players: int | None,
) -> _PolynomialMachine:
    game = make_game(X, background, players=players, n_players=n_players)
    centres = finite_matrix(support, "support", shape=(None, game.rows.shape[1]))
    weights = finite_matrix(coef, "coef", shape=(None, len(centres)))
    offsets = finite_matrix(intercept, "intercept", shape=(len(weights),))
    if degree not in (1, 2, 3):
        raise ExplanationError(
            f"the polynomial kernel is explained for degree 1, 2 and 3; got {degree}: "
            "choose one of them, or the rbf kernel."
        )
    scaled = finite_number(gamma, "gamma") * centres
    base = game.background @ scaled.T + finite_number(coef0, "coef0")
    return _PolynomialMachine(game=game, scaled=scaled, coef=weights, intercept=offsets, base=base)
