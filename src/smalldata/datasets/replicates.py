"""Rows of one id: averaged, reduced to the first, kept together, or refused until the user says so.

Step in the line: **files** -> Dataset. It happens before the files are joined, so that afterwards
every id is there once.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets.assembling import listed, several
from smalldata.datasets.averaging import average
from smalldata.datasets.columns import labels
from smalldata.datasets.commands import command
from smalldata.datasets.detection import NOTHING
from smalldata.datasets.joining import infer_id, is_gap, recurs, repeated_id, without_ids
from smalldata.datasets.long_numbers import names_and_values
from smalldata.datasets.numbered_rows import without_row_numbers
from smalldata.datasets.options import TableOptions
from smalldata.datasets.overlap import find_overlap
from smalldata.datasets.raw import Cells, RawTable, take_cells, take_rows, with_id
from smalldata.datasets.target import is_measured
from smalldata.errors import ConfigError, DataError
from smalldata.task import Dropped

N_SHOWN = 3
_TIMES = {2: "twice", 3: "three times"}


@dataclass(frozen=True, kw_only=True)
class Settled:
    """Tables in which each id is there once.

    Attributes
    ----------
    tables : dict of str to RawTable
    groups : dict of str to str
        Group of each id that was numbered, where the ids themselves are the groups; else empty.
    originals : dict of str to str
        What each numbered id was.
    notes : tuple of str
        What was done.
    """

    tables: dict[str, RawTable]
    groups: dict[str, str] = field(default_factory=dict)
    originals: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Ids:
    """The column of ids of one table that has them more than once."""

    block: str
    table: RawTable
    place: int
    entries: list[str]
    decimal: str

    @property
    def name(self) -> str:
        return self.table.names[self.place]

    @property
    def codes(self) -> NDArray[np.intp]:
        """Number of the sample of each row, in the order of the file."""
        numbers = {entry: code for code, entry in enumerate(dict.fromkeys(self.entries))}
        return np.array([numbers[entry] for entry in self.entries], dtype=np.intp)


def settle_repeats(
    tables: Mapping[str, RawTable], options: TableOptions, decimals: Mapping[str, str]
) -> Settled:
    """Make each id of a table occur once, as the user asked.

    ``replicates=mean`` gives one row per id, see `averaging.average`; ``first`` keeps the first
    row. With ``replicates=group``, or ``groups`` naming the column of ids, all rows stay, their ids
    are numbered (S00.1, S00.2) and an id is a group.

    Parameters
    ----------
    tables : mapping of str to RawTable
    options : TableOptions
        Of these ``id``, ``replicates``, ``groups`` and the other roles.
    decimals : mapping of str to str
        Decimal sign of each block.

    Returns
    -------
    Settled

    Raises
    ------
    ConfigError
        If replicates are asked for without ids, or beside other groups.
    DataError
        If ids repeat and nothing says why, or their rows have several labels.
    """
    tables = without_row_numbers(tables, options, decimals)
    found = {
        block: _repeats(block, table, options, decimals[block], tables)
        for block, table in tables.items()
    }
    repeated = [ids for ids in found.values() if ids is not None]
    if not repeated:
        return Settled(tables=dict(tables))
    names_ids = any(options.groups == ids.name for ids in repeated)
    if options.replicates in ("mean", "first"):
        if names_ids:
            raise ConfigError(
                f"replicates={options.replicates} makes one row of each id, so groups can't be the "
                "ids; leave one of the two out."
            )
        done = {ids.block: _merged(ids, options, tables) for ids in repeated}
        verb = "averaged" if options.replicates == "mean" else "reduced to the first"
        told = [
            f"rows of one id {verb}: {len(ids.entries)} to {done[ids.block].n_rows}"
            + (f" in {ids.table.source}" if len(tables) > 1 else "")
            for ids in repeated
        ]
        return Settled(tables={**tables, **done}, notes=tuple(told))
    if options.replicates == "group" or options.groups is not None:
        if options.replicates == "group" and options.groups is not None and not names_ids:
            raise ConfigError(
                "replicates=group makes groups of the ids; leave it or dataset.groups="
                f"{options.groups} out."
            )
        return _numbered(
            repeated, tables, options, decimals, by_id=names_ids or options.groups is None
        )
    differ = _disagreeing(repeated[0], options, tables)
    raise DataError(
        _refusal(repeated[0], differ, options, tables),
        settings={"replicates": "group" if differ else "mean"},
    )


def _repeats(
    block: str,
    table: RawTable,
    options: TableOptions,
    decimal: str,
    tables: Mapping[str, RawTable],
) -> _Ids | None:
    """Find the column of ids of a table, if they repeat."""
    apart = {key: name for key, name in options.roles.items() if key != "groups"}
    taken = [*apart.values(), *without_ids(tables, options)]
    named = options.id_of(block)
    if named is not None and named in table.names:
        place: int | None = table.names.index(named)
    else:
        groups = options.roles.get("groups")
        # A column of ids without repeats, beside that of the groups, is the ids.
        place = infer_id(table, decimal=decimal, taken=[*taken, *([groups] if groups else [])])
        if place is None and groups in table.names and len(tables) == 1:
            where = table.names.index(groups)
            if repeated_id(table, decimal=decimal, taken=taken) == where or where == 0:
                place = where
        if place is None:
            place = infer_id(table, decimal=decimal, taken=taken)
    if place is None:
        return None
    entries = labels(table.columns[place], decimal=decimal)
    if len(set(entries)) == len(entries) or any(map(is_gap, entries)):
        return None
    return _Ids(block=block, table=table, place=place, entries=entries, decimal=decimal)


def _labels_of(
    ids: _Ids, options: TableOptions, tables: Mapping[str, RawTable]
) -> tuple[Cells, list[set[str]]] | None:
    """Target of a table with repeated ids and, by id, its labels; None where it has no target."""
    target = options.roles.get("target", "")
    name = target.removeprefix(f"{ids.block}:") if len(tables) > 1 else target
    if name not in ids.table.names:
        return None
    cells = ids.table.columns[ids.table.names.index(name)]
    found: list[set[str]] = [set() for _ in set(ids.entries)]
    for code, label in zip(ids.codes, labels(cells, decimal=ids.decimal), strict=True):
        found[code].add(label)
    return cells, found


def _disagreeing(
    ids: _Ids, options: TableOptions, tables: Mapping[str, RawTable]
) -> tuple[str, list[str]] | None:
    """First id whose rows have several labels, with these; a measured target has none."""
    found = _labels_of(ids, options, tables)
    if found is None or is_measured(found[0], options.kind, decimal=ids.decimal):
        return None
    names = list(dict.fromkeys(ids.entries))
    return next(
        ((name, sorted(has)) for name, has in zip(names, found[1], strict=True) if len(has) > 1),
        None,
    )


def _refusal(
    ids: _Ids,
    differ: tuple[str, list[str]] | None,
    options: TableOptions,
    tables: Mapping[str, RawTable],
) -> str:
    counts = {entry: count for entry, count in Counter(ids.entries).items() if count > 1}
    shown = ", ".join(
        f"{entry!r} {_TIMES.get(count, f'{count} times')}"
        for entry, count in list(counts.items())[:N_SHOWN]
    )
    more = f" and {len(counts) - N_SHOWN} more" if len(counts) > N_SHOWN else ""
    column = repr(ids.name) if ids.name else "the first column"
    if ids.table.notes[:1] == ("DataFrame",) and not ids.name:
        column = "the index"
    together = command("groups", ids.name) if ids.name else command("replicates", "group")
    if differ is not None:
        name, has = differ
        said = (
            f"their rows have different labels ({name!r}: {', '.join(map(repr, has))}), so keep "
            f"the rows of one id together with {together}"
        )
    else:
        said = (
            f"average the rows of one id with {command('replicates', 'mean')}, or keep them "
            f"together with {together}"
        )
    if ids.name and (
        found := names_and_values(
            ids.table, ids.codes, apart={ids.name, *options.roles.values()}, decimal=ids.decimal
        )
    ):
        long = command("long", {"id": ids.name, "name": found[0], "value": found[1]})
        said = f"if each row is one {found[0]!r} of a sample, spread them with {long}; else {said}"
    column_of = command("id", "COLUMN" if len(tables) == 1 else {ids.block: "COLUMN"})
    other = f", or name another column with {column_of}"
    if ids.name and options.id is None and not recurs(ids.name, ids.entries):
        other += f"; if {ids.name!r} is a feature, say so with {command('categorical', [ids.name])}"
    return (
        f"sample ids must be unique; {len(counts)} of {len(set(ids.entries))} ids in {column} of "
        f"{ids.table.source} repeat: {shown}{more}. Say what they are: {said}{other}."
    )


def _merged(ids: _Ids, options: TableOptions, tables: Mapping[str, RawTable]) -> RawTable:
    """One row per id."""
    differ = _disagreeing(ids, options, tables)
    if differ is not None:
        together = command("groups", ids.name) if ids.name else command("replicates", "group")
        raise DataError(
            f"rows of one id must have one label to be made one; {differ[0]!r} has "
            f"{' and '.join(map(repr, differ[1]))}. Keep them apart with {together}."
        )
    codes = ids.codes
    first = np.array([ids.entries.index(entry) for entry in dict.fromkeys(ids.entries)])
    table = ids.table
    dropped = table.dropped
    if options.replicates == "first":
        columns = take_rows(table.columns, first)
        gone = [table.places[row] for row in sorted(set(range(len(codes))) - set(first.tolist()))]
        dropped = (
            *dropped,
            Dropped(what="rows", names=tuple(gone), reason="an id that had come before"),
        )
    else:
        target = options.roles.get("target", "").removeprefix(f"{ids.block}:")
        measured = _labels_of(ids, options, tables)
        words = {ids.name, *options.roles.values(), *several(options.categorical)}
        if measured is not None and is_measured(measured[0], options.kind, decimal=ids.decimal):
            words -= {target}
        words |= set(table.categories)
        left_out = several(options.drop)
        merged = {
            name: average(
                cells,
                codes,
                len(first),
                options,
                decimal=ids.decimal,
                words=name in words,
            )
            if not any(fnmatchcase(name, entry) for entry in left_out)
            else (take_cells(cells, first), NOTHING)
            for name, cells in zip(table.names, table.columns, strict=True)
        }
        differing = [name for name, done in merged.items() if done is None]
        if differing:
            raise DataError(
                "columns must hold plain numbers, or the same in all rows of an id, to be averaged;"
                f" {listed(differing)} of {table.source} do not. Leave them out with "
                f"{command('drop', differing[:5])}, or take the first row of each id with "
                f"{command('replicates', 'first')}."
            )
        columns = [done[0] for done in merged.values() if done is not None]
        met = dict(table.met)
        for name, done in merged.items():
            if done is not None and done[1] is not NOTHING:
                met[name] = done[1] + met.get(name, NOTHING)
        table = replace(table, met=met)
    places = [table.places[row] for row in first]
    return with_id(replace(table, columns=columns, places=places, dropped=dropped), ids.place)


def _numbered(
    repeated: Sequence[_Ids],
    tables: Mapping[str, RawTable],
    options: TableOptions,
    decimals: Mapping[str, str],
    *,
    by_id: bool,
) -> Settled:
    """Give each row an id of its own, here and in the other tables."""
    ids = repeated[0]
    if len(repeated) > 1:
        raise DataError(
            "only one file may have several rows of an id if they are kept apart; "
            f"{repeated[0].table.source} and {repeated[1].table.source} have. Make one row of each "
            f"with {command('replicates', 'mean')}."
        )
    if not by_id and options.groups_pattern is None:
        _check_nested(ids, options)
    places = {
        block: ids.place if block == ids.block else _id_place(block, table, options, decimals)
        for block, table in tables.items()
    }
    tables = _spelled_alike(tables, places, options, decimals)
    table = tables[ids.block]
    ids = replace(
        ids, table=table, entries=labels(table.columns[ids.place], decimal=decimals[ids.block])
    )
    made = _unique(ids.entries)
    done = dict(tables) | {ids.block: _with_ids(table, ids.place, made)}
    numbered: dict[str, list[str]] = {}
    for entry, new in zip(ids.entries, made, strict=True):
        numbered.setdefault(entry, []).append(new)
    for block, place in places.items():
        if block != ids.block and place is not None:  # None: refused where files are joined
            done[block] = _repeated_rows(tables[block], place, numbered, decimals[block])
    originals = dict(zip(made, ids.entries, strict=True))
    n_repeated = sum(count > 1 for count in Counter(ids.entries).values())
    return Settled(
        tables=done,
        groups=originals if by_id else {},
        originals=originals,
        notes=(f"{n_repeated} ids that repeat were numbered ({made[0]!r} …)",),
    )


def _check_nested(ids: _Ids, options: TableOptions) -> None:
    """Refuse groups that cut the rows of one id apart."""
    name = str(options.groups)
    if name not in ids.table.names:
        return
    entries = labels(ids.table.columns[ids.table.names.index(name)], decimal=ids.decimal)
    groups: dict[str, str] = {}
    for entry, group in zip(ids.entries, entries, strict=True):
        if groups.setdefault(entry, group) != group:
            raise DataError(
                f"rows of one id must be in one group; {entry!r} is in {groups[entry]!r} and "
                f"{group!r} of {name!r}. Group by the ids themselves with "
                f"{command('replicates', 'group')} instead of dataset.groups, or name the column "
                "of ids with dataset.id."
            )


def _unique(entries: Sequence[str]) -> list[str]:
    """Make entries unique by numbers: S00.1, S00.2, or with another sign if one is taken."""
    counts = Counter(entries)
    made: list[str] = []
    for sign in (".", "_", "#", ":"):
        seen: Counter[str] = Counter()
        made = []
        for entry in entries:
            seen[entry] += 1
            made.append(f"{entry}{sign}{seen[entry]}" if counts[entry] > 1 else entry)
        if len(set(made)) == len(made):
            break
    return made


def _id_place(
    block: str, table: RawTable, options: TableOptions, decimals: Mapping[str, str]
) -> int | None:
    """Find the ids of a file beside the one whose ids repeat."""
    named = options.id_of(block)
    if named is not None and named in table.names:
        return table.names.index(named)
    apart = [name for key, name in options.roles.items() if key != "groups"]
    return infer_id(table, decimal=decimals[block], taken=apart)


def _spelled_alike(
    tables: Mapping[str, RawTable],
    places: Mapping[str, int | None],
    options: TableOptions,
    decimals: Mapping[str, str],
) -> Mapping[str, RawTable]:
    """Spell the ids of all files as the first one does, where they are to be joined so.

    With numbers behind them they would no longer agree.
    """
    known = {block: place for block, place in places.items() if place is not None}
    if len(known) < len(tables) or len(tables) == 1:
        return tables
    written = {
        block: labels(tables[block].columns[place], decimal=decimals[block])
        for block, place in known.items()
    }
    ids = {block: list(dict.fromkeys(entries)) for block, entries in written.items()}
    if any(
        is_gap(entry) for entries in ids.values() for entry in entries
    ):  # refused where files are joined
        return tables
    overlap = find_overlap(tables, ids, options)
    if options.join_ids != "loose":
        return tables
    told = [finding for finding in overlap.findings if finding.code == "SD030"]
    done = {}
    for block, place in known.items():
        spelled = dict(zip(ids[block], overlap.ids[block], strict=True))
        table = _with_ids(tables[block], place, [spelled[entry] for entry in written[block]])
        done[block] = replace(table, findings=(*table.findings, *told))
        told = []
    return done


def _with_ids(table: RawTable, place: int, entries: Sequence[str]) -> RawTable:
    """Replace the ids of a table."""
    columns = [*table.columns[:place], list(entries), *table.columns[place + 1 :]]
    return with_id(replace(table, columns=columns), place)


def _repeated_rows(
    table: RawTable, place: int, numbered: Mapping[str, Sequence[str]], decimal: str
) -> RawTable:
    """Give the row of an id to each of its numbered ids."""
    entries = labels(table.columns[place], decimal=decimal)
    pairs = [
        (row, new) for row, entry in enumerate(entries) for new in numbered.get(entry, [entry])
    ]
    rows = np.array([row for row, _ in pairs], dtype=np.intp)
    places = [table.places[row] for row in rows]
    moved = replace(table, columns=take_rows(table.columns, rows), places=places)
    return _with_ids(moved, place, [new for _, new in pairs])


def groups_by_pattern(
    sample_ids: Sequence[str], pattern: str, originals: Mapping[str, str]
) -> list[str]:
    r"""Take the group of each sample out of its id: the first group of a regular expression.

    Parameters
    ----------
    sample_ids : sequence of str
    pattern : str
        It may match anywhere in the id, so begin it with ``^``.
    originals : mapping of str to str
        What numbered ids were.

    Raises
    ------
    ConfigError
        If it is no regular expression or has no group, does not fit every id, or makes one group
        of all.

    Examples
    --------
    >>> groups_by_pattern(["P1_pre", "P1_post", "P2_pre"], r"^(P\d+)_", {})
    ['P1', 'P1', 'P2']
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ConfigError(
            f"groups=id:PATTERN must be a regular expression; '{pattern}' is none: {error}."
        ) from None
    if not expression.groups:
        raise ConfigError(
            "groups=id:PATTERN must hold the name of the group in parentheses, as in "
            rf"'dataset.groups=id:^(subject\d+)'; '{pattern}' has none."
        )
    plain = [originals.get(entry, entry) for entry in sample_ids]
    found = [expression.search(entry) for entry in plain]
    absent = [entry for entry, match in zip(plain, found, strict=True) if not match]
    if absent:
        raise ConfigError(
            f"groups=id:PATTERN must fit every id; '{pattern}' fits none of {listed(absent)} "
            f"({len(absent)} of {len(plain)} ids)."
        )
    groups = [match[1] or "" for match in found if match]
    if "" in groups:
        raise ConfigError(
            f"groups=id:PATTERN must take a name out of every id; '{pattern}' takes nothing out of "
            f"{plain[groups.index('')]!r}."
        )
    if len(set(groups)) == 1:
        raise ConfigError(
            f"groups=id:PATTERN must make several groups; '{pattern}' makes one, {groups[0]!r}."
        )
    return groups
