"""Kernel machines on very wide tables: the leading players one by one, all others as one.

A kernel reads rows only through distances or products, so the columns of all other players are
replaced by as many coordinates as there are rows, with the same distances and products. The game
with the others as one player is then played exactly. Which players lead, and how the joint value of
the others is shared among them, comes from the slope half-way between a row and background rows.
"""

from dataclasses import dataclass, replace

import numpy as np

from smalldata.learner import Array, KernelForm
from smalldata.shapley.game import Integers, make_game

MOST_STEPS = 3e10
"""Players x rows x background rows x support rows that are explained one by one: about a minute."""

LEADING_STEPS = 2e9
"""As many where that is too much."""

FEWEST_LEADING = 50

N_SLOPES = 4
"""Background rows that the slopes of a row are taken towards."""


def leading_players(form: KernelForm, X: Array, Z: Array, labels: Integers) -> int:
    """Return how many players are explained one by one; 0: all of them."""
    each = len(X) * len(Z) * len(form.support)
    n_players = int(labels.max()) + 1
    n_leading = max(FEWEST_LEADING, int(LEADING_STEPS / max(each, 1)))
    if each * n_players <= MOST_STEPS or n_players <= n_leading + 1:
        return 0
    return n_leading


@dataclass(frozen=True, kw_only=True, eq=False)
class Merged:
    """The same machine and rows, with all but some players as one, the last.

    Attributes
    ----------
    form : KernelForm
    X, Z : ndarray of shape (n_rows, n_kept_columns)
    labels : ndarray of shape (n_kept_columns,)
        The chosen players are 0, 1, … in their order.
    """

    form: KernelForm
    X: Array
    Z: Array
    labels: Integers


def merge_others(
    form: KernelForm, X: Array, Z: Array, *, labels: Integers, chosen: Integers
) -> Merged:
    """Make all players that are not chosen one player, whose columns are few coordinates."""
    place = np.full(int(labels.max()) + 1, -1)
    place[chosen] = np.arange(len(chosen))
    of_column = place[labels]
    kept, others = np.flatnonzero(of_column >= 0), of_column < 0
    tables = (X, Z, form.support)
    ends = np.cumsum([0, *(len(table) for table in tables)])
    gram = np.empty((ends[-1], ends[-1]))
    parts = [table[:, others] for table in tables]
    for i, rows in enumerate(parts):
        for j, columns in enumerate(parts):
            gram[ends[i] : ends[i + 1], ends[j] : ends[j + 1]] = rows @ columns.T
    sizes, axes = np.linalg.eigh(gram)
    coordinates = axes * np.sqrt(np.maximum(sizes, 0.0))
    x, z, support = (
        np.hstack([table[:, kept], coordinates[ends[i] : ends[i + 1]]])
        for i, table in enumerate(tables)
    )
    return Merged(
        form=replace(form, support=support),
        X=x,
        Z=z,
        labels=np.concatenate([of_column[kept], np.full(len(gram), len(chosen))]),
    )


def first_order(form: KernelForm, X: Array, Z: Array, labels: Integers) -> Array:
    """Estimate each player's value from slopes: (n_rows, n_players, n_outputs)."""
    game = make_game(X, Z, players=labels)
    towards = Z[np.linspace(0, len(Z) - 1, min(N_SLOPES, len(Z))).astype(np.int64)]
    found = np.zeros((len(X), len(form.coef), game.n_active))
    for row, x in enumerate(X):
        way = x - towards
        for output, coef in enumerate(form.coef):
            moves = way * _slopes(form, towards + way / 2, coef)
            found[row, output] = game.sum_columns(moves.mean(axis=0))
    return found.transpose(0, 2, 1)


def share_rest(first: Array, chosen: Integers, values: Array) -> Array:
    """Return values of all players: those chosen, and the others' joint value shared out.

    Parameters
    ----------
    first : ndarray of shape (n_rows, n_players, n_outputs)
        As `first_order` gives them; changed in place.
    chosen : ndarray of shape (n_chosen,)
    values : ndarray of shape (n_rows, n_chosen + 1, n_outputs)
        The last is the joint value. What the first-order values of the others lack to it is given
        to them in proportion to their squares.
    """
    first[:, chosen] = 0.0
    squares = np.square(first)
    total = squares.sum(axis=1, keepdims=True)
    lack = values[:, -1:] - first.sum(axis=1, keepdims=True)
    n_others = first.shape[1] - len(chosen)
    even = np.full_like(squares, 1 / n_others)
    even[:, chosen] = 0.0
    first += lack * np.divide(squares, total, out=even, where=total > 0)
    first[:, chosen] = values[:, :-1]
    return first


def _slopes(form: KernelForm, points: Array, coef: Array) -> Array:
    """Return the derivative of one output by each column: (n_points, n_columns)."""
    products = points @ form.support.T
    if form.kernel == "poly":
        inner = (form.gamma * products + form.coef0) ** (form.degree - 1)
        return np.asarray(form.gamma * form.degree * (inner * coef) @ form.support)
    sizes = [np.einsum("ij,ij->i", table, table) for table in (points, form.support)]
    squares = np.maximum(sizes[0][:, None] + sizes[1] - 2 * products, 0.0)
    pull = np.exp(-form.gamma * squares) * coef
    return np.asarray(
        2 * form.gamma * (pull @ form.support - pull.sum(axis=1, keepdims=True) * points)
    )
