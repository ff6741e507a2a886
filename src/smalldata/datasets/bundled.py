"""Reads the tables that come with the package (data/*.parquet), checked by their sha256.

Step in the line: **files -> Dataset** -> Task. The metadata `smalldata` of a file tells the role of
each column (id, feature, group, target) and the block of each feature; several targets may stand
side by side.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from smalldata.datasets.advice import advise
from smalldata.datasets.assembling import (
    assemble,
    kept_columns,
    name_with_changes,
    nearest,
    several,
)
from smalldata.datasets.columns import as_categories
from smalldata.datasets.side_by_side import Features
from smalldata.errors import ConfigError, DataError
from smalldata.runtime.catalogue import data_dir, names, read_entry
from smalldata.task import Dataset, Provenance, TaskKind, find_kind


def load(
    *,
    name: str,
    path: str,
    target: str,
    kind: str,
    positive: str | None = None,
    id: str | None = None,
    groups: str | None = None,
    batch: str | None = None,
    blocks: Sequence[str] | str | None = None,
    drop: Sequence[str] | str = (),
    sha256: str = "",
    licence: str = "",
    citation: str = "",
) -> Dataset:
    """Read one bundled table.

    Parameters
    ----------
    name : str
        Name of the dataset; a target, kind, positive class, group, batch, block or drop other than
        the yaml's own gives it a suffix.
    path : str
        File below ``data/``.
    target : str
        The column to predict; the file's other targets are never features.
    kind : str
        binary, multiclass or regression.
    positive : str, optional
        The positive class of a binary target.
    id, groups, batch : str, optional
        Columns that are not features: sample ids, rows that stay together, measurement batch.
    blocks : sequence of str, optional
        Blocks to keep; default: all.
    drop : sequence of str
        Features to leave out: names or patterns.
    sha256 : str
        Checksum of the file; empty: not checked.
    licence, citation : str
        Kept as provenance.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the file is missing or changed.
    ConfigError
        If a column or block does not exist.

    Examples
    --------
    >>> from smalldata.datasets import load_dataset
    >>> load_dataset("acc", blocks=["rna", "mirna"]).X.shape
    (92, 669)
    """
    file = data_dir() / path
    if not file.is_file():
        raise DataError(f"the bundled table {file} must exist; it does not. Reinstall smalldata.")
    content = file.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if sha256 and found != sha256:
        raise DataError(
            f"the bundled table {file} must have the sha256 {sha256[:12]}… of "
            f"conf/dataset/{name}.yaml, got {found[:12]}…; the file was changed or cut. Restore it "
            "or reinstall smalldata; an own table is read with dataset=table."
        )
    table = pq.read_table(io.BytesIO(content))
    metadata = pq.read_metadata(io.BytesIO(content)).metadata or {}
    roles, column_blocks = _roles(json.loads(metadata[b"smalldata"]))
    by_role: dict[str, list[str]] = {}
    for column, role in zip(table.column_names, roles, strict=True):
        by_role.setdefault(role, []).append(column)
    if target not in by_role["target"]:
        raise ConfigError(
            f"target must be one of {', '.join(by_role['target'])} in {name}; there is no target "
            f"{target!r}{nearest(target, by_role['target'])}"
        )
    apart = {"id": id, "groups": groups, "batch": batch}
    for key, column in apart.items():
        if column is not None and column not in table.column_names:
            raise ConfigError(
                f"{key} must be a column of {name}; there is no column {column!r}"
                f"{nearest(column, table.column_names)}"
            )
    candidates = [column for column in by_role["feature"] if column not in apart.values()]
    block_of = dict(zip(table.column_names, column_blocks, strict=True))
    candidate_blocks = [block_of[column] for column in candidates]
    kept = kept_columns(candidates, candidate_blocks, blocks=blocks, drop=drop)
    features = Features.of({candidates[place]: _values(table[candidates[place]]) for place in kept})
    task_kind = find_kind(kind)
    outcome = _outcome(table[target], task_kind, target=target)
    ids = table[id].to_pylist() if id is not None else range(1, table.num_rows + 1)
    asked = {
        "target": target,
        "kind": kind,
        "positive": positive,
        "id": id,
        "groups": groups,
        "batch": batch,
        "blocks": None if blocks is None else several(blocks),
        "drop": several(drop),
    }
    defaults = read_entry("dataset", name) if name in names("dataset") else {}
    return assemble(
        features.table(),
        outcome,
        name=name_with_changes(name, asked, defaults),
        target=target,
        kind=task_kind,
        sample_ids=np.array([str(entry) for entry in ids], dtype=object),
        positive=None if positive is None else str(positive),
        feature_blocks=[candidate_blocks[place] for place in kept],
        groups=table[groups].to_pylist() if groups is not None else None,
        batch=table[batch].to_pylist() if batch is not None else None,
        provenance=Provenance(
            source=f"data/{path}", citation=citation, licence=licence, sha256=found
        ),
        read=f"data/{path}",
        findings=advise(
            features, outcome, target=target, kind=task_kind, has_groups=groups is not None
        ),
    )


def _roles(description: dict[str, list[dict[str, str | int]]]) -> tuple[list[str], list[str]]:
    """Role and block of every column, from the runs the file tells."""
    roles: list[str] = []
    blocks: list[str] = []
    for run in description["columns"]:
        roles += [str(run["role"])] * int(run["n_columns"])
        blocks += [str(run["block"])] * int(run["n_columns"])
    return roles, blocks


def _outcome(column: pa.ChunkedArray, kind: TaskKind, *, target: str) -> NDArray[Any]:
    if kind is not TaskKind.REGRESSION:
        return np.asarray(column.cast(pa.string()).to_numpy())
    try:
        return np.asarray(column.cast(pa.float64()).to_numpy())
    except pa.ArrowInvalid:
        raise DataError(
            f"a regression needs a numeric target; {target!r} holds text. Leave dataset.kind out."
        ) from None


def _values(column: pa.ChunkedArray) -> NDArray[np.float64] | pd.Categorical:
    """Numbers as float64, text as categories; nulls are NaN."""
    if pa.types.is_string(column.type):
        return as_categories(["" if entry is None else entry for entry in column.to_pylist()])
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
