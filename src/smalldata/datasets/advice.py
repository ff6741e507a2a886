"""What a table looks like that its user may not have thought of: advice, never a decision.

Step in the line: **files** -> Dataset. Each function gives findings.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.datasets.classes import similar
from smalldata.datasets.commands import command
from smalldata.datasets.handling import are_measured, handling, numbers_as_text
from smalldata.datasets.naming import places_of, places_with, plain_name, words_of
from smalldata.datasets.side_by_side import Features, Values
from smalldata.datasets.suspects import suspects
from smalldata.datasets.symbols import broken_symbols
from smalldata.datasets.vocabulary import EVENT_WORDS, ID_NAMES, PERSON_WORDS, TIME_WORDS
from smalldata.findings import Finding
from smalldata.task import TaskKind

N_COUNTED = 10
"""Rows from which on a column that counts them is no chance."""


def advise(
    features: Features,
    y: NDArray[np.generic],
    *,
    target: str,
    kind: TaskKind,
    has_groups: bool,
    confirmed: Collection[str] = (),
) -> list[Finding]:
    """All advice on one table.

    Parameters
    ----------
    features : Features
    y : ndarray of shape (n_samples,)
    target : str
    kind : TaskKind
    has_groups : bool
        Rows that belong together were named.
    confirmed : collection of str
        Columns that the user calls categorical.

    Returns
    -------
    list of Finding
    """
    return [
        *id_like(features),
        *numbers_as_text(features, confirmed),
        *handling(features, confirmed),
        *([] if has_groups else repeated_measures(features.columns)),
        *survival(features.columns, target=target, kind=kind),
        *similar_classes(y, kind=kind, target=target),
        *suspects(features, y, target=target, kind=kind),
        *broken_symbols(list(features.columns)),
    ]


def id_like(features: Features) -> list[Finding]:
    """Columns that name or count the rows."""
    names = list(features.columns)
    n_rows = len(features.matrix)
    may_be = {names[place] for place in places_of(names, ID_NAMES)}
    if n_rows >= N_COUNTED:
        first, second = features.matrix[:2]
        is_counting = np.isin(first, (0, 1)) & (second == first + 1)
        may_be.update(features.numeric[place] for place in np.flatnonzero(is_counting))
    may_be.update(features.categorical, names[:1])
    found = []
    for name in filter(may_be.__contains__, names):
        values = features.columns[name]
        if isinstance(values, pd.Categorical):
            is_id = n_rows >= N_COUNTED and len(values.categories) > 0.9 * n_rows
            is_id = is_id and not are_measured(values)
        else:
            is_id = _counts_rows(values, is_first=name == names[0]) or (
                plain_name(name) in ID_NAMES and _all_whole(values)
            )
        if is_id:
            found.append(name)
    return [
        Finding(
            code="SD027",
            what=f"column {name!r} looks like an id left among the features",
            remedy=f"name it with {command('id', name)}, or leave it out with "
            f"{command('drop', [name])}",
        )
        for name in found
    ]


def repeated_measures(columns: Mapping[str, Values]) -> list[Finding]:
    """Columns of persons or samples that recur: their rows must not be in two folds."""
    sentences = []
    names = list(columns)
    for place in sorted({*places_with(names, PERSON_WORDS), *places_of(names, ID_NAMES)}):
        name = names[place]
        values = columns[name]
        if not _may_hold_persons(name, values):
            continue
        present = pd.Series(values).dropna()
        n_distinct = present.nunique()
        # Few values are a group of persons (patient: yes or no), not persons.
        if max(2, len(present) / 20) < n_distinct < len(present):
            sentences.append(
                Finding(
                    code="SD008",
                    what=f"column {name!r} has {n_distinct} values in {len(present)} rows",
                    remedy=f"if these are repeated measures, set {command('groups', name)}, so "
                    "that nobody is in two folds",
                )
            )
    return sentences


def _may_hold_persons(name: str, values: Values) -> bool:
    """Whether a column is of text or of whole numbers, none in most rows, and is no taxon.

    A measurement has fractions, a count has one usual value (zero), and Family in the name of a
    lineage (``k__Bacteria|f__Family_XI``) is a rank.
    """
    if re.search(r"[a-z]__|\||;", name):
        return False
    if isinstance(values, pd.Categorical):
        return True
    present = values[~np.isnan(values)]
    if not len(present) or np.any(present != np.floor(present)):
        return False
    return bool(np.unique(present, return_counts=True)[1].max() <= len(present) / 2)


def survival(columns: Mapping[str, Values], *, target: str, kind: TaskKind) -> list[Finding]:
    """Tell a target that is a time with an event beside it, or an event beside its time."""
    names = list(columns)
    events = [
        name
        for name in (names[place] for place in places_with(names, EVENT_WORDS))
        if pd.Series(columns[name]).nunique() == 2
    ]
    times = [
        name
        for name in (names[place] for place in places_with(names, TIME_WORDS))
        if isinstance(columns[name], np.ndarray) and np.nanmin(columns[name], initial=np.inf) >= 0
    ]
    if kind is TaskKind.REGRESSION and TIME_WORDS.intersection(words_of(target)) and events:
        return [
            Finding(
                code="SD028",
                what=f"target {target!r} with the column {events[0]!r} looks like survival times",
                remedy="a regression takes the times of censored rows for true ones. Better ask "
                "whether the event comes before a fixed time, and leave out rows censored earlier",
            )
        ]
    if kind is TaskKind.BINARY and EVENT_WORDS.intersection(words_of(target)) and times:
        return [
            Finding(
                code="SD028",
                what=f"target {target!r} with the column {times[0]!r} looks like survival data",
                remedy="the time is known only afterwards. Leave it out with "
                f"{command('drop', times[:1])} and mind rows censored early",
            )
        ]
    return []


def similar_classes(y: NDArray[np.generic], *, kind: TaskKind, target: str) -> list[Finding]:
    """Classes that differ in spelling only."""
    if kind is TaskKind.REGRESSION:
        return []
    return [
        Finding(
            code="SD005",
            what=f"classes {' and '.join(map(repr, sorted(names)))} of {target!r} differ in "
            "spelling only",
            remedy="are they one class?",
        )
        for names in similar(Counter(map(str, y)))
    ]


def _all_whole(values: NDArray[np.float64]) -> bool:
    """Whether these are distinct whole numbers, none missing."""
    return bool(
        not np.isnan(values).any()
        and np.all(values == np.floor(values))
        and len(np.unique(values)) == len(values)
    )


def _counts_rows(values: NDArray[np.float64], *, is_first: bool) -> bool:
    """Whether these are the numbers of the rows in their order, from 0 or 1.

    Numbers on the left of a table, where ids stand, may begin anywhere; elsewhere these are years.
    """
    start = values[0] if len(values) else np.nan
    if len(values) < N_COUNTED or not (start in (0, 1) or (is_first and start == np.floor(start))):
        return False
    return np.array_equal(values, np.arange(len(values), dtype=np.float64) + start)
