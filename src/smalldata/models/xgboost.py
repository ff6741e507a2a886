"""Gradient-boosted trees by XGBoost: few bins, one thread, missing values passed as they are.

Step in the line: yaml -> **learner** -> estimator. `boosting` grows the trees.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from smalldata.learner import Array, Need, Outputs, Traits, TreesForm
from smalldata.models.boosting import (
    Growth,
    TrainingRows,
    probabilities_of,
    raw_outputs,
    unbinned,
)
from smalldata.models.estimators import Classifier, Regressor
from smalldata.models.values import Range, check_fields
from smalldata.models.weighting import ClassWeight
from smalldata.task import TaskInfo, TaskKind


@dataclass(frozen=True, kw_only=True)
class XGBoost:
    """Learner that builds boosted trees.

    Attributes
    ----------
    n_rounds : int
        Number of trees, or trees per class if there are more than two classes.
    learning_rate, min_child_weight, subsample, reg_lambda : float
        XGBoost's parameters of these names.
    max_depth : int
        XGBoost's parameter of this name.
    colsample : float
        Share of the columns each tree may use.
    max_bin : int
        Maximum number of bins per column. With a few hundred rows, more than 32 bins cost time and
        gain little. Tables with more than 1,024 columns get fewer, down to 16. That halves the time
        and was no worse on nci60 and on 200 x 5,000 (another column replaces every lost threshold).
    early_stopping : int
        Boosting stops after this many rounds without a better loss on a held-out fifth of the
        training rows. 0: it never stops early and uses all training rows.
    class_weight : {"none", "balanced"}
        No effect in a regression.
    """

    traits: ClassVar[Traits] = Traits(categories="integer", uses_gpu=True, path="n_rounds")
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
        if info.kind is TaskKind.REGRESSION:
            return TreesRegressor(learner=self, seed=seed, device=device)
        return TreesClassifier(learner=self, n_classes=info.n_classes, seed=seed, device=device)

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
        """Return the binned rows, which all trials on them share."""
        rows = TrainingRows(
            X=X_train,
            y=y_train,
            groups=groups,
            n_classes=info.n_classes if info.kind.is_classification else 0,
            seed=seed,
        )
        return TreesWorkspace(rows=rows, valid=unbinned(X_valid), device=device)

    def scale(self, kind: TaskKind) -> str:
        """Return log-odds for classes, value for a regression."""
        return "log-odds" if kind.is_classification else "value"

    def margin_form(self, fitted: Any) -> TreesForm:
        """Return the Booster, whose raw outputs for several classes are not centred."""
        return TreesForm(model=fitted.booster_)


class TreesClassifier(Classifier[XGBoost]):
    """Boosted trees with logistic or softmax loss."""

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit on the training rows of one fold."""
        self.n_features_in_ = X.shape[1]
        self.classes_ = np.arange(self.n_classes)
        rows = TrainingRows(X=X, y=y, groups=groups, n_classes=self.n_classes, seed=self.seed)
        grown = Growth(self.learner, rows, device=self.device)
        self.booster_, self.notes_ = grown.finish(self.learner.n_rounds)
        return self

    def predict_proba(self, X: Array) -> Array:
        """Return probabilities of shape (n_samples, n_classes)."""
        return probabilities_of(raw_outputs(self.booster_, unbinned(X)))


class TreesRegressor(Regressor[XGBoost]):
    """Boosted trees with squared loss."""

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> Self:
        """Fit on the training rows of one fold."""
        self.n_features_in_ = X.shape[1]
        rows = TrainingRows(X=X, y=y, groups=groups, n_classes=0, seed=self.seed)
        grown = Growth(self.learner, rows, device=self.device)
        self.booster_, self.notes_ = grown.finish(self.learner.n_rounds)
        return self

    def predict(self, X: Array) -> Array:
        """Return values of shape (n_samples,)."""
        return raw_outputs(self.booster_, unbinned(X))


@dataclass(kw_only=True, eq=False)
class TreesWorkspace:
    """Binned training rows for the fits of all trials, and the booster grown last.

    Results equal those of single fits bit for bit.

    Attributes
    ----------
    rows : TrainingRows
    valid : xgboost.DMatrix
    device : {"cpu", "cuda"}
    last : (XGBoost, Growth) or None
        The growth that the same learner continues for another number of rounds.
    """

    rows: TrainingRows
    valid: Any
    device: str
    last: tuple[XGBoost, Growth] | None = None

    def outputs(self, learner: XGBoost, *, needs: Need) -> Outputs:
        """Grow the trees and return every output, whatever is needed."""
        return self.path(learner, [learner.n_rounds], needs=needs)[0]

    def path(self, learner: XGBoost, values: Sequence[int], *, needs: Need) -> list[Outputs]:
        """Grow to the largest number of rounds and read off all of them."""
        key = replace(learner, n_rounds=1)
        if self.last is None or self.last[0] != key:
            self.last = key, Growth(learner, self.rows, device=self.device)
        growth = self.last[1]
        growth.grow(max(values))
        return [self._read(growth, n_rounds) for n_rounds in values]

    def _read(self, growth: Growth, n_rounds: int) -> Outputs:
        output = raw_outputs(growth.booster, self.valid, n_rounds=growth.n_kept(n_rounds))
        if self.rows.n_classes == 0:
            return Outputs(value=output)
        return Outputs(probabilities=probabilities_of(output))
