"""Shapley values of any function, sampled along permutations in large batches, with their errors.

The kernel for networks: the function gets a few large arrays, not many small ones. Permutations
are walked in both directions (antithetic pairs, Mitchell et al. 2022, JMLR 23:1-46, section 4),
every background row equally often, so that the values add up to f(x) - mean f(z).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from smalldata.errors import ExplanationError
from smalldata.shapley.game import Array, Game, Integers, make_game
from smalldata.shapley.sampling import Permutation, Permutations, Tally, check_sampling

N_PERMUTATIONS = 8
# Fewest antithetic pairs of one explained row: a spread over fewer says too little of the error.
FEWEST_PAIRS = 4
# Cells of one batch: its rows are cut so that wide tables stay within some 100 MB.
BATCH_CELLS = 4_000_000


def permutation_values(
    function: Callable[[Array], Array],
    X: ArrayLike,
    background: ArrayLike,
    *,
    players: ArrayLike | None = None,
    n_players: int | None = None,
    n_permutations: int = N_PERMUTATIONS,
    tolerance: float | None = None,
    max_evaluations: int | None = None,
    batch_rows: int = 8192,
    seed: int = 0,
    missing: bool = False,
) -> tuple[Array, Array, Array]:
    """Explain any function by walking permutations of the players from background rows to a row.

    A walk costs n_players - 1 evaluations. Where ``max_evaluations`` does not pay for one pair of
    walks from each background row, pairs are walked from a random subset of them (without
    replacement, the same for all rows explained). The game stays the one over the whole
    background: what the values then lack to f(x) - mean f(z) is given to the players in
    proportion to their squared standard errors (the least-squares correction for independent
    errors), so that they still add up.

    Parameters
    ----------
    function : callable
        Takes float64 (n, n_columns), n up to ``batch_rows``; returns (n, n_outputs) or (n,).
    X : array of shape (n_rows, n_columns)
        Rows to explain.
    background : array of shape (n_background, n_columns)
        Rows the absent players are taken from.
    players : array of int of shape (n_columns,), optional
        Player of each column; by default each column is one.
    n_players : int, optional
        How many players there are, if some own no column.
    n_permutations : int
        Most permutations walked for each row and background row: even, since each is walked both
        ways, and at least 4.
    tolerance : float, optional
        A row is done as soon as all its standard errors are at most this (at least 4 permutations
        from each background row, where the evaluations allow them).
    max_evaluations : int, optional
        Most evaluations of the function for each row, its own and the background's aside; at
        least 8 (n_players - 1). By default only ``n_permutations`` is the limit.
    batch_rows : int
        Most rows given to the function at once.
    seed : int
        Permutations depend on it, not on the rows explained.
    missing : bool
        Whether the function takes NaN.

    Returns
    -------
    values : ndarray of shape (n_rows, n_players, n_outputs)
        In the units of the function; they sum over players to f(x) - base_values.
    base_values : ndarray of shape (n_outputs,)
        Mean of the function over the background.
    standard_errors : ndarray of shape (n_rows, n_players, n_outputs)
        Of the sampling. With one pair or less from each background row they are taken over pairs
        of different background rows, which overstates them.

    Raises
    ------
    ExplanationError
        If shapes do not fit, a value or an output is missing or infinite, or a setting is out of
        range.

    Examples
    --------
    >>> values, base, errors = permutation_values(
    ...     lambda rows: rows.sum(axis=1), [[1.0, 2.0]], [[0.0, 0.0]])
    >>> values[0, :, 0].tolist(), base.tolist(), errors.max().item()
    ([1.0, 2.0], [0.0], 0.0)
    """
    game = make_game(X, background, players=players, n_players=n_players, missing=missing)
    check_sampling(n_permutations, tolerance)
    if batch_rows < 1:
        raise ExplanationError(f"batch_rows must be at least 1; got {batch_rows}.")
    n_background = len(game.background)
    n_starts, n_rounds = walk_budget(
        game.n_active,
        n_background,
        n_permutations=n_permutations,
        max_evaluations=max_evaluations,
    )
    at_rows = _evaluate(function, game.rows, batch_rows)
    at_background = _evaluate(function, game.background, batch_rows)
    base_values = at_background.mean(axis=0)
    starts = list(range(n_background))
    if n_starts < n_background:
        chosen = np.random.default_rng([seed, n_background]).permutation(n_background)
        starts = sorted(chosen[:n_starts].tolist())
    permutations = Permutations(seed, n_background, game.n_active)
    shape = (len(game.rows), game.n_active, at_rows.shape[1])
    values, errors = np.empty(shape), np.empty(shape)
    for row, x in enumerate(game.rows):
        tally = Tally(n_starts, *shape[1:])
        for done in range(n_rounds):
            orders = [permutations[done, z] for z in starts]
            walks = _Walks(game, x, game.background[starts], orders)
            steps = walks.steps(function, at_rows[row], at_background[starts], batch_rows)
            tally.add_round(steps)
            if tolerance is not None and done > 0 and tally.standard_errors().max() <= tolerance:
                break
        values[row], errors[row] = tally.values(), tally.standard_errors()
    if n_starts < n_background:
        _add_up(values, errors, at_rows - base_values)
    return game.spread(values), base_values, game.spread(errors)


def walk_budget(
    n_players: int,
    n_background: int,
    *,
    n_permutations: int = N_PERMUTATIONS,
    max_evaluations: int | None,
) -> tuple[int, int]:
    """Count the background rows to start from, and the pairs of walks from each.

    Raises
    ------
    ExplanationError
        If the evaluations do not pay for the fewest pairs.
    """
    rounds = n_permutations // 2
    pair_costs = 2 * (n_players - 1)
    if max_evaluations is None or pair_costs == 0:
        return n_background, rounds
    n_pairs = max_evaluations // pair_costs
    if n_pairs < FEWEST_PAIRS:
        raise ExplanationError(
            f"max_evaluations must be at least {FEWEST_PAIRS * pair_costs} where there are "
            f"{n_players} players; got {max_evaluations}."
        )
    return min(n_pairs, n_background), max(1, min(rounds, n_pairs // n_background))


def _evaluate(function: Callable[[Array], Array], rows: Array, batch_rows: int) -> Array:
    """Call the function in batches: (n_rows, n_outputs) in float64."""
    size = max(1, min(batch_rows, BATCH_CELLS // rows.shape[1]))
    # Without a row there is still a number of outputs to learn.
    parts = [rows[start : start + size] for start in range(0, len(rows), size)] or [rows]
    outputs = [_checked(function(part), len(part)) for part in parts]
    return np.concatenate(outputs)


def _checked(outputs: ArrayLike, n_rows: int) -> Array:
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


class _Walks:
    """One round: from each start a walk to x along its permutation, and one along the reverse."""

    def __init__(self, game: Game, x: Array, starts: Array, orders: list[Permutation]) -> None:
        self._x = x
        self._starts = starts
        self._orders = [*orders, *(order[::-1] for order in orders)]
        column_players: Integers = game.position_of_columns()
        # Step at which each column switches to x, for every walk: (n_walks, n_columns).
        self._turns = np.stack([np.argsort(order)[column_players] for order in self._orders])

    def steps(
        self, function: Callable[[Array], Array], at_x: Array, at_starts: Array, batch_rows: int
    ) -> Array:
        """Average each player's steps of the two directions: (n_starts, n_players, n_outputs)."""
        n_walks, n_columns = self._turns.shape
        n_players = len(self._orders[0])
        n_between = n_players - 1
        heights = np.empty((n_walks, n_players + 1, len(at_x)))
        heights[:, 0] = np.concatenate([at_starts, at_starts])
        heights[:, -1] = at_x
        size = max(1, min(batch_rows, BATCH_CELLS // n_columns))
        for first in range(0, n_walks * n_between, size):
            place = np.arange(first, min(first + size, n_walks * n_between))
            walk, n_turned = place // n_between, place % n_between + 1
            turned = self._turns[walk] < n_turned[:, None]
            rows = np.where(turned, self._x, self._starts[walk % len(self._starts)])
            heights[walk, n_turned] = _checked(function(rows), len(rows))
        gains = np.diff(heights, axis=1)
        steps = np.zeros((len(self._starts), n_players, len(at_x)))
        for index, order in enumerate(self._orders):
            steps[index % len(self._starts), order] += gains[index] / 2
        return steps


def _add_up(values: Array, errors: Array, moved: Array) -> None:
    """Give what values lack to ``moved`` (n_rows, n_outputs) to the players, by squared error."""
    lack = moved - values.sum(axis=1)
    share = np.square(errors)
    total = share.sum(axis=1, keepdims=True)
    n_players = values.shape[1]
    even = np.full_like(share, 1 / n_players)
    values += lack[:, None, :] * np.divide(share, total, out=even, where=total > 0)
