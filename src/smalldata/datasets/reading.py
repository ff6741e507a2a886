"""Reads one table file (csv, tsv, txt, .gz, parquet, xlsx) into named columns of cells.

Step in the line: **files** -> Dataset. The format is told by the content, not by the ending. A file
that is not a table is refused with the place where it stops being one.
"""

import contextlib
import gzip
import hashlib
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets.assembling import listed
from smalldata.datasets.damage import refusing
from smalldata.datasets.sniffing import SEPARATORS, decode
from smalldata.datasets.text import N_CHARACTERS_SHOWN, NUMBER, split_text
from smalldata.datasets.workbook import read_workbook
from smalldata.errors import DataError, did_you_mean

Cells = list[str] | NDArray[np.float64]

_GZIP = b"\x1f\x8b"
# The second is an empty zip file, the third one in parts.
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")


def take_cells(cells: Cells, rows: NDArray[np.intp]) -> Cells:
    """Return the cells of some rows of a column."""
    return [cells[row] for row in rows] if isinstance(cells, list) else cells[rows]


@dataclass(frozen=True, kw_only=True)
class RawTable:
    """A table as written.

    Attributes
    ----------
    source : str
        Name of the file.
    names : list of str
        Unique, not empty; a first column without a name is called ``""``.
    columns : list of (list of str or ndarray of float64)
        Stripped text, or numbers where the file has types.
    places : list of str
        Where each row stands in the file: ``line 7``.
    notes : tuple of str
        What was inferred: separator, encoding, sheet.
    sha256 : str
        Of the file's bytes.
    warnings : tuple of str
        What the user should look at.
    categories : mapping of str to tuple of str
        Columns that came as categories, with the order of these, empty where they have none. A
        file has no such columns.
    """

    source: str
    names: list[str]
    columns: list[Cells]
    places: list[str]
    notes: tuple[str, ...]
    sha256: str
    warnings: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.places)


def read_table(
    path: str | Path,
    *,
    separator: str | None = None,
    encoding: str | None = None,
    transpose: bool = False,
    sheet: str | int | None = None,
    decimal: str | None = None,
) -> RawTable:
    """Read one file.

    Parameters
    ----------
    path : str or Path
    separator : str, optional
        One character, or tab, semicolon, comma, bar, space; default: found out.
    encoding : str, optional
        Default: found out.
    transpose : bool
        Features stand in rows: the first column holds their names, the first row the sample ids.
    sheet : str or int, optional
        Sheet of a workbook, by name or counted from 0; default: the first.
    decimal : str, optional
        Decimal sign of a workbook's text; default: found out.

    Returns
    -------
    RawTable

    Raises
    ------
    ConfigError
        If a setting is wrong.
    DataError
        If the file is missing, empty, broken or no table.
    """
    file = Path(path).expanduser()
    content = _bytes(file)
    source = file.name
    sha256 = hashlib.sha256(content).hexdigest()
    warnings: tuple[str, ...] = ()
    if content.startswith(_GZIP):
        content = _unzip(content, source)
    if not content.strip():
        raise DataError(f"{source} must hold a table; it is empty.")
    if content.startswith(b"PAR1"):
        names, columns, places = _read_parquet(content, source)
        notes: tuple[str, ...] = ("parquet",)
        if transpose:
            records = [
                names,
                *([_text(cell) for cell in row] for row in zip(*columns, strict=True)),
            ]
            names, columns, places = _columns(_transposed(records), [], source, place="row")
    else:
        if content.startswith(_ZIP):
            records, lines, notes, warnings = read_workbook(
                content, source, sheet=sheet, decimal=decimal
            )
            place = "row"
        elif content.startswith(b"\xd0\xcf\x11\xe0"):
            raise DataError(
                f"{source} must be csv, tsv, parquet or xlsx; it is an old Excel workbook "
                "or one with a password. Save it as xlsx or csv."
            )
        elif content.startswith(b"\x89HDF"):
            raise DataError(
                f"{source} must be csv, tsv, parquet or xlsx; it is an HDF5 file. "
                "If it is an AnnData file, use dataset=h5ad."
            )
        else:
            text, found = decode(content, source=source, encoding=encoding)
            records, lines, chosen = split_text(text, source, separator=separator)
            notes = (SEPARATORS.get(chosen, repr(chosen)), found)
            place = "line"
        _check_width(records, lines, source, place=place)
        if transpose:
            records, lines = _transposed(records), []
            place = "sample"
        names, columns, places = _columns(records, lines, source, place=place)
    if transpose:
        notes = (*notes, "transposed")
    return RawTable(
        source=source,
        names=names,
        columns=columns,
        places=places,
        notes=notes,
        sha256=sha256,
        warnings=warnings,
    )


def _bytes(file: Path) -> bytes:
    if file.is_dir():
        inside = sorted(entry.name for entry in file.iterdir() if entry.is_file())
        raise DataError(
            f"path must be a file; {file} is a folder"
            + (f" (with {listed(inside, mark='')})." if inside else " without files.")
        )
    if not file.exists():
        folder = file.parent
        beside = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        hint = did_you_mean(file.name, beside, show=lambda name: str(folder / name))
        hint = hint or f"the folder {folder.resolve()} " + (
            f"holds {listed(sorted(beside), mark='')}." if beside else "is empty or missing."
        )
        raise DataError(f"path must be a file; there is no {file}; {hint}")
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} must be readable; {error.strerror or error}.") from None


def _unzip(content: bytes, source: str) -> bytes:
    with refusing(
        f"{source} must be a whole gzip file",
        found="it is cut or damaged",
        remedy="Copy or download it again.",
    ):
        content = gzip.decompress(content)
    if content.startswith(_GZIP):
        raise DataError(f"{source} must be gzipped once; it is gzipped twice. Unpack it once.")
    return content


def _read_parquet(content: bytes, source: str) -> tuple[list[str], list[Cells], list[str]]:
    """Columns of a parquet file; an index that pandas stored comes first, without a name."""
    import pyarrow.parquet as pq

    with refusing(
        f"{source} must be a whole parquet file",
        found="it is cut or damaged",
        remedy="Copy or write it again.",
    ):
        # Not read_table, which refuses repeated names before they can be named.
        file = pq.ParquetFile(io.BytesIO(content), page_checksum_verification=True)
        table = file.read()
        stored = list(zip(table.column_names, table.columns, strict=True))
    names: list[str] = []
    columns: list[Cells] = []
    for name, column in stored:
        with refusing(
            f"a column must hold numbers or text; {name!r} of {source} is of type {column.type}",
            found="some of it cannot be read",
            remedy="Mend it or drop it from the file.",
        ):
            cells = _parquet_cells(column, name=name, source=source)
        is_index = re.fullmatch(r"__index_level_\d+__", name) is not None
        names.insert(0, "") if is_index else names.append(clean_name(name))
        columns.insert(0, cells) if is_index else columns.append(cells)
    if table.num_rows == 0:
        raise DataError(f"{source} must hold rows; it has {len(names)} columns and no row.")
    _check_names(names, columns, source)
    return names, columns, [f"row {row}" for row in range(1, table.num_rows + 1)]


def _parquet_cells(column: Any, *, name: str, source: str) -> Cells:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_nested(kind):
        raise DataError(
            f"a column must hold numbers or text; {name!r} of {source} holds {kind}. Drop it "
            "from the file."
        )
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        # Whole numbers that float64 cannot hold are left as text: ids must keep their digits.
        with contextlib.suppress(pa.ArrowInvalid):
            return np.array(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    return [
        cell.decode() if isinstance(cell, bytes) else "" if cell is None else str(cell).strip()
        for cell in column.to_pylist()
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
            raise DataError(
                f"every row of {source} must have {expected} fields like the header; "
                f"{place} {line} has {len(record)} ({shown!r}). Put text that contains the "
                "separator in quotes."
            )


def _transposed(records: list[list[str]]) -> list[list[str]]:
    """Swap rows and columns; the sample ids of the header become a first column without a name."""
    turned = [list(column) for column in zip(*records, strict=True)]
    turned[0][0] = ""
    return turned


def _columns(
    records: list[list[str]], lines: Sequence[int], source: str, *, place: str
) -> tuple[list[str], list[Cells], list[str]]:
    """Names, columns and the places of the rows."""
    names = [clean_name(name) for name in records[0]]
    columns: list[Cells] = [list(column) for column in zip(*records[1:], strict=True)]
    if sum(not name for name in names) > len(names) / 2 and len(names) > 2:
        alone = ", ".join(name for name in names if name)
        raise DataError(
            f"the first row of {source} must hold the column names; it holds {alone!r} only. "
            "Delete what stands above the header."
        )
    filled = [place for place, name in enumerate(names) if name or any(columns[place])]
    names = [names[place] for place in filled]
    columns = [columns[place] for place in filled]
    _check_names(names, columns, source)
    if lines:
        places = [f"{place} {line}" for line in lines[1:]]
    else:
        places = [f"{place} {record[0]}" for record in records[1:]]
    return names, columns, places


def _check_names(names: list[str], columns: list[Cells], source: str) -> None:
    """Refuse repeated names, and missing ones anywhere but in front."""
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    for place, name in enumerate(names[1:], start=2):
        if not name:
            example = next((cell for cell in columns[place - 1] if cell), "")
            raise DataError(
                f"every column of {source} must have a name; column {place} has none "
                f"(it holds {str(example)!r}). Name it in the file."
            )
    repeated = [name for name, count in seen.items() if count > 1]
    numbers = all(NUMBER.fullmatch(name) for name in names)
    if repeated:
        raise DataError(
            f"column names of {source} must be unique; repeated: {listed(repeated)}. "
            + ("Is the header missing?" if numbers else "Rename them in the file.")
        )


def clean_name(name: str) -> str:
    """One spelling for names that look the same: composed unicode, no blanks around."""
    return unicodedata.normalize("NFC", str(name)).strip()


def _text(cell: str | float) -> str:
    if isinstance(cell, str):
        return cell
    return "" if np.isnan(cell) else repr(float(cell)).removesuffix(".0")
