"""Takes in the files of a dataset: each opened, recognised or laid out, and the right way round.

Step in the line: **files** -> Dataset. What comes out are tables of samples in rows. The order:
all files are opened and recognised; the headers of the plain ones are found; which of these have
their features in rows is decided for all together, since the ids of one tell of the other; then
each is laid out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from smalldata.datasets.assembling import listed, nearest, several
from smalldata.datasets.commands import command
from smalldata.datasets.formats import recognise_grid, recognise_text
from smalldata.datasets.header import Frame, find_frame
from smalldata.datasets.joining import SINGLE_BLOCK
from smalldata.datasets.layout import lay_out, turn
from smalldata.datasets.naming import plain_name
from smalldata.datasets.opening import open_file
from smalldata.datasets.options import TableOptions
from smalldata.datasets.orientation import Turned, find_turned, of_frame, of_table
from smalldata.datasets.plain import read_plain
from smalldata.datasets.raw import Grid, RawTable, TextFile
from smalldata.datasets.text import split_text
from smalldata.errors import ConfigError, DataError


def read_tables(options: TableOptions) -> dict[str, RawTable]:
    """Read all files of a dataset.

    Parameters
    ----------
    options : TableOptions

    Returns
    -------
    dict of str to RawTable
        Samples in rows, one table per block.

    Raises
    ------
    ConfigError
        If no file is named, or a setting is wrong.
    DataError
        If a file is missing, broken or no table, or can be read both ways round.
    """
    if not options.path:
        raise ConfigError("path must name a file: dataset.path=my.csv dataset.target=COLUMN.")
    files = files_of(options)
    turned_blocks(options)  # refuses blocks that there are not
    known: dict[str, RawTable] = {}
    plain: dict[str, Frame | RawTable] = {}
    for block, file in files.items():
        own = _options_of(options, block)
        found = open_file(file, own)
        recognised = recognise_text(found, own) if isinstance(found, TextFile) else None
        if isinstance(found, TextFile) and recognised is None:
            large = read_plain(found, options, header=_header_of(options, block))
            found = large or split_text(
                found, separator=options.separator, header=_header_of(options, block)
            )
        if isinstance(found, Grid):
            recognised = recognise_grid(found, own)
        if recognised is not None:
            _check_way(block, recognised, options)
            for name, table in recognised.items():
                taken = name in files or name in known
                known[f"{block}_{name}" if taken else name or block] = table
        elif isinstance(found, Grid):
            plain[block] = find_frame(
                found, header=_header_of(options, block), target=options.roles.get("target")
            )
        elif isinstance(found, RawTable):
            plain[block] = found
    turned = _find_turned(plain, known, options)
    _find_target(plain, known, turned, options)
    tables = known | {
        block: _laid_out(content, turned.get(block), options) for block, content in plain.items()
    }
    tables = {block: tables[block] for block in (*files, *tables) if block in tables}
    guessed = [block for block, entry in turned.items() if entry.why]
    for block in guessed:
        setting = {"transpose": True if len(tables) == 1 else list(turned)}
        tables[block] = replace(tables[block], settings={**tables[block].settings, **setting})
    checksums = {table.sha256 for table in tables.values()}
    if options.sha256 and checksums != {options.sha256}:
        raise DataError(
            f"{next(iter(files.values()))} must have the sha256 {options.sha256}; it has another."
        )
    return tables


def _header_of(options: TableOptions, block: str) -> int | None:
    """Line of the header of one file."""
    if isinstance(options.header, Mapping):
        return options.header.get(block)
    return options.header


def _options_of(options: TableOptions, block: str) -> TableOptions:
    """Of several sheets each is read as a file of its own; a header may be that of one file."""
    options = replace(options, header=_header_of(options, block))
    if options.sheet is None or isinstance(options.sheet, str | int):
        return options
    return replace(options, sheet=block)


def _check_way(block: str, tables: Mapping[str, RawTable], options: TableOptions) -> None:
    """Refuse ``transpose`` that contradicts what the format of a file says."""
    asked = block in turned_blocks(options)
    is_turned = any("transposed" in table.notes for table in tables.values())
    if asked != is_turned and (asked or options.transpose is False):
        table = next(iter(tables.values()))
        raise ConfigError(
            f"transpose is for plain tables; {table.source} was taken for "
            f"{table.taken_for or 'a known format'}, whose samples stand in "
            f"{'columns' if is_turned else 'rows'}. Leave it out, or read a plain table with "
            "dataset.header=N."
        )


def _find_turned(
    plain: Mapping[str, Frame | RawTable],
    known: Mapping[str, RawTable],
    options: TableOptions,
) -> dict[str, Turned]:
    """Decide which files have their features in rows."""
    evidence = {
        block: of_frame(content) if isinstance(content, Frame) else of_table(content)
        for block, content in plain.items()
    }
    others = {block: of_table(table) for block, table in known.items()}
    asked: dict[str, bool] = {}
    if options.transpose is not None:
        chosen = turned_blocks(options)
        asked = {block: block in chosen for block in plain}
    turned = find_turned(evidence, others, roles=list(options.roles.values()), asked=asked)
    # A format with features in rows checks it by itself.
    if options.name_column is not None and not any(
        "transposed" in table.notes for table in known.values()
    ):
        names = [name for block in turned for name in evidence[block].names]
        if turned and options.name_column not in names:
            raise ConfigError(
                f"name_column must be a column of a table with features in rows; there is no "
                f"column {options.name_column!r}{nearest(options.name_column, names)}"
            )
        if not turned:
            raise ConfigError(
                "name_column is for tables with features in rows; none was read so. Say it with "
                "dataset.transpose=true."
            )
    return turned


def _find_target(
    plain: Mapping[str, Frame | RawTable],
    known: Mapping[str, RawTable],
    turned: Mapping[str, Turned],
    options: TableOptions,
) -> None:
    """Refuse a target that is in no header but plainly elsewhere, with the way there.

    Raises
    ------
    ConfigError
    """
    target = options.roles.get("target")
    if target is None or any(target in table.names for table in known.values()):
        return
    evidence = {
        block: of_frame(content) if isinstance(content, Frame) else of_table(content)
        for block, content in plain.items()
    }
    for block, own in evidence.items():
        if target in ([*own.above, *own.columns[0]] if block in turned else own.names):
            return
    for block, content in plain.items():
        own = evidence[block]
        if block in turned or not isinstance(content, Frame):
            continue
        rows = [*own.above, *own.columns[0]]
        same = [entry for entry in rows if entry and plain_name(entry) == plain_name(target)]
        if same and plain_name(same[0]) not in map(plain_name, own.names):
            way = "true" if len(plain) + len(known) == 1 else f"[{block}]"
            raise ConfigError(
                f"target must be a column of {own.source}; there is no column {target!r}, but a "
                f"row {same[0]!r}: if features stand in rows, set {command('target', same[0])} "
                f"dataset.transpose={way}."
            )
        for finding in content.findings:
            if finding.code == "SD017":
                raise ConfigError(
                    f"target must be a column of {own.source}; there is no column {target!r} in "
                    f"its first sheet; {finding.remedy}."
                )
        _point_to_sheet(content, target)


def _point_to_sheet(frame: Frame, target: str) -> None:
    """Refuse a target that is nowhere in the first sheet of a workbook, with the other sheets.

    Raises
    ------
    ConfigError
    """
    others = frame.grid.others
    if not others or any(target in row for row in frame.rows):  # a name of a long form
        return
    holding = [title for title, rows in others.items() if _has_column(frame.grid, rows, target)]
    if holding:
        many = len(holding) > 1
        told = f"sheet{'s' * many} {listed(holding)} {'have' if many else 'has'} it"
    else:
        told = f"its other sheets are {listed(list(others))}"
    raise ConfigError(
        f"target must be a column of {frame.grid.source}; there is no column {target!r} in its "
        f"first sheet; {told}: {command('sheet', (holding or list(others))[0])}."
    )


def _has_column(grid: Grid, rows: list[list[str]], target: str) -> bool:
    """Whether a sheet has a column, by its first rows."""
    if len(rows) < 2:
        return False
    grid = Grid(
        source=grid.source,
        rows=rows,
        lines=list(range(1, len(rows) + 1)),
        place=grid.place,
        notes=(),
        sha256="",
    )
    try:
        return target in find_frame(grid, target=target).header
    except DataError:
        return False


def _laid_out(content: Frame | RawTable, turned: Turned | None, options: TableOptions) -> RawTable:
    if isinstance(content, Frame):
        return lay_out(content, turned=turned, options=options)
    return content if turned is None else turn(content, turned, options=options)


def files_of(options: TableOptions) -> dict[str, str | Path]:
    """Give the files by block; a single one is the block ``features``.

    Several sheets of one file are a block each, of the sheet's name.

    Raises
    ------
    ConfigError
        If several sheets are asked of several files.
    """
    path, sheet = options.path, options.sheet
    sheets: Sequence[str] = []
    if sheet is not None and not isinstance(sheet, str | int):
        sheets = several(sheet)
    if isinstance(path, Mapping):
        if sheets:
            raise ConfigError(
                "several sheets must be of one file: dataset.path=my.xlsx; got "
                f"{len(path)} files. Name the sheets of one file, or save each sheet as a file."
            )
        return {str(block): file for block, file in path.items()}
    if sheets:
        return dict.fromkeys(sheets, path or "")
    return {SINGLE_BLOCK: path or ""}


def turned_blocks(options: TableOptions) -> list[str]:
    """Give the blocks that the user says have their features in rows.

    Raises
    ------
    ConfigError
        If there is no such block.
    """
    files = files_of(options)
    if isinstance(options.transpose, bool):
        return list(files) if options.transpose else []
    turned = [] if options.transpose is None else several(options.transpose)
    for block in turned:
        if block not in files:
            raise ConfigError(
                f"transpose must be true, false or blocks among {', '.join(files)}; got {block!r}."
            )
    return turned
