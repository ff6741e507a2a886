"""Partial least squares: PLS-DA for classes, calibrated inside the fold, PLS regression for values.

Step in the line: yaml -> **learner** -> estimator. The columns are first rotated to an orthonormal
basis of the training rows' span, which leaves the result of PLS unchanged: with 60 rows of 7,000
columns, all fits of a fold work on 60 x 60.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from smalldata.learner import Array, LinearForm, Need, Outputs, Traits
from smalldata.models.calibration import Calibration, calibration_folds, fit_calibration
from smalldata.models.estimators import Classifier, Regressor
from smalldata.models.values import Range, check_fields
from smalldata.task import TaskInfo, TaskKind

N_CALIBRATION_FOLDS = 5
# A covariance this small relative to rows times targets is rounding error, not a component.
SMALLEST = 1e-10


@dataclass(frozen=True, kw_only=True)
class PLS:
    """Learner of partial least squares (Wold, Sjöström & Eriksson 2001, Chemometr. 58:109).

    For classes it predicts their indicator columns (PLS-DA; Barker & Rayens 2003, J. Chemometr.
    17:166); the predicted indicators are the margins.

    Attributes
    ----------
    n_components : int
        If the training rows allow fewer, all of those.
    """

    traits: ClassVar[Traits] = Traits(needs_scaling=True, needs_complete=True, path="n_components")
    n_components: Annotated[int, Range(low=1)]

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)

    def build(self, info: TaskInfo, *, seed: int, device: str) -> Any:
        """Build the estimator; the seed draws the calibration folds."""
        if info.kind is TaskKind.REGRESSION:
            return ComponentsRegressor(learner=self, seed=seed, device=device)
        return ComponentsClassifier(
            learner=self, n_classes=info.n_classes, seed=seed, device=device
        )

    def scale(self, kind: TaskKind) -> str:
        """Return margin (the predicted indicator) for classes, value for a regression."""
        return "margin" if kind.is_classification else "value"

    @staticmethod
    def workspace(
        info: TaskInfo,
        X_train: Array,
        y_train: NDArray[Any],
        X_valid: Array,
        *,
        groups: NDArray[Any] | None,
        seed: int,
        device: str,
    ) -> "ComponentsWorkspace":
        """Return the rows in their own span, where one fit gives every number of components."""
        rows, basis = _in_own_span(X_train)
        return ComponentsWorkspace(
            rows=rows,
            valid=X_valid if basis is None else X_valid @ basis,
            y=y_train,
            n_classes=info.n_classes if info.kind.is_classification else 0,
            groups=groups,
            seed=seed,
        )

    def margin_form(self, fitted: Any) -> LinearForm:
        """Return the coefficients of the columns (of two classes, only the positive one's)."""
        coef, intercept = fitted.coef_, fitted.intercept_
        if len(coef) == 2:
            coef, intercept = coef[1:], intercept[1:]
        return LinearForm(coef=coef, intercept=intercept)


@dataclass(frozen=True, kw_only=True, eq=False)
class ComponentsWorkspace:
    """Training and validation rows in the span of the training rows.

    Attributes
    ----------
    rows : ndarray of shape (n_train, rank)
    valid : ndarray of shape (n_valid, rank)
    y, groups : ndarray of shape (n_train,)
    n_classes : int
        0 for a regression.
    seed : int
    """

    rows: Array
    valid: Array
    y: NDArray[Any]
    n_classes: int
    groups: NDArray[Any] | None
    seed: int

    def outputs(self, learner: PLS, *, needs: Need) -> Outputs:
        """Return the outputs with the learner's number of components."""
        return self.path(learner, [learner.n_components], needs=needs)[0]

    def path(self, learner: PLS, values: Sequence[int], *, needs: Need) -> list[Outputs]:
        """Return the outputs for each number of components, from one fit of the largest."""
        most = max(values)
        if not self.n_classes:
            whole = decompose(self.rows, np.asarray(self.y, dtype=np.float64)[:, None], most)
            return [Outputs(value=whole.first(n).predict(self.valid)[:, 0]) for n in values]
        indicators = _indicators(self.y, self.n_classes)
        whole = decompose(self.rows, indicators, most)
        margins = [whole.first(n).predict(self.valid) for n in values]
        if needs == "margin":
            return [Outputs(margin=_shown(margin)) for margin in margins]
        found = calibrate_components(
            self.rows, indicators, self.y, values, groups=self.groups, seed=self.seed
        )
        return [
            Outputs(margin=_shown(margin), probabilities=calibration.probabilities(margin))
            for margin, (calibration, _) in zip(margins, found, strict=True)
        ]


class ComponentsClassifier(Classifier[PLS]):
    """Margins are the predicted indicators of the classes; probabilities are calibrated."""

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit the components on all rows and the calibration on margins of held-out rows."""
        self.n_features_in_ = X.shape[1]
        self.classes_ = np.arange(self.n_classes)
        y = np.asarray(y, dtype=np.int64)
        rows, basis = _in_own_span(X)
        indicators = _indicators(y, self.n_classes)
        n_components = self.learner.n_components
        fit = decompose(rows, indicators, n_components).first(n_components)
        self.coef_, self.intercept_ = _on_columns(fit.coef, basis), fit.intercept
        ((self.calibration_, notes),) = calibrate_components(
            rows, indicators, y, [n_components], groups=groups, seed=self.seed
        )
        self.notes_ = _notes(fit, n_components) + notes
        return self

    def decision_function(self, X: Array) -> Array:
        """Return margins: (n_samples,) for two classes, else (n_samples, n_classes)."""
        margins = _shown(X @ self.coef_.T + self.intercept_)
        return np.asarray(margins[:, 0] if self.n_classes == 2 else margins)

    def predict_proba(self, X: Array) -> Array:
        """Return calibrated probabilities of shape (n_samples, n_classes)."""
        return self.calibration_.probabilities(X @ self.coef_.T + self.intercept_)


class ComponentsRegressor(Regressor[PLS]):
    """PLS regression of one target."""

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit on the training rows of one fold."""
        self.n_features_in_ = X.shape[1]
        rows, basis = _in_own_span(X)
        targets = np.asarray(y, dtype=np.float64)[:, None]
        n_components = self.learner.n_components
        fit = decompose(rows, targets, n_components).first(n_components)
        self.coef_, self.intercept_ = _on_columns(fit.coef, basis), fit.intercept
        self.notes_ = _notes(fit, n_components)
        return self

    def predict(self, X: Array) -> Array:
        """Return values of shape (n_samples,)."""
        return np.asarray(X @ self.coef_[0] + self.intercept_[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Components:
    """A fit of ``n_used`` components: targets = intercept + coef x.

    Attributes
    ----------
    coef : ndarray of shape (n_targets, n_columns)
    intercept : ndarray of shape (n_targets,)
    n_used : int
    """

    coef: Array
    intercept: Array
    n_used: int

    def predict(self, X: Array) -> Array:
        """Return the targets of rows, of shape (n_samples, n_targets)."""
        return np.asarray(X @ self.coef.T + self.intercept)


@dataclass(frozen=True, kw_only=True, eq=False)
class Decomposition:
    """The components of one fit, in order; the first few of them are a smaller fit.

    Attributes
    ----------
    weights, x_loadings : ndarray of shape (n_components, n_columns)
    y_loadings : ndarray of shape (n_components, n_targets)
    x_mean, y_mean : ndarray
    """

    weights: Array
    x_loadings: Array
    y_loadings: Array
    x_mean: Array
    y_mean: Array

    def first(self, n_components: int) -> Components:
        """Return the fit of the first components, or of all if there are fewer."""
        W, P, Q = (
            part[:n_components].T for part in (self.weights, self.x_loadings, self.y_loadings)
        )
        coef = Q @ np.linalg.solve(W.T @ P, W.T)
        return Components(coef=coef, intercept=self.y_mean - coef @ self.x_mean, n_used=W.shape[1])


def decompose(X: Array, Y: Array, n_components: int) -> Decomposition:
    """Fit PLS regression of several targets (PLS2), each component exact.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
    Y : ndarray of shape (n_samples, n_targets)
        X and Y are centred here, not scaled.
    n_components : int
        The fit ends earlier if nothing left of X covaries with Y.

    Returns
    -------
    Decomposition

    Notes
    -----
    Component k has weights w of unit length such that the scores t = X_k w have the largest
    covariance with Y: w is the first left singular vector of X_k' Y. The part along t is then
    removed from X_k (removing it from Y would not change X_k' Y). With weights W, loadings
    P = X_k' t / t't and Q = Y' t / t't the coefficients are W (P' W)^-1 Q' (Wegelin 2000,
    University of Washington technical report 371, section 4.1).
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
    n_found = len(weights)
    return Decomposition(
        weights=np.reshape(weights, (n_found, X.shape[1])),
        x_loadings=np.reshape(x_loadings, (n_found, X.shape[1])),
        y_loadings=np.reshape(y_loadings, (n_found, Y.shape[1])),
        x_mean=x_mean,
        y_mean=y_mean,
    )


def calibrate_components(
    rows: Array,
    indicators: Array,
    y: NDArray[np.int64],
    values: Sequence[int],
    *,
    groups: NDArray[Any] | None,
    seed: int,
) -> list[tuple[Calibration, tuple[str, ...]]]:
    """Calibrate fits of several numbers of components on margins of held-out rows.

    Parameters
    ----------
    rows : ndarray of shape (n_train, n_columns)
    indicators : ndarray of shape (n_train, n_classes)
    y : ndarray of shape (n_train,)
    values : sequence of int
        Numbers of components.
    groups : ndarray of shape (n_train,) or None
    seed : int
        Draws the folds.

    Returns
    -------
    list of (calibration, notes)
        One per number of components.
    """
    folds = calibration_folds(y, n_splits=N_CALIBRATION_FOLDS, groups=groups, seed=seed)
    if not folds:
        # With slope 2 the softmax of two indicators m and 1 - m has slope 1 in m at one half.
        plain = Calibration(slope=2.0, offsets=np.zeros(indicators.shape[1]))
        note = (
            "probabilities are the softmax of twice the margins, not calibrated: "
            "the smallest class has too few training rows or groups for two folds"
        )
        return [(plain, (note,)) for _ in values]
    margins = np.empty((len(values), *indicators.shape))
    for train, held_out in folds:
        whole = decompose(rows[train], indicators[train], max(values))
        for i, n_components in enumerate(values):
            margins[i, held_out] = whole.first(n_components).predict(rows[held_out])
    return [(fit_calibration(found, y), ()) for found in margins]


def _indicators(y: NDArray[Any], n_classes: int) -> Array:
    return np.asarray(y[:, None] == np.arange(n_classes), dtype=np.float64)


def _shown(margins: Array) -> Array:
    """Return the margins to show: of two classes, only the positive one's."""
    return margins[:, 1:] if margins.shape[1] == 2 else margins


def _in_own_span(X: Array) -> tuple[Array, Array | None]:
    """Write rows in an orthonormal basis of their span, if that has fewer dimensions.

    Returns
    -------
    rows : ndarray of shape (n_samples, min(n_samples, n_columns))
    basis : ndarray of shape (n_columns, n_samples) or None
        None: the columns themselves.
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
        f"n_components={n_components} is more than the training rows allow; "
        f"{fit.n_used} components are used",
    )
