"""The interface of a model: a Learner, a frozen recipe that builds a scikit-learn estimator.

Also the facts a recipe states about itself (Traits), the values it may take (SearchSpace), and the
arrays it gives to the Shapley kernels (MarginForm). Learners know a task's shape (TaskInfo), never
its data. Step in the line: yaml -> **Learner** -> estimator.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ConfigError
from smalldata.task import TaskInfo, TaskKind

Array = NDArray[np.float64]
Need = Literal["label", "probability", "margin", "value"]
TRANSFORM = "preprocess.transform"
"""The dimension of a search space that belongs to the preprocessing and not to the learner."""


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What a learner needs and can do; it decides the in-fold preprocessing.

    Attributes
    ----------
    needs_scaling : bool
        The pipeline centres and scales the columns inside the fold, after
        ``preprocess.transform=auto`` has looked whether they need a transform.
    needs_complete : bool
        The pipeline imputes missing values inside the fold.
    categories : {"onehot", "integer"}
        How a categorical feature reaches the estimator.
    kinds : frozenset of TaskKind
        Tasks it can do.
    uses_gpu : bool
    max_features : int or None
        Maximum number of features; a wider task is skipped with that reason.
    sampled : bool
        Its margin form is a `CallableForm`, which an explanation calls many times.
    reads_features : bool
        False: it predicts without them, so that no feature can lead.
    deep : bool
        Deep learning; the reports say whether it beats the simpler models.
    path : str or None
        The hyperparameter of which one fit gives every value (rounds of boosting, components).
        Tuning does not sample it; the workspace has ``path``.
    """

    needs_scaling: bool = False
    needs_complete: bool = False
    categories: Literal["onehot", "integer"] = "onehot"
    kinds: frozenset[TaskKind] = frozenset(TaskKind)
    uses_gpu: bool = False
    max_features: int | None = None
    sampled: bool = False
    reads_features: bool = True
    deep: bool = False
    path: str | None = None

    def refusal(self, info: TaskInfo) -> str | None:
        """Return the reason why a task of this shape is skipped, or None."""
        if info.kind not in self.kinds:
            return f"takes no {info.kind} tasks"
        if self.max_features is not None and info.n_features > self.max_features:
            return f"takes at most {self.max_features} features, the task has {info.n_features}"
        return None


class Estimator(Protocol):
    """The scikit-learn object a learner builds.

    ``y`` holds class codes 0 … n_classes-1 (1 is the positive class of a binary task) or float64
    values. A classifier has ``predict_proba`` (n, n_classes), whose rows sum to 1, and may have
    ``decision_function``, (n,) for two classes, else (n, n_classes); the AUC of two classes is then
    computed from it. A regressor has ``predict``. A fitted estimator may have ``notes_`` (tuple of
    str), which the record states about this fit (calibration was not possible …), and ``losses_``
    (`LossCurves` of `smalldata.results.loss_curves`), the loss by epoch. `SupportsLogOdds`,
    `SupportsMargins` and `SupportsWeights` are optional. All data arrive as float64 ndarray (with
    NaN if the traits allow missing values). An estimator must not change them: other fits share
    them.
    """

    def fit(self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None = None) -> "Estimator":
        """Fit on the training rows of one fold."""
        ...


@runtime_checkable
class SupportsLogOdds(Protocol):
    """An estimator that knows its log-odds where its probabilities round to 0 or 1."""

    def log_odds(self, X: Array) -> Array:
        """Return log-odds of shape (n_samples, n_outputs)."""
        ...


@runtime_checkable
class SupportsMargins(Protocol):
    """A classifier whose probabilities follow from the margins that its form computes."""

    def probabilities_of(self, margins: Array) -> Array:
        """Return probabilities (n_rows, n_classes) of margins (n_rows, n_outputs)."""
        ...


@runtime_checkable
class SupportsWeights(Protocol):
    """An estimator whose fit can be kept in a file."""

    def learned(self) -> Mapping[str, NDArray[Any]]:
        """Return the arrays that were fitted, by name."""
        ...


# ---------------------------------------------------------------- margin forms, which the Shapley
# kernels take


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearForm:
    """f(x) = intercept + coef x; coef of shape (n_outputs, n_columns)."""

    coef: Array
    intercept: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class KernelForm:
    """f(x) = intercept + sum_i coef_i k(x, support_i).

    coef of shape (n_outputs, n_support), support of shape (n_support, n_columns); ``rbf``:
    exp(-gamma |x-s|^2); ``poly``: (gamma <x, s> + coef0)^degree.
    """

    kernel: Literal["rbf", "poly"]
    support: Array
    coef: Array
    intercept: Array
    gamma: float
    degree: int = 3
    coef0: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class TreesForm:
    """A tree ensemble: an xgboost Booster or a fitted scikit-learn forest."""

    model: Any


@dataclass(frozen=True, kw_only=True, eq=False)
class NeighboursForm:
    """f(x) = weighted mean of ``targets`` (n_train, n_outputs) over the nearest of ``train``."""

    train: Array
    targets: Array
    n_neighbors: int
    weights: Literal["uniform", "distance"]
    metric: str


@dataclass(frozen=True, kw_only=True, eq=False)
class CallableForm:
    """Any function (n, n_columns) -> (n, n_outputs); explained by sampling permutations.

    With a ``gradient``, (n, n_columns) -> (n, n_outputs, n_columns), expected gradients can replace
    the sampled permutations. ``cost`` is the number of multiplications for one row; 0: not known.
    """

    function: Callable[[Array], Array]
    gradient: Callable[[Array], Array] | None = None
    cost: int = 0


MarginForm = LinearForm | KernelForm | TreesForm | NeighboursForm | CallableForm


@dataclass(frozen=True, kw_only=True, eq=False)
class FitJob:
    """One of several fits of one outer fold that are requested together.

    Attributes
    ----------
    info : TaskInfo
    X : ndarray of shape (n_train, n_columns)
        As the estimator would get it.
    y : ndarray of shape (n_train,)
    groups : ndarray of shape (n_train,) or None
    seed : int
    """

    info: TaskInfo
    X: Array
    y: NDArray[Any]
    groups: NDArray[Any] | None
    seed: int


@runtime_checkable
class Learner(Protocol):
    """A frozen dataclass of hyperparameters; tuning sets them by ``dataclasses.replace``.

    Obligations: ``build`` returns an unfitted estimator that ``sklearn.base.clone`` can copy. Its
    fit depends only on the data, the recipe and the seed: the same seed gives the same output.
    ``margin_form`` returns the fitted function of the columns the estimator was fitted on, on the
    learner's explained scale (``scale``: margin, log-odds, probability or value). It has one output
    for binary and regression tasks, else n_classes outputs; log-odds of several classes are centred
    over the classes.

    A model needs nothing else, not even to be tuned. `SupportsWorkspace`, ``Traits.path`` with a
    `PathWorkspace`, and `SupportsFitMany` make tuning faster. `SupportsRefusal` and `SupportsLoad`
    are optional too.
    """

    traits: ClassVar[Traits]

    def build(self, info: TaskInfo, *, seed: int, device: str) -> Any:
        """Build an unfitted estimator; ``info.n_features`` counts the user's features."""
        ...

    def scale(self, kind: TaskKind) -> str:
        """Return the name of the explained scale: margin, log-odds, probability or value."""
        ...

    def margin_form(self, fitted: Any) -> MarginForm:
        """Return the fitted estimator as arrays that the Shapley kernels take."""
        ...


# ---------------------------------------------------------------- what a learner may support


@runtime_checkable
class SupportsRefusal(Protocol):
    """A learner that may skip a task for a reason beyond its traits, such as a missing file."""

    def refusal(self, info: TaskInfo) -> str:
        """Return the reason why a task of this shape is skipped; "": it is not."""
        ...


@runtime_checkable
class SupportsLoad(Protocol):
    """A learner with imports to do before the first fit, so that no fit is timed with them."""

    def load(self) -> None:
        """Import what a fit needs."""
        ...


@runtime_checkable
class SupportsFitMany(Protocol):
    """A learner that does several fits as one program."""

    def fit_many(self, jobs: Sequence[FitJob], *, device: str) -> list[Any]:
        """Return the fitted estimators, each equal to that of ``build`` and ``fit`` to rounding."""
        ...


@runtime_checkable
class SupportsWorkspace(Protocol):
    """A learner whose trials on one inner fold share work."""

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
    ) -> "Workspace":
        """Do once what no hyperparameter changes, on the arrays that the estimator would get."""
        ...


# ---------------------------------------------------------------- work that fits share


@dataclass(frozen=True, kw_only=True, eq=False)
class Outputs:
    """The outputs of a fitted estimator for some rows.

    Attributes
    ----------
    probabilities : ndarray of shape (n_rows, n_classes) or None
    margin : ndarray of shape (n_rows, n_outputs) or None
        One output for two classes; None if the model has no margin.
    value : ndarray of shape (n_rows,) or None
        Prediction of a regression.
    """

    probabilities: Array | None = None
    margin: Array | None = None
    value: Array | None = None


class Workspace(Protocol):
    """What the trials on one inner fold share: distances, Gram matrices, bins, rotations.

    Apart from rounding, every result equals that of ``build(info, seed=seed, device=device)``,
    ``fit`` and a prediction, whatever was requested before.
    """

    def outputs(self, learner: Any, *, needs: Need) -> Outputs:
        """Return the outputs of a learner with these values for the validation rows.

        Parameters
        ----------
        learner : Learner
            Of the type that made the workspace.
        needs : {"label", "probability", "margin", "value"}
            The output that will be read. Others may be None, but probabilities may only be None
            if there is a margin.
        """
        ...


@runtime_checkable
class SupportsRelabel(Workspace, Protocol):
    """A workspace that keeps what it made of the features alone when the labels change."""

    def relabel(self, y_train: NDArray[Any]) -> Workspace:
        """Return the workspace of the same rows with other labels."""
        ...


class PathWorkspace(Workspace, Protocol):
    """A workspace that gets all values of one hyperparameter (``Traits.path``) from one fit."""

    def path(self, learner: Any, values: Sequence[int], *, needs: Need) -> list[Outputs]:
        """Return the outputs for each of the ascending values, as `outputs` does for one.

        Tuning requests a range of values at a time, so a fit of smaller values may be kept and
        continued.
        """
        ...


# ---------------------------------------------------------------- search spaces


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One dimension of a SearchSpace.

    ``simpler`` says at which end (low, high), or in which order of choices, the model is simpler;
    the simpler value wins a tie. ``kinds`` names the tasks in which the parameter has an effect.
    """

    kind: Literal["int", "float", "categorical"]
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()
    simpler: Literal["low", "high"] | tuple[Any, ...] | None = None
    kinds: tuple[TaskKind, ...] = tuple(TaskKind)

    def contains(self, value: object) -> bool:
        """Return whether a value lies in this dimension."""
        if self.kind == "categorical":
            return any(value == choice and type(value) is type(choice) for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.kind == "int" and int(value) != value:
            return False
        assert self.low is not None
        assert self.high is not None
        return self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """The hyperparameters that can be tuned, by field name of the learner."""

    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    def for_kind(self, kind: TaskKind) -> "SearchSpace":
        """Return the dimensions that have an effect in a task of this kind."""
        return SearchSpace(
            parameters={name: p for name, p in self.parameters.items() if kind in p.kinds}
        )

    @classmethod
    def from_config(cls, config: Mapping[str, Mapping[str, Any]]) -> "SearchSpace":
        """Read the ``space`` of a model's yaml.

        Raises
        ------
        ConfigError
            If an entry is not a dimension: unknown kind or key, low above high, or a log scale
            that includes zero.
        """
        return cls(parameters={name: _parameter(name, entry) for name, entry in config.items()})


def _parameter(name: str, given: object) -> Parameter:
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"space.{name} must be a dimension such as {{kind: float, low: 0.1, high: 10}}; "
            f"got {given!r}. For one value set model.learner.{name} and add ~model.space.{name}."
        )
    entry = dict(given)
    known = ("kind", "low", "high", "log", "choices", "simpler", "kinds")
    if unknown := set(entry) - set(known):
        raise ConfigError(
            f"space.{name}: unknown key {sorted(unknown)[0]!r}; use {', '.join(known)}."
        )
    kind = entry.get("kind")
    tasks = [str(task) for task in TaskKind]
    kinds = entry.get("kinds", tasks)
    if not isinstance(kinds, list) or not kinds or any(task not in tasks for task in kinds):
        raise ConfigError(f"space.{name}: kinds must be some of {', '.join(tasks)}; got {kinds!r}.")
    entry["kinds"] = tuple(TaskKind(task) for task in kinds)
    for key in ("choices", "simpler"):
        if isinstance(entry.get(key), list):
            entry[key] = tuple(entry[key])
    if not isinstance(entry.get("log", False), bool):
        raise ConfigError(f"space.{name}: log must be true or false; got {entry['log']!r}.")
    if kind == "categorical":
        _check_choices(name, entry.get("choices"))
        simpler = entry.get("simpler")
        if simpler is not None and (
            not isinstance(simpler, tuple)
            or any(choice not in simpler for choice in entry["choices"])
        ):
            raise ConfigError(
                f"space.{name}: simpler must list the choices, the simplest first; got {simpler!r}."
            )
    elif kind in ("int", "float"):
        low, high = entry.get("low"), entry.get("high")
        for bound in (low, high):
            if (
                isinstance(bound, bool)
                or not isinstance(bound, int | float)
                or not math.isfinite(bound)
            ):
                raise ConfigError(
                    f"space.{name}: low and high must be numbers; got low={low!r}, high={high!r}."
                )
        if entry.get("choices"):
            raise ConfigError(f"space.{name}: choices need kind=categorical; got kind={kind}.")
        if entry.get("simpler") not in (None, "low", "high"):
            raise ConfigError(
                f"space.{name}: simpler must be low or high; got {entry['simpler']!r}."
            )
        if low > high:  # type: ignore[operator]
            raise ConfigError(
                f"space.{name}: low must not exceed high; got low={low}, high={high}."
            )
        if kind == "int" and (int(low) != low or int(high) != high):  # type: ignore[arg-type]
            raise ConfigError(
                f"space.{name}: low and high of an int must be whole; got low={low}, high={high}."
            )
        if entry.get("log") and low <= 0:  # type: ignore[operator]
            raise ConfigError(f"space.{name}: a log scale needs low above 0; got low={low}.")
    else:
        raise ConfigError(f"space.{name}: kind must be int, float or categorical; got {kind!r}.")
    return Parameter(**entry)


def _check_choices(name: str, choices: object) -> None:
    if not choices:
        raise ConfigError(f"space.{name}: a categorical parameter needs choices.")
    if not isinstance(choices, tuple) or any(
        not isinstance(choice, str | int | float) for choice in choices
    ):
        raise ConfigError(
            f"space.{name}: choices must be a list of words, numbers, true or false; "
            f"got {choices!r}."
        )
    if len(set(choices)) < len(choices):
        raise ConfigError(f"space.{name}: choices must name each value once; got {choices!r}.")
