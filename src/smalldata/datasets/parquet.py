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

    Columns of numbers are views of one matrix.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _refusing_damage(source):
        stored = pq.ParquetFile(file, page_checksum_verification=True)
        schema, n_rows = stored.schema_arrow, stored.metadata.num_rows
    is_flat = stored.metadata.num_columns == len(schema)
    n_at_once = max(1, N_CELLS_AT_ONCE // max(1, n_rows)) if is_flat else len(schema)
    matrix = np.empty((sum(map(_is_float, schema.types)), n_rows))
    n_filled = 0
    names: list[str] = []
    columns: list[Cells] = []
    for start in range(0, len(schema), n_at_once):
        places = range(start, min(start + n_at_once, len(schema)))
        with _refusing_damage(source):
            # By position, since names may repeat; read_table refuses those before they are named.
            batch = stored.reader.read_all(column_indices=[*places]) if is_flat else stored.read()
        for name, column in zip(batch.column_names, batch.columns, strict=True):
            with refusing(
                f"a column must hold numbers or text; {name!r} of {source} is of type "
                f"{column.type}",
                found="some of it cannot be read",
                remedy="Mend it or drop it from the file.",
            ):
                cells: Cells
                if _is_float(column.type):
                    matrix[n_filled] = column.to_numpy()
                    cells = matrix[n_filled]
                    n_filled += 1
                else:
                    cells = _parquet_cells(column, name=name, source=source)
            is_index = re.fullmatch(r"__index_level_\d+__", name) is not None
            names.insert(0, "") if is_index else names.append(clean_name(name))
            columns.insert(0, cells) if is_index else columns.append(cells)
    if n_rows == 0:
        raise DataError(f"{source} must hold rows; it has {len(names)} columns and no row.")
    pa.default_memory_pool().release_unused()
    matrix.setflags(write=False)  # shared with the table of features
    check_names(names, columns, source)
    return RawTable(
        source=source,
        names=names,
        columns=columns,
        places=[f"row {row}" for row in range(1, n_rows + 1)],
        notes=("parquet",),
        sha256=sha256,
    )


def _refusing_damage(source: str) -> AbstractContextManager[None]:
    return refusing(
        f"{source} must be a whole parquet file",
        found="it is cut or damaged",
        remedy="Copy or write it again.",
    )


def _is_float(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_float32(kind) or pa.types.is_float64(kind))


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
