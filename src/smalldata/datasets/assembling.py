"""From typed columns to a Dataset: columns chosen, content checked, name and summary made.

Step in the line: files -> **Dataset** -> Task. Every loader ends here, so that every source meets
the same checks.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.datasets.side_by_side import is_finite, parts_of
from smalldata.datasets.twins import find_twins
from smalldata.errors import ConfigError, DataError, did_you_mean
from smalldata.findings import Finding
from smalldata.runtime.files import safe_name
from smalldata.task import Dataset, Provenance, Reading, TaskKind, find_constant, make_task

N_NAMES_SHOWN = 5

# Also halves of characters (surrogates), which no file can hold.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def assemble(
    features: pd.DataFrame,
    y: NDArray[Any],
    *,
    name: str,
    target: str,
    kind: TaskKind,
    sample_ids: NDArray[Any],
    positive: str | None = None,
    feature_blocks: Sequence[str] = (),
    groups: Sequence[str] | None = None,
    batch: Sequence[str] | None = None,
    folds: Sequence[str] | None = None,
    provenance: Provenance | None = None,
    read: str = "",
    notes: Sequence[str] = (),
    findings: Sequence[Finding] = (),
    reading: Reading | None = None,
    truth: tuple[str, ...] | None = None,
    n_limits: int = 0,
) -> Dataset:
    """Check and freeze.

    Parameters
    ----------
    features : DataFrame of shape (n_samples, n_features)
        float64 or categorical columns.
    y : ndarray of shape (n_samples,)
        float64 for a regression, else strings; complete.
    name : str
        Name of the dataset.
    target : str
        Name of the target.
    kind : TaskKind
    sample_ids : ndarray of shape (n_samples,)
        Strings.
    positive : str, optional
        The positive class of a binary target.
    feature_blocks : sequence of str, optional
        Block of each feature.
    groups, batch, folds : sequence of str, optional
    provenance : Provenance, optional
    read : str
        Where the table was read from, for the summary line.
    notes : sequence of str
        What else was inferred, for the summary line.
    findings : sequence of Finding
        What the user should know.
    reading : Reading, optional
        How the files were read.
    truth : tuple of str, optional
        The informative features, where known.
    n_limits : int
        Missing entries of the features that stand for values below or above a limit.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If no feature is left, an id repeats, a name is empty or holds control characters, or a
        feature holds infinities or nothing.
    """
    if features.shape[1] == 0:
        raise DataError(
            "at least one feature must be left; every column is the target, an id or dropped."
        )
    of = f" of {provenance.source}" if provenance and provenance.source else ""
    texts: dict[str, Iterable[Any] | None] = {
        "the target's name": [target],
        "a feature name": features.columns.tolist(),
        "the name of a block": feature_blocks,
        "a sample id": sample_ids,
        "a class": [] if kind is TaskKind.REGRESSION else np.unique(y.astype(str)),
        "a group": groups,
        "a batch": batch,
        "a fold": folds,
    }
    for what, entries in texts.items():
        check_text([] if entries is None else entries, what=f"{what}{of}")
    categorical = features.select_dtypes("category")
    for column, dtype in categorical.dtypes.items():
        check_text(dtype.categories, what=f"a category of column {str(column)!r}{of}")
    check_ids(sample_ids)
    n_missing = check_values(features, sample_ids) - n_limits
    constant = find_constant(features)
    asked = f"{kind}, positive: {positive}" if kind is TaskKind.BINARY else str(kind)
    line = [
        f"read {features.shape[0]} x {features.shape[1]} from {read or name}",
        *notes,
        f"target: {target} ({asked})",
        *([f"{categorical.shape[1]} categorical"] if categorical.shape[1] else []),
        *([f"{n_missing} missing values"] if n_missing else []),
        *([f"{len(constant)} constant ({listed(constant)})"] if constant else []),
    ]
    twins = find_twins(
        features,
        y,
        sample_ids,
        groups=_strings(groups),
        is_regression=kind is TaskKind.REGRESSION,
    )
    return Dataset(
        name=name,
        X=features.reset_index(drop=True),
        y=y.astype(np.float64 if kind is TaskKind.REGRESSION else object),
        sample_ids=sample_ids,
        kind=kind,
        target=target,
        feature_blocks=tuple(str(label) for label in feature_blocks),
        positive=positive,
        groups=_strings(groups),
        batch=_strings(batch),
        folds=_strings(folds),
        provenance=provenance or Provenance(),
        messages=("; ".join(line),),
        findings=(*findings, *twins),
        reading=reading or Reading(),
        truth=truth,
    )


def kept_columns(
    columns: Sequence[str],
    column_blocks: Sequence[str],
    *,
    blocks: Sequence[str] | str | None,
    drop: Sequence[str] | str,
) -> list[int]:
    """Positions of the columns that remain after the choice of blocks and the columns to drop.

    Parameters
    ----------
    columns, column_blocks : sequence of str
        Names and blocks of the candidates.
    blocks : sequence of str, optional
        Blocks to keep; default: all.
    drop : sequence of str
        Names, or patterns with ``*`` and ``?``.

    Returns
    -------
    list of int

    Raises
    ------
    ConfigError
        If a block or a column does not exist; the nearest names are offered.

    Examples
    --------
    >>> kept_columns(["age", "TP53"], ["clinical", "rna"], blocks=["rna"], drop=[])
    [1]
    """
    known = list(dict.fromkeys(column_blocks))
    wanted = known if blocks is None else several(blocks)
    if not wanted and known:
        raise ConfigError(f"blocks must name some of {', '.join(known)}, or be null for all.")
    for block in wanted:
        if block not in known:
            raise ConfigError(
                f"blocks must be among {', '.join(known)}; there is no block {block!r}"
                f"{nearest(block, known)}"
            )
    dropped: set[str] = set()
    names = set(columns)
    for entry in several(drop):
        hits = {entry} if entry in names else {name for name in names if fnmatchcase(name, entry)}
        if not hits:
            raise ConfigError(
                f"drop must name features; there is no feature {entry!r}{nearest(entry, columns)}"
            )
        dropped |= hits
    return [
        place
        for place, (name, block) in enumerate(zip(columns, column_blocks, strict=True))
        if block in wanted and name not in dropped
    ]


def check_text(entries: Iterable[Any], *, what: str) -> None:
    """Refuse empty text and control characters; tabs and line breaks within are allowed.

    Parameters
    ----------
    entries : iterable of str
    what : str
        What one of them is, for the sentence.

    Raises
    ------
    DataError
    """
    texts = list(map(str, entries))
    if all(texts) and not _CONTROL.search("\n".join(texts)):  # at once, since they may be many
        return
    for entry in texts:
        if not entry:
            raise DataError(f"{what} must not be empty; one is. Name it in the file.")
        if found := _CONTROL.search(entry):
            shown = repr(entry if len(entry) <= 40 else entry[:40] + "…")
            raise DataError(
                f"{what} must hold no control characters; {shown} has U+{ord(found[0]):04X}. "
                f"Correct it in the file{' or name its encoding' * (found[0] > '~')}."
            )


def check_ids(sample_ids: NDArray[Any]) -> None:
    """Refuse repeated sample ids, naming them.

    Raises
    ------
    DataError
    """
    index = pd.Index(sample_ids)
    repeated = list(index[index.duplicated()].unique())
    if repeated:
        raise DataError(
            f"sample ids must be unique; {listed(repeated)} occur more than once. If these are "
            "repeated measures of one person, name the column dataset.groups, so that nobody is in "
            "two folds, and another column dataset.id."
        )


def check_values(features: pd.DataFrame, sample_ids: NDArray[Any]) -> int:
    """Refuse infinities and columns without a value, naming them; count the missing values.

    Raises
    ------
    DataError
    """
    numeric = features.select_dtypes("number")
    values = numeric.to_numpy(dtype=np.float64)
    n_gaps = features.select_dtypes(exclude="number").isna().sum()
    n_missing = np.zeros(values.shape[1], dtype=np.intp)
    is_infinite = False
    for places, block in parts_of(values):
        if not is_finite(block):
            n_missing[places] = np.isnan(block).sum(axis=1)
            is_infinite |= bool(np.isinf(block).any())
    if is_infinite:
        infinite = np.argwhere(np.isinf(values))
        row, column = (int(place) for place in infinite[0])
        raise DataError(
            f"values must be finite; column {str(numeric.columns[column])!r} of sample "
            f"{str(sample_ids[row])!r} is {float(values[row, column])} "
            f"({len(infinite)} infinite in all). Replace them by a number or leave them empty."
        )
    holding_none = {
        *numeric.columns[n_missing == len(features)],
        *n_gaps.index[n_gaps == len(features)],
    }
    if holding_none:
        empty = [str(name) for name in features.columns if name in holding_none]
        raise DataError(
            f"every column must hold a value; {listed(empty)} hold{'s' if len(empty) == 1 else ''} "
            f"none ({len(empty)} of {features.shape[1]} columns). Leave "
            f"{'it' if len(empty) == 1 else 'them'} out with dataset.drop_empty=true."
        )
    return int(n_missing.sum() + n_gaps.sum())


def name_with_changes(name: str, values: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """Name a dataset, with a suffix for each setting that makes something else of it.

    Parameters
    ----------
    name : str
    values, defaults : mapping
        What was asked and what the yaml says, of target, kind, positive, id, groups, batch, folds,
        blocks and drop.

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
    return safe_name("-".join(parts), n_characters=60)


def name_with_fingerprint(
    dataset: Dataset, stem: str, *, read: Sequence[Any], subset: Mapping[str, Any]
) -> str:
    """Name a table of the user's: stem, six characters of a fingerprint, a suffix for a subset.

    Parameters
    ----------
    dataset : Dataset
    stem : str
    read : sequence
        Checksums of the files and how they were read: what, beside the ids, the target and the
        groups, makes another table.
    subset : mapping
        Lists of the blocks and features chosen, and the columns that a role other than that of the
        target, ids or groups takes from the features; empty or None where nothing was.
    """
    keys = [make_task(dataset).split_key, *map(str, read)]
    fingerprint = hashlib.sha256("\x1f".join(keys).encode()).hexdigest()[:6]
    chosen = {key: value for key, value in subset.items() if value}
    return name_with_changes(
        f"{safe_name(stem, n_characters=40)}-{fingerprint}", chosen, dict.fromkeys(chosen)
    )


def several(value: Sequence[str] | str) -> list[str]:
    """One name or several, as a list of strings."""
    return [value] if isinstance(value, str) else [str(entry) for entry in value]


def nearest(name: str, known: Sequence[str]) -> str:
    """End a sentence with the nearest names, quoted, or with a full stop if none is near."""
    hint = did_you_mean(str(name), map(str, known), show=repr)
    return f"; {hint}" if hint else "."


def listed(names: Sequence[Any], *, mark: str = "'") -> str:
    """Up to five names, then how many more there are."""
    shown = ", ".join(f"{mark}{name}{mark}" for name in names[:N_NAMES_SHOWN])
    return shown + (f" and {len(names) - N_NAMES_SHOWN} more" if len(names) > N_NAMES_SHOWN else "")


def _strings(column: Sequence[str] | None) -> NDArray[Any] | None:
    return None if column is None else np.array([str(entry) for entry in column], dtype=object)
