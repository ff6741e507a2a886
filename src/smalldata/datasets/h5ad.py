"""Loads an AnnData file (.h5ad) with h5py alone, which the extra `h5ad` installs.

Step in the line: **files -> Dataset** -> Task. The parts of the file are read here; `anndata` makes
the dataset of them.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets.anndata import Parts, check_layer, check_shape, make_dataset, no_column
from smalldata.datasets.columns import labels
from smalldata.datasets.damage import refusing
from smalldata.datasets.frames import decoded
from smalldata.datasets.raw import Cells
from smalldata.errors import ConfigError, DataError
from smalldata.task import Dataset


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
        As in `smalldata.datasets.options.TableOptions`.

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
    try:
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        handle = h5py.File(file, "r")
    except OSError:
        raise DataError(f"{file.name} must be an HDF5 file; it is not, or it is cut.") from None
    whole = refusing(
        f"{file.name} must be an AnnData file",
        found="it is damaged or laid out otherwise",
        remedy="Copy it or write it again.",
    )
    with handle:
        with whole:
            if "obs" not in handle or "var" not in handle:
                raise DataError(f"{file.name} must be an AnnData file; it has no obs or no var.")
            parts = Parts(
                source=file.name,
                obs=_Frame(handle["obs"], f"obs of {file.name}"),
                var=_Frame(handle["var"], f"var of {file.name}"),
                matrix=_Matrices(handle, file.name).read,
                sha256=sha256,
            )
        return make_dataset(
            parts,
            target=target,
            id=id,
            groups=groups,
            batch=batch,
            folds=folds,
            layer=layer,
            names=names,
            obs=obs,
            blocks=blocks,
            positive=positive,
            kind=kind,
            drop=drop,
            drop_missing_target=drop_missing_target,
            stem=name or file.stem,
            licence=licence,
            citation=citation,
        )


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
            raise no_column(key, self._names, source=self._source, role=role)
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
                return decoded(labels(_cells(categories[key][()])), stored[()])
            return cells


def _from_group(group: Any) -> Cells:
    """Read a categorical, or a nullable column with its mask."""
    if "codes" in group:
        return decoded(labels(_cells(group["categories"][()])), group["codes"][()])
    values = _cells(group["values"][()])
    mask = group["mask"][()]
    if np.shape(mask) != (len(values),):
        raise ValueError("its mask is not as long as its values")
    if isinstance(values, list):
        return ["" if hidden else cell for cell, hidden in zip(values, mask, strict=True)]
    return np.where(mask, np.nan, values)


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


class _Matrices:
    """X and the layers of a file."""

    def __init__(self, handle: Any, source: str) -> None:
        found = handle.get("layers", {})
        self._layers = list(found) if hasattr(found, "keys") else []
        self._handle = handle
        self._source = source

    def read(self, layer: str | None, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Read one, dense, from a dense array or a compressed sparse one."""
        check_layer(layer, self._layers, has_x="X" in self._handle, source=self._source)
        with refusing(
            f"the matrix of {self._source} must be an array of numbers, dense, csr or csc",
            found="it cannot be read",
            remedy="Write the file again, or name another layer.",
        ):
            stored = self._handle["X"] if layer is None else self._handle["layers"][layer]
            return _dense(stored, self._source, shape=shape)


def _dense(stored: Any, source: str, *, shape: tuple[int, int]) -> NDArray[np.float64]:
    from scipy.sparse import csc_matrix, csr_matrix

    about = stored.attrs
    is_sparse = hasattr(stored, "keys")
    sizes = about.get("shape", about.get("h5sparse_shape")) if is_sparse else stored.shape
    if sizes is None:
        raise ValueError("its shape is missing")
    check_shape(sizes, shape, source=source)
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
