"""Makes a dataset of a DataFrame in memory, or of several joined on their index.

Step in the line: **DataFrame -> Dataset** -> Task. The columns become cells, and from there on all
is as with files (`table`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.datasets.assembling import nearest
from smalldata.datasets.columns import labels
from smalldata.datasets.damage import refusing
from smalldata.datasets.duplicates import numbered_names
from smalldata.datasets.joining import SINGLE_BLOCK
from smalldata.datasets.naming import nameless
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import Cells, RawTable, clean_name
from smalldata.datasets.table import make_dataset
from smalldata.errors import ConfigError, DataError
from smalldata.task import Dataset

# How a file is found and split is no question of a DataFrame.
_OF_FILES = (
    "path",
    "separator",
    "encoding",
    "header",
    "transpose",
    "name_column",
    "sheet",
    "sha256",
)
N_LONG = 20_000
"""Rows of a frame that is likely in long form."""
_OPTIONS = [field.name for field in fields(TableOptions) if field.name not in (*_OF_FILES, "name")]


def dataset_from_frame(
    frame: pd.DataFrame | Mapping[str, pd.DataFrame], *, name: str = "frame", **options: Any
) -> Dataset:
    """Make a dataset of a DataFrame of samples by columns.

    Columns of numbers stay numbers, categoricals stay categories (in their order, if they have
    one), and text is read as it is from a csv file.

    Parameters
    ----------
    frame : DataFrame or mapping of str to DataFrame
        Several frames as ``{block: frame}`` are joined on the sample ids.
    name : str
        Name of the dataset; six characters of the table's fingerprint follow.
    **options
        As in `smalldata.datasets.options.TableOptions`, but for those of a file. The ids are the
        index, unless ``id`` names a column, or it only numbers the rows and a column holds ids.

    Returns
    -------
    Dataset

    Raises
    ------
    ConfigError
        If a setting is wrong or names a column that does not exist.
    DataError
        If the table is not fit to be a dataset.

    Examples
    --------
    >>> import pandas as pd
    >>> from smalldata import dataset_from_frame
    >>> frame = pd.DataFrame(
    ...     {"tau": [1.5, 2.5, 3.0, 1.0], "outcome": ["case", "control", "case", "control"]},
    ...     index=["a", "b", "c", "d"],
    ... )
    >>> dataset = dataset_from_frame(frame, target="outcome")
    >>> dataset.positive, dataset.sample_ids.tolist()
    ('case', ['a', 'b', 'c', 'd'])
    """
    frames = dict(frame) if isinstance(frame, Mapping) else {SINGLE_BLOCK: frame}
    if not frames:
        raise ConfigError("frame must be a DataFrame, or several as {block: frame}; got none.")
    for key in options:
        if key not in _OPTIONS:
            raise ConfigError(
                f"a DataFrame must be read with {', '.join(_OPTIONS)}; there is no option "
                f"{key!r}{nearest(key, _OPTIONS)}"
            )
    asked = TableOptions(**options)
    tables = {
        str(block): _raw_table(
            part, source=name if part is frame else str(block), id=asked.id_of(str(block))
        )
        for block, part in frames.items()
    }
    return make_dataset(tables, asked, stem=name)


def cells_of(column: "pd.Series[Any]", *, source: str) -> Cells:
    """Cells of a column: numbers as float64, all else as stripped text, "" where it is missing.

    Raises
    ------
    DataError
        If it holds complex numbers, or lists and the like.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = labels(cells_of(pd.Series(column.cat.categories), source=source))
        return decoded(levels, column.cat.codes.to_numpy())
    if isinstance(column.dtype, pd.StringDtype) and len(column) > N_LONG:
        codes, entries = pd.factorize(column)
        if len(entries) * 10 < len(column):  # a column in long form: a few names, many times
            few = cells_of(pd.Series(entries, name=column.name), source=source)
            return decoded(few if isinstance(few, list) else labels(few), codes)
    is_number = pd.api.types.is_numeric_dtype(column.dtype)
    if pd.api.types.is_complex_dtype(column.dtype):
        odd: Any = column.iloc[0]
    elif is_number and not pd.api.types.is_bool_dtype(column) and not _is_long(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        odd = next((cell for cell in column if pd.api.types.is_list_like(cell)), None)
    if odd is not None:
        raise DataError(
            f"a column must hold numbers or text; {column.name!r} of {source} holds "
            f"{type(odd).__name__}. Drop it from the table."
        )
    with refusing(
        f"a column must hold numbers or text; {column.name!r} of {source} is of type "
        f"{column.dtype}",
        found="some of it cannot be read",
        remedy="Mend it or drop it from the table.",
    ):
        return [
            "" if gone else (cell.decode() if isinstance(cell, bytes) else str(cell)).strip()
            for cell, gone in zip(column, column.isna(), strict=True)
        ]


def _is_long(column: "pd.Series[Any]") -> bool:
    """Tell of whole numbers that float64 cannot hold: they stay text, so ids keep their digits."""
    if not pd.api.types.is_integer_dtype(column.dtype):
        return False
    return any(abs(int(cell)) > 2**53 for cell in column.dropna())


def decoded(levels: Sequence[str], codes: NDArray[Any]) -> list[str]:
    """Write codes as the levels they stand for; negative ones are missing.

    Raises
    ------
    ValueError
        If they are no whole numbers or go beyond the levels.
    """
    if codes.dtype.kind not in "iu" or (len(codes) and codes.max() >= len(levels)):
        raise ValueError(f"its codes are not whole numbers below {len(levels)}")
    return ["" if code < 0 else levels[code] for code in codes]


def index_labels(frame: pd.DataFrame, *, source: str) -> list[str]:
    """Return the index as text.

    Raises
    ------
    DataError
        If it has several levels or a gap.
    """
    if frame.index.nlevels > 1:
        raise DataError(
            f"the index of {source} must be one name per row; it has {frame.index.nlevels} levels. "
            "Join them into one, or use reset_index()."
        )
    entries = labels(cells_of(frame.index.to_series(), source=source))
    if "" in entries:
        raise DataError(
            f"every row must have a sample id; the index of {source} has none in row "
            f"{entries.index('') + 1} ({entries.count('')} in all)."
        )
    return entries


def fingerprint(columns: Mapping[str, Any]) -> str:
    """SHA-256 of columns in memory, which stands for that of a file's bytes."""
    digest = hashlib.sha256()
    for name, cells in columns.items():
        values = "\x1f".join(cells).encode() if isinstance(cells, list) else cells.tobytes()
        digest.update(b"\x1e".join([name.encode(), values, b""]))
    return digest.hexdigest()


def _raw_table(frame: object, *, source: str, id: str | None) -> RawTable:
    if not isinstance(frame, pd.DataFrame):
        raise ConfigError(
            f"frame must be a pandas DataFrame, or several as {{block: frame}}; {source} is of the "
            f"type {type(frame).__name__}."
        )
    if frame.columns.nlevels > 1:
        raise DataError(
            f"the columns of {source} must have one name each; they have {frame.columns.nlevels} "
            "levels. Join them into one."
        )
    if len(frame) == 0:
        raise DataError(f"{source} must hold rows; it has {frame.shape[1]} columns and no row.")
    names = [clean_name(name) for name in frame.columns]
    columns = _columns(frame, source=source)
    if "" in names:
        told = nameless("column", [at for at, name in enumerate(names, 1) if not name])
        raise DataError(f"every column of {source} must have a name; {told}.")
    index = index_labels(frame, source=source)
    categories = {
        name: _order(dtype, source=source)
        for name, dtype in zip(names, frame.dtypes, strict=True)
        if isinstance(dtype, pd.CategoricalDtype)
    }
    # A column that is named as the ids takes the place of the index.
    has_ids = id is not None and id in names
    given = dict(zip(numbered_names(names), columns, strict=True))
    orders = {f"\x1d{name}": list(order) for name, order in categories.items()}
    return RawTable(
        source=source,
        names=names if has_ids else ["", *names],
        columns=columns if has_ids else [index, *columns],
        places=[f"row {label}" for label in index],
        notes=("DataFrame",),
        sha256=fingerprint(given | orders),
        categories=categories,
    )


def _columns(frame: pd.DataFrame, *, source: str) -> list[Cells]:
    """Cells of all columns; those of floats are taken together, since there may be 100,000."""
    is_float = np.array([isinstance(t, np.dtype) and t.kind == "f" for t in frame.dtypes])
    floats = frame.loc[:, is_float].to_numpy(dtype=np.float64).view()
    floats.setflags(write=False)
    numbers = iter(floats.T)
    return [
        next(numbers) if is_one else cells_of(frame.iloc[:, place], source=source)
        for place, is_one in enumerate(is_float)
    ]


def _order(dtype: pd.CategoricalDtype, *, source: str) -> tuple[str, ...]:
    if not dtype.ordered:
        return ()
    return tuple(dict.fromkeys(labels(cells_of(pd.Series(dtype.categories), source=source))))
