"""Expected gradients: a quick look at a function whose gradient is known.

Not the Shapley values of the game that all other kernels play. While those average over
every order in which the features can switch from z to x, these use the one path on which all switch
at once (Aumann and Shapley's values, averaged over the background; Erion et al. 2021, Nature
Machine Intelligence 3:620-631). Both agree for sums of functions of one feature and of products of
two features, and both add up to f(x) - mean f(z). The number of gradients does not grow with that
of the features.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from smalldata.errors import ExplanationError
from smalldata.shapley.calling import evaluate_rows, gradient_moves, share_lack
from smalldata.shapley.game import Array, make_game
from smalldata.shapley.sampling import Tally

N_DRAWS = 4
FEWEST_DRAWS = 4
# If more is lacking, over all rows, than this share of what the function moved and this many
# standard errors, the gradient is wrong.
MOST_LACKING = 0.5
MOST_ERRORS = 6.0


def expected_gradients(
    function: Callable[[Array], Array],
    gradient: Callable[[Array], Array],
    X: ArrayLike,
    background: ArrayLike,
    *,
    players: ArrayLike | None = None,
    n_players: int | None = None,
    n_draws: int = N_DRAWS,
    batch_rows: int = 8192,
    seed: int = 0,
) -> tuple[Array, Array, Array, Array]:
    """Take the mean over background rows z and alpha ~ U(0, 1) of (x - z) grad f(z + alpha (x-z)).

    Every background row gets equally many alphas, in pairs alpha and 1 - alpha, so that one pair is
    exact wherever the gradient is linear along the path. What the draws of a row lack to
    f(x) - mean f(z) is given to the players in proportion to their squared standard errors, as in
    `permutation_values`, and returned.

    Parameters
    ----------
    function : callable
        Takes float64 (n, n_columns); returns (n, n_outputs) or (n,).
    gradient : callable
        Takes the same; returns (n, n_outputs, n_columns): the derivative of each output by each
        column.
    X : array of shape (n_rows, n_columns)
        Rows to explain.
    background : array of shape (n_background, n_columns)
    players : array of int of shape (n_columns,), optional
        Player of each column; by default each column is one. Their columns' values are summed.
    n_players : int, optional
        How many players there are, if some own no column.
    n_draws : int
        Alphas for each row and background row: even and at least 4, since fewer have no standard
        error.
    batch_rows : int
        Most rows given to the function or the gradient at once.
    seed : int
        The alphas depend on it, not on the rows explained.

    Returns
    -------
    values : ndarray of shape (n_rows, n_players, n_outputs)
        In the units of the function; they sum over players to f(x) - base_values.
    base_values : ndarray of shape (n_outputs,)
        Mean of the function over the background.
    standard_errors : ndarray of shape (n_rows, n_players, n_outputs)
        Of the drawing of alphas; they say nothing of the distance to the Shapley values.
    lacking : ndarray of shape (n_rows, n_outputs)
        f(x) - base_values less the sum of what was drawn, before it was shared.

    Raises
    ------
    ExplanationError
        If shapes do not fit, a value, an output or a derivative is missing or infinite, a setting
        is out of range, or more is lacking than the drawing explains: then the gradient is not that
        of the function.

    Examples
    --------
    >>> values, base, errors, lacking = expected_gradients(
    ...     lambda rows: rows[:, 0] * rows[:, 1],
    ...     lambda rows: rows[:, None, ::-1], [[1.0, 3.0]], [[0.0, 1.0]])
    >>> values[0, :, 0].tolist(), base.tolist(), lacking.round(9).tolist()
    ([2.0, 1.0], [0.0], [[0.0]])
    """
    game = make_game(X, background, players=players, n_players=n_players)
    if n_draws < FEWEST_DRAWS or n_draws % 2:
        raise ExplanationError(f"n_draws must be even and at least {FEWEST_DRAWS}; got {n_draws}.")
    if batch_rows < 1:
        raise ExplanationError(f"batch_rows must be at least 1; got {batch_rows}.")
    n_background = len(game.background)
    at_rows = evaluate_rows(function, game.rows, batch_rows)
    base_values = evaluate_rows(function, game.background, batch_rows).mean(axis=0)
    n_outputs = at_rows.shape[1]
    alphas = np.random.default_rng(seed).random((n_draws // 2, n_background))
    shape = (len(game.rows), game.n_active, n_outputs)
    values, errors = np.empty(shape), np.empty(shape)
    sum_errors = np.empty((len(game.rows), n_outputs))
    for row, x in enumerate(game.rows):
        tally, sums = Tally(n_background, *shape[1:]), Tally(n_background, 1, n_outputs)
        for drawn in alphas:
            there = gradient_moves(gradient, game, x, drawn, n_outputs, batch_rows)
            back = gradient_moves(gradient, game, x, 1.0 - drawn, n_outputs, batch_rows)
            moves = (there + back) / 2
            tally.add_round(moves)
            sums.add_round(moves.sum(axis=1, keepdims=True))
        values[row], errors[row] = tally.values(), tally.standard_errors()
        sum_errors[row] = sums.standard_errors()[0]
    lacking = share_lack(values, errors, at_rows - base_values)
    _check_lacking(lacking, sum_errors, at_rows, base_values)
    return game.spread(values), base_values, game.spread(errors), lacking


def _check_lacking(lacking: Array, errors: Array, at_rows: Array, base_values: Array) -> None:
    if not len(lacking):
        return
    missed, drawn, moved = (_size(of) for of in (lacking, errors, at_rows - base_values))
    rounding = 1e-5 * max(1.0, float(np.abs(at_rows).max()))
    if missed > MOST_LACKING * moved + MOST_ERRORS * drawn + rounding:
        raise ExplanationError(
            f"the gradients must lead from the background to the rows; they miss {missed:.2g} "
            f"where the function moves by {moved:.2g}: the gradient is not that of the function."
        )


def _size(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
