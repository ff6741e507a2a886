"""The record of one cell: its folds, settings and environment. Frozen, no I/O."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from smalldata.results.evidence import PermutedScores
from smalldata.results.folds import FoldResult, Status
from smalldata.task import TaskKind

SCHEMA_VERSION = 1
"""Version of every file below outputs/. Raised if files can no longer be read as before."""

RESULTS_VERSION = 4
"""Part of every cell's hash. Raised by hand if a change moves numbers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RunRecord:
    """One cell: Task x Learner x Resampling, with its settings and environment.

    Attributes
    ----------
    identity : mapping
        Everything that can change a number, as plain values; its hash names the cell's folder.
    settings : mapping
        What differs from the defaults; shown in the label of the row.
    environment : mapping
        Versions, machine, device: these should not change a number, but might.
    splits_key : str
        Key of the Splits the folds belong to.
    test_train_ratio : float
        r of the corrected variance (of the full folds).
    groups : tuple of int, length n_samples, or None
        Code of each row's group, so that bootstrap draws can take whole groups.
    permuted : mapping of str to PermutedScores
        Scores on permuted labels by measure, if there are any; not in ``record.json``.
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
    permuted: Mapping[str, PermutedScores] = field(default_factory=dict)

    @property
    def transform(self) -> str:
        """What ``preprocess.transform=auto`` did in the folds, in words; "": it was not asked."""
        asked = [fold.transform for fold in self.folds if fold.transform]
        if not asked:
            return ""
        columns = f"{_extent([counts['columns'] for counts in asked])} numeric features"
        done = [
            f"{what} {_extent([counts[key] for counts in asked])}"
            for key, what in (("log", "logarithm of"), ("limit", "far values drawn in for"))
            if any(counts[key] for counts in asked)
        ]
        if not done:
            return f"none of {columns} needs a transform"
        return f"{', '.join(done)} of {columns}"

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
        return cell_label(self.model, settings_text(self.settings))

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


def cell_label(model: str, settings: str) -> str:
    """Name a cell in a table: its model, and in brackets what differs from the defaults."""
    return f"{model} ({settings})" if settings else model


def settings_text(settings: Mapping[str, Any]) -> str:
    """Write settings as in a label: ``C=3.0, tuned``; a value of True is left out.

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


def _extent(counts: Sequence[int]) -> str:
    """Return the range of counts, as one number if they agree."""
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def cell_hash(identity: Mapping[str, Any]) -> str:
    """Return ten hex digits of the SHA-256 of canonical JSON (sorted keys, no spaces, no NaN)."""
    text = json.dumps(
        identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()[:10]
