"""The game that all kernels play: which rows, against which background, with which players.

v(S) = mean over background rows z of f(x_S, z_rest), where the columns of the players in S come
from the explained row x and all others from z. First step of an explanation: the kernels ask for a
``Game`` and get checked arrays.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smalldata.errors import ExplanationError

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Game:
    """Checked rows and players.

    Attributes
    ----------
    rows : ndarray of shape (n_rows, n_columns)
        The rows to explain.
    background : ndarray of shape (n_background, n_columns)
    n_players : int
        All players, including those without a column, whose value is 0.
    active : ndarray of shape (n_active,)
        The players that own columns, ascending.
    order : ndarray of shape (n_columns,)
        The columns, grouped by player, players ascending.
    starts : ndarray of shape (n_active,)
        Start of each active player's columns in ``order``.
    """

    rows: Array
    background: Array
    n_players: int
    active: Integers
    order: Integers
    starts: Integers

    @property
    def n_active(self) -> int:
        """Count the players that own at least one column."""
        return len(self.active)

    @property
    def single(self) -> bool:
        """Say whether every active player owns exactly one column."""
        return self.n_active == len(self.order)

    def sum_columns(self, columns: Array) -> Array:
        """Sum the last axis (n_columns) over the columns of each active player: (…, n_active)."""
        ordered = columns if self._is_sorted() else columns[..., self.order]
        if self.single:
            return ordered
        summed: Array = np.add.reduceat(ordered, self.starts, axis=-1)
        return summed

    def columns_of(self, position: int | np.integer[Any]) -> Integers:
        """Columns of the active player at a position of ``active``."""
        stop = self.starts[position + 1] if position + 1 < self.n_active else len(self.order)
        return self.order[self.starts[position] : stop]

    def position_of_columns(self) -> Integers:
        """Position in ``active`` of each column's player: (n_columns,)."""
        position = np.empty(len(self.order), dtype=np.int64)
        sizes = np.diff(self.starts, append=len(self.order))
        position[self.order] = np.repeat(np.arange(self.n_active), sizes)
        return position

    def positions_of(self, chosen: ArrayLike) -> Integers:
        """Position in ``active`` of each chosen player, -1 for one without a column: (n_chosen,).

        Raises
        ------
        ExplanationError
            If a chosen player does not exist or is chosen twice.
        """
        asked = np.asarray(chosen)
        if asked.size == 0:
            return np.empty(0, dtype=np.int64)
        distinct = asked.ndim == 1 and asked.dtype.kind in "iu" and len(set(asked)) == len(asked)
        if not distinct or asked.min() < 0 or asked.max() >= self.n_players:
            raise ExplanationError(
                f"chosen must hold different players from 0 to {self.n_players - 1}; got "
                f"{asked.tolist()}."
            )
        positions = np.searchsorted(self.active, asked)
        positions[positions == self.n_active] = 0
        found: Integers = np.where(self.active[positions] == asked, positions, -1)
        return found

    def spread(self, values: Array) -> Array:
        """Put values (…, n_active, n_outputs) on all players; those without a column get 0."""
        if self.n_active == self.n_players:
            return values
        full = np.zeros((*values.shape[:-2], self.n_players, values.shape[-1]))
        full[..., self.active, :] = values
        return full

    def _is_sorted(self) -> bool:
        return bool(np.array_equal(self.order, np.arange(len(self.order))))


def make_game(
    X: ArrayLike,
    background: ArrayLike,
    *,
    players: ArrayLike | None,
    n_players: int | None = None,
    missing: bool = False,
) -> Game:
    """Check the rows and the players of a game.

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
    background : array of shape (n_background, n_columns)
    players : array of int of shape (n_columns,) or None
        Player of each column, 0 … n_players-1; None makes each column a player.
    n_players : int or None
        How many players there are, if some own no column; None counts up to the largest in
        ``players``.
    missing : bool
        Whether NaN is a value.

    Returns
    -------
    Game

    Raises
    ------
    ExplanationError
        If shapes or the names of a data frame's columns do not fit, a value is not a number or
        infinite (or missing without ``missing``), there is no background row or no column, or a
        column has no player.
    """
    rows = finite_matrix(X, "the rows to explain", missing=missing)
    others = finite_matrix(background, "the background", missing=missing)
    _check_names(X, background)
    if rows.shape[1] != others.shape[1]:
        raise ExplanationError(
            f"rows and background must have the same columns; got {rows.shape[1]} and "
            f"{others.shape[1]}: pass both through the same preprocessing."
        )
    if len(others) == 0:
        raise ExplanationError("the background must hold at least one row; got none.")
    n_columns = rows.shape[1]
    if n_columns == 0:
        raise ExplanationError("there must be at least one column to explain; got none.")
    labels = _player_labels(players, n_columns, n_players)
    order = np.argsort(labels, kind="stable").astype(np.int64)
    active, starts = np.unique(labels[order], return_index=True)
    return Game(
        rows=rows,
        background=others,
        n_players=int(active[-1]) + 1 if n_players is None else n_players,
        active=active,
        order=order,
        starts=starts.astype(np.int64),
    )


def _check_names(X: Any, background: Any) -> None:
    """Refuse data frames whose columns are not the same ones in the same order."""
    if not (hasattr(X, "columns") and hasattr(background, "columns")):
        return
    for here, there in zip(X.columns, background.columns, strict=False):
        if here != there:
            raise ExplanationError(
                "rows and background must have the same columns in the same order; got "
                f"{here!r} where the background has {there!r}: reorder one of them."
            )


def _player_labels(players: ArrayLike | None, n_columns: int, n_players: int | None) -> Integers:
    if n_players is not None and not (isinstance(n_players, int | np.integer) and n_players >= 1):
        raise ExplanationError(f"n_players must be a whole number above 0; got {n_players!r}.")
    try:
        labels = np.arange(n_columns) if players is None else np.asarray(players)
    except ValueError:  # lists of different lengths
        raise ExplanationError(
            f"players must give one whole number per column ({n_columns}); got nested lists."
        ) from None
    if labels.shape != (n_columns,) or labels.dtype.kind not in "iu":
        raise ExplanationError(
            f"players must give one whole number per column ({n_columns}); got an array of shape "
            f"{labels.shape} and type {labels.dtype}."
        )
    labels = labels.astype(np.int64)
    if labels.min() < 0:
        raise ExplanationError(
            f"every column must belong to a player (0 or above); column {int(labels.argmin())} has "
            f"{int(labels.min())}: give the columns that never switch a player of their own."
        )
    if n_players is not None and labels.max() >= n_players:
        raise ExplanationError(
            f"players must be below n_players = {n_players}; got {int(labels.max())}."
        )
    return labels


def finite_matrix(
    values: ArrayLike,
    name: str,
    *,
    missing: bool = False,
    shape: Sequence[int | None] = (None, None),
) -> Array:
    """Read a float64 array of the given shape (None: any length) without infinities.

    Raises
    ------
    ExplanationError
        If the shape differs or a value is not a number or infinite, or missing without ``missing``.
    """
    matrix = _numbers(values, name)
    fits = matrix.ndim == len(shape) and all(
        want is None or want == got for want, got in zip(shape, matrix.shape, strict=True)
    )
    if not fits:
        letters = iter("nm")
        wanted = " x ".join(next(letters) if want is None else str(want) for want in shape)
        raise ExplanationError(f"{name} must be of shape {wanted}; got {matrix.shape}.")
    bad = np.isinf(matrix) if missing else ~np.isfinite(matrix)
    if bad.any():
        place = ", ".join(str(int(index)) for index in np.argwhere(bad)[0])
        raise ExplanationError(
            f"{name} must hold finite numbers{' or missing values' if missing else ' only'}; got "
            f"{matrix[tuple(np.argwhere(bad)[0])]} at ({place})."
        )
    return matrix


def _numbers(values: Any, name: str) -> Array:
    """Read a float64 array; neither text nor complex numbers are taken for numbers."""
    if hasattr(values, "toarray"):
        raise ExplanationError(f"{name} must be a dense table; got a sparse one: pass .toarray().")
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"values of type {array.dtype}")
        return np.ascontiguousarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ExplanationError(
            f"{name} must hold numbers in rows of one length; {error}."
        ) from None


def finite_number(value: Any, name: str, *, above: float | None = None) -> float:
    """Read one finite number.

    Raises
    ------
    ExplanationError
        If it is none, or not above ``above``.
    """
    try:
        number = math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if math.isfinite(number) and (above is None or number > above):
        return number
    bound = "finite" if above is None else f"finite and above {above:g}"
    raise ExplanationError(f"{name} must be {bound}; got {value!r}.")


def refuse_overflow(values: Array) -> Array:
    """Return values as they are.

    Raises
    ------
    ExplanationError
        If they have left the range of float64.
    """
    if not np.isfinite(values).all():
        raise ExplanationError(
            "the values must stay within float64; they do not: the columns are too large, scale "
            "them before the model is fitted."
        )
    return values
