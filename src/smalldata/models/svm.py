"""Support vector machine, linear, RBF or polynomial; probabilities are calibrated inside the fold.

Step in the line: yaml -> **learner** -> estimator. All fits share one Gram matrix of the training
rows.
"""

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from smalldata.learner import Array, KernelForm, LinearForm, Need, Outputs, Traits
from smalldata.models.calibration import Calibration, calibration_folds, fit_calibration
from smalldata.models.estimators import Classifier, Regressor
from smalldata.models.values import Range, check_fields
from smalldata.models.weighting import ClassWeight
from smalldata.task import TaskInfo, TaskKind

KernelName = Literal["linear", "rbf", "poly"]
N_CALIBRATION_FOLDS = 5

MANY_COLUMNS = 5_000
"""From here distances come from one product of matrices, some twenty times faster.

Columns are scaled, so that this costs three digits of sixteen.
"""


@dataclass(frozen=True, kw_only=True)
class SVM:
    """Learner that builds a support vector machine.

    Attributes
    ----------
    kernel : {"linear", "rbf", "poly"}
        g <x, s>, exp(-g |x - s|^2) or (g <x, s> + coef0)^degree.
    C : float
        A larger C fits the training rows more closely.
    gamma : float
        g as a multiple of 1 / (n_columns * variance) of the encoded training rows. The linear
        kernel always has g = 1 / (n_columns * variance), because C would do the same as gamma.
    degree : int
        Of the polynomial kernel.
    coef0 : float
        Of the polynomial kernel.
    epsilon : float
        Width of the tube of a regression, in standard deviations of the target.
    class_weight : {"none", "balanced"}
        Changes the machine and so the margins. Probabilities are calibrated to the class shares of
        the training rows either way. No effect in a regression.
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
        """Build the estimator; the seed draws the calibration folds."""
        if info.kind is TaskKind.REGRESSION:
            return KernelRegressor(learner=self, seed=seed, device=device)
        return KernelClassifier(learner=self, n_classes=info.n_classes, seed=seed, device=device)

    def scale(self, kind: TaskKind) -> str:
        """Return margin for classes, value for a regression."""
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
    ) -> "KernelWorkspace":
        """Return the products and squared distances of rows, which all trials on them share."""
        return KernelWorkspace(
            info=info,
            y=y_train,
            groups=groups,
            seed=seed,
            scale=1.0 / _size(X_train),
            products=(X_train @ X_train.T, X_valid @ X_train.T),
            squares=(_squares(X_train, X_train), _squares(X_valid, X_train)),
        )

    def margin_form(self, fitted: Any) -> LinearForm | KernelForm:
        """Return the kernel expansion, or the coefficients of the columns for a linear kernel."""
        coef, intercept, learner = fitted.expansion_, fitted.intercept_, fitted.learner
        if learner.kernel == "linear":
            return LinearForm(coef=fitted.gamma_ * coef @ fitted.support_, intercept=intercept)
        return KernelForm(
            kernel=learner.kernel,
            support=fitted.support_,
            coef=coef,
            intercept=intercept,
            gamma=fitted.gamma_,
            degree=learner.degree,
            coef0=learner.coef0,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class KernelWorkspace:
    """All that the kernels need to know about the rows; the columns are not kept.

    Attributes
    ----------
    info : TaskInfo
    y, groups : ndarray of shape (n_train,)
    seed : int
    scale : float
        1 / (n_columns * variance) of the training rows.
    products, squares : tuple of ndarray
        Scalar products and squared distances, each among the training rows (n_train, n_train) and
        between validation and training rows (n_valid, n_train).
    """

    info: TaskInfo
    y: NDArray[Any]
    groups: NDArray[Any] | None
    seed: int
    scale: float
    products: tuple[Array, Array]
    squares: tuple[Array, Array]

    def outputs(self, learner: SVM, *, needs: Need) -> Outputs:
        """Return margins, and calibrated probabilities if margins alone are not enough."""
        machine = learner.build(self.info, seed=self.seed, device="cpu")
        gamma = self.scale if learner.kernel == "linear" else learner.gamma * self.scale
        parts = self.squares if learner.kernel == "rbf" else self.products
        gram, valid = (_kernel_of(part, learner, gamma) for part in parts)
        rows = machine.fit_gram(gram, self.y)
        if needs == "value":
            return Outputs(value=valid[:, rows] @ machine.expansion_[0] + machine.intercept_[0])
        margin = valid[:, rows] @ machine.expansion_.T + machine.intercept_
        if needs == "margin":
            return Outputs(margin=margin)
        machine.calibrate(gram, self.y, self.groups)
        return Outputs(
            margin=margin, probabilities=machine.calibration_.probabilities(_per_class(margin))
        )

    def relabel(self, y_train: NDArray[Any]) -> "KernelWorkspace":
        """Return the same products and distances with other labels."""
        return replace(self, y=y_train)


class KernelClassifier(Classifier[SVM]):
    """Margins of one-vs-one machines, summed per class; calibrated probabilities.

    The margin of a class is the signed sum of the decisions of its pairs, which is linear in the
    kernels. Two classes have one margin, that of the positive class.
    """

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit the machine on all rows and the calibration on margins of held-out rows."""
        self.n_features_in_ = X.shape[1]
        self.classes_ = np.arange(self.n_classes)
        y = np.asarray(y, dtype=np.int64)
        self.gamma_ = _gamma(X, self.learner)
        gram = _kernel(X, X, self.learner, self.gamma_)
        self.support_ = X[self.fit_gram(gram, y)]
        self.calibrate(gram, y, groups)
        return self

    def fit_gram(self, gram: Array, y: NDArray[np.int64]) -> NDArray[np.int64]:
        """Fit the machine on rows with this Gram matrix; return the positions of its support."""
        rows, self.expansion_, self.intercept_ = self._machine(gram, y)
        return rows

    def calibrate(self, gram: Array, y: NDArray[np.int64], groups: NDArray[Any] | None) -> None:
        """Fit the calibration on margins of held-out rows."""
        self.calibration_, self.notes_ = self._calibration(gram, y, groups)

    def decision_function(self, X: Array) -> Array:
        """Return margins: (n_samples,) for two classes, else (n_samples, n_classes)."""
        kernels = _kernel(X, self.support_, self.learner, self.gamma_)
        margins = kernels @ self.expansion_.T + self.intercept_
        return np.asarray(margins[:, 0] if self.n_classes == 2 else margins)

    def predict_proba(self, X: Array) -> Array:
        """Return calibrated probabilities of shape (n_samples, n_classes)."""
        return self.probabilities_of(self.decision_function(X).reshape(len(X), -1))

    def probabilities_of(self, margins: Array) -> Array:
        """Return calibrated probabilities of margins of shape (n_samples, n_outputs)."""
        return self.calibration_.probabilities(_per_class(margins))

    def _machine(self, gram: Array, y: NDArray[np.int64]) -> tuple[NDArray[Any], Array, Array]:
        """Fit on rows with this Gram matrix; return support rows, expansion and intercept."""
        from sklearn.svm import SVC

        machine = SVC(
            kernel="precomputed",
            C=self.learner.C,
            class_weight=None if self.learner.class_weight == "none" else "balanced",
            tol=1e-4,
        )
        with _unchecked():
            machine.fit(gram, y)
        if self.n_classes == 2:
            return machine.support_, machine.dual_coef_, machine.intercept_
        expansion, intercept = _signed_sums(machine, y[machine.support_])
        return machine.support_, expansion, intercept

    def _calibration(
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


class KernelRegressor(Regressor[SVM]):
    """Support vector regression of the target, standardised inside the fold."""

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit on the training rows of one fold."""
        self.n_features_in_ = X.shape[1]
        self.gamma_ = _gamma(X, self.learner)
        self.support_ = X[self.fit_gram(_kernel(X, X, self.learner, self.gamma_), y)]
        return self

    def fit_gram(self, gram: Array, y: NDArray[Any]) -> NDArray[np.int64]:
        """Fit the machine on rows with this Gram matrix; return the positions of its support."""
        from sklearn.svm import SVR

        centre, scale = float(np.mean(y)), float(np.std(y)) or 1.0
        learner = self.learner
        machine = SVR(kernel="precomputed", C=learner.C, epsilon=learner.epsilon, tol=1e-4)
        with _unchecked():
            machine.fit(gram, (y - centre) / scale)
        self.expansion_ = machine.dual_coef_ * scale
        self.intercept_ = machine.intercept_ * scale + centre
        return np.asarray(machine.support_, dtype=np.int64)

    def predict(self, X: Array) -> Array:
        """Return values of shape (n_samples,)."""
        if len(self.support_) == 0:  # every training row lies within the tube
            return np.full(len(X), self.intercept_[0])
        kernels = _kernel(X, self.support_, self.learner, self.gamma_)
        return np.asarray(kernels @ self.expansion_[0] + self.intercept_[0])


def _unchecked() -> Any:
    """Return a context without scikit-learn's checks, which take as long as a fit of these rows."""
    from sklearn import config_context

    return config_context(assume_finite=True, skip_parameter_validation=True)


def _gamma(X: Array, learner: SVM) -> float:
    """Return g of the kernel."""
    multiple = 1.0 if learner.kernel == "linear" else learner.gamma
    return multiple / _size(X)


def _size(X: Array) -> float:
    """Return n_columns * variance; n_columns where all rows are constant."""
    return float(X.shape[1] * (float(X.var()) or 1.0))


def _kernel(rows: Array, others: Array, learner: SVM, gamma: float) -> Array:
    """Return the kernel of each row with each other row, of shape (n_rows, n_others)."""
    part = _squares(rows, others) if learner.kernel == "rbf" else rows @ others.T
    return _kernel_of(part, learner, gamma)


def _squares(rows: Array, others: Array) -> Array:
    """Return the squared distance of each row to each other row, of shape (n_rows, n_others)."""
    if rows.shape[1] < MANY_COLUMNS:
        return np.asarray(cdist(rows, others, metric="sqeuclidean"))
    sizes = [np.einsum("ij,ij->i", table, table) for table in (rows, others)]
    return np.asarray(np.maximum(sizes[0][:, None] + sizes[1] - 2 * (rows @ others.T), 0.0))


def _kernel_of(part: Array, learner: SVM, gamma: float) -> Array:
    """Return the kernel from the squared distances (rbf) or scalar products of the rows."""
    if learner.kernel == "rbf":
        return np.asarray(np.exp(-gamma * part))
    product = gamma * part
    if learner.kernel == "linear":
        return np.asarray(product)
    return np.asarray((product + learner.coef0) ** learner.degree)


def _signed_sums(machine: Any, labels: NDArray[np.int64]) -> tuple[Array, Array]:
    """Return each class's sum of pair decisions: plus if it is first in the pair, minus if second.

    Parameters
    ----------
    machine : sklearn.svm.SVC
        Fitted on at least three classes. For the pair (i, j), i < j, row j - 1 of ``dual_coef_``
        holds the coefficients of the support rows of class i, and row i those of class j. A
        positive decision votes for i.
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
    """Return margins of shape (n_samples, n_classes); two classes split their margin m in ±m/2."""
    return np.hstack([-margins / 2, margins / 2]) if margins.shape[1] == 1 else margins
