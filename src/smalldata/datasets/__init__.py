"""Loaders: one per source of tables.

Step in the line: **files -> Dataset** -> Task. A loader reads and checks; it never downloads,
scales, imputes or selects.
"""

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from smalldata.datasets.assembling import nearest
from smalldata.datasets.options import TableOptions
from smalldata.datasets.preview import FilePreview, preview
from smalldata.datasets.saved import LOADER, is_saved, read_settings
from smalldata.errors import ConfigError
from smalldata.runtime.catalogue import read_entry, resolve
from smalldata.task import Dataset

DEFAULT = "omics"

__all__ = ["build_dataset", "load_dataset", "read_files"]


def load_dataset(name: str | None = None, **values: Any) -> Dataset:
    """Load a dataset by the name of its yaml in conf/dataset.

    Parameters
    ----------
    name : str, optional
        A bundled table, ``table``, ``h5ad`` or ``synthetic``, or a yaml file that `look` saved.
        Default: ``table`` where a ``path`` is given, else omics.
    **values
        Override the keys of the yaml.

    Returns
    -------
    Dataset

    Raises
    ------
    ConfigError
        If there is no such dataset or key; the nearest names are offered.
    DataError
        If the table is not fit to be a dataset.

    Examples
    --------
    >>> dataset = load_dataset("omics")
    >>> dataset.X.shape, dataset.positive
    ((333, 130), 'Impaired')
    """
    chosen = name or ("table" if "path" in values else DEFAULT)
    if is_saved(chosen):
        entry = read_entry("dataset", "table") | read_settings(chosen)
    else:
        entry = read_entry("dataset", chosen)
    for key in values:
        if key not in entry or key == "_target_":
            known = [known_key for known_key in entry if known_key != "_target_"]
            raise ConfigError(
                f"dataset={chosen} must be given one of {', '.join(known)}; there is no key "
                f"{key!r}{nearest(key, known)}"
            )
    return build_dataset(entry | values)


def build_dataset(config: Mapping[str, Any]) -> Dataset:
    """Load a dataset from a composed section: ``_target_`` and the arguments of its loader.

    Raises
    ------
    ConfigError
        If ``_target_`` is no loader of this package, or a value is not of the type it takes.
    DataError
        If the table is not fit to be a dataset.
    """
    settings = dict(config)
    target = str(settings.pop("_target_", ""))
    if not target.startswith("smalldata.datasets."):
        raise ConfigError(f"_target_ of a dataset must name a loader; got {target!r}.")
    loader = resolve(target)
    hints = get_type_hints(loader)
    options = hints.get("options")
    if options is None:
        dataset: Dataset = loader(**_typed(settings, hints))
    else:
        dataset = loader(options(**_typed(settings, get_type_hints(options))))
    return dataset


def read_files(config: Mapping[str, Any]) -> list[FilePreview]:
    """Read the files of a composed section as far as they can be without roles of the columns.

    Raises
    ------
    ConfigError, DataError
        If a file cannot be read as a table.
    """
    settings = dict(config)
    if settings.pop("_target_", "") != LOADER:
        return []
    return preview(TableOptions(**_typed(settings, get_type_hints(TableOptions))))


_TYPES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Sequence: "a list",
    Mapping: "a mapping",
    NoneType: "null",
}


def _typed(settings: Mapping[str, Any], hints: Mapping[str, Any]) -> dict[str, Any]:
    """Check the values against the types that a loader's arguments or its options name.

    A number is text where text is asked for: a marker ``-999``, a column called 5.
    """
    typed = {}
    for key, value in settings.items():
        if key not in hints:
            known = [name for name in hints if name != "return"]
            raise ConfigError(f"there is no key 'dataset.{key}'{nearest(key, known)}")
        hint = hints[key]
        members = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        kinds = [get_origin(member) or member for member in members]
        if any(_is(value, kind) for kind in kinds):
            typed[key] = value
        elif str in kinds and isinstance(value, int | float):
            typed[key] = str(value)
        else:
            words = " or ".join(_TYPES[kind] for kind in kinds if kind in _TYPES)
            shown = "null" if value is None else repr(value)
            raise ConfigError(f"dataset.{key} must be {words}; got {shown}.")
    return typed


def _is(value: object, kind: Any) -> bool:
    if kind is Sequence:
        return isinstance(value, Sequence) and not isinstance(value, str)
    if kind in (int, float):
        number = Integral if kind is int else Real
        return isinstance(value, number) and not isinstance(value, bool)
    return isinstance(value, kind)
