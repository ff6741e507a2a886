"""What a table looks like that its user may not have thought of: advice, never a decision.

Step in the line: **files** -> Dataset. Each function gives sentences for `Dataset.warnings`.
"""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.datasets.vocabulary import EVENT_WORDS, ID_NAMES, PERSON_WORDS, TIME_WORDS
from smalldata.task import TaskKind

Values = NDArray[np.float64] | pd.Categorical


def advise(
    columns: Mapping[str, Values],
    y: NDArray[np.generic],
    *,
    target: str,
    kind: TaskKind,
    has_groups: bool,
) -> list[str]:
    """All advice on one table.

    Parameters
    ----------
    columns : mapping of str to ndarray of float64 or Categorical
        The features.
    y : ndarray of shape (n_samples,)
    target : str
    kind : TaskKind
    has_groups : bool
        Rows that belong together were named.

    Returns
    -------
    list of str
    """
    return [
        *id_like(columns),
        *([] if has_groups else repeated_measures(columns)),
        *survival(columns, target=target, kind=kind),
        *similar_classes(y, kind=kind, target=target),
    ]


def id_like(columns: Mapping[str, Values]) -> list[str]:
    """Columns that name or count the rows."""
    found = []
    for name, values in columns.items():
        n_rows = len(values)
        if isinstance(values, pd.Categorical):
            is_id = n_rows >= 10 and len(values.categories) > 0.9 * n_rows
        else:
            is_id = _counts_rows(values) or (_plain(name) in ID_NAMES and _all_whole(values))
        if is_id:
            found.append(name)
    return [
        f"column {name!r} looks like an id left among the features; name it dataset.id "
        f"or leave it out with dataset.drop=['{name}']"
        for name in found
    ]


def repeated_measures(columns: Mapping[str, Values]) -> list[str]:
    """Columns of persons or samples that recur: their rows must not be in two folds."""
    sentences = []
    for name, values in columns.items():
        if not (_tokens(name) & PERSON_WORDS or _plain(name) in ID_NAMES):
            continue
        present = pd.Series(values).dropna()
        n_distinct = present.nunique()
        # Few values are a group of persons (patient: yes or no), not persons.
        if max(2, len(present) / 20) < n_distinct < len(present):
            sentences.append(
                f"column {name!r} has {n_distinct} values in {len(present)} rows; if these are "
                f"repeated measures, set dataset.groups={name}, so that nobody is in two folds"
            )
    return sentences


def survival(columns: Mapping[str, Values], *, target: str, kind: TaskKind) -> list[str]:
    """Tell a target that is a time with an event beside it, or an event beside its time."""
    events = [
        name
        for name, values in columns.items()
        if _tokens(name) & EVENT_WORDS and pd.Series(values).nunique() == 2
    ]
    times = [
        name
        for name, values in columns.items()
        if isinstance(values, np.ndarray)
        and _tokens(name) & TIME_WORDS
        and np.nanmin(values, initial=np.inf) >= 0
    ]
    if kind is TaskKind.REGRESSION and _tokens(target) & TIME_WORDS and events:
        return [
            f"target {target!r} with the column {events[0]!r} looks like survival times; a "
            "regression takes the times of censored rows for true ones. Better ask whether the "
            "event comes before a fixed time, and leave out rows censored earlier"
        ]
    if kind is TaskKind.BINARY and _tokens(target) & EVENT_WORDS and times:
        return [
            f"target {target!r} with the column {times[0]!r} looks like survival data; the "
            f"time is known only afterwards. Leave it out with dataset.drop=['{times[0]}'] and "
            "mind rows censored early"
        ]
    return []


def similar_classes(y: NDArray[np.generic], *, kind: TaskKind, target: str) -> list[str]:
    """Classes that differ in upper and lower case or blanks only."""
    if kind is TaskKind.REGRESSION:
        return []
    spellings: dict[str, list[str]] = {}
    for name in sorted({str(entry) for entry in y}):
        spellings.setdefault(re.sub(r"[\s_-]+", "", name.lower()), []).append(name)
    return [
        f"classes {' and '.join(map(repr, names))} of {target!r} differ in spelling only; "
        "are they one class?"
        for names in spellings.values()
        if len(names) > 1
    ]


def _tokens(name: str) -> frozenset[str]:
    """Lower-case words of a name: daysToDeath, days_to_death and days.to.death give the same."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return frozenset(re.findall(r"[a-z]+", spaced.lower()))


def _plain(name: str) -> str:
    """Letters and digits of a name, lower case."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _all_whole(values: NDArray[np.float64]) -> bool:
    """Whether these are distinct whole numbers, none missing."""
    return bool(
        not np.isnan(values).any()
        and np.all(values == np.floor(values))
        and len(np.unique(values)) == len(values)
    )


def _counts_rows(values: NDArray[np.float64]) -> bool:
    """Whether these are the numbers of the rows in their order, from 0 or 1."""
    steps = np.arange(len(values), dtype=np.float64)
    return len(values) >= 10 and any(np.array_equal(values, steps + start) for start in (0, 1))
