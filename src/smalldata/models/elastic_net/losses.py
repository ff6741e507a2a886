"""The losses of a linear model as a function of its outputs, and as a function of its residuals.

A loss is sum_i w_i loss(f_i, y_i). Its residuals are minus its derivative in f: for both
classifications w (y - p), so that outputs can be read off residuals and the other way round.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax, xlogy

Array = NDArray[np.float64]
LossName = Literal["squared", "logistic", "multinomial"]


@dataclass(frozen=True, eq=False)
class Squared:
    """Half the squared difference; one output.

    Attributes
    ----------
    targets : ndarray of shape (n_samples, 1)
    weights : ndarray of shape (n_samples, 1)
        All above 0.
    """

    targets: Array
    weights: Array
    n_free = 1  # outputs that can be chosen freely: so many intercepts are determined

    def null_intercept(self) -> Array:
        """Return the best intercept of a model without columns."""
        return np.asarray((self.weights * self.targets).sum(axis=0) / self.weights.sum())

    def value(self, output: Array) -> float:
        """Return the loss."""
        return float((self.weights * (output - self.targets) ** 2).sum() / 2)

    def residuals(self, output: Array) -> Array:
        """Return minus the derivative in f, shape (n_samples, n_outputs)."""
        return np.asarray(self.weights * (self.targets - output))

    def curvature(self, output: Array) -> Array:
        """Return the second derivative in f, shape (n_samples, n_outputs, n_outputs)."""
        return self.weights[:, :, None]

    def output(self, residuals: Array) -> Array:
        """Return the outputs that have these residuals."""
        return np.asarray(self.targets - residuals / self.weights)

    def conjugate(self, residuals: Array) -> float:
        """Return the convex conjugate of the loss at minus the residuals."""
        return float((residuals**2 / (2 * self.weights) - residuals * self.targets).sum())

    def root(self, residuals: Array) -> Array:
        """Return R with R R' the second derivative where the residuals are these."""
        return np.sqrt(self.weights)[:, :, None]

    def reach(self, residuals: Array, step: Array) -> float:
        """Return how many such steps lead to residuals that no output has."""
        return float("inf")


@dataclass(frozen=True, eq=False)
class Logistic:
    """Minus the log-likelihood of two classes; one output, the log-odds of target 1."""

    targets: Array
    weights: Array
    n_free = 1

    def null_intercept(self) -> Array:
        """Return the best intercept of a model without columns."""
        mean = (self.weights * self.targets).sum(axis=0) / self.weights.sum()
        return np.asarray(np.log(mean) - np.log1p(-mean))

    def value(self, output: Array) -> float:
        """Return the loss."""
        signed = np.where(self.targets > 0, output, -output)
        return float((self.weights * np.logaddexp(0.0, -signed)).sum())

    def residuals(self, output: Array) -> Array:
        """Return minus the derivative in f, shape (n_samples, n_outputs)."""
        sign = 2 * self.targets - 1
        return np.asarray(self.weights * sign * expit(-sign * output))

    def curvature(self, output: Array) -> Array:
        """Return the second derivative in f, shape (n_samples, n_outputs, n_outputs)."""
        return np.asarray(self.weights * expit(output) * expit(-output))[:, :, None]

    def output(self, residuals: Array) -> Array:
        """Return the outputs that have these residuals."""
        wrong = self._wrong(residuals)
        return np.asarray((2 * self.targets - 1) * (np.log1p(-wrong) - np.log(wrong)))

    def conjugate(self, residuals: Array) -> float:
        """Return the convex conjugate of the loss at minus the residuals."""
        wrong = self._wrong(residuals)
        return float((self.weights * (xlogy(wrong, wrong) + xlogy(1 - wrong, 1 - wrong))).sum())

    def root(self, residuals: Array) -> Array:
        """Return R with R R' the second derivative where the residuals are these."""
        wrong = self._wrong(residuals)
        return np.sqrt(self.weights * wrong * (1 - wrong))[:, :, None]

    def reach(self, residuals: Array, step: Array) -> float:
        """Return how many such steps lead to residuals that no output has."""
        wrong = self._wrong(residuals)
        change = step * (2 * self.targets - 1) / self.weights
        return min(_steps_to_zero(wrong, change), _steps_to_zero(1 - wrong, -change))

    def _wrong(self, residuals: Array) -> Array:
        """Probability of the class that was not seen."""
        return np.asarray(np.abs(residuals) / self.weights)


@dataclass(frozen=True, eq=False)
class Multinomial:
    """Minus the log-likelihood of one-hot classes; one output a class, their sum without effect."""

    targets: Array
    weights: Array

    @property
    def n_free(self) -> int:
        """Return one less than there are classes."""
        return int(self.targets.shape[1]) - 1

    def null_intercept(self) -> Array:
        """Return the best intercept of a model without columns, centred."""
        logs = np.log((self.weights * self.targets).sum(axis=0) / self.weights.sum())
        return np.asarray(logs - logs.mean())

    def value(self, output: Array) -> float:
        """Return the loss."""
        above = output - output.max(axis=1, keepdims=True)
        logs = np.log(np.exp(above).sum(axis=1)) - (self.targets * above).sum(axis=1)
        return float(self.weights[:, 0] @ logs)

    def residuals(self, output: Array) -> Array:
        """Return minus the derivative in f, shape (n_samples, n_outputs)."""
        return np.asarray(self.weights * (self.targets - softmax(output, axis=1)))

    def curvature(self, output: Array) -> Array:
        """Return the second derivative in f, shape (n_samples, n_outputs, n_outputs)."""
        p = softmax(output, axis=1)
        whole = p[:, :, None] * (np.eye(p.shape[1]) - p[:, None, :])
        return np.asarray(self.weights[:, :, None] * whole)

    def output(self, residuals: Array) -> Array:
        """Return the outputs that have these residuals, centred over the classes."""
        logs = np.log(self._probabilities(residuals))
        return np.asarray(logs - logs.mean(axis=1, keepdims=True))

    def conjugate(self, residuals: Array) -> float:
        """Return the convex conjugate of the loss at minus the residuals."""
        p = self._probabilities(residuals)
        return float((self.weights * xlogy(p, p)).sum())

    def root(self, residuals: Array) -> Array:
        """Return R with R R' the second derivative where the residuals are these.

        With q the root of p: (diag(q) - p q') (diag(q) - q p') = diag(p) - p p'.
        """
        p = self._probabilities(residuals)
        q = np.sqrt(p)
        whole = q[:, :, None] * (np.eye(p.shape[1]) - q[:, :, None] * q[:, None, :])
        return np.asarray(np.sqrt(self.weights)[:, :, None] * whole)

    def reach(self, residuals: Array, step: Array) -> float:
        """Return how many such steps lead to residuals that no output has."""
        return _steps_to_zero(self._probabilities(residuals), -step / self.weights)

    def _probabilities(self, residuals: Array) -> Array:
        return np.asarray(self.targets - residuals / self.weights)


Loss = Squared | Logistic | Multinomial
LOSSES: dict[LossName, type[Loss]] = {
    "squared": Squared,
    "logistic": Logistic,
    "multinomial": Multinomial,
}


def _steps_to_zero(values: Array, change: Array) -> float:
    """Return how many changes take the first of some positive values to 0."""
    return float(
        np.divide(-values, change, out=np.full_like(values, np.inf), where=change < 0).min()
    )
