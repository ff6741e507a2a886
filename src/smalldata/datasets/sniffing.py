"""Finds out how a text table was written: its encoding, its separator, its decimal sign.

Step in the line: **files** -> Dataset. Bytes or cells in, an answer out; an answer that could be
two things is an error that says what to name.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from smalldata.errors import ConfigError, DataError

SEPARATORS = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar", " ": "space"}
N_RECORDS_SNIFFED = 25
# A sign that changes later in the table is met, and refused, when the columns are typed.
N_NUMBERS_SNIFFED = 10_000

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECIMAL_COMMA = re.compile(
    r"[+-]?(?:\d+|\d{1,3}(?:[. \u00a0\u202f'’]\d{3})+),\d+(?:[eE][+-]?\d+)?"
)
_THOUSANDS_COMMA = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.(?:\d{1,2}|\d{4,})(?:[eE][+-]?\d+)?")


def decode(content: bytes, *, source: str, encoding: str | None = None) -> tuple[str, str]:
    """Bytes to text.

    The encoding is the one named; else the one of the byte order mark; else UTF-16 where every
    other byte is zero; else UTF-8; else Windows-1252, the usual encoding of western spreadsheets
    (latin-1 with more signs).

    Parameters
    ----------
    content : bytes
    source : str
        Name of the file, for the sentence.
    encoding : str, optional
        As Python knows it.

    Returns
    -------
    text, encoding : str

    Raises
    ------
    ConfigError
        If there is no such encoding.
    DataError
        If a byte cannot be decoded; the byte, its line and an encoding to try are named.
    """
    if encoding is not None:
        _check_encoding(encoding)
        tried = [encoding]
    else:
        marked = [name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)]
        tried = marked or _unmarked_utf16(content) or ["utf-8", "cp1252"]
    failure: UnicodeError | None = None
    for candidate in tried:
        try:
            text = content.decode(candidate)
        except UnicodeError as error:
            failure = failure or error
            continue
        _check_is_text(text, source)
        return text.removeprefix("\ufeff"), candidate.replace("-sig", " with byte order mark")
    if not isinstance(failure, UnicodeDecodeError):  # codecs outside of Unicode tell no place
        raise DataError(f"the bytes of {source} must be {' or '.join(tried)}; {failure}.")
    line = content[: failure.start].count(b"\n") + 1
    raise DataError(
        f"the bytes of {source} must be {' or '.join(tried)}; byte 0x{content[failure.start]:02x} "
        f"in line {line} is not. Name the encoding, for example "
        f"dataset.encoding={_likely_encoding(content) or 'cp850'}."
    )


def _check_encoding(encoding: str) -> None:
    try:
        b"text".decode(encoding)
    except UnicodeDecodeError:
        return  # it is an encoding, though not of these four bytes
    except (LookupError, ValueError):
        raise ConfigError(
            f"encoding must be one that Python knows (utf-8, utf-16, cp1252, latin-1 …); "
            f"got {encoding!r}."
        ) from None


def _check_is_text(text: str, source: str) -> None:
    place = text.find("\0")
    if place >= 0:
        raise DataError(
            f"{source} must be text; it has a zero byte in line {text.count(chr(10), 0, place) + 1}"
            ", as a binary file or another encoding has. Save it as csv in UTF-8."
        )


def _unmarked_utf16(content: bytes) -> list[str]:
    start = content[:1000]
    if start[1::2].count(0) > len(start) // 3:
        return ["utf-16-le"]
    if start[0::2].count(0) > len(start) // 3:
        return ["utf-16-be"]
    return []


def _likely_encoding(content: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(content[:100_000]).best()
    return None if best is None else best.encoding


def named_separator(separator: str) -> str:
    r"""One character from what the user wrote: itself, its name, or ``\t``.

    Raises
    ------
    ConfigError
        If it is none of these.
    """
    words = {name: sign for sign, name in SEPARATORS.items()} | {"\\t": "\t"}
    found = words.get(separator.lower(), separator)
    if len(found) != 1 or found in '"\r\n':
        raise ConfigError(
            f"separator must be one character or one of {', '.join(SEPARATORS.values())}; "
            f"got {separator!r}."
        )
    return found


def find_separator(text: str) -> str | None:
    """Find the separator under which the first records have equally many fields, two or more.

    Among several the one with most fields is taken. The header may be one field shorter than the
    rows, as R writes it. Blanks count only where nothing else separates.

    Parameters
    ----------
    text : str
        The table, or its beginning.

    Returns
    -------
    str or None
        None where every separator leaves one column.
    """
    best: tuple[float, bool, int] | None = None
    chosen = None
    for separator in SEPARATORS:
        if separator == " " and chosen is not None:
            continue
        counts = _field_counts(text, separator)
        if not counts:
            continue
        usual = Counter(counts[1:] or counts).most_common(1)[0][0]
        agreeing = sum(count == usual for count in counts[1:]) + (counts[0] in (usual, usual - 1))
        share = agreeing / len(counts)
        if usual < 2 or (separator == " " and share < 1):
            continue
        merit = (share, counts[0] == usual, usual)
        if best is None or merit > best:
            best, chosen = merit, separator
    return chosen


def allow_long_cells() -> None:
    """Let the csv module read cells of any length; its limit of 131,072 characters is global."""
    csv.field_size_limit(2**31 - 1)


def lines_of(text: str) -> Iterator[str]:
    r"""Give the lines of a text with their ends, without a copy of the whole.

    Examples
    --------
    >>> list(lines_of("a\r\nb\rc"))
    ['a\r\n', 'b\r', 'c']
    """
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        line = text[start:end]
        # A carriage return alone ends a line, too.
        yield from io.StringIO(line, newline="") if "\r" in line[:-2] else (line,)
        start = end


def _field_counts(text: str, separator: str) -> list[int]:
    allow_long_cells()
    reader = csv.reader(lines_of(text), delimiter=separator, skipinitialspace=True)
    try:
        return [len(record) for record in islice(reader, N_RECORDS_SNIFFED) if any(record)]
    except csv.Error:
        return []


def find_decimal(cells: Iterable[str], *, source: str) -> str:
    """Find the decimal sign of a table's cells: ``,`` or ``.``.

    ``0,5``, ``1.234,5`` and ``1 234,5`` speak for the comma, ``1,234,567`` and ``1,234.5`` for the
    point; ``1,234`` can be either and is decided by the other cells.

    Parameters
    ----------
    cells : iterable of str
    source : str
        Name of the file, for the sentence.

    Returns
    -------
    str

    Raises
    ------
    DataError
        If all that there is can be read both ways.
    """
    n_comma = n_point = 0
    doubtful = ""
    has_decimal_point = False
    for written in cells:
        cell = written.removesuffix("%").rstrip().replace("\u2212", "-")
        if "," not in cell:
            has_decimal_point = has_decimal_point or _DECIMAL_POINT.fullmatch(cell) is not None
            continue
        comma = _DECIMAL_COMMA.fullmatch(cell) is not None
        thousands = _THOUSANDS_COMMA.fullmatch(cell) is not None
        if comma and thousands and cell.lstrip("+-").startswith("0"):
            thousands = False
        n_comma += comma and not thousands
        n_point += thousands and not comma
        if comma and thousands:
            doubtful = cell
        if n_comma + n_point >= N_NUMBERS_SNIFFED:
            break
    if n_comma and not n_point:
        return ","
    if doubtful and not n_comma and not n_point and not has_decimal_point:
        raise DataError(
            f"numbers must be readable in one way; {doubtful!r} in {source} may be "
            f"{doubtful.replace(',', '')} or {doubtful.replace(',', '.')}. "
            "Name the decimal sign: dataset.decimal=',' or dataset.decimal='.'."
        )
    return "."
