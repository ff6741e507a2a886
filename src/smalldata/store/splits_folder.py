"""The folder ``outputs/<dataset>/<cv>`` of one set of splits: its folds, its cells, its table.

Step in the line: splits and fold results -> **files** -> records.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from smalldata.errors import RecordError
from smalldata.results.folds import Splits
from smalldata.results.record import RunRecord
from smalldata.runtime import files
from smalldata.runtime.sealing import DamageError
from smalldata.store.binary import read_splits_bytes, splits_bytes
from smalldata.store.cell_folder import CellFolder
from smalldata.task import Task

_TABLE_LITTER = (".[!s]*.tmp", "*/.report.html.*.tmp")
"""Half-written files that the table's lock covers; splits.parquet is under no lock."""


def splits_folder(outputs: Path, task: Task, splits: Splits) -> Path:
    """Return ``outputs/<dataset>/<cv>``."""
    return Path(outputs) / files.safe_name(task.dataset.name) / files.safe_name(splits.folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all (comparison.csv, index.html …).

    Raises
    ------
    RecordError
        If the disk is full or the folder cannot be written.
    """
    files.write_file(path, text)


def lock_comparison(
    folder: Path, *, on_wait: Callable[[str], None] | None = None
) -> AbstractContextManager[None]:
    """Lock the folder of one set of splits while its table is made and written."""
    return files.lock_folder(folder, on_wait=on_wait, litter=_TABLE_LITTER)


def write_splits(folder: Path, splits: Splits, task: Task) -> None:
    """Write ``splits.parquet`` unless it already has the same splits.

    Raises
    ------
    RecordError
        If the folder has other splits: two sets of folds never share a folder.
    """
    path = folder / "splits.parquet"
    if path.is_file():
        try:
            found = read_splits(folder)
        except DamageError:
            found = None
        if found is not None and found.key == splits.key:
            return
        if found is not None:
            raise RecordError(
                f"{folder} must have one set of folds; it has {found.key[:6]} and this run makes "
                f"{splits.key[:6]}, since the ids, target or groups of {task.dataset.name!r} have "
                "changed. Move the folder away or set outputs=DIR."
            )
    files.write_file(path, splits_bytes(splits, task))


def read_splits(folder: Path) -> Splits:
    """Read ``splits.parquet`` of a splits folder.

    Raises
    ------
    RecordError
        If it is missing, torn, edited or of another schema version.
    """
    path = folder / "splits.parquet"
    return read_splits_bytes(path, files.read_file(path))


def read_records(
    folder: Path, *, on_problem: Callable[[str], None] | None = None
) -> list[RunRecord]:
    """Read every cell of a splits folder whose folds have all been tried, with permutations.

    Parameters
    ----------
    folder : Path
        ``outputs/<dataset>/<cv>``.
    on_problem : callable, optional
        Called with one sentence for each cell that cannot be read; these are left out.

    Raises
    ------
    RecordError
        If a cell cannot be read and ``on_problem`` is not given.
    """
    records = []
    for path in sorted(Path(folder).glob("*/record.json")):
        cell = CellFolder(path.parent)
        try:
            records.append(cell.read_record())
            records[-1] = cell.with_permuted(records[-1])  # if torn, the cell stays in the table
        except RecordError as error:
            if on_problem is None:
                raise
            repair = f" Run the command of {path.parent.name} again to repair it."
            on_problem(f"{error}{repair if isinstance(error, DamageError) else ''}")
    return records
