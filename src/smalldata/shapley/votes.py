"""The vote of the nearest training rows at given distances: compiled, for one row at a time.

Used by the walks to nearest neighbours and by what switches groups of columns.
"""

import numpy as np

from smalldata.runtime.compiling import compiled
from smalldata.shapley.game import Array, Integers

METRICS = ("euclidean", "manhattan", "cosine")
"""Distances are squared (euclidean), absolute, or -x t / |t| with |x|^2 as one term more."""


@compiled
def find_nearest(
    distance: Array, limit: float, nearest: Integers, candidates: Integers, away: Array
) -> bool:
    """Put the nearest training rows, ascending, into ``nearest``; return whether they changed.

    At least as many as requested must be at most ``limit`` away. ``candidates`` and ``away``
    (n_train + 1,) are room to work in.
    """
    n_neighbors = len(nearest)
    count = 0
    for i in range(len(candidates) - 1):
        candidates[count] = i
        count += distance[i] <= limit
    for j in range(count):
        away[j] = distance[candidates[j]]
    if count > n_neighbors + 16:
        limit = np.partition(away[:count], n_neighbors - 1)[n_neighbors - 1]
        kept = 0
        for j in range(count):
            candidates[kept] = candidates[j]
            away[kept] = away[j]
            kept += away[j] <= limit
        count = kept
    while count > n_neighbors:
        worst = 0
        farthest = away[0]
        for j in range(1, count):
            # Of equally distant rows the last in training order goes first.
            if away[j] >= farthest:
                farthest = away[j]
                worst = j
        count -= 1
        for j in range(worst, count):
            candidates[j] = candidates[j + 1]
            away[j] = away[j + 1]
    changed = False
    for j in range(n_neighbors):
        changed = changed or nearest[j] != candidates[j]
        nearest[j] = candidates[j]
    return changed


@compiled
def vote_near(
    distance: Array,
    nearest: Integers,
    votes: Array,
    by_distance: bool,
    metric: int,
    weights: Array,
    vote: Array,
) -> None:
    """Average the neighbours' votes by 1 / distance; all weight goes to those at distance 0.

    ``weights`` is room to work in.
    """
    n_neighbors = len(nearest)
    if by_distance:
        for j in range(n_neighbors):
            weights[j] = distance[nearest[j]]
        if metric == 0:
            for j in range(n_neighbors):
                weights[j] = np.sqrt(max(weights[j], 0.0))
        elif metric == 2:
            length = np.sqrt(max(distance[len(votes)], 0.0))
            shrink = 1.0 / length if length > 0 else 0.0
            for j in range(n_neighbors):
                weights[j] = 1.0 + weights[j] * shrink
                # The cosine of a row with itself is 1 only up to rounding.
                if weights[j] < 1e-14:
                    weights[j] = 0.0
        met = 0
        for j in range(n_neighbors):
            met += weights[j] <= 0
        if met == 0:
            for j in range(n_neighbors):
                weights[j] = 1.0 / weights[j]
        else:
            for j in range(n_neighbors):
                weights[j] = 1.0 if weights[j] <= 0 else 0.0
    else:
        weights[:n_neighbors] = 1.0
    total = 0.0
    for j in range(n_neighbors):
        total += weights[j]
    for k in range(votes.shape[1]):
        share = 0.0
        for j in range(n_neighbors):
            share += weights[j] * votes[nearest[j], k]
        vote[k] = share / total


@compiled
def vote_at(
    distance: Array, votes: Array, n_neighbors: int, by_distance: bool, metric: int
) -> Array:
    """Predict from the distances of one row."""
    nearest = np.empty(n_neighbors, dtype=np.int64)
    away = np.empty(len(votes) + 1)
    vote = np.empty(votes.shape[1])
    find_nearest(distance, np.inf, nearest, np.empty(len(votes) + 1, dtype=np.int64), away)
    vote_near(distance, nearest, votes, by_distance, metric, away, vote)
    return vote
