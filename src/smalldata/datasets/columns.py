"""Types columns of cells: float64, categorical, or refused with the cell that spoils it.

Step in the line: **files** -> Dataset.

Missing are, in any column and any case: an empty cell, NA, N/A, NaN, null, ``?``, ``.``, ``-``,
``--`` and a spreadsheet's errors (``#N/A``, ``#DIV/0!`` …); words such as None only among numbers,
since as text they are often categories. True and False become 1 and 0. Numbers may have thousands
separators (``1,234.5``, ``1.234,5``, ``1 234``, ``1'234``) and, if all have it, a percent sign,
which is taken off (12 % is 12). What else stands among numbers is told apart by `detection`, and
gathered for the whole table by `marks`.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.datasets.commands import command
from smalldata.datasets.detection import (
    FACTOR,
    NOTHING,
    PART,
    Met,
    ReadCell,
    is_vague,
    put_cells,
    read_cell,
)
from smalldata.datasets.raw import Cells
from smalldata.datasets.vocabulary import MISSING_NUMBER, MISSING_SILENT, MISSING_TEXT
from smalldata.errors import DataError

# Missing values as they mostly are, tried first.
_USUAL = frozenset(("", "NA", "NaN", "nan"))
MIN_MET_CODE = 5
"""Rows of a value, on average, from which a column of nothing but flagged numbers holds codes."""
_BOOLEAN = {"true": 1.0, "false": 0.0}
_DATE = re.compile(
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2}))"
    r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(?:Z|[+-]\d{2}:?\d{2})?"
)
_WHOLE = {
    ".": re.compile(r"[+-]?\d+(?:\.0+)?"),
    ",": re.compile(r"[+-]?\d+(?:,0+)?"),
}
THREE_PLACES = {sign: re.compile(rf"[+-]?[1-9]\d{{0,2}}\{sign}\d{{3}}") for sign in ",."}
_THOUSANDS = {
    ".": re.compile(r"[+-]?[1-9]\d{0,2}(?:([, \u00a0\u202f'’])\d{3})(?:\1\d{3})*(?:\.\d+)?"),
    ",": re.compile(r"[+-]?[1-9]\d{0,2}(?:([. \u00a0\u202f'’])\d{3})(?:\1\d{3})*(?:,\d+)?"),
}


@dataclass(frozen=True, kw_only=True)
class TypedColumn:
    """One column with its type.

    Attributes
    ----------
    values : ndarray of float64, or pandas Categorical
    is_date : bool
        The cells were dates; the values are then text.
    was_percent : bool
        Percent signs were taken off.
    is_boolean : bool
        The cells were true and false.
    met : Met
        What else there was.
    """

    values: NDArray[np.float64] | pd.Categorical
    is_date: bool = False
    was_percent: bool = False
    is_boolean: bool = False
    met: Met = NOTHING


def type_column(
    cells: Cells,
    *,
    decimal: str = ".",
    missing: Collection[str] = (),
    categorical: bool = False,
    below_detection: str | None = None,
    strip_flags: bool = False,
    zeros_missing: bool = False,
    gather: bool = False,
    where: Callable[[int], str] = str,
    name: str = "",
) -> TypedColumn:
    """Type one column.

    Values below or above a limit, and flagged numbers, count as numbers. A column is numeric if
    more than half of its other cells are numbers, too; then every cell must be one: a number with a
    sign beside it (``<0.5``, ``n/d``) would make categories of thousands of values. It is text if
    there is no number in it, unless all it holds are values below a limit. One or two letters
    beside a number (``5a``) are a flag only where more numbers have none; where all numbers have a
    flag and recur (``1 (yes)``), they are codes.

    Parameters
    ----------
    cells : list of str or ndarray of float64
    decimal : str
        ``.`` or ``,``.
    missing : collection of str
        Further markers of a missing value.
    categorical : bool
        Take the cells as categories even if they are numbers.
    below_detection : str, optional
        ``missing``, ``half`` or ``value``: what a value below a limit is.
    strip_flags : bool
        Take flags off numbers.
    zeros_missing : bool
        Take zeros as missing, but for columns of 0 and 1.
    gather : bool
        Give what stands among numbers instead of refusing it.
    where : callable
        Names a row by its position, for the sentence.
    name : str
        Name of the column, for the sentence.

    Returns
    -------
    TypedColumn

    Raises
    ------
    DataError
        If text stands among numbers.

    Examples
    --------
    >>> type_column(["1,5", "NA", "-2"], decimal=",").values.tolist()
    [1.5, nan, -2.0]
    >>> type_column(["1.5", "< 0.2", "3"], below_detection="half").values.tolist()
    [1.5, 0.1, 3.0]
    """
    if categorical:
        texts = cells if isinstance(cells, list) else [label(cell) for cell in cells]
        return TypedColumn(values=as_categories(texts, missing, decimal=decimal))
    if isinstance(cells, list):
        plain = _plain_numbers(cells, decimal=decimal, missing=missing)
        typed = plain or _type_slowly(
            cells,
            rules=_Rules(
                decimal=decimal,
                missing=missing,
                below_detection=below_detection,
                strip_flags=strip_flags,
                gather=gather,
            ),
            where=where,
            name=name,
        )
    else:
        typed = TypedColumn(values=cells)
    if not isinstance(typed.values, np.ndarray):
        return typed
    typed = _without_markers(typed, missing)
    values = np.asarray(typed.values)
    if zeros_missing and not typed.is_boolean and (values == 0).any():
        return _without_zeros(typed)
    return typed


def _without_zeros(typed: TypedColumn) -> TypedColumn:
    values = np.asarray(typed.values)
    if np.isin(values[~np.isnan(values)], (0.0, 1.0)).all():
        return typed
    zero = values == 0
    met = replace(typed.met, n_zeros=int(zero.sum()))
    return replace(typed, values=np.where(zero, np.nan, values), met=met)


def _plain_numbers(
    cells: list[str], *, decimal: str, missing: Collection[str]
) -> TypedColumn | None:
    """Fast path: all cells as floats, or None if one of them is anything else."""
    if decimal == "," and any("." in cell and cell not in MISSING_NUMBER for cell in cells):
        return None
    # Python reads 1_000 as a number; in a table it is a name.
    has_underscore = "_" in "".join(cells)
    if not has_underscore:
        try:
            return TypedColumn(values=_floats(cells, decimal))
        except ValueError:
            pass
        with suppress(ValueError):
            return TypedColumn(values=_floats(_emptied(cells, _USUAL), decimal))
    marks = {cell for cell in set(cells) if cell.lower() in MISSING_NUMBER}
    marks |= named_missing(cells, missing, decimal=decimal)
    kept = _emptied(cells, marks)
    if not marks or (has_underscore and "_" in "".join(kept)):
        return None
    try:
        numbers = _floats(kept, decimal)
    except ValueError:
        return None
    return TypedColumn(values=numbers, met=_met_missing(cells, marks))


def _emptied(cells: list[str], marks: Collection[str]) -> list[str]:
    return ["nan" if cell in marks else cell for cell in cells]


def _met_missing(cells: list[str], marks: Collection[str]) -> Met:
    """Count the markers of missing values, if there are others than those that all know."""
    if all(mark.lower() in MISSING_SILENT for mark in marks):
        return NOTHING
    return Met(missing=Counter({mark: cells.count(mark) for mark in sorted(marks) if mark}))


def named_missing(
    cells: Collection[str], missing: Collection[str], *, decimal: str = "."
) -> set[str]:
    """Those cells that a user calls missing: words in any case, numbers in any spelling.

    Examples
    --------
    >>> sorted(named_missing(["-999,0", "x", "5"], ["-999", "X"], decimal=","))
    ['-999,0', 'x']
    """
    if not missing:
        return set()
    words = {entry.lower() for entry in missing}
    distinct = set(cells)
    named = {cell for cell in distinct if cell.lower() in words}
    if numbers := missing_numbers(missing):
        quick = _quick_numbers(distinct, decimal)
        others = {cell: parse_number(cell, decimal) for cell in distinct.difference(quick)}
        named |= {cell for cell, number in [*quick.items(), *others.items()] if number in numbers}
    return named


def missing_numbers(missing: Collection[str]) -> list[float]:
    """Return the numbers among what a user calls missing."""
    numbers = (parse_number(entry, ".") for entry in missing)
    return [number for number in numbers if number is not None]


def _without_markers(typed: TypedColumn, missing: Collection[str]) -> TypedColumn:
    """Take out the numbers that the user calls missing (-999), and count them."""
    values = np.asarray(typed.values)
    numbers = missing_numbers(missing)
    absent = np.isin(values, numbers)
    if not numbers or not absent.any():
        return typed
    found = Counter(map(label, values[absent].tolist()))
    met = replace(typed.met, missing=typed.met.missing + found)
    return replace(typed, values=np.where(absent, np.nan, values), met=met)


def _floats(cells: list[str], decimal: str) -> NDArray[np.float64]:
    if decimal == ",":
        cells = [cell.replace(",", ".") for cell in cells]
    return np.array(cells, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class _Rules:
    """What a user says about the cells of a column."""

    decimal: str
    missing: Collection[str]
    below_detection: str | None
    strip_flags: bool
    gather: bool


def _type_slowly(
    cells: list[str], *, rules: _Rules, where: Callable[[int], str], name: str
) -> TypedColumn:
    counts = Counter(cells)
    marks = {cell for cell in counts if cell.lower() in MISSING_NUMBER}
    marks |= named_missing(counts, rules.missing, decimal=rules.decimal)
    for mark in marks:
        del counts[mark]
    if counts and all(cell.lower() in _BOOLEAN for cell in counts):
        values = np.array([_BOOLEAN.get(cell.lower(), np.nan) for cell in cells])
        return TypedColumn(values=values, is_boolean=True, met=_met_missing(cells, marks))
    numbers = _quick_numbers(counts, rules.decimal)
    others = [cell for cell in counts if cell not in numbers]
    with_digits = [cell for cell in others if any(letter.isdigit() for letter in cell)]
    percent = not numbers and bool(with_digits) and all(cell[-1] == "%" for cell in with_digits)
    parse = partial(_without_percent if percent else parse_number, decimal=rules.decimal)
    _check_groups(others, numbers, decimal=rules.decimal, name=name)
    found = {}
    for cell in others:
        read = read_cell(cell, parse)
        if read.kind == "number" and read.number is not None:
            numbers[cell] = read.number
        else:
            found[cell] = read
    if numbers and set(numbers.values()) <= {0.0, 1.0}:
        # Next to yes and no, ND is not done.
        vague = [cell for cell, read in found.items() if read.kind == "below" and is_vague(cell)]
        found |= dict.fromkeys(vague, ReadCell(kind="word"))
    rows = [(row, cell) for row, cell in enumerate(cells) if cell in found]
    if not _is_numeric(found, counts, rules):
        n_present = counts.total()
        if rows:
            _check_signs(rows, n_present, rules=rules, where=where, name=name)
        return TypedColumn(
            values=as_categories(cells, rules.missing, decimal=rules.decimal),
            is_date=not numbers and all(_DATE.fullmatch(cell) for cell in found),
            met=_met_missing(cells, marks_of_text(cells, rules.missing, decimal=rules.decimal)),
        )
    values = np.array([numbers.get(cell, np.nan) for cell in cells])
    met = put_cells(values, rows, found, factor=FACTOR.get(rules.below_detection or ""))
    unsettled = {
        "below": bool(met.below or met.above) and rules.below_detection is None,
        "flags": bool(met.flags) and not rules.strip_flags,
        "words": bool(met.words),
    }
    left = [what for what, is_left in unsettled.items() if is_left]
    met = replace(met, missing=_met_missing(cells, marks).missing, unsettled=tuple(left))
    if left:
        bad = [(row, cell) for row, cell in rows if PART[found[cell].kind] in left]
        if words := [(row, cell) for row, cell in bad if found[cell].kind == "word"]:
            _check_signs(words, counts.total(), rules=rules, where=where, name=name)
        if not rules.gather:
            _refuse(bad, where=where, name=name)
        met = replace(met, first=bad[0])
    return TypedColumn(values=values, was_percent=percent, met=met)


def _check_groups(
    others: Collection[str], numbers: Collection[str], *, decimal: str, name: str
) -> None:
    """Refuse ``1,234`` beside ``1.234``: one of them is read as a thousand times as much."""
    signs = {decimal: numbers, "," if decimal == "." else ".": others}
    found = {
        sign: next((cell for cell in cells if THREE_PLACES[sign].fullmatch(cell)), None)
        for sign, cells in signs.items()
    }
    if all(found.values()):
        raise DataError(
            f"numbers must have one decimal sign; {name!r} has {shown(found[','] or '')} and "
            f"{shown(found['.'] or '')}. Write all of them with the same sign, or take the column "
            f"as categories with {command('categorical', [name])}."
        )


def _quick_numbers(cells: Collection[str], decimal: str) -> dict[str, float]:
    """Numbers without anything special, which most cells are."""
    numbers = {}
    for cell in cells:
        if "_" in cell or (decimal == "," and "." in cell):
            continue
        try:  # a third of the time of suppress
            numbers[cell] = float(cell.replace(",", ".") if decimal == "," else cell)
        except ValueError:
            continue
    return numbers


def _is_numeric(found: Mapping[str, ReadCell], counts: Counter[str], rules: _Rules) -> bool:
    """Whether a column is numeric; numbers with letters that are names become words."""
    n: Counter[str] = Counter()
    for cell, read in found.items():
        n[read.kind] += counts[cell]
    n_numbers = counts.total() - n.total() + n["flag"]
    all_flagged = n["flag"] and n_numbers == n["flag"] and not rules.strip_flags
    if all_flagged and len(counts) <= counts.total() / MIN_MET_CODE:
        return False  # 0 (no) and 1 (yes) are codes
    if n["letter"] < n_numbers:
        n_numbers += n["letter"]
    else:
        n["word"] += n["letter"]
    if n_numbers or not counts:
        return n["word"] < n_numbers or not counts
    if not n["below"] or n["word"] or n["above"]:
        return False
    # All are below a limit, unless all is ND or trace, which may be a category.
    return rules.below_detection is not None or not all(is_vague(cell) for cell in found)


def _refuse(bad: list[tuple[int, str]], *, where: Callable[[int], str], name: str) -> NoReturn:
    row, cell = bad[0]
    others = f" ({len(bad)} such cells in all)" if len(bad) > 1 else ""
    raise DataError(
        f"a numeric column must hold numbers only; {name!r} has {shown(cell)} in "
        f"{where(row)}{others}. Correct it, or take it as missing with "
        f"{command('missing', [cell])}, or take the "
        f"column as categories with {command('categorical', [name])}."
    )


def _check_signs(
    bad: list[tuple[int, str]],
    n_present: int,
    *,
    rules: _Rules,
    where: Callable[[int], str],
    name: str,
) -> None:
    """Refuse cells that are numbers but for their percent or decimal sign."""
    row, cell = bad[0]
    if all(_without_percent(cell, rules.decimal) is not None for _, cell in bad):
        raise DataError(
            f"all numbers of a column must have a percent sign, or none; {name!r} has "
            f"{shown(cell)} in {where(row)}. Correct it, or take the column as categories with "
            f"{command('categorical', [name])}."
        )
    other = "." if rules.decimal == "," else ","
    n_other = sum(_without_percent(cell, other) is not None for _, cell in bad)
    if n_other == len(bad) or n_other * 2 > n_present:
        raise DataError(
            f"numbers must have one decimal sign; {name!r} has {shown(cell)} in {where(row)}, "
            "while "
            f"the decimal sign is {rules.decimal!r}. Name the right one with dataset.decimal, or "
            f"take the column as categories with {command('categorical', [name])}."
        )


def parse_number(cell: str, decimal: str) -> float | None:
    """One number; thousands separators and the typographic minus sign are allowed.

    Examples
    --------
    >>> parse_number("1.234,5", ","), parse_number("1,234.5", ","), parse_number("a", ",")
    (1234.5, None, None)
    >>> parse_number("1.234", ","), parse_number("0.234", ",")  # no group begins with a zero
    (1234.0, None)
    """
    cell = cell.replace("\u2212", "-")
    if match := _THOUSANDS[decimal].fullmatch(cell):
        cell = cell.replace(match[1], "")
    elif decimal == "," and "." in cell:
        return None
    if "_" in cell:
        return None
    try:
        return float(cell.replace(",", ".") if decimal == "," else cell)
    except ValueError:
        return None


def _without_percent(cell: str, decimal: str) -> float | None:
    return parse_number(cell.removesuffix("%").strip(), decimal)


def as_categories(
    cells: list[str], missing: Collection[str] = (), *, decimal: str = "."
) -> pd.Categorical:
    """Text as sorted categories; missing markers of text are NaN."""
    marks = marks_of_text(cells, missing, decimal=decimal)
    kept = [None if cell in marks else cell for cell in cells]
    categories = sorted({cell for cell in kept if cell is not None})
    return pd.Categorical(kept, categories=pd.Index(categories, dtype="str"))


def marks_of_text(
    cells: Collection[str], missing: Collection[str] = (), *, decimal: str = "."
) -> set[str]:
    """Those cells of a column of text that are missing."""
    marks = text_markers(cells)
    usual = {cell for cell in set(cells) if cell.lower() in marks}
    return usual | named_missing(cells, missing, decimal=decimal)


def text_markers(cells: Collection[str]) -> frozenset[str]:
    """Markers of a missing value in a column of text; beside ``+`` the sign ``-`` is a category."""
    return MISSING_TEXT - {"-"} if "+" in cells else MISSING_TEXT


def shown(cell: str, n_characters: int = 40) -> str:
    """Quote a cell for a sentence, printable and not too long."""
    return repr(cell if len(cell) <= n_characters else cell[:n_characters] + "…")


def label(value: str | float) -> str:
    """Write a class, id or group as text: 2.0 is ``2``, NaN is empty."""
    if isinstance(value, str):
        return value
    if np.isnan(value):
        return ""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def labels(cells: Cells, *, decimal: str = ".") -> list[str]:
    """Cells of a column of classes, ids or groups as text; among whole numbers ``1.0`` is ``1``."""
    if not isinstance(cells, list):
        if np.all(np.abs(cells) < 2**53) and np.all(cells == np.floor(cells)):
            return list(map(str, cells.astype(np.int64).tolist()))
        return [label(cell) for cell in cells]
    present = [cell for cell in cells if cell.lower() not in MISSING_TEXT]
    whole = _WHOLE[decimal]
    if present and all(whole.fullmatch(cell) for cell in present):
        return [cell.split(decimal)[0] if whole.fullmatch(cell) else cell for cell in cells]
    return list(cells)
