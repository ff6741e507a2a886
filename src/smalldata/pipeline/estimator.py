"""A model with its in-fold preprocessing as a scikit-learn estimator, for use outside this line.

Step in the line: Learner, Preprocessing -> **estimator** -> whatever takes scikit-learn's. It fits
and predicts by `fitting`; here a table and its target become what that needs.
"""

import dataclasses
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_array
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    assert_all_finite,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)
from threadpoolctl import threadpool_limits

from smalldata.datasets.assembling import nearest
from smalldata.datasets.columns import as_categories, labels, type_column
from smalldata.datasets.frames import cells_of
from smalldata.datasets.side_by_side import Features, Values
from smalldata.datasets.target import named_positive
from smalldata.errors import ConfigError
from smalldata.learner import Array, Learner
from smalldata.models import load_learner
from smalldata.pipeline.fitting import fit_rows, predict_rows, refuse_task
from smalldata.pipeline.preprocess import Preprocessing
from smalldata.pipeline.training import TrainingRows
from smalldata.results.folds import Prediction
from smalldata.runtime.devices import resolve_device
from smalldata.task import BelowLimit, Task, TaskInfo, TaskKind, find_kind


def make_estimator(
    learner: str | Learner,
    *,
    kind: str | None = None,
    task: Task | None = None,
    preprocessing: Preprocessing | None = None,
    positive: object = None,
    random_state: int = 0,
    device: str = "cpu",
    **hyperparameters: Any,
) -> "LearnerClassifier | LearnerRegressor":
    """Make a scikit-learn estimator of a model and its preprocessing.

    Parameters
    ----------
    learner : str or Learner
        A model's name or what `load_learner` returns.
    kind : {"binary", "multiclass", "regression"}, optional
        Needed without a task.
    task : Task, optional
        Names the kind, the positive class, and what -inf in its X stands for.
    preprocessing : Preprocessing, optional
        Default: what the model needs and nothing else.
    positive : object, optional
        The positive class of a binary target; default: the task's, else the last one in order.
        It changes nothing of what the columns of ``predict_proba`` are: they follow ``classes_``.
    random_state : int
        The seed of the fit.
    device : {"cpu", "cuda", "auto"}
    **hyperparameters
        Those that differ from the learner's own.

    Returns
    -------
    LearnerClassifier or LearnerRegressor
        Unfitted. ``set_params`` takes hyperparameters by their own names.

    Raises
    ------
    ConfigError
        If there is no such model or hyperparameter, a value is not legal, or the kind is missing.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from smalldata import load_dataset, make_estimator
    >>> data = load_dataset("omics")
    >>> estimator = make_estimator("svm", kind="binary", C=10.0)
    >>> estimator.set_params(C=1.0).get_params()["C"]
    1.0
    >>> scores = cross_val_score(estimator, data.X, data.y, cv=3, scoring="roc_auc")
    >>> round(float(scores.mean()), 1)
    0.9
    """
    chosen = _change(learner, hyperparameters) if hyperparameters else _find(learner)
    if kind is None and task is None:
        raise ConfigError("kind must be binary, multiclass or regression, or name a task.")
    asked = find_kind(kind) if kind is not None else None
    if asked is not None and task is not None and asked is not task.kind:
        raise ConfigError(f"kind must be that of the task, {task.kind}; got {kind!r}.")
    task_kind = asked or (task.kind if task is not None else None)
    assert task_kind is not None
    if positive is None and task is not None:
        positive = task.positive
    if positive is not None and task_kind is not TaskKind.BINARY:
        raise ConfigError(f"positive is for a binary target; the kind is {task_kind}.")
    common: dict[str, Any] = {
        "preprocessing": preprocessing,
        "random_state": random_state,
        "device": device,
        "below": None if task is None else task.dataset.below,
    }
    if task_kind is TaskKind.REGRESSION:
        return LearnerRegressor(chosen, **common)
    return LearnerClassifier(chosen, kind=str(task_kind), positive=positive, **common)


class _LearnerEstimator(BaseEstimator):  # type: ignore[misc]
    """What the classifier and the regressor share.

    Attributes
    ----------
    pipeline_ : sklearn.pipeline.Pipeline
        Fitted, with the steps ``preprocess`` and ``estimator``.
    categorical_ : ndarray of shape (n_features,)
        True for the features that were taken as categories.
    notes_ : tuple of str
        What must be known of this fit, such as probabilities that could not be calibrated.
    """

    learner: str | Learner
    preprocessing: Preprocessing | None
    random_state: int
    device: str
    below: BelowLimit | None
    pipeline_: Any
    categorical_: NDArray[np.bool_]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with ``deep`` also the hyperparameters of the learner."""
        own: dict[str, Any] = super().get_params(deep=False)
        if not deep or (learner := _find_or_none(self.learner)) is None:
            return own
        return {name: getattr(learner, name) for name in _names(learner)} | own

    def set_params(self, **params: Any) -> Self:
        """Set parameters, or hyperparameters of the learner by their own names.

        Raises
        ------
        ConfigError
            If there is no such parameter or hyperparameter, or a value is not legal.
        """
        own = set(self._get_param_names())
        super().set_params(**{name: params[name] for name in params if name in own})
        values = {name: params[name] for name in params if name not in own}
        if values:
            self.learner = _change(self.learner, values)
        return self

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit preprocessing and model.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            Numbers, NaN where one is missing; columns of a DataFrame may be categories or text.
        y : array of shape (n_samples,)
            Labels of any type, or values.
        groups : array of shape (n_samples,), optional
            Rows with the same entry stay together where the model cuts folds of its own.

        Raises
        ------
        ValueError
            If X or y is not fit to be learned from.
        ConfigError
            If the learner does not take such a task.
        """
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        learner = _find(self.learner)
        table = self._table(X, reset=True)
        check_consistent_length(table, y, groups)
        codes, kind, n_classes = self._targets(column_or_1d(y, warn=True))
        info = TaskInfo(
            kind=kind, n_samples=len(table), n_features=table.shape[1], n_classes=n_classes
        )
        preprocessing = self.preprocessing or Preprocessing()
        self._check(learner, info, preprocessing)
        rows = TrainingRows(
            X=table,
            y=codes,
            groups=None if groups is None else np.asarray(groups),
            info=info,
            preprocessing=preprocessing,
            seed=int(self.random_state),
            device=resolve_device(self.device)[0] if learner.traits.uses_gpu else "cpu",
            below=self.below,
        )
        with threadpool_limits(1):  # as in a fold: the order of a sum depends on the threads
            self.pipeline_ = fit_rows(learner, rows)
        self.notes_ = tuple(getattr(self.pipeline_[-1], "notes_", ()))
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        return tags

    # ------------------------------------------------------------ inside

    def _targets(self, y: NDArray[Any]) -> tuple[NDArray[Any], TaskKind, int]:
        raise NotImplementedError

    def _check(self, learner: Learner, info: TaskInfo, preprocessing: Preprocessing) -> None:
        if isinstance(self.random_state, bool) or not isinstance(
            self.random_state, int | np.integer
        ):
            raise ConfigError(f"random_state must be a whole number; got {self.random_state!r}.")
        if reason := refuse_task(learner, info, ranking=preprocessing.select, k=preprocessing.k):
            raise ConfigError(f"{type(learner).__name__.lower()} cannot be fitted: {reason}.")

    def _table(self, X: Any, *, reset: bool) -> pd.DataFrame:
        """Return X as a Dataset holds it: float64 and categorical columns."""
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, reset=reset, skip_check_array=True)
            frame = X
        else:
            frame = pd.DataFrame(
                validate_data(self, X, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan")
            )
        least = 2 if reset else 1
        if len(frame) < least:
            raise ValueError(
                f"{type(self).__name__} needs at least {least} samples; Found array with n_samples "
                f"= {len(frame)}, {len(frame)} sample(s) (shape={frame.shape})."
            )
        names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(frame.shape[1])])
        if len(set(names)) < len(names):
            raise ValueError("feature names must be unique; rename the repeated columns.")
        known = [None] * len(names) if reset else self.categorical_.tolist()
        if not any(known) and all(_is_plain(dtype) for dtype in frame.dtypes):
            # One step for thousands of columns.
            table = pd.DataFrame(frame.to_numpy(dtype=np.float64), columns=names)
            is_category = np.zeros(len(names), dtype=bool)
        else:
            columns = {
                str(name): _typed(frame.iloc[:, place], str(name), categorical=known[place])
                for place, name in enumerate(names)
            }
            table = Features.of(columns).table()
            is_category = np.array([isinstance(v, pd.Categorical) for v in columns.values()])
        if reset:
            self.categorical_ = is_category
        numbers = table.loc[:, ~is_category].to_numpy()
        if self.below is not None:
            numbers = np.where(np.isinf(numbers), np.nan, numbers)
        with np.errstate(invalid="ignore"):  # inf - inf
            assert_all_finite(
                numbers,
                allow_nan=True,
                estimator_name=type(self).__name__,
                input_name="X",
            )
        return table

    def _predict(self, X: Any) -> Prediction:
        check_is_fitted(self, "pipeline_")
        table = self._table(X, reset=False)
        with threadpool_limits(1):
            return predict_rows(
                self.pipeline_,
                table,
                np.zeros(len(table)),
                rows=np.arange(len(table)),
                n_classes=len(getattr(self, "classes_", ())),
            )


def _has_margin(estimator: "LearnerClassifier") -> bool:
    learner = _find_or_none(estimator.learner)
    if learner is None:
        return False
    info = TaskInfo(kind=TaskKind.BINARY, n_samples=2, n_features=1, n_classes=2)
    return hasattr(learner.build(info, seed=0, device="cpu"), "decision_function")


class LearnerClassifier(ClassifierMixin, _LearnerEstimator):  # type: ignore[misc]
    """A classifier of two or more classes; made by `make_estimator`.

    Parameters
    ----------
    learner : str or Learner
        A model's name or what `load_learner` returns.
    kind : {"binary", "multiclass"}, optional
        Default: by the number of classes.
    positive : object, optional
        Of two classes the one that the model is fitted to; default: the last of ``classes_``.
    preprocessing : Preprocessing, optional
    random_state : int
    device : {"cpu", "cuda", "auto"}
    below : BelowLimit, optional
        `Dataset.below`, for a table with -inf for values below a limit of detection.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted; the columns of ``predict_proba``.
    """

    def __init__(
        self,
        learner: str | Learner = "linear",
        *,
        kind: str | None = None,
        positive: object = None,
        preprocessing: Preprocessing | None = None,
        random_state: int = 0,
        device: str = "cpu",
        below: BelowLimit | None = None,
    ) -> None:
        self.learner = learner
        self.kind = kind
        self.positive = positive
        self.preprocessing = preprocessing
        self.random_state = random_state
        self.device = device
        self.below = below

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row."""
        label = self._predict(X).label
        return np.asarray(self.classes_[self._codes[label]])

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities of shape (n_samples, n_classes), in the order of ``classes_``."""
        probabilities = self._predict(X).probabilities
        assert probabilities is not None
        return probabilities[:, self._codes]

    @available_if(_has_margin)  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> Array:
        """Return margins: (n_samples,) for two classes, else (n_samples, n_classes)."""
        margin = self._predict(X).margin
        assert margin is not None
        if len(self.classes_) > 2:
            return margin[:, self._codes]
        return -margin[:, 0] if self._codes[0] else margin[:, 0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        learner = _find_or_none(self.learner)
        tags.classifier_tags.multi_class = self.kind != "binary"
        tags.classifier_tags.poor_score = learner is None or not learner.traits.reads_features
        return tags

    def _targets(self, y: NDArray[Any]) -> tuple[NDArray[Any], TaskKind, int]:
        """Return y as the line codes it: 1 is the positive one of two classes."""
        check_classification_targets(y)
        if self.kind not in (None, "binary", "multiclass"):
            raise ConfigError(f"kind must be binary or multiclass; got {self.kind!r}.")
        self.classes_, codes = np.unique(y, return_inverse=True)
        n_classes = len(self.classes_)
        if n_classes < 2:
            raise ValueError(f"y must hold at least two classes; it holds {n_classes} class.")
        if self.kind == "binary" and n_classes > 2:
            raise ValueError(
                f"Only binary classification is supported. y holds {n_classes} classes; set "
                "kind='multiclass'."
            )
        kind = TaskKind.BINARY if n_classes == 2 else TaskKind.MULTICLASS
        # Of a class its code, and of a code its class: two that change places, or none.
        self._codes = np.arange(n_classes)
        if self.positive is not None and n_classes == 2:
            words = [str(name) for name in self.classes_]
            if named_positive(self.positive, words, target="y") == words[0]:
                self._codes = self._codes[::-1]
        return self._codes[codes].astype(np.int64), TaskKind(self.kind or kind), n_classes


class LearnerRegressor(RegressorMixin, _LearnerEstimator):  # type: ignore[misc]
    """A regressor; made by `make_estimator`.

    Parameters
    ----------
    learner : str or Learner
        A model's name or what `load_learner` returns.
    preprocessing : Preprocessing, optional
    random_state : int
    device : {"cpu", "cuda", "auto"}
    below : BelowLimit, optional
        `Dataset.below`, for a table with -inf for values below a limit of detection.
    """

    def __init__(
        self,
        learner: str | Learner = "linear",
        *,
        preprocessing: Preprocessing | None = None,
        random_state: int = 0,
        device: str = "cpu",
        below: BelowLimit | None = None,
    ) -> None:
        self.learner = learner
        self.preprocessing = preprocessing
        self.random_state = random_state
        self.device = device
        self.below = below

    def predict(self, X: Any) -> Array:
        """Return values of shape (n_samples,)."""
        value = self._predict(X).value
        assert value is not None
        return value

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        learner = _find_or_none(self.learner)
        tags.regressor_tags.poor_score = learner is None or not learner.traits.reads_features
        return tags

    def _targets(self, y: NDArray[Any]) -> tuple[NDArray[Any], TaskKind, int]:
        values = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=self)
        return values, TaskKind.REGRESSION, 0


# ---------------------------------------------------------------- columns


def _is_plain(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "fiu"


def _typed(column: "pd.Series[Any]", name: str, *, categorical: bool | None) -> Values:
    """Type a column as the readers of files do, or as it was typed in training.

    Raises
    ------
    ValueError
        If it holds dates, or no numbers where there were numbers in training.
    """
    if categorical is not False and isinstance(column.dtype, pd.CategoricalDtype):
        levels = labels(cells_of(pd.Series(column.cat.categories), source="X"))
        return pd.Categorical.from_codes(
            column.cat.codes.to_numpy(), pd.Index(levels, dtype="str"), ordered=column.cat.ordered
        )
    cells = cells_of(column.rename(name), source="X")
    if categorical:
        return as_categories(labels(cells))
    typed = type_column(cells, name=name, where=lambda row: f"row {row + 1} of X")
    if typed.is_date:
        raise ValueError(f"a feature must hold numbers or categories; {name!r} holds dates.")
    if categorical is False and isinstance(typed.values, pd.Categorical):
        raise ValueError(f"{name!r} must hold numbers, as in the rows of the fit; it holds text.")
    return typed.values


# ---------------------------------------------------------------- learners


def _names(learner: Learner) -> list[str]:
    return [field.name for field in dataclasses.fields(learner)]  # type: ignore[arg-type]


def _find(learner: object) -> Learner:
    found = load_learner(learner) if isinstance(learner, str) else learner
    if not isinstance(found, Learner) or isinstance(found, type):
        raise ConfigError(
            "learner must be the name of a model or what load_learner returns; it is of the type "
            f"{type(learner).__name__}."
        )
    return found


def _find_or_none(learner: object) -> Learner | None:
    try:
        return _find(learner)
    except ConfigError:
        return None


def _change(learner: object, values: dict[str, Any]) -> Learner:
    """Return the learner with other values; one with a wrong name is refused."""
    found = _find(learner)
    known = _names(found)
    for name in values:
        if name not in known:
            raise ConfigError(
                f"{type(found).__name__.lower()} has no hyperparameter {name!r}"
                f"{nearest(name, known)}"
            )
    return dataclasses.replace(found, **values)  # type: ignore[type-var]
