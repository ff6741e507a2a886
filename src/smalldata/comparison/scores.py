"""The scores of one cell on one measure: by fold, and on bootstrap draws of rows.

Step in the line: RunRecord -> **CellScores** -> comparison. This file decides over which rows a
measure is taken, in one way for the table, the intervals and the draws:

- a mean over rows or pairs (AUC, MAE, log loss, Brier), and what only an order gives (average
  precision, Spearman): on each fold, then averaged. Scores of different models have no common
  order, so these are never pooled. A fold on which the targets leave the measure undefined (one
  class) is left out for all models, and the note says so; if that affects most folds, there is no
  mean;
- a root, a share or a slope (RMSE, R2, calibration): over all test rows of a repeat, then
  averaged over the repeats. On few rows their mean over folds is biased;
- what reads labels (balanced accuracy, MCC, F1): on each fold, but over whole repeats if a fold
  lacks a class or is small.

A cell on which a measure is undefined because of the model's output (Spearman of a constant) has no
mean, since leaving out just those folds would flatter it; the reason says so.

The dummy classifier is scored as guessing, by `_as_guessing`: the class shares of its training rows
lean away from the class of the rows left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.measures.draws import mean_defined
from smalldata.measures.registry import Measure
from smalldata.results.folds import Array, FoldResult, Prediction, Rows, Score
from smalldata.results.record import RunRecord
from smalldata.statistics.significance import ROUNDING
from smalldata.task import TaskKind

FEW_ROWS = 20
"""The note says that a measure is pooled if some fold has fewer test rows."""

STEP = 1e-3
"""Relative change of a fold's weight by which its part of a pooled score is measured."""

DUMMY = "dummy"
"""Name of the model that guesses."""

Done = list[tuple[FoldResult, Prediction]]


@dataclass(frozen=True, kw_only=True, eq=False)
class CellScores:
    """Scores of one cell on one measure.

    Attributes
    ----------
    values : ndarray of shape (n_scores,)
        One per fold that counts; their mean is the score. Empty if the cell has no mean.
    pooled : bool
        The score is taken over all test rows of a repeat and averaged over the repeats. Each value
        is then the fold's part of its repeat's score, not the score of the fold alone.
    reason : str
        Why the cell has no mean.
    note : str
        Qualifies the mean.
    """

    values: Array
    pooled: bool = False
    reason: str = ""
    note: str = ""

    @property
    def mean(self) -> float | None:
        """Mean over the folds, or None if there is none."""
        if not len(self.values):
            return None
        mean = float(np.mean(self.values))
        return mean if abs(mean) > ROUNDING * float(np.max(np.abs(self.values))) else 0.0


def cell_scores(record: RunRecord, measure: Measure) -> CellScores:
    """Return the scores of a finished cell on a measure, in the order of the folds.

    Example
    -------
    ``cell_scores(record, find_measure("roc_auc", record.kind)).mean``
    """
    if record.status != "ok":
        n_ok = sum(fold.status == "ok" for fold in record.folds)
        n_open = record.n_planned - len(record.folds)
        missing = f"{n_ok} of {record.n_planned} folds are done; run the same command to finish"
        return _without_mean(record.reason or (missing if n_open > 0 else "no fold is done"))
    return fold_scores(record, measure)


def fold_scores(record: RunRecord, measure: Measure) -> CellScores:
    """Return the scores of the folds that are done, also if others are not.

    Example
    -------
    ``fold_scores(record, find_measure("roc_auc", record.kind)).mean``
    """
    folds = _ordered(record)
    if not folds:
        return _without_mean("no fold is done")
    found = _scores(_as_guessing(folds, record), measure, record.classes)
    if record.model != DUMMY or not record.kind.is_classification or found.mean is None:
        return found
    own = _scores(folds, measure, record.classes).mean
    if own is None or abs(own - found.mean) < measure.rope:
        return found
    note = (
        "scored as guessing, with the class shares of all samples; those of the training samples "
        f"alone, which shift with the samples left out, would score {own:.3f}"
    )
    return replace(found, note="; ".join(filter(None, [found.note, note])))


def scores_by_fold(record: RunRecord, measure: Measure) -> list[tuple[FoldResult, Score]]:
    """Return the score of each fold that is done, of the predictions that `cell_scores` scores."""
    folds = _as_guessing(_ordered(record), record)
    return [(fold, _score(fold, part, measure, record.classes)) for fold, part in folds]


def guessing_score(record: RunRecord, measure: Measure, y: NDArray[Any]) -> float | None:
    """Return what a model that ignores the features scores on the folds of a cell.

    Parameters
    ----------
    record : RunRecord
        Trained on the whole training folds; of its predictions only the rows are read.
    measure : Measure
    y : ndarray of shape (n_samples,)
        The task's target.
    """
    folds = _as_guessing(_ordered(record), replace(record, model=DUMMY), y=y)
    if not record.kind.is_classification:
        folds = [
            (
                replace(fold, scores={}),
                replace(part, value=np.full(len(part.row), np.mean(np.delete(y, part.row)))),
            )
            for fold, part in folds
        ]
    return _scores(folds, measure, record.classes).mean if folds else None


def cell_draws(record: RunRecord, measure: Measure, weights: Array) -> Array:
    """Score a finished cell on bootstrap draws of the task's rows, averaged as `cell_scores` does.

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
    folds = _as_guessing(_ordered(record), record)
    parts = [prediction for _, prediction in folds]
    if _is_pooled(parts, measure, len(record.classes)):
        parts = [join_predictions(part for _, part in repeat) for repeat in _by_repeat(folds)]
    scores = [part_draws(part, measure, weights[:, part.row], record.classes) for part in parts]
    return mean_defined(np.column_stack(scores))


def part_draws(
    part: Prediction, measure: Measure, weights: Array, classes: tuple[str, ...]
) -> Array:
    """Score draws of a part's rows; NaN where a measure of the classes loses one of the part's."""
    scores = measure.score_draws(part, weights, classes=classes)
    if measure.loses_with_a_class:
        scores = np.where(_loses_a_class(part, weights), np.nan, scores)
    return scores


def score_parts(record: RunRecord, measure: Measure) -> list[tuple[list[Prediction], int]]:
    """Return the parts over which a measure is taken and then averaged, by repeat.

    Returns
    -------
    list of (list of Prediction, int)
        Of each repeat: its folds on which the measure is defined, or all its test rows together,
        and the number of its folds.
    """
    folds = _as_guessing(_ordered(record), record)
    pooled = _is_pooled([part for _, part in folds], measure, len(record.classes))
    repeats = []
    for repeat in _by_repeat(folds):
        parts = [part for _, part in repeat]
        whole = [join_predictions(parts)] if pooled else parts
        defined = [part for part in whole if not measure.missing_in(part.y)]
        if defined:
            repeats.append((defined, len(parts)))
    return repeats


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


def _by_repeat(folds: Done) -> list[Done]:
    repeats = sorted({fold.repeat for fold, _ in folds})
    return [[pair for pair in folds if pair[0].repeat == repeat] for repeat in repeats]


# ---------------------------------------------------------------- over folds or repeats


def _scores(folds: Done, measure: Measure, classes: tuple[str, ...]) -> CellScores:
    if _is_pooled([prediction for _, prediction in folds], measure, len(classes)):
        return _pooled_scores(folds, measure, classes)
    scores: list[Score] = []
    left_out: list[str] = []
    for fold, prediction in folds:
        missing = measure.missing_in(prediction.y)
        if missing:
            left_out.append(missing)
        else:
            scores.append(_score(fold, prediction, measure, classes))
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


def _is_pooled(parts: Sequence[Prediction], measure: Measure, n_classes: int) -> bool:
    """Whether a measure is taken over whole repeats of these folds."""
    if min(len(part.y) for part in parts) < measure.pooled_below:
        return True
    return measure.needs == "label" and _n_lacking(parts, n_classes) > 0


def _pooled_scores(folds: Done, measure: Measure, classes: tuple[str, ...]) -> CellScores:
    """Return each fold's part of the score of its repeat.

    With w the weights of the F folds of a repeat, all 1, and S(w) its score, fold f has
    S + F dS/dw_f, the linearisation whose mean is S: S does not change if all weights grow alike.
    """
    values: list[Array] = []
    notes: list[str] = []
    for repeat in _by_repeat(folds):
        joined = join_predictions(prediction for _, prediction in repeat)
        score = measure.score(joined, classes=classes)
        if score.value is None:
            return _without_mean(f"undefined over all test rows: {score.reason}")
        notes += [score.note] if score.note else []
        sizes = [len(prediction.y) for _, prediction in repeat]
        member = np.repeat(np.eye(len(sizes)), sizes, axis=1)
        parts = len(sizes) * _slopes(joined, measure, member, classes)
        values.append(score.value + parts - np.mean(parts))
    pooled = _say_pooled([prediction for _, prediction in folds], measure, len(classes))
    note = "; ".join([pooled, *notes[:1]] if pooled else notes[:1])
    return CellScores(values=np.concatenate(values), pooled=True, note=note)


def _slopes(joined: Prediction, measure: Measure, member: Array, classes: tuple[str, ...]) -> Array:
    """Return how fast the score rises with the weight of each fold."""
    if measure.weighted is not None:
        above = measure.score_draws(joined, 1 + STEP * member, classes=classes)
        below = measure.score_draws(joined, 1 - STEP * member, classes=classes)
        return np.asarray((above - below) / (2 * STEP))
    # Rows can only be repeated or left out. Where the rest has no score, the fold's part is even.
    whole = measure.score_draws(joined, np.ones((1, len(joined.y))), classes=classes)
    rest = measure.score_draws(joined, 1 - member, classes=classes)
    lost = whole - np.where(np.isnan(rest), whole, rest)
    return np.asarray(lost * (1 - 1 / len(member)))


def _say_pooled(parts: Sequence[Prediction], measure: Measure, n_classes: int) -> str:
    n_lacking = _n_lacking(parts, n_classes)
    fewest = min(len(part.y) for part in parts)
    if n_lacking:
        why = f"{n_lacking} of {len(parts)} folds lack a class"
        if measure.needs == "label" and 2 * n_lacking > len(parts):
            why += ", where a model that learns little scores below guessing"
    elif fewest < FEW_ROWS:
        why = f"folds have as few as {fewest} test rows"
    else:
        return ""
    return f"over all test rows of a repeat: {why}"


# ---------------------------------------------------------------- the reference


def _as_guessing(folds: Done, record: RunRecord, *, y: NDArray[Any] | None = None) -> Done:
    """Return what guessing predicts in place of what the dummy classifier did.

    The training shares of a class are lower if the test rows have more of it. So with one row left
    out and classes of equal size, dummy always names the other class. Guessing knows the shares of
    all samples, and names one class throughout: the positive one (no other constant has an F1 above
    0; balanced accuracy and MCC are the same for any), or the most common of several.
    """
    if record.model != DUMMY or not record.kind.is_classification or not folds:
        return folds
    shares = _shares(folds, record) if y is None else _frequencies(y, record)
    named = 1 if record.kind is TaskKind.BINARY else int(np.argmax(shares))
    guesses = []
    for fold, prediction in folds:
        n_rows = len(prediction.row)
        guess = replace(
            prediction,
            label=np.full(n_rows, named),
            probabilities=np.tile(shares, (n_rows, 1)),
            margin=None,
        )
        guesses.append((replace(fold, scores={}), guess))
    return guesses


def _shares(folds: Done, record: RunRecord) -> Array:
    """Return the class shares of all samples, from the cell of dummy alone."""
    rows = np.concatenate([prediction.row for _, prediction in folds])
    y = np.concatenate([prediction.y for _, prediction in folds])
    first = np.unique(rows, return_index=True)[1]
    if len(first) == record.n_samples or any(part.probabilities is None for _, part in folds):
        return _frequencies(y[first], record)
    # A hold-out tests only some samples; what dummy predicts are the shares of the others.
    counts = np.zeros(len(record.classes))
    for fold, part in folds:
        assert part.probabilities is not None
        counts += fold.n_train * part.probabilities[0]
        counts += np.bincount(part.y, minlength=len(record.classes))
    return np.asarray(counts / counts.sum())


def _frequencies(y: NDArray[Any], record: RunRecord) -> Array:
    return np.asarray(np.bincount(y, minlength=len(record.classes)) / len(y))
