"""Features that describe no sample: numbers left as text, free text, handling, dates.

Step in the line: **files** -> Dataset. Each kind gives one finding; nothing is left out.
"""

import re
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.datasets.assembling import N_NAMES_SHOWN, listed
from smalldata.datasets.commands import command
from smalldata.datasets.naming import places_of, places_with
from smalldata.datasets.side_by_side import Features, Values
from smalldata.datasets.units import is_number, is_unit
from smalldata.datasets.vocabulary import COMMENT_NAMES, DATE_WORDS, HANDLING_NAMES
from smalldata.findings import Finding

MOSTLY = 0.8
"""Share of the texts of a column that must be what it is taken for."""

ROWS_OF_A_DOSE = 5
"""Rows of each text, on average, from which numbers with a unit are doses, not measurements."""

FEWEST_NUMBERS = 3
"""Different numbers, one with a fraction, among words that are values and not codes."""

FEWEST_TEXTS = 5
"""Different texts of a column by which it is judged."""

N_WORDS = 3
"""Words of a text, on average, that make it a sentence."""

N_MARKERS = 5
"""Words among numbers that are offered as missing."""

_MEASURED = re.compile(r"([+-]?\d+(?:[.,]\d+)?)\s*(?:±\s*\d+(?:[.,]\d+)?\s*)?(\D.*)?")
_MONTH = r"(?:jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-zé]*\.?"
_MONTH_AND_YEAR = re.compile(
    rf"{_MONTH}[ ./-]*(?:19|20)?\d\d|(?:19|20)\d\d[ ./-]+(?:{_MONTH}|0?[1-9]|1[0-2])"
    r"|(?:0?[1-9]|1[0-2])[./-](?:19|20)\d\d",
    re.IGNORECASE,
)
_SERIALS = (20_000, 60_000)  # 1954 to 2064, as a spreadsheet counts days
_N_PROBED = 5


def numbers_as_text(features: Features, confirmed: Collection[str] = ()) -> list[Finding]:
    """Columns of categories that hold numbers: with a unit in each cell, or among many words.

    Parameters
    ----------
    features : Features
    confirmed : collection of str
        Columns that the user calls categorical.

    Returns
    -------
    list of Finding
    """
    measured, mixed = [], {}
    for name, column in features.categorical.items():
        if name in confirmed or len(column.categories) < FEWEST_NUMBERS:
            continue
        if are_measured(column):
            measured.append(name)
        elif words := _words_among_numbers(list(map(str, column.categories))):
            mixed[name] = words
    words = list(dict.fromkeys(word for found in mixed.values() for word in found))
    missing = f", or take them as missing with {command('missing', words)}"
    told = [
        ("numbers with a unit or an error in the cell", measured, "write only the number"),
        (
            f"numbers and as many other texts ({listed(words)})" if words else "",
            list(mixed),
            f"write numbers or limits{missing if len(words) <= N_MARKERS else ''}",
        ),
    ]
    return [
        Finding(
            code="SD045",
            what=f"{_columns(names)} {what} and {'was' if len(names) == 1 else 'were'} read as "
            "categories",
            evidence=listed(names),
            remedy=f"{remedy}; if they are categories, say so with {_option('categorical', names)}",
        )
        for what, names, remedy in told
        if names
    ]


def handling(features: Features, confirmed: Collection[str] = ()) -> list[Finding]:
    """Columns that tell how samples were handled, free text, and dates.

    Parameters
    ----------
    features : Features
    confirmed : collection of str
        Columns that the user calls categorical.

    Returns
    -------
    list of Finding
        At most one of each kind.
    """
    names = list(features.columns)
    handled = [names[place] for place in places_of(names, HANDLING_NAMES)]
    called = {names[place] for place in places_of(names, COMMENT_NAMES)}
    texts = [
        name
        for name, column in features.categorical.items()
        if name not in confirmed and (name in called or _is_free_text(column))
    ]
    dates = [name for name in _dates(features) if name not in confirmed]
    recurring = [name for name in handled if _recurs(features.columns[name])]
    told = [
        (
            "SD046",
            ("tells", "tell"),
            "how samples were handled",
            handled,
            f"or have one as batch with {command('batch', recurring[0])}" if recurring else "",
        ),
        ("SD047", ("is", "are"), "free text", texts, ""),
        ("SD048", ("holds", "hold"), "dates", dates, "or make them ages or durations in the file"),
    ]
    return [
        Finding(
            code=code,
            what=(
                f"1 feature {verbs[0]}"
                if len(columns) == 1
                else f"{len(columns)} features {verbs[1]}"
            )
            + f" {what}",
            evidence=listed(columns),
            remedy=f"leave {'it' if len(columns) == 1 else 'them'} out with "
            + ", ".join(filter(None, [_option("drop", columns), beside])),
        )
        for code, verbs, what, columns, beside in told
        if columns
    ]


def _columns(names: Sequence[str]) -> str:
    return "1 column holds" if len(names) == 1 else f"{len(names)} columns hold"


def _option(key: str, names: Sequence[str]) -> str:
    return command(key, names) if len(names) <= N_NAMES_SHOWN else f"dataset.{key}"


def are_measured(column: pd.Categorical) -> bool:
    """Tell whether texts are numbers with a unit (``70.1 kg``) or an error (``0.62 ± 0.1``).

    Few that recur are doses.
    """
    texts = list(map(str, column.categories))
    n_present = int((column.codes >= 0).sum())
    if len(texts) * ROWS_OF_A_DOSE <= n_present or len(texts) < FEWEST_TEXTS:
        return False
    parts = [_MEASURED.fullmatch(text.strip()) for text in texts]
    return sum(_has_unit(part) for part in parts if part) >= MOSTLY * len(texts)


def _has_unit(part: re.Match[str]) -> bool:
    unit = part[2]
    return "±" in part[0] if unit is None else is_unit(unit.strip())


def _words_among_numbers(texts: Sequence[str]) -> list[str]:
    """Give the words of a column that has values among them; empty where it has none."""
    numbers = {text for text in texts if is_number(text)}
    has_fraction = any(re.search(r"\d[.,]\d", text) for text in numbers)
    if len(numbers) < FEWEST_NUMBERS or not has_fraction:
        return []
    return [text for text in texts if text not in numbers]


def _is_free_text(column: pd.Categorical) -> bool:
    """Whether nearly every text differs, and they are of several words."""
    texts = list(map(str, column.categories))
    n_present = int((column.codes >= 0).sum())
    if len(texts) < FEWEST_TEXTS or 2 * len(texts) <= n_present:
        return False
    n_words = [len(re.findall(r"[^\W\d_]{2,}", text)) for text in texts]
    return sum(n_words) >= N_WORDS * len(texts)


def _dates(features: Features) -> list[str]:
    """Find months and years, days without a sign between them, and days as a spreadsheet counts."""
    found = {
        name
        for name, column in features.categorical.items()
        if len(column.categories) >= FEWEST_NUMBERS
        and all(_MONTH_AND_YEAR.fullmatch(str(text)) for text in column.categories)
    }
    names = list(features.columns)
    called = {names[place] for place in places_with(names, DATE_WORDS)}
    probed = features.matrix[:_N_PROBED]
    may_be = ((probed > 19_000_000) & (probed < 21_000_000)).any(axis=0)
    for name in (features.numeric[place] for place in np.flatnonzero(may_be)):
        if _are_days(np.asarray(features.columns[name])):
            found.add(name)
    for name in called.difference(features.categorical):
        values = np.asarray(features.columns[name])
        present = values[~np.isnan(values)]
        if len(present) and present.min() > _SERIALS[0] and present.max() < _SERIALS[1]:
            found.add(name)
    return [name for name in names if name in found]


def _are_days(values: NDArray[np.float64]) -> bool:
    """Whether numbers are days as 20210304."""
    present = np.unique(values[~np.isnan(values)])
    if len(present) < FEWEST_NUMBERS or np.any(present != np.floor(present)):
        return False
    days = pd.to_datetime(pd.Series(present).map("{:.0f}".format), format="%Y%m%d", errors="coerce")
    return bool(days.notna().all() and present.min() > 19_000_000 and present.max() < 21_000_000)


def _recurs(values: Values) -> bool:
    present = pd.Series(values).dropna()
    return 1 < present.nunique() <= len(present) / 2
