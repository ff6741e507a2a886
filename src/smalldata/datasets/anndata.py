"""Makes a dataset of the parts of AnnData: X or a layer, with a column of obs as the target.

Step in the line: **AnnData -> Dataset** -> Task. Of an object only obs, var, X and layers are used,
so the package anndata is not needed; the parts of a file come from `h5ad`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.datasets.advice import advise
from smalldata.datasets.assembling import (
    assemble,
    kept_columns,
    listed,
    name_with_fingerprint,
    nearest,
    several,
)
from smalldata.datasets.columns import labels, text_markers, type_column
from smalldata.datasets.damage import refusing
from smalldata.datasets.frames import cells_of, fingerprint, index_labels
from smalldata.datasets.raw import Cells, take_cells
from smalldata.datasets.side_by_side import Features, Values
from smalldata.datasets.target import check_complete, missing_rows, read_target
from smalldata.errors import ConfigError, DataError
from smalldata.task import Dataset, Provenance


def dataset_from_anndata(
    adata: Any,
    *,
    target: str,
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
    name: str = "anndata",
    licence: str = "",
    citation: str = "",
) -> Dataset:
    """Make a dataset of an AnnData object of samples (obs) by features (var).

    Parameters
    ----------
    adata : AnnData
        Or any object with the DataFrames ``obs`` and ``var``, a matrix ``X``, dense or sparse, and
        ``layers``.
    target : str
        Column of obs to predict.
    id, groups, batch, folds, layer, names, obs, blocks
        As in `smalldata.datasets.h5ad.load`.
    positive, kind, drop, drop_missing_target, licence, citation
        As in `smalldata.datasets.h5ad.load`.
    name : str
        Name of the dataset; six characters of the table's fingerprint follow.

    Returns
    -------
    Dataset

    Raises
    ------
    ConfigError
        If this is not an AnnData object or a name does not exist.
    DataError
        If the table is not fit to be a dataset.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> import pandas as pd
    >>> from smalldata import dataset_from_anndata
    >>> adata = SimpleNamespace(  # in real life: anndata.AnnData(X, obs=obs, var=var)
    ...     X=np.arange(12.0).reshape(4, 3),
    ...     obs=pd.DataFrame({"tissue": ["tumor", "normal"] * 2}, index=["a", "b", "c", "d"]),
    ...     var=pd.DataFrame(index=["TP53", "EGFR", "MYC"]),
    ...     layers={},
    ... )
    >>> dataset_from_anndata(adata, target="tissue").feature_names
    ('TP53', 'EGFR', 'MYC')
    """
    if not all(isinstance(getattr(adata, part, None), pd.DataFrame) for part in ("obs", "var")):
        raise ConfigError(
            "adata must be an AnnData object, with the DataFrames obs and var; it is of the type "
            f"{type(adata).__name__}. For a file use load_dataset('h5ad', path=...)."
        )
    parts = Parts(
        source=name,
        obs=_Held(adata.obs, f"obs of {name}"),
        var=_Held(adata.var, f"var of {name}"),
        matrix=lambda layer, shape: _held_matrix(adata, layer, name, shape=shape),
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
        stem=name,
        licence=licence,
        citation=citation,
    )


class Columns(Protocol):
    """obs or var, in a file or in memory."""

    def column(self, name: str | None, *, role: str) -> Cells:
        """Cells of a column, or of the index for None."""
        ...


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of an AnnData file or object.

    Attributes
    ----------
    source : str
    obs, var : Columns
    matrix : callable
        Reads X, or the layer that is named, which must have the shape given.
    sha256 : str
        Of the file's bytes; empty without a file: that of the content is taken.
    """

    source: str
    obs: Columns
    var: Columns
    matrix: Callable[[str | None, tuple[int, int]], NDArray[np.float64]]
    sha256: str = ""


def make_dataset(
    parts: Parts,
    *,
    target: str,
    id: str | None,
    groups: str | None,
    batch: str | None,
    folds: str | None,
    layer: str | None,
    names: str | None,
    obs: Sequence[str] | str,
    blocks: Sequence[str] | str | None,
    positive: object,
    kind: str | None,
    drop: Sequence[str] | str,
    drop_missing_target: bool,
    stem: str,
    licence: str,
    citation: str,
) -> Dataset:
    """Give each column of obs its role, choose the features, and check the whole.

    Parameters
    ----------
    parts : Parts
    stem : str
        What the name of the dataset begins with.

    Other parameters as in `smalldata.datasets.h5ad.load`.
    """
    drop_list = several(drop)
    obs_list = several(obs)
    columns = parts.obs
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
    feature_names = labels(parts.var.column(names, role="names"))
    repeated = pd.Index(feature_names)
    repeated = repeated[repeated.duplicated()].unique()
    if len(repeated):
        raise DataError(
            f"feature names must be unique in var; repeated: {listed(list(repeated))}. "
            "Name another column of var with names=, or make them unique."
        )
    matrix = parts.matrix(layer, (len(outcome), len(feature_names)))
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
                "leave it out of obs=."
            )
    ids = labels(columns.column(id, role="id"))
    extra = {column: take_cells(columns.column(column, role="obs"), rows) for column in obs_list}
    y, task_kind, chosen = read_target(
        take_cells(outcome, rows), name=target, kind=kind, positive=positive
    )
    every = [*feature_names, *extra]
    every_block = ["X"] * len(feature_names) + ["obs"] * len(extra)
    kept = kept_columns(every, every_block, blocks=blocks, drop=drop_list)
    values = matrix[rows]
    typed: dict[str, Values] = {}
    for place in kept:
        column = every[place]
        typed[column] = (
            values[:, place]
            if every_block[place] == "X"
            else type_column(extra[column], name=column).values
        )
    features = Features.of(typed)
    sha256 = parts.sha256 or fingerprint({"X": values, "var": feature_names, **extra})
    dataset = assemble(
        features.table(),
        y,
        name=stem,
        target=target,
        kind=task_kind,
        sample_ids=np.array([ids[row] for row in rows], dtype=object),
        positive=chosen,
        feature_blocks=[every_block[place] for place in kept],
        groups=apart.get("groups"),
        batch=apart.get("batch"),
        folds=apart.get("folds"),
        provenance=Provenance(
            source=parts.source, citation=citation, licence=licence, sha256=sha256
        ),
        read=f"{parts.source} ({f'layer {layer}' if layer else 'X'})",
        notes=[
            f"id: {id or 'index of obs'}",
            *(f"{role}: {column}" for role, column in roles.items() if column),
            *([note] if note else []),
        ],
        findings=advise(features, y, target=target, kind=task_kind, has_groups=groups is not None),
    )
    subset = {
        "blocks": None if blocks is None else several(blocks),
        "drop": drop_list,
        "obs": obs_list,
    }
    called = name_with_fingerprint(dataset, stem, read=[sha256, layer, names], subset=subset)
    return replace(dataset, name=called)


def _role_labels(cells: Cells, rows: NDArray[np.intp], *, role: str, name: str) -> list[str]:
    """Entries of groups, batch or folds, all present: rows without a group are no group."""
    entries = labels(take_cells(cells, rows))
    marks = text_markers(entries)
    absent = [row for row, entry in zip(rows, entries, strict=True) if entry.lower() in marks]
    if absent:
        raise DataError(
            f"{role} must be known for every row; {name!r} is missing in row {absent[0] + 1} of "
            f"obs ({len(absent)} in all)."
        )
    return entries


def no_column(name: str, known: list[str], *, source: str, role: str) -> ConfigError:
    """Return the error for a name that obs or var does not have."""
    return ConfigError(
        f"{role} must be a column of {source}; there is no column {name!r}{nearest(name, known)}"
    )


class _Held:
    """A data frame in memory, read as one in a file is."""

    def __init__(self, frame: pd.DataFrame, source: str) -> None:
        self._frame = frame
        self._source = source

    def column(self, name: str | None, *, role: str) -> Cells:
        """Cells of a column, or of the index for None."""
        if name is None:
            return index_labels(self._frame, source=self._source)
        if name not in self._frame:
            raise no_column(name, list(map(str, self._frame)), source=self._source, role=role)
        if list(self._frame.columns).count(name) > 1:
            raise DataError(f"column names must be unique; {self._source} repeats {name!r}.")
        return cells_of(self._frame[name], source=self._source)


def _held_matrix(
    adata: Any, layer: str | None, source: str, *, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the matrix of an object, dense; one that stays in its file is read."""
    layers = getattr(adata, "layers", None) or {}
    check_layer(layer, list(layers), has_x=getattr(adata, "X", None) is not None, source=source)
    with refusing(
        f"the matrix of {source} must be an array of numbers, dense or sparse",
        found="it cannot be read",
        remedy="Convert it, or name another layer.",
    ):
        held = adata.X if layer is None else layers[layer]
        held = held.to_memory() if hasattr(held, "to_memory") else held
        check_shape(np.shape(held), shape, source=source)
        values = np.asarray(held.toarray() if hasattr(held, "toarray") else held)
        if values.dtype.kind not in "biuf":
            raise ValueError(f"its values are of type {values.dtype}")
        return values.astype(np.float64)


def check_layer(layer: str | None, layers: list[str], *, has_x: bool, source: str) -> None:
    """Refuse a layer that is not there, and none where there is no X.

    Raises
    ------
    ConfigError, DataError
    """
    if layer is not None and layer not in layers:
        raise ConfigError(
            f"layer must be one of {', '.join(layers) or 'none'} in {source}; got {layer!r}."
        )
    if layer is None and not has_x:
        hint = f"name one of its layers: {listed(layers)}" if layers else "it has no layer either"
        raise DataError(f"{source} must have a matrix X; {hint}.")


def check_shape(sizes: Sequence[int], shape: tuple[int, int], *, source: str) -> None:
    """Refuse a matrix that is not obs x var, before it is read.

    Raises
    ------
    DataError
    """
    if tuple(int(size) for size in sizes) != shape:
        raise DataError(
            f"the matrix of {source} must be obs x var ({shape[0]} x {shape[1]}); it is "
            f"{' x '.join(map(str, sizes)) or 'a single number'}."
        )
