"""What the line produces, from Splits to Comparison and Explanation. Frozen, no I/O."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from smalldata.evidence import Faithfulness, Interactions
from smalldata.learning import LearningCurves
from smalldata.losscurves import LossCurves
from smalldata.selection import Selection
from smalldata.task import TaskKind

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

SCHEMA_VERSION = 1
"""Of every file below outputs/. Raised when a file can no longer be read as before."""

RESULTS_VERSION = 3
"""Part of every cell's hash. Raised by hand whenever a change moves numbers."""

N_LEADING = 20
"""Features whose sampling error is told."""

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
        """File name without ending: r00f00."""
        return f"r{self.repeat:02d}f{self.fold:02d}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Splits:
    """The rows of a Resampling bound to one Task: the master splits, whatever the train_size.

    ``notes`` says where the folds are not as many as usual; it is not stored.
    """

    name: str
    split_key: str
    n_samples: int
    folds: tuple[Fold, ...]
    is_default: bool = True
    notes: tuple[str, ...] = ()

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
        """SHA-256 of all row positions, in order; records with unequal keys cannot be compared."""
        digest = hashlib.sha256(self.split_key.encode())
        for fold in self.folds:
            digest.update(f"{fold.repeat},{fold.fold};".encode())
            digest.update(np.ascontiguousarray(fold.train, dtype="<i8").tobytes() + b"|")
            digest.update(np.ascontiguousarray(fold.test, dtype="<i8").tobytes() + b"|")
        return digest.hexdigest()

    @property
    def folder(self) -> str:
        """Folder name below the dataset's: what the folds are called, off defaults with a hash."""
        return self.name if self.is_default else f"{self.name}-{self.key[:6]}"

    def train_rows(self, fold: Fold, train_size: int | None = None) -> Rows:
        """Training rows, ascending; with ``train_size`` the first so many of the nested order."""
        return np.sort(fold.train if train_size is None else fold.train[:train_size])


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """What a fitted pipeline says of the held-out rows of one fold.

    Attributes
    ----------
    row : ndarray of shape (n_test,)
        Row positions in the task.
    y : ndarray of shape (n_test,)
        Class codes or values that were observed.
    label : ndarray of shape (n_test,) or None
        Predicted class codes (argmax of the probabilities).
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


@dataclass(frozen=True, kw_only=True)
class Score:
    """One measure on one fold: a value (``note`` may qualify it), or None with the reason."""

    value: float | None
    reason: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldResult:
    """One outer fold of one cell: the atom that is written whole or not at all.

    Attributes
    ----------
    values : mapping
        Hyperparameters the fold was fitted with (the tuned ones where there was tuning).
    seconds : mapping
        ``tune``, ``fit``, ``predict``.
    notes : tuple of str
        What the reader of the record must know of this fit.
    tuning : mapping
        Counts: ``trials``, ``pruned`` ones, ``fits`` on inner folds, and fits that pruning
        ``spared``; empty without tuning.
    selection : Selection or None
        The features the fit was left with, where the fold chose how many.
    losses : LossCurves or None
        What the fit minimised, epoch by epoch, where the model tells.
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
    seconds: Mapping[str, float] = field(default_factory=dict)
    device: str = "cpu"
    notes: tuple[str, ...] = ()
    tuning: Mapping[str, int] = field(default_factory=dict)
    selection: Selection | None = None
    losses: LossCurves | None = None

    @property
    def name(self) -> str:
        """File name without ending: r00f00."""
        return f"r{self.repeat:02d}f{self.fold:02d}"


@dataclass(frozen=True, kw_only=True, eq=False)
class RunRecord:
    """One cell: Task x Learner x Resampling, with its settings and environment.

    Attributes
    ----------
    identity : mapping
        Everything that can change a number, as plain values; its hash names the cell's folder.
    settings : mapping
        What differs from the defaults: the label of the row in the table.
    environment : mapping
        Versions, machine, device: what should not change a number, but might.
    splits_key : str
        Key of the Splits the folds belong to.
    test_train_ratio : float
        r of the corrected variance (of the full folds).
    groups : tuple of int, length n_samples, or None
        Code of each row's group, so that draws of rows can take whole groups.
    """

    dataset: str
    cv: str
    model: str
    kind: TaskKind
    classes: tuple[str, ...]
    measure: str
    target: str
    n_samples: int
    n_features: int
    splits_key: str
    test_train_ratio: float
    n_planned: int
    identity: Mapping[str, Any]
    groups: tuple[int, ...] | None = None
    train_size: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    folds: tuple[FoldResult, ...] = ()
    skipped: str = ""
    explain_seconds: float | None = None

    @property
    def hash(self) -> str:
        """Ten hex digits of the identity."""
        return cell_hash(self.identity)

    @property
    def folder(self) -> str:
        """Folder name of the cell below the splits' folder."""
        return f"{self.model}-{self.hash}"

    @property
    def label(self) -> str:
        """Name of the row in the table: the model and what differs from the defaults."""
        changed = settings_text(self.settings)
        return f"{self.model} ({changed})" if changed else self.model

    @property
    def status(self) -> Status:
        """``ok`` if every planned fold is, ``skipped`` if the model refuses, else ``failed``."""
        if self.skipped:
            return "skipped"
        n_ok = sum(fold.status == "ok" for fold in self.folds)
        return "ok" if n_ok == self.n_planned else "failed"

    @property
    def tuning(self) -> dict[str, int]:
        """`FoldResult.tuning`, summed over the folds."""
        names = dict.fromkeys(name for fold in self.folds for name in fold.tuning)
        return {name: sum(fold.tuning.get(name, 0) for fold in self.folds) for name in names}

    @property
    def reason(self) -> str:
        """Why the cell was skipped, or the first failed fold's reason."""
        if self.skipped:
            return self.skipped
        return next(
            (f"{fold.name}: {fold.reason}" for fold in self.folds if fold.status == "failed"), ""
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """Shapley values of held-out rows, each explained by the model of a fold that never saw it.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_features, n_outputs), float32
        n_outputs is 1 for binary and regression, else n_classes.
    base_values : ndarray of shape (n_rows, n_outputs)
        Mean of f over the background of the row's fold.
    row, repeat, fold : ndarray of shape (n_rows,)
    scale : str
        margin, log-odds, probability or value.
    outputs : tuple of str
        The classes the outputs speak for (binary: the positive class; regression: the target).
    standard_errors : ndarray like values or None
        None where the values are exact.
    additivity_error : float
        Largest |sum of values + base value - f(x)|, in float64, over the scale of f.
    options : mapping
        What the explanation was asked for; its hash names the file.
    interactions : Interactions or None
        Of the leading features; None where they were not asked for or the model has none.
    faithfulness : Faithfulness or None
        What replacing the leading features does to the scores.
    """

    values: NDArray[np.float32]
    base_values: Array
    row: Rows
    repeat: Rows
    fold: Rows
    feature_names: tuple[str, ...]
    scale: str
    outputs: tuple[str, ...]
    additivity_error: float
    standard_errors: NDArray[np.float32] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    interactions: Interactions | None = None
    faithfulness: Faithfulness | None = None

    @property
    def hash(self) -> str:
        """Ten hex digits of the options."""
        return cell_hash(self.options)

    @property
    def sampling_error(self) -> tuple[float, float | None] | None:
        """Typical standard error of the `N_LEADING` features, alone and over their mean size.

        Of a sample's mean over its repeats: what is sampled anew in each repeat averages out. None
        where the values are exact.
        """
        if self.standard_errors is None:
            return None
        importance = np.abs(self.values).mean(axis=(0, 2), dtype=np.float64)
        leading = np.argsort(-importance, kind="stable")[:N_LEADING]
        n_repeats = np.bincount(self.row)[self.row]
        errors = self.standard_errors[:, leading]
        squares = np.square(errors, dtype=np.float64).mean(axis=(1, 2)) / n_repeats
        typical, size = float(np.sqrt(squares.mean())), float(importance[leading].mean())
        return typical, typical / size if size > 0 else None

    @property
    def null_hash(self) -> str:
        """Ten hex digits of the options that permuted labels are explained with as well."""
        told = {key: self.options[key] for key in self.options if key not in _NOT_IN_NULL}
        return cell_hash(told)

    @property
    def first_importances(self) -> Array:
        """Mean |value| over rows of the first explained repeat and outputs: (n_features,)."""
        values = np.abs(self.values[self.repeat == self.repeat.min()])
        return np.asarray(values.mean(axis=2, dtype=np.float64).mean(axis=0))


_NOT_IN_NULL = ("repeats", "interactions", "measure")
"""Options of an explanation that change nothing of the importances in its first repeat."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One set of values, tried on the inner folds of one training fold.

    Attributes
    ----------
    ordinal : int
        From 0; the first is the untuned default.
    state : {"ok", "failed", "pruned"}
    values : mapping
        Of the hyperparameters in the search space.
    score : float or None
        Mean over the inner folds; None where the trial failed or was pruned.
    fold_scores : tuple of float or None
        Of each inner fold; None where it was not reached, or where the measure is undefined for
        every model.
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


def settings_text(settings: Mapping[str, Any]) -> str:
    """Write settings as in a label: ``C=3.0, tuned``; a value True leaves its key alone.

    Lists are written as they are typed on the command line.

    Example
    -------
    >>> settings_text({"C": 3.0, "sizes": (1, 2), "tuned": True})
    'C=3.0, sizes=[1,2], tuned'
    """

    def typed(value: Any) -> str:
        return f"[{','.join(map(str, value))}]" if isinstance(value, list | tuple) else str(value)

    return ", ".join(
        str(key) if value is True else f"{key}={typed(value)}" for key, value in settings.items()
    )


def cell_hash(identity: Mapping[str, Any]) -> str:
    """Ten hex digits of the SHA-256 of canonical JSON (sorted keys, no spaces, no NaN)."""
    text = json.dumps(
        identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()[:10]


# ---------------------------------------------------------------- the comparison of several records


@dataclass(frozen=True, kw_only=True)
class ComparisonRow:
    """One cell and one measure of the table; the interval is by the corrected variance."""

    dataset: str
    cv: str
    train_size: int | None
    model: str
    settings: str
    hash: str
    measure: str
    mean: float | None
    ci_low: float | None
    ci_high: float | None
    rank: int | None
    tied_with_best: bool
    n_ok: int
    n_failed: int
    status: Status
    reason: str
    tune_seconds: float | None
    fit_seconds: float | None
    predict_seconds: float | None
    explain_seconds: float | None
    optimistic: bool = False

    @property
    def label(self) -> str:
        """Name of the cell in the table and in the tests; unique within a train_size."""
        return f"{self.model} ({self.settings})" if self.settings else self.model


@dataclass(frozen=True, kw_only=True)
class PairwiseTest:
    """Corrected test of two cells on the primary measure; ``difference`` is first minus second."""

    first: str
    second: str
    measure: str
    train_size: int | None
    difference: float
    ci_low: float
    ci_high: float
    t: float
    p: float
    p_holm: float
    p_first_better: float
    p_equal: float
    p_second_better: float
    rope: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """All finished cells of one task and one set of splits.

    Attributes
    ----------
    rows : tuple of ComparisonRow
        One per cell and measure; the primary measure first, best cell first.
    tests : tuple of PairwiseTest
        All pairs of ranked cells on the primary measure, within one train_size.
    best_corrected : mapping or None
        Bias-corrected score of "take the best of these" (BBC-CV): mean, ci_low, ci_high, n_models.
    learning : LearningCurves or None
        On the primary measure; None where some model was not trained at several sizes.
    """

    dataset: str
    cv: str
    kind: TaskKind
    classes: tuple[str, ...]
    target: str
    measure: str
    n_samples: int
    n_features: int
    splits_key: str
    n_folds: int
    rows: tuple[ComparisonRow, ...]
    tests: tuple[PairwiseTest, ...]
    best_corrected: Mapping[str, float] | None = None
    learning: LearningCurves | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
