"""Alignment results of MS-DIAL.

Step in the line: **files** -> Dataset. MS-DIAL (its source: ``ResultExportForLC``) writes rows
above the header whose name stands over the last annotation column (Class, File type, Injection
order, since version 4 also Batch ID), then the annotations of the peaks, one column a file, and on
request the averages and standard deviations of the classes on the right.
"""

from collections import Counter

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

_PEAKS = frozenset(("Average Mz", "Average Rt(min)", "Metabolite name", "Quant mass"))
_ABOVE = frozenset(("class", "type", "file type", "injection order", "batch id"))
_STATISTICS = frozenset(("average", "stdev", "stdev."))
_LAST = frozenset(("ms/ms spectrum", "ms1 isotopic spectrum", "ei spectrum", "spectrum"))


def read_msdial(sheet: Sheet, options: TableOptions) -> Tables | None:
    """Read an alignment result of MS-DIAL, or return None."""
    place = next(
        (n for n, (_, row) in enumerate(sheet.head[:8]) if row and row[0] == "Alignment ID"), None
    )
    if place is None:
        return None
    header = sheet.head[place][1]
    above = {
        row[at]: (at, row)
        for _, row in sheet.head[:place]
        if (at := next((n for n, cell in enumerate(row) if cell), len(row))) < len(row)
        and row[at].lower() in _ABOVE
    }
    if not _PEAKS & set(header):
        return None
    if above:
        first = next(iter(above.values()))[0] + 1
    else:
        known = [n for n, name in enumerate(header) if name.lower() in _LAST]
        if not known:
            return None
        first = known[-1] + 1
    described = {
        name: {n: row[n] if n < len(row) else "" for n in range(first, len(header))}
        for name, (_, row) in above.items()
    }
    statistics = [n for n in range(first, len(header)) if _is_statistic(described, n)]
    numbers = [n for n in range(first, len(header)) if header[n] and n not in statistics]
    if len(numbers) < 2:
        return None
    return _take(sheet, header, place + 1, first, numbers, statistics, described, options)


def _is_statistic(described: dict[str, dict[int, str]], column: int) -> bool:
    """Whether a column holds averages or deviations of a class."""
    cells = [cells[column].lower() for cells in described.values()]
    return bool(cells) and (
        any(cell in _STATISTICS for cell in cells) or all(cell in ("", "na") for cell in cells)
    )


def _take(
    sheet: Sheet,
    header: list[str],
    n_above: int,
    first: int,
    numbers: list[int],
    statistics: list[int],
    described: dict[str, dict[int, str]],
    options: TableOptions,
) -> Tables:
    texts = list(range(first))
    features = read_features(
        sheet, header=header, n_above=n_above, texts=texts, numbers=numbers, options=options
    )
    # Peaks without an identification share one name.
    usual = header.index("Metabolite name") if "Metabolite name" in header else None
    candidates = [0] if usual is None else [usual, 0]
    if usual is not None:
        features.texts[usual] = [
            "" if name.lower() in ("unknown", "null", "w/o ms2:unknown") else name
            for name in features.texts[usual]
        ]
    features.texts[0] = [f"ID {entry}" if entry else "" for entry in features.texts[0]]
    names, told = name_features(sheet, header, features, candidates=candidates, options=options)
    samples = [header[n] for n in numbers]
    columns = {name: [cells[n] for n in numbers] for name, cells in described.items()}
    taken = Taken("an alignment result of MS-DIAL")
    taken.drop("columns", [name for name in header[:first] if name], "annotations")
    taken.drop("columns", [header[n] for n in statistics], "averages and deviations of classes")
    taken.facts += [
        f"{counted(len(features), 'peak')} in {len(samples)} files, {told}",
        *([f"rows above are columns of the samples: {', '.join(columns)}"] if columns else []),
        f"{counted(first, 'annotation column')} left out",
    ]
    if statistics:
        taken.facts.append(f"{counted(len(statistics), 'column')} of averages left out")
    kinds = Counter(
        cell for name, cells in columns.items() if name.lower() == "file type" for cell in cells
    )
    if any(kind.lower() != "sample" for kind in kinds):
        shown = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
        taken.facts.append(f"file types: {shown}, all kept")
    table = turned_table(sheet, samples=samples, names=names, features=features, taken=taken)
    return with_samples(table, columns, taken_for="its rows above the header")
