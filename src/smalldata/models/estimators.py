"""What the estimators of the models share: each holds the learner whose values it reads.

Step in the line: learner -> **estimator** -> fitted pipeline.
"""

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from smalldata.learner import Array

Recipe = TypeVar("Recipe")


class Classifier(ClassifierMixin, BaseEstimator, Generic[Recipe]):  # type: ignore[misc]
    """Base of a classifier; a subclass has ``fit`` and ``predict_proba``.

    Parameters
    ----------
    learner : Learner
        Holds the hyperparameters.
    n_classes : int
    seed : int
    device : {"cpu", "cuda"}
    """

    def __init__(self, *, learner: Recipe, n_classes: int, seed: int, device: str) -> None:
        self.learner = learner
        self.n_classes = n_classes
        self.seed = seed
        self.device = device

    def predict(self, X: Array) -> NDArray[np.int64]:
        """Return the most probable class; the first of equally probable ones."""
        return np.asarray(self.predict_proba(X).argmax(axis=1), dtype=np.int64)


class Regressor(RegressorMixin, BaseEstimator, Generic[Recipe]):  # type: ignore[misc]
    """Base of a regressor; a subclass has ``fit`` and ``predict``.

    Parameters
    ----------
    learner : Learner
        Holds the hyperparameters.
    seed : int
    device : {"cpu", "cuda"}
    """

    def __init__(self, *, learner: Recipe, seed: int, device: str) -> None:
        self.learner = learner
        self.seed = seed
        self.device = device
