"""Lays out the cells of a plain table: names, columns, blocks, samples in rows.

Step in the line: **files** -> Dataset. A grid that is no table is refused with the place where it
stops being one.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from smalldata.datasets.annotations import Annotations, find_annotations, suspect_rows
from smalldata.datasets.assembling import listed
from smalldata.datasets.header import N_ROWS_SEEN, Frame, told_below
from smalldata.datasets.naming import nameless
from smalldata.datasets.options import TableOptions
from smalldata.datasets.orientation import Turned
from smalldata.datasets.raw import Cells, RawTable, cell_text, clean_name, rows_of
from smalldata.datasets.text import N_CHARACTERS_SHOWN
from smalldata.datasets.units import BelowHeader, categories_of, is_missing, is_unit, units_of
from smalldata.errors import DataError
from smalldata.findings import Finding
from smalldata.task import Dropped


def lay_out(frame: Frame, *, turned: Turned | None, options: TableOptions) -> RawTable:
    """Give the cells of a plain table their columns.

    Parameters
    ----------
    frame : Frame
    turned : Turned, optional
        Features stand in rows. Default: samples do.
    options : TableOptions

    Returns
    -------
    RawTable

    Raises
    ------
    ConfigError
        If there is no such column of names.
    DataError
        If it is no table, or names are missing or repeat.
    """
    settings: dict[str, Any] = {}
    is_alone = not isinstance(options.path, Mapping)
    if frame.is_shown and is_alone:
        settings["header"] = frame.header_line
    table = _plain_frame(frame) if turned is None else _turned_frame(frame, turned, options)
    return replace(
        table,
        settings={**settings, **(table.settings if is_alone else {})},
        dropped=(*frame.dropped, *table.dropped),
    )


def _plain_frame(frame: Frame) -> RawTable:
    """Lay out a table of samples in rows."""
    grid = frame.grid
    records = [list(frame.header), *map(list, frame.rows)]
    lines = [frame.header_line, *frame.lines]
    _check_width(records, lines, grid.source, place=grid.place)
    shift = len(records[0]) - len(frame.header)  # a header of R gets a first name
    width = len(records[0])
    below = [replace(row, cells=_fitted(row.cells, width)) for row in frame.below]
    above = [_fitted(["", *row] if shift == 1 else row, width) for row in frame.above]
    raw_names = [clean_name(name) for name in records[0]]
    blocks, descriptions = _upper(above, raw_names, frame)
    named = _with_blocks(raw_names, blocks)
    names, columns, places = _columns([named, *records[1:]], lines, grid.source, place=grid.place)
    units = units_of(below, named) | _units_above(above, named)
    findings = [*frame.findings, *told_below(frame, units), *descriptions]
    by_name = {name: block for name, block in zip(named, blocks, strict=True) if block}
    if by_name:
        of = ", ".join(
            f"{block} ({sum(entry == block for entry in by_name.values())} columns)"
            for block in dict.fromkeys(by_name.values())
        )
        findings.append(
            Finding(
                code="SD017",
                what=f"the upper header of {grid.source} was taken for blocks",
                evidence=of,
                remedy="choose some with dataset.blocks",
            )
        )
    return RawTable(
        source=grid.source,
        names=names,
        columns=columns,
        places=places,
        notes=grid.notes,
        sha256=grid.sha256,
        findings=tuple(findings),
        dropped=_dropped_below(frame),
        units=units,
        blocks=by_name,
        categories={n: v for n, v in categories_of(below, named).items() if n in names},
        settings=grid.settings,
    )


def _dropped_below(frame: Frame) -> tuple[Dropped, ...]:
    """Rows below the header that are no samples."""
    if not frame.below:
        return ()
    return (
        Dropped(
            what="rows",
            names=tuple(f"{frame.grid.place} {row.line}" for row in frame.below),
            reason=f"units, types or descriptions of the columns of {frame.grid.source}",
        ),
    )


def _turned_frame(frame: Frame, turned: Turned, options: TableOptions) -> RawTable:
    """Lay out a table of features in rows."""
    grid = frame.grid
    rows = [*(row.cells for row in frame.below), *frame.rows]
    records = [list(frame.header), *map(list, rows)]
    lines = [frame.header_line, *(row.line for row in frame.below), *frame.lines]
    _check_width(records, lines, grid.source, place=grid.place)
    header = [clean_name(name) for name in records[0]]
    found = find_annotations(
        header, records[1:], above=frame.above, ids=turned.ids, name_column=options.name_column
    )
    names = [clean_name(row[found.name]) for row in records[1:]]
    samples = found.samples
    cells: list[Cells] = [[row[place] for place in samples] for row in records[1:]]
    ids = [header[place] for place in samples]
    above = _above_columns(frame, found)
    findings = [
        *frame.findings,
        *_told_turned(grid.source, turned),
        *found.told(header, grid.source),
    ]
    findings += _told_above(frame, list(above))
    findings += suspect_rows(names, cells, options=options)
    units = {}
    if found.unit is not None:
        pairs = ((row[found.name], row[found.unit]) for row in records[1:])
        units = {clean_name(name): unit for name, unit in pairs if unit and not is_missing(unit)}
    return _table_of_samples(
        ids,
        above,
        names,
        cells,
        RawTable(
            source=grid.source,
            names=[],
            columns=[],
            places=[f"sample {entry}" for entry in ids],
            notes=(*grid.notes, "transposed"),
            sha256=grid.sha256,
            findings=tuple(findings),
            dropped=found.dropped(header, grid.source),
            units=units,
            about_samples=tuple(above),
            settings={
                **grid.settings,
                **({"name_column": header[found.name]} if found.others else {}),
            },
        ),
    )


def turn(table: RawTable, turned: Turned, *, options: TableOptions) -> RawTable:
    """Swap rows and columns of a table whose file has columns (parquet).

    Raises
    ------
    ConfigError
        If there is no such column of names.
    DataError
        If names are missing or repeat.
    """
    n_seen = min(N_ROWS_SEEN, table.n_rows)
    leading = [[cell_text(column[row]) for column in table.columns] for row in range(n_seen)]
    whole = {
        place: [cell_text(cell) for cell in column]
        for place, column in enumerate(table.columns)
        if isinstance(column, list) or place == 0
    }
    found = find_annotations(
        table.names, leading, above=(), ids=turned.ids, name_column=options.name_column, whole=whole
    )
    name_cells = table.columns[found.name]
    names = [clean_name(cell_text(cell)) for cell in name_cells]
    chosen = [table.columns[place] for place in found.samples]
    cells: list[Cells]
    if chosen and all(not isinstance(column, list) for column in chosen):
        cells = list(rows_of(chosen))
    else:
        cells = [[cell_text(column[row]) for column in chosen] for row in range(table.n_rows)]
    ids = [table.names[place] for place in found.samples]
    findings = [
        *table.findings,
        *_told_turned(table.source, turned),
        *found.told(table.names, table.source),
    ]
    findings += suspect_rows(names, cells, options=options)
    return _table_of_samples(
        ids,
        {},
        names,
        cells,
        replace(
            table,
            places=[f"sample {entry}" for entry in ids],
            notes=(*table.notes, "transposed"),
            findings=tuple(findings),
            dropped=found.dropped(table.names, table.source),
        ),
    )


def _table_of_samples(
    ids: list[str],
    above: Mapping[str, list[str]],
    names: list[str],
    cells: list[Cells],
    table: RawTable,
) -> RawTable:
    """Put the parts of a turned table together: ids, what stood above, features."""
    every = ["", *above, *names]
    columns: list[Cells] = [list(ids), *above.values(), *cells]
    filled = [
        place
        for place, name in enumerate(every)
        if name or not isinstance(columns[place], list) or any(columns[place])
    ]
    every = [every[place] for place in filled]
    columns = [columns[place] for place in filled]
    check_names(every, columns, table.source)
    return replace(table, names=every, columns=columns)


def _fitted(cells: Sequence[str], width: int) -> list[str]:
    """Cells of a row beside the body, as many as the body has."""
    return [*cells, *[""] * (width - len(cells))][:width]


def _upper(
    above: Sequence[Sequence[str]], names: Sequence[str], frame: Frame
) -> tuple[list[str], list[Finding]]:
    """Block of each column, and what to say of other rows above the header.

    A name holds for its merged cells; without these, up to the next name. A row whose entries all
    differ describes its columns and makes no blocks.
    """
    blocks = [""] * len(names)
    findings = []
    merged: dict[int, list[tuple[int, int]]] = {line: [] for line in frame.above_lines}
    for line, first, last in frame.grid.merged:
        if line in merged:
            merged[line].append((first, last))
    for row, line in zip(above, frame.above_lines, strict=True):
        own = _spans(row, merged[line])
        texts = [cell for cell in row if cell]
        is_repeated = len(set(texts)) < len(texts)
        is_sparse = len(texts) <= len(names) / 2
        if not (merged[line] or is_sparse or is_repeated) or _are_units(row):
            if not _are_units(row):
                findings.append(
                    Finding(
                        code="SD011",
                        what=f"{frame.grid.place} {line} of {frame.grid.source} stands above the "
                        "header and describes the columns; it was skipped",
                        evidence=listed(texts),
                    )
                )
            continue
        # A name merged downwards is the name of its column.
        own = ["" if cell == name else cell for cell, name in zip(own, names, strict=True)]
        blocks = [
            f"{block}:{cell}" if block and cell else block or cell
            for block, cell in zip(blocks, own, strict=True)
        ]
    if names and not names[0]:
        blocks[0] = ""
    return blocks, findings


def _spans(row: Sequence[str], merged: Sequence[tuple[int, int]]) -> list[str]:
    """Fill the names of an upper header to the right."""
    filled = list(row)
    if merged:
        for first, last in merged:
            for place in range(first, min(last + 1, len(filled))):
                filled[place] = row[first]
        return filled
    name = ""
    for place, cell in enumerate(row):
        name = cell or name
        filled[place] = name
    return filled


def _are_units(row: Sequence[str]) -> bool:
    texts = [cell for cell in row[1:] if cell]
    return bool(texts) and sum(map(is_unit, texts)) >= len(texts) / 2


def _units_above(above: Sequence[Sequence[str]], names: Sequence[str]) -> dict[str, str]:
    rows = [BelowHeader(kind="units", cells=list(row), line=0) for row in above if _are_units(row)]
    return units_of(rows, names)


def _with_blocks(names: Sequence[str], blocks: Sequence[str]) -> list[str]:
    """Names that repeat under different upper names, told apart by these."""
    repeated = {name for name, count in Counter(names).items() if name and count > 1}
    return [
        f"{block}:{name}" if name in repeated and block else name
        for name, block in zip(names, blocks, strict=True)
    ]


def _above_columns(frame: Frame, found: Annotations) -> dict[str, list[str]]:
    """Rows above the header as columns of the samples."""
    columns: dict[str, list[str]] = {}
    for row, line in zip(frame.above, frame.above_lines, strict=True):
        name = next((cell for cell in reversed(row[: found.first]) if cell), "")
        values = list(row[found.first :])
        n_filled = sum(1 for cell in values if cell)
        if n_filled <= len(values) / 2:
            values = _spans(values, ())
        at = [
            values[place - found.first] if place >= found.first else "" for place in found.samples
        ]
        name = clean_name(name) or f"{frame.grid.place} {line}"
        columns[name if name not in columns else f"{name}.{line}"] = at
    return columns


def _told_turned(source: str, turned: Turned) -> list[Finding]:
    if not turned.why:
        return []
    return [
        Finding(
            code="SD015",
            what=f"{source} was turned, since {turned.why}",
            remedy="dataset.transpose=false reads it as it stands",
        )
    ]


def _told_above(frame: Frame, names: Sequence[str]) -> list[Finding]:
    if not names:
        return []
    n_rows = len(names)
    return [
        Finding(
            code="SD011",
            what=f"{n_rows} {'rows' if n_rows > 1 else 'row'} above the header of "
            f"{frame.grid.source} {'describe' if n_rows > 1 else 'describes'} the samples",
            evidence=listed(names),
            remedy="use one as target, groups or batch; features are those that dataset.features "
            "names",
        )
    ]


def _check_width(
    records: list[list[str]], lines: Sequence[int], source: str, *, place: str
) -> None:
    """Make the records equally wide, or name the first that is not."""
    header, body = records[0], records[1:]
    if not body:
        raise DataError(
            f"{source} must hold rows; it has a header of {len(header)} columns and no row."
        )
    widths = {len(record) for record in body}
    if len(widths) == 1 and len(header) == next(iter(widths)):
        return
    # A separator at the end of each row, or of the header alone, makes one empty field too many.
    if all(len(record) == len(header) + 1 and not record[-1] for record in body):
        for record in body:
            record.pop()
        return
    if not header[-1] and widths == {len(header) - 1}:
        header.pop()
        return
    if widths == {len(header) + 1}:
        header.insert(0, "")
        return
    expected = len(header)
    if len(widths) > 1 and sum(len(record) == expected + 1 for record in body) > len(body) / 2:
        expected += 1
    for record, line in zip(body, lines[1:], strict=True):
        if len(record) != expected:
            shown = " ".join(record)[:N_CHARACTERS_SHOWN]
            remedy = "Put text that contains the separator in quotes."
            if len(record) < expected:
                remedy = "Delete it if it is a note, or write its missing fields."
            raise DataError(
                f"every row of {source} must have {expected} fields like the header; "
                f"{place} {line} has {len(record)} ({shown!r}). {remedy}"
            )


def _columns(
    records: list[list[str]], lines: Sequence[int], source: str, *, place: str
) -> tuple[list[str], list[Cells], list[str]]:
    """Names, columns and the places of the rows."""
    names = records[0]
    columns: list[Cells] = [list(column) for column in zip(*records[1:], strict=True)]
    if sum(not name for name in names) > len(names) / 2 and len(names) > 2:
        alone = ", ".join(name for name in names if name)
        raise DataError(
            f"the header of {source} must hold the column names; {place} {lines[0]} holds "
            f"{alone!r} only. Name the right {place}: dataset.header=N."
        )
    filled = [place for place, name in enumerate(names) if name or any(columns[place])]
    names = [names[place] for place in filled]
    columns = [columns[place] for place in filled]
    check_names(names, columns, source, places=filled)
    return names, columns, [f"{place} {line}" for line in lines[1:]]


def check_names(
    names: Sequence[str],
    columns: Sequence[Cells],
    source: str,
    *,
    places: Sequence[int] | None = None,
) -> None:
    """Refuse missing names anywhere but in front; repeated ones wait for `duplicates`.

    ``places`` are those of the columns in the file, counted from 0.
    """
    absent = [at for at, name in enumerate(names) if at and not name]
    if absent:
        example = next((cell for cell in columns[absent[0]] if cell), "")
        told = nameless("column", [1 + (places[at] if places else at) for at in absent])
        is_one = len(absent) == 1
        raise DataError(
            f"every column of {source} must have a name; {told} ({'it' if is_one else 'the first'} "
            f"holds {str(example)!r}). Name {'it' if is_one else 'them'} in the file."
        )
