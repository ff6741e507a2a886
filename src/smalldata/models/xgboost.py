"""Gradient-boosted trees by XGBoost: few bins, one thread, missing values as they are.

Fits on the same rows share the binned rows. Each round draws its rows and columns by a seed of its
own, so that a fit can be grown further after others were fitted, and equals one grown at once.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from smalldata.learner import Array, Need, Outputs, Traits, TreesForm
from smalldata.models.values import Range, check_fields
from smalldata.models.weighting import ClassWeight, row_weights
from smalldata.splitting import split_off
from smalldata.task import TaskInfo, TaskKind

# XGBoost stores float32; what lies beyond counts as the largest of them.
LARGEST = float(np.finfo(np.float32).max)
# Bins of all columns together, kept to as long as a column has FEWEST_BINS.
MOST_BINS = 65_536
FEWEST_BINS = 16


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
        Most bins per column; with a few hundred rows, more than 32 cost time and gain little.
        Tables of more than 2,048 columns get fewer, down to 16, which halves the time and was no
        worse on nci60 and on 200 x 5,000 (there is another column for every lost threshold).
    early_stopping : int
        Rounds without a better loss on a fifth of the training rows, after which boosting stops;
        0: never, and all training rows are used.
    class_weight : {"none", "balanced"}
        No effect in a regression.
    """

    traits: ClassVar[Traits] = Traits(
        categories="integer", uses_gpu=True, early_stops=True, path="n_rounds"
    )
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
    ) -> "TreesWorkspace":
        """Return what all trials on these rows share: the rows, binned."""
        rows = TrainingRows(
            X=X_train,
            y=y_train,
            groups=groups,
            n_classes=info.n_classes if info.kind.is_classification else 0,
            seed=seed,
        )
        return TreesWorkspace(rows=rows, valid=_unbinned(X_valid), device=device)

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
        rows = TrainingRows(X=X, y=y, groups=groups, n_classes=self.n_classes, seed=self.seed)
        self.booster_, self.notes_ = Growth(self, rows, device=self.device).finish(self.n_rounds)
        return self

    def predict_proba(self, X: Array) -> Array:
        """Return probabilities of shape (n_samples, n_classes)."""
        return _probabilities(_raw(self.booster_, _unbinned(X)))

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
        rows = TrainingRows(X=X, y=y, groups=groups, n_classes=0, seed=self.seed)
        self.booster_, self.notes_ = Growth(self, rows, device=self.device).finish(self.n_rounds)
        return self

    def predict(self, X: Array) -> Array:
        """Return values of shape (n_samples,)."""
        return _raw(self.booster_, _unbinned(X))


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingRows:
    """The rows of a fit as XGBoost takes them, binned once for all fits that ask for them.

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
        What was asked for before.
    """

    X: Array
    y: NDArray[Any]
    groups: NDArray[Any] | None
    n_classes: int
    seed: int
    binned: dict[Any, Any] = field(default_factory=dict)

    def objective(self, class_weight: ClassWeight) -> dict[str, Any]:
        """Return the loss, and the output from which boosting starts."""
        # Given, not guessed, so that it can be explained.
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
        """Return the binned rows to learn from, and those held out for early stopping, or None."""
        # The bins are quantiles of the weighted rows: other weights have other bins.
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
        return train, _unbinned(self.X[rows], label=self.y[rows], weight=weights[rows])

    def _weights(self, class_weight: ClassWeight) -> Array:
        return row_weights(self.y, class_weight, classify=self.n_classes > 0)


class Growth:
    """A booster that can be grown on, and cut back to any number of its rounds.

    Parameters
    ----------
    settings : object
        With the hyperparameters of `XGBoost` as attributes.
    rows : TrainingRows
    device : {"cpu", "cuda"}
    """

    def __init__(self, settings: Any, rows: TrainingRows, *, device: str) -> None:
        import xgboost

        # A regressor has none.
        class_weight: ClassWeight = getattr(settings, "class_weight", "none")
        self.patience = settings.early_stopping
        max_bin = min(settings.max_bin, max(FEWEST_BINS, MOST_BINS // rows.X.shape[1]))
        self.train, self.held_out = rows.matrices(class_weight, max_bin, hold_out=self.patience > 0)
        self.losses: list[float] = []
        self.n_grown = 0
        self.booster = xgboost.Booster(
            rows.objective(class_weight)
            | {
                "tree_method": "hist",
                "learning_rate": settings.learning_rate,
                "max_depth": settings.max_depth,
                "min_child_weight": settings.min_child_weight,
                "subsample": settings.subsample,
                "colsample_bytree": settings.colsample,
                "reg_lambda": settings.reg_lambda,
                "max_bin": max_bin,
                "seed": rows.seed,
                # Else all boosters of a process draw from one stream of random numbers.
                "seed_per_iteration": True,
                "device": device,
                "nthread": 1,
                "verbosity": 0,
            },
            [found for found in (self.train, self.held_out) if found is not None],
        )

    def grow(self, n_rounds: int) -> None:
        """Grow to so many rounds, or until the held-out rows say stop."""
        while self.n_grown < n_rounds and not self._is_stopped():
            self.booster.update(self.train, self.n_grown)
            if self.held_out is not None:
                said = self.booster.eval(self.held_out)  # "[0]\teval-logloss:0.69"
                self.losses.append(float(said.rsplit(":", 1)[1]))
            self.n_grown += 1

    def n_kept(self, n_rounds: int) -> int:
        """Return how many rounds a fit of ``n_rounds`` keeps, where so many were grown."""
        if self.held_out is None:
            return n_rounds
        return int(np.argmin(self.losses[:n_rounds])) + 1

    def finish(self, n_rounds: int) -> tuple[Any, tuple[str, ...]]:
        """Return the Booster of so many rounds, cut to its best one, and what must be said."""
        self.grow(n_rounds)
        if self.held_out is not None:
            n_best = self.n_kept(n_rounds)
            return self.booster[:n_best], (f"early stopping kept {n_best} rounds",)
        if self.patience > 0:
            return self.booster, (
                "no early stopping: the smallest class has too few training rows or groups "
                "to split",
            )
        return self.booster, ()

    def _is_stopped(self) -> bool:
        if not self.losses:
            return False
        n_waited = len(self.losses) - self.n_kept(len(self.losses))
        return bool(n_waited >= self.patience)


@dataclass(kw_only=True, eq=False)
class TreesWorkspace:
    """Binned training rows for the fits of all trials, and the booster that was grown last.

    Results equal those of single fits to the last bit.

    Attributes
    ----------
    rows : TrainingRows
    valid : xgboost.DMatrix
    device : {"cpu", "cuda"}
    last : (XGBoost, Growth) or None
        The growth that other numbers of rounds of the same learner go on with.
    """

    rows: TrainingRows
    valid: Any
    device: str
    last: tuple[XGBoost, Growth] | None = None

    def outputs(self, learner: XGBoost, *, needs: Need) -> Outputs:
        """Grow the trees; all parts, whatever is needed."""
        return self.path(learner, [learner.n_rounds], needs=needs)[0]

    def path(self, learner: XGBoost, values: Sequence[int], *, needs: Need) -> list[Outputs]:
        """Grow to the last number of rounds and read off all of them."""
        key = replace(learner, n_rounds=1)
        if self.last is None or self.last[0] != key:
            self.last = key, Growth(learner, self.rows, device=self.device)
        growth = self.last[1]
        growth.grow(max(values))
        return [self._read(growth, n_rounds) for n_rounds in values]

    def _read(self, growth: Growth, n_rounds: int) -> Outputs:
        output = _raw(growth.booster, self.valid, n_rounds=growth.n_kept(n_rounds))
        if self.rows.n_classes == 0:
            return Outputs(value=output)
        return Outputs(probabilities=_probabilities(output))


def _raw(booster: Any, rows: Any, *, n_rounds: int = 0) -> Array:
    """Raw outputs (log-odds or values), of shape (n_samples,) or (n_samples, n_classes).

    Of the first ``n_rounds``; 0: of all.
    """
    found = booster.predict(rows, output_margin=True, iteration_range=(0, n_rounds))
    return np.asarray(found, dtype=np.float64)


def _probabilities(output: Array) -> Array:
    if output.ndim == 2:
        return np.asarray(softmax(output, axis=1))
    return np.asarray(expit(np.stack([-output, output], axis=1)))


def _unbinned(X: Array, **about: Any) -> Any:
    import xgboost

    return xgboost.DMatrix(_clipped(X), nthread=1, **about)


def _clipped(X: Array) -> Array:
    return np.clip(X, -LARGEST, LARGEST)
