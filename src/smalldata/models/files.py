"""Fields of a learner that name a local file: the content of the file counts, not its path.

Step in the line: learner -> **identity of a cell**. Nothing else reads a model's file before the
model is fitted.
"""

import dataclasses
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class LocalFile:
    """Marks a field that holds the path of a user's file, or None.

    Examples
    --------
    >>> checkpoint: Annotated[str | None, LocalFile()] = None
    """


def file_fields(learner: Any) -> tuple[str, ...]:
    """Return the names of the fields marked as a `LocalFile`."""
    hints = get_type_hints(type(learner), include_extras=True)
    return tuple(
        field.name
        for field in dataclasses.fields(learner)
        if get_origin(hints[field.name]) is Annotated
        and any(isinstance(extra, LocalFile) for extra in get_args(hints[field.name])[1:])
    )


def file_keys(learner: Any) -> dict[str, str | None]:
    """Return the key of each file for the identity of a cell; None if there is no file.

    Parameters
    ----------
    learner : Learner

    Returns
    -------
    dict of str to (str or None)
        SHA-256 of the bytes, by field.
    """
    return {name: _file_key(getattr(learner, name)) for name in file_fields(learner)}


def _file_key(path: str | None) -> str | None:
    if path is None or not Path(path).is_file():
        return None
    found = Path(path).resolve()
    about = found.stat()
    return _sha256(str(found), about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=8)
def _sha256(path: str, size: int, changed: int) -> str:
    """Hash a file; the hash is cached until its size or time of change differs."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
