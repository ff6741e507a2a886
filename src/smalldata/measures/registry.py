"""The table of measures: all facts about each, and its value on a fold or on draws of its rows.

Step in the line: Prediction of a fold -> **its Scores**. A measure that is undefined on a fold is
None with the reason, never NaN. A note qualifies a value (a missing class, a clipped probability).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ConfigError, did_you_mean
from smalldata.learner import Need
from smalldata.measures import draws, formulas
from smalldata.results.folds import Array, Prediction, Score, Splits
from smalldata.task import Task, TaskKind

Demand = Literal["nothing", "two classes", "two values"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measure.

    Attributes
    ----------
    name, title : str
        The name in keys and files, and the title in tables.
    kinds : frozenset of TaskKind
        Tasks it judges.
    needs : {"label", "probability", "margin", "value"}
        The part of a Prediction it reads; "margin" falls back to the probability if a model
        has no margin.
    demands : {"nothing", "two classes", "two values"}
        What the observed targets of a fold must have; otherwise the measure is undefined there for
        every model.
    low, high : float
        Its range; may be infinite.
    function : callable
        (y, given, classes) -> Score, where ``given`` is the needed part; see `formulas`.
    higher_is_better : bool
        Only used if ``target`` is None.
    orders : bool
        True: depends only on the order of the samples of a fold, so predictions of different folds'
        models are never pooled.
    ranked : bool
        False: shown, but without ranks and tests, and it cannot be the primary measure.
    target : float or None
        The ideal value; the distance to it counts.
    rope : float
        Half width of the region of practical equivalence (see `Measure.rope_width`).
    in_target_unit : bool
        In the unit of the target; ``rope`` is then a share of its standard deviation.
    chance : float or None
        Score of a model that ignores the features, if it does not depend on the data.
    by_class : bool
        A mean over the classes: a draw that loses a class leaves it undefined.
    pooled_below : float
        With fewer test rows than this in some fold, it is taken over all test rows of a repeat.
        `benchmarks/measures` measures the bias of a mean over small folds.
    jackknife_share : float
        Share of the jackknife's variance that the measure has: below 1 where one sample less moves
        it more than one sample is worth, as on folds with few positives (benchmarks/verdict).
    weighted : callable or None
        (y, given, weights, n_classes) -> score of each draw; see `draws`. None: draw by draw.
    says, says_below_chance : str
        A score in everyday words, with the fields ``of_hundred``, ``percent``, ``share_of_sd``,
        ``positive`` and ``target``; "" if there are none.
    """

    name: str
    title: str
    kinds: frozenset[TaskKind]
    needs: Need
    demands: Demand
    low: float
    high: float
    function: Callable[[NDArray[Any], NDArray[Any], tuple[str, ...]], Score]
    higher_is_better: bool = True
    orders: bool = False
    ranked: bool = True
    target: float | None = None
    rope: float = 0.01
    in_target_unit: bool = False
    chance: float | None = None
    by_class: bool = False
    jackknife_share: float = 1.0
    pooled_below: float = 0
    weighted: Callable[[NDArray[Any], NDArray[Any], Array, int], Array] | None = None
    says: str = ""
    says_below_chance: str = ""

    def rope_width(self, y: NDArray[Any]) -> float:
        """Return the half width of the region of practical equivalence, in the measure's unit.

        Parameters
        ----------
        y : ndarray of shape (n_samples,)
            The task's target; only used by measures in its unit (RMSE, MAE).
        """
        if not self.in_target_unit:
            return self.rope
        return self.rope * float(np.std(y, ddof=1)) if len(y) > 1 else 0.0

    @property
    def loses_with_a_class(self) -> bool:
        """Whether rows that lose one of their classes have no value."""
        return self.by_class or self.demands == "two classes"

    def missing_in(self, y: NDArray[Any]) -> str:
        """Say why the measure is undefined on these targets for any model; "" if it is not."""
        if self.demands == "nothing" or len(np.unique(y)) > 1:
            return ""
        return f"needs {self.demands} among the test rows"

    def given(self, prediction: Prediction) -> NDArray[Any] | None:
        """Return the part of a prediction that the measure reads, or None if it is missing."""
        if self.needs == "label":
            return prediction.label
        if self.needs == "value":
            return prediction.value
        if self.needs == "margin" and prediction.margin is not None:
            return prediction.margin
        return prediction.probabilities

    def score(self, prediction: Prediction, *, classes: tuple[str, ...] = ()) -> Score:
        """Return the value of the measure on one fold, or None with the reason."""
        given = self.given(prediction)
        if given is None:
            part = "probability" if self.needs == "margin" else self.needs
            return Score(value=None, reason=f"the model gives no {part}")
        missing = self.missing_in(prediction.y)
        if missing:
            return Score(value=None, reason=missing)
        # An infinite margin still has a place in the order; all else must be finite.
        if np.any(np.isnan(given)) or (not self.orders and not np.all(np.isfinite(given))):
            return Score(value=None, reason="the prediction holds values that are not numbers")
        with np.errstate(all="ignore"):
            found = self.function(prediction.y, given, classes)
        if found.value is not None and not math.isfinite(found.value):
            return Score(value=None, reason="the numbers are too large or too small to compute it")
        return found

    def score_draws(
        self, prediction: Prediction, weights: Array, *, classes: tuple[str, ...] = ()
    ) -> Array:
        """Return the scores of a prediction on all draws of its rows.

        Parameters
        ----------
        prediction : Prediction
            With n_rows rows.
        weights : ndarray of shape (n_draws, n_rows)
            How often each row was drawn, whole numbers.
        classes : tuple of str

        Returns
        -------
        ndarray of shape (n_draws,)
            NaN if the measure is undefined on the draw.
        """
        given = self.given(prediction)
        if given is None or np.any(np.isnan(given)):
            return np.full(len(weights), np.nan)
        if self.weighted is None:
            return self.score_each_draw(prediction, weights, classes=classes)
        # Undefined draws divide 0 by 0 and become NaN, as the docstring promises.
        with np.errstate(all="ignore"):
            return self.weighted(prediction.y, given, weights, len(classes))

    def score_each_draw(
        self, prediction: Prediction, weights: Array, *, classes: tuple[str, ...] = ()
    ) -> Array:
        """Score the draws one by one, by repeating rows: a slower `score_draws`."""
        scores = np.full(len(weights), np.nan)
        for draw, weight in enumerate(weights):
            found = self.score(draws.repeated(prediction, weight), classes=classes).value
            scores[draw] = np.nan if found is None else found
        return scores


# ---------------------------------------------------------------- the table

_BINARY = frozenset({TaskKind.BINARY})
_MULTICLASS = frozenset({TaskKind.MULTICLASS})
_CLASSES = _BINARY | _MULTICLASS
_REGRESSION = frozenset({TaskKind.REGRESSION})

MEASURES: tuple[Measure, ...] = (
    Measure(
        name="roc_auc",
        title="ROC AUC",
        kinds=_BINARY,
        needs="margin",
        orders=True,
        demands="two classes",
        low=0,
        high=1,
        function=formulas.roc_auc,
        weighted=draws.roc_auc,
        chance=0.5,
        says="Of one {positive} sample and one other, drawn at random, the model scores the "
        "{positive} one higher in {of_hundred} cases (a tie counts half).",
    ),
    Measure(
        name="roc_auc_ovr",
        title="ROC AUC (one-vs-rest)",
        kinds=_MULTICLASS,
        needs="probability",
        orders=True,
        demands="two classes",
        low=0,
        high=1,
        function=formulas.roc_auc_ovr,
        weighted=draws.roc_auc_ovr,
        chance=0.5,
        says="Of one sample of a class and one of the others, drawn at random, the model scores "
        "the first higher for that class in {of_hundred} cases, on average over the classes (a tie "
        "counts half).",
    ),
    Measure(
        name="average_precision",
        title="Average precision",
        kinds=_BINARY,
        needs="margin",
        orders=True,
        demands="two classes",
        low=0,
        high=1,
        function=formulas.average_precision,
        weighted=draws.average_precision,
    ),
    Measure(
        name="balanced_accuracy",
        title="Balanced accuracy",
        kinds=_CLASSES,
        needs="label",
        demands="nothing",
        low=0,
        high=1,
        function=formulas.balanced_accuracy,
        weighted=draws.balanced_accuracy,
        by_class=True,
        says="On average over the classes, {of_hundred} samples get the right class.",
    ),
    Measure(
        name="mcc",
        title="MCC",
        kinds=_CLASSES,
        needs="label",
        demands="two classes",
        low=-1,
        high=1,
        function=formulas.mcc,
        weighted=draws.mcc,
        chance=0.0,
        pooled_below=40,
    ),
    Measure(
        name="f1",
        title="F1",
        kinds=_BINARY,
        needs="label",
        demands="two classes",
        low=0,
        high=1,
        function=formulas.f1,
        weighted=draws.f1,
        pooled_below=20,
    ),
    Measure(
        name="log_loss",
        title="Log loss",
        kinds=_CLASSES,
        needs="probability",
        demands="nothing",
        low=0,
        high=math.inf,
        function=formulas.log_loss,
        weighted=draws.log_loss,
        higher_is_better=False,
    ),
    Measure(
        name="brier",
        title="Brier score",
        kinds=_BINARY,
        needs="probability",
        demands="nothing",
        low=0,
        high=1,
        function=formulas.brier,
        weighted=draws.brier,
        higher_is_better=False,
    ),
    Measure(
        name="calibration_slope",
        title="Calibration slope",
        kinds=_BINARY,
        needs="probability",
        demands="two classes",
        low=-math.inf,
        high=math.inf,
        function=formulas.calibration_slope,
        weighted=draws.calibration_slope,
        pooled_below=math.inf,
        ranked=False,
        target=1.0,
    ),
    Measure(
        name="calibration_intercept",
        title="Calibration intercept",
        kinds=_BINARY,
        needs="probability",
        demands="two classes",
        low=-math.inf,
        high=math.inf,
        function=formulas.calibration_intercept,
        weighted=draws.calibration_intercept,
        pooled_below=math.inf,
        ranked=False,
        target=0.0,
    ),
    Measure(
        name="rmse",
        title="RMSE",
        kinds=_REGRESSION,
        needs="value",
        demands="nothing",
        low=0,
        high=math.inf,
        function=formulas.rmse,
        weighted=draws.rmse,
        pooled_below=math.inf,
        says="A typical error is {share_of_sd} of the standard deviation of {target}.",
        higher_is_better=False,
        rope=0.02,
        in_target_unit=True,
    ),
    Measure(
        name="mae",
        title="MAE",
        kinds=_REGRESSION,
        needs="value",
        demands="nothing",
        low=0,
        high=math.inf,
        function=formulas.mae,
        weighted=draws.mae,
        higher_is_better=False,
        rope=0.02,
        in_target_unit=True,
    ),
    Measure(
        name="r2",
        title="R²",
        kinds=_REGRESSION,
        needs="value",
        demands="two values",
        low=-math.inf,
        high=1,
        function=formulas.r2,
        weighted=draws.r2,
        pooled_below=math.inf,
        says="The model accounts for {percent} of the variance.",
        says_below_chance="The mean of the training samples would predict better.",
    ),
    Measure(
        name="spearman",
        title="Spearman ρ",
        kinds=_REGRESSION,
        needs="value",
        demands="two values",
        low=-1,
        high=1,
        function=formulas.spearman,
        weighted=draws.spearman,
        chance=0.0,
        jackknife_share=0.75,
    ),
)
"""All measures in the order of the table; the first of a kind is its default primary measure."""


def measures_for(kind: TaskKind) -> tuple[Measure, ...]:
    """Return all measures for a kind of task, the default primary one first.

    Example
    -------
    >>> [measure.name for measure in measures_for(TaskKind.REGRESSION)]
    ['rmse', 'mae', 'r2', 'spearman']
    """
    return tuple(measure for measure in MEASURES if kind in measure.kinds)


def find_measure(name: str, kind: TaskKind, *, key: str = "measure") -> Measure:
    """Return the measure with this name.

    Parameters
    ----------
    name : str
    kind : TaskKind
    key : str
        The user's key, for the message.

    Raises
    ------
    ConfigError
        If the kind of task has no such measure; the message suggests the nearest names.
    """
    known = {measure.name: measure for measure in measures_for(kind)}
    if name in known:
        return known[name]
    hint = did_you_mean(name, known, f"choose {', '.join(known)}.")
    raise ConfigError(f"{key} must name a measure of {kind} tasks; got {name!r}; {hint}")


def score_prediction(
    prediction: Prediction, *, kind: TaskKind, classes: tuple[str, ...]
) -> dict[str, Score]:
    """Score one fold on every measure of the kind: a value, or None with the reason; never NaN.

    Parameters
    ----------
    prediction : Prediction
    kind : TaskKind
    classes : tuple of str
        Names of the class codes; empty for a regression.

    Example
    -------
    >>> rows = np.arange(3)
    >>> guess = Prediction(row=rows, y=np.array([1.0, 2.0, 4.0]), value=np.full(3, 2.0))
    >>> scores = score_prediction(guess, kind=TaskKind.REGRESSION, classes=())
    >>> scores["mae"].value, scores["spearman"].reason
    (1.0, 'all predicted values are equal')
    """
    return {
        measure.name: measure.score(prediction, classes=classes) for measure in measures_for(kind)
    }


def check_measure(task: Task, splits: Splits) -> None:
    """Refuse a primary measure that these test folds do not allow, before anything is computed.

    With leave-one-out and other tiny test folds an AUC would need the pooled scores of different
    models, which is biased: predicting the training share of the positive class would
    get 0.0. The message names a mean over rows instead, which any test fold has.

    Raises
    ------
    ConfigError
        If the task has no such measure, it cannot rank, or it is undefined on more than half of the
        test folds, or over all test rows of a repeat where it is taken over those.
    """
    measure = find_measure(task.measure, task.kind)
    ranked = [other.name for other in measures_for(task.kind) if other.ranked]
    if not measure.ranked:
        raise ConfigError(
            f"the primary measure must rank the models; {measure.name} does not. "
            f"Choose measure={ranked[0]} or another of {', '.join(ranked)}."
        )
    if measure.pooled_below or measure.needs == "label":
        _check_repeats(measure, task, splits)
        return
    reasons = [measure.missing_in(task.y[fold.test]) for fold in splits.folds]
    n_undefined = sum(bool(reason) for reason in reasons)
    if 2 * n_undefined > len(reasons):
        instead = "log_loss" if task.kind.is_classification else "rmse"
        raise ConfigError(
            f"{measure.name} needs test folds with {measure.demands}; {n_undefined} of the "
            f"{len(reasons)} test folds of cv={splits.name} have none. "
            f"Use larger folds (cv=rep5x5) or measure={instead}."
        )


def _check_repeats(measure: Measure, task: Task, splits: Splits) -> None:
    """Refuse a measure that is undefined over all test rows of some repeat."""
    repeats: dict[int, list[NDArray[Any]]] = {}
    for fold in splits.folds:
        repeats.setdefault(fold.repeat, []).append(task.y[fold.test])
    n_undefined = sum(bool(measure.missing_in(np.concatenate(y))) for y in repeats.values())
    if n_undefined:
        instead = "log_loss" if task.kind.is_classification else "rmse"
        raise ConfigError(
            f"{measure.name} needs test rows with {measure.demands}; those of {n_undefined} of the "
            f"{len(repeats)} repeats of cv={splits.name} have none. "
            f"Test more rows (cv=rep5x5) or use measure={instead}."
        )
