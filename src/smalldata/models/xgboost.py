"""Gradient-boosted trees by XGBoost: few bins, one thread, missing values as they are."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from smalldata.learner import Array, Traits, TreesForm
from smalldata.models.values import Range, check_fields
from smalldata.models.weighting import ClassWeight, row_weights
from smalldata.splitting import split_off
from smalldata.task import TaskInfo, TaskKind

# XGBoost stores float32; what lies beyond counts as the largest of them.
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, kw_only=True)
class XGBoost:
    """Learner of boosted trees.

    Attributes
    ----------
    n_rounds : int
        Trees (of several classes: trees per class).
    learning_rate, max_depth, min_child_weight, subsample, reg_lambda
        As XGBoost has them.
    colsample : float
        Share of the columns each tree may use.
    max_bin : int
        Bins per column; with a few hundred rows, more than 32 cost time and gain nothing.
    early_stopping : int
        Rounds without a better loss on a fifth of the training rows, after which boosting stops;
        0: never, and all training rows are used.
    class_weight : {"none", "balanced"}
        No effect in a regression.
    """

    traits: ClassVar[Traits] = Traits(categories="integer", uses_gpu=True, early_stops=True)
    n_rounds: Annotated[int, Range(low=1)]
    learning_rate: Annotated[float, Range(low=0, above=True, high=1)]
    max_depth: Annotated[int, Range(low=1, high=16)]
    min_child_weight: Annotated[float, Range(low=0)]
    subsample: Annotated[float, Range(low=0, above=True, high=1)]
    colsample: Annotated[float, Range(low=0, above=True, high=1)]
    reg_lambda: Annotated[float, Range(low=0)]
    max_bin: Annotated[int, Range(low=2)]
    early_stopping: Annotated[int, Range(low=0)]
    class_weight: ClassWeight

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)

    def build(self, info: TaskInfo, *, seed: int, device: str) -> Any:
        """Build the estimator; the seed draws rows and columns."""
        values = asdict(self) | {"seed": seed, "device": device}
        class_weight = values.pop("class_weight")
        if info.kind is TaskKind.REGRESSION:
            return TreesRegressor(**values)
        return TreesClassifier(n_classes=info.n_classes, class_weight=class_weight, **values)

    def scale(self, kind: TaskKind) -> str:
        """Log-odds, or value."""
        return "log-odds" if kind.is_classification else "value"

    def margin_form(self, fitted: Any) -> TreesForm:
        """Return the Booster; its raw outputs for several classes are not centred."""
        return TreesForm(model=fitted.booster_)


class TreesClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Boosted trees with logistic or softmax loss."""

    def __init__(
        self,
        *,
        n_classes: int,
        n_rounds: int,
        learning_rate: float,
        max_depth: int,
        min_child_weight: float,
        subsample: float,
        colsample: float,
        reg_lambda: float,
        max_bin: int,
        early_stopping: int,
        class_weight: ClassWeight,
        seed: int,
        device: str,
    ) -> None:
        self.n_classes = n_classes
        self.n_rounds = n_rounds
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.min_child_weight = min_child_weight
        self.subsample = subsample
        self.colsample = colsample
        self.reg_lambda = reg_lambda
        self.max_bin = max_bin
        self.early_stopping = early_stopping
        self.class_weight = class_weight
        self.seed = seed
        self.device = device

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit on the training rows of one fold."""
        self.n_features_in_ = X.shape[1]
        self.classes_ = np.arange(self.n_classes)
        weights = row_weights(y, self.class_weight, classify=True)
        if self.n_classes == 2:
            # The log-odds every row starts from; given, not guessed, so that it can be explained.
            objective = {
                "objective": "binary:logistic",
                "base_score": float(np.average(y, weights=weights)),
            }
        else:
            objective = {
                "objective": "multi:softprob",
                "num_class": self.n_classes,
                "base_score": 0.5,
            }
        self.booster_, self.notes_ = _boost(self, X, y, weights, groups, objective, stratify=True)
        return self

    def predict_proba(self, X: Array) -> Array:
        """Return probabilities of shape (n_samples, n_classes)."""
        output = _raw(self.booster_, X)
        if self.n_classes > 2:
            return np.asarray(softmax(output, axis=1))
        return np.asarray(expit(np.stack([-output, output], axis=1)))

    def predict(self, X: Array) -> NDArray[np.int64]:
        """Return the most probable class."""
        return np.asarray(self.predict_proba(X).argmax(axis=1), dtype=np.int64)


class TreesRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Boosted trees with squared loss."""

    def __init__(
        self,
        *,
        n_rounds: int,
        learning_rate: float,
        max_depth: int,
        min_child_weight: float,
        subsample: float,
        colsample: float,
        reg_lambda: float,
        max_bin: int,
        early_stopping: int,
        seed: int,
        device: str,
    ) -> None:
        self.n_rounds = n_rounds
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.min_child_weight = min_child_weight
        self.subsample = subsample
        self.colsample = colsample
        self.reg_lambda = reg_lambda
        self.max_bin = max_bin
        self.early_stopping = early_stopping
        self.seed = seed
        self.device = device

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit on the training rows of one fold."""
        self.n_features_in_ = X.shape[1]
        objective = {"objective": "reg:squarederror", "base_score": float(np.mean(y))}
        self.booster_, self.notes_ = _boost(
            self, X, y, np.ones(len(y)), groups, objective, stratify=False
        )
        return self

    def predict(self, X: Array) -> Array:
        """Return values of shape (n_samples,)."""
        return _raw(self.booster_, X)


def _boost(
    settings: Any,
    X: Array,
    y: NDArray[Any],
    weights: Array,
    groups: NDArray[Any] | None,
    objective: dict[str, Any],
    *,
    stratify: bool,
) -> tuple[Any, tuple[str, ...]]:
    """Grow the trees; return the Booster, cut to its best round, and what must be said of it."""
    import xgboost

    parameters = objective | {
        "tree_method": "hist",
        "learning_rate": settings.learning_rate,
        "max_depth": settings.max_depth,
        "min_child_weight": settings.min_child_weight,
        "subsample": settings.subsample,
        "colsample_bytree": settings.colsample,
        "reg_lambda": settings.reg_lambda,
        "max_bin": settings.max_bin,
        "seed": settings.seed,
        "device": settings.device,
        "nthread": 1,
        "verbosity": 0,
    }

    def table(rows: Any) -> Any:
        return xgboost.DMatrix(_clipped(X[rows]), label=y[rows], weight=weights[rows], nthread=1)

    if settings.early_stopping == 0:
        every = table(slice(None))
        return xgboost.train(parameters, every, num_boost_round=settings.n_rounds), ()
    parts = split_off(y, 5, stratify=stratify, groups=groups, seed=settings.seed)
    if parts is None:
        every = table(slice(None))
        return xgboost.train(parameters, every, num_boost_round=settings.n_rounds), (
            "no early stopping: the smallest class has too few training rows or groups to split",
        )
    train, held_out = parts
    booster = xgboost.train(
        parameters,
        table(train),
        num_boost_round=settings.n_rounds,
        evals=[(table(held_out), "held_out")],
        early_stopping_rounds=settings.early_stopping,
        verbose_eval=False,
    )
    n_best = int(booster.best_iteration) + 1
    return booster[:n_best], (f"early stopping kept {n_best} rounds",)


def _raw(booster: Any, X: Array) -> Array:
    """Raw outputs (log-odds or values), of shape (n_samples,) or (n_samples, n_classes)."""
    import xgboost

    rows = xgboost.DMatrix(_clipped(X), nthread=1)
    return np.asarray(booster.predict(rows, output_margin=True), dtype=np.float64)


def _clipped(X: Array) -> Array:
    return np.clip(X, -LARGEST, LARGEST)
