"""Solves the small systems of equations of a Newton step."""

import numpy as np
from scipy.linalg import LinAlgError
from scipy.linalg.lapack import dposv

from smalldata.models.elastic_net.losses import Array


def solve_positive(matrix: Array, right: Array) -> Array:
    """Solve a symmetric positive definite system; the matrix is overwritten.

    LAPACK's own function: at this size scipy's checks around it cost more than the solution.

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
        C-contiguous.
    right : ndarray of shape (n,) or (n, n_right)

    Raises
    ------
    LinAlgError
        If the matrix is not positive definite.
    """
    _, solution, fault = dposv(matrix.T, right, lower=1, overwrite_a=1)
    if fault:
        raise LinAlgError("the matrix of a Newton step is not positive definite")
    return np.asarray(solution)
