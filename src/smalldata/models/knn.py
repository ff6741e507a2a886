"""Nearest neighbours: the vote, or the mean, of the training rows nearest to a row."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from smalldata.learner import Array, NeighboursForm, Traits
from smalldata.models.values import Range, check_fields
from smalldata.task import TaskInfo, TaskKind

Weights = Literal["uniform", "distance"]
Metric = Literal["euclidean", "manhattan", "cosine"]


@dataclass(frozen=True, kw_only=True)
class KNN:
    """Learner of nearest neighbours.

    It takes no class weights: a vote stays the plain share of the neighbours, which is what is
    explained.

    Attributes
    ----------
    n_neighbors : int
        All training rows, where there are fewer.
    weights : {"uniform", "distance"}
        Each neighbour counts the same, or by 1 / distance (those at distance 0 alone, if any).
    metric : {"euclidean", "manhattan", "cosine"}
    """

    traits: ClassVar[Traits] = Traits(needs_scaling=True, needs_complete=True)
    n_neighbors: Annotated[int, Range(low=1)]
    weights: Weights
    metric: Metric

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)

    def build(self, info: TaskInfo, *, seed: int, device: str) -> Any:
        """Build the estimator; there is nothing to seed, ties go by the order of the rows."""
        if info.kind is TaskKind.REGRESSION:
            return NeighboursRegressor(
                n_neighbors=self.n_neighbors, weights=self.weights, metric=self.metric
            )
        return NeighboursClassifier(
            n_classes=info.n_classes,
            n_neighbors=self.n_neighbors,
            weights=self.weights,
            metric=self.metric,
        )

    def scale(self, kind: TaskKind) -> str:
        """Probability (the vote), or value."""
        return "probability" if kind.is_classification else "value"

    def margin_form(self, fitted: Any) -> NeighboursForm:
        """Return the training rows and their votes (two classes: that of the positive one)."""
        targets = fitted.targets_
        return NeighboursForm(
            train=fitted.train_,
            targets=targets[:, 1:] if targets.shape[1] == 2 else targets,
            n_neighbors=min(fitted.n_neighbors, len(targets)),
            weights=fitted.weights,
            metric=fitted.metric,
        )


class NeighboursClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Probabilities are the weighted shares of the classes among the nearest training rows."""

    def __init__(
        self, *, n_classes: int, n_neighbors: int, weights: Weights, metric: Metric
    ) -> None:
        self.n_classes = n_classes
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.metric = metric

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Keep the training rows."""
        self.n_features_in_ = X.shape[1]
        self.classes_ = np.arange(self.n_classes)
        self.train_ = X
        self.targets_ = (y[:, None] == self.classes_).astype(np.float64)
        self.notes_ = _notes(self.n_neighbors, len(X))
        return self

    def predict_proba(self, X: Array) -> Array:
        """Return probabilities of shape (n_samples, n_classes)."""
        return weighted_means(
            distances(X, self.train_, self.metric), self.targets_, self.n_neighbors, self.weights
        )

    def predict(self, X: Array) -> NDArray[np.int64]:
        """Return the most probable class; ties go to the first."""
        return np.asarray(self.predict_proba(X).argmax(axis=1), dtype=np.int64)


class NeighboursRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The value is the weighted mean of the nearest training rows."""

    def __init__(self, *, n_neighbors: int, weights: Weights, metric: Metric) -> None:
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.metric = metric

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Keep the training rows."""
        self.n_features_in_ = X.shape[1]
        self.train_ = X
        self.targets_ = np.asarray(y, dtype=np.float64)[:, None]
        self.notes_ = _notes(self.n_neighbors, len(X))
        return self

    def predict(self, X: Array) -> Array:
        """Return values of shape (n_samples,)."""
        found = distances(X, self.train_, self.metric)
        return weighted_means(found, self.targets_, self.n_neighbors, self.weights)[:, 0]


def distances(X: Array, train: Array, metric: Metric) -> Array:
    """Distance of each row to each training row, rounded to 12 digits (equal rows: exactly 0).

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
    train : ndarray of shape (n_train, n_columns)
    metric : {"euclidean", "manhattan", "cosine"}
        Cosine: 1 - cosine similarity; a row of zeros is at distance 1 from every row.

    Returns
    -------
    ndarray of shape (n_samples, n_train)
    """
    if metric == "cosine":
        # Half the squared distance of the unit rows is 1 - cosine, without its cancellation.
        sizes = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in (X, train)]
        units = [
            rows / np.where(size == 0, 1.0, size)
            for rows, size in zip((X, train), sizes, strict=True)
        ]
        found = cdist(*units, metric="sqeuclidean") / 2
        found = np.where((sizes[0] == 0) | (sizes[1] == 0).T, 1.0, found)
    else:
        found = cdist(X, train, metric="cityblock" if metric == "manhattan" else "euclidean")
    # Equal terms summed in another order differ in the last bits; rounded to 2^-40 of the row's
    # largest distance they tie, as they should, and parallel rows are at cosine distance 0. Each
    # row has its own step: no row's answer depends on another.
    largest = found.max(axis=1, keepdims=True)
    step = np.exp2(np.ceil(np.log2(np.where(largest > 0, largest, 1.0))) - 40)
    return np.asarray(np.rint(found / step) * step)


def weighted_means(distance: Array, targets: Array, n_neighbors: int, weights: Weights) -> Array:
    """Weighted mean of the targets of the nearest training rows; of equal distances the earlier.

    Parameters
    ----------
    distance : ndarray of shape (n_samples, n_train)
    targets : ndarray of shape (n_train, n_outputs)
    n_neighbors : int
    weights : {"uniform", "distance"}

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
    """
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :n_neighbors]
    near = np.take_along_axis(distance, nearest, axis=1)
    if weights == "uniform":
        weight = np.ones_like(near)
    else:
        same = near == 0
        # The reciprocal of a distance below 1e-300 would overflow.
        weight = 1.0 / np.where(same, 1.0, np.maximum(near, 1e-300))
        weight = np.where(same.any(axis=1, keepdims=True), same.astype(np.float64), weight)
        weight = weight / weight.max(axis=1, keepdims=True)
    total = weight.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("ij,ijk->ik", weight / total, targets[nearest]))


def _notes(n_neighbors: int, n_train: int) -> tuple[str, ...]:
    if n_neighbors <= n_train:
        return ()
    return (f"n_neighbors={n_neighbors} exceeds the {n_train} training rows; all of them vote",)
