"""Reads large plain text tables straight into one matrix.

Step in the line: **files** -> Dataset. The first lines are read as those of any table. Where they
are a header, some columns of text and numbers in all others, the lines below are parsed without
making a Python object of each cell. Whatever is met there that is no plain number ends the attempt,
and the table is read as any other: the result is the same, only later.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets.assembling import several
from smalldata.datasets.formats import recognise_grid
from smalldata.datasets.header import find_frame
from smalldata.datasets.layout import lay_out
from smalldata.datasets.naming import plain_name
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import RawTable, TextFile, clean_name
from smalldata.datasets.sniffing import allow_long_cells
from smalldata.datasets.text import split_text
from smalldata.datasets.vocabulary import ID_NAMES
from smalldata.errors import ConfigError, DataError

Numbers = NDArray[np.float64]

N_CHARACTERS_LARGE = 2_000_000
"""Shorter texts are read cell by cell in about a second."""

N_LINES_FIRST = 50
N_CHARACTERS_FIRST = 4_000_000
"""Of a very wide table fewer lines are read first, two at least."""

N_COLUMNS_TALL = 5_000
"""With more columns, parsing one line after the other is faster than all columns at once."""

N_CHARACTERS_AT_ONCE = 1 << 24
"""Lines of this many characters are parsed at once, so that the text is in memory once."""

N_CHARACTERS_IN_BLOCK = 1 << 20
"""Each block is parsed by a thread of its own and fits into the processor's cache."""

N_LINES_AT_ONCE = 8
"""Very wide lines are put into the matrix together: 8 numbers of a column share a cache line."""

N_THREADS = 4
"""Each has some lines of its own in memory; pyarrow parses without Python's lock."""

N_ENDS = 50
"""Columns of text further than this from both ends of a line are found by splitting all of it."""

# Markers that nobody needs to be told of; where there are others, cells are read one by one.
_MISSING = ("", "NA", "na", "NaN", "nan")
_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_COMMA_NUMBER = re.compile(r"[+-]?[\d.]*,\d")


@dataclass(frozen=True, kw_only=True)
class _First:
    """What the first lines say of all.

    Attributes
    ----------
    table : RawTable
        Of these lines.
    separator : str
    texts : list of int
        Positions of the columns of text.
    """

    table: RawTable
    separator: str
    texts: list[int]

    @property
    def width(self) -> int:
        """Cells of a line."""
        return len(self.table.names)


def read_plain(
    file: TextFile, options: TableOptions, *, header: int | None = None
) -> RawTable | None:
    """Read a large plain table as it stands.

    Parameters
    ----------
    file : TextFile
    options : TableOptions
    header : int, optional
        Line of the header that the user names.

    Returns
    -------
    RawTable or None
        Its columns of numbers are views of one matrix. None where the text is small, or is anything
        but a plain table.
    """
    text = file.text
    if len(text) < N_CHARACTERS_LARGE or header is not None or _asks_for_more(options):
        return None
    end = len(text)
    while end and text[end - 1] in "\r\n":
        end -= 1
    n_lines = text.count("\n", 0, end) + 1
    n_returns = text.count("\r")
    if (n_returns and n_returns != text.count("\r\n")) or text.startswith(("#", "sep=")):
        return None
    first = _read_first(file, options)
    if first is None or n_lines < 2 or not _quotes_are_plain(text, first.separator):
        return None
    parse = _parse_together if first.width <= N_COLUMNS_TALL else _parse_by_line
    parsed = parse(text, end, first, n_lines - 1)
    if parsed is None:
        return None
    texts, matrix = parsed
    named = _reserved(options) & set(map(clean_name, texts[0]))
    has_comma = any(map(_COMMA_NUMBER.match, chain.from_iterable(texts)))
    if named or has_comma or np.isinf(matrix).any() or _has_empty_row(texts, matrix):
        return None
    matrix.setflags(write=False)  # shared with the table of features
    words = dict(zip(first.texts, texts, strict=True))
    numbers = iter(matrix.T)
    return replace(
        first.table,
        columns=[words[place] if place in words else next(numbers) for place in range(first.width)],
        places=[f"line {line}" for line in range(2, n_lines + 1)],
        sha256=file.sha256,
    )


def _asks_for_more(options: TableOptions) -> bool:
    """Whether the user says of the cells what a plain table doesn't need."""
    return options.long is not None or options.strip_flags or options.decimal == ","


def _reserved(options: TableOptions) -> set[str]:
    """Columns whose cells are needed as they are written: ids, labels, categories."""
    ids = options.id.values() if isinstance(options.id, Mapping) else [options.id]
    named = [*options.roles.values(), *ids, *several(options.categorical)]
    return {clean_name(str(name)) for name in named if name is not None}


def _read_first(file: TextFile, options: TableOptions) -> _First | None:
    stop = _start_of_line(file.text, N_LINES_FIRST)
    while stop > N_CHARACTERS_FIRST:
        shorter = file.text.rfind("\n", 0, stop // 2) + 1
        if file.text.count("\n", 0, shorter) < 3:
            break
        stop = shorter
    try:
        grid = split_text(replace(file, text=file.text[:stop]), separator=options.separator)
        if recognise_grid(grid, options) is not None:
            return None
        frame = find_frame(grid, target=options.roles.get("target"))
        table = lay_out(frame, turned=None, options=options)
    except (ConfigError, DataError):
        return None  # with the sentence that reading all of it gives
    special = (frame.above, frame.below, table.findings, table.dropped, table.units, table.blocks)
    separator = _separator_of(file.text, grid.rows[0])
    is_plain = (
        not any(special)
        and grid.lines == list(range(1, len(grid.rows) + 1))
        and grid.rows[0] == frame.header
        and table.n_rows == len(grid.rows) - 1
        and all(len(row) == len(table.names) for row in grid.rows[1:])
    )
    if not is_plain or separator is None:
        return None
    reserved = _reserved(options)
    texts = [
        place
        for place, (name, cells) in enumerate(zip(table.names, table.columns, strict=True))
        if place == 0 or name in reserved or _is_id(name) or not all(map(_is_number, cells))
    ]
    if len(texts) == len(table.names):
        return None
    return _First(table=table, separator=separator, texts=texts)


def _is_number(cell: str | float) -> bool:
    return not isinstance(cell, str) or cell in _MISSING or _NUMBER.fullmatch(cell) is not None


def _is_id(name: str) -> bool:
    return plain_name(name) in ID_NAMES


def _separator_of(text: str, header: list[str]) -> str | None:
    """Give the separator under which the first line has the cells that were read of it."""
    line = text[: _start_of_line(text, 1)].rstrip("\r\n")
    allow_long_cells()
    for separator in ("\t", ";", ",", "|"):
        cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
        if [cell.strip() for cell in cells] == header and len(header) > 1:
            return separator
    return None


def _start_of_line(text: str, line: int) -> int:
    """Give the place where a line begins, the first one being 0."""
    place = 0
    for _ in range(line):
        place = text.find("\n", place) + 1
        if place == 0:
            return len(text)
    return place


def _quotes_are_plain(text: str, separator: str) -> bool:
    """Whether each quote opens or closes a whole cell: none is doubled or within a cell."""
    n_quotes = text.count('"')
    if n_quotes == 0:
        return True
    opening = text.count(f'{separator}"') + text.count('\n"') + text.startswith('"')
    closing = text.count(f'"{separator}') + text.count('"\n') + text.count('"\r')
    return opening == closing + text.endswith('"') == n_quotes / 2


def _parse_together(
    text: str, end: int, first: _First, n_rows: int
) -> tuple[list[list[str]], Numbers] | None:
    """Parse a body of many lines, all columns at once."""
    import pyarrow as pa

    is_text = set(first.texts)
    types = {
        str(place): pa.string() if place in is_text else pa.float64()
        for place in range(first.width)
    }
    numeric = [str(place) for place in range(first.width) if place not in is_text]
    quote = '"' if '"' in text else False
    texts: list[list[str]] = [[] for _ in first.texts]
    matrix = np.empty((n_rows, len(numeric)))
    n_filled = 0
    for lines in _pieces(text, _start_of_line(text, 1), end):
        table = _parse(lines, types, separator=first.separator, quote=quote)
        # Fewer rows come of a line break within quotes.
        if table is None or table.num_rows != lines.count("\n") + 1:
            return None
        for column, place in zip(texts, first.texts, strict=True):
            column += [cell.strip() for cell in table.column(place).to_pylist()]
        for batch in table.select(numeric).to_batches():
            numbers = batch.to_tensor(null_to_nan=True, row_major=True).to_numpy()
            matrix[n_filled : n_filled + batch.num_rows] = numbers
            n_filled += batch.num_rows
    return texts, matrix


def _pieces(text: str, start: int, end: int) -> Iterator[str]:
    """Cut a text between its lines."""
    while start < end:
        stop = text.find("\n", start + N_CHARACTERS_AT_ONCE, end)
        stop = end if stop < 0 else stop
        yield text[start:stop]
        start = stop + 1


def _parse(lines: str, types: Mapping[str, Any], *, separator: str, quote: str | bool) -> Any:
    """Parse lines to a table of pyarrow; None where they are not of these columns."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    try:
        return arrow.read_csv(
            pa.py_buffer(lines.encode()),
            read_options=arrow.ReadOptions(
                column_names=list(types), block_size=N_CHARACTERS_IN_BLOCK
            ),
            parse_options=arrow.ParseOptions(
                delimiter=separator, quote_char=quote, ignore_empty_lines=False
            ),
            convert_options=arrow.ConvertOptions(
                column_types=types, null_values=list(_MISSING), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None


def _parse_by_line(
    text: str, end: int, first: _First, n_rows: int
) -> tuple[list[list[str]], Numbers] | None:
    """Parse a body of few lines with very many cells each."""
    import pyarrow as pa

    n_numbers = first.width - len(first.texts)
    matrix = np.empty((n_rows, n_numbers), order="F")
    starts = [_start_of_line(text, 1)]
    for _ in range(n_rows - 1):
        starts.append(text.find("\n", starts[-1]) + 1)
    stops = [*(start - 1 for start in starts[1:]), end]

    def parse(top: int) -> list[list[str]] | None:
        rows = range(top, min(top + N_LINES_AT_ONCE, n_rows))
        part = np.empty((len(rows), n_numbers))
        texts = []
        for place, row in enumerate(rows):
            line = text[starts[row] : stops[row]].removesuffix("\r")
            words, numbers = _split_line(line, first)
            # One cell a line: the parser's work on a column is small against that on its cells.
            table = _parse(numbers, {"x": pa.float64()}, separator="\x1f", quote=False)
            if len(words) != len(first.texts) or table is None or table.num_rows != n_numbers:
                return None
            texts.append([word.strip() for word in words])
            part[place] = table.column(0).to_numpy()
        matrix[rows.start : rows.stop] = part
        return texts

    with ThreadPoolExecutor(min(N_THREADS, pa.cpu_count())) as pool:
        parts = list(pool.map(parse, range(0, n_rows, N_LINES_AT_ONCE)))
    texts = []
    for part in parts:
        if part is None:
            return None
        texts += part
    return [list(column) for column in zip(*texts, strict=True)], matrix


def _split_line(line: str, first: _First) -> tuple[list[str], str]:
    """Split a line into its cells of text and the others, one a line."""
    separator = first.separator
    reach = min(N_ENDS, (first.width - 1) // 2)
    n_left = max((place + 1 for place in first.texts if place < reach), default=0)
    n_right = first.width - min((p for p in first.texts if p >= n_left), default=first.width)
    is_text = set(first.texts)
    if '"' in line or n_right > reach:
        cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
        if len(cells) != first.width:
            return [], ""
        words = [cells[place] for place in first.texts]
        return words, "\n".join(c for place, c in enumerate(cells) if place not in is_text) + "\n"
    before = line.split(separator, n_left)
    after = before.pop().rsplit(separator, n_right)
    middle = after.pop(0)
    if len(before) != n_left or len(after) != n_right:
        return [], ""
    left = dict(enumerate(before))
    ending = dict(enumerate(after, first.width - n_right))
    numbers = [
        *(cell for place, cell in left.items() if place not in is_text),
        middle.replace(separator, "\n"),
        *(cell for place, cell in ending.items() if place not in is_text),
    ]
    ends = left | ending
    return [ends[place] for place in first.texts], "\n".join(numbers) + "\n"


def _has_empty_row(texts: list[list[str]], matrix: Numbers) -> bool:
    """Whether there is a row without anything, which is no row of a table."""
    rows = [row for row, words in enumerate(zip(*texts, strict=True)) if not any(words)]
    return bool(np.isnan(matrix[rows]).all(axis=1).any())
