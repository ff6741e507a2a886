"""The networks of others as learners of this package: same folds, same encoding and imputation.

RealMLP (Holzmüller, Grinsztajn & Steinwart 2024) scales its own columns; pytabkit is needed for it
alone (``pip install -e '.[benchmark-deep]'``).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from smalldata.learner import Learner, Traits
from smalldata.task import TaskInfo, TaskKind


class PeerClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that is not told of groups."""

    def __init__(self, *, inner: Any) -> None:
        self.inner = inner

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit on the training rows of a fold."""
        self.inner.fit(X, y)
        self.classes_ = self.inner.classes_
        return self

    def predict_proba(self, X: Any) -> Any:
        """Return probabilities of shape (n_samples, n_classes)."""
        return self.inner.predict_proba(X)

    def predict(self, X: Any) -> Any:
        """Return the most probable class."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class PeerRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor of the standardised target that is not told of groups."""

    def __init__(self, *, inner: Any) -> None:
        self.inner = inner

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit on the training rows of a fold."""
        self.centre_, self.spread_ = float(np.mean(y)), float(np.std(y)) or 1.0
        self.inner.fit(X, (y - self.centre_) / self.spread_)
        return self

    def predict(self, X: Any) -> Any:
        """Return values in the units of the target."""
        return self.centre_ + self.spread_ * np.ravel(self.inner.predict(X))


@dataclass(frozen=True, kw_only=True)
class SklearnMLP:
    """scikit-learn's perceptron at its defaults, on columns and target scaled as ours are."""

    traits: ClassVar[Traits] = Traits(needs_scaling=True, needs_complete=True)
    release: str

    def build(self, info: TaskInfo, *, seed: int, device: str) -> Any:
        """Build the estimator."""
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        if info.kind is TaskKind.REGRESSION:
            return PeerRegressor(inner=MLPRegressor(random_state=seed))
        return PeerClassifier(inner=MLPClassifier(random_state=seed))


@dataclass(frozen=True, kw_only=True)
class RealMLP:
    """pytabkit's RealMLP at its tuned defaults.

    Attributes
    ----------
    variant : {"TD", "TD_S"}
    for_auc : bool
        With what its documentation recommends for AUC: the epoch chosen by cross-entropy instead of
        accuracy, no label smoothing.
    n_threads : int
    release : str
        Of pytabkit.
    """

    traits: ClassVar[Traits] = Traits(needs_complete=True)
    variant: str
    for_auc: bool = False
    n_threads: int = 1
    release: str

    def build(self, info: TaskInfo, *, seed: int, device: str) -> Any:
        """Build the estimator, which runs on the CPU whatever the device."""
        import pytabkit

        for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch"):
            logging.getLogger(name).setLevel(logging.ERROR)
        about: dict[str, Any] = {
            "device": "cpu",
            "random_state": seed,
            "n_threads": self.n_threads,
        }
        if info.kind is TaskKind.REGRESSION:
            kind = getattr(pytabkit, f"RealMLP_{self.variant}_Regressor")
            return PeerRegressor(inner=kind(**about))
        if self.for_auc:
            about |= {"val_metric_name": "cross_entropy", "use_ls": False}
        return PeerClassifier(
            inner=getattr(pytabkit, f"RealMLP_{self.variant}_Classifier")(**about)
        )


def _sklearn(kind: TaskKind) -> Learner:
    return SklearnMLP(release=version("scikit-learn"))


def _td(kind: TaskKind) -> Learner:
    return RealMLP(variant="TD", release=version("pytabkit"))


def _td_s(kind: TaskKind) -> Learner:
    return RealMLP(variant="TD_S", release=version("pytabkit"))


def _td_auc(kind: TaskKind) -> Learner | None:
    if kind is TaskKind.REGRESSION:
        return None  # as RealMLP_TD
    return RealMLP(variant="TD", for_auc=True, release=version("pytabkit"))


PEERS: dict[str, Callable[[TaskKind], Learner | None]] = {
    "RealMLP_TD": _td,
    "RealMLP_TD for AUC": _td_auc,
    "RealMLP_TD_S": _td_s,
    "sklearn MLP": _sklearn,
}
NEEDS_PYTABKIT = ("RealMLP_TD", "RealMLP_TD for AUC", "RealMLP_TD_S")
