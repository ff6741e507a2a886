"""The files of permuted labels: one per permutation, so that a run can continue.

Step in the line: importances on permuted labels -> **files** -> evidence. The name of their folder
depends on everything but the number of permutations, so 99 continue from 19.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smalldata.results.folds import Array
from smalldata.results.record import SCHEMA_VERSION
from smalldata.runtime import files
from smalldata.runtime.sealing import (
    check_seal,
    check_version,
    damage_if_odd,
    read_seals,
    write_sealed,
)
from smalldata.store.numbered import (
    find_numbered,
    name_numbered,
    read_numbered,
    resume_numbered,
)


@dataclass(frozen=True, kw_only=True)
class PermutationFolder:
    """The folder ``explanation/null-<hash>`` of a cell, with a file ``p0000.npz`` per permutation.

    Attributes
    ----------
    path : Path
    cell : str
        Hash of the cell.
    key : str
        Hash of the options; each file has both hashes.
    n_features : int
    """

    path: Path
    cell: str
    key: str
    n_features: int

    def write(self, number: int, values: Array) -> None:
        """Write the importances of one permutation: (n_features,)."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            schema_version=np.array(SCHEMA_VERSION),
            cell=np.array(self.cell),
            key=np.array(self.key),
            permutation=np.array(number),
            values=np.asarray(values, dtype=np.float64),
        )
        write_sealed(self.path / name_numbered(number, ".npz"), buffer.getvalue())

    def resume(self) -> tuple[frozenset[int], tuple[str, ...]]:
        """Return the numbers found, and a sentence for each file set aside."""
        read = partial(self._read, seals=read_seals(self.path))
        return resume_numbered(find_numbered(self.path, ".npz"), read)

    def read(self) -> Array:
        """Read the permutations before the first missing one: (n_permutations, n_features).

        Raises
        ------
        RecordError
            If a file is torn, edited, foreign or of another schema version.
        """
        read = partial(self._read, seals=read_seals(self.path))
        values = read_numbered(find_numbered(self.path, ".npz"), read)
        return np.array(values, dtype=np.float64).reshape(-1, self.n_features)

    def _read(self, path: Path, number: int, seals: Mapping[str, list[str]]) -> Array:
        content = files.read_file(path)
        check_seal(path, content, seals)
        with (
            damage_if_odd(path, zipfile.BadZipFile, EOFError),
            np.load(io.BytesIO(content), allow_pickle=False) as arrays,
        ):
            check_version(path, int(arrays["schema_version"]))
            named = str(arrays["cell"]), str(arrays["key"]), int(arrays["permutation"])
            if named != (self.cell, self.key, number):
                raise ValueError("it belongs to another cell, to other options or permutation")
            values: NDArray[np.float64] = arrays["values"]
            if values.shape != (self.n_features,) or not np.isfinite(values).all():
                raise ValueError("it does not have one number per feature")
        return values
