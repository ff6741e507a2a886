"""The scores of one cell on one measure: by fold, and on bootstrap draws of rows.

Step in the line: RunRecord -> **CellScores** -> comparison. This file decides how to treat folds on
which a measure is undefined:

- undefined because of the observed targets (a fold with one class): the fold is left out for all
  models, and the note says so; if that affects most folds, there is no mean. Balanced accuracy
  needs no fold left out: its recalls are pooled over the folds of a repeat, since labels of
  different models may be pooled, but not scores;
- undefined because of the model's output (Spearman of a constant): the cell has no mean, since
  leaving out just those folds would flatter it; the reason says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smalldata.measures.draws import mean_defined
from smalldata.measures.registry import Measure
from smalldata.results.folds import Array, FoldResult, Prediction, Rows, Score
from smalldata.results.record import RunRecord

SMALL_FOLD = 5
"""With fewer test rows per fold than this, bootstrap draws are scored over whole repeats."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CellScores:
    """Scores of one cell on one measure.

    Attributes
    ----------
    values : ndarray of shape (n_scores,)
        One per fold that counts; empty if the cell has no mean.
    reason : str
        Why the cell has no mean.
    note : str
        Qualifies the mean.
    """

    values: Array
    reason: str = ""
    note: str = ""

    @property
    def mean(self) -> float | None:
        """Mean over the folds, or None if there is none."""
        return float(np.mean(self.values)) if len(self.values) else None


def cell_scores(record: RunRecord, measure: Measure) -> CellScores:
    """Return the scores of a cell's folds on a measure, in the order of the folds.

    Example
    -------
    ``cell_scores(record, find_measure("roc_auc", record.kind)).mean``
    """
    if record.status != "ok":
        n_ok = sum(fold.status == "ok" for fold in record.folds)
        n_open = record.n_planned - len(record.folds)
        missing = f"{n_ok} of {record.n_planned} folds are done; run the same command to finish"
        return _without_mean(record.reason or (missing if n_open > 0 else "no fold is done"))
    folds = _ordered(record)
    if measure.by_class:
        pooled = _pooled_recalls(folds, len(record.classes))
        if pooled is not None:
            return pooled
    scores: list[Score] = []
    left_out: list[str] = []
    for fold, prediction in folds:
        missing = measure.missing_in(prediction.y)
        if missing:
            left_out.append(missing)
        else:
            scores.append(_score(fold, prediction, measure, record.classes))
    undefined = [score.reason for score in scores if score.value is None]
    if undefined:
        return _without_mean(f"undefined on {len(undefined)} of {len(folds)} folds: {undefined[0]}")
    if 2 * len(left_out) > len(folds):
        return _without_mean(f"undefined on {len(left_out)} of {len(folds)} folds: {left_out[0]}")
    notes = []
    if left_out:
        notes.append(f"on {len(scores)} of {len(folds)} folds; the others: {left_out[0]}")
    qualified = [score.note for score in scores if score.note]
    if qualified:
        notes.append(f"{len(qualified)} of {len(folds)} folds: {qualified[0]}")
    values = np.array([score.value for score in scores], dtype=np.float64)
    return CellScores(values=values, note="; ".join(notes))


def cell_draws(record: RunRecord, measure: Measure, weights: Array) -> Array:
    """Score a finished cell on bootstrap draws of the task's rows, averaged over folds.

    An AUC is never taken over the pooled scores of different models. Other measures are taken over
    whole repeats if folds are tiny (leave-one-out), balanced accuracy also if a fold lacks a class.
    A draw that loses a class leaves balanced accuracy undefined: the recalls of the classes that
    remain would flatter a model that always predicts the most common class.

    Parameters
    ----------
    record : RunRecord
    measure : Measure
    weights : ndarray of shape (n_draws, n_samples)
        How often each row of the task was drawn.

    Returns
    -------
    ndarray of shape (n_draws,)
        NaN where undefined.
    """
    folds = _ordered(record)
    parts = [prediction for _, prediction in folds]
    is_small = not measure.orders and min(len(part.y) for part in parts) < SMALL_FOLD
    if is_small or (measure.by_class and _n_lacking(parts, len(record.classes))):
        repeats = sorted({fold.repeat for fold, _ in folds})
        parts = [
            join_predictions(part for fold, part in folds if fold.repeat == r) for r in repeats
        ]
    scores = []
    for part in parts:
        drawn = weights[:, part.row]
        score = measure.score_draws(part, drawn, classes=record.classes)
        if measure.by_class:
            score = np.where(_loses_a_class(part, drawn), np.nan, score)
        scores.append(score)
    return mean_defined(np.column_stack(scores))


def score_parts(record: RunRecord, measure: Measure) -> list[tuple[list[Prediction], int]]:
    """Return the parts over which a measure is taken and then averaged, by repeat.

    Returns
    -------
    list of (list of Prediction, int)
        Of each repeat: its folds on which the measure is defined, or all its test rows together,
        and the number of its folds.
    """
    folds = _ordered(record)
    pooled = _is_pooled([part for _, part in folds], measure, record)
    repeats = []
    for repeat in sorted({fold.repeat for fold, _ in folds}):
        parts = [part for fold, part in folds if fold.repeat == repeat]
        whole = [join_predictions(parts)] if pooled else parts
        defined = [part for part in whole if not measure.missing_in(part.y)]
        if defined:
            repeats.append((defined, len(parts)))
    return repeats


def _is_pooled(parts: list[Prediction], measure: Measure, record: RunRecord) -> bool:
    return measure.by_class and _n_lacking(parts, len(record.classes)) > 0


def tested_rows(record: RunRecord) -> Rows:
    """Return the rows of the task in the test folds of a finished cell, ascending."""
    rows = [prediction.row for _, prediction in _ordered(record)]
    return np.unique(np.concatenate(rows))


def join_predictions(parts: Iterable[Prediction]) -> Prediction:
    """Concatenate the predictions of several folds of one cell."""
    several = list(parts)

    def join(name: str) -> Array | None:
        found = [getattr(part, name) for part in several]
        return None if any(part is None for part in found) else np.concatenate(found)

    return Prediction(
        row=np.concatenate([part.row for part in several]),
        y=np.concatenate([part.y for part in several]),
        label=join("label"),  # type: ignore[arg-type]
        probabilities=join("probabilities"),
        margin=join("margin"),
        value=join("value"),
    )


def _ordered(record: RunRecord) -> list[tuple[FoldResult, Prediction]]:
    done = [(fold, fold.prediction) for fold in record.folds if fold.prediction is not None]
    return sorted(done, key=lambda pair: (pair[0].repeat, pair[0].fold))


def _without_mean(reason: str) -> CellScores:
    return CellScores(values=np.empty(0), reason=reason)


def _score(
    fold: FoldResult, prediction: Prediction, measure: Measure, classes: tuple[str, ...]
) -> Score:
    """Return the stored score; compute it if the record is older than the measure."""
    stored = fold.scores.get(measure.name)
    return stored if stored is not None else measure.score(prediction, classes=classes)


def _n_lacking(parts: Iterable[Prediction], n_classes: int) -> int:
    return sum(len(np.unique(part.y)) < n_classes for part in parts)


def _loses_a_class(part: Prediction, weights: Array) -> NDArray[np.bool_]:
    """Find the draws without any row of some class of the part."""
    kept = [weights[:, part.y == code].any(axis=1) for code in np.unique(part.y)]
    return np.asarray(~np.all(kept, axis=0))


def _pooled_recalls(
    folds: list[tuple[FoldResult, Prediction]], n_classes: int
) -> CellScores | None:
    """Return each fold's part of the recalls of its repeat; None if every fold has every class.

    The parts are scaled so that their mean over the folds of a repeat is the balanced accuracy of
    that repeat: with K classes of n_c rows, F folds and h_cf hits, fold f has F/K sum_c h_cf / n_c.
    """
    n_lacking = _n_lacking((prediction for _, prediction in folds), n_classes)
    if not n_lacking:
        return None
    values: list[float] = []
    for repeat in sorted({fold.repeat for fold, _ in folds}):
        parts = [prediction for fold, prediction in folds if fold.repeat == repeat]
        if any(part.label is None for part in parts):
            return None
        counts = np.bincount(np.concatenate([part.y for part in parts]), minlength=n_classes)
        share = len(parts) / (np.sum(counts > 0) * np.maximum(counts, 1))
        values += [float(np.sum(share[part.y[part.label == part.y]])) for part in parts]
    return CellScores(
        values=np.array(values),
        note=f"recalls pooled over each repeat: {n_lacking} of {len(folds)} folds lack a class",
    )
