"""Loaders: one per source of tables.

Step in the line: **files -> Dataset** -> Task. A loader reads and checks; it never downloads,
scales, imputes or selects.
"""

from collections.abc import Mapping
from typing import Any

from smalldata.catalogue import read_entry, resolve
from smalldata.datasets.assembling import did_you_mean
from smalldata.errors import ConfigError
from smalldata.task import Dataset

DEFAULT = "omics"

__all__ = ["build_dataset", "load_dataset"]


def load_dataset(name: str | None = None, **values: Any) -> Dataset:
    """Load a dataset by the name of its yaml in conf/dataset.

    Parameters
    ----------
    name : str, optional
        A bundled table, ``table``, ``h5ad`` or ``synthetic``. Default: ``table`` where a ``path``
        is given, else omics.
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
    entry = read_entry("dataset", chosen)
    for key in values:
        if key not in entry or key == "_target_":
            known = [known_key for known_key in entry if known_key != "_target_"]
            raise ConfigError(
                f"dataset={chosen} must be given one of {', '.join(known)}; there is no key "
                f"{key!r}{did_you_mean(key, known)}"
            )
    return build_dataset(entry | values)


def build_dataset(config: Mapping[str, Any]) -> Dataset:
    """Load a dataset from a composed section: ``_target_`` and the arguments of its loader.

    Raises
    ------
    ConfigError
        If ``_target_`` is no loader of this package.
    DataError
        If the table is not fit to be a dataset.
    """
    settings = dict(config)
    target = str(settings.pop("_target_", ""))
    if not target.startswith("smalldata.datasets."):
        raise ConfigError(f"_target_ of a dataset must name a loader; got {target!r}.")
    dataset: Dataset = resolve(target)(**settings)
    return dataset
