"""Json and parquet bytes with their schema version, and checksums that detect damage.

Json has the checksum of its own content; that of a binary file is in the `seals.json` next to it.
Content that cannot be read back as it was written raises DamageError; `store` then sets the file
aside and makes it again. Also the plain values that json holds, and how two of them differ.
"""

import hashlib
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import RecordError
from smalldata.results.record import SCHEMA_VERSION
from smalldata.runtime.files import read_file, write_file

SEALS = "seals.json"
"""Name of the file with the SHA-256 of the binary files of its folder."""

_NONE = "nothing"
_MOST_SHOWN = 6


class DamageError(RecordError):
    """A file is torn, edited or foreign: it can be set aside and made again."""


@contextmanager
def damage_if_odd(path: Path, *also: type[Exception]) -> Iterator[None]:
    """Turn errors raised by odd content into a DamageError that names the file."""
    odd: tuple[type[Exception], ...] = (
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        OSError,
        *also,
    )
    try:
        yield
    except odd as error:
        raise DamageError(f"{path} is torn, edited or foreign ({error}).") from None


def check_version(path: Path, found: Any) -> None:
    """Refuse a file of another schema version.

    Raises
    ------
    RecordError
        With the remedy: upgrade, or move the file away.
    """
    if found == SCHEMA_VERSION:
        return
    if isinstance(found, int) and found > SCHEMA_VERSION:
        remedy = "Upgrade smalldata to read it."
    else:
        remedy = "Move it away and run the same command again."
    raise RecordError(
        f"{path} must have schema version {SCHEMA_VERSION}; it has {found!r}. {remedy}"
    )


def sealed(entry: Mapping[str, Any]) -> str:
    """Return json with its schema version first and the checksum of its content last."""
    return json.dumps(_with_checksum(entry), indent=1, allow_nan=False) + "\n"


def sealed_line(entry: Mapping[str, Any]) -> bytes:
    """Return the same json on one line, without the line end, for a log."""
    return json.dumps(_with_checksum(entry), allow_nan=False).encode()


def opened(path: Path) -> dict[str, Any]:
    """Read what `sealed` wrote.

    Raises
    ------
    RecordError
        If the file is of another schema version; DamageError if it is torn, edited or foreign.
    """
    return opened_line(path, read_file(path))


def opened_line(path: Path, content: bytes) -> dict[str, Any]:
    """Read what `sealed_line` wrote; ``path`` is for the messages.

    Raises
    ------
    RecordError
        If it is of another schema version; DamageError if it is torn, edited or foreign.
    """
    try:
        entry = json.loads(content)
    except ValueError:
        raise DamageError(f"{path} is torn or was edited: it is not json.") from None
    if not isinstance(entry, dict):
        raise DamageError(f"{path} is foreign: it has no keys.")
    check_version(path, entry.get("schema_version"))
    if entry.pop("sha256", None) != _checksum(entry):
        raise DamageError(f"{path} was edited: its checksum does not match its content.")
    return entry


# ---------------------------------------------------------------- seals.json


def write_sealed(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and its SHA-256 into the `seals.json` next to it.

    The seal is written first and also matches the old file until that is replaced, so a kill at any
    moment leaves a file that matches its seal. Call it under the lock of the cell.

    Raises
    ------
    RecordError
        If the disk is full or the folder cannot be written; DamageError if `seals.json` was edited.
    """
    seals = read_seals(path.parent)
    known = seals.get(path.name)
    digests = [_sha256(content)]
    if path.is_file():
        replaced = _sha256(read_file(path))
        if replaced not in digests and (known is None or replaced in known):
            digests.append(replaced)
    if digests != known:
        _write_seals(path.parent, {**seals, path.name: digests})
    write_file(path, content)


def read_sealed(path: Path) -> bytes:
    """Read a file and check it against its seal; a file without a seal is not checked.

    Raises
    ------
    RecordError
        If it is missing; DamageError if its seal does not match, or `seals.json` was edited.
    """
    content = read_file(path)  # before the seals, which match the file they replace and the new one
    check_seal(path, content, read_seals(path.parent))
    return content


def check_seal(path: Path, content: bytes, seals: Mapping[str, list[str]]) -> None:
    """Refuse the content of a file that does not match its seal.

    Raises
    ------
    DamageError
        With the name of the file.
    """
    known = seals.get(path.name)
    if known is not None and _sha256(content) not in known:
        raise DamageError(f"{path} is torn or was edited: its checksum in {SEALS} does not match.")


def read_seals(folder: Path) -> dict[str, list[str]]:
    """Read the seals of a folder by file name; none if there is no `seals.json`.

    Raises
    ------
    RecordError
        If the file is of another schema version; DamageError if it was edited.
    """
    path = folder / SEALS
    if not path.is_file():
        return {}
    entry = opened(path)
    with damage_if_odd(path):
        return {str(name): list(digests) for name, digests in entry["files"].items()}


def seal_files(paths: Iterable[Path]) -> int:
    """Seal files as they are, unless they are sealed; return how many were not.

    For files that an older version wrote. Call it under the lock of the cell.

    Raises
    ------
    RecordError
        If the folder cannot be written; DamageError if `seals.json` was edited.
    """
    missing = _unsealed(paths)
    for folder, found in missing.items():
        digests = {path.name: [_sha256(read_file(path))] for path in found}
        _write_seals(folder, {**read_seals(folder), **digests})
    return sum(map(len, missing.values()))


def lack_seals(paths: Iterable[Path]) -> bool:
    """Return whether any of the files is not sealed.

    Raises
    ------
    RecordError
        If the seals cannot be read; DamageError if `seals.json` was edited.
    """
    return bool(_unsealed(paths))


def _unsealed(paths: Iterable[Path]) -> dict[Path, list[Path]]:
    """Return the files without a seal by their folder."""
    found: dict[Path, list[Path]] = {}
    for path in paths:
        found.setdefault(path.parent, []).append(path)
    known = {folder: read_seals(folder) for folder in found}
    missing = {
        folder: [path for path in paths if path.name not in known[folder]]
        for folder, paths in found.items()
    }
    return {folder: paths for folder, paths in missing.items() if paths}


def _write_seals(folder: Path, seals: Mapping[str, list[str]]) -> None:
    write_file(folder / SEALS, sealed({"files": dict(sorted(seals.items()))}))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# ---------------------------------------------------------------- plain values


def plain(value: Any) -> Any:
    """Return a value as json's own types: mappings with text keys, lists, numbers, text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, str) else value


def strict_plain(value: Any) -> Any:
    """Return any value as types of strict json; numbers that are not finite become None.

    Example
    -------
    >>> strict_plain({"a": np.float32(0.5), 2: (np.int64(1), float("nan"))})
    {'a': 0.5, '2': [1, None]}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return strict_plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): strict_plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return strict_plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [strict_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int) else str(value)


def frozen(value: Any) -> Any:
    """Return json's lists as tuples, as frozen dataclasses hold them."""
    if isinstance(value, dict):
        return {key: frozen(item) for key, item in value.items()}
    return tuple(frozen(item) for item in value) if isinstance(value, list) else value


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """List the values in which two nested mappings differ.

    Examples
    --------
    >>> differences({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "c": 2})
    ['a.b: 1 → 3']
    """
    old, new = _flat(there), _flat(here)
    keys = [key for key in {**old, **new} if old.get(key, _NONE) != new.get(key, _NONE)]
    found = [f"{key}: {old.get(key, _NONE)} → {new.get(key, _NONE)}" for key in keys]
    more = len(found) - _MOST_SHOWN
    return found if more <= 0 else [*found[:_MOST_SHOWN], f"and {more} more"]


def _flat(value: Any, name: str = "") -> dict[str, str]:
    """Return the leaves of nested mappings and lists by their dotted names."""
    if isinstance(value, Mapping):
        parts = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list):
        parts = [(str(position), item) for position, item in enumerate(value)]
    else:
        return {name: json.dumps(value)}
    leaves: dict[str, str] = {}
    for key, item in parts:
        leaves |= _flat(item, f"{name}.{key}" if name else key)
    return leaves or ({name: json.dumps(value)} if name else {})


def table_bytes(columns: Mapping[str, Any], about: Mapping[str, Any]) -> bytes:
    """Return columns as parquet, with the schema version and ``about`` in the metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    metadata = {"schema_version": str(SCHEMA_VERSION), "smalldata": json.dumps(plain(about))}
    table = pa.table(dict(columns)).replace_schema_metadata(metadata)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, use_dictionary=False)
    return buffer.getvalue()


def read_table(path: Path, content: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the columns and the ``about`` that `table_bytes` wrote.

    Raises
    ------
    RecordError
        If the file is of another schema version; DamageError if it is torn, edited or foreign.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with damage_if_odd(path, pa.ArrowException):
        table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
        metadata = table.schema.metadata or {}
        version = int(metadata.get(b"schema_version", b"0"))
    check_version(path, version)
    with damage_if_odd(path):
        columns = {
            name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names
        }
        about: dict[str, Any] = json.loads(metadata[b"smalldata"])
    return columns, about


def _with_checksum(entry: Mapping[str, Any]) -> dict[str, Any]:
    content = plain({"schema_version": SCHEMA_VERSION, **entry})
    return {**content, "sha256": _checksum(content)}


def _checksum(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return _sha256(text.encode())
