"""Random forest by scikit-learn: one thread, missing values as they are, explained as it votes."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from smalldata.learner import Array, Traits, TreesForm
from smalldata.models.values import Range, check_fields
from smalldata.models.weighting import ClassWeight
from smalldata.task import TaskInfo, TaskKind

# scikit-learn's trees compare float32; what lies beyond counts as the largest of them.
LARGEST = float(np.finfo(np.float32).max)
# Features on one path that the Shapley kernel can tell apart. Trees of a few hundred rows end long
# before.
MAX_DEPTH = 62


@dataclass(frozen=True, kw_only=True)
class RandomForest:
    """Learner of the random forest (Breiman 2001, Machine Learning 45:5).

    Attributes
    ----------
    n_trees : int
        More trees are never worse, only slower.
    max_features : float
        Columns tried at each split, as a multiple of the square root of their number; never fewer
        than one or more than all.
    min_samples_leaf : int
        Fewest training rows on either side of a split.
    class_weight : {"none", "balanced"}
        Balanced: each tree draws rows of every class alike often (scikit-learn before 1.9 weighs
        them inside the trees instead, which changes little). No effect in a regression.
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
        shape: dict[str, Any] = {
            "n_trees": self.n_trees,
            "max_features": self.max_features,
            "min_samples_leaf": self.min_samples_leaf,
            "seed": seed,
        }
        if info.kind is TaskKind.REGRESSION:
            return ForestRegressor(**shape)
        return ForestClassifier(n_classes=info.n_classes, class_weight=self.class_weight, **shape)

    def scale(self, kind: TaskKind) -> str:
        """Probability (log-odds are infinite where all trees agree), or value."""
        return "probability" if kind.is_classification else "value"

    def margin_form(self, fitted: Any) -> TreesForm:
        """Return the fitted forest."""
        return TreesForm(model=fitted.forest_)


class ForestClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Probabilities are the class shares of the leaves a row falls in, averaged over the trees."""

    def __init__(
        self,
        *,
        n_classes: int,
        n_trees: int,
        max_features: float,
        min_samples_leaf: int,
        class_weight: ClassWeight,
        seed: int,
    ) -> None:
        self.n_classes = n_classes
        self.n_trees = n_trees
        self.max_features = max_features
        self.min_samples_leaf = min_samples_leaf
        self.class_weight = class_weight
        self.seed = seed

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit on the training rows of one fold."""
        from sklearn.ensemble import RandomForestClassifier

        self.n_features_in_ = X.shape[1]
        self.classes_ = np.arange(self.n_classes)
        weight = None if self.class_weight == "none" else "balanced"
        self.forest_ = RandomForestClassifier(class_weight=weight, **_settings(self, X.shape[1]))
        self.forest_.fit(_clipped(X), y)
        return self

    def predict_proba(self, X: Array) -> Array:
        """Return probabilities of shape (n_samples, n_classes)."""
        return np.asarray(self.forest_.predict_proba(_clipped(X)), dtype=np.float64)

    def predict(self, X: Array) -> NDArray[np.int64]:
        """Return the most probable class; ties go to the first."""
        return np.asarray(self.predict_proba(X).argmax(axis=1), dtype=np.int64)


class ForestRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The value is the mean of the leaves a row falls in, averaged over the trees."""

    def __init__(
        self, *, n_trees: int, max_features: float, min_samples_leaf: int, seed: int
    ) -> None:
        self.n_trees = n_trees
        self.max_features = max_features
        self.min_samples_leaf = min_samples_leaf
        self.seed = seed

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit on the training rows of one fold."""
        from sklearn.ensemble import RandomForestRegressor

        self.n_features_in_ = X.shape[1]
        self.forest_ = RandomForestRegressor(**_settings(self, X.shape[1]))
        self.forest_.fit(_clipped(X), y)
        return self

    def predict(self, X: Array) -> Array:
        """Return values of shape (n_samples,)."""
        return np.asarray(self.forest_.predict(_clipped(X)), dtype=np.float64)


def _settings(estimator: Any, n_columns: int) -> dict[str, Any]:
    n_tried = round(estimator.max_features * np.sqrt(n_columns))
    return {
        "n_estimators": estimator.n_trees,
        "max_features": min(max(n_tried, 1), n_columns),
        "min_samples_leaf": estimator.min_samples_leaf,
        "max_depth": MAX_DEPTH,
        "n_jobs": 1,
        "random_state": estimator.seed,
    }


def _clipped(X: Array) -> Array:
    return np.clip(X, -LARGEST, LARGEST)
