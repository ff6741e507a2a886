"""Brute force over all coalitions: what every Shapley kernel is checked against."""

import math

import numpy as np


def brute_force(function, X, background, players=None):
    """Values (n_rows, n_players, n_outputs) and base values, from all 2^n_players coalitions.

    ``function`` takes (n, n_columns) and returns (n, n_outputs) in float64.
    """
    X, background = np.asarray(X, dtype=float), np.asarray(background, dtype=float)
    players = np.arange(X.shape[1]) if players is None else np.asarray(players)
    n_players = int(players.max()) + 1
    worth = {}
    for coalition in range(2**n_players):
        present = ((coalition >> players) & 1).astype(bool)
        worth[coalition] = np.stack(
            [function(np.where(present, x, background)).mean(axis=0) for x in X]
        )
    values = np.zeros((len(X), n_players, worth[0].shape[1]))
    for coalition, before in worth.items():
        size = coalition.bit_count()
        weight = 1 / (n_players * math.comb(n_players - 1, size)) if size < n_players else 0
        for player in range(n_players):
            if not coalition >> player & 1:
                values[:, player] += weight * (worth[coalition | 1 << player] - before)
    return values, worth[0][0]


def add_up(values, base_values, outputs):
    """Largest error of sum over players = f(x) - base value."""
    return np.abs(values.sum(axis=1) - (outputs - base_values)).max()
