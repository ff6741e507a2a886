"""The question: a Dataset (the table as it was read) and a Task (what to predict from it).

Step in the line: files -> **Dataset -> Task** -> splits.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.errors import ConfigError, DataError
from smalldata.findings import Finding


class TaskKind(StrEnum):
    """What the target is."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"

    @property
    def is_classification(self) -> bool:
        """Whether the target is binary or multiclass."""
        return self is not TaskKind.REGRESSION


def find_kind(name: str) -> TaskKind:
    """Return the kind of task with this name.

    Raises
    ------
    ConfigError
        If there is none.
    """
    known = [member.value for member in TaskKind]
    if name not in known:
        raise ConfigError(f"kind must be one of {', '.join(known)}; got {name!r}.")
    return TaskKind(name)


PRIMARY_MEASURES = {
    TaskKind.BINARY: "roc_auc",
    TaskKind.MULTICLASS: "roc_auc_ovr",
    TaskKind.REGRESSION: "rmse",
}


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a table comes from, as far as known."""

    source: str = ""
    citation: str = ""
    licence: str = ""
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """What of the files is not in the dataset.

    Attributes
    ----------
    what : str
        ``samples``, ``rows`` or ``columns``.
    names : tuple of str
    reason : str
        A clause: ``marked as contaminants``.
    """

    what: str
    names: tuple[str, ...]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the files were read.

    Attributes
    ----------
    taken_for : tuple of str
        One sentence part a file: ``proteinGroups.txt: a MaxQuant table of proteins``.
    dropped : tuple of Dropped
    units : mapping of str to str
        Unit of a feature, where the file says it.
    settings : mapping
        The keys of ``dataset`` that fix this reading whatever is guessed, with their values.
    censored : mapping of str to float
        Share of the values of a feature that are below a limit of detection, however they were
        taken; only of features that have some.
    censored_by_class : mapping of str to float
        The same by class, over these features together; empty for a regression.
    """

    taken_for: tuple[str, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    censored: Mapping[str, float] = field(default_factory=dict)
    censored_by_class: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class BelowLimit:
    """What a value below a limit of detection is taken for, where its cell states no limit.

    Such a value is -inf in `Dataset.X` (one above a limit: inf). The limit of a column is the
    smallest of its values in the training rows and of the limits that their cells state; the first
    step of the preprocessing learns it.

    Attributes
    ----------
    factor : float
        Share of the limit: 0.5 or 1.
    stated : tuple of (str, tuple of float)
        By feature, those values of X that are ``factor`` times a limit stated by a cell; no
        measured value is the same float.
    """

    factor: float
    stated: tuple[tuple[str, tuple[float, ...]], ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """A table as it was read: nothing scaled, imputed, encoded or selected.

    Made by `from_file`, `from_frame`, `load_dataset` or `dataset_from_anndata`.

    Attributes
    ----------
    name : str
        Folder name below ``outputs/``.
    X : DataFrame of shape (n_samples, n_features)
        Columns are the features. A column is float64 (missing: NaN; below a limit of detection:
        -inf, see ``below``) or a pandas categorical with string categories (missing: NaN).
    y : ndarray of shape (n_samples,)
        float64 for a regression, else strings (dtype object). Never missing.
    sample_ids : ndarray of shape (n_samples,)
        Strings, unique.
    feature_blocks : tuple of str, length n_features
        The block (rna, protein, clinical …) of each feature.
    kind : TaskKind
        Set by the user or inferred by the loader.
    target : str
        Name of the target column.
    positive : str or None
        The positive class of a binary target.
    groups, batch, folds : ndarray of shape (n_samples,) or None
        Strings: rows that must stay together; the measurement batch; fold ids for ``cv=fixed``.
    messages : tuple of str
        What was inferred; printed once.
    findings : tuple of Finding
        What the user should know; printed and kept in the record.
    reading : Reading
        How the files were read, for ``look``.
    below : BelowLimit or None
        What -inf in X is taken for; None where X is finite.
    truth : tuple of str or None
        The informative features, if known (synthetic data).
    """

    name: str
    X: pd.DataFrame
    y: NDArray[Any]
    sample_ids: NDArray[Any]
    kind: TaskKind
    target: str
    feature_blocks: tuple[str, ...] = ()
    positive: str | None = None
    groups: NDArray[Any] | None = None
    batch: NDArray[Any] | None = None
    folds: NDArray[Any] | None = None
    provenance: Provenance = field(default_factory=Provenance)
    messages: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    reading: Reading = field(default_factory=Reading)
    below: BelowLimit | None = None
    truth: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check the shapes; the loaders have checked the content."""
        n_samples, n_features = self.X.shape
        if not self.feature_blocks:
            object.__setattr__(self, "feature_blocks", ("features",) * n_features)
        for name in ("y", "sample_ids", "groups", "batch", "folds"):
            column = getattr(self, name)
            if column is not None and len(column) != n_samples:
                raise DataError(
                    f"{name} must have one entry per sample ({n_samples}), got {len(column)}."
                )
        if len(self.feature_blocks) != n_features:
            raise DataError(
                f"feature_blocks must have one entry per feature ({n_features}), "
                f"got {len(self.feature_blocks)}."
            )
        if not self.X.columns.is_unique:
            raise DataError("feature names must be unique; rename the repeated columns.")

    @classmethod
    def from_file(cls, path: str | Path | Mapping[str, str | Path], **options: Any) -> "Dataset":
        """Read a file, or several as ``{block: file}``, with the keys of conf/dataset/table.yaml.

        Raises
        ------
        ConfigError
            If there is no such option, or it has another type.
        DataError
            If the table is not fit to be a dataset.
        """
        # By name: the readers are on a higher floor than the Dataset they make.
        dataset: Dataset = import_module("smalldata.datasets").load_dataset(
            "table", path=path, **options
        )
        return dataset

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame | Mapping[str, pd.DataFrame], **options: Any
    ) -> "Dataset":
        """Read a DataFrame, or several as ``{block: frame}``: see `dataset_from_frame`."""
        dataset: Dataset = import_module("smalldata.datasets.frames").dataset_from_frame(
            frame, **options
        )
        return dataset

    @property
    def warnings(self) -> tuple[str, ...]:
        """The findings that the user should look at, one line each."""
        return tuple(str(finding) for finding in self.findings if finding.level == "warning")

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the order of the columns of X."""
        return tuple(self.X.columns)

    @cached_property
    def constant_features(self) -> tuple[str, ...]:
        """Names of the features of `find_constant`."""
        return find_constant(self.X)

    @property
    def block_names(self) -> tuple[str, ...]:
        """Names of the blocks, in order of first appearance."""
        return tuple(dict.fromkeys(self.feature_blocks))


@dataclass(frozen=True, kw_only=True)
class TaskInfo:
    """The shape of a task without its data: all that a learner may know about it."""

    kind: TaskKind
    n_samples: int
    n_features: int
    n_classes: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """A Dataset and what to predict from it. Built by `make_task`.

    Attributes
    ----------
    classes : tuple of str
        Binary: (negative, positive). Multiclass: sorted. Regression: empty.
    y : ndarray of shape (n_samples,)
        int64 codes into ``classes``, or float64 values.
    measure : str
        Name of the primary measure.
    """

    dataset: Dataset
    kind: TaskKind
    classes: tuple[str, ...]
    y: NDArray[Any]
    measure: str

    @property
    def X(self) -> pd.DataFrame:
        """Feature table of shape (n_samples, n_features)."""
        return self.dataset.X

    @property
    def groups(self) -> NDArray[Any] | None:
        """Rows that must stay together, or None."""
        return self.dataset.groups

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return len(self.dataset.X)

    @property
    def n_features(self) -> int:
        """Number of features the user gave."""
        return self.dataset.X.shape[1]

    @property
    def positive(self) -> str | None:
        """The positive class of a binary task."""
        return self.classes[1] if self.kind is TaskKind.BINARY else None

    @property
    def info(self) -> TaskInfo:
        """Shape of the whole task."""
        return TaskInfo(
            kind=self.kind,
            n_samples=self.n_samples,
            n_features=self.n_features,
            n_classes=len(self.classes),
        )

    @cached_property
    def split_key(self) -> str:
        """SHA-256 of sample ids, target and groups, the only things splits depend on."""
        columns = [self.dataset.sample_ids, self.dataset.y]
        if self.groups is not None:
            columns.append(self.groups)
        return _digest(map(_column_bytes, columns), [self.kind, *self.classes])

    @cached_property
    def content_key(self) -> str:
        """SHA-256 of the feature table, its names and blocks."""
        if all(dtype == np.float64 for dtype in self.X.dtypes):
            columns: Iterable[NDArray[Any]] = self.X.to_numpy().T
        else:
            columns = (self.X[name].to_numpy() for name in self.X.columns)
        labels: list[str] = [*self.dataset.feature_names, "\x1e", *self.dataset.feature_blocks]
        for name, dtype in self.X.dtypes.items():
            if isinstance(dtype, pd.CategoricalDtype) and dtype.ordered:
                labels += ["\x1e", str(name), *map(str, dtype.categories)]
        if self.dataset.below is not None:
            labels += ["\x1e", repr(self.dataset.below)]
        return _digest(map(_column_bytes, columns), labels)


def make_task(
    dataset: Dataset,
    *,
    kind: TaskKind | str | None = None,
    positive: str | None = None,
    measure: str | None = None,
) -> Task:
    """Make the task of predicting the target of a dataset.

    Parameters
    ----------
    dataset : Dataset
    kind : TaskKind or str, optional
        Overrides the dataset's own kind.
    positive : str, optional
        Overrides the dataset's own positive class.
    measure : str, optional
        The primary measure; default: roc_auc, roc_auc_ovr or rmse by kind.

    Returns
    -------
    Task

    Raises
    ------
    ConfigError
        If there is no such kind.
    DataError
        If the target does not fit the kind.

    Examples
    --------
    >>> from smalldata import load_dataset
    >>> task = make_task(load_dataset("omics"), measure="average_precision")
    >>> task.classes, task.n_samples, task.measure
    (('Control', 'Impaired'), 333, 'average_precision')
    """
    task_kind = dataset.kind if kind is None else find_kind(kind)
    classes: tuple[str, ...] = ()
    if task_kind is TaskKind.REGRESSION:
        y = _numeric_target(dataset)
    else:
        labels = np.asarray(dataset.y).astype(str)
        classes = _classes(dataset, labels, task_kind, positive)
        codes = {name: code for code, name in enumerate(classes)}
        y = np.array([codes[label] for label in labels], dtype=np.int64)
    return Task(
        dataset=dataset,
        kind=task_kind,
        classes=classes,
        y=y,
        measure=measure or PRIMARY_MEASURES[task_kind],
    )


def find_constant(X: pd.DataFrame) -> tuple[str, ...]:
    """Return the names of the columns with the same value in every row and none missing.

    Examples
    --------
    >>> find_constant(pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 3.0], "c": [np.nan, 3.0]}))
    ('b',)
    """
    numbers = X.select_dtypes("number")
    values = numbers.to_numpy()
    left = np.arange(values.shape[1])
    for row in values[:0:-1]:  # the last one first, since tables are often sorted
        left = left[row[left] == values[0, left]]
        if not len(left):
            break
    found = set(numbers.columns[left])
    if numbers.shape[1] < X.shape[1]:
        others = X.columns.difference(numbers.columns)
        found.update(name for name in others if X[name].nunique(dropna=False) == 1)
    return tuple(str(name) for name in X.columns if name in found) if found else ()


def _numeric_target(dataset: Dataset) -> NDArray[np.float64]:
    try:
        y = np.asarray(dataset.y, dtype=np.float64)
    except ValueError:
        raise DataError(
            f"a regression needs a numeric target; {dataset.target!r} holds text. "
            "Set dataset.kind=binary or multiclass."
        ) from None
    if len(np.unique(y)) < 2:
        raise DataError(
            f"the target {dataset.target!r} is constant ({y[0]:g}); there is nothing to predict."
        )
    return y


def _classes(
    dataset: Dataset, labels: NDArray[np.str_], kind: TaskKind, positive: str | None
) -> tuple[str, ...]:
    found = [str(name) for name in np.unique(labels)]
    if len(found) < 2:
        raise DataError(
            f"the target {dataset.target!r} is constant ({found[0]!r}); "
            "there is nothing to predict."
        )
    if kind is TaskKind.MULTICLASS:
        return tuple(found)
    if len(found) != 2:
        raise DataError(
            f"a binary task needs two classes; {dataset.target!r} has {len(found)}: "
            f"{', '.join(found[:8])}. "
            "Set dataset.kind=multiclass."
        )
    chosen = positive if positive is not None else dataset.positive
    if chosen is None:
        raise DataError(
            f"a binary task needs a positive class; set dataset.positive to one of {found}."
        )
    if str(chosen) not in found:
        raise DataError(f"the positive class must be one of {', '.join(found)}; got {chosen!r}.")
    negative = next(name for name in found if name != str(chosen))
    return (negative, str(chosen))


def _column_bytes(column: NDArray[Any]) -> bytes:
    """Return bytes that are equal only for columns with the same values in the same order."""
    values = np.asarray(column)
    if values.dtype.kind in "fiub":
        return b"\x01" + np.ascontiguousarray(values, dtype=np.float64).tobytes()
    entries = ("\x00" if value != value else str(value) for value in values)  # NaN is not text
    return b"\x02" + "\x1f".join(entries).encode()


def _digest(parts: Iterable[bytes], labels: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    digest.update("\x1f".join(labels).encode())
    return digest.hexdigest()
