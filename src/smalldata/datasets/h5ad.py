"""Loads an AnnData file (.h5ad): the matrix X or a layer, with a column of obs as the target.

Step in the line: **files -> Dataset** -> Task. Read with h5py alone, which the extra `h5ad`
installs.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.datasets.advice import advise
from smalldata.datasets.assembling import (
    assemble,
    feature_table,
    kept_columns,
    listed,
    name_with_fingerprint,
    nearest,
    several,
)
from smalldata.datasets.columns import labels, text_markers, type_column
from smalldata.datasets.damage import refusing
from smalldata.datasets.reading import Cells
from smalldata.datasets.target import check_complete, missing_rows, read_target
from smalldata.errors import ConfigError, DataError
from smalldata.task import Dataset, Provenance

Features = dict[str, NDArray[np.float64] | pd.Categorical]


def load(
    *,
    path: str | Path | None = None,
    target: str | None = None,
    id: str | None = None,
    groups: str | None = None,
    batch: str | None = None,
    folds: str | None = None,
    layer: str | None = None,
    names: str | None = None,
    obs: Sequence[str] | str = (),
    blocks: Sequence[str] | str | None = None,
    positive: object = None,
    kind: str | None = None,
    drop: Sequence[str] | str = (),
    drop_missing_target: bool = False,
    name: str | None = None,
    licence: str = "",
    citation: str = "",
) -> Dataset:
    """Load one AnnData file of samples (obs) by features (var).

    Parameters
    ----------
    path : str or Path
    target : str
        Column of obs to predict.
    id : str, optional
        Column of obs with the sample ids; default: its index.
    groups, batch, folds : str, optional
        Columns of obs.
    layer : str, optional
        Layer instead of X.
    names : str, optional
        Column of var with the feature names (gene symbols); default: its index.
    obs : sequence of str
        Columns of obs that are features too, as the block ``obs``; those of the matrix are the
        block ``X``.
    blocks : sequence of str, optional
        ``X``, ``obs`` or both; default: all.
    positive, kind, drop, drop_missing_target, name, licence, citation
        As in `smalldata.datasets.table.load`.

    Returns
    -------
    Dataset

    Raises
    ------
    ConfigError
        If h5py is missing or a name does not exist.
    DataError
        If the file is not fit to be a dataset.
    """
    try:
        import h5py
    except ImportError:
        raise ConfigError(
            "reading h5ad needs h5py; install it with: pip install 'smalldata[h5ad]'."
        ) from None
    if not path or not target:
        raise ConfigError(
            "path and target must be given: dataset=h5ad dataset.path=my.h5ad "
            "dataset.target=COLUMN."
        )
    file = Path(path).expanduser()
    if not file.is_file():
        raise DataError(f"path must be a file; there is no {file}.")
    drop_list = several(drop)
    obs_list = several(obs)
    try:
        handle = h5py.File(file, "r")
    except OSError:
        raise DataError(f"{file.name} must be an HDF5 file; it is not, or it is cut.") from None
    whole = refusing(
        f"{file.name} must be an AnnData file",
        found="it is damaged or laid out otherwise",
        remedy="Copy it or write it again.",
    )
    with handle, whole:
        if "obs" not in handle or "var" not in handle:
            raise DataError(f"{file.name} must be an AnnData file; it has no obs or no var.")
        columns = _Frame(handle["obs"], f"obs of {file.name}")
        outcome = columns.column(target, role="target")
        absent = missing_rows(outcome)
        note = check_complete(
            outcome,
            absent,
            name=target,
            where=lambda row: f"row {row + 1} of obs",
            drop_missing_target=drop_missing_target,
        )
        rows = np.flatnonzero(~absent)
        feature_names = labels(
            _Frame(handle["var"], f"var of {file.name}").column(names, role="names")
        )
        repeated = pd.Index(feature_names)
        repeated = repeated[repeated.duplicated()].unique()
        if len(repeated):
            raise DataError(
                f"feature names must be unique in var; repeated: {listed(list(repeated))}. "
                "Name another column of var with dataset.names, or make them unique in the file."
            )
        matrix = _matrix(handle, layer, file.name, shape=(len(outcome), len(feature_names)))
        roles = {"groups": groups, "batch": batch, "folds": folds}
        apart = {
            role: _role_labels(columns.column(column, role=role), rows, role=role, name=column)
            for role, column in roles.items()
            if column
        }
        for column in obs_list:
            if column in (target, groups, batch, folds):
                raise ConfigError(f"obs must name features; {column!r} has another role.")
            if column in feature_names:
                raise DataError(
                    f"feature names must be unique; {column!r} is in obs and in var. Rename it, or "
                    "leave it out of dataset.obs."
                )
        ids = labels(columns.column(id, role="id"))
        extra = {column: _taken(columns.column(column, role="obs"), rows) for column in obs_list}
    y, task_kind, chosen = read_target(
        _taken(outcome, rows), name=target, kind=kind, positive=positive
    )
    every = [*feature_names, *extra]
    every_block = ["X"] * len(feature_names) + ["obs"] * len(extra)
    kept = kept_columns(every, every_block, blocks=blocks, drop=drop_list)
    values = matrix[rows]
    features: Features = {}
    for place in kept:
        column = every[place]
        features[column] = (
            values[:, place]
            if every_block[place] == "X"
            else type_column(extra[column], name=column).values
        )
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    dataset = assemble(
        feature_table(features),
        y,
        name=file.stem,
        target=target,
        kind=task_kind,
        sample_ids=np.array([ids[row] for row in rows], dtype=object),
        positive=chosen,
        feature_blocks=[every_block[place] for place in kept],
        groups=apart.get("groups"),
        batch=apart.get("batch"),
        folds=apart.get("folds"),
        provenance=Provenance(source=file.name, citation=citation, licence=licence, sha256=sha256),
        read=f"{file.name} ({f'layer {layer}' if layer else 'X'})",
        notes=[
            f"id: {id or 'index of obs'}",
            *(f"{role}: {column}" for role, column in roles.items() if column),
            *([note] if note else []),
        ],
        warnings=advise(features, y, target=target, kind=task_kind, has_groups=groups is not None),
    )
    subset = {
        "blocks": None if blocks is None else several(blocks),
        "drop": drop_list,
        "obs": obs_list,
    }
    called = name_with_fingerprint(
        dataset, name or file.stem, read=[sha256, layer, names], subset=subset
    )
    return replace(dataset, name=called)


def _role_labels(cells: Cells, rows: NDArray[np.intp], *, role: str, name: str) -> list[str]:
    """Entries of groups, batch or folds, all present: rows without a group are no group."""
    entries = labels(_taken(cells, rows))
    marks = text_markers(entries)
    absent = [row for row, entry in zip(rows, entries, strict=True) if entry.lower() in marks]
    if absent:
        raise DataError(
            f"{role} must be known for every row; {name!r} is missing in row {absent[0] + 1} of "
            f"obs ({len(absent)} in all)."
        )
    return entries


class _Frame:
    """A data frame as AnnData stores it: one HDF5 object per column."""

    def __init__(self, group: Any, source: str) -> None:
        if not hasattr(group, "keys"):
            raise DataError(f"{source} must be a data frame; it is an array. Write the file again.")
        self._group = group
        self._source = source
        self._index = str(group.attrs.get("_index", "_index"))
        self._names = [key for key in group if key == self._index or not key.startswith("__")]

    def column(self, name: str | None, *, role: str) -> Cells:
        """Cells of a column, or of the index for None."""
        key = self._index if name is None else name
        if key not in self._names:
            raise ConfigError(
                f"{role} must be a column of {self._source}; there is no column {key!r}"
                f"{nearest(key, self._names)}"
            )
        cells = self._read(key)
        n_rows = len(cells) if key == self._index else len(self.column(None, role="id"))
        if len(cells) != n_rows:
            raise DataError(
                f"a column of {self._source} must have {n_rows} entries like its index; {key!r} "
                f"has {len(cells)}. Write the file again."
            )
        return cells

    def _read(self, key: str) -> Cells:
        with refusing(
            f"column {key!r} of {self._source} must hold numbers or text",
            found="it cannot be read",
            remedy="Mend it, or name another column.",
        ):
            stored = self._group[key]
            if hasattr(stored, "keys"):
                return _from_group(stored)
            cells = _cells(stored[()])
            categories = self._group.get("__categories")
            if categories is not None and key in categories:
                return _decoded(_cells(categories[key][()]), stored[()])
            return cells


def _from_group(group: Any) -> Cells:
    """Read a categorical, or a nullable column with its mask."""
    if "codes" in group:
        return _decoded(_cells(group["categories"][()]), group["codes"][()])
    values = _cells(group["values"][()])
    mask = group["mask"][()]
    if np.shape(mask) != (len(values),):
        raise ValueError("its mask is not as long as its values")
    if isinstance(values, list):
        return ["" if hidden else cell for cell, hidden in zip(values, mask, strict=True)]
    return np.where(mask, np.nan, values)


def _decoded(categories: Cells, codes: NDArray[Any]) -> list[str]:
    text = labels(categories)
    if codes.dtype.kind not in "iu" or (len(codes) and codes.max() >= len(text)):
        raise ValueError(f"its codes are not whole numbers below {len(text)}")
    return ["" if code < 0 else text[code] for code in codes]


def _cells(values: Any) -> Cells:
    if not isinstance(values, np.ndarray) or values.ndim != 1 or values.dtype.kind not in "biufSUO":
        dtype = getattr(values, "dtype", type(values).__name__)
        raise ValueError(f"it is of type {dtype} with {np.ndim(values)} dimensions")
    if values.dtype.kind == "b":
        return ["True" if value else "False" for value in values]
    # Whole numbers that float64 cannot hold are left as text: ids must keep their digits.
    if values.dtype.kind in "iu" and any(abs(int(value)) > 2**53 for value in values):
        return [str(value) for value in values]
    if values.dtype.kind in "iuf":
        return values.astype(np.float64)
    cells = [value.decode("utf-8") if isinstance(value, bytes) else value for value in values]
    if not all(isinstance(cell, str) for cell in cells):
        raise ValueError("its values are objects")
    return [str(cell).strip() for cell in cells]


def _taken(cells: Cells, rows: NDArray[np.intp]) -> Cells:
    return [cells[row] for row in rows] if isinstance(cells, list) else cells[rows]


def _matrix(
    handle: Any, layer: str | None, source: str, *, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Read the matrix, dense, from a dense array or a compressed sparse one."""
    found = handle.get("layers", {})
    layers = list(found) if hasattr(found, "keys") else []
    if layer is not None and layer not in layers:
        raise ConfigError(
            f"layer must be one of {', '.join(layers) or 'none'} in {source}; got {layer!r}."
        )
    if layer is None and "X" not in handle:
        hint = f"name one of its layers: {listed(layers)}" if layers else "it has no layer either"
        raise DataError(f"{source} must have a matrix X; {hint}.")
    with refusing(
        f"the matrix of {source} must be an array of numbers, dense, csr or csc",
        found="it cannot be read",
        remedy="Write the file again, or name another layer.",
    ):
        return _dense(found[layer] if layer is not None else handle["X"], source, shape=shape)


def _dense(stored: Any, source: str, *, shape: tuple[int, int]) -> NDArray[np.float64]:
    from scipy.sparse import csc_matrix, csr_matrix

    about = stored.attrs
    is_sparse = hasattr(stored, "keys")
    sizes = about.get("shape", about.get("h5sparse_shape")) if is_sparse else stored.shape
    if sizes is None:
        raise ValueError("its shape is missing")
    if tuple(int(size) for size in sizes) != shape:
        raise DataError(
            f"the matrix of {source} must be obs x var ({shape[0]} x {shape[1]}); it is "
            f"{' x '.join(map(str, sizes)) or 'a single number'}."
        )
    values = (stored["data"] if is_sparse else stored)[()]
    if values.dtype.kind not in "biuf":
        raise ValueError(f"its values are of type {values.dtype}")
    if is_sparse:
        encoding = str(about.get("encoding-type", about.get("h5sparse_format", "csr")))
        maker = csc_matrix if encoding.startswith("csc") else csr_matrix
        sparse = maker((values, stored["indices"][()], stored["indptr"][()]), shape=shape)
        sparse.check_format(full_check=True)  # else an index out of range reads foreign memory
        values = sparse.toarray()
    return np.asarray(values, dtype=np.float64)
