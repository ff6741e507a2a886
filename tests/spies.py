"""Models that misbehave on purpose, or say what they were trained on. Importable by any process."""

import os
import signal
import sys
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import cloudpickle
import numpy as np
from sklearn.base import BaseEstimator

from smalldata.errors import FitError
from smalldata.learner import Traits
from smalldata.task import TaskInfo, TaskKind

# Worker processes do not see the folder of the tests.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


class SpyEstimator(BaseEstimator):
    """Predicts a constant, after doing what its mode says in the folds whose seeds are hits."""

    def __init__(self, *, mode: str = "", seed: int = 0, hits: tuple[int, ...] = ()) -> None:
        self.mode = mode
        self.seed = seed
        self.hits = hits

    def fit(self, X: Any, y: Any, groups: Any = None) -> "SpyEstimator":
        self.n_classes_ = len(np.unique(y))
        self.seen_ = {tuple(row) for row in np.asarray(X)}
        self.groups_ = None if groups is None else tuple(groups)
        self.notes_ = ("spied",)
        if not self.hits or self.seed in self.hits:
            getattr(self, f"_{self.mode}", lambda: None)()
        return self

    def _raise(self) -> None:
        raise ValueError("the matrix is odd\nand more")

    def _refuse(self) -> None:
        raise FitError("the model needs more rows.")

    def _exhaust(self) -> None:
        raise MemoryError

    def _warn(self) -> None:
        for i in range(8):
            warnings.warn(f"careful {i}", RuntimeWarning, stacklevel=1)
            warnings.warn(f"careful {i}", RuntimeWarning, stacklevel=1)

    def _die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def _wait(self) -> None:
        signal.pause()

    def predict_proba(self, X: Any) -> Any:
        found = np.full((len(X), self.n_classes_), 1 / self.n_classes_)
        if not self.hits or self.seed in self.hits:
            if self.mode == "nan":
                found[0] = np.nan
            if self.mode == "unnormalised":
                found[0] = 0.9
            if self.mode == "narrow":
                found = found[:, :1]
        return found

    def predict(self, X: Any) -> Any:
        """1 where the row was trained on; inf in mode inf."""
        if self.mode == "inf":
            return np.full(len(X), np.inf)
        return np.array([float(tuple(row) in self.seen_) for row in np.asarray(X)])


@dataclass(frozen=True, kw_only=True)
class Spy:
    """A learner whose estimator misbehaves in the folds whose seeds are ``hits`` (none: in all)."""

    traits: ClassVar[Traits] = Traits()
    mode: str = ""
    hits: tuple[int, ...] = ()

    def build(self, info: TaskInfo, *, seed: int, device: str) -> SpyEstimator:
        return SpyEstimator(mode=self.mode, seed=seed, hits=self.hits)


@dataclass(frozen=True, kw_only=True)
class ValuesOnly(Spy):
    """A spy that takes regressions only."""

    traits: ClassVar[Traits] = Traits(kinds=frozenset({TaskKind.REGRESSION}))
