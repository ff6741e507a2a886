"""The trials of a cell on disk: a log per outer fold during tuning, one table at the end.

The process that tunes a fold appends one sealed line per finished trial, so that a kill only costs
the trial in progress. The fold's sealed json has the number of trials.
Step in the line: trials of a fold -> **log, table** -> records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from smalldata.results.folds import FoldResult, Trial
from smalldata.runtime import files
from smalldata.runtime.sealing import (
    DamageError,
    damage_if_odd,
    frozen,
    opened_line,
    read_sealed,
    read_table,
    sealed_line,
    table_bytes,
    write_sealed,
)

_MOST_NAMED = 3


@dataclass(frozen=True)
class TrialFolder:
    """The folder ``tuning/`` of one cell: ``r03f02.jsonl`` for each outer fold.

    Attributes
    ----------
    path : Path
    cell : str
        Hash of the cell; lines of other cells are ignored.
    """

    path: Path
    cell: str

    def start(self, name: str) -> tuple[Trial, ...]:
        """Read the finished trials of an outer fold, from ordinal 0 to the first gap.

        Torn lines and lines that do not belong here are skipped; their trials are run again.

        Raises
        ------
        RecordError
            If a line is of another schema version, or the file cannot be read.
        """
        path = self._file(name)
        if not path.is_file():
            return ()
        found: dict[int, Trial] = {}
        for line in files.read_file(path).splitlines():
            try:
                entry = opened_line(path, line)
                if entry.get("cell") != self.cell or entry.get("fold") != name:
                    continue
                with damage_if_odd(path):
                    trial = _trial(entry)
            except DamageError:
                continue
            found.setdefault(trial.ordinal, trial)
        n_whole = next(i for i in range(len(found) + 1) if i not in found)
        return tuple(found[i] for i in range(n_whole))

    def add(self, name: str, trial: Trial) -> None:
        """Append one finished trial.

        Raises
        ------
        RecordError
            If the disk is full or the folder cannot be written.
        """
        entry = {"cell": self.cell, "fold": name, **asdict(trial)}
        files.append_line(self._file(name), sealed_line(entry))

    def sync(self, name: str) -> None:
        """Force the log of an outer fold to disk, if there is one."""
        path = self._file(name)
        if path.is_file():
            files.sync_file(path)

    def short_logs(self, folds: Sequence[FoldResult]) -> str:
        """Say which logs have fewer trials than their folds were tuned with; "" if none."""
        short = []
        for fold in folds:
            asked = fold.tuning.get("trials", 0) if fold.status == "ok" else 0
            if asked and (found := len(self.start(fold.name))) < asked:
                short.append((fold.name, f"{fold.name}.jsonl ({found} of {asked})"))
        if not short:
            return ""
        shown = ", ".join(text for _, text in short[:_MOST_NAMED])
        more = f" and {len(short) - _MOST_NAMED} more" if len(short) > _MOST_NAMED else ""
        return (
            f"{self.path} must have all trials its folds were tuned with; some are missing from "
            f"{shown}{more}. Restore the logs from a copy; or delete "
            f"{self.path.parent / 'folds' / short[0][0]}.json"
            f"{' and likewise for the others' if len(short) > 1 else ''}, and run the same command "
            "again, which tunes the fold again."
        )

    def restart(self, name: str) -> None:
        """Remove the log of an outer fold."""
        files.remove_file(self._file(name))

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.jsonl"


def write_trials(
    path: Path,
    trials: Mapping[tuple[int, int], Sequence[Trial]],
    *,
    chosen: Mapping[tuple[int, int], int],
    measure: str,
    importances: Mapping[str, Any] | None = None,
) -> None:
    """Write ``trials.parquet``: one row per trial of each outer fold.

    Columns: repeat, fold, trial, state, chosen, score (mean over the inner folds), one
    ``inner_<i>`` per inner fold, one ``value_<name>`` per hyperparameter, seconds, reason.

    Parameters
    ----------
    path : Path
    trials : mapping
        By (repeat, fold).
    chosen : mapping
        Ordinal of the trial that each outer fold was fitted with, by (repeat, fold).
    measure : str
        The measure of the scores.
    importances : mapping, optional
        Of the hyperparameters, as plain values.
    """
    import pyarrow as pa

    rows = [(key, trial) for key in sorted(trials) for trial in trials[key]]
    n_inner = max((len(trial.fold_scores) for _, trial in rows), default=0)
    names = list(rows[0][1].values) if rows else []
    columns: dict[str, Any] = {
        "repeat": np.array([key[0] for key, _ in rows], dtype=np.int64),
        "fold": np.array([key[1] for key, _ in rows], dtype=np.int64),
        "trial": np.array([trial.ordinal for _, trial in rows], dtype=np.int64),
        "state": pa.array([trial.state for _, trial in rows], pa.string()),
        "chosen": np.array([chosen.get(key) == trial.ordinal for key, trial in rows], dtype=bool),
        "score": pa.array([trial.score for _, trial in rows], pa.float64()),
    }
    for i in range(n_inner):
        scores = [t.fold_scores[i] if i < len(t.fold_scores) else None for _, t in rows]
        columns[f"inner_{i}"] = pa.array(scores, pa.float64())
    for name in names:
        values = [trial.values[name] for _, trial in rows]
        kinds = {type(value) for value in values}
        numeric = kinds <= {int, float}
        if numeric or len(kinds) == 1:
            columns[f"value_{name}"] = pa.array(
                [float(value) for value in values] if kinds == {int, float} else values
            )
        else:  # choices of several types
            columns[f"value_{name}"] = pa.array([str(value) for value in values], pa.string())
    columns["seconds"] = np.array([trial.seconds for _, trial in rows], dtype=np.float64)
    columns["reason"] = pa.array([trial.reason for _, trial in rows], pa.string())
    write_sealed(path, table_bytes(columns, {"measure": measure, "importances": importances}))


def read_trials(path: Path) -> tuple[dict[str, Any], str]:
    """Read ``trials.parquet``: its columns by name, and the measure of the scores.

    Raises
    ------
    RecordError
        If it is missing, torn, edited or of another schema version.
    """
    columns, about = read_table(path, read_sealed(path))
    with damage_if_odd(path):
        return columns, str(about["measure"])


def read_importances(path: Path) -> dict[str, Any] | None:
    """Read the importances in ``trials.parquet``; None if there are none.

    Raises
    ------
    RecordError
        If it is missing, torn, edited or of another schema version.
    """
    _, about = read_table(path, read_sealed(path))
    found: dict[str, Any] | None = about.get("importances")
    return found


def _trial(entry: Mapping[str, Any]) -> Trial:
    values = {field.name: entry[field.name] for field in fields(Trial)}
    values["values"] = frozen(values["values"])
    values["fold_scores"] = tuple(values["fold_scores"])
    return Trial(**values)
