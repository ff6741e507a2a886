"""Elastic net: logistic, multinomial or least squares, depending on the kind of the task.

Step in the line: yaml -> **learner** -> estimator. `elastic_net` does the fits.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from smalldata.learner import Array, LinearForm, Need, Outputs, Traits
from smalldata.models.elastic_net import Design, Fit, LossName, Problem, fit_elastic_net
from smalldata.models.estimators import Classifier, Regressor
from smalldata.models.values import Range, check_fields
from smalldata.models.weighting import ClassWeight, row_weights
from smalldata.task import TaskInfo, TaskKind


@dataclass(frozen=True, kw_only=True)
class Linear:
    """Learner that builds an elastic net.

    Attributes
    ----------
    strength : float
        Of the penalty, relative to the training rows, so that one value suits tables of any width.
        The L2 part is ``strength * (1 - l1_ratio) * v / 2 * |coef|^2``, where v is the summed
        variance of the columns (the number of columns, once scaled). The L1 part is ``strength *
        l1_ratio * m * |coef|_1``, where m is the smallest L1 penalty that uses no column.
    l1_ratio : float
        0: ridge, which uses every column; 1: lasso, which uses few.
    class_weight : {"none", "balanced"}
        No effect in a regression.
    """

    traits: ClassVar[Traits] = Traits(needs_scaling=True, needs_complete=True)
    strength: Annotated[float, Range(low=0, above=True)]
    l1_ratio: Annotated[float, Range(low=0, high=1)]
    class_weight: ClassWeight

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)

    def build(self, info: TaskInfo, *, seed: int, device: str) -> Any:
        """Build the estimator; the fit is convex and uses no seed."""
        if info.kind is TaskKind.REGRESSION:
            return LinearRegressor(learner=self, seed=seed, device=device)
        return LinearClassifier(learner=self, n_classes=info.n_classes, seed=seed, device=device)

    def scale(self, kind: TaskKind) -> str:
        """Return log-odds for classes, value for a regression."""
        return "log-odds" if kind.is_classification else "value"

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
    ) -> "LinearWorkspace":
        """Return the products of the rows, which all trials on them share."""
        return LinearWorkspace(info=info, design=Design.of(X_train), y=y_train, X_valid=X_valid)

    def margin_form(self, fitted: Any) -> LinearForm:
        """Return the coefficients, centred over the classes if there are several."""
        return LinearForm(coef=fitted.coef_, intercept=fitted.intercept_)


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearWorkspace:
    """The training rows as the solvers see them.

    Attributes
    ----------
    info : TaskInfo
    design : Design
        Shared by all fits.
    y : ndarray of shape (n_train,)
    X_valid : ndarray of shape (n_valid, n_columns)
    """

    info: TaskInfo
    design: Design
    y: NDArray[Any]
    X_valid: Array

    def outputs(self, learner: Linear, *, needs: Need) -> Outputs:
        """Return the outputs of a fit, equal bit for bit to those of ``build`` and ``fit``."""
        estimator = learner.build(self.info, seed=0, device="cpu").fit_design(self.design, self.y)
        if needs == "value":
            return Outputs(value=estimator.predict(self.X_valid))
        return Outputs(probabilities=estimator.predict_proba(self.X_valid))

    def relabel(self, y_train: NDArray[Any]) -> "LinearWorkspace":
        """Return the same rows with other labels."""
        return replace(self, y=y_train)


class LinearClassifier(Classifier[Linear]):
    """Logistic (two classes) or multinomial regression with an elastic-net penalty."""

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit on the training rows of one fold."""
        return self.fit_design(Design.of(X), y)

    def fit_design(self, design: Design, y: NDArray[Any]) -> Self:
        """Fit on training rows that other fits may share."""
        self.n_features_in_ = design.X.shape[1]
        self.classes_ = np.arange(self.n_classes)
        onehot = (y[:, None] == self.classes_).astype(np.float64)
        fit = _fit(
            design,
            onehot[:, 1:] if self.n_classes == 2 else onehot,
            row_weights(y, self.learner.class_weight, classify=True),
            "logistic" if self.n_classes == 2 else "multinomial",
            self.learner,
        )
        coef, intercept = fit.coef, fit.intercept
        if self.n_classes > 2:
            coef = coef - coef.mean(axis=1, keepdims=True)
            intercept = intercept - intercept.mean()
        self.coef_, self.intercept_ = np.ascontiguousarray(coef.T), intercept
        self.notes_ = _notes(fit)
        return self

    def log_odds(self, X: Array) -> Array:
        """Return log-odds of shape (n_samples, n_outputs), even if probabilities round to 1."""
        return np.asarray(X @ self.coef_.T + self.intercept_)

    def predict_proba(self, X: Array) -> Array:
        """Return probabilities of shape (n_samples, n_classes)."""
        output = self.log_odds(X)
        if self.n_classes > 2:
            return np.asarray(softmax(output, axis=1))
        return np.asarray(expit(np.hstack([-output, output])))


class LinearRegressor(Regressor[Linear]):
    """Least squares with an elastic-net penalty on the target, standardised inside the fold."""

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit on the training rows of one fold."""
        return self.fit_design(Design.of(X), y)

    def fit_design(self, design: Design, y: NDArray[Any]) -> Self:
        """Fit on training rows that other fits may share."""
        self.n_features_in_ = design.X.shape[1]
        centre, scale = float(np.mean(y)), float(np.std(y)) or 1.0
        fit = _fit(
            design,
            ((y - centre) / scale)[:, None],
            np.ones(len(y)),
            "squared",
            self.learner,
        )
        self.coef_ = np.ascontiguousarray(fit.coef.T) * scale
        self.intercept_ = fit.intercept * scale + centre
        self.notes_ = _notes(fit)
        return self

    def predict(self, X: Array) -> Array:
        """Return values of shape (n_samples,)."""
        return np.asarray((X @ self.coef_.T + self.intercept_)[:, 0])


def _fit(
    design: Design,
    targets: Array,
    weights: Array,
    loss_name: LossName,
    learner: Linear,
) -> Fit:
    strength, l1_ratio = learner.strength, learner.l1_ratio
    problem = Problem(
        design=design,
        targets=targets,
        weights=weights,
        loss_name=loss_name,
        l1_share=strength * l1_ratio,
        l2=strength * (1 - l1_ratio) * design.variance,
    )
    if design.variance == 0:  # every column is constant
        return problem.null_fit()
    return fit_elastic_net(problem)


def _notes(fit: Fit) -> tuple[str, ...]:
    if fit.converged:
        return ()
    return ("the fit stopped before it converged; try a larger strength or a smaller l1_ratio",)
