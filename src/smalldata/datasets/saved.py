"""The yaml that fixes how a table is read: what was guessed, written out, and read again.

Step in the line: **files -> Dataset** -> Task. Such a file is given as ``dataset=my.yaml`` and may
hold the keys of conf/dataset/table.yaml, nothing else. Relative paths in it are relative to its own
folder, so that it can be moved together with the tables.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from smalldata.datasets.assembling import nearest
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import RawTable
from smalldata.errors import ConfigError
from smalldata.runtime.catalogue import parse_yaml

LOADER = "smalldata.datasets.table.load"
SUFFIXES = (".yaml", ".yml")
_DEFAULTS = {field.name: field.default for field in fields(TableOptions)}


def is_saved(name: object) -> bool:
    """Whether a dataset is named by such a file."""
    return isinstance(name, str) and name.lower().endswith(SUFFIXES)


def fixed_settings(
    tables: Mapping[str, RawTable],
    options: TableOptions,
    *,
    decimals: Mapping[str, str],
    id_columns: Mapping[str, str],
    kind: str,
    positive: str | None,
) -> dict[str, Any]:
    """Gather the keys that fix a reading, with what was guessed of them.

    Parameters
    ----------
    tables : mapping of str to RawTable
    options : TableOptions
        What the user said; this is never changed.
    decimals : mapping of str to str
        Decimal sign of each block.
    id_columns : mapping of str to str
        Column of the ids of each block, where it has a name.
    kind : str
    positive : str or None

    Returns
    -------
    dict
        By key of `TableOptions`, without those that stay as they are by default.
    """
    found: dict[str, Any] = {}
    for key in dict.fromkeys(key for table in tables.values() for key in table.settings):
        values = [table.settings[key] for table in tables.values() if key in table.settings]
        # One key holds for all files: where they differ, each is found out again.
        if all(value == values[0] for value in values):
            found[key] = values[0]
    if len(set(decimals.values())) == 1:
        found["decimal"] = next(iter(decimals.values()))
    if id_columns:
        found["id"] = dict(id_columns) if len(tables) > 1 else next(iter(id_columns.values()))
    plain = {block: table for block, table in tables.items() if not table.taken_for}
    turned = [block for block, table in plain.items() if "transposed" in table.notes]
    if len(plain) == len(tables) and "transpose" not in found:
        found["transpose"] = turned if 0 < len(turned) < len(tables) else bool(turned)
    found |= {"kind": str(kind), "positive": positive}
    asked = {
        key: getattr(options, key)
        for key, default in _DEFAULTS.items()
        if getattr(options, key) != default
    }
    # The ids may have been named for some of the files only.
    ids = {"id": found["id"]} if "id" in found else {}
    return {key: value for key, value in (found | asked | ids).items() if value is not None}


def settings_yaml(settings: Mapping[str, Any], *, folder: Path) -> str:
    """Write settings as the text of a yaml for a folder.

    Parameters
    ----------
    settings : mapping
        Of `Dataset.reading`.
    folder : Path
        Of the yaml, which the paths in it are relative to.

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        If the dataset was not read from a file of the user's.
    """
    if not settings.get("path"):
        raise ConfigError(
            "a yaml can only fix how a file is read; this dataset is a bundled table or was made "
            "in memory. Name it as before."
        )
    whole = {"_target_": LOADER} | {
        key: _plain(settings.get(key, default), key=key, folder=folder)
        for key, default in _DEFAULTS.items()
    }
    # As JSON, which is yaml in which no word is taken for a number or for yes and no.
    lines = [f"{key}: {_json(value)}" for key, value in whole.items()]
    head = (
        "# How a table is read, nothing left to be guessed: python -m smalldata dataset=THIS.yaml"
    )
    return "\n".join([head, *lines, ""])


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def read_settings(name: str | Path) -> dict[str, Any]:
    """Read such a yaml.

    Parameters
    ----------
    name : str or Path

    Returns
    -------
    dict
        ``_target_`` and keys of `TableOptions`; paths are relative to the working folder.

    Raises
    ------
    ConfigError
        If there is no such file, it is no yaml, or it holds anything else.
    """
    file = Path(name).expanduser()
    if not file.is_file():
        raise ConfigError(
            f"dataset must name a table or a yaml file; there is no {file}. "
            "`python -m smalldata look … --save my.yaml` makes one."
        )
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{file} must be a yaml file in UTF-8; it cannot be read.") from None
    values = parse_yaml(text, source=str(file))
    loader = values.pop("_target_", LOADER)
    if loader != LOADER:
        raise ConfigError(f"_target_ in {file} must be {LOADER}; got {loader!r}.")
    for key, value in values.items():
        if key not in _DEFAULTS:
            raise ConfigError(
                f"{file} must hold keys of conf/dataset/table.yaml; there is no key {key!r}"
                f"{nearest(str(key), list(_DEFAULTS))}"
            )
        _check_plain(value, where=f"{key} in {file}")
    if values.get("path"):
        values["path"] = _beside(values["path"], file.parent)
    features = values.get("features")
    if isinstance(features, str) and (file.parent / features).is_file():
        values["features"] = _beside(features, file.parent)
    return {"_target_": LOADER} | values


def _check_plain(value: object, *, where: str) -> None:
    """Refuse what a configuration would resolve or build instead of taking it as it is."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _check_plain(key, where=where)
            _check_plain(inner, where=where)
    elif isinstance(value, list):
        for inner in value:
            _check_plain(inner, where=where)
    elif isinstance(value, str) and ("${" in value or value == "_target_"):
        raise ConfigError(f"{where} must be plain text; got {value!r}.")


def _beside(path: Any, folder: Path) -> Any:
    """Make paths that are relative to a yaml relative to the working folder."""
    if isinstance(path, Mapping):
        return {str(block): _beside(file, folder) for block, file in path.items()}
    own = Path(str(path)).expanduser()
    return str(own if own.is_absolute() else folder / own)


def _plain(value: Any, *, key: str, folder: Path) -> Any:
    """Write a value as yaml has it, a path relative to the folder of the yaml."""
    if key == "path" and isinstance(value, str | Path):
        return _relative(value, folder)
    if key == "features" and isinstance(value, str) and Path(value).is_file():
        return _relative(value, folder)
    if isinstance(value, Mapping):
        return {str(name): _plain(inner, key=key, folder=folder) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner, key="", folder=folder) for inner in value]
    return str(value) if isinstance(value, Path | str) else value


def _relative(path: str | Path, folder: Path) -> str:
    """Give a path as seen from a folder; one on another drive stays whole."""
    own = Path(path).expanduser().resolve()
    try:
        return Path(os.path.relpath(own, folder.resolve())).as_posix()
    except ValueError:
        return own.as_posix()
