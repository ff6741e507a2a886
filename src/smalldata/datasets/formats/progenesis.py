"""Exports of Progenesis QI: compounds or proteins with blocks of normalised and raw abundance.

Step in the line: **files** -> Dataset. Three rows stand above the values: the names of the blocks,
each in the first cell of its block (its cells were merged), the groups, written in the same way,
and the header. The same samples recur in each block.
"""

from itertools import pairwise

from smalldata.datasets.formats.cells import Sheet, read_features
from smalldata.datasets.formats.tables import (
    Tables,
    Taken,
    counted,
    name_features,
    turned_table,
    with_samples,
)
from smalldata.datasets.options import TableOptions

_BLOCKS = (
    "normalised abundance",
    "normalized abundance",
    "raw abundance",
    "spectral counts",
    "intensity",
    "abundance",
    "peak area",
)
"""The best first; others than the first three never make a file a Progenesis one."""

_NAMES = ("Compound", "Accession", "Description", "#")
_MARKS = frozenset((*_NAMES, "m/z", "Neutral mass (Da)", "Peptide count"))
_RIGHT = frozenset(
    (
        "accepted compound id",
        "accepted description",
        "adducts",
        "formula",
        "score",
        "tag",
        "fragmentation score",
        "mass error (ppm)",
        "isotope similarity",
        "compound link",
        "retention time error (mins)",
        "theoretical isotope distribution",
        "identifications",
    )
)
_GROUP = "Condition"


def read_progenesis(sheet: Sheet, options: TableOptions) -> Tables | None:
    """Read an export of Progenesis QI, or return None."""
    if len(sheet.head) < 4:
        return None
    top = sheet.header
    starts = {cell.lower(): n for n, cell in enumerate(top) if cell}
    if not starts or not set(_BLOCKS[:3]) & set(starts):
        return None
    at = next((n for n in (1, 2) if _MARKS & set(sheet.head[n][1])), None)
    if at is None or any(cell for cell in top[: min(starts.values())]):
        return None
    header = sheet.head[at][1]
    block = next(name for name in _BLOCKS if name in starts)
    order = sorted(starts.values())
    known = [n for name, n in starts.items() if name in _BLOCKS]
    width = next((b - a for a, b in pairwise(order) if a in known), 0)
    numbers = _columns(header, starts[block], order, width)
    first = order[0]
    if len(numbers) < 2 or first < 1:
        return None
    texts = list(range(first))
    features = read_features(
        sheet, header=header, n_above=at + 1, texts=texts, numbers=numbers, options=options
    )
    n_read = len(features)
    features = features.without_empty()
    candidates = [header.index(name) for name in _NAMES if name in header[:first]] or [0]
    names, told = name_features(
        sheet, header, features, candidates=candidates[:1] + candidates[-1:], options=options
    )
    samples = [header[n] for n in numbers]
    groups = _filled(sheet.head[at - 1][1], numbers) if at > 1 else []
    left = [name for name in starts if name != block]
    taken = Taken("an export of Progenesis QI")
    taken.drop("columns", [name for name in header[:first] if name], "annotations")
    for name in left:
        columns = [header[n] for n in _columns(header, starts[name], order, width)]
        taken.drop("columns", [f"{name}: {column}" for column in columns], f"beside {block}")
    taken.facts += [
        f"{top[starts[block]]} of {len(samples)} samples",
        *([f"{', '.join(left)} left out"] if left else []),
        f"{counted(len(features), 'feature')} of {n_read:,}, {told}",
        *([f"the groups above are the column {_GROUP} of the samples"] if groups else []),
        f"{counted(first, 'annotation column')} left out",
    ]
    table = turned_table(sheet, samples=samples, names=names, features=features, taken=taken)
    return with_samples(table, {_GROUP: groups} if groups else {}, taken_for="its groups")


def _columns(header: list[str], start: int, starts: list[int], width: int) -> list[int]:
    """Columns of a block: to the next one; the last block is as wide as another, if there is one.

    A width of 0 says that there is none: then it ends where an annotation stands on the right.
    """
    later = [other for other in starts if other > start]
    if later:
        return list(range(start, later[0]))
    if width:
        return [n for n in range(start, start + width) if n < len(header)]
    columns = []
    for n in range(start, len(header)):
        if not header[n] or header[n].lower() in _RIGHT:
            break
        columns.append(n)
    return columns


def _filled(row: list[str], columns: list[int]) -> list[str]:
    """Cells of merged groups, each filled to the right."""
    filled = []
    last = ""
    for n in columns:
        last = (row[n] if n < len(row) else "") or last
        filled.append(last)
    return filled if last else []
