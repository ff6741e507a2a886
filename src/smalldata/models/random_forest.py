"""Random forest by scikit-learn: one thread, missing values passed as they are, votes explained.

Step in the line: yaml -> **learner** -> estimator.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from smalldata.learner import Array, Traits, TreesForm
from smalldata.models.estimators import Classifier, Regressor
from smalldata.models.values import Range, check_fields
from smalldata.models.weighting import ClassWeight
from smalldata.task import TaskInfo, TaskKind

# scikit-learn's trees compare float32; larger values are clipped to its maximum.
LARGEST = float(np.finfo(np.float32).max)
# The Shapley kernel can tell this many features on one path apart. Trees of a few hundred rows are
# far shallower.
MAX_DEPTH = 62


@dataclass(frozen=True, kw_only=True)
class RandomForest:
    """Learner that builds a random forest (Breiman 2001, Machine Learning 45:5).

    Attributes
    ----------
    n_trees : int
        More trees are slower, never worse.
    max_features : float
        Columns tried at each split, as a multiple of the square root of the number of columns;
        at least one and at most all.
    min_samples_leaf : int
        Minimum number of training rows on either side of a split.
    class_weight : {"none", "balanced"}
        Balanced: each tree draws every class equally often (scikit-learn before 1.9 weights the
        rows inside the trees instead, which changes little). No effect in a regression.
    """

    traits: ClassVar[Traits] = Traits(categories="integer")
    n_trees: Annotated[int, Range(low=1)]
    max_features: Annotated[float, Range(low=0, above=True)]
    min_samples_leaf: Annotated[int, Range(low=1)]
    class_weight: ClassWeight

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)

    def build(self, info: TaskInfo, *, seed: int, device: str) -> Any:
        """Build the estimator; the seed draws rows and columns."""
        if info.kind is TaskKind.REGRESSION:
            return ForestRegressor(learner=self, seed=seed, device=device)
        return ForestClassifier(learner=self, n_classes=info.n_classes, seed=seed, device=device)

    def scale(self, kind: TaskKind) -> str:
        """Return probability for classes, value for a regression.

        Log-odds would be infinite if all trees agree.
        """
        return "probability" if kind.is_classification else "value"

    def margin_form(self, fitted: Any) -> TreesForm:
        """Return the fitted forest."""
        return TreesForm(model=fitted.forest_)


class ForestClassifier(Classifier[RandomForest]):
    """Probabilities are the class shares of the leaves a row falls in, averaged over the trees."""

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit on the training rows of one fold."""
        from sklearn.ensemble import RandomForestClassifier

        self.n_features_in_ = X.shape[1]
        self.classes_ = np.arange(self.n_classes)
        weight = None if self.learner.class_weight == "none" else "balanced"
        shape = _settings(self.learner, X.shape[1], seed=self.seed)
        self.forest_ = RandomForestClassifier(class_weight=weight, **shape)
        self.forest_.fit(_clipped(X), y)
        return self

    def predict_proba(self, X: Array) -> Array:
        """Return probabilities of shape (n_samples, n_classes)."""
        return np.asarray(self.forest_.predict_proba(_clipped(X)), dtype=np.float64)


class ForestRegressor(Regressor[RandomForest]):
    """The value is the mean of the leaves a row falls in, averaged over the trees."""

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit on the training rows of one fold."""
        from sklearn.ensemble import RandomForestRegressor

        self.n_features_in_ = X.shape[1]
        self.forest_ = RandomForestRegressor(**_settings(self.learner, X.shape[1], seed=self.seed))
        self.forest_.fit(_clipped(X), y)
        return self

    def predict(self, X: Array) -> Array:
        """Return values of shape (n_samples,)."""
        return np.asarray(self.forest_.predict(_clipped(X)), dtype=np.float64)


def _settings(learner: RandomForest, n_columns: int, *, seed: int) -> dict[str, Any]:
    n_tried = round(learner.max_features * np.sqrt(n_columns))
    return {
        "n_estimators": learner.n_trees,
        "max_features": min(max(n_tried, 1), n_columns),
        "min_samples_leaf": learner.min_samples_leaf,
        "max_depth": MAX_DEPTH,
        "n_jobs": 1,
        "random_state": seed,
    }


def _clipped(X: Array) -> Array:
    return np.clip(X, -LARGEST, LARGEST)
