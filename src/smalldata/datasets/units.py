"""Tells rows of units, of types and of descriptions from rows of samples.

Step in the line: **files** -> Dataset. Such a row stands right below the header. Where columns are
numeric below it, it holds no number; and its id is empty, or says what the row is (``units``,
``#q2:types``). A sample, however little was measured in it, has an id and no units. Descriptions
may have an id (``Record ID``) where all numeric columns have one and no entry occurs again below.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from smalldata.datasets.detection import read_cell
from smalldata.datasets.naming import plain_name
from smalldata.datasets.text import NUMBER
from smalldata.datasets.vocabulary import MISSING_TEXT

MOSTLY = 0.8
"""Share of the cells that must be what their row or column is taken for."""

HALF = 0.5
"""Share of units among the texts of a row without an id; the others are units nobody listed."""

N_LETTERS_DESCRIBED = 8
"""Texts are descriptions, not labels, if they are longer than this on average, and differ."""


FEWEST_DESCRIBED = 3
"""Texts that a row of descriptions has at least."""


@dataclass(frozen=True, kw_only=True)
class BelowHeader:
    """A row below the header that is no sample.

    Attributes
    ----------
    kind : str
        ``units``, ``types`` or ``descriptions``.
    cells : list of str
    line : int
        Where it stands in the file.
    """

    kind: str
    cells: list[str]
    line: int


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TAGS = {
    "units": _words("""
        unit units uom unitofmeasure unitofmeasurement measurementunit einheit einheiten unite
        unites unidad unidades unita eenheid eenheden enhet si siunit siunits
    """),
    "types": _words("type types datatype datatypes dtype dtypes columntype q2types vartype format"),
    "descriptions": _words("""
        description descriptions descr desc label labels longname fullname meaning explanation
        definition definitions comment comments
    """),
}

TYPES = _words("""
    categorical numeric numerical number float float32 float64 double int int32 int64 integer str
    string text char character factor bool boolean logical continuous discrete ordinal nominal
    binary date datetime time object id identifier meta metadata class target feature quantitative
    qualitative c d s num dbl chr lgl fct ord cat var varchar decimal real scale bigint
    zahl nombre texte texto numero numerisch kategorisch
""")
"""Words for the type of a column, lower case: of QIIME 2, Orange, pandas, R, SQL, SPSS."""

_FLAGS = _words("class meta ignore i m c target feature")
_CATEGORICAL = _words("categorical factor nominal discrete fct cat")

_BASE = "|".join(
    (
        r"[fpnuµμmcdk]?(?:g|mol|m|l|iu|u|da|eq|osm|cal|j|v|a|s|hz|bp|b|pa)(?:[²³23]|\^?-\d|\^\d)?",
        r"%|‰|percent|pct|permil|ppm|ppb|ppt|ph|°?[cfk]|\[?a\.?\s?u\.?\]?|arb\.?\s?units?|units?",
        r"log|ln|log2|log10|-?log(?:2|10)?|z-?scores?|scores?|ratio|fold|fc|index|relative|rel",
        r"counts?|reads?|cpm|tpm|fpkm|rpkm|npx|rfu|mfi|fu|od|intensity|area|abundance|copies|cells?",
        r"min|sec|h|hr|hrs|hours?|minutes?|seconds?|d|days?|weeks?|wk|months?|mo|years?|yrs?|y",
        r"mm ?hg|bpm|kg|mg|mosm|meq|titer|titre|n|sd|se|dimensionless|none|1",
        r"x?10(?:[\^*e]\d+)?|1e\d+",
        r"arbitrary|log(?:2|10)?\([a-z ]+\)|ln\([a-z ]+\)",
        r"protein|creatinine|tissue|dw|fw|wt|dry weight|wet weight|of|per|sample|mass|weight",
    )
)
_ONE = rf"(?:(?:1|1\.73|100) ?)?(?:{_BASE})"
_UNIT = re.compile(
    rf"(?:in )?[\[(]?\s*{_ONE}(?:\s*[/·⋅*.\s^x×-]\s*\(?{_ONE}\)?)*\s*[\])]?", re.IGNORECASE
)

# Parts of units that are names or labels where they stand alone (WT: wild type).
_NOT_ALONE = _words("protein creatinine tissue dw fw wt of per sample mass weight none n sd se")


def is_number(cell: str) -> bool:
    """Whether a cell is a number, also one in percent or with separated thousands."""
    if NUMBER.fullmatch(cell):
        return True
    if not cell or cell[-1:].isalpha():
        return False
    return (
        NUMBER.fullmatch(re.sub(r"(?<=\d)[,.'’ \u00a0\u202f](?=\d{3})|\s?%$", "", cell)) is not None
    )


def is_value(cell: str) -> bool:
    """Whether a cell is a number or says that the value is below or above a limit.

    Examples
    --------
    >>> [is_value(cell) for cell in ("1.5", "<LOD", "< 0,05", "n.d.", "case")]
    [True, True, True, True, False]
    """
    return is_number(cell) or read_cell(cell, _any_number).kind in ("below", "above")


def _any_number(text: str) -> float | None:
    return 0.0 if is_number(text) else None


def is_missing(cell: str) -> bool:
    """Whether a cell is empty or a usual marker of a missing value."""
    return cell.lower() in MISSING_TEXT


def is_unit(cell: str) -> bool:
    """Whether a text is a unit of measurement.

    Examples
    --------
    >>> [is_unit(cell) for cell in ("mg/L", "10^9/L", "a.u.", "control", "S01")]
    [True, True, True, False, False]
    """
    if len(cell) > 30 or is_number(cell) or cell.lower() in _NOT_ALONE:
        return False
    return _UNIT.fullmatch(cell) is not None


def tag_of(cell: str) -> str:
    """Say what a first cell calls its row: ``units``, ``types`` or ``descriptions``; else empty."""
    word = plain_name(cell.partition("(")[0])
    return next((kind for kind, words in _TAGS.items() if word in words), "")


def rows_below(
    rows: Sequence[Sequence[str]], lines: Sequence[int], *, columns: Sequence[int]
) -> list[BelowHeader]:
    """Rows of units, types and descriptions at the beginning of a table, at most three.

    Parameters
    ----------
    rows : sequence of sequence of str
        The first rows below the header; two or more must be left to compare with.
    lines : sequence of int
        Where they stand.
    columns : sequence of int
        The columns that are looked at, the first one among them.

    Returns
    -------
    list of BelowHeader
    """
    found: list[BelowHeader] = []
    seen = [[row[place] for place in columns if place < len(row)] for row in rows]
    for place in range(min(3, len(rows) - 2)):
        row, rest = seen[place], seen[place + 1 :]
        kind = _kind(row, rest, after=found[-1].kind if found else "")
        if not kind:
            break
        found.append(BelowHeader(kind=kind, cells=list(rows[place]), line=lines[place]))
    return found


def _kind(row: Sequence[str], rest: Sequence[Sequence[str]], *, after: str) -> str:
    """Say what a row is; empty: a sample, or anything else."""
    first, cells = row[0], row[1:]
    texts = [cell for cell in cells if cell and not is_missing(cell)]
    tag = tag_of(first)
    lowered = [_type_word(cell) for cell in texts]
    n_types = sum(word in TYPES for word in lowered)
    if first.lower().startswith("#q2:"):
        return "types"
    if after == "types" and texts and all(word in _FLAGS for word in lowered):
        return "types"
    if not texts:
        return "units" if tag == "units" else ""
    is_typed = n_types >= MOSTLY * len(texts)
    numeric = _numeric_columns(rest)
    beside = [row[place] for place in numeric if place < len(row) and row[place]]
    if any(is_number(cell) for cell in beside):
        return ""
    if is_typed and (tag or not first or _type_word(first) in TYPES):
        return "types"
    n_units = sum(is_unit(cell) for cell in texts)
    has_no_id = not first or is_missing(first) or (0 in numeric and not is_number(first))
    if tag == "units" or has_no_id:
        told = n_units / len(texts)
        # Single letters are labels as often as units: a row of them alone must be called units.
        is_plain = any(is_unit(cell) and (len(cell) > 1 or not cell.isalpha()) for cell in beside)
        if numeric and told >= HALF and (tag == "units" or is_plain):
            return "units"
    if tag == "descriptions" or not first or _describes_all(row, rest, numeric):
        length = sum(map(len, texts)) / len(texts)
        differ = len(set(texts)) >= MOSTLY * len(texts)
        if numeric and len(texts) >= FEWEST_DESCRIBED and differ and length > N_LETTERS_DESCRIBED:
            return "descriptions"
    return ""


def _type_word(cell: str) -> str:
    """Give the word of a type: ``<dbl>`` of R, ``VARCHAR(20)`` of a data base."""
    return re.sub(r"\(\d+(?:,\d+)?\)$|[<>]", "", cell.lower())


def _describes_all(
    row: Sequence[str], rest: Sequence[Sequence[str]], numeric: Sequence[int]
) -> bool:
    """Whether each numeric column has a text in a row, and no entry of it occurs again."""
    entries = [(place, cell) for place, cell in enumerate(row) if cell]
    return (
        len(numeric) >= FEWEST_DESCRIBED
        and all(place < len(row) and not is_missing(row[place]) for place in numeric)
        and not any(cell in other[place : place + 1] for other in rest for place, cell in entries)
    )


def _numeric_columns(rows: Sequence[Sequence[str]]) -> list[int]:
    """Positions of the columns that mostly hold numbers."""
    width = min(len(row) for row in rows)
    numeric = []
    for place in range(width):
        cells = [row[place] for row in rows if not is_missing(row[place])]
        if cells and sum(map(is_number, cells)) >= MOSTLY * len(cells):
            numeric.append(place)
    return numeric


def categories_of(below: Sequence[BelowHeader], names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Find the columns that a row of types calls categories, without an order."""
    return {
        name: ()
        for row in below
        if row.kind == "types"
        for name, word in zip(names, row.cells, strict=False)
        if _type_word(word) in _CATEGORICAL
    }


def units_of(below: Sequence[BelowHeader], names: Sequence[str]) -> dict[str, str]:
    """Give the unit of each column that has one."""
    return {
        name: cell
        for row in below
        if row.kind == "units"
        for place, (name, cell) in enumerate(zip(names, row.cells, strict=False))
        if cell and not is_missing(cell) and not (place == 0 and (tag_of(cell) or not name))
    }
