"""The folds of a cell on disk: for each a json, and its predictions as parquet.

Step in the line: fold results -> **files** -> records.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from smalldata.results.folds import FoldResult, Score
from smalldata.results.loss_curves import LossCurves
from smalldata.results.panel import Selection
from smalldata.results.thresholds import ThresholdChoice
from smalldata.runtime import files
from smalldata.runtime.sealing import DamageError, damage_if_odd, frozen, opened, sealed
from smalldata.store.binary import prediction_bytes, read_prediction_bytes
from smalldata.task import Task

_FOLD_PARTS: Mapping[str, type] = {
    "selection": Selection,
    "losses": LossCurves,
    "threshold": ThresholdChoice,
}
"""Optional parts of a fold's json."""
_FOLD_NAME = re.compile(r"r(\d{2,})f(\d{2,})")


@dataclass(frozen=True)
class FoldFolder:
    """The folder ``folds/`` of one cell: ``r03f02.json`` and ``r03f02.parquet`` for each fold.

    Attributes
    ----------
    path : Path
    cell : str
        Hash of the cell; files of other cells are refused.
    """

    path: Path
    cell: str

    def write(self, result: FoldResult, task: Task) -> None:
        """Write one fold: its predictions, then the json with their checksum."""
        path = self.path / result.name
        digest = None
        if result.prediction is not None:
            content = prediction_bytes(result, task)
            digest = hashlib.sha256(content).hexdigest()
            files.write_file(path.with_suffix(".parquet"), content)
        entry = {field.name: getattr(result, field.name) for field in fields(FoldResult)}
        entry["scores"] = {name: asdict(score) for name, score in result.scores.items()}
        entry["prediction"] = digest
        for name in _FOLD_PARTS:
            part = getattr(result, name)
            entry[name] = None if part is None else asdict(part)
        files.write_file(path.with_suffix(".json"), sealed({"cell": self.cell, **entry}))

    def read(self) -> tuple[FoldResult, ...]:
        """Read all folds, in order of repeat and fold.

        Raises
        ------
        RecordError
            If a file is torn, foreign, edited or of another schema version.
        """
        return tuple(self.read_fold(path) for path in self.paths())

    def paths(self) -> list[Path]:
        """List the json of every fold, in order of repeat and fold."""
        found = []
        for path in self.path.glob("r*f*.json"):
            if match := _FOLD_NAME.fullmatch(path.stem):
                found.append((int(match[1]), int(match[2]), path))
        return [path for _, _, path in sorted(found)]

    def read_fold(self, path: Path) -> FoldResult:
        """Read one fold from its json and its predictions.

        Raises
        ------
        RecordError
            If a file is torn, foreign, edited or of another schema version.
        """
        entry = read_json(self.cell, path)
        entry.setdefault("tuning", {})  # files from before pruning existed
        entry.setdefault("transform", {})  # files from before it was recorded
        for name in _FOLD_PARTS:  # files from before these parts existed
            entry.setdefault(name, None)
        with damage_if_odd(path):
            values = {field.name: entry[field.name] for field in fields(FoldResult)}
            values["scores"] = {name: Score(**score) for name, score in values["scores"].items()}
            values["values"] = frozen(values["values"])
            values["notes"] = tuple(values["notes"])
            for name, kind in _FOLD_PARTS.items():
                if values[name] is not None:
                    values[name] = kind(**frozen(values[name]))
            digest = values.pop("prediction")
            result = FoldResult(**values)
            if result.name != path.stem:
                raise ValueError(f"it holds fold {result.name}")
        if digest is None:
            return result
        predictions = path.with_suffix(".parquet")
        if not predictions.is_file():
            raise DamageError(f"{predictions} is missing.")
        content = files.read_file(predictions)
        if hashlib.sha256(content).hexdigest() != digest:
            raise DamageError(f"{predictions} is torn, edited or of another fold.")
        return FoldResult(**values, prediction=read_prediction_bytes(predictions, content))


def read_json(cell: str, path: Path) -> dict[str, Any]:
    """Read a sealed json file of the cell with this hash.

    Raises
    ------
    RecordError
        If it is torn, edited, of another cell or of another schema version.
    """
    entry = opened(path)
    if entry.get("cell") != cell:
        raise DamageError(f"{path} belongs to another cell ({entry.get('cell')}).")
    return entry
