"""Accelerated proximal gradient over an active set of columns: for problems of any size.

Slow and sure: it solves no system of equations, so it takes over where Newton's method would need
one too large, or stops.
"""

import numpy as np

from smalldata.models.elastic_net.losses import Array
from smalldata.models.elastic_net.problem import Fit, Problem

# Upper bound of the second derivative of each loss in f.
CURVATURE = {"squared": 1.0, "logistic": 0.25, "multinomial": 0.5}
MOST_STEPS = 20_000


def fit_by_descent(problem: Problem) -> Fit:
    """Fit one model; the fit says whether it has converged.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Fit
    """
    if problem.l1 == 0:
        return _fit_in_row_space(problem)
    fit, gradient = problem.null_fit(), problem.null_gradient
    coef, intercept = fit.coef, fit.intercept
    # Begin with the columns that would leave 0 first; the check of the full gradient below brings
    # in the others that must, until none is missed.
    active = np.abs(gradient).max(axis=1) > problem.l1
    converged = False
    for _ in range(50):
        coef[active], intercept, converged = _descend(
            problem, problem.design.X[:, active], coef[active], intercept
        )
        residuals = problem.loss.residuals(problem.design.X @ coef + intercept)
        gradient = problem.design.columns @ residuals
        missed = ~active & (np.abs(gradient).max(axis=1) > problem.l1 + problem.tolerance)
        if not missed.any():
            return Fit(coef=coef, intercept=intercept, converged=converged)
        active |= missed
    return Fit(coef=coef, intercept=intercept, converged=False)


def _fit_in_row_space(problem: Problem) -> Fit:
    """Ridge-like fit: the best coef is a combination of rows, so X = R' Q' leaves R' alone."""
    X, fit = problem.design.X, problem.null_fit()
    if X.shape[1] <= len(X):
        coef, intercept, converged = _descend(problem, X, fit.coef, fit.intercept)
    else:
        basis, corner = np.linalg.qr(problem.design.columns)
        rotated, start = np.ascontiguousarray(corner.T), np.zeros((len(X), fit.coef.shape[1]))
        coef, intercept, converged = _descend(problem, rotated, start, fit.intercept)
        coef = basis @ coef
    return Fit(coef=coef, intercept=intercept, converged=converged)


def _descend(
    problem: Problem, columns: Array, coef: Array, intercept: Array
) -> tuple[Array, Array, bool]:
    """FISTA with the gradient restart of O'Donoghue & Candes (2015, Found. Comput. Math. 15).

    The intercept is one more column, unpenalised, whose size is that of the other columns.
    """
    size = max(float(np.sqrt((columns**2).mean())) if columns.size else 0.0, 1e-12)
    X = np.hstack([columns, np.full((len(columns), 1), size)])
    current = np.vstack([coef, intercept[None, :] / size])
    l1_of = np.full((len(current), 1), problem.l1)
    l2_of = np.full((len(current), 1), problem.l2)
    l1_of[-1] = l2_of[-1] = 0.0
    weighted = X * np.sqrt(problem.weights)[:, None]
    steepest = CURVATURE[problem.loss_name] * _largest_eigenvalue(weighted) + problem.l2
    ahead, momentum = current, 1.0
    for _ in range(MOST_STEPS):
        gradient = l2_of * ahead - X.T @ problem.loss.residuals(X @ ahead)
        moved = ahead - gradient / steepest
        following = np.sign(moved) * np.maximum(np.abs(moved) - l1_of / steepest, 0.0)
        step = ahead - following
        if float(np.abs(step).max()) * steepest <= problem.tolerance:
            return following[:-1], following[-1] * size, True
        if float((step * (following - current)).sum()) > 0:
            momentum = 1.0
        faster = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = following + (momentum - 1) / faster * (following - current)
        current, momentum = following, faster
    return current[:-1], current[-1] * size, False


def _largest_eigenvalue(X: Array) -> float:
    """Largest eigenvalue of X'X."""
    gram = X @ X.T if len(X) < X.shape[1] else X.T @ X
    return float(np.linalg.eigvalsh(gram)[-1])
