"""What a cell among numbers is: a number, a limit of detection, a flagged number, or a word.

Step in the line: **files** -> Dataset. A word that is both a limit and a missing value (ND: not
detected, not done) is a limit among numbers, since that is what laboratories mean by it, and a word
among zeros and ones; ``dataset.missing=[ND]`` overrules it. Undetermined is neither: a cycle of
qPCR that was not reached is a *large* value.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets.vocabulary import ABOVE_WORDS, BELOW_WORDS, LIMIT_NAMES

Side = Literal["below", "above"]
Kind = Literal["number", "below", "above", "flag", "letter", "word"]

_SIGNS = {
    **dict.fromkeys("＜≤≦⩽", "<"),
    **dict.fromkeys("＞≥≧⩾", ">"),
    "\u00a0": " ",
    "\u202f": " ",
    "\u2212": "-",
}
_TABLE = str.maketrans(_SIGNS)
_PARTS = re.compile(
    r"(?P<head>\D*?)"
    r"(?P<number>[-+]?(?:\d(?:[\d.,'’]| (?=\d{3}))*|[.,]\d+)(?:[eE][-+]?\d+)?)"
    r"(?P<rest>\D*)"
)
_SIGN = r"[*†‡§¶#^~!?$&|°ªº¹²³⁴⁵≈•↑↓▲▼]"
_BRACKETED = rf"(?:[A-Za-z]|{_SIGN}){{1,3}}"
_FLAG = re.compile(rf"{_SIGN}{{1,3}}[A-Za-z]?|\({_BRACKETED}\)|\[{_BRACKETED}\]")
BRACKETS = ("()", "[]")
"""Around a number: a flag in laboratories, but a minus sign in accounts."""
# One or two letters may also be a part of a name (well 12A): see `columns`.
_LETTER = re.compile(rf"(?:[A-Za-zµ]{{1,2}}|\+{{1,3}})(?:{_SIGN})?")
N_LETTERS_LIMIT = 3
"""Letters of a word for a limit behind a number; fewer are a flag."""
# Before a number alone; by themselves they are words.
_HEADS: dict[str, Side] = {"lt": "below", "gt": "above", "more": "above", "less": "below"}
# Behind a limit a flag or a unit may stand.
_BEHIND = re.compile(r"[\w\s*†‡#%/().\[\]µ^-]{0,10}")


@dataclass(frozen=True, kw_only=True)
class ReadCell:
    """What one cell is.

    Attributes
    ----------
    kind : str
        ``number``; ``below`` or ``above`` a limit; ``flag`` (a number with a sign beside it);
        ``letter`` (one with one or two letters); ``word`` (anything else).
    number : float or None
        The number, or the limit that the cell states.
    sign : str
        The flag.
    """

    kind: Kind
    number: float | None = None
    sign: str = ""


FACTOR = {"half": 0.5, "value": 1.0}
"""What share of a limit a value below it gets."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Met:
    """What a column holds beside plain numbers.

    Attributes
    ----------
    missing, below, above, flags, words : Counter of str
        Cells that are missing values, below or above a limit, the flags of numbers, other text.
    is_below, below_unknown, above_unknown : ndarray of bool, shape (n_rows,), optional
        Cells below a limit, and those below or above one that they do not state; these are NaN
        among the values.
    n_zeros : int
        Zeros that were taken as missing.
    first : tuple of int and str, optional
        Row and text of the first cell that no option says what to do with.
    unsettled : tuple of str
        Of ``below``, ``flags`` and ``words`` those that hold such cells.
    """

    missing: Counter[str] = field(default_factory=Counter)
    below: Counter[str] = field(default_factory=Counter)
    above: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    is_below: NDArray[np.bool_] | None = None
    below_unknown: NDArray[np.bool_] | None = None
    above_unknown: NDArray[np.bool_] | None = None
    n_zeros: int = 0
    first: tuple[int, str] | None = None
    unsettled: tuple[str, ...] = ()

    def __add__(self, other: "Met") -> "Met":
        """Count what was taken as missing, or off numbers, in two columns of one name together."""
        return replace(
            self,
            missing=self.missing + other.missing,
            flags=self.flags + other.flags,
            n_zeros=self.n_zeros + other.n_zeros,
        )


NOTHING = Met()

PART: dict[Kind, str] = {
    "below": "below",
    "above": "below",
    "flag": "flags",
    "letter": "flags",
    "word": "words",
}
"""What of `Met.unsettled` a cell that is not a number belongs to."""


def read_cell(cell: str, parse: Callable[[str], float | None]) -> ReadCell:
    """Tell what a cell among numbers is.

    Parameters
    ----------
    cell : str
        Not missing.
    parse : callable
        Gives the number that a text is, or None.

    Examples
    --------
    >>> def parse(text):
    ...     return float(text) if text.replace(".", "").isdigit() else None
    >>> cells = ["1.5", "<LOD", "< 0.05", "> 500", "12.3*", "5.1a", "n.d.", "high"]
    >>> [(read_cell(cell, parse).kind, read_cell(cell, parse).number) for cell in cells[:4]]
    [('number', 1.5), ('below', None), ('below', 0.05), ('above', 500.0)]
    >>> [read_cell(cell, parse).kind for cell in cells[4:]]
    ['flag', 'letter', 'below', 'word']
    """
    number = parse(cell)
    if number is not None:
        return ReadCell(kind="number", number=number)
    text = cell.replace("&lt;", "<").replace("&gt;", ">").translate(_TABLE).strip()
    side = _side(_key(text))
    if side is not None:
        return ReadCell(kind=side)
    parts = _PARTS.fullmatch(text)
    if parts is None:
        return ReadCell(kind="word")
    number = parse(parts["number"])
    head, rest = parts["head"].strip(), parts["rest"].strip()
    side = _HEADS.get(_key(head)) or _side(_key(head)) if head else None
    if side is not None and _BEHIND.fullmatch(rest):
        number = _with_any_comma(parts["number"], parse) if number is None else number
        return ReadCell(kind="word") if number is None else ReadCell(kind=side, number=number)
    side = _side(_key(rest)) if not head and len(_key(rest)) >= N_LETTERS_LIMIT else None
    if number is not None and side is not None:  # 0.1 (LOD)
        return ReadCell(kind=side, number=number)
    if number is None or (bool(head) == bool(rest) and head + rest not in BRACKETS):
        return ReadCell(kind="word")
    sign = head + rest
    if sign in BRACKETS or _FLAG.fullmatch(sign):
        return ReadCell(kind="flag", number=number, sign=sign)
    if _LETTER.fullmatch(sign) and sign not in ("e", "E"):  # 12E is half of a number
        return ReadCell(kind="letter", number=number, sign=sign)
    return ReadCell(kind="word")


def is_vague(cell: str) -> bool:
    """Tell whether a cell below a limit might mean something else, as ``ND`` and ``trace`` do."""
    return not any(sign in cell for sign in "<≤L") and not any(c.isdigit() for c in cell)


def _side(key: str) -> Side | None:
    """Tell whether letters and the signs < and > say below or above a limit."""
    if key in BELOW_WORDS or (key[:1] == "<" and key[1:] in LIMIT_NAMES | {""}):
        return "below"
    if key in ABOVE_WORDS or (key[:1] == ">" and key[1:] in LIMIT_NAMES | {""}):
        return "above"
    if key[-1:] in ("<", ">") and key[:-1] in BELOW_WORDS | {"oor", "outofrange"}:
        return "below" if key[-1] == "<" else "above"
    return None


def _key(text: str) -> str:
    """Letters of a text without accents, lower case, with < and >, one for several."""
    plain = unicodedata.normalize("NFD", text.lower())
    if any(letter.isdigit() for letter in plain):
        return "\x00"  # a name with a number in it
    return re.sub(r"([<>])=?\1*", r"\1", "".join(c for c in plain if c.isalpha() or c in "<>"))


def _with_any_comma(text: str, parse: Callable[[str], float | None]) -> float | None:
    """Read a limit written with the other decimal sign (``< 0,05`` in a table with points)."""
    if text.count(",") + text.count(".") != 1:
        return None
    swapped = text.replace(",", ".") if "," in text else text.replace(".", ",")
    return parse(swapped)


def put_cells(
    values: NDArray[np.float64],
    rows: list[tuple[int, str]],
    found: Mapping[str, ReadCell],
    *,
    factor: float | None,
) -> Met:
    """Put flagged numbers and stated limits among the values, and note all other cells.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Changed in place.
    rows : list of tuple of int and str
        Rows and texts of the cells that are not plain numbers.
    found : mapping of str to ReadCell
    factor : float, optional
        Share of the limit that a value below it gets; None: it stays missing.
    """
    parts = {part: Counter[str]() for part in (*PART.values(), "above")}
    below, above, unknown = np.zeros((3, len(values)), dtype=bool)
    for row, cell in rows:
        read = found[cell]
        parts["above" if read.kind == "above" else PART[read.kind]][read.sign or cell] += 1
        below[row], above[row] = read.kind == "below", read.kind == "above"
        unknown[row] = read.number is None
        if read.number is not None and read.kind != "below":
            values[row] = read.number
        elif read.number is not None and factor is not None:
            values[row] = factor * read.number
    learns = factor is not None
    return Met(
        below=parts["below"],
        above=parts["above"],
        flags=parts["flags"],
        words=parts["words"],
        is_below=below if parts["below"] else None,
        below_unknown=below & unknown if learns and (below & unknown).any() else None,
        above_unknown=above & unknown if learns and (above & unknown).any() else None,
    )
