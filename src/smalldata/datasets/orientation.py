"""Finds out whether the samples of a table stand in its rows or in its columns.

Step in the line: **files** -> Dataset. The evidence, the stronger first:

1. What the user says: ``dataset.transpose``.
2. The target, or another column with a role, among the names of the header: samples in rows. Among
   the names of the rows above the header: features in rows.
3. The ids of the other files: they stand in the header or in one of the first columns. The side
   that holds clearly more of them holds the samples.
4. The target in the first column, and not in the header: features in rows. This is no doubt if
   most of the rows below are numeric and there are more of them than samples, as in nearly every
   omics table. With fewer features than samples the shape speaks against it: the table may as well
   be a list in which the word happens to stand, so the user is asked.
5. In a table without a target whose ids agree with no other file: a first column of names of genes,
   proteins, taxa or peaks beside a header without them, and more rows than columns.

Without any of these the samples stand in rows. Names alone never turn a table, since lists of genes
with their statistics have them too.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from smalldata.datasets.header import N_ROWS_SEEN, Frame, seen_columns
from smalldata.datasets.matching import plain_id
from smalldata.datasets.naming import plain_name
from smalldata.datasets.raw import RawTable, cell_text, clean_name
from smalldata.datasets.units import MOSTLY, is_missing, is_number, is_value
from smalldata.datasets.vocabulary import ID_NAMES
from smalldata.errors import DataError

N_COLUMNS_OF_IDS = 10
"""Ids are looked for in the first columns of a file only."""

N_IDS = 5000
"""Entries of such a column that are compared; more samples than this are no small table."""

DISTINCT = 0.9
"""Share of different entries in a column that may hold ids; the first column may repeat them."""

CLEARLY = 2.0
"""One side must hold this many times the share of ids that the other holds."""

_FEATURE = re.compile(
    r"ENS[A-Z]*[GTP]\d{6,}(?:\.\d+)?|[OPQ]\d[A-Z\d]{3}\d(?:[-;].*)?"
    r"|[A-NR-Z]\d(?:[A-Z][A-Z\d]{2}\d){1,2}(?:[-;].*)?"
    r"|[kdpcofgs]__.*|.*[|;]\s?[pcofgs]__.*|(?:z?otu|asv)_?\d+"
    r"|(?:hsa|mmu|rno)-(?:mir|let)-.*|N[MPR]_\d+(?:\.\d+)?|cg\d{8}|rs\d+|HMDB\d+|C\d{5}"
    r"|M?\d+(?:\.\d+)?[/_@T]\d+(?:\.\d+)?|\d+(?:_[a-z])?_at|ILMN_\d+"
    r"|[A-Z][A-Z\d]{1,9}(?:-[A-Z\d]{1,4})?",
    re.IGNORECASE,
)
_SYMBOL = re.compile(r"[A-Z][A-Z\d]{1,9}(?:-[A-Z\d]{1,4})?")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What of a file speaks for one or the other side.

    Attributes
    ----------
    source : str
        Name of the file.
    header : list of str
        Names in the header, without the first.
    corner : str
        The first name of the header.
    columns : list of list of str
        The first column, and of the next ones those whose entries nearly all differ.
    above : list of str
        Names of rows above the header.
    rows : list of list of str
        Some rows of the body.
    n_rows : int
    """

    source: str
    header: list[str]
    corner: str
    columns: list[list[str]]
    above: list[str]
    rows: list[list[str]]
    n_rows: int

    @property
    def names(self) -> list[str]:
        """All names of the header."""
        return [self.corner, *self.header]


@dataclass(frozen=True, kw_only=True)
class Ids:
    """Ids of the samples, as other files write them.

    Attributes
    ----------
    entries : frozenset of str
    is_loose : bool
        The entries are spelled by `plain_id`, since none agreed as written.
    """

    entries: frozenset[str] = frozenset()
    is_loose: bool = False

    def __contains__(self, name: str) -> bool:
        """Whether a name is one of them."""
        return (plain_id(name) if self.is_loose else name) in self.entries

    @property
    def loose(self) -> "Ids":
        """The same ids in the spelling of `plain_id`."""
        return Ids(entries=frozenset(map(plain_id, self.entries)), is_loose=True)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.entries)


@dataclass(frozen=True, kw_only=True)
class Turned:
    """That the features of a file stand in rows, and why.

    Attributes
    ----------
    why : str
        A clause; empty where the user says it.
    ids : Ids
        Those of the other files.
    """

    why: str = ""
    ids: Ids = Ids()


def of_frame(frame: Frame) -> Evidence:
    """Gather the evidence of a grid whose header is known."""
    header = [clean_name(name) for name in frame.header]
    if frame.rows and len(frame.rows[0]) == len(header) + 1 and frame.rows[0][-1]:
        header.insert(0, "")  # as R writes it
    some = frame.rows[:: max(1, -(-len(frame.rows) // N_ROWS_SEEN))]
    places = seen_columns(len(header))
    width = min(len(header), N_COLUMNS_OF_IDS)
    return Evidence(
        source=frame.grid.source,
        corner=header[0],
        header=header[1:],
        columns=_columns_of_ids(
            header,
            [
                [
                    row[place] if place < len(row) else ""
                    for row in frame.rows[: N_IDS if place else None]
                ]
                for place in range(width)
            ],
        ),
        above=[clean_name(cell) for row in frame.above for cell in _names_above(row)],
        rows=[[row[place] for place in places if place < len(row)] for row in some],
        n_rows=len(frame.rows) + len(frame.below),
    )


def of_table(table: RawTable) -> Evidence:
    """Gather the evidence of a table whose file has columns."""
    places = seen_columns(len(table.names))
    some = range(0, table.n_rows, max(1, -(-table.n_rows // N_ROWS_SEEN)))
    leading = table.columns[:N_COLUMNS_OF_IDS]
    return Evidence(
        source=table.source,
        corner=table.names[0],
        header=table.names[1:],
        columns=_columns_of_ids(
            table.names,
            [
                [cell_text(cell) for cell in column[: N_IDS if place else None]]
                for place, column in enumerate(leading)
            ],
        ),
        above=[],
        rows=[[cell_text(table.columns[place][row]) for place in places] for row in some],
        n_rows=table.n_rows,
    )


def _names_above(row: Sequence[str]) -> list[str]:
    """Give what may be the name of a row above the header: its first cell that holds text."""
    return [next((cell for cell in row if cell), "")]


def _columns_of_ids(names: Sequence[str], columns: Sequence[list[str]]) -> list[list[str]]:
    """Keep the first column, and those whose entries nearly all differ and are no measurements.

    Numbers are ids only below a usual name of ids: rounded values may be among the ids by chance.
    """
    kept = []
    for place, (name, column) in enumerate(zip(names, columns, strict=False)):
        some = column[:N_IDS]
        differ = len(set(some)) >= DISTINCT * len(some)
        is_text = sum(map(is_number, some[:N_ROWS_SEEN])) < len(some[:N_ROWS_SEEN]) / 2
        if place == 0 or (differ and (is_text or plain_name(name) in ID_NAMES)):
            kept.append(column)
    return kept


def find_turned(
    evidence: Mapping[str, Evidence],
    others: Mapping[str, Evidence],
    *,
    roles: Sequence[str],
    asked: Mapping[str, bool],
) -> dict[str, Turned]:
    """Say which files have their features in rows.

    Parameters
    ----------
    evidence : mapping of str to Evidence
        Plain files by block.
    others : mapping of str to Evidence
        Files whose format is known: their samples stand in rows.
    roles : sequence of str
        Names of the target and of columns with other roles.
    asked : mapping of str to bool
        What the user says, by block.

    Returns
    -------
    dict of str to Turned
        The blocks to turn.

    Raises
    ------
    DataError
        If a file can be read both ways.
    """
    found: dict[str, Turned] = {}
    for block, own in evidence.items():
        rest = [entry for name, entry in {**evidence, **others}.items() if name != block]
        ids = _ids_of_others(own, rest, roles)
        if block in asked:
            if asked[block]:
                found[block] = Turned(ids=ids)
            continue
        turned = _judge(own, block, ids=ids, roles=roles, is_alone=not rest)
        if turned is not None:
            found[block] = turned
    return found


def _judge(
    own: Evidence, block: str, *, ids: Ids, roles: Sequence[str], is_alone: bool
) -> Turned | None:
    names = {own.corner, *own.header}
    if any(role in names for role in roles):
        return None
    above = next((role for role in roles if role in own.above), None)
    if above is not None:
        return Turned(why=f"{above!r} is a row above its header", ids=ids)
    in_header = _share(own.header, ids)
    in_columns = max((_share(column[:N_IDS], ids) for column in own.columns), default=0.0)
    first = own.columns[0] if own.columns else []
    says_ids = plain_name(own.corner) in ID_NAMES or all(map(str.isdigit, first))
    if in_header and says_ids:  # numbers may name features, too: 001 is as good as 1 then
        in_columns = max(in_columns, _share(first[:N_IDS], ids.loose))
    if in_header > CLEARLY * in_columns:
        n_ids = sum(name in ids for name in own.header)
        return Turned(why=f"its header holds {n_ids} ids of the other files", ids=ids)
    if in_columns > CLEARLY * in_header:
        return None
    # In a list of measurements the word stands once per sample.
    in_first = next((role for role in roles if first.count(role) == 1), None)
    n_numeric = sum(map(_is_numeric, own.rows))
    is_numeric = bool(own.rows) and n_numeric >= len(own.rows) / 2
    has_more = own.n_rows > len(own.header)
    if in_first is not None and is_numeric:
        if has_more:
            return Turned(
                why=f"its first column holds {in_first!r}, and the other rows are numbers"
            )
        raise DataError(_doubt(own, block, in_first, is_alone=is_alone))
    if not is_alone and is_numeric and has_more and not in_header and not in_columns:
        # S01, S02 … look like symbols of genes.
        is_numbered = len({re.sub(r"\d+$", "", name) for name in own.header}) == 1
        in_names = 0.0 if is_numbered else named_share(own.header)
        if named_share(first) >= MOSTLY and in_names < 1 - MOSTLY:
            return Turned(why="its first column holds names of features")
    return None


def _doubt(own: Evidence, block: str, role: str, *, is_alone: bool) -> str:
    turned = "true" if is_alone else f"[{block}]"
    return (
        f"it must be plain which way round {own.source} is; {role!r} stands in its first column, "
        f"but with {own.n_rows} rows and {len(own.header)} columns it has fewer rows than most "
        f"tables of features have. Say it: dataset.transpose={turned} if each row is a feature and "
        "each column a sample, dataset.transpose=false if each row is a sample."
    )


def _ids_of_others(own: Evidence, rest: Sequence[Evidence], roles: Sequence[str]) -> Ids:
    """Collect the ids of the samples, as the other files have them.

    The file with the target knows best: they stand in its columns if the target is in its header,
    else in its header. Otherwise it is the names that this file shares most with another one.
    Only where none agrees as it is written, a loose spelling decides.
    """
    sure: list[Sequence[str]] = []
    others: list[Sequence[str]] = []
    for other in rest:
        if any(role in other.names for role in roles):
            sure += other.columns
        elif any(role in other.above or role in other.columns[0] for role in roles):
            sure.append(other.header)
        else:
            others += [*other.columns, other.header]
    for is_loose in (False, True):
        spell = plain_id if is_loose else str
        mine = [{spell(name) for name in own.header}]
        mine += [{spell(entry) for entry in column[:N_IDS]} for column in own.columns]
        for sides in (sure, others):
            best: tuple[float, frozenset[str]] = (0.0, frozenset())
            for side in sides:
                entries = frozenset(spell(entry) for entry in side[:N_IDS] if _may_be_id(entry))
                shared = max((len(entries & part) for part in mine), default=0)
                if shared >= 2 and shared / len(entries) > best[0]:
                    best = (shared / len(entries), entries)
            if best[1]:
                return Ids(entries=best[1], is_loose=is_loose)
    return Ids()


def _may_be_id(entry: str) -> bool:
    """Numbers with a fraction are measurements."""
    return bool(entry) and not is_missing(entry) and (not is_number(entry) or entry.isdigit())


def _share(entries: Sequence[str], ids: Ids) -> float:
    """Share of the entries that are ids."""
    if not ids or not entries:
        return 0.0
    return sum(entry in ids for entry in entries) / len(entries)


def _is_numeric(row: Sequence[str]) -> bool:
    cells = [cell for cell in row[1:] if not is_missing(cell)]
    return bool(cells) and sum(map(is_value, cells)) >= len(cells) / 2


def named_share(entries: Sequence[str]) -> float:
    """Share of the names that look like those of genes, proteins, taxa or peaks."""
    some = list(entries[:: max(1, len(entries) // 200)])
    if not some:
        return 0.0
    return sum(is_feature_name(entry) for entry in some) / len(some)


def is_feature_name(entry: str) -> bool:
    """Whether a name is that of a gene, a protein, a taxon, a transcript or a peak."""
    if _SYMBOL.fullmatch(entry):
        return True
    return _FEATURE.fullmatch(entry) is not None and _SYMBOL.fullmatch(entry.upper()) is None
