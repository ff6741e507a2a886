"""Gene symbols that a spreadsheet turned into dates or numbers: 1-Sep was SEPT1, 2.31E+19 a clone.

Step in the line: **files** -> Dataset. Nothing is renamed: 1-Mar may have been MARCH1 or MARC1.

Source: Ziemann, Eren & El-Osta (2016), Gene name errors are widespread in the scientific
literature, Genome Biology 17:177. The new names are those of HGNC (Bruford et al. 2020, Guidelines
for human gene nomenclature, Nature Genetics 52:754).
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from smalldata.datasets.assembling import N_NAMES_SHOWN
from smalldata.findings import Finding

N_SYMBOLS = 20
"""Names that must look like gene symbols before one is taken for a broken symbol."""

SHARE_SYMBOLS = 0.5
"""Their share among all names: a table of genes has a few clone or locus names too."""

SHARE_WITH_DIGIT = 0.15
"""Of those, the share with letters and a digit (TP53): AGE, SEX and BMI look like symbols as well,
but more than half of all human symbols have a digit."""

FEWEST_DAYS = 2
"""Days of genes among a few names that look like symbols: one may be the day of a visit."""

_SYMBOL = re.compile(r"[A-Z][A-Za-z]{0,6}\d{0,4}[A-Za-z]{0,3}\d{0,3}(?:-[A-Z0-9]{1,4})?")

_SURE = re.compile(r"[A-Z]{2,}[A-Z]*\d[A-Z\d]*")
"""Two capitals and a digit: TP53, but not V1 or AGE."""

_MONTHS = {
    "mar": 3, "march": 3, "mär": 3, "maer": 3, "mrz": 3, "märz": 3, "mars": 3, "mrt": 3, "marzo": 3,
    "sep": 9, "sept": 9, "september": 9, "septembre": 9, "set": 9,
    "dec": 12, "dez": 12, "déc": 12, "dic": 12, "december": 12, "dezember": 12,
    "oct": 10, "okt": 10,
}  # fmt: skip
"""Months that a gene is called after, also in German, Dutch, French, Italian and Spanish."""

_WORDS = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY_MONTH = re.compile(
    rf"(\d{{1,2}})[-. /]{{1,2}}({_WORDS})\.?(?:[-. /]\d{{2,4}})?", re.IGNORECASE
)
_MONTH_DAY = re.compile(rf"({_WORDS})\.?[-. /]{{1,2}}(\d{{1,2}})", re.IGNORECASE)
_ISO = re.compile(r"\d{4}[-./](\d{1,2})[-./](\d{1,2})(?:[ T]0?0:00(?::00(?:\.0+)?)?)?")
_NUMBERS = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](?:\d{4}|\d{2})")
_OTHER = r"(?:jan|f[eé]b|ap[rv]|abr|ma[iy]|jun|jul|aug|ao[uû]|ago|o[ck]t|nov)[a-zû]{0,6}\.?"
_OTHER_DAY = re.compile(
    rf"\d{{1,2}}[-. /]{{1,2}}{_OTHER}(?:[-. /]\d{{2,4}})?|{_OTHER}[-. /]{{1,2}}\d{{1,2}}",
    re.IGNORECASE,
)
"""A day of another month."""
_SERIAL = re.compile(r"(\d{5})(?:\.0)?")
_CLONE = re.compile(r"(\d(?:[.,]\d+)?)E\+?(\d{2})", re.IGNORECASE)

_FIRST, _LAST = date(2000, 1, 1), date(2040, 12, 31)
"""Years in which somebody may have opened the table in a spreadsheet."""
_ZERO = date(1899, 12, 30)
"""What a spreadsheet counts days from."""


def broken_symbols(names: Sequence[str]) -> list[Finding]:
    """Tell of names of features that were gene symbols.

    Parameters
    ----------
    names : sequence of str
        Of all features.

    Returns
    -------
    list of Finding
        One (SD020) or none: where the other names are no gene symbols, a date is a date.

    Examples
    --------
    >>> genes = [f"GENE{number}" for number in range(30)]
    >>> broken_symbols([*genes, "1-Sep"])[0].evidence
    "'1-Sep' (SEPTIN1/SEPT1)"
    >>> broken_symbols(["age", "weight", "1-Sep"])
    []
    """
    odd = [name for name in names if name[:1] in "0123456789XmMsSdDoO" or ":" in name]
    found = {name: told for name in odd if (told := candidates(name))}
    if not found:
        return []
    others = [own for name in names if name not in found and (own := _bare(name))]
    if not (_are_symbols(others, n_found=len(found)) or _are_surely(others, found)):
        return []
    shown = [f"{name!r} ({' or '.join(told)})" for name, told in found.items()]
    more = f" and {len(shown) - N_NAMES_SHOWN} more" if len(shown) > N_NAMES_SHOWN else ""
    verb = " looks like a gene symbol" if len(found) == 1 else "s look like gene symbols"
    return [
        Finding(
            code="SD020",
            what=f"{len(found)} feature name{verb} that a spreadsheet turned into a date or number",
            evidence=", ".join(shown[:N_NAMES_SHOWN]) + more,
            remedy="nothing was renamed; restore them from the source, and import such columns as "
            "text",
        )
    ]


def _are_symbols(names: Sequence[str], *, n_found: int) -> bool:
    """Whether most names of a table of many look like gene symbols."""
    symbols = [name for name in names if _SYMBOL.fullmatch(name)]
    with_digit = sum(any(letter.isdigit() for letter in name) for name in symbols)
    return (
        len(symbols) >= max(N_SYMBOLS, SHARE_SYMBOLS * len(names))
        and with_digit >= SHARE_WITH_DIGIT * len(symbols)
        and n_found <= len(symbols) / 2
    )


def _are_surely(names: Sequence[str], found: Iterable[str]) -> bool:
    """Whether half of a few names can hardly be anything but genes, beside a day of a month.

    A few columns may be a clinical table: a number or a whole date is too little there. Half of
    the names may look like symbols only (MYC) if there are two days, and all are those of genes.
    """
    n_sure = sum(_SURE.fullmatch(name) is not None for name in names)
    texts = [_bare(name) for name in found]
    has_month = any(any(letter.isalpha() for letter in text) for text in texts)
    if n_sure >= max(1, SHARE_SYMBOLS * len(names)) and has_month:
        return True
    n_symbols = sum(_SYMBOL.fullmatch(name) is not None for name in names)
    n_days = sum(_CLONE.fullmatch(text) is None for text in texts)
    return (
        n_sure >= 1
        and n_symbols >= SHARE_SYMBOLS * len(names)
        and n_days >= FEWEST_DAYS
        and not any(_is_day(name) for name in names)
    )


def _is_day(text: str) -> bool:
    """Whether a name is a day, of whatever month."""
    forms = (_ISO, _NUMBERS, _DAY_MONTH, _MONTH_DAY, _OTHER_DAY, _SERIAL)
    return any(form.fullmatch(text) for form in forms)


def candidates(name: str) -> tuple[str, ...]:
    """Symbols that may have become this name, the new one and the old one side by side.

    Examples
    --------
    >>> candidates("2-Mar"), candidates("Dec-01"), candidates("44440"), candidates("TP53")
    (('MARCHF2/MARCH2', 'MTARC2/MARC2'), ('DELEC1/DEC1',), ('SEPTIN1/SEPT1',), ())
    >>> candidates("2.31E+13")
    ('a RIKEN clone, 231…E07',)
    """
    text = _bare(name)
    if match := _CLONE.fullmatch(text):
        power = int(match[2]) - 6
        digits = re.sub(r"[.,]", "", match[1])
        return (f"a RIKEN clone, {digits}…E{power:02d}",) if 0 < power < 100 else ()
    if match := _SERIAL.fullmatch(text):
        day = _ZERO + timedelta(days=int(match[1]))
        return _genes(day.month, day.day) if _FIRST <= day <= _LAST else ()
    if match := _DAY_MONTH.fullmatch(text):
        return _genes(_MONTHS[match[2].lower()], int(match[1]))
    if match := _MONTH_DAY.fullmatch(text):
        return _genes(_MONTHS[match[1].lower()], int(match[2]))
    if match := _ISO.fullmatch(text):
        return _genes(int(match[1]), int(match[2]))
    if match := _NUMBERS.fullmatch(text):  # day or month first
        first, second = int(match[1]), int(match[2])
        both = (*_genes(second, first), *_genes(first, second))
        return tuple(dict.fromkeys(both))
    return ()


def _genes(month: int, number: int) -> tuple[str, ...]:
    """Genes that are called after a month and a number, as HGNC names them now and did before."""
    found = []
    if month == 3 and number <= 11:
        found.append(f"MARCHF{number}/MARCH{number}")
    if month == 3 and number <= 2:
        found.append(f"MTARC{number}/MARC{number}")
    if month == 9 and (number <= 12 or number == 14):
        found.append(f"SEPTIN{number}/SEPT{number}")
    if month == 9 and number == 15:
        found.append("SELENOF/SEP15")
    if month == 12 and number == 1:
        found.append("DELEC1/DEC1")
    if month == 12 and number == 2:
        found.append("BHLHE41/DEC2")
    if month == 10 and number == 4:
        found.append("POU5F1/OCT4")
    return tuple(found) if number else ()


def _bare(name: str) -> str:
    """Strip a block in front, the X that R puts before a digit, and the number of a repeat."""
    text = name.rpartition(":")[2] if re.match(r"[A-Za-z_]\w*:", name) else name
    if re.match(r"X\d", text):
        text = text[1:]
    shorter = re.sub(r"(?<=[A-Za-zäé])[._]\d+$", "", text)
    return shorter if re.match(r"\d", text) else text
