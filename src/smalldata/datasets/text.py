"""Splits the text of a table into records: what stands above it, its separator, its quotes.

Step in the line: **files** -> Dataset.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from smalldata.datasets.raw import Grid, TextFile
from smalldata.datasets.sniffing import (
    SEPARATORS,
    allow_long_cells,
    find_separator,
    lines_of,
    named_separator,
)
from smalldata.errors import DataError

N_CHARACTERS_SHOWN = 60
NUMBER = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?")

N_LINES_SNIFFED = 60
"""Lines that are looked at to find where a table begins."""

N_CHARACTERS_SNIFFED = 1_000_000
N_RECORDS_AT_LEAST = 5
"""Of lines with a hundred thousand fields these are enough; prose is short."""

AGREEING = 0.8
"""Share of the lines below its beginning that have the usual width: a table, not prose."""

N_LINES_QUOTED = 20
"""A quoted text that is open for longer is an apostrophe or an inch in prose."""

_LINE_END = re.compile(r"\r\n|\r|\n")
_QUOTED = re.compile(r'"[^"]*"')


@dataclass(frozen=True, kw_only=True)
class Preamble:
    """What stands above a table.

    Attributes
    ----------
    n_lines : int
        Lines that are no part of the table: comments, text, a declared separator.
    rest : str
        The table.
    declared : str, optional
        The separator that a line ``sep=;`` declares.
    prose : tuple of str
        The lines of them that are neither comments nor a declaration, blank ones too.
    """

    n_lines: int
    rest: str
    declared: str | None
    prose: tuple[str, ...]


def split_text(file: TextFile, *, separator: str | None, header: int | None = None) -> Grid:
    """Split a text into rows of cells.

    Parameters
    ----------
    file : TextFile
    separator : str, optional
        Default: found out.
    header : int, optional
        Line of the header, counted from 1; default: found out.

    Returns
    -------
    Grid
        Rows that hold something. Text above the table, told by its width, is in ``skipped``.

    Raises
    ------
    ConfigError
        If the separator is none.
    DataError
        If there are no columns, or a quote is not closed.
    """
    source = file.source
    named = None if separator is None else named_separator(separator)
    above = read_preamble(file.text, separator=named, header=header)
    text, n_above = above.rest, above.n_lines
    if not text.strip():
        raise DataError(f"{source} must hold a table; it is empty.")
    chosen = named or above.declared or find_separator(text)
    first = text.split("\n", 1)[0].strip()[:N_CHARACTERS_SHOWN]
    if chosen is None:
        raise DataError(
            f"{source} must have several columns; one was read, its first line is {first!r}. "
            "Name the separator, for example dataset.separator=semicolon."
        )
    allow_long_cells()
    reader = csv.reader(lines_of(text), delimiter=chosen, skipinitialspace=True, strict=True)
    records: list[list[str]] = []
    lines: list[int] = []
    started = 0
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if any(cells):
                records.append(cells)
                lines.append(n_above + reader.line_num)
            started = reader.line_num
    except csv.Error as error:
        raise DataError(
            f"the quotes of {source} must be closed; the record that begins in line "
            f"{n_above + started + 1} is broken ({error}). Double a quote inside a quoted text."
        ) from None
    if not records:
        raise DataError(f"{source} must hold a table; none of its cells holds anything.")
    if max(len(record) for record in records) < 2:
        raise DataError(
            f"{source} must have several columns; one was read with the separator "
            f"{SEPARATORS.get(chosen, chosen)}, its first line is {first!r}. Name another one, "
            f"for example dataset.separator={'comma' if chosen == ';' else 'semicolon'}."
        )
    return Grid(
        source=source,
        rows=records,
        lines=lines,
        place="line",
        notes=(SEPARATORS.get(chosen, repr(chosen)), file.encoding),
        sha256=file.sha256,
        skipped=above.prose,
        settings={"separator": SEPARATORS.get(chosen, chosen), "encoding": file.codec},
    )


def read_preamble(
    text: str, *, separator: str | None = None, header: int | None = None
) -> Preamble:
    """Split off what stands above a table.

    Lines that begin with ``#`` are comments, except a last one with as many fields as the line
    below, which then holds numbers: that one is a header (``#SampleID``). Other lines are text if
    they have at most half as many fields as the lines of the table.

    Parameters
    ----------
    text : str
        The file, or its beginning.
    separator : str, optional
        The separator, where the user names it.
    header : int, optional
        Line of the header, where the user names it; nothing from there on is split off.

    Returns
    -------
    Preamble
    """
    n_lines = 0
    most = None if header is None else header - 1
    declared = None
    match = re.match(r"sep=(.)(?:\r\n|\r|\n)", text)
    if match:
        declared, n_lines, text = match[1], 1, text[match.end() :]
    prose: list[str] = []
    while True:
        n_comments, text, is_header = _comments(text, separator or declared, _left(most, n_lines))
        n_lines += n_comments
        if is_header:
            break
        found = _prose(text, separator or declared, _left(most, n_lines))
        if not found:
            break
        prose += found
        n_lines += len(found)
        text = _without_lines(text, len(found))
    if most is not None and n_lines == most and text.startswith("#"):
        text = text.lstrip("# ")
    return Preamble(n_lines=n_lines, rest=text, declared=declared, prose=tuple(prose))


def _left(most: int | None, n_lines: int) -> int | None:
    """Lines that may still be split off."""
    return None if most is None else max(0, most - n_lines)


def _comments(text: str, separator: str | None, most: int | None) -> tuple[int, str, bool]:
    """Count the leading comments; give the rest, and whether it begins with a header ``#…``."""
    n_comments = 0
    while text.startswith("#") and (most is None or n_comments < most):
        line, _, rest = text.partition("\n")
        if not rest.startswith("#") and rest:
            below = rest.partition("\n")[0]
            chosen = separator or find_separator(rest)
            if chosen is not None:
                cells = below.split(chosen)
                if len(line.split(chosen)) == len(cells) and any(
                    NUMBER.fullmatch(cell.strip().strip('"')) for cell in cells
                ):
                    return n_comments, line.lstrip("# ") + "\n" + rest, True
        n_comments += 1
        text = rest
    return n_comments, text, False


def _prose(text: str, separator: str | None, most: int | None) -> list[str]:
    """Lines of text that stand above a table."""
    records = _first_records(text)
    best: tuple[int, int] | None = None
    chosen = ""
    for sign in [separator] if separator else SEPARATORS:
        if sign == " " and best is not None and separator is None:
            continue
        needed = 1.0 if sign == " " else AGREEING
        begin = _begin([_width(record, sign) for record in records], needed=needed)
        if begin is not None and (best is None or (begin[0], -begin[1]) < (best[0], -best[1])):
            best, chosen = begin, sign
    if best is None:
        return []
    # Of a table of one column and row names, R writes a header of one field, then numbers.
    if best == (1, 2) and _holds_number("\n".join(records[1]), chosen):
        return []
    lines = [line for record in records[: best[0]] for line in record]
    lines = lines if most is None else lines[:most]
    return lines if any(line.strip() for line in lines) else []


def _first_records(text: str) -> list[list[str]]:
    """Return the first records of a text, of very long ones a few."""
    records: list[list[str]] = []
    n_characters = 0
    for record in islice(_records(text), N_LINES_SNIFFED):
        records.append(record)
        n_characters += sum(map(len, record))
        if n_characters > N_CHARACTERS_SNIFFED and len(records) >= N_RECORDS_AT_LEAST:
            break
    return records


def _begin(widths: list[int], *, needed: float) -> tuple[int, int] | None:
    """Find the first record of a table, and its usual width; None where the widths do not agree."""
    counts = Counter(width for width in widths if width >= 2)
    if not counts:
        return None
    usual = max(counts, key=lambda width: (counts[width], width))
    start = next(place for place, width in enumerate(widths) if width > max(1, usual // 2))
    below = [width for width in widths[start:] if width]
    if len(below) < 2 or sum(width == usual for width in below[1:]) < needed * (len(below) - 1):
        return None
    return start, usual


def _holds_number(line: str, separator: str) -> bool:
    return any(NUMBER.fullmatch(cell.strip().strip('"')) for cell in line.split(separator))


def _width(record: list[str], separator: str) -> int:
    """Count the fields of a record; 0 if it is blank."""
    line = "\n".join(record)
    if '"' in line:
        line = _QUOTED.sub("q", line)
    if not line.strip():
        return 0
    return len(line.split()) if separator == " " else line.count(separator) + 1


def _records(text: str) -> Iterator[list[str]]:
    """Lines of a text, those of a quoted text with breaks together."""
    held: list[str] = []
    for line in _lines(text):
        held.append(line)
        if sum(part.count('"') for part in held) % 2 == 0:
            yield held
            held = []
        elif len(held) > N_LINES_QUOTED:
            yield from ([part] for part in held)
            held = []
    yield from ([part] for part in held)


def _lines(text: str) -> Iterator[str]:
    """Lines of a text without splitting all of it."""
    place = 0
    while place < len(text):
        match = _LINE_END.search(text, place)
        yield text[place : match.start() if match else len(text)]
        place = match.end() if match else len(text)


def _without_lines(text: str, n_lines: int) -> str:
    place = 0
    for _ in range(n_lines):
        match = _LINE_END.search(text, place)
        if match is None:
            return ""
        place = match.end()
    return text[place:]
