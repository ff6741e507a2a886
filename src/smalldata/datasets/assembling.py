"""From typed columns to a Dataset: blocks chosen, columns dropped, content checked, name and summary line made.

Step in the line: files -> **Dataset** -> Task. Every loader ends here, so that every source meets the same checks.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.errors import ConfigError, DataError
from smalldata.task import Dataset, Provenance, TaskKind

N_NAMES_SHOWN = 5


def assemble(
    features: pd.DataFrame,
    target: pd.Series,
    *,
    name: str,
    sample_ids: NDArray[Any],
    kind: TaskKind,
    positive: str | None = None,
    feature_blocks: Sequence[str] = (),
    blocks: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    groups: pd.Series | None = None,
    batch: pd.Series | None = None,
    folds: pd.Series | None = None,
    provenance: Provenance | None = None,
    read: str = "",
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
    truth: tuple[str, ...] | None = None,
) -> Dataset:
    """Choose, check and freeze.

    Parameters
    ----------
    features : DataFrame of shape (n_samples, n_columns)
        Candidate features, float64 or categorical, of every block.
    target : Series of shape (n_samples,)
        float64 for a regression, else strings; named; complete.
    name : str
        Name of the dataset.
    sample_ids : ndarray of shape (n_samples,)
        Strings.
    kind : TaskKind
    positive : str, optional
        The positive class of a binary target.
    feature_blocks : sequence of str, optional
        Block of each column of ``features``.
    blocks : sequence of str, optional
        Blocks to keep; default: all.
    drop : sequence of str
        Columns to leave out: names, or patterns with ``*`` and ``?``.
    groups, batch, folds : Series of shape (n_samples,), optional
    provenance : Provenance, optional
    read : str
        Where the table was read from, for the summary line.
    notes : sequence of str
        What else was inferred, for the summary line.
    warnings : sequence of str
        What the user should look at.
    truth : tuple of str, optional
        The informative features, where known.

    Returns
    -------
    Dataset

    Raises
    ------
    ConfigError
        If a block or a column to drop does not exist.
    DataError
        If nothing is left, an id repeats, or a feature holds infinities or nothing.
    """
    labels = np.asarray(feature_blocks or ["features"] * features.shape[1], dtype=object)
    keep = kept_columns(features.columns, labels, blocks=blocks, drop=drop)
    if not keep.all():
        features = features.loc[:, keep]
        labels = labels[keep]
    if features.shape[1] == 0:
        raise DataError(
            "at least one feature must be left; every column is a target, an id or dropped."
        )
    check_ids(sample_ids)
    check_values(features, sample_ids)
    categorical = [
        column
        for column, dtype in zip(features.columns, features.dtypes, strict=True)
        if dtype == "category"
    ]
    n_missing = int(features.isna().to_numpy().sum())
    asked = f"{target.name} ({kind}" + (
        f", positive: {positive})" if kind is TaskKind.BINARY else ")"
    )
    line = [
        f"read {features.shape[0]} x {features.shape[1]} from {read or name}",
        *notes,
        f"target: {asked}",
        *([f"{len(categorical)} categorical"] if categorical else []),
        *([f"{n_missing} missing values"] if n_missing else []),
    ]
    regression = kind is TaskKind.REGRESSION
    return Dataset(
        name=name,
        X=features.reset_index(drop=True),
        y=target.to_numpy(dtype=np.float64 if regression else object),
        sample_ids=sample_ids,
        kind=kind,
        target=str(target.name),
        feature_blocks=tuple(str(label) for label in labels),
        positive=positive,
        groups=_strings(groups),
        batch=_strings(batch),
        folds=_strings(folds),
        provenance=provenance or Provenance(),
        messages=("; ".join(line),),
        warnings=tuple(warnings),
        truth=truth,
    )


def kept_columns(
    columns: pd.Index, labels: NDArray[Any], *, blocks: Sequence[str] | None, drop: Sequence[str]
) -> NDArray[np.bool_]:
    """Which columns remain after the choice of blocks and the columns to drop.

    Raises
    ------
    ConfigError
        If a block or a column does not exist; the nearest names are offered.
    """
    keep = np.ones(len(columns), dtype=bool)
    if blocks is not None:
        known = list(dict.fromkeys(labels))
        for block in blocks:
            if block not in known:
                raise ConfigError(
                    f"blocks must be among {', '.join(known)}; there is no block {block!r}{did_you_mean(block, known)}."
                )
        if not blocks:
            raise ConfigError(
                f"blocks must name at least one of {', '.join(known)}, or be null for all."
            )
        keep &= np.isin(labels.astype(str), list(blocks))
    names = [str(column) for column in columns]
    position = {column: place for place, column in enumerate(names)}
    for entry in drop:
        pattern = str(entry)
        if pattern in position:
            keep[position[pattern]] = False
            continue
        hits = [place for place, column in enumerate(names) if fnmatchcase(column, pattern)]
        if not hits:
            raise ConfigError(
                f"drop must name columns of the table; there is no feature {pattern!r}{did_you_mean(pattern, names)}."
            )
        keep[hits] = False
    return keep


def check_ids(sample_ids: NDArray[Any]) -> None:
    """Refuse repeated sample ids, naming them.

    Raises
    ------
    DataError
    """
    repeated = pd.Index(sample_ids)[pd.Index(sample_ids).duplicated()].unique()
    if len(repeated):
        raise DataError(
            f"sample ids must be unique; {listed(repeated)} occur more than once. If these are repeated measures of one "
            "person, name that column dataset.groups and another one dataset.id, so that no person is in two folds."
        )


def check_values(features: pd.DataFrame, sample_ids: NDArray[Any]) -> None:
    """Refuse infinities and columns without a value, naming them.

    Raises
    ------
    DataError
    """
    numeric = features.select_dtypes("number")
    infinite = np.isinf(numeric.to_numpy(dtype=np.float64))
    if infinite.any():
        row, column = (int(place) for place in np.argwhere(infinite)[0])
        raise DataError(
            f"values must be finite; column {numeric.columns[column]!r} of sample {sample_ids[row]!r} is "
            f"{numeric.iat[row, column]} ({infinite.sum()} infinite in all). Replace them by a number or leave them empty."
        )
    empty = features.columns[features.isna().to_numpy().all(axis=0)]
    if len(empty):
        raise DataError(
            f"every column must hold a value; {listed(empty)} hold none. Drop them with dataset.drop_empty=true or "
            f"dataset.drop=[{listed(empty, mark='')}]."
        )


def name_with_changes(name: str, values: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """Name of a dataset with a suffix for each setting that makes another question or another table of it.

    Parameters
    ----------
    name : str
    values, defaults : mapping
        What was asked and what the yaml says, of target, kind, positive, id, groups, batch, folds, blocks and drop.

    Returns
    -------
    str

    Examples
    --------
    >>> name_with_changes("acc", {"blocks": ["rna", "mirna"]}, {"blocks": None})
    'acc-rna+mirna'
    """
    parts = [name]
    for key, value in values.items():
        if value == defaults.get(key, value):
            continue
        if key == "target":
            parts.append(str(value))
        elif key == "blocks":
            parts.append("+".join(value))
        elif key == "drop":
            digest = hashlib.sha256("\x1f".join(sorted(map(str, value))).encode()).hexdigest()
            parts.append(f"drop{len(value)}.{digest[:6]}")
        else:
            parts.append(f"{key}.{'none' if value is None else value}")
    return safe_name("-".join(parts))


def safe_name(text: str, *, n_characters: int = 60) -> str:
    """A folder name for every file system: letters, digits and ``._+-``, of bounded length.

    Where something had to be replaced or cut, six characters of the text's SHA-256 keep two names apart.
    """
    cleaned = re.sub(r"[^A-Za-z0-9._+-]+", "_", text).strip("._") or "table"
    if cleaned == text and len(text) <= n_characters:
        return text
    return f"{cleaned[: n_characters - 7]}.{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """``; did you mean 'a' or 'b'?`` without its full stop, or nothing where no name is near."""
    lowered: dict[str, str] = {}
    for entry in known:
        lowered.setdefault(str(entry).lower().strip(), str(entry))
    near = [lowered[match] for match in get_close_matches(str(name).lower().strip(), lowered, n=3)]
    return f"; did you mean {' or '.join(repr(entry) for entry in near)}?" if near else ""


def listed(names: Sequence[Any] | pd.Index, *, mark: str = "'") -> str:
    """Up to five names, then how many more there are."""
    shown = ", ".join(f"{mark}{name}{mark}" for name in list(names)[:N_NAMES_SHOWN])
    return shown + (f" and {len(names) - N_NAMES_SHOWN} more" if len(names) > N_NAMES_SHOWN else "")


def _strings(column: pd.Series | None) -> NDArray[Any] | None:
    return None if column is None else column.astype(str).to_numpy(dtype=object)
