"""The floor every model must beat: class shares, or the mean, of the training rows.

Step in the line: yaml -> **learner** -> estimator.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from smalldata.learner import Array, LinearForm, Traits
from smalldata.models.estimators import Classifier, Regressor
from smalldata.task import TaskInfo, TaskKind


@dataclass(frozen=True, kw_only=True)
class Dummy:
    """Learner that ignores the features; it has no hyperparameters."""

    traits: ClassVar[Traits] = Traits(
        needs_complete=True, categories="integer", reads_features=False
    )

    def build(self, info: TaskInfo, *, seed: int, device: str) -> Any:
        """Build the estimator; it uses no seed."""
        if info.kind is TaskKind.REGRESSION:
            return MeanRegressor(learner=self, seed=seed, device=device)
        return ShareClassifier(learner=self, n_classes=info.n_classes, seed=seed, device=device)

    def scale(self, kind: TaskKind) -> str:
        """Return probability for classes, value for a regression."""
        return "probability" if kind.is_classification else "value"

    def margin_form(self, fitted: Any) -> LinearForm:
        """Return the constant function, in which no column counts."""
        if isinstance(fitted, MeanRegressor):
            outputs = np.array([fitted.mean_])
        else:
            outputs = fitted.shares_[1:] if len(fitted.shares_) == 2 else fitted.shares_
        return LinearForm(
            coef=np.zeros((len(outputs), fitted.n_features_in_)), intercept=outputs.copy()
        )


class ShareClassifier(Classifier[Dummy]):
    """Predicts the class shares of the training rows for every row."""

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Count the classes."""
        self.n_features_in_ = X.shape[1]
        self.classes_ = np.arange(self.n_classes)
        self.shares_ = np.bincount(y.astype(np.int64), minlength=self.n_classes) / len(y)
        return self

    def predict_proba(self, X: Array) -> Array:
        """Return the shares, shape (n_samples, n_classes)."""
        return np.tile(self.shares_, (len(X), 1))

    def predict(self, X: Array) -> NDArray[np.int64]:
        """Return the most common class of the training rows."""
        return np.full(len(X), int(np.argmax(self.shares_)), dtype=np.int64)


class MeanRegressor(Regressor[Dummy]):
    """Predicts the mean of the training rows for every row."""

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Compute the mean of the target."""
        self.n_features_in_ = X.shape[1]
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X: Array) -> Array:
        """Return the mean, shape (n_samples,)."""
        return np.full(len(X), self.mean_)
