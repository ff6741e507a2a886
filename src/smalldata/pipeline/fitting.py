"""Fits one pipeline on some rows and predicts others, for outer and inner folds.

Step in the line: unfitted Pipeline + rows -> **Prediction**. Also describes the errors of models.
"""

import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import FitError, SmalldataError
from smalldata.learner import Learner, Outputs, SupportsRefusal
from smalldata.pipeline.preprocess import Ranker, make_pipeline
from smalldata.pipeline.ranking import make_ranker
from smalldata.pipeline.training import TrainingRows
from smalldata.results.folds import Prediction, Rows
from smalldata.task import TaskInfo

_LONGEST_NOTE = 200


def fit_rows(learner: Learner, rows: TrainingRows, *, ranker: Ranker | None = None) -> Any:
    """Fit preprocessing and estimator on some rows.

    Parameters
    ----------
    learner : Learner
    rows : TrainingRows
    ranker : Ranker, optional
        Replaces the ranking that ``preprocessing.select`` names.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Fitted; steps ``preprocess`` and ``estimator``. Equal arguments give an equal pipeline.
    """
    pipeline = make_pipeline(
        learner,
        rows.info,
        preprocessing=rows.preprocessing,
        seed=rows.seed,
        device=rows.device,
        ranker=ranker or make_ranker(learner, rows),
        below=rows.below,
    )
    return pipeline.fit(
        rows.X, rows.y, preprocess__groups=rows.groups, estimator__groups=rows.groups
    )


def refuse_task(learner: Learner, info: TaskInfo, *, ranking: str | None, k: int | None) -> str:
    """Say why a model cannot be fitted on such a task; "" if it can.

    Parameters
    ----------
    learner : Learner
    info : TaskInfo
        With all features.
    ranking : str or None
        What ranks the features where some are selected; a model that ranks them itself
        (``shap``) is fitted on all of them first.
    k : int or None
        Features that are kept; None: all.
    """
    kept = info.n_features if ranking == "shap" or k is None else min(k, info.n_features)
    given = replace(info, n_features=kept)
    if reason := learner.traits.refusal(given):
        return reason
    if isinstance(learner, SupportsRefusal) and (reason := learner.refusal(given)):
        return reason
    if ranking == "shap" and not learner.traits.reads_features:
        return "reads no feature, so there is nothing to rank by shap"
    return ""


def predict_rows(
    pipeline: Any, X: Any, y: NDArray[Any], *, rows: Rows, n_classes: int
) -> Prediction:
    """Predict some rows of a table with a fitted pipeline.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        From `fit_rows`.
    X : DataFrame of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    rows : ndarray of shape (n_test,)
        Row positions.
    n_classes : int
        0 for a regression.

    Raises
    ------
    FitError
        If a prediction has the wrong shape, is not finite or is not a probability.
    """
    given = pipeline[:-1].transform(X.iloc[rows])
    outputs = outputs_of(pipeline[-1], given, classify=bool(n_classes))
    return make_prediction(outputs, y, rows=rows, n_classes=n_classes)


def outputs_of(estimator: Any, X: Any, *, classify: bool) -> Outputs:
    """Return all outputs of a fitted estimator for some rows.

    Parameters
    ----------
    estimator : object
        See `smalldata.learner.Estimator`.
    X : ndarray of shape (n_rows, n_columns)
        Preprocessed.
    classify : bool
    """
    if not classify:
        return Outputs(value=estimator.predict(X))
    probabilities = estimator.predict_proba(X)
    if not hasattr(estimator, "decision_function"):
        return Outputs(probabilities=probabilities)
    margin = np.asarray(estimator.decision_function(X))
    return Outputs(
        probabilities=probabilities, margin=margin[:, None] if margin.ndim == 1 else margin
    )


def make_prediction(outputs: Outputs, y: NDArray[Any], *, rows: Rows, n_classes: int) -> Prediction:
    """Check the outputs of a model for some rows and add the observed targets.

    Parameters
    ----------
    outputs : Outputs
        A margin may come without probabilities; then there are no labels either.
    y : ndarray of shape (n_samples,)
    rows : ndarray of shape (n_test,)
        Row positions.
    n_classes : int
        0 for a regression.

    Raises
    ------
    FitError
        If a part has the wrong shape, is not finite or is not a probability.
    """
    about: dict[str, Any] = {"row": rows, "y": y[rows]}
    n_rows = len(rows)
    if not n_classes:
        return Prediction(**about, value=_finite(outputs.value, (n_rows,), "value"))
    if outputs.margin is not None:
        shape = (n_rows, 1 if n_classes == 2 else n_classes)
        about["margin"] = _finite(outputs.margin, shape, "margin")
        if outputs.probabilities is None:
            return Prediction(**about)
    probabilities = _finite(outputs.probabilities, (n_rows, n_classes), "probability")
    if probabilities.min() < 0 or np.abs(probabilities.sum(axis=1) - 1).max() > 1e-4:
        raise FitError("the model must predict probabilities that sum to 1; these do not.")
    return Prediction(
        **about,
        label=probabilities.argmax(axis=1).astype(np.int64),
        probabilities=probabilities,
    )


def describe_failure(error: Exception) -> str:
    """Say why a fit failed: our own messages as they are, others with type and place."""
    if isinstance(error, SmalldataError):
        return str(error)
    if isinstance(error, MemoryError):
        return "the fold ran out of memory; set n_jobs=1 or use fewer features."
    place = ""
    if frames := traceback.extract_tb(error.__traceback__):
        place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"
    return f"{type(error).__name__}: {shorten(str(error))}{place}"


def shorten(text: str) -> str:
    """Return the first non-empty line, cut to a readable length."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "no message")
    return line if len(line) <= _LONGEST_NOTE else f"{line[: _LONGEST_NOTE - 1]}…"


def _finite(values: Any, shape: tuple[int, ...], what: str) -> Any:
    """Check a prediction and return it as float64."""
    found = np.asarray(values, dtype=np.float64)
    if found.shape != shape:
        raise FitError(f"the model must predict a {what} of shape {shape}; got {found.shape}.")
    n_odd = int((~np.isfinite(found)).sum())
    if n_odd:
        raise FitError(
            f"the model must predict finite numbers; {n_odd} of {found.size} of its {what} "
            "predictions are not."
        )
    return found
