"""Support vector machine, linear, RBF or polynomial; probabilities calibrated inside the fold.

All fits share one Gram matrix of the training rows.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from smalldata.learner import Array, KernelForm, LinearForm, Traits
from smalldata.models.calibration import Calibration, calibration_folds, fit_calibration
from smalldata.models.values import Range, check_fields
from smalldata.models.weighting import ClassWeight
from smalldata.task import TaskInfo, TaskKind

KernelName = Literal["linear", "rbf", "poly"]
N_CALIBRATION_FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class SVM:
    """Learner of the support vector machine.

    Attributes
    ----------
    kernel : {"linear", "rbf", "poly"}
        <x, s> * g, exp(-g |x - s|^2), (g <x, s> + coef0)^degree.
    C : float
        Larger fits the training rows more closely.
    gamma : float
        g as a multiple of 1 / (n_columns * variance) of the encoded training rows. The linear
        kernel has g = 1 / (n_columns * variance): its C does what gamma would.
    degree : int
    coef0 : float
        Of the polynomial kernel, as is degree.
    epsilon : float
        Width of the tube of a regression, in standard deviations of the target.
    class_weight : {"none", "balanced"}
        Of the machine, so of the margins; probabilities are calibrated to the shares the classes
        have in the training rows. No effect in a regression.
    """

    traits: ClassVar[Traits] = Traits(needs_scaling=True, needs_complete=True)
    kernel: KernelName
    C: Annotated[float, Range(low=0, above=True)]
    gamma: Annotated[float, Range(low=0, above=True)]
    degree: Annotated[int, Range(low=1, high=3)]
    coef0: Annotated[float, Range(low=0)]
    epsilon: Annotated[float, Range(low=0)]
    class_weight: ClassWeight

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)

    def build(self, info: TaskInfo, *, seed: int, device: str) -> Any:
        """Build the estimator; the seed cuts the calibration folds."""
        shape: dict[str, Any] = {
            "kernel": self.kernel,
            "C": self.C,
            "gamma": self.gamma,
            "degree": self.degree,
            "coef0": self.coef0,
        }
        if info.kind is TaskKind.REGRESSION:
            return KernelRegressor(epsilon=self.epsilon, **shape)
        return KernelClassifier(
            n_classes=info.n_classes, class_weight=self.class_weight, seed=seed, **shape
        )

    def scale(self, kind: TaskKind) -> str:
        """Margin, or value."""
        return "margin" if kind.is_classification else "value"

    def margin_form(self, fitted: Any) -> LinearForm | KernelForm:
        """Return the kernel expansion (linear kernel: the coefficients of the columns)."""
        coef, intercept = fitted.expansion_, fitted.intercept_
        if fitted.kernel == "linear":
            return LinearForm(coef=fitted.gamma_ * coef @ fitted.support_, intercept=intercept)
        return KernelForm(
            kernel=fitted.kernel,
            support=fitted.support_,
            coef=coef,
            intercept=intercept,
            gamma=fitted.gamma_,
            degree=fitted.degree,
            coef0=fitted.coef0,
        )


class KernelClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Margins of one-vs-one machines, summed per class; calibrated probabilities.

    The margin of a class is the signed sum of the decisions of its pairs, a linear function of
    the kernels; two classes have the one margin of the positive one.
    """

    def __init__(
        self,
        *,
        n_classes: int,
        kernel: KernelName,
        C: float,
        gamma: float,
        degree: int,
        coef0: float,
        class_weight: ClassWeight,
        seed: int,
    ) -> None:
        self.n_classes = n_classes
        self.kernel = kernel
        self.C = C
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.class_weight = class_weight
        self.seed = seed

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit the machine on all rows, the calibration on margins of rows held out."""
        self.n_features_in_ = X.shape[1]
        self.classes_ = np.arange(self.n_classes)
        y = np.asarray(y, dtype=np.int64)
        self.gamma_ = _gamma(X, self.kernel, self.gamma)
        gram = self._kernel(X, X)
        rows, self.expansion_, self.intercept_ = self._machine(gram, y)
        self.support_ = X[rows]
        self.calibration_, self.notes_ = self._calibrate(gram, y, groups)
        return self

    def decision_function(self, X: Array) -> Array:
        """Return margins: (n_samples,) for two classes, else (n_samples, n_classes)."""
        margins = self._kernel(X, self.support_) @ self.expansion_.T + self.intercept_
        return np.asarray(margins[:, 0] if self.n_classes == 2 else margins)

    def predict_proba(self, X: Array) -> Array:
        """Return calibrated probabilities of shape (n_samples, n_classes)."""
        margins = self.decision_function(X).reshape(len(X), -1)
        return self.calibration_.probabilities(_per_class(margins))

    def predict(self, X: Array) -> NDArray[np.int64]:
        """Return the most probable class."""
        return np.asarray(self.predict_proba(X).argmax(axis=1), dtype=np.int64)

    def _kernel(self, rows: Array, others: Array) -> Array:
        return _kernel(rows, others, self.kernel, self.gamma_, self.degree, self.coef0)

    def _machine(self, gram: Array, y: NDArray[np.int64]) -> tuple[NDArray[Any], Array, Array]:
        """Fit on rows with this Gram matrix; return support rows, expansion and intercept."""
        from sklearn.svm import SVC

        machine = SVC(
            kernel="precomputed",
            C=self.C,
            class_weight=None if self.class_weight == "none" else "balanced",
            tol=1e-4,
        ).fit(gram, y)
        if self.n_classes == 2:
            return machine.support_, machine.dual_coef_, machine.intercept_
        expansion, intercept = _signed_sums(machine, y[machine.support_])
        return machine.support_, expansion, intercept

    def _calibrate(
        self, gram: Array, y: NDArray[np.int64], groups: NDArray[Any] | None
    ) -> tuple[Calibration, tuple[str, ...]]:
        folds = calibration_folds(y, n_splits=N_CALIBRATION_FOLDS, groups=groups, seed=self.seed)
        if not folds:
            plain = Calibration(slope=1.0, offsets=np.zeros(self.n_classes))
            return plain, (
                "probabilities are the logistic function of the margin, not calibrated: "
                "the smallest class has too few training rows or groups for two folds",
            )
        margins = np.empty((len(y), len(self.intercept_)))
        for train, held_out in folds:
            rows, expansion, intercept = self._machine(gram[np.ix_(train, train)], y[train])
            kernels = gram[np.ix_(held_out, train[rows])]
            margins[held_out] = kernels @ expansion.T + intercept
        return fit_calibration(_per_class(margins), y), ()


class KernelRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Support vector regression; the target is standardised inside the fold."""

    def __init__(
        self,
        *,
        kernel: KernelName,
        C: float,
        gamma: float,
        degree: int,
        coef0: float,
        epsilon: float,
    ) -> None:
        self.kernel = kernel
        self.C = C
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.epsilon = epsilon

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit on the training rows of one fold."""
        from sklearn.svm import SVR

        self.n_features_in_ = X.shape[1]
        centre, scale = float(np.mean(y)), float(np.std(y)) or 1.0
        self.gamma_ = _gamma(X, self.kernel, self.gamma)
        machine = SVR(kernel="precomputed", C=self.C, epsilon=self.epsilon, tol=1e-4)
        machine.fit(self._kernel(X, X), (y - centre) / scale)
        self.support_ = X[machine.support_]
        self.expansion_ = machine.dual_coef_ * scale
        self.intercept_ = machine.intercept_ * scale + centre
        return self

    def predict(self, X: Array) -> Array:
        """Return values of shape (n_samples,)."""
        if len(self.support_) == 0:  # every training row lies within the tube
            return np.full(len(X), self.intercept_[0])
        return np.asarray(self._kernel(X, self.support_) @ self.expansion_[0] + self.intercept_[0])

    def _kernel(self, rows: Array, others: Array) -> Array:
        return _kernel(rows, others, self.kernel, self.gamma_, self.degree, self.coef0)


def _gamma(X: Array, kernel: KernelName, multiple: float) -> float:
    """Return g of the kernel; constant rows get the multiple of 1 / n_columns."""
    variance = float(X.var()) or 1.0
    return float((1.0 if kernel == "linear" else multiple) / (X.shape[1] * variance))


def _kernel(
    rows: Array, others: Array, kernel: KernelName, gamma: float, degree: int, coef0: float
) -> Array:
    """Kernel of each row with each other row, shape (n_rows, n_others)."""
    if kernel == "rbf":
        return np.asarray(np.exp(-gamma * cdist(rows, others, metric="sqeuclidean")))
    product = gamma * (rows @ others.T)
    return np.asarray(product if kernel == "linear" else (product + coef0) ** degree)


def _signed_sums(machine: Any, labels: NDArray[np.int64]) -> tuple[Array, Array]:
    """Per class, the sum of its pairs' decisions: plus where it is the first, minus where second.

    Parameters
    ----------
    machine : sklearn.svm.SVC
        Fitted on at least three classes. Of the pair (i, j), i < j, the support rows of class i
        have their coefficient in row j - 1 of ``dual_coef_``, those of class j in row i; a
        positive decision speaks for i.
    labels : ndarray of shape (n_support,)
        Class of each support row.

    Returns
    -------
    expansion : ndarray of shape (n_classes, n_support)
    intercept : ndarray of shape (n_classes,)
    """
    n_classes = len(machine.classes_)
    expansion = np.zeros((n_classes, len(labels)))
    intercept = np.zeros(n_classes)
    for pair, (first, second) in enumerate(combinations(range(n_classes), 2)):
        alpha = np.where(
            labels == first,
            machine.dual_coef_[second - 1],
            np.where(labels == second, machine.dual_coef_[first], 0.0),
        )
        expansion[first] += alpha
        expansion[second] -= alpha
        intercept[first] += machine.intercept_[pair]
        intercept[second] -= machine.intercept_[pair]
    return expansion, intercept


def _per_class(margins: Array) -> Array:
    """Margins of shape (n_samples, n_classes): the one margin of two classes is -m/2 and m/2."""
    return np.hstack([-margins / 2, margins / 2]) if margins.shape[1] == 1 else margins
