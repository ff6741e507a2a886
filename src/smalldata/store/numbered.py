"""Files p0000, p0001 … of one folder, one per permutation, from which an interrupted run continues.

Used by the folders of permuted labels (`permutations`, `permuted_scores`).
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from smalldata.runtime import files
from smalldata.runtime.sealing import DamageError

T = TypeVar("T")
Read = Callable[[Path, int], T]

_NAME = re.compile(r"p(\d{4,})")


def name_numbered(number: int, suffix: str) -> str:
    """Return the name of a file.

    Example
    -------
    >>> name_numbered(7, ".json")
    'p0007.json'
    """
    return f"p{number:04d}{suffix}"


def find_numbered(folder: Path, suffix: str) -> list[tuple[int, Path]]:
    """Return the files of a folder with their numbers, ascending."""
    found = []
    for path in folder.glob(f"p*{suffix}"):
        if match := _NAME.fullmatch(path.stem):
            found.append((int(match[1]), path))
    return sorted(found)


def resume_numbered(
    paths: list[tuple[int, Path]], read: Read[T]
) -> tuple[frozenset[int], tuple[str, ...]]:
    """Return the numbers of files that can be read, and a sentence for each file set aside."""
    found, sentences = set(), []
    for number, path in paths:
        try:
            read(path, number)
        except DamageError as error:
            files.set_aside(path)
            sentences.append(f"{error} It was set aside and is computed again.")
        else:
            found.add(number)
    return frozenset(found), tuple(sentences)


def read_numbered(paths: list[tuple[int, Path]], read: Read[T]) -> list[T]:
    """Read the files before the first missing number."""
    return [read(path, number) for place, (number, path) in enumerate(paths) if place == number]
