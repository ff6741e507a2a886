"""Boosted trees: binned rows, and a booster that can grow further.

Step in the line: training rows -> **Booster** -> estimator of `xgboost`. Fits on the same rows
share the binned rows. Each round draws its rows and columns with its own seed, so a fit can grow
further after others were fitted and still equals one grown in one go. A GPU grows trees from the
bins the CPU made, so the thresholds are the same, but it draws different rows if ``subsample`` is
below 1.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from smalldata.learner import Array
from smalldata.models.weighting import ClassWeight, row_weights
from smalldata.resampling.splitting import split_off

# XGBoost stores float32; larger values are clipped to its maximum.
LARGEST = float(np.finfo(np.float32).max)
# Limit on the bins of all columns together, as long as a column keeps FEWEST_BINS.
MOST_BINS = 32_768
FEWEST_BINS = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingRows:
    """The rows of a fit as XGBoost takes them, binned once for all fits.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_columns)
    y : ndarray of shape (n_samples,)
    groups : ndarray of shape (n_samples,) or None
    n_classes : int
        0 for a regression.
    seed : int
        Draws the rows held out for early stopping, and the rows and columns of each round.
    binned : dict
        Cache of `matrices`.
    """

    X: Array
    y: NDArray[Any]
    groups: NDArray[Any] | None
    n_classes: int
    seed: int
    binned: dict[Any, Any] = field(default_factory=dict)

    def objective(self, class_weight: ClassWeight) -> dict[str, Any]:
        """Return the loss and the output boosting starts from."""
        # Set here, not estimated by XGBoost, so that it can be explained.
        if self.n_classes == 0:
            return {"objective": "reg:squarederror", "base_score": float(np.mean(self.y))}
        if self.n_classes > 2:
            return {
                "objective": "multi:softprob",
                "num_class": self.n_classes,
                "base_score": 0.5,
            }
        start = np.average(self.y, weights=self._weights(class_weight))
        return {"objective": "binary:logistic", "base_score": float(start)}

    def matrices(
        self, class_weight: ClassWeight, max_bin: int, *, hold_out: bool
    ) -> tuple[Any, Any | None]:
        """Return the binned rows to learn from, and those held out for early stopping or None."""
        # The bins are quantiles of the weighted rows, so they depend on the weights.
        key = (class_weight, max_bin, hold_out)
        if key not in self.binned:
            self.binned[key] = self._bin(*key)
        found: tuple[Any, Any | None] = self.binned[key]
        return found

    def _bin(
        self, class_weight: ClassWeight, max_bin: int, hold_out: bool
    ) -> tuple[Any, Any | None]:
        import xgboost

        weights = self._weights(class_weight)
        learnt: Any = slice(None)
        parts = None
        if hold_out:
            stratify = self.n_classes > 0
            parts = split_off(self.y, 5, stratify=stratify, groups=self.groups, seed=self.seed)
        if parts is not None:
            learnt = parts[0]
        train = xgboost.QuantileDMatrix(
            _clipped(self.X[learnt]),
            label=self.y[learnt],
            weight=weights[learnt],
            max_bin=max_bin,
            nthread=1,
        )
        if parts is None:
            return train, None
        rows = parts[1]
        return train, unbinned(self.X[rows], label=self.y[rows], weight=weights[rows])

    def _weights(self, class_weight: ClassWeight) -> Array:
        return row_weights(self.y, class_weight, classify=self.n_classes > 0)


class Growth:
    """A booster that can grow further and be cut back to any number of its rounds.

    Parameters
    ----------
    learner : XGBoost
    rows : TrainingRows
    device : {"cpu", "cuda"}
    """

    def __init__(self, learner: Any, rows: TrainingRows, *, device: str) -> None:
        import xgboost

        self.patience = learner.early_stopping
        max_bin = min(learner.max_bin, max(FEWEST_BINS, MOST_BINS // rows.X.shape[1]))
        self.train, self.held_out = rows.matrices(
            learner.class_weight, max_bin, hold_out=self.patience > 0
        )
        self.losses: list[float] = []
        self.n_grown = 0
        self.device, self.notes = usable_device(device)
        self.booster = xgboost.Booster(
            rows.objective(learner.class_weight)
            | {
                "tree_method": "hist",
                "learning_rate": learner.learning_rate,
                "max_depth": learner.max_depth,
                "min_child_weight": learner.min_child_weight,
                "subsample": learner.subsample,
                "colsample_bytree": learner.colsample,
                "reg_lambda": learner.reg_lambda,
                "max_bin": max_bin,
                "seed": rows.seed,
                # Otherwise all boosters of a process share one stream of random numbers.
                "seed_per_iteration": True,
                "device": self.device,
                "nthread": 1,
                "verbosity": 0,
            },
            [found for found in (self.train, self.held_out) if found is not None],
        )

    def grow(self, n_rounds: int) -> None:
        """Grow to this many rounds, or until the loss on the held-out rows stops falling."""
        while self.n_grown < n_rounds and not self._is_stopped():
            self.booster.update(self.train, self.n_grown)
            if self.held_out is not None:
                said = self.booster.eval(self.held_out)  # "[0]\teval-logloss:0.69"
                self.losses.append(float(said.rsplit(":", 1)[1]))
            self.n_grown += 1

    def n_kept(self, n_rounds: int) -> int:
        """Return how many rounds a fit of ``n_rounds`` keeps, once they are grown."""
        if self.held_out is None:
            return n_rounds
        return int(np.argmin(self.losses[:n_rounds])) + 1

    def finish(self, n_rounds: int) -> tuple[Any, tuple[str, ...]]:
        """Return the Booster of this many rounds, cut at its best one, and notes for the record.

        It predicts on the CPU wherever it was grown, because the kernel that explains it does.
        """
        self.grow(n_rounds)
        booster, notes = self.booster, self.notes
        if self.held_out is not None:
            n_best = self.n_kept(n_rounds)
            booster = booster[:n_best]
            notes += (f"early stopping kept {n_best} rounds",)
        elif self.patience > 0:
            notes += (
                "no early stopping: the smallest class has too few training rows or groups "
                "to hold any out",
            )
        if self.device != "cpu":
            booster.set_param({"device": "cpu"})
        return booster, notes

    def _is_stopped(self) -> bool:
        if not self.losses:
            return False
        n_waited = len(self.losses) - self.n_kept(len(self.losses))
        return bool(n_waited >= self.patience)


def usable_device(device: str) -> tuple[str, tuple[str, ...]]:
    """Return the device on which the installed XGBoost can grow trees, and notes for the record.

    Parameters
    ----------
    device : {"cpu", "cuda"}
    """
    if device == "cpu":
        return device, ()
    import xgboost

    if xgboost.build_info().get("USE_CUDA"):
        return device, ()
    return "cpu", (
        f"grown on the CPU: the installed xgboost {xgboost.__version__} is a build without CUDA",
    )


def raw_outputs(booster: Any, rows: Any, *, n_rounds: int = 0) -> Array:
    """Return log-odds or values, of shape (n_samples,) or (n_samples, n_classes).

    Parameters
    ----------
    booster : xgboost.Booster
    rows : xgboost.DMatrix
    n_rounds : int
        Rounds to use; 0: all.
    """
    found = booster.predict(rows, output_margin=True, iteration_range=(0, n_rounds))
    return np.asarray(found, dtype=np.float64)


def probabilities_of(output: Array) -> Array:
    """Return probabilities of shape (n_samples, n_classes) from log-odds."""
    if output.ndim == 2:
        return np.asarray(softmax(output, axis=1))
    return np.asarray(expit(np.stack([-output, output], axis=1)))


def unbinned(X: Array, **about: Any) -> Any:
    """Return rows in the form XGBoost predicts from."""
    import xgboost

    return xgboost.DMatrix(_clipped(X), nthread=1, **about)


def _clipped(X: Array) -> Array:
    return np.clip(X, -LARGEST, LARGEST)
