"""What is asked of a solver (Problem) and what it answers (Fit); when an answer counts as found."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from smalldata.models.elastic_net.losses import LOSSES, Array, Loss, LossName

# A fit has converged when no slope (`least_slopes`) exceeds this share of the largest gradient of
# the model without columns.
TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False)
class Design:
    """The columns of the training rows, and what depends on nothing else.

    All fits on the same rows may share one.

    Attributes
    ----------
    columns : ndarray of shape (n_columns, n_samples)
        C-contiguous: each column in one stretch of memory.
    """

    columns: Array

    @classmethod
    def of(cls, X: Array) -> "Design":
        """Make the design of rows X, of shape (n_samples, n_columns)."""
        return cls(np.ascontiguousarray(X.T))

    @property
    def X(self) -> Array:
        """The rows, a view."""
        return self.columns.T

    @cached_property
    def gram(self) -> Array:
        """Products of the rows, shape (n_samples, n_samples)."""
        return np.asarray(self.columns.T @ self.columns)

    @cached_property
    def variance(self) -> float:
        """Summed variance of the columns."""
        return float(self.columns.var(axis=1).sum())


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """Minimise sum_i w_i loss(f(x_i), y_i) + l2/2 |coef|^2 + l1 |coef|_1; the intercept is free.

    Attributes
    ----------
    design : Design
    targets : ndarray of shape (n_samples, n_outputs)
        One output of 0 and 1 (logistic) or of values (squared), or one-hot classes.
    weights : ndarray of shape (n_samples,)
        All above 0.
    loss_name : {"squared", "logistic", "multinomial"}
    l1_share : float
        l1 as a share of the smallest l1 at which every coefficient is 0.
    l2 : float
        Not 0 where l1_share is 0.
    """

    design: Design
    targets: Array
    weights: Array
    loss_name: LossName
    l1_share: float
    l2: float

    @cached_property
    def loss(self) -> Loss:
        """The loss of these targets."""
        return LOSSES[self.loss_name](self.targets, self.weights[:, None])

    @cached_property
    def null_gradient(self) -> Array:
        """Gradient in coef of the model without columns, shape (n_columns, n_outputs)."""
        null = np.tile(self.loss.null_intercept(), (len(self.targets), 1))
        return np.asarray(-(self.design.columns @ self.loss.residuals(null)))

    @cached_property
    def largest(self) -> float:
        """Largest entry of the null gradient: the smallest l1 at which every coefficient is 0."""
        return float(np.abs(self.null_gradient).max(initial=0.0))

    @property
    def l1(self) -> float:
        """The L1 penalty."""
        return self.l1_share * self.largest

    @property
    def tolerance(self) -> float:
        """Largest slope that is left in a fit that has converged."""
        return TOLERANCE * max(self.largest, float(np.finfo(np.float64).tiny))

    def null_fit(self) -> "Fit":
        """Return the model without columns."""
        coef = np.zeros((self.design.X.shape[1], self.targets.shape[1]))
        return Fit(coef=coef, intercept=self.loss.null_intercept())

    def violation(self, fit: "Fit") -> float:
        """Return the largest slope left, over coefficients and intercepts; 0 at the minimum."""
        residuals = self.loss.residuals(self.design.X @ fit.coef + fit.intercept)
        gradient = self.l2 * fit.coef - self.design.columns @ residuals
        slopes = least_slopes(gradient, fit.coef, self.l1)
        return max(float(slopes.max(initial=0.0)), float(np.abs(residuals.sum(axis=0)).max()))


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """f(x) = intercept + x coef; coef of shape (n_columns, n_outputs)."""

    coef: Array
    intercept: Array
    converged: bool = True


def least_slopes(gradient: Array, coef: Array, l1: float) -> Array:
    """Smallest absolute slopes of a smooth function + l1 |coef|_1; all 0 at its minimum.

    Of a coefficient that is not 0 its slope, of one that is 0 what the gradient exceeds l1 by.
    """
    at_zero = np.maximum(np.abs(gradient) - l1, 0.0)
    return np.where(coef != 0, np.abs(gradient + l1 * np.sign(coef)), at_zero)


def shrink(values: Array, l1: float) -> Array:
    """Move each value by l1 towards 0, not beyond."""
    return np.asarray(values - np.clip(values, -l1, l1))
