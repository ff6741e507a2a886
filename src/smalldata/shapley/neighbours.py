"""Shapley values of nearest neighbours, sampled along permutations, with their standard errors.

Walking from a background row z to a row x one player at a time changes the distance to each
training row by one known term, so that a whole permutation costs O(n_players * n_train) and no
call of a model. Each permutation is walked in both directions (antithetic pairs, Mitchell et al.
2022, JMLR 23:1-46, section 4), and every background row is walked equally often: the values add up
to f(x) - mean f(z) whatever was drawn. Rows are walked in blocks, which share the work for a
background row.
"""

import numpy as np
from numpy.typing import ArrayLike

from smalldata.errors import ExplanationError
from smalldata.runtime.compiling import compiled
from smalldata.shapley.calling import share_lack
from smalldata.shapley.game import Array, Game, finite_matrix, make_game
from smalldata.shapley.sampling import (
    Permutation,
    Permutations,
    Tally,
    check_sampling,
    draw_starts,
    is_known,
    looks,
    pair_budget,
)
from smalldata.shapley.votes import METRICS, find_nearest, vote_at, vote_near

Ends = dict[int, Array]
# Most bytes of the background rows' distances to the training rows that are kept, and most that a
# block of rows walked at once may take; the rest is computed again for every block.
KEPT_BYTES = 256_000_000


def knn_values(
    X: ArrayLike,
    background: ArrayLike,
    *,
    train: ArrayLike,
    targets: ArrayLike,
    n_neighbors: int,
    weights: str,
    metric: str = "euclidean",
    players: ArrayLike | None = None,
    n_players: int | None = None,
    n_permutations: int = 8,
    tolerance: float | None = None,
    leading_error: float | None = None,
    max_pairs: int | None = None,
    seed: int = 0,
) -> tuple[Array, Array, Array]:
    """Explain the weighted mean of ``targets`` over the nearest training rows.

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
        Rows to explain.
    background : array of shape (n_background, n_columns)
        Rows the absent players are taken from.
    train : array of shape (n_train, n_columns)
    targets : array of shape (n_train, n_outputs)
        One-hot votes, or values.
    n_neighbors : int
        1 … n_train. Among training rows at equal distance the earlier one is nearer.
    weights : {"uniform", "distance"}
        As in scikit-learn: 1, or 1 / distance; rows at distance 0 then get all the weight.
    metric : {"euclidean", "manhattan", "cosine"}
    players : array of int of shape (n_columns,), optional
        Player of each column; by default each column is one.
    n_players : int, optional
        How many players there are, if some own no column.
    n_permutations : int
        Most permutations walked for each row and background row: even, since each is walked both
        ways, and at least 4, since fewer have no standard error.
    tolerance : float, optional
        A row is done as soon as all its standard errors are at most this (at least 4 permutations
        in any case). By default all permutations are walked.
    leading_error : float, optional
        A row is done as soon as its leading players are known this well; see `permutation_values`.
    max_pairs : int, optional
        Most antithetic pairs of walks for each row, at least 4. If that is too few for one from
        each background row, pairs are walked from a random subset of these; the game stays the one
        over all of them, see `permutation_values`.
    seed : int
        Permutations depend on it and on the background row's position, not on the rows explained.

    Returns
    -------
    values : ndarray of shape (n_rows, n_players, n_outputs)
        In the units of the targets; they sum over players to f(x) - base_values.
    base_values : ndarray of shape (n_outputs,)
        Mean of f over the background.
    standard_errors : ndarray of shape (n_rows, n_players, n_outputs)
        Of the sampling of permutations, from their spread within each background row.

    Raises
    ------
    ExplanationError
        If shapes do not fit, a value is missing or infinite, or a setting is out of range.

    Examples
    --------
    >>> values, base, errors = knn_values(
    ...     [[1.0, 0.0]], [[0.0, 0.0]], train=[[0.0, 0.0], [1.0, 0.0]], targets=[[0.0], [1.0]],
    ...     n_neighbors=1, weights="uniform")
    >>> values[0, :, 0].tolist(), base.tolist(), errors.max().item()
    ([1.0, 0.0], [0.0], 0.0)
    """
    game = make_game(X, background, players=players, n_players=n_players)
    known = finite_matrix(train, "train", shape=(None, game.rows.shape[1]))
    votes = finite_matrix(targets, "targets", shape=(len(known), None))
    _check_settings(n_neighbors, len(known), weights, metric)
    check_sampling(n_permutations, tolerance, leading_error)
    n_background = len(game.background)
    n_starts, n_rounds = pair_budget(n_background, n_permutations=n_permutations, most=max_pairs)
    starts = draw_starts(n_starts, n_background, seed=seed)
    grid = _grid(game, known, metric)
    kept: dict[int, tuple[Array, Array]] = {}
    terms_bytes = 8 * (game.n_active + 1) * len(grid)

    def origin(z: int) -> tuple[Array, Array]:
        if z in kept:
            return kept[z]
        terms = _terms(game, game.background[z], known, metric, grid)
        found = terms, terms.sum(axis=0)
        if len(kept) < KEPT_BYTES // terms_bytes:
            kept[z] = found
        return found

    permutations = Permutations(seed, n_background, game.n_active)
    shape = (len(game.rows), game.n_active, votes.shape[1])
    values, errors, at_rows = np.empty(shape), np.empty(shape), np.empty((shape[0], shape[2]))
    settings = (votes, n_neighbors, weights == "distance", METRICS.index(metric))
    row_bytes = terms_bytes + 3 * 8 * n_starts * shape[1] * shape[2]
    n_walked = np.zeros(shape[0], dtype=np.int64)
    n_block = max(1, KEPT_BYTES // row_bytes)
    for first in range(0, shape[0], n_block):
        block = range(first, min(first + n_block, shape[0]))
        ends = {row: _terms(game, game.rows[row], known, metric, grid) for row in block}
        pairs = {row: np.empty((n_starts, *shape[1:])) for row in block}

        def walk(
            walked: list[int], done: int, part: range, ends: Ends = ends, pairs: Ends = pairs
        ) -> None:
            for place in part:
                terms, start = origin(starts[place])
                order = permutations[done, starts[place]]
                for row in walked:
                    _walk_pair(terms, start, ends[row], order, *settings, pairs[row][place])

        tallies: dict[int, Tally] = {}
        walked = list(block)
        for part in looks(n_starts, leading_error):
            walk(walked, 0, part)
            for row in walked:
                tallies[row] = Tally(part.stop, *shape[1:])
                tallies[row].add_round(pairs[row][: part.stop])
                n_walked[row] = part.stop
            walked = [row for row in walked if not _is_done(tallies[row], None, leading_error)]
        for done in range(1, n_rounds):
            walk(walked, done, range(n_starts))
            for row in walked:
                tallies[row].add_round(pairs[row])
            walked = [row for row in walked if not _is_done(tallies[row], tolerance, leading_error)]
        for row in block:
            values[row], errors[row] = tallies[row].values(), tallies[row].standard_errors()
            at_rows[row] = vote_at(ends[row].sum(axis=0), *settings)
    base_values = np.zeros(votes.shape[1])
    for z in range(n_background):
        base_values += vote_at(origin(z)[1], *settings)
    base_values /= n_background
    for row in np.flatnonzero(n_walked < n_background).tolist():
        here = slice(row, row + 1)
        share_lack(values[here], errors[here], at_rows[here] - base_values)
    return game.spread(values), base_values, game.spread(errors)


def _is_done(tally: Tally, tolerance: float | None, leading_error: float | None) -> bool:
    error = tally.standard_errors()
    if tolerance is not None and error.max() <= tolerance:
        return True
    return is_known(tally.values(), error, leading_error)


def _check_settings(n_neighbors: int, n_train: int, weights: str, metric: str) -> None:
    whole = isinstance(n_neighbors, int | np.integer)
    if not (whole and 1 <= n_neighbors <= n_train):
        raise ExplanationError(f"n_neighbors must be in 1 … {n_train}; got {n_neighbors!r}.")
    if weights not in ("uniform", "distance"):
        raise ExplanationError(f"weights must be uniform or distance; got {weights!r}.")
    if metric not in METRICS:
        raise ExplanationError(
            f"neighbours are explained for {', '.join(METRICS)}; got metric {metric!r}."
        )


def _raw_terms(game: Game, x: Array, known: Array, metric: str) -> Array:
    """Each player's share of the distance of a row to the training rows: (n_active, n_terms).

    Squared differences (euclidean), absolute differences (manhattan), or -x t / |t| (cosine, with
    the share of |x|^2 in one more column).
    """
    return np.ascontiguousarray(game.sum_columns(_column_terms(x, known, metric)).T)


def _column_terms(x: Array, known: Array, metric: str) -> Array:
    """Each column's share of the distances of `_raw_terms`: (n_terms, n_columns)."""
    if metric == "euclidean":
        return np.square(x - known)
    if metric == "manhattan":
        return np.abs(x - known)
    lengths = np.sqrt(np.square(known).sum(axis=1, keepdims=True))
    by_column = -x * (known / np.where(lengths > 0, lengths, 1.0))
    return np.vstack([by_column, np.square(x)])


def _grid(game: Game, known: Array, metric: str) -> Array:
    """Step to which the terms of each training row are rounded, a power of 2: (n_terms,).

    Sums of multiples of one power of 2 are exact in float64 while they stay below 2^53 steps.
    So distances do not drift along a walk, and equal ones stay equal in any order of their
    terms. The step is 2^-50 of the largest distance within background and training rows.
    """
    largest: float | Array = 0.0
    for z in game.background:
        largest = np.maximum(largest, np.abs(_column_terms(z, known, metric)).sum(axis=1))
    reach = np.broadcast_to(largest, (len(known) + (metric == "cosine"),)).copy()
    reach[: len(known)] = reach[: len(known)].max()
    steps: Array = np.exp2(np.ceil(np.log2(np.where(reach > 0, reach, 1.0))) - 50)
    return steps


def _terms(game: Game, x: Array, known: Array, metric: str, grid: Array) -> Array:
    """Terms of ``_raw_terms`` as multiples of the grid; a term above 0 stays above 0."""
    raw = _raw_terms(game, x, known, metric)
    terms: Array = np.rint(raw / grid) * grid
    if metric == "cosine":
        return terms
    return np.where((raw > 0) & (terms == 0), grid, terms)


@compiled
def _walk_pair(
    origin: Array,
    start: Array,
    end: Array,
    permutation: Permutation,
    votes: Array,
    n_neighbors: int,
    by_distance: bool,
    metric: int,
    pair: Array,
) -> None:
    """Walk from z to x along a permutation and along its reverse; ``pair`` gets the mean steps.

    ``origin`` and ``end`` (n_players, n_terms) are the terms of z and of x, ``start`` (n_terms,)
    those of z in sum; ``pair`` (n_players, n_outputs) is overwritten.
    """
    n_players, n_terms = origin.shape
    n_train, n_outputs = votes.shape
    distance = np.empty(n_terms)
    nearest = np.empty(n_neighbors, dtype=np.int64)
    candidates = np.empty(n_train + 1, dtype=np.int64)
    away = np.empty(n_train + 1)
    before = np.empty(n_outputs)
    after = np.empty(n_outputs)
    find_nearest(start, np.inf, nearest, candidates, away)
    first = nearest.copy()
    vote = np.empty(n_outputs)
    vote_near(start, nearest, votes, by_distance, metric, away, vote)
    pair[:] = 0.0
    for direction in range(2):
        distance[:] = start
        nearest[:] = first
        before[:] = vote
        for step in range(n_players):
            p = permutation[step if direction == 0 else n_players - 1 - step]
            # The former neighbours bound the distance of the new ones from above.
            limit = -np.inf
            for j in range(n_neighbors):
                i = nearest[j]
                limit = max(limit, distance[i] + (end[p, i] - origin[p, i]))
            n_within = 0
            for i in range(n_train):
                moved = distance[i] + (end[p, i] - origin[p, i])
                distance[i] = moved
                n_within += moved <= limit
            for i in range(n_train, n_terms):
                distance[i] += end[p, i] - origin[p, i]
            changed = False
            if n_within > n_neighbors:
                changed = find_nearest(distance, limit, nearest, candidates, away)
            if not (changed or by_distance):
                continue
            vote_near(distance, nearest, votes, by_distance, metric, away, after)
            for k in range(n_outputs):
                pair[p, k] += (after[k] - before[k]) / 2
                before[k] = after[k]
