"""Says which samples several files share, which are left out, and what to do if most are.

Step in the line: **files** -> Dataset. `joining` has the ids of each file; here they are compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from smalldata.datasets.assembling import listed
from smalldata.datasets.columns import labels
from smalldata.datasets.commands import command
from smalldata.datasets.matching import Matching, match_ids, plain_id
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import Cells, RawTable
from smalldata.errors import DataError
from smalldata.findings import Finding

NEARLY_ALL = 0.9
"""Share of the ids of the smaller file that a column must hold to be taken for the ids."""

N_COLUMNS = 50
"""Columns of a file in which ids of another file are looked for: they stand in front."""

N_REPEATS = 4
"""Rows that a sample may have on average in a column that is said to hold ids that repeat."""

MOST = 0.5
"""More than this share of a file left out needs a word of the user: the ids may be wrong."""


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """The samples of several files.

    Attributes
    ----------
    ids : dict of str to list of str
        Of each file, one sample spelled alike in all.
    common : list of str
        Those of the joined rows, in the order of the first file.
    findings : list of Finding
    """

    ids: dict[str, list[str]]
    common: list[str]
    findings: list[Finding]


def find_overlap(
    tables: Mapping[str, RawTable], ids: Mapping[str, list[str]], options: TableOptions
) -> Overlap:
    """Find the samples that several files share.

    Parameters
    ----------
    tables : mapping of str to RawTable
    ids : mapping of str to list of str
        Of each file, unique.
    options : TableOptions
        Of these how to join.

    Returns
    -------
    Overlap

    Raises
    ------
    DataError
        If no sample is in every file, or if most of one file would be left out.
    """
    matching = match_ids(ids)
    findings = []
    shared = {block: list(entries) for block, entries in ids.items()}
    offer = ""
    if matching.gains and options.join_ids == "loose":
        shared = matching.ids
        first = next(iter(tables.values())).source
        findings.append(
            Finding(
                code="SD030",
                what=matching.sentence,
                remedy=f"they are joined, spelled as in {first}",
            )
        )
    elif matching.gains:
        offer = "dataset.join_ids=loose"
        findings.append(Finding(code="SD030", what=matching.sentence, remedy=f"join them: {offer}"))
    everywhere = set.intersection(*map(set, shared.values()))
    if not everywhere:
        raise DataError(
            _none_shared(tables, ids, matching, how=options.join_ids),
            settings={"join_ids": "loose"} if matching.gains else {},
        )
    anywhere = list(dict.fromkeys(entry for entries in shared.values() for entry in entries))
    left_out = _left_out(tables, shared, everywhere)
    if options.join_how == "outer":
        outcome = "kept with missing values"
    else:
        outcome = "left out"
        worst = max(1 - len(everywhere) / len(entries) for entries in shared.values())
        if worst > MOST and options.join_how != "part":
            raise DataError(
                _most_left_out(left_out, matching, offer),
                settings={"join_ids": "loose"} if offer else {"join_how": "part"},
            )
    if left_out:
        findings.append(
            Finding(
                code="SD031",
                what=f"samples that are not in every file were {outcome}",
                evidence="; ".join(left_out),
            )
        )
    common = anywhere if options.join_how == "outer" else [e for e in anywhere if e in everywhere]
    return Overlap(ids=shared, common=common, findings=findings)


def _left_out(
    tables: Mapping[str, RawTable], ids: Mapping[str, list[str]], everywhere: set[str]
) -> list[str]:
    """Say for each file how many of its samples are not in the others, and which."""
    sets = {block: set(entries) for block, entries in ids.items()}
    told = []
    for block, entries in ids.items():
        absent = [entry for entry in entries if entry not in everywhere]
        others = [
            tables[other].source
            for other in ids
            if any(entry not in sets[other] for entry in absent)
        ]
        if absent:
            told.append(
                f"{len(absent)} of {len(entries)} samples of {tables[block].source} "
                f"{'is' if len(absent) == 1 else 'are'} not in {' or '.join(others)}: "
                f"{listed(absent)}"
            )
    return told


def _most_left_out(left_out: Sequence[str], matching: Matching, offer: str) -> str:
    loose = (
        f"{matching.sentence}: join them with {offer}. Otherwise confirm"
        if offer
        else "Check that these are the right ids "
        f"({command('id', {'BLOCK': 'COLUMN'})}), or confirm"
    )
    return (
        "at least half of the samples of each file must be in the others; "
        f"{'; '.join(left_out)}. {loose} with dataset.join_how=part that they are left out, or "
        "keep them with dataset.join_how=outer."
    )


def _none_shared(
    tables: Mapping[str, RawTable], ids: Mapping[str, list[str]], matching: Matching, *, how: str
) -> str:
    examples = ", ".join(f"{table.source} {ids[block][0]!r}" for block, table in tables.items())
    if matching.gains:
        way = f" {matching.sentence}: set dataset.join_ids=loose."
    elif matching.merging is not None:
        ignored, block, one, other = matching.merging
        way = (
            f" More would agree without {ignored}, but {one!r} and {other!r} of "
            f"{tables[block].source} would be one then: rename one of them."
        )
    else:
        way = _other_side(tables, ids)
    spelled = ", however they are spelled" if how == "loose" else ""
    return f"the files must share sample ids; they share none{spelled} ({examples}).{way}"


def _other_side(tables: Mapping[str, RawTable], ids: Mapping[str, list[str]]) -> str:
    """Offer to turn the file whose columns are named by the ids of the others."""
    for block, table in tables.items():
        names = {plain_id(name) for name in table.names}
        for other, entries in ids.items():
            found = [entry for entry in entries if plain_id(entry) in names]
            if other == block or len(found) < 2 or len(found) < MOST * len(entries):
                continue
            told = (
                f" {len(found)} of {len(entries)} ids of {tables[other].source} are names of "
                f"columns of {table.source}, as {found[0]!r}: "
            )
            if "DataFrame" in table.notes:
                return f"{told}give the DataFrame turned (frame.T)."
            turned = [
                name
                for name, entry in tables.items()
                if ("transposed" in entry.notes) != (name == block)
            ]
            if "transposed" in table.notes:
                way = command("transpose", turned) if turned else "dataset.transpose=false"
                return f"{told}its samples stand in rows, {way}."
            return f"{told}its samples stand in columns, {command('transpose', turned)}."
    return ""


# ------------------------------------------------------------------------- the columns of ids


def column_of_ids(
    table: RawTable, place: int | None, others: Sequence[Sequence[str]], *, decimal: str
) -> int | None:
    """Find the column whose entries are the ids of another file, where no other is known.

    Parameters
    ----------
    table : RawTable
    place : int or None
        The column that was taken for the ids.
    others : sequence of sequence of str
        Ids of other files.
    decimal : str
        Decimal sign of cells that are text.

    Returns
    -------
    int or None
        None if the ids that are known agree with another file, or no single column does.
    """
    if not others:
        return None
    if place is not None:
        known = {plain_id(entry) for entry in labels(table.columns[place], decimal=decimal)}
        if any(plain_id(entry) in known for entries in others for entry in entries):
            return None
    found = [
        column
        for column in range(min(len(table.names), N_COLUMNS))
        if column != place and _holds(table.columns[column], others, decimal=decimal)
    ]
    return found[0] if len(found) == 1 else None


def _holds(cells: Cells, others: Sequence[Sequence[str]], *, decimal: str) -> bool:
    """Whether cells all differ and are ids of another file."""
    entries = _entries(cells, decimal)
    return len(set(entries)) == len(entries) and _are_ids(entries, others)


def repeating_ids(
    table: RawTable, others: Sequence[Sequence[str]], *, decimal: str
) -> list[str] | None:
    """Give the entries of a column that are ids of another file, but repeat."""
    for column in table.columns[:N_COLUMNS]:
        entries = _entries(column, decimal)
        n_own = len(set(entries))
        if n_own < len(entries) <= N_REPEATS * n_own and _are_ids(entries, others):
            return entries
    return None


def loose_column(
    table: RawTable, others: Sequence[Sequence[str]], *, decimal: str
) -> tuple[int, str] | None:
    """Give the first column that nearly agrees with ids of another file, and how it does."""
    for place, column in enumerate(table.columns[:N_COLUMNS]):
        entries = _entries(column, decimal)
        for ids in others:
            if not entries or any(len(set(side)) < len(side) for side in (entries, ids)):
                continue
            matching = match_ids({"own": entries, "other": ids})
            if matching.gains and matching.n_loose >= NEARLY_ALL * matching.n_ids:
                return place, matching.sentence
    return None


def _entries(cells: Cells, decimal: str) -> list[str]:
    """Give the entries of a column that may hold ids; none if one is missing."""
    if not isinstance(cells, list) and not np.all(np.isfinite(cells)):
        return []
    entries = labels(cells, decimal=decimal)
    return [] if "" in entries else entries


def _are_ids(entries: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Whether nearly all entries are ids of another file, or nearly all of its ids are there."""
    own = set(entries)
    return len(own) >= 2 and any(
        len(own.intersection(ids)) >= NEARLY_ALL * min(len(own), len(ids)) for ids in others
    )
