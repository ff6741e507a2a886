"""Loads a user's table: one file, or one file per block joined on the sample id.

Step in the line: **files -> Dataset** -> Task. Reading, joining and typing are done by `reading`,
`joining`, `columns` and `target`; here each column gets its role. Whatever was inferred stands in
one line of `Dataset.messages`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from smalldata.datasets.advice import Values, advise
from smalldata.datasets.assembling import (
    assemble,
    feature_table,
    kept_columns,
    listed,
    name_with_fingerprint,
    nearest,
    several,
)
from smalldata.datasets.columns import type_column
from smalldata.datasets.joining import SINGLE_BLOCK, Column, JoinedTable, join
from smalldata.datasets.reading import RawTable, read_table
from smalldata.datasets.roles import role_column, role_labels, where, without_rows
from smalldata.datasets.sniffing import find_decimal
from smalldata.datasets.target import check_complete, missing_rows, read_target
from smalldata.errors import ConfigError, DataError
from smalldata.task import Dataset, Provenance

_ENDINGS = (".gz", ".csv", ".tsv", ".txt", ".tab", ".xlsx", ".parquet")


def load(
    *,
    path: str | Path | Mapping[str, str | Path] | None = None,
    target: str | None = None,
    id: str | None = None,
    groups: str | None = None,
    batch: str | None = None,
    folds: str | None = None,
    blocks: Sequence[str] | str | None = None,
    positive: object = None,
    kind: str | None = None,
    drop: Sequence[str] | str = (),
    categorical: Sequence[str] | str = (),
    missing: Sequence[str] | str = (),
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    transpose: bool | Sequence[str] | str = False,
    sheet: str | int | None = None,
    join_how: str = "inner",
    drop_missing_target: bool = False,
    drop_empty: bool = False,
    name: str | None = None,
    sha256: str = "",
    licence: str = "",
    citation: str = "",
) -> Dataset:
    r"""Load a table of samples by features.

    Parameters
    ----------
    path : str, Path or mapping
        csv, tsv, txt (each also .gz), parquet or xlsx; several files as ``{block: file}``, joined
        on the sample id. The target and the other roles may be in any of the files; a file whose
        features are not wanted is left out by ``blocks``.
    target : str
        The column to predict.
    id : str, optional
        The sample ids. Default: see `joining.infer_id`; else the row numbers.
    groups, batch, folds : str, optional
        Columns of rows that stay together, of the measurement batch, of fold ids for ``cv=fixed``.
        Never features.
    blocks : sequence of str, optional
        Blocks (files) whose features are used; default: all.
    positive : object, optional
        The positive class. Default: see `target.infer_positive`.
    kind : str, optional
        binary, multiclass or regression. Default: see `target.infer_kind`.
    drop : sequence of str
        Columns that are no features: names, or patterns with ``*`` and ``?``.
    categorical : sequence of str
        Columns of numbers that are categories.
    missing : sequence of str
        Further markers of a missing value, beside those that `columns` names.
    separator, decimal, encoding : str, optional
        How a text file is written; default: found out.
    transpose : bool or sequence of str
        Features stand in rows: in all files, or in the blocks named.
    sheet : str or int, optional
        Sheet of a workbook; default: the first.
    join_how : str
        ``inner`` keeps samples that are in every file, ``outer`` all.
    drop_missing_target : bool
        Leave out rows without a target; otherwise such rows are an error.
    drop_empty : bool
        Leave out features without any value; otherwise they are an error.
    name : str, optional
        Name of the dataset instead of the file's; six characters of the table's fingerprint follow
        in any case.
    sha256 : str
        Checksum of a single file; empty: not checked.
    licence, citation : str
        Kept as provenance.

    Returns
    -------
    Dataset

    Raises
    ------
    ConfigError
        If a setting is wrong or names what does not exist.
    DataError
        If a file or its content is not fit to be a dataset.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> rows = ["sample;tau;outcome", "a;1,5;case", "b;2,5;control", "c;3;case", "d;1;control"]
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "my.csv"
    ...     n_characters = file.write_text("\n".join(rows))
    ...     dataset = load(path=file, target="outcome")
    >>> dataset.messages[0].split("; ")[0]
    'read 4 x 1 from my.csv (semicolon, decimal comma, utf-8)'
    """
    if not path:
        raise ConfigError("path must name a file: dataset.path=my.csv dataset.target=COLUMN.")
    files = dict(path) if isinstance(path, Mapping) else {SINGLE_BLOCK: path}
    turned = list(files) if transpose is True else [] if transpose is False else several(transpose)
    for block in turned:
        if block not in files:
            raise ConfigError(
                f"transpose must be true, false or blocks among {', '.join(files)}; got {block!r}."
            )
    check_decimal(decimal)
    tables = {
        block: read_table(
            file,
            separator=separator,
            encoding=encoding,
            transpose=block in turned,
            sheet=sheet,
            decimal=decimal,
        )
        for block, file in files.items()
    }
    if sha256 and [table.sha256 for table in tables.values()] != [sha256]:
        raise DataError(
            f"{next(iter(files.values()))} must have the sha256 {sha256}; it has another."
        )
    return make_dataset(
        tables,
        target=target,
        id=id,
        groups=groups,
        batch=batch,
        folds=folds,
        blocks=blocks,
        positive=positive,
        kind=kind,
        drop=drop,
        categorical=categorical,
        missing=missing,
        decimal=decimal,
        join_how=join_how,
        drop_missing_target=drop_missing_target,
        drop_empty=drop_empty,
        stem=name or "+".join(_stem(file) for file in files.values()),
        licence=licence,
        citation=citation,
        read=(separator, encoding, sheet, turned),
    )


def make_dataset(
    tables: Mapping[str, RawTable],
    *,
    target: str | None,
    id: str | None,
    groups: str | None,
    batch: str | None,
    folds: str | None,
    blocks: Sequence[str] | str | None,
    positive: object,
    kind: str | None,
    drop: Sequence[str] | str,
    categorical: Sequence[str] | str,
    missing: Sequence[str] | str,
    decimal: str | None,
    join_how: str,
    drop_missing_target: bool,
    drop_empty: bool,
    stem: str,
    licence: str,
    citation: str,
    read: tuple[Any, Any, Any, list[str]] = (None, None, None, []),
) -> Dataset:
    """Join raw tables, give each column its role and its type, and check the whole.

    Parameters
    ----------
    tables : mapping of str to RawTable
        One per block.
    stem : str
        What the name of the dataset begins with.
    read : tuple
        Separator, encoding and sheet that were asked for, and the blocks that were transposed.

    Other parameters as in `load`.
    """
    named = {"target": target, "groups": groups, "batch": batch, "folds": folds}
    roles = {role: str(column) for role, column in named.items() if column not in (None, "")}
    decimals = {block: _decimal(table, decimal) for block, table in tables.items()}
    joined = join(
        tables,
        id=None if id is None else str(id),
        how=join_how,
        decimals=decimals,
        taken=list(roles.values()),
    )
    if "target" not in roles:
        raise ConfigError(
            "target must name the column to predict: dataset.target=COLUMN; the columns are "
            f"{listed([column.name for column in joined.columns])}."
        )
    target = roles["target"]
    if target in several(drop):
        raise ConfigError(f"drop must name features; {target!r} is the target.")
    marks = frozenset(several(missing))
    joined, role_columns, note = _with_target(
        joined, roles, tables, marks=marks, drop_missing_target=drop_missing_target
    )
    typing = _Typing(
        joined=joined,
        missing=marks,
        categorical=several(categorical),
        given={
            column.name: tables[column.block].categories[column.own_name]
            for column in joined.columns
            if column.own_name in tables[column.block].categories
        },
    )
    y, task_kind, chosen = read_target(
        role_columns["target"].cells,
        name=target,
        kind=kind,
        positive=positive,
        decimal=role_columns["target"].decimal,
        categorical=target in typing.categorical or role_columns["target"].name in typing.given,
        where=typing.where,
    )
    features, feature_blocks, left_out, n_percent = typing.features(
        apart=list(roles.values()),
        blocks=None if blocks is None else several(blocks),
        drop=several(drop),
        drop_empty=drop_empty,
    )
    warnings = [*joined.warnings, *left_out]
    warnings += advise(features, y, target=target, kind=task_kind, has_groups=groups is not None)
    apart = {
        role: role_labels(joined, column, role)
        for role, column in role_columns.items()
        if role != "target"
    }
    notes = [f"id: {joined.id_name or 'row numbers'}"]
    notes += [f"{role}: {roles[role]}" for role in apart]
    notes += [note] if note else []
    notes += [f"percent signs taken off in {n_percent} columns"] if n_percent else []
    dataset = assemble(
        feature_table(features),
        y,
        name=stem,
        target=target,
        kind=task_kind,
        sample_ids=np.array(joined.sample_ids, dtype=object),
        positive=chosen,
        feature_blocks=feature_blocks,
        groups=apart.get("groups"),
        batch=apart.get("batch"),
        folds=apart.get("folds"),
        provenance=Provenance(
            source=", ".join(table.source for table in tables.values()),
            citation=citation,
            licence=licence,
            sha256=" ".join(table.sha256 for table in tables.values()),
        ),
        read=" + ".join(_told(table, decimals[block]) for block, table in tables.items()),
        notes=notes,
        warnings=warnings,
    )
    separator, encoding, sheet, turned = read
    how = [
        dataset.provenance.sha256,
        *(separator, encoding, sheet, join_how, drop_empty, turned, sorted(marks)),
        *(list(decimals.values()), sorted(typing.categorical)),
    ]
    # A column with a role is not a feature, so the same file without the role is another table.
    subset = {
        "batch": batch,
        "folds": folds,
        "blocks": None if blocks is None else several(blocks),
        "drop": several(drop),
    }
    return replace(dataset, name=name_with_fingerprint(dataset, stem, read=how, subset=subset))


def _with_target(
    joined: JoinedTable,
    roles: Mapping[str, str],
    tables: Mapping[str, RawTable],
    *,
    marks: frozenset[str],
    drop_missing_target: bool,
) -> tuple[JoinedTable, dict[str, Column], str]:
    """Find the column of each role and leave out the rows without a target, with a note on them."""

    def columns(table: JoinedTable) -> dict[str, Column]:
        return {
            role: role_column(table, name, role=role, tables=tables) for role, name in roles.items()
        }

    outcome = columns(joined)["target"]
    absent = missing_rows(outcome.cells, marks)
    note = check_complete(
        outcome.cells,
        absent,
        name=roles["target"],
        where=lambda row: where(joined, row),
        drop_missing_target=drop_missing_target,
    )
    whole = without_rows(joined, absent) if absent.any() else joined
    return whole, columns(whole), note


@dataclass(frozen=True, kw_only=True)
class _Typing:
    """What typing the columns of one table needs."""

    joined: JoinedTable
    missing: frozenset[str]
    categorical: list[str]
    given: Mapping[str, tuple[str, ...]]

    def where(self, row: int) -> str:
        return where(self.joined, row)

    def features(
        self,
        *,
        apart: Sequence[str],
        blocks: Sequence[str] | None,
        drop: Sequence[str],
        drop_empty: bool,
    ) -> tuple[dict[str, Values], list[str], list[str], int]:
        """Type the features.

        Gives the columns, their blocks, what was left out (dates, empty columns), and in how many
        columns percent signs were taken off.
        """
        names = [column.name for column in self.joined.columns]
        for entry in self.categorical:
            if entry not in names:
                raise ConfigError(
                    f"categorical must name columns; there is no column {entry!r}"
                    f"{nearest(entry, names)}"
                )
        candidates = [
            column
            for column in self.joined.columns
            if column.name not in apart and column.own_name not in apart
        ]
        kept = kept_columns(
            [column.name for column in candidates],
            [column.block for column in candidates],
            blocks=blocks,
            drop=[entry for entry in drop if entry not in (*apart, self.joined.id_name)],
        )
        features: dict[str, Values] = {}
        feature_blocks: list[str] = []
        n_percent = 0
        dates: list[str] = []
        empty: list[str] = []
        for column in (candidates[place] for place in kept):
            typed = type_column(
                column.cells,
                decimal=column.decimal,
                missing=self.missing,
                categorical=column.name in self.categorical or column.name in self.given,
                where=self.where,
                name=column.name,
            )
            n_percent += typed.was_percent
            if typed.is_date:
                dates.append(column.name)
            elif drop_empty and bool(pd.isna(typed.values).all()):
                empty.append(column.name)
            else:
                features[column.name] = self._in_order(column, typed.values)
                feature_blocks.append(column.block)
        told = {"holds dates": dates, "holds no value": empty}
        left_out = [
            f"{len(columns)} column{'s' * (len(columns) > 1)} left out, since each {reason}: "
            f"{listed(columns)}"
            for reason, columns in told.items()
            if columns
        ]
        return features, feature_blocks, left_out, n_percent

    def _in_order(self, column: Column, values: Values) -> Values:
        order = self.given.get(column.name)
        if not order or not isinstance(values, pd.Categorical):
            return values
        present = set(values.categories)  # a level that stands for a missing value is none
        levels = [level for level in order if level in present]
        return values.set_categories(levels, ordered=True)


def check_decimal(decimal: str | None) -> None:
    """Refuse a decimal sign that is none.

    Raises
    ------
    ConfigError
    """
    if decimal not in (None, ".", ","):
        raise ConfigError(f"decimal must be '.' or ','; got {decimal!r}.")


def _decimal(table: RawTable, decimal: str | None) -> str:
    if decimal is not None:
        return decimal
    texts = (cells for cells in table.columns if isinstance(cells, list))
    return find_decimal((cell for cells in texts for cell in cells), source=table.source)


def _told(table: RawTable, decimal: str) -> str:
    first, *others = table.notes
    inside = [first, *(["decimal comma"] if decimal == "," else []), *others]
    return f"{table.source} ({', '.join(inside)})"


def _stem(file: str | Path) -> str:
    path = Path(file)
    while path.suffix.lower() in _ENDINGS:
        path = path.with_suffix("")
    return path.name
