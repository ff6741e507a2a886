"""GEO series matrices, with the characteristics of their samples.

Step in the line: **files** -> Dataset. The format is that of NCBI GEO (ncbi.nlm.nih.gov/geo/info,
"Series Matrix Files"): tags, ``!Series_…`` and ``!Sample_…`` with one quoted cell a sample, then a
table with features in rows between ``!series_matrix_table_begin`` and ``…_end``. Quoted
text may go on in the next line. There are several rows of characteristics; a cell is
``key: value``, and in one row the samples may have different keys.
"""

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice

from smalldata.datasets.assembling import listed
from smalldata.datasets.commands import command
from smalldata.datasets.formats.cells import N_HEAD, Features, Numbered, Sheet, read_features
from smalldata.datasets.formats.tables import (
    SAMPLES,
    Tables,
    Taken,
    check_samples,
    counted,
    samples_table,
    turned_table,
)
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import RawTable, TextFile
from smalldata.errors import DataError

_BEGIN = "!series_matrix_table_begin"
_END = "!series_matrix_table_end"
_LINE = re.compile(r"\r\n|\n|\r")
_PLAIN = ("title", "source_name_ch1", "source_name_ch2", "description")
_CHARACTERISTICS = re.compile(r"characteristics_ch(\d+)")
ID_NAME = "geo_accession"


def read_series_matrix(file: TextFile, options: TableOptions) -> Tables | None:
    """Read a series matrix, or return None.

    Raises
    ------
    DataError
        If it has no table of values and stands alone.
    """
    start = file.text[:4000]
    if "!Series_" not in start and "!Sample_" not in start:
        return None
    first = start.lstrip('\ufeff \t\r\n"')
    if not first.startswith(("!Series_", "!Sample_")):
        return None
    head, begins, table = file.text.partition(_BEGIN)
    records = _records(head)
    samples = next((cells for tag, cells in records if tag == "!Sample_geo_accession"), [])
    if not samples:
        return None
    accessions = check_samples(samples, file.source)
    columns = _columns(records, len(accessions))
    id_name, ids = _ids(columns, accessions, options)
    n_characteristics = sum(name not in _PLAIN for name in columns)
    series = next((cells[0] for tag, cells in records if tag == "!Series_geo_accession"), "")
    taken = Taken(f"a GEO series matrix{f' ({series})' if series else ''}")
    told = [
        f"{counted(n_characteristics, 'characteristic')}"
        f"{' and ' if len(columns) > n_characteristics else ''}"
        f"{', '.join(name for name in columns if name in _PLAIN)} are columns of its samples"
    ]
    described = samples_table(
        file.source,
        id_name=id_name,
        ids=ids,
        columns=columns,
        sha256=file.sha256,
        taken_for="the samples of a GEO series matrix",
    )
    sheet = _table(file, head, table) if begins else None
    if sheet is None:
        return _only_samples(file, records, described, taken, told, options)
    header, features, n_empty = _features_of(sheet, accessions, file, options)
    names = features.texts[0]
    taken.facts += [
        f"{counted(len(names), 'row')} of its table ({header[0]}) are the features of "
        f"{len(ids)} samples",
        *told,
        *([f"{counted(n_empty, 'row')} without a value left out"] if n_empty else []),
    ]
    called = dict(zip(accessions, ids, strict=True))
    turned = turned_table(
        sheet,
        samples=[called[name] for name in header[1:]],
        names=names,
        features=features,
        taken=taken,
    )
    if id_name != ID_NAME:
        turned = replace(turned, names=[id_name, *names], settings={"id": id_name})
    return {"": turned, SAMPLES: described}


def _features_of(
    sheet: Sheet, accessions: list[str], file: TextFile, options: TableOptions
) -> tuple[list[str], Features, int]:
    """Read the rows of the table; give its header, its features and how many had no value."""
    header = list(sheet.header)
    while header and not header[-1]:
        header.pop()
    if set(check_samples(header[1:], file.source)) != set(accessions):
        raise DataError(
            f"the table of {file.source} must have the samples of its header; it has "
            f"{len(header) - 1} columns and {len(accessions)} samples. Download it again."
        )
    features = read_features(
        sheet,
        header=header,
        n_above=1,
        texts=[0],
        numbers=list(range(1, len(header))),
        options=options,
    )
    features = features.kept([bool(name) for name in features.texts[0]])
    n_read = len(features)
    features = features.without_empty()
    names = features.texts[0]
    if len(set(names)) < len(names) and options.duplicates is None:
        raise DataError(
            f"features of {file.source} must have different names; some ids of its table occur "
            "more than once. Say what to do: dataset.duplicates=mean, max, first or number."
        )
    return header, features, n_read - len(features)


def _table(file: TextFile, head: str, text: str) -> Sheet | None:
    """Cut the table into cells; None if it has no row below its header.

    Raises
    ------
    DataError
        If its end is missing.
    """
    table, end, _ = text.partition(_END)
    if not end:
        raise DataError(
            f"{file.source} must be a whole series matrix; its last line, {_END}, is missing. "
            "Download it again."
        )
    first_line = len(_LINE.findall(head)) + 1

    def rows() -> Iterator[Numbered]:
        for line, written in enumerate(io.StringIO(table, newline=None), start=first_line):
            if not written.isspace():
                cells = written.rstrip("\n").split("\t")
                cells[0] = _bare(cells[0])
                yield line, cells if '"' not in written else list(map(_bare, cells))

    start = [(line, list(map(_bare, cells))) for line, cells in islice(rows(), N_HEAD)]
    if len(start) < 2:
        return None
    return Sheet(
        source=file.source,
        head=start,
        rows=rows,
        place="line",
        notes=("tab", file.encoding),
        sha256=file.sha256,
        text=table,
        separator="\t",
        first_line=first_line,
    )


def _only_samples(
    file: TextFile,
    records: list[tuple[str, list[str]]],
    described: RawTable,
    taken: Taken,
    told: list[str],
    options: TableOptions,
) -> Tables:
    """Give the samples of a series without a table where another file holds the values."""
    if isinstance(options.path, Mapping) and len(options.path) > 1:
        taken.facts += ["it has no table of values", *told]
        return {"": replace(described, findings=(taken.finding(file.source),))}
    files = [
        cell for tag, cells in records if tag == "!Series_supplementary_file" for cell in cells
    ]
    where = f" ({listed([file.rsplit('/', 1)[-1] for file in files])})" if files else ""
    raise DataError(
        f"{file.source} must hold a table of values; this GEO series matrix has none, as is usual "
        f"for sequencing. Download the values from the series' supplementary files{where} and join "
        f"both: {command('path', {'values': 'FILE', 'samples': file.source})}."
    )


def _records(head: str) -> list[tuple[str, list[str]]]:
    """Tags with their cells; a line without a tag goes on with the record before it."""
    records: list[str] = []
    for line in _LINE.split(head):
        if line.lstrip('"').startswith(("!Series_", "!Sample_")):
            records.append(line)
        elif records:
            records[-1] += f"\n{line}"
    cut = [record.rstrip("\n").split("\t") for record in records]
    return [(_bare(tag), [_bare(cell) for cell in cells]) for tag, *cells in cut]


def _columns(records: list[tuple[str, list[str]]], n_samples: int) -> dict[str, list[str]]:
    """Columns of the samples: titles, sources, and each key of the characteristics."""
    columns: dict[str, list[str]] = {}
    channels = {
        match[1] for tag, _ in records if (match := _CHARACTERISTICS.fullmatch(_short(tag)))
    }
    for tag, cells in records:
        name = _short(tag)
        if name in _PLAIN and len(cells) == n_samples and len(set(cells)) > 1:
            columns.setdefault(name, cells)
    spelled: dict[str, str] = {}
    for n_row, (tag, cells) in enumerate(records):
        match = _CHARACTERISTICS.fullmatch(_short(tag))
        if not match:
            continue
        for sample, cell in enumerate(cells[:n_samples]):
            key, value = _key_and_value(cell)
            if not value:
                continue
            name = key or f"characteristic {_nth_row(records, n_row)}"
            if len(channels) > 1:
                name = f"{name} (ch{match[1]})"
            if name in _PLAIN or name == ID_NAME:
                name = f"{name} (characteristic)"
            name = spelled.setdefault(name.lower(), name)
            entries = columns.setdefault(name, [""] * n_samples)
            entries[sample] = f"{entries[sample]}; {value}" if entries[sample] else value
    return columns


def _nth_row(records: list[tuple[str, list[str]]], n_row: int) -> int:
    """Count the rows of characteristics up to one of the records."""
    return sum("characteristics_ch" in tag for tag, _ in records[: n_row + 1])


def _ids(
    columns: dict[str, list[str]], accessions: list[str], options: TableOptions
) -> tuple[str, list[str]]:
    """Return the ids of the samples: their accessions, or a column that ``id`` names.

    Other files often know the samples by their titles.
    """
    asked = options.id.values() if isinstance(options.id, Mapping) else [options.id]
    for name in map(str, asked):
        cells = columns.get(name, [])
        if cells and all(cells) and len(set(cells)) == len(cells):
            columns[ID_NAME] = accessions
            return name, columns.pop(name)
    return ID_NAME, accessions


def _key_and_value(cell: str) -> tuple[str, str]:
    """Split ``key: value``; text without a key is a value."""
    key, colon, value = cell.partition(":")
    if not colon:
        return "", cell.strip()
    return " ".join(key.split()), value.strip()


def _short(tag: str) -> str:
    return tag.removeprefix("!Sample_")


def _bare(cell: str) -> str:
    """Text of a cell without its quotes."""
    text = cell.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].replace('""', '"')
    return text.strip()
