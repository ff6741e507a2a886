"""Nearest neighbours: the vote, or the mean, of the training rows nearest to a row.

Step in the line: yaml -> **learner** -> estimator.
"""

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from smalldata.learner import Array, Need, NeighboursForm, Outputs, Traits
from smalldata.models.estimators import Classifier, Regressor
from smalldata.models.values import Range, check_fields
from smalldata.task import TaskInfo, TaskKind

Weights = Literal["uniform", "distance"]
Metric = Literal["euclidean", "manhattan", "cosine"]


@dataclass(frozen=True, kw_only=True)
class KNN:
    """Learner that builds a nearest-neighbours model.

    It has no class weights: a vote stays the plain share of the neighbours, because that share is
    explained.

    Attributes
    ----------
    n_neighbors : int
        All training rows vote if there are fewer.
    weights : {"uniform", "distance"}
        Neighbours count equally, or by 1 / distance (if any are at distance 0, only those count).
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
        """Build the estimator; it uses no seed, ties are broken by the order of the rows."""
        if info.kind is TaskKind.REGRESSION:
            return NeighboursRegressor(learner=self, seed=seed, device=device)
        return NeighboursClassifier(
            learner=self, n_classes=info.n_classes, seed=seed, device=device
        )

    def scale(self, kind: TaskKind) -> str:
        """Return probability (the vote) for classes, value for a regression."""
        return "probability" if kind.is_classification else "value"

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
    ) -> "NeighboursWorkspace":
        """Return the sorted neighbours by each metric, which all trials on these rows share."""
        targets = _targets(y_train, info.n_classes if info.kind.is_classification else 0)
        return NeighboursWorkspace(X_train=X_train, targets=targets, X_valid=X_valid)

    def margin_form(self, fitted: Any) -> NeighboursForm:
        """Return the training rows and their votes (of two classes, only the positive one's)."""
        targets = fitted.targets_
        return NeighboursForm(
            train=fitted.train_,
            targets=targets[:, 1:] if targets.shape[1] == 2 else targets,
            n_neighbors=min(fitted.learner.n_neighbors, len(targets)),
            weights=fitted.learner.weights,
            metric=fitted.learner.metric,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class NeighboursWorkspace:
    """The training rows sorted by distance to each validation row, once per metric.

    Attributes
    ----------
    X_train : ndarray of shape (n_train, n_columns)
    targets : ndarray of shape (n_train, n_outputs)
        Indicators of the classes, or one column of values.
    X_valid : ndarray of shape (n_valid, n_columns)
    found : dict
        (order, distance) by metric, filled on first use.
    """

    X_train: Array
    targets: Array
    X_valid: Array
    found: dict[Metric, tuple[NDArray[np.int64], Array]] = field(default_factory=dict)

    def outputs(self, learner: KNN, *, needs: Need) -> Outputs:
        """Return the votes or the means, equal bit for bit to those of a fit."""
        if learner.metric not in self.found:
            distance = distances(self.X_valid, self.X_train, learner.metric)
            self.found[learner.metric] = nearest_first(distance)
        order, near = self.found[learner.metric]
        k = learner.n_neighbors
        means = weighted_means(order[:, :k], near[:, :k], self.targets, learner.weights)
        return Outputs(value=means[:, 0]) if needs == "value" else Outputs(probabilities=means)

    def relabel(self, y_train: NDArray[Any]) -> "NeighboursWorkspace":
        """Return the same neighbours with other labels."""
        n_columns = self.targets.shape[1]
        return replace(self, targets=_targets(y_train, n_columns if n_columns > 1 else 0))


class NeighboursClassifier(Classifier[KNN]):
    """Probabilities are the weighted shares of the classes among the nearest training rows."""

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Keep the training rows."""
        self.n_features_in_ = X.shape[1]
        self.classes_ = np.arange(self.n_classes)
        self.train_ = X
        self.targets_ = _targets(y, self.n_classes)
        self.notes_ = _notes(self.learner.n_neighbors, len(X))
        return self

    def predict_proba(self, X: Array) -> Array:
        """Return probabilities of shape (n_samples, n_classes)."""
        return _means(self, X)


class NeighboursRegressor(Regressor[KNN]):
    """The value is the weighted mean of the nearest training rows."""

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Keep the training rows."""
        self.n_features_in_ = X.shape[1]
        self.train_ = X
        self.targets_ = _targets(y, 0)
        self.notes_ = _notes(self.learner.n_neighbors, len(X))
        return self

    def predict(self, X: Array) -> Array:
        """Return values of shape (n_samples,)."""
        return np.asarray(_means(self, X)[:, 0])


def distances(X: Array, train: Array, metric: Metric) -> Array:
    """Return the distance of each row to each training row, rounded; equal rows are at exactly 0.

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
        # Half the squared distance of the unit rows is 1 - cosine, without the cancellation.
        sizes = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in (X, train)]
        units = [
            rows / np.where(size == 0, 1.0, size)
            for rows, size in zip((X, train), sizes, strict=True)
        ]
        found = cdist(*units, metric="sqeuclidean") / 2
        found = np.where((sizes[0] == 0) | (sizes[1] == 0).T, 1.0, found)
    else:
        found = cdist(X, train, metric="cityblock" if metric == "manhattan" else "euclidean")
    # Equal terms summed in a different order differ in the last bits. Rounded to 2^-40 of the row's
    # largest distance they tie, as they should, and parallel rows are at cosine distance 0. Each
    # row has its own step, so that no row's answer depends on another row.
    largest = found.max(axis=1, keepdims=True)
    step = np.exp2(np.ceil(np.log2(np.where(largest > 0, largest, 1.0))) - 40)
    return np.asarray(np.rint(found / step) * step)


def nearest_first(distance: Array) -> tuple[NDArray[np.int64], Array]:
    """Sort the training rows by distance to each row; the earlier row wins a tie.

    Parameters
    ----------
    distance : ndarray of shape (n_samples, n_train)

    Returns
    -------
    order : ndarray of shape (n_samples, n_train)
        Positions of the training rows.
    near : ndarray of shape (n_samples, n_train)
        Their distances, ascending.
    """
    order = np.argsort(distance, axis=1, kind="stable")
    return order, np.take_along_axis(distance, order, axis=1)


def weighted_means(
    order: NDArray[np.int64], near: Array, targets: Array, weights: Weights
) -> Array:
    """Return the weighted mean of the targets of each row's neighbours.

    Parameters
    ----------
    order : ndarray of shape (n_samples, n_neighbors)
        Positions of the neighbours in ``targets``.
    near : ndarray of shape (n_samples, n_neighbors)
        Their distances.
    targets : ndarray of shape (n_train, n_outputs)
    weights : {"uniform", "distance"}

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
    """
    if weights == "uniform":
        weight = np.ones_like(near)
    else:
        same = near == 0
        # The reciprocal of a distance below 1e-300 would overflow.
        weight = 1.0 / np.where(same, 1.0, np.maximum(near, 1e-300))
        weight = np.where(same.any(axis=1, keepdims=True), same.astype(np.float64), weight)
        weight = weight / weight.max(axis=1, keepdims=True)
    total = weight.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("ij,ijk->ik", weight / total, targets[order]))


def _means(fitted: Any, X: Array) -> Array:
    learner: KNN = fitted.learner
    order, near = nearest_first(distances(X, fitted.train_, learner.metric))
    k = learner.n_neighbors
    return weighted_means(order[:, :k], near[:, :k], fitted.targets_, learner.weights)


def _targets(y: NDArray[Any], n_classes: int) -> Array:
    """Return indicators of the classes, or one column of values if there are no classes."""
    if n_classes:
        return np.asarray(y[:, None] == np.arange(n_classes), dtype=np.float64)
    return np.asarray(y, dtype=np.float64)[:, None]


def _notes(n_neighbors: int, n_train: int) -> tuple[str, ...]:
    if n_neighbors <= n_train:
        return ()
    return (f"n_neighbors={n_neighbors} exceeds the {n_train} training rows; all of them vote",)
