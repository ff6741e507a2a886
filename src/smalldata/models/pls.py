"""Partial least squares: PLS-DA for classes, calibrated inside the fold, PLS regression for values.

The columns enter through an orthonormal basis of the training rows' span, which PLS does not
notice: with 60 rows of 7,000 columns, all fits of a fold work on 60 x 60.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from smalldata.learner import Array, LinearForm, Traits
from smalldata.models.calibration import Calibration, calibration_folds, fit_calibration
from smalldata.models.values import Range, check_fields
from smalldata.task import TaskInfo, TaskKind

N_CALIBRATION_FOLDS = 5
# A covariance this small beside the size of rows times targets is rounding, not a component.
SMALLEST = 1e-10


@dataclass(frozen=True, kw_only=True)
class PLS:
    """Learner of partial least squares (Wold, Sjöström & Eriksson 2001, Chemometr. 58:109).

    For classes it predicts their indicator columns (PLS-DA; Barker & Rayens 2003, J. Chemometr.
    17:166); the predicted indicators are the margins.

    Attributes
    ----------
    n_components : int
        As many as the training rows give, where that is fewer.
    """

    traits: ClassVar[Traits] = Traits(needs_scaling=True, needs_complete=True)
    n_components: Annotated[int, Range(low=1)]

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)

    def build(self, info: TaskInfo, *, seed: int, device: str) -> Any:
        """Build the estimator; the seed cuts the calibration folds."""
        if info.kind is TaskKind.REGRESSION:
            return ComponentsRegressor(n_components=self.n_components)
        return ComponentsClassifier(
            n_classes=info.n_classes, n_components=self.n_components, seed=seed
        )

    def scale(self, kind: TaskKind) -> str:
        """Margin (the predicted indicator), or value."""
        return "margin" if kind.is_classification else "value"

    def margin_form(self, fitted: Any) -> LinearForm:
        """Return the coefficients of the columns (two classes: those of the positive one)."""
        coef, intercept = fitted.coef_, fitted.intercept_
        if len(coef) == 2:
            coef, intercept = coef[1:], intercept[1:]
        return LinearForm(coef=coef, intercept=intercept)


class ComponentsClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predicted indicators of the classes as margins; calibrated probabilities."""

    def __init__(self, *, n_classes: int, n_components: int, seed: int) -> None:
        self.n_classes = n_classes
        self.n_components = n_components
        self.seed = seed

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit the components on all rows, the calibration on margins of rows held out."""
        self.n_features_in_ = X.shape[1]
        self.classes_ = np.arange(self.n_classes)
        y = np.asarray(y, dtype=np.int64)
        rows, basis = _in_own_span(X)
        indicators = (y[:, None] == self.classes_).astype(np.float64)
        fit = fit_components(rows, indicators, self.n_components)
        self.coef_, self.intercept_ = _on_columns(fit.coef, basis), fit.intercept
        self.calibration_, notes = self._calibrate(rows, indicators, y, groups)
        self.notes_ = _notes(fit, self.n_components) + notes
        return self

    def decision_function(self, X: Array) -> Array:
        """Return margins: (n_samples,) for two classes, else (n_samples, n_classes)."""
        margins = X @ self.coef_.T + self.intercept_
        return np.asarray(margins[:, 1] if self.n_classes == 2 else margins)

    def predict_proba(self, X: Array) -> Array:
        """Return calibrated probabilities of shape (n_samples, n_classes)."""
        return self.calibration_.probabilities(X @ self.coef_.T + self.intercept_)

    def predict(self, X: Array) -> NDArray[np.int64]:
        """Return the most probable class."""
        return np.asarray(self.predict_proba(X).argmax(axis=1), dtype=np.int64)

    def _calibrate(
        self,
        rows: Array,
        indicators: Array,
        y: NDArray[np.int64],
        groups: NDArray[Any] | None,
    ) -> tuple[Calibration, tuple[str, ...]]:
        folds = calibration_folds(y, n_splits=N_CALIBRATION_FOLDS, groups=groups, seed=self.seed)
        if not folds:
            # The softmax of two indicators m and 1 - m has then, at one half, the slope 1 in m.
            plain = Calibration(slope=2.0, offsets=np.zeros(self.n_classes))
            return plain, (
                "probabilities are the softmax of twice the margins, not calibrated: "
                "the smallest class has too few training rows or groups for two folds",
            )
        margins = np.empty_like(indicators)
        for train, held_out in folds:
            fit = fit_components(rows[train], indicators[train], self.n_components)
            margins[held_out] = rows[held_out] @ fit.coef.T + fit.intercept
        return fit_calibration(margins, y), ()


class ComponentsRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """PLS regression of one target."""

    def __init__(self, *, n_components: int) -> None:
        self.n_components = n_components

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit on the training rows of one fold."""
        self.n_features_in_ = X.shape[1]
        rows, basis = _in_own_span(X)
        fit = fit_components(rows, np.asarray(y, dtype=np.float64)[:, None], self.n_components)
        self.coef_, self.intercept_ = _on_columns(fit.coef, basis), fit.intercept
        self.notes_ = _notes(fit, self.n_components)
        return self

    def predict(self, X: Array) -> Array:
        """Return values of shape (n_samples,)."""
        return np.asarray(X @ self.coef_[0] + self.intercept_[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Components:
    """targets = intercept + coef x; ``n_used`` components could be had.

    Attributes
    ----------
    coef : ndarray of shape (n_targets, n_columns)
    intercept : ndarray of shape (n_targets,)
    n_used : int
    """

    coef: Array
    intercept: Array
    n_used: int


def fit_components(X: Array, Y: Array, n_components: int) -> Components:
    """Fit PLS regression of several targets (PLS2), each component exact.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
    Y : ndarray of shape (n_samples, n_targets)
        Both are centred here, neither is scaled.
    n_components : int
        The fit ends earlier where nothing that is left of X covaries with Y.

    Returns
    -------
    Components

    Notes
    -----
    Component k has the weights w of unit length and the scores t = X_k w of largest covariance with
    Y: w is the first left singular vector of X_k' Y. Then the part along t is taken out of X_k (out
    of Y it need not be: X_k' Y stays the same). With weights W, loadings P = X_k' t / t't and
    Q = Y' t / t't the coefficients are W (P' W)^-1 Q' (Wegelin 2000, University of Washington
    technical report 371, section 4.1).
    """
    x_mean, y_mean = X.mean(axis=0), Y.mean(axis=0)
    left, targets = X - x_mean, Y - y_mean
    smallest = SMALLEST * np.linalg.norm(X) * np.linalg.norm(Y)
    weights, x_loadings, y_loadings = [], [], []
    for _ in range(n_components):
        vectors, sizes, _ = np.linalg.svd(left.T @ targets, full_matrices=False)
        if sizes[0] <= smallest:
            break
        weight = vectors[:, 0]
        scores = left @ weight
        scores_squared = scores @ scores
        weights.append(weight)
        x_loadings.append(scores @ left / scores_squared)
        y_loadings.append(scores @ targets / scores_squared)
        left = left - np.outer(scores, x_loadings[-1])
    if not weights:
        coef = np.zeros((Y.shape[1], X.shape[1]))
    else:
        W, P, Q = np.array(weights).T, np.array(x_loadings).T, np.array(y_loadings).T
        coef = Q @ np.linalg.solve(W.T @ P, W.T)
    return Components(coef=coef, intercept=y_mean - coef @ x_mean, n_used=len(weights))


def _in_own_span(X: Array) -> tuple[Array, Array | None]:
    """Write rows in an orthonormal basis (n_columns, n_samples) of their span, where it is smaller.

    Returns
    -------
    rows : ndarray of shape (n_samples, min(n_samples, n_columns))
    basis : ndarray of shape (n_columns, n_samples), or None: the columns themselves
    """
    if X.shape[1] <= len(X):
        return X, None
    basis, rows = np.linalg.qr(X.T)
    return np.ascontiguousarray(rows.T), basis


def _on_columns(coef: Array, basis: Array | None) -> Array:
    return coef if basis is None else coef @ basis.T


def _notes(fit: Components, n_components: int) -> tuple[str, ...]:
    if fit.n_used == n_components:
        return ()
    return (
        f"n_components={n_components} exceeds what the training rows give; "
        f"{fit.n_used} components are used",
    )
