"""What the sampled kernels share: seeded permutations, and the tally of antithetic pairs."""

import math

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ExplanationError
from smalldata.shapley.game import Array

Permutation = NDArray[np.int32]
FEWEST_PERMUTATIONS = 4
# Fewest antithetic pairs of one explained row: a spread over fewer says too little about the error.
FEWEST_PAIRS = 4
# Leading players of a row that a relative error is about.
N_LEADING = 20
# Starts that are walked before the first look at that error, and by how much more before the next.
FIRST_LOOK, LATER_LOOK = 8, 1.5


def check_sampling(
    n_permutations: int, tolerance: float | None, leading_error: float | None = None
) -> None:
    """Refuse a number of permutations without antithetic pairs or without a standard error.

    Raises
    ------
    ExplanationError
        If ``n_permutations`` is odd or below 4, or a bound of the error is not above 0.
    """
    if n_permutations < FEWEST_PERMUTATIONS or n_permutations % 2:
        raise ExplanationError(
            f"n_permutations must be even and at least {FEWEST_PERMUTATIONS}; got {n_permutations}."
        )
    for name, value in (("tolerance", tolerance), ("leading_error", leading_error)):
        if value is not None and not value > 0:
            raise ExplanationError(f"{name} must be above 0, or None; got {value}.")


def pair_budget(n_background: int, *, n_permutations: int, most: int | None) -> tuple[int, int]:
    """Count the background rows to start from and the pairs of walks from each.

    Parameters
    ----------
    n_background : int
    n_permutations : int
        Walked from each background row, counting both directions, if the budget pays for all.
    most : int or None
        Pairs of walks of one explained row; None: without limit.

    Raises
    ------
    ExplanationError
        If the budget is below `FEWEST_PAIRS`.
    """
    if most is None:
        return n_background, n_permutations // 2
    if most < FEWEST_PAIRS:
        raise ExplanationError(f"max_pairs must be at least {FEWEST_PAIRS}, or None; got {most}.")
    return min(most, n_background), max(1, min(n_permutations // 2, most // n_background))


def looks(n_starts: int, leading_error: float | None) -> list[range]:
    """Cut the walks' starts into parts after which a row may be done; one part without an error."""
    if leading_error is None:
        return [range(n_starts)]
    ends = [min(FIRST_LOOK, n_starts)]
    while ends[-1] < n_starts:
        ends.append(min(math.ceil(ends[-1] * LATER_LOOK), n_starts))
    return [range(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def is_known(values: Array, errors: Array, leading_error: float | None) -> bool:
    """Return whether a row's leading players are known well enough.

    Parameters
    ----------
    values, errors : ndarray of shape (n_players, n_outputs)
    leading_error : float or None
        Most that the root mean square error of the `N_LEADING` largest players may be, as a share
        of their mean size; None: nothing is enough.
    """
    if leading_error is None:
        return False
    sizes = np.abs(values).mean(axis=1)
    leading = np.argsort(-sizes, kind="stable")[:N_LEADING]
    typical = float(np.sqrt(np.square(errors[leading]).mean()))
    return typical <= leading_error * float(sizes[leading].mean())


def draw_starts(n_starts: int, n_background: int, *, seed: int) -> list[int]:
    """Draw the background rows that walks start from, without replacement, in random order."""
    chosen = np.random.default_rng([seed, n_background]).permutation(n_background)
    starts: list[int] = chosen[:n_starts].tolist()
    return starts


class Permutations:
    """Permutations of the players, one for each background row and round, whatever is explained."""

    def __init__(self, seed: int, n_background: int, n_players: int) -> None:
        self._seed = seed
        self._n_background = n_background
        self._n_players = n_players
        self._rounds: list[list[Permutation]] = []

    def __getitem__(self, place: tuple[int, int]) -> Permutation:
        """Permutation of (round, background row)."""
        wanted, z = place
        while len(self._rounds) <= wanted:
            generator = np.random.default_rng([self._seed, len(self._rounds)])
            drawn = [
                generator.permutation(self._n_players).astype(np.int32)
                for _ in range(self._n_background)
            ]
            self._rounds.append(drawn)
        return self._rounds[wanted][z]


class Tally:
    """Sums of antithetic pairs of one explained row, kept apart by background row.

    Every background row gets equally many pairs, so that the mean over pairs is the mean over
    background rows and adds up to f(x) - mean f(z) by telescoping.
    """

    def __init__(self, n_background: int, n_players: int, n_outputs: int) -> None:
        self._sums = np.zeros((n_background, n_players, n_outputs))
        self._squares = np.zeros((n_players, n_outputs))
        self._n_rounds = 0

    def add_round(self, pairs: Array) -> None:
        """Add one pair for each background row: (n_background, n_players, n_outputs)."""
        self._sums += pairs
        self._squares += np.square(pairs).sum(axis=0)
        self._n_rounds += 1

    def values(self) -> Array:
        """Mean over all pairs: (n_players, n_outputs)."""
        mean: Array = self._sums.mean(axis=0) / self._n_rounds
        return mean

    def standard_errors(self) -> Array:
        """Estimate the standard errors of ``values``: (n_players, n_outputs).

        With two or more rounds the spread is taken within background rows, because these are all
        used and not sampled. After one round it is the spread over pairs of different
        background rows, which overstates the error.
        """
        n_background = len(self._sums)
        n_pairs = n_background * self._n_rounds
        if self._n_rounds > 1:
            explained = np.square(self._sums).sum(axis=0) / self._n_rounds
            degrees = n_background * (self._n_rounds - 1)
        else:
            explained = np.square(self._sums.sum(axis=0)) / n_background
            degrees = max(1, n_background - 1)
        spread = np.maximum(self._squares - explained, 0.0) / degrees
        # For a player that never moves the function, rounding must not count as spread.
        spread[spread < 1e-14 * self._squares / n_pairs] = 0.0
        errors: Array = np.sqrt(spread / n_pairs)
        return errors
