"""Elastic-net fits by accelerated proximal gradient over an active set of columns.

Used by `smalldata.models.linear` for squared, logistic and multinomial loss alike. Without an L1
part the problem is rotated into the space of the rows first (exact, and small where columns are
many).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

Array = NDArray[np.float64]
Loss = Literal["squared", "logistic", "multinomial"]

# Upper bound of the second derivative of each loss in f.
CURVATURE = {"squared": 1.0, "logistic": 0.25, "multinomial": 0.5}
# A fit has converged when no entry of the proximal gradient exceeds this share of the largest
# gradient of the model without columns.
TOLERANCE = 1e-7
MOST_STEPS = 20_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """f(x) = intercept + x coef; coef of shape (n_columns, n_outputs)."""

    coef: Array
    intercept: Array
    converged: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """Minimise sum_i w_i loss(f(x_i), y_i) + l2/2 |coef|^2 + l1 |coef|_1; the intercept is free.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_columns)
    targets : ndarray of shape (n_samples, n_outputs)
        One output of 0 and 1 (logistic) or of values (squared), or one-hot classes.
    weights : ndarray of shape (n_samples,)
    """

    X: Array
    targets: Array
    weights: Array
    loss: Loss

    def residuals(self, output: Array) -> Array:
        """Return the derivative of the weighted loss in f, shape (n_samples, n_outputs)."""
        if self.loss == "logistic":
            output = expit(output)
        elif self.loss == "multinomial":
            output = softmax(output, axis=1)
        return np.asarray((output - self.targets) * self.weights[:, None])

    def null_intercept(self) -> Array:
        """Return the best intercept of a model without columns."""
        mean = self.weights @ self.targets / self.weights.sum()
        if self.loss == "logistic":
            return np.asarray(np.log(mean) - np.log1p(-mean))
        if self.loss == "multinomial":
            return np.asarray(np.log(mean) - np.log(mean).mean())
        return np.asarray(mean)

    def null_gradient(self) -> Array:
        """Gradient in coef of the model without columns, shape (n_columns, n_outputs).

        Its largest entry is the smallest l1 at which every coefficient is 0.
        """
        null = np.tile(self.null_intercept(), (len(self.X), 1))
        return np.asarray(self.X.T @ self.residuals(null))


def fit_elastic_net(problem: Problem, *, l1: float, l2: float) -> Fit:
    """Fit one model.

    Parameters
    ----------
    problem : Problem
    l1, l2 : float
        Penalties, at least 0 and not both 0.

    Returns
    -------
    Fit
    """
    if l1 == 0:
        return _fit_in_row_space(problem, l2=l2)
    n_columns, n_outputs = problem.X.shape[1], problem.targets.shape[1]
    coef = np.zeros((n_columns, n_outputs))
    intercept = problem.null_intercept()
    gradient = problem.null_gradient()
    largest = float(np.abs(gradient).max(initial=0.0))
    # Begin with the columns that would leave 0 first; the check of the full gradient below brings
    # in the others that must, until none is missed (Friedman et al. 2010, J Stat Softw 33(1)).
    active = np.abs(gradient).max(axis=1) > l1
    if l1 >= largest:
        return Fit(coef=coef, intercept=intercept, converged=True)
    converged = False
    for _ in range(50):
        part = Problem(
            X=problem.X[:, active],
            targets=problem.targets,
            weights=problem.weights,
            loss=problem.loss,
        )
        coef[active], intercept, converged = _descend(
            part, coef[active], intercept, l1=l1, l2=l2, tolerance=TOLERANCE * largest
        )
        gradient = problem.X.T @ problem.residuals(problem.X @ coef + intercept)
        missed = ~active & (np.abs(gradient).max(axis=1) > l1 + TOLERANCE * largest)
        if not missed.any():
            return Fit(coef=coef, intercept=intercept, converged=converged)
        active |= missed
    return Fit(coef=coef, intercept=intercept, converged=False)


def _fit_in_row_space(problem: Problem, *, l2: float) -> Fit:
    """Ridge-like fit: the best coef is a combination of rows, so X = R' Q' leaves R' alone."""
    wide = problem.X.shape[1] > len(problem.X)
    basis, corner = np.linalg.qr(problem.X.T) if wide else (None, None)
    rotated = problem.X if corner is None else np.ascontiguousarray(corner.T)
    small = Problem(X=rotated, targets=problem.targets, weights=problem.weights, loss=problem.loss)
    largest = float(np.abs(small.null_gradient()).max(initial=0.0))
    coef, intercept, converged = _descend(
        small,
        np.zeros((rotated.shape[1], problem.targets.shape[1])),
        problem.null_intercept(),
        l1=0.0,
        l2=l2,
        tolerance=TOLERANCE * max(largest, np.finfo(np.float64).tiny),
    )
    return Fit(
        coef=coef if basis is None else basis @ coef, intercept=intercept, converged=converged
    )


def _descend(
    problem: Problem, coef: Array, intercept: Array, *, l1: float, l2: float, tolerance: float
) -> tuple[Array, Array, bool]:
    """FISTA with the gradient restart of O'Donoghue & Candes (2015, Found. Comput. Math. 15).

    The intercept is one more column, unpenalised, whose size is that of the other columns.
    """
    size = max(float(np.sqrt((problem.X**2).mean())) if problem.X.size else 0.0, 1e-12)
    X = np.hstack([problem.X, np.full((len(problem.X), 1), size)])
    current = np.vstack([coef, intercept[None, :] / size])
    l1_of = np.full((len(current), 1), l1)
    l2_of = np.full((len(current), 1), l2)
    l1_of[-1] = l2_of[-1] = 0.0
    steepest = CURVATURE[problem.loss] * _largest_eigenvalue(X * np.sqrt(problem.weights)[:, None])
    steepest += l2
    ahead, momentum = current, 1.0
    for _ in range(MOST_STEPS):
        gradient = X.T @ problem.residuals(X @ ahead) + l2_of * ahead
        moved = ahead - gradient / steepest
        following = np.sign(moved) * np.maximum(np.abs(moved) - l1_of / steepest, 0.0)
        step = ahead - following
        if float(np.abs(step).max()) * steepest <= tolerance:
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
