"""Tells the samples of a table with features in rows from the annotations of these features.

Step in the line: **files** -> Dataset. Annotations are the columns left of the samples (number,
name, m/z, description …). Rows that belong to the samples, not to features (age, country), are
suspects: they are named, and stay until the user says which rows are features.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from smalldata.datasets.assembling import listed, several
from smalldata.datasets.commands import command
from smalldata.datasets.naming import plain_name, words_of
from smalldata.datasets.options import TableOptions
from smalldata.datasets.orientation import Ids, is_feature_name, named_share
from smalldata.datasets.raw import Cells, cell_text
from smalldata.datasets.units import MOSTLY, is_missing, is_number, is_value, tag_of
from smalldata.datasets.vocabulary import ANNOTATION_WORDS, METADATA_NAMES
from smalldata.findings import Finding
from smalldata.task import Dropped

N_ROWS_SEEN = 50
"""Rows by which a column is judged, evenly spaced."""

N_NUMBERS_BETWEEN = 10
"""Columns of numbers that may stand between two columns of text that are annotations."""

N_SUSPECTS = 30
"""Rows at the beginning and at the end of a table that are looked at."""

N_ROWS_BETWEEN = 3
"""Rows of features that may stand between two rows of metadata."""

WEAK = 0.2
"""Share of text by which a row among metadata belongs to them, if its name is no feature's."""

N_LETTERS_COMMON = 2
"""Letters that the names of features must share to be told by them (``k__``)."""


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """Which columns are samples, and which annotate the features.

    Attributes
    ----------
    name : int
        The column with the names of the features.
    first : int
        The first sample.
    samples : list of int
    others : list of int
        Annotations beside the name.
    unit : int or None
        The one that holds units.
    """

    name: int
    first: int
    samples: list[int]
    others: list[int]
    unit: int | None

    def told(self, header: Sequence[str], source: str) -> list[Finding]:
        """Say which column names the features, where there are several."""
        if not self.others:
            return []
        findings = []
        if self.unit is not None:
            findings.append(
                Finding(
                    code="SD010",
                    what=f"the column {header[self.unit]!r} of {source} was taken for the units of "
                    "the features",
                )
            )
        left = [header[place] for place in self.others if place != self.unit]
        n_left = len(left)
        if not left:
            return findings
        other = next((name for name in left if name), "COLUMN")
        return [
            *findings,
            Finding(
                code="SD013",
                what=f"the features of {source} have their names from the column "
                f"{header[self.name]!r}; {n_left} other column{'s' * (n_left > 1)} of annotations "
                f"{'were' if n_left > 1 else 'was'} left out",
                evidence=listed(left),
                remedy=f"take other names with {command('name_column', other)}",
            ),
        ]

    def dropped(self, header: Sequence[str], source: str) -> tuple[Dropped, ...]:
        """Columns that are no samples."""
        if not self.others:
            return ()
        names = tuple(header[place] for place in self.others)
        return (
            Dropped(what="columns", names=names, reason=f"annotations of features in {source}"),
        )


def find_annotations(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    above: Sequence[Sequence[str]],
    ids: Ids,
    name_column: str | None,
    whole: Mapping[int, list[str]] | None = None,
) -> Annotations:
    """Find where the samples begin, and the column of the features' names.

    The samples begin, in this order: right of the names in front of the rows above the header;
    with the first id of the other files, or a column of numbers before it whose name looks like
    one (P-05 beside P-12); right of the last column of text at the beginning and of columns of
    numbers with names like start, length, m/z.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequence of str
        The body, or its first rows if ``whole`` is given.
    above : sequence of sequence of str
        Rows above the header.
    ids : Ids
        Ids of the other files.
    name_column : str, optional
        The column of names; ignored if this file has none of this name.
    whole : mapping of int to list of str, optional
        The columns of text, and the first, from end to end.

    Returns
    -------
    Annotations
    """
    seen = rows[:: max(1, -(-len(rows) // N_ROWS_SEEN))]
    width = len(header)
    texts = [place for place in range(width) if _is_text(seen, place)]
    matching = [place for place in range(1, width) if header[place] in ids]
    first = _first_below(header, above, texts)
    if first is None and len(matching) >= 2:
        first = _first_alike(header, matching, texts)
        texts = [place for place in texts if place not in set(matching)]
    if first is None:
        first = _first_by_type(header, texts, width)
    beyond = [place for place in texts if place >= first]
    others = [*range(first), *beyond]
    samples = [place for place in range(first, width) if place not in set(beyond)]

    def entries(place: int) -> list[str]:
        if whole is not None:
            return whole.get(place, [])
        return [row[place] for row in rows]

    name = _name_place(header, others, texts, entries, name_column)
    others.remove(name)
    unit = next((place for place in others if tag_of(header[place]) == "units"), None)
    return Annotations(name=name, first=first, samples=samples, others=others, unit=unit)


def _name_place(
    header: Sequence[str],
    others: list[int],
    texts: Sequence[int],
    entries: Callable[[int], list[str]],
    name_column: str | None,
) -> int:
    """Position of the names: the column asked for, else the first whose entries all differ."""
    if name_column is not None and name_column in header:
        place = list(header).index(name_column)
        if place not in others:
            others.append(place)
        return place
    differ = [place for place in others if _all_differ(entries(place))]
    words = [place for place in differ if place in texts]
    if words or differ:
        return (words or differ)[0]
    return next((place for place in others if place in texts), others[0])


def _all_differ(entries: Sequence[str]) -> bool:
    if not entries or not all(entries) or len(set(entries)) < len(entries):
        return False
    return all(not is_number(entry) or entry.isdigit() for entry in entries[:N_ROWS_SEEN])


def _is_text(rows: Sequence[Sequence[str]], place: int) -> bool:
    cells = [row[place] for row in rows if not is_missing(row[place])]
    return bool(cells) and sum(map(is_value, cells)) < len(cells) / 2


def _first_below(
    header: Sequence[str], above: Sequence[Sequence[str]], texts: Sequence[int]
) -> int | None:
    """Find the first sample by the rows above the header: right of the names in front of them."""
    leads = []
    for row in above:
        filled = [place for place, cell in enumerate(row) if cell]
        if not filled:
            continue
        lead = filled[0]
        if lead == 0 and len(filled) > 1:  # the name stands in the first column
            later = filled[1]
            leads.append(later if later > 1 else 1)
            continue
        is_sparse = len(filled) <= (len(row) - lead) / 2  # merged names of groups
        is_name = lead in texts or (not is_sparse and row[lead] not in row[lead + 1 :])
        leads.append(lead + 1 if is_name and lead + 1 < len(header) else lead)
    return max(leads) if leads and max(leads) > 0 else None


def _first_alike(header: Sequence[str], matching: Sequence[int], texts: Sequence[int]) -> int:
    """Position of the first sample: the other files need not have it."""
    shapes = {_shape(header[place]) for place in matching}
    before = (place for place in range(1, matching[0]) if place not in texts)
    return next(
        (place for place in before if "0" in (shape := _shape(header[place])) and shape in shapes),
        matching[0],
    )


def _shape(name: str) -> str:
    """Return a name with each word as ``a`` and each number as ``0``."""
    return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", name))


def _first_by_type(header: Sequence[str], texts: Sequence[int], width: int) -> int:
    first = 1
    for place in texts:
        if place - first <= N_NUMBERS_BETWEEN and place < max(2, width / 2):
            first = max(first, place + 1)
    while first < width - 1 and _annotates(header[first]):
        first += 1
    return first


def _annotates(name: str) -> bool:
    """Whether a column of numbers has a name as annotations have them."""
    words = words_of(name)
    if plain_name(name) in ANNOTATION_WORDS:
        return True
    return (
        bool(words) and all(word in ANNOTATION_WORDS for word in words) and not name[-1:].isdigit()
    )


def suspect_rows(
    names: Sequence[str], cells: Sequence[Cells], *, options: TableOptions
) -> list[Finding]:
    """Rows above or below the features that describe the samples rather than measure a feature.

    A row is a suspect by its type (text, where the table is numeric), or by its name (age, sex,
    country …), or if it stands beside one, has no name of a feature, and holds some text or lacks
    what the names of the features have in common.
    """
    if options.features is not None or len(names) < 3:
        return []
    apart = set(options.roles.values()) | set(several(options.drop))
    above = _suspects(names, cells, apart)
    below = _suspects(names[::-1], cells[::-1], apart)[::-1]
    found = list(dict.fromkeys(names[place] for place in above))
    found += [name for place in below if (name := names[len(names) - 1 - place]) not in found]
    left_out = {*found, *apart}
    kept = [name for name in names if name not in left_out]
    if not found or not kept:
        return []
    prefix = _common(kept)
    remedy = f"leave them out with {command('drop', found)}"
    if prefix:
        pattern = command("features", f"{prefix}*")
        remedy = f"say which rows are features with {pattern}, or {remedy}"
    where = " and ".join(side for side, some in (("above", above), ("below", below)) if some)
    return [
        Finding(
            code="SD014",
            what=f"{len(found)} row{'s' * (len(found) > 1)} {where} the features "
            f"look{'s' * (len(found) == 1)} like metadata of the samples and "
            f"{'are' if len(found) > 1 else 'is'} read as feature{'s' * (len(found) > 1)}",
            evidence=listed(found),
            remedy=remedy,
        )
    ]


def _suspects(names: Sequence[str], cells: Sequence[Cells], apart: Collection[str]) -> list[int]:
    """Positions of the suspects at the beginning; those with a role are known, and passed by."""
    rest = names[len(names) // 2 :]
    prefix = _common(rest)
    is_told = bool(prefix) or named_share(rest) >= MOSTLY
    sure: list[int] = []
    weak: dict[int, float] = {}
    for place, name in enumerate(names[:N_SUSPECTS]):
        share = _text_share(cells[place])
        if name in apart or share >= MOSTLY or _describes_samples(name):
            sure.append(place)
            continue
        is_feature = name.startswith(prefix) if prefix else is_feature_name(name)
        if not is_feature and (is_told or share >= WEAK):
            weak[place] = share
        elif place - max(sure, default=-1) > N_ROWS_BETWEEN:
            break
    if not sure:
        return []
    end = sure[-1] + 1
    is_sure = bool(prefix) and any(names[place] not in apart for place in sure)
    while end in weak and (is_sure or weak[end] >= WEAK):
        end += 1
    return [place for place in sorted([*sure, *weak]) if place < end and names[place] not in apart]


def _describes_samples(name: str) -> bool:
    """Whether a name is that of a row of metadata, with or without its accents."""
    plain = unicodedata.normalize("NFD", name)
    return plain_name("".join(c for c in plain if not unicodedata.combining(c))) in METADATA_NAMES


def _common(names: Sequence[str]) -> str:
    """Return what all names begin with, up to a sign that ends it, or nothing."""
    low, high = min(names), max(names)  # in their order what these share, all share
    n_shared = next(
        (at for at, pair in enumerate(zip(low, high, strict=False)) if len(set(pair)) > 1),
        min(len(low), len(high)),
    )
    prefix = low[:n_shared]
    match = re.match(r"[A-Za-z]+(?:__|[_.:|-])?", prefix)
    return match[0] if match and len(match[0]) >= N_LETTERS_COMMON else ""


def _text_share(cells: Cells) -> float:
    if not isinstance(cells, list):
        return 0.0
    some = cells[:: max(1, -(-len(cells) // 200))]
    present = [cell_text(cell) for cell in some if not is_missing(cell)]
    return sum(not is_value(cell) for cell in present) / len(present) if present else 0.0
