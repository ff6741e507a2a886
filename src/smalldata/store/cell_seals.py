"""The seals of a cell: each ``seals.json`` and the binary files whose checksums it has.

Step in the line: fold results -> **files** -> records.
"""

from pathlib import Path

from smalldata.runtime import files
from smalldata.runtime.sealing import SEALS, DamageError, lack_seals, read_seals, seal_files


def resume_seals(cell: Path) -> tuple[str, ...]:
    """Set aside each edited `seals.json` with its files, and return a sentence for each.

    What is set aside is made again when requested.
    """
    sentences = []
    for folder, paths in _sealed_files(cell).items():
        try:
            read_seals(folder)
        except DamageError as error:
            for path in (*paths, folder / SEALS):  # seals last, so that a kill changes nothing
                files.set_aside(path)
            n = len(paths)
            sentences.append(
                f"{error} It was set aside with the {n} file{'s' if n != 1 else ''} it "
                "sealed; they are made again when requested."
            )
    return tuple(sentences)


def lacks_seals(cell: Path) -> bool:
    """Return whether a file was written before there were seals.

    Raises
    ------
    RecordError
        If a `seals.json` was edited or is of another schema version.
    """
    return any(lack_seals(paths) for paths in _sealed_files(cell).values())


def seal_cell(cell: Path) -> None:
    """Seal files written before there were seals, as they are; call it under the cell's lock.

    Raises
    ------
    RecordError
        If a `seals.json` was edited or is of another schema version, or cannot be written.
    """
    for paths in _sealed_files(cell).values():
        seal_files(paths)


def _sealed_files(cell: Path) -> dict[Path, list[Path]]:
    """Return the files to seal by folder, including folders without any."""
    table = cell / "trials.parquet"
    found = {cell: [table] if table.is_file() else []}
    patterns = {
        "explanation": "*.npz",
        "explanation/null-*": "p*.npz",
        "weights": "*.safetensors",
    }
    for pattern, names in patterns.items():
        for folder in sorted(cell.glob(pattern)):
            found[folder] = sorted(folder.glob(names))
    return found
