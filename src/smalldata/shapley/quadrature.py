"""Gauss-Legendre rules for the diagonal integral of a product, with a proven bound of their error.

What the kernels of ``product`` and ``product_interactions`` share: which rules there are, and how
many nodes one product of factors needs.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.polynomial.legendre import leggauss

from smalldata.compiling import compiled
from smalldata.shapley.game import Array, Integers

# Below this the error bound is not asked to go: with 50 digits it can no longer be met in float64.
SMALLEST_TOLERANCE = 1e-30
N_RHO = 20


@lru_cache(maxsize=32)
def rules(n_players: int) -> tuple[Array, Array, Integers, Integers]:
    """Gauss-Legendre rules on [0, 1] up to the one that is exact for this many players.

    Returns
    -------
    nodes, weights : ndarray
        All rules one after the other.
    sizes : ndarray of shape (n_rules,)
        Nodes of each rule, ascending; the last one suffices for any factors.
    starts : ndarray of shape (n_rules,)
    """
    exact = (n_players + 1) // 2
    # With every factor's ratio at its worst the bound needs about sqrt(n_players * log(1 /
    # tolerance) / 4) nodes.
    enough = 8 + math.ceil(math.sqrt(n_players * -math.log(SMALLEST_TOLERANCE) / 3))
    largest = max(1, min(exact, enough))
    sizes = [1]
    while sizes[-1] < largest:
        sizes.append(min(largest, max(sizes[-1] + 1, int(sizes[-1] * 1.15))))
    each = [leggauss(size) for size in sizes]
    nodes = np.concatenate([(rule[0] + 1) / 2 for rule in each])
    weights = np.concatenate([rule[1] / 2 for rule in each])
    counts = np.array(sizes, dtype=np.int64)
    return nodes, weights, counts, np.cumsum(counts) - counts


@compiled
def n_nodes(
    largest: float,
    drift: float,
    total: float,
    squares: float,
    steepest: float,
    n_players: int,
    n_taken: int,
    allowed: float,
) -> int:
    """Count the Gauss-Legendre nodes that bring the error below ``allowed``; 0 for no term.

    With m = (a + c) / 2, v = (a - c) / m and tau = t - 1/2 the integrand is prod_l m_l times prod_l
    (1 + v_l tau), where one or two players have v_p in place of their factor. For a function
    bounded by M on the Bernstein ellipse of parameter rho the error of n nodes is at most 8/3 M
    rho^(-2n) / (1 - rho^-2) on an interval of length 1 (Trefethen 2013, Approximation Theory and
    Approximation Practice, theorem 19.3, with the constant that also holds for n = 1); on it |tau|
    <= kappa = (rho + 1/rho) / 4. Two bounds of M, for factors that differ little and much: |1 + w|
    <= exp(Re w + |w|^2 / 2), and |m + u tau| <= max(a, c) exp(|u| / max(a, c) (kappa - 1/2)).

    Parameters
    ----------
    largest : float
        prod max(a, c), the largest the product can be.
    drift, total, squares, steepest : float
        |sum v|, sum |v|, sum v^2, max |v|.
    n_taken : int
        Players with v in place of their factor: 1 for values, 2 for interactions.
    """
    if largest <= allowed:
        return 0
    room = math.log(largest / allowed)
    much = min(total, float(n_players))
    front = n_taken * math.log(steepest) if steepest > 1 else 0.0
    fewest = (n_players + 1) // 2
    rho = 1.05
    for _ in range(N_RHO):
        kappa = (rho + 1 / rho) / 4
        # sum log(m / max(a, c)) <= -total / (2 + steepest); a v_p may be missing from the sum and
        # stand in front.
        little = (drift + n_taken * steepest) * kappa + squares * kappa * kappa / 2
        little += front - total / (2 + steepest)
        bound = room + min(little, much * (kappa - 0.5)) + math.log(8 / 3 / (1 - 1 / (rho * rho)))
        fewest = min(fewest, max(1, math.ceil(bound / (2 * math.log(rho)))))
        rho = 1 + (rho - 1) * 1.5
    return fewest
