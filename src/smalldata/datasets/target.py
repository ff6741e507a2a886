"""Reads the target: which rows have one, its kind, its values or classes, the positive class.

Step in the line: **files** -> Dataset. What is inferred here is printed; every inference can be
overruled by name.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets.assembling import listed
from smalldata.datasets.columns import (
    TypedColumn,
    labels,
    marks_of_text,
    missing_numbers,
    parse_number,
    type_column,
)
from smalldata.datasets.polarity import told_positive
from smalldata.datasets.raw import Cells
from smalldata.datasets.vocabulary import MISSING_NUMBER
from smalldata.errors import ConfigError, DataError
from smalldata.task import TaskKind, find_kind

MAX_INTEGER_CLASSES = 10


def missing_rows(
    cells: Cells, missing: Collection[str] = (), *, decimal: str = "."
) -> NDArray[np.bool_]:
    """Find the rows without an entry of a role: empty or a marker of a missing value.

    The word None is a class beside other words, since that is what it often is, and missing beside
    numbers.
    """
    if not isinstance(cells, list):
        return np.isnan(cells) | np.isin(cells, missing_numbers(missing))
    marks = marks_of_text(cells, missing, decimal=decimal)
    words = [cell for cell in cells if cell not in marks and cell.lower() != "none"]
    if words and all(any(letter.isdigit() for letter in word) for word in words):
        marks |= {cell for cell in cells if cell.lower() in MISSING_NUMBER}
    return np.array([cell in marks for cell in cells], dtype=bool)


def check_complete(
    cells: Cells,
    absent: NDArray[np.bool_],
    *,
    name: str,
    where: Callable[[int], str],
    drop_missing_target: bool,
) -> str:
    """Refuse missing targets unless they may be dropped; say what they look like.

    Returns
    -------
    str
        A note on the rows dropped, or nothing.

    Raises
    ------
    DataError
    """
    if absent.all():
        raise DataError(f"the target {name!r} must hold values; every row of it is missing.")
    if not absent.any():
        return ""
    rows = np.flatnonzero(absent)
    marks = Counter(str(cells[row]) if isinstance(cells, list) else "" for row in rows)
    marked = ", ".join(
        f"{mark!r} {count}" if mark else f"empty {count}" for mark, count in marks.items()
    )
    if not drop_missing_target:
        raise DataError(
            f"every row must have a target; {name!r} is missing in {len(rows)} of {len(absent)} "
            f"rows ({marked}), first in {where(int(rows[0]))}. Leave these rows out with "
            "dataset.drop_missing_target=true; if a marker is meant as a class, rename it in the "
            "file.",
            settings={"drop_missing_target": True},
        )
    return f"{len(rows)} rows without a target left out ({marked})"


def infer_kind(values: TypedColumn) -> TaskKind:
    """Tell what a complete target is.

    Text: two distinct values are binary, more multiclass. Numbers: two distinct values are binary;
    whole numbers with at most ten distinct values, each met five times on average, are multiclass;
    all else is a regression.

    Examples
    --------
    >>> infer_kind(type_column(["1", "2", "1"]))
    <TaskKind.BINARY: 'binary'>
    """
    if not isinstance(values.values, np.ndarray):
        n_classes = len(values.values.categories)
        return TaskKind.BINARY if n_classes == 2 else TaskKind.MULTICLASS
    distinct = np.unique(values.values)
    if len(distinct) == 2:
        return TaskKind.BINARY
    whole = bool(np.all(distinct == np.floor(distinct)))
    if whole and len(distinct) <= MAX_INTEGER_CLASSES and len(values.values) >= 5 * len(distinct):
        return TaskKind.MULTICLASS
    return TaskKind.REGRESSION


def is_measured(cells: Cells, kind: str | None = None, *, decimal: str = ".") -> bool:
    """Tell whether a target is measured, not a class: asked for, or of more than a few numbers."""
    if kind is not None:
        return kind == TaskKind.REGRESSION
    if not isinstance(cells, list):
        return len(np.unique(cells[~np.isnan(cells)])) > MAX_INTEGER_CLASSES
    distinct = set(cells)
    return len(distinct) > MAX_INTEGER_CLASSES and all(
        parse_number(cell, decimal) is not None or cell.lower() in MISSING_NUMBER
        for cell in distinct
    )


def infer_positive(
    classes: Sequence[str], counts: Mapping[str, int], *, target: str = "", decimal: str = "."
) -> tuple[str, bool]:
    """Find the positive one of two classes, and whether their names told it.

    Where no name tells (see `polarity`): the rarer; else the last in the alphabet.

    Examples
    --------
    >>> infer_positive(["AD", "control"], {"AD": 9, "control": 5})
    ('AD', True)
    >>> infer_positive(["left", "right"], {"left": 9, "right": 5})
    ('right', False)
    """
    told = told_positive(classes, target=target, decimal=decimal)
    if told is not None:
        return told, True
    rarer = min(classes, key=lambda name: (counts[name], [-ord(letter) for letter in name]))
    return rarer, False


def named_positive(positive: object, classes: Sequence[str], *, target: str) -> str:
    """Find the class that the user named; upper and lower case may differ.

    Raises
    ------
    ConfigError
        If there is no such class.
    """
    wanted = str(positive)
    if wanted in classes:
        return wanted
    folded = [name for name in classes if name.lower() == wanted.lower()]
    if len(folded) == 1:
        return folded[0]
    raise ConfigError(
        f"positive must be a class of {target!r} ({listed(classes)}); got {wanted!r}."
    )


def read_target(
    cells: Cells,
    *,
    name: str,
    kind: str | None = None,
    positive: object = None,
    decimal: str = ".",
    categorical: bool = False,
    where: Callable[[int], str] = str,
) -> tuple[NDArray[np.float64] | NDArray[np.object_], TaskKind, str | None]:
    """Values or classes of a complete target.

    Parameters
    ----------
    cells : list of str or ndarray of float64
        Without missing values.
    name : str
    kind : str, optional
        Default: inferred.
    positive : object, optional
        The positive class; default: inferred.
    decimal : str
    categorical : bool
        Take numbers as classes.
    where : callable
        Names a row, for the sentence.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        float64 for a regression, else strings.
    kind : TaskKind
    positive : str or None

    Raises
    ------
    ConfigError
        If the kind is none.
    DataError
        If the target is constant, all distinct for a classifier, or does not fit the kind.
    """
    asked = None if kind is None else find_kind(kind)
    names = labels(cells, decimal=decimal)
    counts = Counter(names)
    if len(counts) == 1:
        raise DataError(
            f"the target {name!r} must vary; it is {names[0]!r} in every row ({len(names)})."
        )
    task_kind = asked or infer_kind(
        type_column(cells, decimal=decimal, categorical=categorical, where=where, name=name)
    )
    if positive is not None and task_kind is not TaskKind.BINARY:
        raise ConfigError(
            f"positive is for a target of two classes; {name!r} is read as {task_kind} with "
            f"{len(counts)} different values. Leave it out or set dataset.kind=binary."
        )
    if task_kind is TaskKind.REGRESSION:
        return _values(cells, name=name, decimal=decimal, where=where), task_kind, None
    if len(counts) == len(names):
        raise DataError(
            f"a class must be met more than once; {name!r} has {len(names)} rows and as many "
            "different values. Is it an id? For a numeric target set dataset.kind=regression."
        )
    classes = sorted(counts)
    if task_kind is TaskKind.BINARY and len(classes) != 2:
        raise DataError(
            f"a binary target must have two classes; {name!r} has {len(classes)} "
            f"({listed(classes)}). Set dataset.kind=multiclass."
        )
    chosen: str | None = None
    if task_kind is TaskKind.BINARY:
        chosen = (
            infer_positive(classes, counts, target=name, decimal=decimal)[0]
            if positive is None
            else named_positive(positive, classes, target=name)
        )
    return np.array(names, dtype=object), task_kind, chosen


def _values(
    cells: Cells, *, name: str, decimal: str, where: Callable[[int], str]
) -> NDArray[np.float64]:
    typed = type_column(cells, decimal=decimal, where=where, name=name)
    if not isinstance(typed.values, np.ndarray):
        raise DataError(
            f"a regression needs a numeric target; {name!r} holds text, first "
            f"{str(cells[0])!r} in {where(0)}. Set dataset.kind=binary or multiclass."
        )
    infinite = np.flatnonzero(~np.isfinite(typed.values))
    if len(infinite):
        raise DataError(
            f"a target must be finite; {name!r} is {typed.values[infinite[0]]} in "
            f"{where(int(infinite[0]))}."
        )
    return typed.values
