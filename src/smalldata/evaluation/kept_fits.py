"""Fitted pipelines that wait on disk for their explanation, within one run.

Step in the line: fitted pipeline of a fold -> **file in the run's scratch folder** -> explanation,
which would fit the same model again. The explanation compares its predictions with the stored ones
either way.
"""

import pickle
from pathlib import Path
from typing import Any

MOST_BYTES = 20_000_000
"""Largest pipeline that is kept: 25 folds of it are half a gigabyte."""


def keep_fit(folder: Path, name: tuple[int, int], pipeline: Any) -> None:
    """Write a fitted pipeline, unless it is large or cannot be pickled."""
    try:
        content = pickle.dumps(pipeline, protocol=pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, TypeError, AttributeError):
        return
    if len(content) <= MOST_BYTES:
        _place(folder, name).write_bytes(content)


def kept_fit(folder: Path | None, name: tuple[int, int]) -> Any:
    """Return a fitted pipeline that this run kept, or None."""
    if folder is None or not _place(folder, name).is_file():
        return None
    return pickle.loads(_place(folder, name).read_bytes())


def _place(folder: Path, name: tuple[int, int]) -> Path:
    return folder / f"r{name[0]}f{name[1]}.pickle"
