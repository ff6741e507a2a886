"""Loads a user's table: one file, or one file per block joined on the sample id.

Step in the line: **files -> Dataset** -> Task. Reading, joining and typing are done by `intake`,
`joining`, `features` and `target`; here each column gets its role. Whatever was inferred stands in
one line of `Dataset.messages`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets.advice import advise
from smalldata.datasets.assembling import (
    assemble,
    listed,
    name_with_fingerprint,
    several,
)
from smalldata.datasets.censored import Censored
from smalldata.datasets.classes import choose_classes
from smalldata.datasets.columns import labels
from smalldata.datasets.commands import command
from smalldata.datasets.decimals import decimal_of
from smalldata.datasets.dropping import without_dropped
from smalldata.datasets.duplicates import with_unique_names
from smalldata.datasets.features import Typing
from smalldata.datasets.intake import files_of, read_tables
from smalldata.datasets.joining import Column, JoinedTable, join
from smalldata.datasets.long import spread
from smalldata.datasets.marks import Marks, suspect_zeros
from smalldata.datasets.obstacles import gathered
from smalldata.datasets.options import TableOptions
from smalldata.datasets.persons import persons_in_ids
from smalldata.datasets.quality import quality_controls
from smalldata.datasets.raw import RawTable
from smalldata.datasets.replicates import Settled, groups_by_pattern, settle_repeats
from smalldata.datasets.roles import (
    known_columns,
    role_column,
    role_labels,
    where,
    without_rows,
)
from smalldata.datasets.saved import fixed_settings
from smalldata.datasets.sentinels import suspect_sentinels
from smalldata.datasets.side_by_side import Features
from smalldata.datasets.summaries import without_summaries
from smalldata.datasets.target import (
    check_complete,
    infer_positive,
    is_measured,
    missing_rows,
    read_target,
)
from smalldata.errors import ConfigError, DataError
from smalldata.task import Dataset, Provenance, Reading

_ENDINGS = (".gz", ".csv", ".tsv", ".txt", ".tab", ".xlsx", ".parquet")

_DEFAULTS = {field.name: field.default for field in fields(TableOptions)}

# Options that change the values or the features beside those that `_name` lists.
_RESHAPING = (
    *("classes", "ignore_case", "replicates", "duplicates", "below_detection"),
    *("strip_flags", "zeros", "header", "name_column", "long", "join_ids"),
)


def load(options: TableOptions) -> Dataset:
    r"""Load a table of samples by features.

    Parameters
    ----------
    options : TableOptions

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
    ...     dataset = load(TableOptions(path=file, target="outcome"))
    >>> dataset.messages[0].split("; ")[0]
    'read 4 x 1 from my.csv (semicolon, decimal comma, utf-8)'
    """
    tables = read_tables(options)
    files = dict.fromkeys(files_of(options).values())
    stem = options.name or "+".join(_stem(file) for file in files)
    return make_dataset(tables, options, stem=stem)


def make_dataset(tables: Mapping[str, RawTable], options: TableOptions, *, stem: str) -> Dataset:
    """Join raw tables, give each column its role and its type, and check the whole.

    Parameters
    ----------
    tables : mapping of str to RawTable
        One per block.
    options : TableOptions
    stem : str
        What the name of the dataset begins with.

    Returns
    -------
    Dataset

    Raises
    ------
    ConfigError
        If a setting is wrong or names what does not exist.
    DataError
        If the content is not fit to be a dataset.
    """
    try:
        return _make(tables, options, stem=stem)
    except DataError as error:
        raise gathered(error, lambda other: _make(tables, other, stem=stem), options) from None


def _make(tables: Mapping[str, RawTable], options: TableOptions, *, stem: str) -> Dataset:
    decimals = {block: decimal_of(table, block, options) for block, table in tables.items()}
    tables = without_summaries(tables, decimals)
    tables = spread(tables, options, decimals)
    options = without_dropped(options, tables)
    tables = with_unique_names(tables, options, decimals=decimals)
    settled = settle_repeats(tables, options, decimals)
    tables = settled.tables
    asked = options
    if settled.groups or options.groups_pattern is not None:  # the ids tell the groups
        options = replace(options, groups=None)
    joined = join(tables, options=options, decimals=decimals)
    target = _target_of(joined, tables, options)
    if asked.groups is None and joined.id_name and not settled.groups:
        joined = replace(joined, findings=(*joined.findings, *persons_in_ids(joined.sample_ids)))
    joined, role_columns, note = _with_target(joined, tables, options)
    joined, role_columns = _with_classes(joined, role_columns, options)
    typing = Typing(
        joined=joined,
        tables=tables,
        options=options,
        marks=Marks(below_detection=options.below_detection),
    )
    y, task_kind, chosen = read_target(
        role_columns["target"].cells,
        name=target,
        kind=options.kind,
        positive=options.positive,
        decimal=role_columns["target"].decimal,
        categorical=target in several(options.categorical)
        or role_columns["target"].name in typing.given,
        where=typing.where,
    )
    columns, feature_blocks, left_out, n_percent = typing.features()
    features = Features.of(columns)
    censored = Censored.of(columns, typing.marks)
    shown = features if censored.below is None else Features.of(censored.shown())
    if not columns:
        _point_to_sheets(joined)
    findings = [*joined.findings, *left_out, *typing.marks.findings()]
    findings += [] if options.zeros else suspect_zeros(features, feature_blocks)
    findings += suspect_sentinels(features)
    findings += advise(
        shown,
        y,
        target=target,
        kind=task_kind,
        has_groups=asked.groups is not None,
        confirmed=several(options.categorical),
    )
    apart = {
        role: role_labels(joined, column, role, options.marks)
        for role, column in role_columns.items()
        if role != "target"
    }
    notes = [f"id: {joined.id_name or 'row numbers'}"]
    notes += [f"{role}: {options.roles[role]}" for role in apart]
    if told := _groups_of_ids(joined, settled, asked):
        apart["groups"], note_on_groups = told
        notes.append(note_on_groups)
    notes += [*settled.notes, *([note] if note else [])]
    notes += _guessed(y, chosen, options, decimal=role_columns["target"].decimal)
    notes += [f"percent signs taken off in {n_percent} columns"] if n_percent else []
    dataset = assemble(
        features.table(),
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
        provenance=_provenance(tables, options),
        read=" + ".join(_told(table, decimals[block]) for block, table in tables.items()),
        notes=notes,
        findings=findings,
        n_limits=typing.marks.n_unknown,
        reading=_reading(
            tables,
            joined,
            fixed_settings(
                tables,
                asked,
                decimals=decimals,
                id_columns=joined.id_columns,
                kind=task_kind,
                positive=chosen,
            ),
        ),
    )
    dataset = censored.into(dataset)
    return replace(dataset, name=_name(dataset, asked, decimals=decimals, stem=stem))


def _target_of(joined: JoinedTable, tables: Mapping[str, RawTable], options: TableOptions) -> str:
    """Name of the target.

    Raises
    ------
    ConfigError
        If there is none, or it is to be dropped.
    """
    target = options.roles.get("target")
    if target is None:
        raise ConfigError(
            "target must name the column to predict: dataset.target=COLUMN; the columns are "
            f"{listed(known_columns(joined, tables))}."
        )
    if target in several(options.drop):
        raise ConfigError(f"drop must name features; {target!r} is the target.")
    return target


def _point_to_sheets(joined: JoinedTable) -> None:
    """Refuse a table without a feature that has its data in other sheets of its file."""
    others = next((f for f in joined.findings if f.code == "SD017" and f.remedy), None)
    if others is not None:
        raise DataError(
            f"at least one feature must be left; {others.what}: {others.evidence}. Perhaps "
            f"{others.remedy}."
        )


def _groups_of_ids(
    joined: JoinedTable, settled: Settled, options: TableOptions
) -> tuple[list[str], str] | None:
    """Take groups from the ids, with a note on them; None where nobody asks for it."""
    if options.groups_pattern is not None:
        groups = groups_by_pattern(joined.sample_ids, options.groups_pattern, settled.originals)
        return groups, f"groups: {len(set(groups))} from the ids"
    if settled.groups:
        # A sample that only another file has is a group of its own.
        groups = [settled.groups.get(entry, entry) for entry in joined.sample_ids]
        return groups, f"groups: {len(set(groups))}, the ids"
    return None


def _provenance(tables: Mapping[str, RawTable], options: TableOptions) -> Provenance:
    return Provenance(
        source=", ".join(dict.fromkeys(table.source for table in tables.values())),
        citation=options.citation,
        licence=options.licence,
        sha256=" ".join(dict.fromkeys(table.sha256 for table in tables.values())),
    )


def _reading(
    tables: Mapping[str, RawTable], joined: JoinedTable, settings: dict[str, Any]
) -> Reading:
    """Gather how the files were read."""
    return Reading(
        taken_for=tuple(
            f"{table.source}: {table.taken_for or 'a table of samples by columns'}"
            for table in tables.values()
        ),
        dropped=tuple(entry for table in tables.values() for entry in table.dropped),
        units={
            column.name: unit
            for column in joined.columns
            if (unit := tables[column.file].units.get(column.own_name))
        },
        settings=settings,
    )


def _name(
    dataset: Dataset, options: TableOptions, *, decimals: Mapping[str, str], stem: str
) -> str:
    """Name a dataset by its file and a fingerprint of the content and of how it was read."""
    # What was guessed counts as if it had been said: a saved reading is the same dataset.
    fixed = dataset.reading.settings
    how = [
        dataset.provenance.sha256,
        *(fixed.get(key) for key in ("separator", "encoding", "sheet", "transpose")),
        *(options.join_how, options.drop_empty),
        *(sorted(options.marks), list(decimals.values()), sorted(several(options.categorical))),
    ]
    # A default is not in the fingerprint, so that a new option leaves it as it was.
    how += [
        f"{key}={value}"
        for key in _RESHAPING
        if (value := fixed.get(key, _DEFAULTS[key])) != _DEFAULTS[key]
    ]
    if options.features is not None:  # a pattern or a file may stand for other columns tomorrow
        how.append("\x1f".join(dataset.feature_names))
    # A column with a role is not a feature, so the same file without the role is another table.
    subset = {
        "batch": options.batch,
        "folds": options.folds,
        "blocks": None if options.blocks is None else several(options.blocks),
        "drop": several(options.drop),
    }
    return name_with_fingerprint(dataset, stem, read=how, subset=subset)


def _with_target(
    joined: JoinedTable, tables: Mapping[str, RawTable], options: TableOptions
) -> tuple[JoinedTable, dict[str, Column], str]:
    """Find the column of each role and leave out the rows without a target, with a note on them."""
    roles = options.roles

    def columns(table: JoinedTable) -> dict[str, Column]:
        return {
            role: role_column(table, name, role=role, tables=tables) for role, name in roles.items()
        }

    outcome = columns(joined)["target"]
    absent = missing_rows(outcome.cells, options.marks, decimal=outcome.decimal)
    note = check_complete(
        outcome.cells,
        absent,
        name=roles["target"],
        where=lambda row: where(joined, row),
        drop_missing_target=options.drop_missing_target,
    )
    whole = without_rows(joined, absent) if absent.any() else joined
    return whole, columns(whole), note


def _guessed(
    y: NDArray[Any], chosen: str | None, options: TableOptions, *, decimal: str
) -> list[str]:
    """Say that the positive class was guessed, where neither the user nor a name told it."""
    if chosen is None or options.positive is not None:
        return []
    counts = Counter(map(str, y))
    target = options.roles["target"]
    if infer_positive(sorted(counts), counts, target=target, decimal=decimal)[1]:
        return []
    other = next(name for name in counts if name != chosen)
    return [
        f"no name tells the positive class, {chosen!r} is a guess: set "
        f"{command('positive', other)} if it is the other"
    ]


def _with_classes(
    joined: JoinedTable, role_columns: Mapping[str, Column], options: TableOptions
) -> tuple[JoinedTable, dict[str, Column]]:
    """Keep and merge classes, and say which rows look like quality controls."""
    column, target = role_columns["target"], options.roles["target"]
    asked = options.classes is not None or options.ignore_case
    if asked and options.kind == "regression":
        raise ConfigError("classes and ignore_case are for a target of classes; kind=regression.")
    entries = labels(column.cells, decimal=column.decimal)
    choice = choose_classes(entries, options, target=target, decimal=column.decimal)
    if choice.findings:
        columns = [
            replace(other, cells=choice.labels)
            if target in (other.name, other.own_name)  # equal in all files: see role_column
            else other
            for other in joined.columns
        ]
        joined = without_rows(replace(joined, columns=columns), ~choice.kept)
    kept = [column for column in joined.columns if column.name == role_columns["target"].name]
    found = quality_controls(
        None
        if is_measured(kept[0].cells, options.kind, decimal=column.decimal)
        else labels(kept[0].cells, decimal=column.decimal),
        joined.sample_ids if joined.id_name else [""] * len(joined.sample_ids),
        {c.name: c.cells for c in joined.columns if isinstance(c.cells, list) and c not in kept},
        target=target,
        named=options.classes is not None,
    )
    joined = replace(joined, findings=(*joined.findings, *choice.findings, *found))
    by_name = {column.name: column for column in joined.columns}
    return joined, {role: by_name[column.name] for role, column in role_columns.items()}


def _told(table: RawTable, decimal: str) -> str:
    first, *others = table.notes
    inside = [first, *(["decimal comma"] if decimal == "," else []), *others]
    return f"{table.source} ({', '.join(inside)})"


def _stem(file: str | Path) -> str:
    path = Path(file)
    while path.suffix.lower() in _ENDINGS:
        path = path.with_suffix("")
    return path.name
