"""Reads a parquet file into named columns of cells.

Step in the line: **files** -> Dataset.
"""

import contextlib
import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

import numpy as np

from smalldata.datasets.damage import refusing
from smalldata.datasets.layout import check_names
from smalldata.datasets.raw import Cells, RawTable, clean_name
from smalldata.errors import DataError

N_CELLS_AT_ONCE = 4_000_000
"""Columns are decoded in batches of so many cells, so that the table is in memory once."""


def read_parquet(file: Path | IO[bytes], source: str, *, sha256: str) -> RawTable:
    """Columns of a parquet file; an index that pandas stored comes first, without a name.

    Columns of numbers are views of one matrix. Where there are more rows than columns each row is
    one piece of memory, since features mostly stand in the rows of such a table, else each column.
    """
    import pyarrow as pa

    stored_names, cells, n_rows = _decoded(file, source)
    pa.default_memory_pool().release_unused()
    names: list[str] = []
    columns: list[Cells] = []
    for name, column in zip(stored_names, cells, strict=True):
        is_index = re.fullmatch(r"__index_level_\d+__", name) is not None
        names.insert(0, "") if is_index else names.append(clean_name(name))
        columns.insert(0, column) if is_index else columns.append(column)
    if n_rows == 0:
        raise DataError(f"{source} must hold rows; it has {len(names)} columns and no row.")
    check_names(names, columns, source)
    return RawTable(
        source=source,
        names=names,
        columns=columns,
        places=[f"row {row}" for row in range(1, n_rows + 1)],
        notes=("parquet",),
        sha256=sha256,
    )


def _decoded(file: Path | IO[bytes], source: str) -> tuple[list[str], list[Cells], int]:
    """Names and cells of the columns, and the number of rows."""
    import pyarrow.parquet as pq

    with _refusing_damage(source):
        stored = pq.ParquetFile(file, page_checksum_verification=True)
        n_rows = stored.metadata.num_rows
        # Not of the schema as arrow has it, which takes 500 bytes a column.
        leaves = [stored.schema.column(place) for place in range(stored.metadata.num_columns)]
        is_flat = all(leaf.path == leaf.name for leaf in leaves)
        whole = None if is_flat else stored.read()
    names = [leaf.name for leaf in leaves] if whole is None else whole.column_names
    n_numbers = sum(leaf.physical_type in ("FLOAT", "DOUBLE") for leaf in leaves)
    del leaves
    is_tall = n_rows > len(names)
    matrix = np.empty((n_rows, n_numbers) if is_tall else (n_numbers, n_rows))
    by_column = matrix.T if is_tall else matrix
    n_filled = 0
    texts: dict[int, Cells] = {}
    n_at_once = max(1, N_CELLS_AT_ONCE // max(1, n_rows))
    for start in range(0, len(names), n_at_once):
        places = range(start, min(start + n_at_once, len(names)))
        with _refusing_damage(source):
            # By position, since names may repeat; read_table refuses those before they are named.
            columns = [
                stored.reader.read_column(place) if whole is None else whole.column(place)
                for place in places
            ]
        numbers = [column.to_numpy() for column in columns if _is_float(column.type)]
        if numbers:
            by_column[n_filled : n_filled + len(numbers)] = numbers
            n_filled += len(numbers)
        for place, column in zip(places, columns, strict=True):
            if not _is_float(column.type):
                texts[place] = _other_cells(column, name=names[place], source=source)
    matrix.setflags(write=False)  # shared with the table of features
    filled = iter(matrix.T if is_tall else matrix)
    return names, [texts[p] if p in texts else next(filled) for p in range(len(names))], n_rows


def _refusing_damage(source: str) -> AbstractContextManager[None]:
    return refusing(
        f"{source} must be a whole parquet file",
        found="it is cut or damaged",
        remedy="Copy or write it again.",
    )


def _is_float(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_float32(kind) or pa.types.is_float64(kind))


def _other_cells(column: Any, *, name: str, source: str) -> Cells:
    with refusing(
        f"a column must hold numbers or text; {name!r} of {source} is of type {column.type}",
        found="some of it cannot be read",
        remedy="Mend it or drop it from the file.",
    ):
        return _parquet_cells(column, name=name, source=source)


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
