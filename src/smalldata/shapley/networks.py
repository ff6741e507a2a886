"""Shapley values of any function, sampled along permutations in large batches, with their errors.

The kernel for networks: the function gets a few large arrays, not many small ones. Permutations
are walked in both directions (antithetic pairs, Mitchell et al. 2022, JMLR 23:1-46, section 4),
every background row equally often, so that the values add up to f(x) - mean f(z).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from smalldata.errors import ExplanationError
from smalldata.shapley.calling import (
    checked_outputs,
    evaluate_rows,
    gradient_moves,
    rows_in_batch,
    share_lack,
)
from smalldata.shapley.game import Array, Game, Integers, make_game
from smalldata.shapley.sampling import (
    FEWEST_PAIRS,
    Permutation,
    Permutations,
    Tally,
    check_sampling,
    draw_starts,
    is_known,
    looks,
    pair_budget,
)

N_PERMUTATIONS = 8
# Of two-point Gauss-Legendre quadrature on (0, 1); their weights are equal.
GAUSS_NODES = (0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5)


def permutation_values(
    function: Callable[[Array], Array],
    X: ArrayLike,
    background: ArrayLike,
    *,
    players: ArrayLike | None = None,
    n_players: int | None = None,
    n_permutations: int = N_PERMUTATIONS,
    tolerance: float | None = None,
    leading_error: float | None = None,
    max_evaluations: int | None = None,
    batch_rows: int = 8192,
    seed: int = 0,
    missing: bool = False,
    gradient: Callable[[Array], Array] | None = None,
) -> tuple[Array, Array, Array]:
    """Explain any function by walking permutations of the players from background rows to a row.

    A walk costs n_players - 1 evaluations. If ``max_evaluations`` does not pay for one pair of
    walks from each background row, pairs are walked from a random subset of them (without
    replacement, the same for all rows explained). The game stays the one over the whole
    background: what the values then lack to f(x) - mean f(z) is given to the players in
    proportion to their squared standard errors (the least-squares correction for independent
    errors), so that they still add up.

    With a gradient and at most one pair from each background row, the integral of the
    gradient along the straight line from each background row (integrated gradients, Sundararajan,
    Taly & Yan 2017) is a control variate: only the difference of the walks to it is
    sampled, and its mean over the whole background is added. The values stay unbiased; how much
    the background rows differ from each other leaves most of their error.

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
        from each background row, if the evaluations allow).
    leading_error : float, optional
        A row is done as soon as its leading players are known this well: the root mean square
        standard error of the 20 largest, as a share of their mean size. Looked at after 8 pairs
        of walks, 12, 18 …, each from another background row; what the values of a row that is done
        before all these rows have been walked from then lack to f(x) - mean f(z) is shared out as
        with a small budget.
    max_evaluations : int, optional
        Most evaluations of the function for each row, its own and the background's aside; at
        least 8 (n_players - 1). By default only ``n_permutations`` is the limit.
    batch_rows : int
        Most rows given to the function at once.
    seed : int
        Permutations depend on it, not on the rows explained.
    missing : bool
        Whether the function takes NaN.
    gradient : callable, optional
        Takes what the function takes; returns (n, n_outputs, n_columns).

    Returns
    -------
    values : ndarray of shape (n_rows, n_players, n_outputs)
        In the units of the function; they sum over players to f(x) - base_values.
    base_values : ndarray of shape (n_outputs,)
        Mean of the function over the background.
    standard_errors : ndarray of shape (n_rows, n_players, n_outputs)
        Of the sampling. With one pair or less from each background row they are taken over pairs
        of different background rows, which overstates them, with a gradient by little.

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
    check_sampling(n_permutations, tolerance, leading_error)
    if batch_rows < 1:
        raise ExplanationError(f"batch_rows must be at least 1; got {batch_rows}.")
    n_background = len(game.background)
    n_starts, n_rounds = walk_budget(
        game.n_active,
        n_background,
        n_permutations=n_permutations,
        max_evaluations=max_evaluations,
    )
    at_rows = evaluate_rows(function, game.rows, batch_rows)
    at_background = evaluate_rows(function, game.background, batch_rows)
    base_values = at_background.mean(axis=0)
    starts = draw_starts(n_starts, n_background, seed=seed)
    permutations = Permutations(seed, n_background, game.n_active)
    shape = (len(game.rows), game.n_active, at_rows.shape[1])
    values, errors = np.empty(shape), np.empty(shape)
    for row, x in enumerate(game.rows):
        lines = np.zeros((n_background, *shape[1:]))
        if gradient is not None and n_rounds == 1:
            lines = _along_lines(gradient, game, x, shape[2], batch_rows)
        between = lines.mean(axis=0)
        pairs = np.empty((n_starts, *shape[1:]))

        def walk(done: int, begun: list[int], at_x: Array = at_rows[row], x: Array = x) -> Array:
            orders = [permutations[done, z] for z in begun]
            walks = _Walks(game, x, game.background[begun], orders)
            return walks.steps(function, at_x, at_background[begun], batch_rows)

        for part in looks(n_starts, leading_error):
            begun = starts[part.start : part.stop]
            pairs[part.start : part.stop] = walk(0, begun) - lines[begun]
            tally = Tally(part.stop, *shape[1:])
            tally.add_round(pairs[: part.stop])
            known = is_known(tally.values() + between, tally.standard_errors(), leading_error)
            if known:
                break
        for done in range(1, 1 if known else n_rounds):
            tally.add_round(walk(done, starts) - lines[starts])
            error = tally.standard_errors()
            if (tolerance is not None and error.max() <= tolerance) or is_known(
                tally.values() + between, error, leading_error
            ):
                break
        values[row] = tally.values() + between
        errors[row] = tally.standard_errors()
        if part.stop < n_background:
            here = slice(row, row + 1)
            share_lack(values[here], errors[here], at_rows[here] - base_values)
    return game.spread(values), base_values, game.spread(errors)


def chosen_player_values(
    function: Callable[[Array], Array],
    X: ArrayLike,
    background: ArrayLike,
    *,
    chosen: ArrayLike,
    players: ArrayLike | None = None,
    n_permutations: int = 4,
    batch_rows: int = 8192,
    seed: int = 0,
) -> tuple[Array, Array]:
    """Sample the values of some players only, in the same game as `permutation_values`.

    Along a walk only the steps of these players are evaluated: 2 evaluations per player and walk,
    however many others there are. Nothing adds up, so nothing is corrected.

    Parameters
    ----------
    function, X, background, players, batch_rows, seed
        As in `permutation_values`.
    chosen : array of int of shape (n_chosen,)
        Players that own columns.
    n_permutations : int
        Walked for each row and background row: even and at least 4.

    Returns
    -------
    values : ndarray of shape (n_rows, n_chosen, n_outputs)
    standard_errors : ndarray of shape (n_rows, n_chosen, n_outputs)

    Raises
    ------
    ExplanationError
        As in `permutation_values`, or if a chosen player owns no column.

    Examples
    --------
    >>> values, errors = chosen_player_values(
    ...     lambda rows: rows.sum(axis=1), [[1.0, 2.0]], [[0.0, 0.0]], chosen=[1])
    >>> values[0, :, 0].tolist(), errors.max().item()
    ([2.0], 0.0)
    """
    game = make_game(X, background, players=players)
    check_sampling(n_permutations, None)
    wanted = np.asarray(chosen)
    if not np.isin(wanted, game.active).all():
        raise ExplanationError(
            f"chosen players must own columns; got {wanted.tolist()}, of which "
            f"{wanted[~np.isin(wanted, game.active)].tolist()} own none."
        )
    places = np.searchsorted(game.active, wanted)
    n_background = len(game.background)
    permutations = Permutations(seed, n_background, game.n_active)
    values, errors = [], []
    for x in game.rows:
        tally: Tally | None = None
        for done in range(n_permutations // 2):
            orders = [permutations[done, z] for z in range(n_background)]
            walks = _Walks(game, x, game.background, orders)
            steps = walks.steps_of(places, function, batch_rows)
            tally = tally or Tally(*steps.shape)
            tally.add_round(steps)
        assert tally is not None
        values.append(tally.values())
        errors.append(tally.standard_errors())
    return np.array(values), np.array(errors)


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
    pair_costs = 2 * (n_players - 1)
    if max_evaluations is None or pair_costs == 0:
        return n_background, n_permutations // 2
    n_pairs = max_evaluations // pair_costs
    if n_pairs < FEWEST_PAIRS:
        raise ExplanationError(
            f"max_evaluations must be at least {FEWEST_PAIRS * pair_costs} where there are "
            f"{n_players} players; got {max_evaluations}."
        )
    return pair_budget(n_background, n_permutations=n_permutations, most=n_pairs)


def _along_lines(
    gradient: Callable[[Array], Array], game: Game, x: Array, n_outputs: int, batch_rows: int
) -> Array:
    """Integrate the gradient along the line from each background row to x, by two Gauss nodes."""
    n_background = len(game.background)
    moves = [
        gradient_moves(gradient, game, x, np.full(n_background, node), n_outputs, batch_rows)
        for node in GAUSS_NODES
    ]
    mean: Array = np.mean(moves, axis=0)
    return mean


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
        size = rows_in_batch(n_columns, batch_rows)
        for first in range(0, n_walks * n_between, size):
            place = np.arange(first, min(first + size, n_walks * n_between))
            walk, n_turned = place // n_between, place % n_between + 1
            turned = self._turns[walk] < n_turned[:, None]
            rows = np.where(turned, self._x, self._starts[walk % len(self._starts)])
            heights[walk, n_turned] = checked_outputs(function(rows), len(rows))
        gains = np.diff(heights, axis=1)
        steps = np.zeros((len(self._starts), n_players, len(at_x)))
        for index, order in enumerate(self._orders):
            steps[index % len(self._starts), order] += gains[index] / 2
        return steps

    def steps_of(
        self, places: Integers, function: Callable[[Array], Array], batch_rows: int
    ) -> Array:
        """Average some players' steps of the two directions: (n_starts, n_places, n_outputs)."""
        n_walks, n_columns = self._turns.shape
        # Step at which each of these players switches: (n_walks, n_places).
        own = np.stack([np.argsort(order)[places] for order in self._orders])
        n_steps = n_walks * len(places)
        gains = []
        size = rows_in_batch(2 * n_columns, batch_rows)
        for first in range(0, n_steps, size):
            place = np.arange(first, min(first + size, n_steps))
            walk = place // len(places)
            start, turn = self._starts[walk % len(self._starts)], own.reshape(-1, 1)[place]
            before = np.where(self._turns[walk] < turn, self._x, start)
            after = np.where(self._turns[walk] <= turn, self._x, start)
            heights = checked_outputs(function(np.vstack([before, after])), 2 * len(place))
            gains.append(heights[len(place) :] - heights[: len(place)])
        both = np.concatenate(gains).reshape(2, len(self._starts), len(places), -1)
        mean: Array = both.mean(axis=0)
        return mean
