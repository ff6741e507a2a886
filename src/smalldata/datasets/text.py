"""Splits the text of a table into records: what stands above it, its separator, its quotes.

Step in the line: **files** -> Dataset.
"""

import csv
import io
import re

from smalldata.datasets.sniffing import (
    SEPARATORS,
    allow_long_cells,
    find_separator,
    named_separator,
)
from smalldata.errors import DataError

N_CHARACTERS_SHOWN = 60
NUMBER = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?")


def split_text(
    text: str, source: str, *, separator: str | None
) -> tuple[list[list[str]], list[int], str]:
    """Split a text into records, the line each ends in, and the separator."""
    skipped, text, declared = _preamble(text)
    if not text.strip():
        raise DataError(f"{source} must hold a table; it is empty.")
    chosen = named_separator(separator) if separator is not None else declared
    chosen = chosen or find_separator(text)
    first = text.split("\n", 1)[0].strip()[:N_CHARACTERS_SHOWN]
    if chosen is None:
        raise DataError(
            f"{source} must have several columns; one was read, its first line is {first!r}. "
            "Name the separator, for example dataset.separator=semicolon."
        )
    allow_long_cells()
    stream = io.StringIO(text, newline="")
    reader = csv.reader(stream, delimiter=chosen, skipinitialspace=True, strict=True)
    records: list[list[str]] = []
    lines: list[int] = []
    started = 0
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if any(cells):
                records.append(cells)
                lines.append(skipped + reader.line_num)
            started = reader.line_num
    except csv.Error as error:
        raise DataError(
            f"the quotes of {source} must be closed; the record that begins in line "
            f"{skipped + started + 1} is broken ({error}). Double a quote inside a quoted text."
        ) from None
    if not records:
        raise DataError(f"{source} must hold a table; none of its cells holds anything.")
    if max(len(record) for record in records) < 2:
        raise DataError(
            f"{source} must have several columns; one was read with the separator "
            f"{SEPARATORS.get(chosen, chosen)}, its first line is {first!r}. Name another one, "
            f"for example dataset.separator={'comma' if chosen == ';' else 'semicolon'}."
        )
    return records, lines, chosen


def _preamble(text: str) -> tuple[int, str, str | None]:
    """Split off what stands above a table.

    Gives the number of lines skipped, the rest, and the separator that a line ``sep=;`` declares.
    Lines that begin with ``#`` are comments, except a last one with as many fields as the line
    below, which then holds numbers: that one is a header (``#SampleID``).
    """
    n_skipped = 0
    declared = None
    match = re.match(r"sep=(.)\r?\n", text)
    if match:
        declared, n_skipped, text = match[1], 1, text[match.end() :]
    while text.startswith("#"):
        line, _, rest = text.partition("\n")
        if not rest.startswith("#") and rest:
            below = rest.partition("\n")[0]
            separator = declared or find_separator(rest)
            if separator is not None:
                cells = below.split(separator)
                if len(line.split(separator)) == len(cells) and any(
                    NUMBER.fullmatch(cell.strip().strip('"')) for cell in cells
                ):
                    return n_skipped, line.lstrip("# ") + "\n" + rest, declared
        n_skipped += 1
        text = rest
    return n_skipped, text, declared
