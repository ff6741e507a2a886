"""Types columns of cells: float64, categorical, or refused with the cell that spoils it.

Step in the line: **files** -> Dataset.

Missing are, in any column and any case: an empty cell, NA, N/A, NaN, null, ``?``, ``.``, ``-``,
``--`` and a spreadsheet's errors (``#N/A``, ``#DIV/0!`` …); the word None only among numbers, since
as text it is often a category. True and False become 1 and 0. Numbers may have thousands separators
(``1,234.5``, ``1.234,5``, ``1 234``, ``1'234``) and, if all have it, a percent sign, which is taken
off (12 % is 12).
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.datasets.reading import Cells
from smalldata.datasets.vocabulary import MISSING_NUMBER, MISSING_TEXT
from smalldata.errors import DataError

_BOOLEAN = {"true": 1.0, "false": 0.0}
_DATE = re.compile(
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2}))"
    r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(?:Z|[+-]\d{2}:?\d{2})?"
)
_WHOLE = {
    ".": re.compile(r"[+-]?\d+(?:\.0+)?"),
    ",": re.compile(r"[+-]?\d+(?:,0+)?"),
}
_THOUSANDS = {
    ".": re.compile(r"[+-]?\d{1,3}(?:([, \u00a0\u202f'’])\d{3})(?:\1\d{3})*(?:\.\d+)?"),
    ",": re.compile(r"[+-]?\d{1,3}(?:([. \u00a0\u202f'’])\d{3})(?:\1\d{3})*(?:,\d+)?"),
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
    """

    values: NDArray[np.float64] | pd.Categorical
    is_date: bool = False
    was_percent: bool = False


def type_column(
    cells: Cells,
    *,
    decimal: str = ".",
    missing: Collection[str] = (),
    categorical: bool = False,
    where: Callable[[int], str] = str,
    name: str = "",
) -> TypedColumn:
    """Type one column.

    A column is numeric if every cell that is not missing is a number, text if no more than half of
    them are; between the two it is refused: a number with a sign beside it (``<0.5``, ``n/d``)
    would make categories of thousands of values.

    Parameters
    ----------
    cells : list of str or ndarray of float64
    decimal : str
        ``.`` or ``,``.
    missing : collection of str
        Further markers of a missing value.
    categorical : bool
        Take the cells as categories even if they are numbers.
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
    """
    if not isinstance(cells, list):
        if not categorical:
            return TypedColumn(values=_without_markers(cells, missing))
        cells = [label(cell) for cell in cells]
    if categorical:
        return TypedColumn(values=as_categories(cells, missing))
    numbers = _plain_numbers(cells, decimal=decimal, missing=missing)
    if numbers is not None:
        return TypedColumn(values=_without_markers(numbers, missing))
    typed = _type_slowly(cells, decimal=decimal, missing=missing, where=where, name=name)
    if isinstance(typed.values, np.ndarray):
        return replace(typed, values=_without_markers(typed.values, missing))
    return typed


def _plain_numbers(
    cells: list[str], *, decimal: str, missing: Collection[str]
) -> NDArray[np.float64] | None:
    """Fast path: all cells as floats, or None if one of them is anything else."""
    if decimal == "," and any("." in cell and cell not in MISSING_NUMBER for cell in cells):
        return None
    # Python reads 1_000 as a number; in a table it is a name.
    if "_" in "".join(cells):
        return None
    try:
        return np.array(cells, dtype=np.float64) if decimal == "." else _floats(cells, decimal)
    except ValueError:
        pass
    kept = ["nan" if cell.lower() in MISSING_NUMBER or cell in missing else cell for cell in cells]
    try:
        return _floats(kept, decimal)
    except ValueError:
        return None


def _without_markers(numbers: NDArray[np.float64], missing: Collection[str]) -> NDArray[np.float64]:
    """Numbers with NaN for those that the user calls missing (-999)."""
    markers = [
        number for number in (parse_number(marker, ".") for marker in missing) if number is not None
    ]
    return np.where(np.isin(numbers, markers), np.nan, numbers) if markers else numbers


def _floats(cells: list[str], decimal: str) -> NDArray[np.float64]:
    if decimal == ",":
        cells = [cell.replace(",", ".") for cell in cells]
    return np.array(cells, dtype=np.float64)


def _type_slowly(
    cells: list[str],
    *,
    decimal: str,
    missing: Collection[str],
    where: Callable[[int], str],
    name: str,
) -> TypedColumn:
    present = [
        (row, cell)
        for row, cell in enumerate(cells)
        if cell.lower() not in MISSING_NUMBER and cell not in missing
    ]
    if present and all(cell.lower() in _BOOLEAN for _, cell in present):
        values = np.full(len(cells), np.nan)
        for row, cell in present:
            values[row] = _BOOLEAN[cell.lower()]
        return TypedColumn(values=values)
    percent = bool(present) and all(cell.endswith("%") for _, cell in present)
    numbers = np.full(len(cells), np.nan)
    bad: list[tuple[int, str]] = []
    for row, cell in present:
        number = _without_percent(cell, decimal) if percent else parse_number(cell, decimal)
        if number is None:
            bad.append((row, cell))
        else:
            numbers[row] = number
    if not bad:
        return TypedColumn(values=numbers, was_percent=percent)
    row, cell = bad[0]
    if len(bad) * 2 < len(present):
        others = f" ({len(bad)} such cells in all)" if len(bad) > 1 else ""
        raise DataError(
            f"a numeric column must hold numbers only; {name!r} has {shown(cell)} in "
            f"{where(row)}{others}. Correct it, or take it as missing with "
            f"dataset.missing=[{shown(cell)}], or take the "
            f"column as categories with dataset.categorical=['{name}']."
        )
    if all(_without_percent(cell, decimal) is not None for _, cell in bad):
        raise DataError(
            f"all numbers of a column must have a percent sign, or none; {name!r} has "
            f"{shown(cell)} in {where(row)}. Correct it, or take the column as categories with "
            f"dataset.categorical=['{name}']."
        )
    other = "." if decimal == "," else ","
    n_other = sum(_without_percent(cell, other) is not None for _, cell in bad)
    if n_other == len(bad) or n_other * 2 > len(present):
        raise DataError(
            f"numbers must have one decimal sign; {name!r} has {shown(cell)} in {where(row)}, "
            "while "
            f"the decimal sign is {decimal!r}. Name the right one with dataset.decimal, or take "
            f"the column as categories with dataset.categorical=['{name}']."
        )
    dates = all(_DATE.fullmatch(cell) for _, cell in present)
    return TypedColumn(values=as_categories(cells, missing), is_date=dates)


def parse_number(cell: str, decimal: str) -> float | None:
    """One number; thousands separators and the typographic minus sign are allowed.

    Examples
    --------
    >>> parse_number("1.234,5", ","), parse_number("1,234.5", ","), parse_number("a", ",")
    (1234.5, None, None)
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


def as_categories(cells: list[str], missing: Collection[str] = ()) -> pd.Categorical:
    """Text as sorted categories; missing markers of text are NaN."""
    marks = text_markers(cells).union(missing)
    kept = [None if cell in marks or cell.lower() in marks else cell for cell in cells]
    categories = sorted({cell for cell in kept if cell is not None})
    return pd.Categorical(kept, categories=pd.Index(categories, dtype="str"))


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
        return [label(cell) for cell in cells]
    present = [cell for cell in cells if cell.lower() not in MISSING_TEXT]
    whole = _WHOLE[decimal]
    if present and all(whole.fullmatch(cell) for cell in present):
        return [cell.split(decimal)[0] if whole.fullmatch(cell) else cell for cell in cells]
    return list(cells)
