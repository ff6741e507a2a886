"""The files of scores on permuted labels: one per permutation, so that a run can continue.

Step in the line: scores on permuted labels -> **files** -> record. They are kept by measure: 100
permutations continue from 20, and each cell has its own.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from smalldata.results.evidence import PermutedScores
from smalldata.runtime import files
from smalldata.runtime.sealing import DamageError, damage_if_odd, sealed
from smalldata.store.fold_folder import read_json
from smalldata.store.numbered import (
    find_numbered,
    name_numbered,
    read_numbered,
    resume_numbered,
)


@dataclass(frozen=True, kw_only=True)
class PermutedScoresFolder:
    """The folder ``permutations/<measure>`` of a cell, with a ``p0000.json`` per permutation.

    Attributes
    ----------
    path : Path
    cell : str
        Hash of the cell, which each file has.
    """

    path: Path
    cell: str

    @property
    def measure(self) -> str:
        """Name of the measure of the scores."""
        return self.path.name

    def write(self, number: int, score: float) -> None:
        """Write the score of one permutation; NaN where it is undefined."""
        entry = {
            "cell": self.cell,
            "measure": self.measure,
            "permutation": number,
            "score": None if np.isnan(score) else score,
        }
        files.write_file(self.path / name_numbered(number, ".json"), sealed(entry))

    def resume(self) -> tuple[frozenset[int], tuple[str, ...]]:
        """Return the numbers found, and a sentence for each file set aside."""
        return resume_numbered(self._paths(), self._read)

    def read(self) -> PermutedScores:
        """Read the permutations before the first missing one.

        Raises
        ------
        RecordError
            If a file is torn, edited, foreign or of another schema version.
        """
        values = read_numbered(self._paths(), self._read)
        return PermutedScores(measure=self.measure, values=np.array(values, dtype=np.float64))

    def whole(self) -> frozenset[int]:
        """Return the numbers that `resume` would return, and leave all files where they are."""
        found = set()
        for number, path in self._paths():
            with suppress(DamageError):
                self._read(path, number)
                found.add(number)
        return frozenset(found)

    def _paths(self) -> list[tuple[int, Path]]:
        return find_numbered(self.path, ".json")

    def _read(self, path: Path, number: int) -> float:
        entry = read_json(self.cell, path)
        with damage_if_odd(path):
            if (entry["measure"], entry["permutation"]) != (self.measure, number):
                raise ValueError("it belongs to another measure or permutation")
            score = entry["score"]
            return float("nan") if score is None else float(score)
