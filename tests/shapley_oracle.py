"""Brute force over all coalitions: what every Shapley kernel is checked against."""

import math

import numpy as np


def worth_of_coalitions(function, X, background, players):
    """Worth (2^n_players, n_rows, n_outputs); bit p of a coalition's number says p is present.

    ``function`` takes (n, n_columns) and returns (n, n_outputs) in float64.
    """
    X, background = np.asarray(X, dtype=float), np.asarray(background, dtype=float)
    worth = []
    for coalition in range(2 ** (int(players.max()) + 1)):
        present = ((coalition >> players) & 1).astype(bool)
        worth.append([function(np.where(present, x, background)).mean(axis=0) for x in X])
    return np.array(worth)


def brute_force(function, X, background, players=None):
    """Values (n_rows, n_players, n_outputs) and base values, from all 2^n_players coalitions."""
    players = np.arange(np.shape(X)[1]) if players is None else np.asarray(players)
    n_players = int(players.max()) + 1
    worth = worth_of_coalitions(function, X, background, players)
    values = np.zeros((worth.shape[1], n_players, worth.shape[2]))
    for coalition, before in enumerate(worth):
        size = coalition.bit_count()
        weight = 1 / (n_players * math.comb(n_players - 1, size)) if size < n_players else 0
        for player in range(n_players):
            if not coalition >> player & 1:
                values[:, player] += weight * (worth[coalition | 1 << player] - before)
    return values, worth[0][0]


def brute_force_interactions(function, X, background, players=None):
    """Shapley interaction index of every pair (n_rows, n_players, n_players, n_outputs).

    sum over S of |S|! (d-|S|-2)! / (d-1)! (v(S+i+j) - v(S+i) - v(S+j) + v(S)); 0 on the diagonal.
    """
    players = np.arange(np.shape(X)[1]) if players is None else np.asarray(players)
    n_players = int(players.max()) + 1
    worth = worth_of_coalitions(function, X, background, players)
    coalitions = np.arange(len(worth))
    sizes = np.array([coalition.bit_count() for coalition in range(len(worth))])
    values = np.zeros((worth.shape[1], n_players, n_players, worth.shape[2]))
    for i in range(n_players):
        for j in range(i):
            first, second = 1 << i, 1 << j
            without = coalitions[(coalitions & (first | second)) == 0]
            weights = [1 / ((n_players - 1) * math.comb(n_players - 2, s)) for s in sizes[without]]
            change = worth[without | first | second] - worth[without | first]
            change += worth[without] - worth[without | second]
            values[:, i, j] = values[:, j, i] = np.tensordot(weights, change, axes=1)
    return values


def add_up(values, base_values, outputs):
    """Largest error of sum over players = f(x) - base value."""
    return np.abs(values.sum(axis=1) - (outputs - base_values)).max()
