"""Splits, and the results of one fold: predictions, scores, trials. Frozen, no I/O."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from smalldata.results.loss_curves import LossCurves
from smalldata.results.panel import Selection
from smalldata.results.thresholds import ThresholdChoice

Array = NDArray[np.float64]

Rows = NDArray[np.int64]

Status = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Fold:
    """Row positions of one fold; ``train`` is in the nested training order (for ``train_size``)."""

    repeat: int
    fold: int
    train: Rows
    test: Rows

    @property
    def name(self) -> str:
        """File name without its extension: r00f00."""
        return f"r{self.repeat:02d}f{self.fold:02d}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Splits:
    """The rows of a Resampling applied to one Task: the full splits, at any train_size.

    ``notes`` says if there are fewer folds than usual, ``asked`` holds the arguments of
    `make_splits`, which cuts other labels alike; neither is stored.
    """

    name: str
    split_key: str
    n_samples: int
    folds: tuple[Fold, ...]
    is_default: bool = True
    notes: tuple[str, ...] = ()
    asked: Mapping[str, Any] | None = None

    @property
    def n_repeats(self) -> int:
        """Number of repeats."""
        return len({fold.repeat for fold in self.folds})

    @property
    def n_folds(self) -> int:
        """Folds of one repeat."""
        return len({fold.fold for fold in self.folds})

    @property
    def test_train_ratio(self) -> float:
        """Mean of n_test / n_train over the full folds: r of the corrected variance."""
        return float(np.mean([len(fold.test) / len(fold.train) for fold in self.folds]))

    @cached_property
    def key(self) -> str:
        """SHA-256 of all row positions, in order; only records with equal keys can be compared."""
        digest = hashlib.sha256(self.split_key.encode())
        for fold in self.folds:
            digest.update(f"{fold.repeat},{fold.fold};".encode())
            digest.update(np.ascontiguousarray(fold.train, dtype="<i8").tobytes() + b"|")
            digest.update(np.ascontiguousarray(fold.test, dtype="<i8").tobytes() + b"|")
        return digest.hexdigest()

    @property
    def folder(self) -> str:
        """Folder name below the dataset's: the name, with a hash if not the default."""
        return self.name if self.is_default else f"{self.name}-{self.key[:6]}"

    def train_rows(self, fold: Fold, train_size: int | None = None) -> Rows:
        """Return the training rows, ascending: all, or the first ``train_size`` as nested."""
        return np.sort(fold.train if train_size is None else fold.train[:train_size])


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """The output of a fitted pipeline for the held-out rows of one fold.

    Attributes
    ----------
    row : ndarray of shape (n_test,)
        Row positions in the task.
    y : ndarray of shape (n_test,)
        Observed class codes or values.
    label : ndarray of shape (n_test,) or None
        Predicted class codes: the most probable class, or of two classes what the fold's threshold
        calls.
    probabilities : ndarray of shape (n_test, n_classes) or None
    margin : ndarray of shape (n_test, n_outputs) or None
        n_outputs is 1 for a binary task; None for models without a margin.
    value : ndarray of shape (n_test,) or None
        Predicted value of a regression.
    """

    row: Rows
    y: NDArray[Any]
    label: Rows | None = None
    probabilities: Array | None = None
    margin: Array | None = None
    value: Array | None = None

    def called_at(self, threshold: float) -> "Prediction":
        """Return the prediction of two classes with the labels that a threshold gives.

        Unchanged without probabilities: then there are no labels either.
        """
        if self.probabilities is None:
            return self
        return replace(self, label=(self.probabilities[:, 1] > threshold).astype(np.int64))


@dataclass(frozen=True, kw_only=True)
class Score:
    """One measure on one fold: a value (``note`` may qualify it), or None with the reason."""

    value: float | None
    reason: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldResult:
    """One outer fold of one cell, which is written whole or not at all.

    Attributes
    ----------
    values : mapping
        Hyperparameters the fold was fitted with, after any tuning, and the transform it was fitted
        under, if tuning chose it (``preprocess.transform``).
    transform : mapping
        What ``preprocess.transform=auto`` did: numbers of numeric ``columns``, of those that got
        their ``log``, and of those whose far values got a ``limit``; empty if it was not asked.
    seconds : mapping
        ``tune``, ``threshold``, ``fit``, ``predict``.
    notes : tuple of str
        What the reader of the record must know about this fit.
    tuning : mapping
        Counts: ``trials``, ``pruned`` ones, ``fits`` on inner folds, fits that pruning saved
        (``spared``), and 1 if the untuned default ``stayed``; empty without tuning.
    selection : Selection or None
        The features kept, if the fold chose how many.
    losses : LossCurves or None
        The loss of each epoch, if the model reports it.
    threshold : ThresholdChoice or None
        The threshold of its labels, if the fold chose one.
    """

    repeat: int
    fold: int
    status: Status
    seed: int
    reason: str = ""
    n_train: int = 0
    prediction: Prediction | None = None
    scores: Mapping[str, Score] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    transform: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    device: str = "cpu"
    notes: tuple[str, ...] = ()
    tuning: Mapping[str, int] = field(default_factory=dict)
    selection: Selection | None = None
    losses: LossCurves | None = None
    threshold: ThresholdChoice | None = None

    @property
    def name(self) -> str:
        """File name without its extension: r00f00."""
        return f"r{self.repeat:02d}f{self.fold:02d}"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One set of values, tried on the inner folds of one training fold.

    Attributes
    ----------
    ordinal : int
        From 0; the first is the untuned default.
    state : {"ok", "failed", "pruned"}
    values : mapping
        Values of the hyperparameters in the search space.
    score : float or None
        Mean over the inner folds; None if the trial failed or was pruned.
    fold_scores : tuple of float or None
        Score on each inner fold; None if it was not reached, or if the measure is undefined there
        for every model.
    reason : str
        Why it failed, or after how many inner folds it was pruned.
    """

    ordinal: int
    state: Literal["ok", "failed", "pruned"]
    values: Mapping[str, Any]
    score: float | None = None
    fold_scores: tuple[float | None, ...] = ()
    reason: str = ""
    seconds: float = 0.0
