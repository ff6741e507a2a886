"""Tells the table of samples among several files: its columns describe samples, they are no data.

Step in the line: **files** -> Dataset. With a file of its own for the omics, the age in the file of
the target is a feature only if the user asks for it, since nobody means a model of proteins to win
by the age.
"""

from collections.abc import Mapping, Sequence

from smalldata.datasets.assembling import listed, several
from smalldata.datasets.choosing import wanted_features
from smalldata.datasets.commands import command
from smalldata.datasets.joining import Column
from smalldata.datasets.naming import words_of
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import Cells, RawTable
from smalldata.datasets.units import is_missing, is_value
from smalldata.datasets.vocabulary import DATA_NAME, SHEET_NAME
from smalldata.findings import Finding

N_DATA_COLUMNS = 10
"""A file with fewer columns beside the target describes samples, unless its name says otherwise."""

NUMERIC = 0.9
"""Share of columns of numbers from which on such a file holds data."""

N_SEEN = 50
"""Cells of a column, and columns of a file, that are looked at."""


def feature_columns(
    columns: Sequence[Column], tables: Mapping[str, RawTable], options: TableOptions
) -> tuple[list[Column], list[Finding]]:
    """Choose the columns that may be features, before ``blocks`` and ``drop``.

    Columns of a table of samples, rows that stood above a header, and what a long form says about
    its samples are none unless ``features`` names them. Where it names nothing else, they are added
    to the data; else it is the whole list. Where there is nothing but a table of samples, its
    columns are the features.

    Parameters
    ----------
    columns : sequence of Column
        All of the joined table.
    tables : mapping of str to RawTable
    options : TableOptions

    Returns
    -------
    columns : list of Column
    findings : list of Finding
        Which columns of a table of samples were left out.

    Raises
    ------
    ConfigError
        If ``features`` names no column.
    """
    apart = list(options.roles.values())
    candidates = [c for c in columns if c.name not in apart and c.own_name not in apart]
    sheets = find_sheets(columns, tables, options)
    data = [c for c in candidates if not c.about_samples and c.file not in sheets]
    if options.features is not None:
        wanted = wanted_features(candidates, options.features, apart=apart)
        if wanted.isdisjoint(c.name for c in data):
            wanted |= {c.name for c in data}
        return [c for c in candidates if c.name in wanted], []
    if not data:
        return [c for c in candidates if not c.about_samples] or candidates, []
    findings = []
    for sheet in sheets:
        left_out = [c.name for c in candidates if c.file == sheet and not c.about_samples]
        findings += left_out_finding(left_out, f"{tables[sheet].source}, the table of samples")
    return data, findings


def left_out_finding(names: Sequence[str], source: str) -> list[Finding]:
    """Say which columns describe samples and are therefore no features; nothing if none do."""
    if not names:
        return []
    many = len(names) > 1
    return [
        Finding(
            code="SD032",
            what=f"{len(names)} column{'s' * many} of {source}, {'are' if many else 'is'} no "
            f"feature{'s' * many}",
            evidence=listed(names),
            remedy=f"take {'some' if many else 'it'} in with {command('features', names[:3])}",
        )
    ]


def find_sheets(
    columns: Sequence[Column], tables: Mapping[str, RawTable], options: TableOptions
) -> list[str]:
    """Files that are tables of samples: those whose format says so, and that of the target.

    The file of the target holds data instead, if ``blocks`` names it, or its name says so (rna,
    proteins …), or, where its name says neither, if it has ten columns or more and nearly all are
    numbers. Without another file of data there is no table of samples.

    Returns
    -------
    list of str
        Blocks.
    """
    asked = [] if options.blocks is None else several(options.blocks)
    target = options.roles.get("target", "")
    with_target = {c.file for c in columns if target in (c.name, c.own_name)}
    sheets = [block for block, table in tables.items() if table.is_sheet]
    sheets += [
        block
        for block in tables
        if block in with_target
        and block not in sheets
        and not tables[block].about_samples  # its other columns were measured
        and _describes(block, tables[block], [c for c in columns if c.file == block], target)
    ]
    return [] if len(sheets) == len(tables) else [block for block in sheets if block not in asked]


def _describes(block: str, table: RawTable, columns: Sequence[Column], target: str) -> bool:
    """Whether the columns of a file describe samples, rather than being measured on them."""
    for name in (block, table.source):
        words = words_of(name)
        is_sheet = any(SHEET_NAME.match(word) for word in words)
        is_data = any(DATA_NAME.match(word) for word in words)
        if is_sheet != is_data:
            return is_sheet
    others = [column for column in columns if target not in (column.name, column.own_name)]
    if len(others) < N_DATA_COLUMNS:
        return True
    some = others[:: max(1, len(others) // N_SEEN)]
    return sum(_is_numeric(column.cells) for column in some) < NUMERIC * len(some)


def _is_numeric(cells: Cells) -> bool:
    if not isinstance(cells, list):
        return True
    present = [cell for cell in cells[:N_SEEN] if not is_missing(cell)]
    return bool(present) and sum(map(is_value, present)) >= NUMERIC * len(present)
