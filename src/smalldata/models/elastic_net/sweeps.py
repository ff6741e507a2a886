"""Sweeps of coordinate descent over a quadratic with an L1 penalty, compiled."""

from smalldata.models.elastic_net.losses import Array
from smalldata.runtime.compiling import compiled


@compiled
def sweep(
    bend: Array, gradient: Array, coef: Array, l1: float, tolerance: float, n_sweeps: int
) -> None:
    """Minimise over one coefficient after the other; ``coef`` and ``gradient`` are changed.

    Parameters
    ----------
    bend : ndarray of shape (n, n)
    gradient : ndarray of shape (n,)
        Of the quadratic at ``coef``.
    coef : ndarray of shape (n,)
    l1 : float
    tolerance : float
        Stop after a sweep in which no slope was larger.
    n_sweeps : int
        At most.
    """
    for _ in range(n_sweeps):
        largest = 0.0
        for j in range(len(coef)):
            bent = bend[j, j]
            if bent <= 0.0:
                continue
            wanted = bent * coef[j] - gradient[j]
            if wanted > l1:
                moved = (wanted - l1) / bent
            elif wanted < -l1:
                moved = (wanted + l1) / bent
            else:
                moved = 0.0
            step = moved - coef[j]
            if step != 0.0:
                coef[j] = moved
                for i in range(len(coef)):
                    gradient[i] += step * bend[j, i]
                largest = max(largest, abs(step) * bent)
        if largest <= tolerance:
            break
