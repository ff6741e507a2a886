"""Says which columns are features, where the user names them.

Step in the line: **files** -> Dataset. Names, patterns and files of names may be mixed.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from smalldata.datasets.assembling import listed, nearest, several
from smalldata.datasets.joining import Column
from smalldata.errors import ConfigError


def wanted_features(
    columns: Sequence[Column], features: Sequence[str] | str, *, apart: Sequence[str] = ()
) -> set[str]:
    """Names of the columns that were asked for as features.

    An entry is the name of a column (``TP53``, ``rna:TP53``, or the plain name in all files that
    have it), a pattern with ``*`` and ``?``, or a file with one name or pattern a line; blank lines
    and those that begin with ``#`` are skipped there.

    Parameters
    ----------
    columns : sequence of Column
        Those without another role.
    features : sequence of str
    apart : sequence of str
        Columns with another role, which are no features.

    Returns
    -------
    set of str

    Raises
    ------
    ConfigError
        If an entry is no column, with the nearest names; or a file cannot be read.
    """
    by_name: dict[str, set[str]] = {}
    for column in columns:
        by_name.setdefault(column.name, set()).add(column.name)
        by_name.setdefault(column.own_name, set()).add(column.name)
    entries = several(features)
    if not entries:
        raise ConfigError("features must name columns, or be null for all; got none.")
    wanted: set[str] = set()
    for entry in entries:
        hits = _hits(entry, by_name)
        if not hits and _is_file(entry):
            hits = _from_file(Path(entry).expanduser(), by_name, apart)
        elif not hits and entry in apart:
            raise ConfigError(f"features must name features; {entry!r} has another role.")
        elif not hits:
            missing = (
                f" There is no file {entry!r} either."
                if Path(entry).suffix and "/" in entry
                else ""
            )
            raise ConfigError(
                f"features must name columns; there is no column {entry!r}"
                f"{nearest(entry, list(by_name))}{missing}"
            )
        wanted |= hits
    return wanted


def _hits(entry: str, by_name: dict[str, set[str]]) -> set[str]:
    """Columns of a name, or of a pattern."""
    if entry in by_name:
        return by_name[entry]
    if not any(sign in entry for sign in "*?["):
        return set()
    return {name for key, names in by_name.items() if fnmatchcase(key, entry) for name in names}


def _is_file(entry: str) -> bool:
    try:
        return Path(entry).expanduser().is_file()
    except OSError:
        return False


def _from_file(file: Path, by_name: dict[str, set[str]], apart: Sequence[str]) -> set[str]:
    """Columns that a file names, one a line."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"features must be names, patterns or a text file in UTF-8 with one name a line; "
            f"{file} cannot be read ({error})."
        ) from None
    names = [name for name in (line.strip().strip('"') for line in lines) if name]
    names = [name for name in names if name in by_name or not name.startswith("#")]
    if not names:
        raise ConfigError(f"features must name columns; {file} holds no name.")
    wanted: set[str] = set()
    absent = []
    for name in names:
        hits = _hits(name, by_name)
        wanted |= hits
        if not hits and name not in apart:
            absent.append(name)
    if absent:
        raise ConfigError(
            f"every name in {file} must be a column; {len(absent)} of {len(names)} are none "
            f"({listed(absent)}){nearest(absent[0], list(by_name))}"
        )
    return wanted
