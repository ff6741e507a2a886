"""Matrices of genes by samples with rows or columns of their own: featureCounts and GCT.

Step in the line: **files** -> Dataset. featureCounts (Subread users guide) writes its command in a
line of ``#``, then Geneid, Chr, Start, End, Strand, Length and one column an alignment file. GCT
(Broad Institute, "GCT format") begins with ``#1.2`` and the size; ``#1.3`` has columns
that annotate the rows, and rows that annotate the samples, both counted in the second line.
"""

from itertools import islice

from smalldata.datasets.formats.cells import Sheet, read_features
from smalldata.datasets.formats.tables import (
    Tables,
    Taken,
    counted,
    name_features,
    run_names,
    turned_table,
    with_samples,
)
from smalldata.datasets.options import TableOptions
from smalldata.datasets.text import NUMBER
from smalldata.datasets.units import is_missing
from smalldata.errors import DataError

_COUNTS = ["geneid", "chr", "start", "end", "strand", "length"]
_ALIGNED = (
    "Aligned.sortedByCoord.out",
    "Aligned.out",
    ".sorted",
    "_sorted",
    ".dedup",
    ".markdup",
)


def read_feature_counts(sheet: Sheet, options: TableOptions) -> Tables | None:
    """Read a table of featureCounts, or return None."""
    at = next((n for n, (_, row) in enumerate(sheet.head[:3]) if not row[0].startswith("#")), 0)
    header = sheet.head[at][1]
    if [name.lower() for name in header[:6]] != _COUNTS:
        return None
    below = [row for _, row in sheet.head[at + 1 :]]
    # Attributes (gene_name) that were asked for stand before the counts.
    numbers = [
        n
        for n in range(6, len(header))
        if _are_counts([row[n] if n < len(row) else "" for row in below])
    ]
    if len(numbers) < 2 or not below:
        return None
    texts = [n for n in range(len(header)) if n not in numbers]
    features = read_features(
        sheet, header=header, n_above=at + 1, texts=texts, numbers=numbers, options=options
    )
    names, told = name_features(sheet, header, features, candidates=[0], options=options)
    paths = [header[n] for n in numbers]
    samples = _without_steps(run_names(paths))
    taken = Taken("a table of featureCounts")
    taken.drop("columns", [header[n] for n in texts], "annotations")
    taken.facts += [
        f"{counted(len(features), 'gene')} in {len(samples)} samples, {told}",
        *([f"samples are called by their file, {samples[0]}"] if samples != paths else []),
        f"left out: {', '.join(header[n] for n in texts[1:])}",
    ]
    return {"": turned_table(sheet, samples=samples, names=names, features=features, taken=taken)}


def _are_counts(cells: list[str]) -> bool:
    found = [cell for cell in cells if not is_missing(cell)]
    return bool(found) and all(NUMBER.fullmatch(cell) for cell in found)


def _without_steps(names: list[str]) -> list[str]:
    """Take off what aligners add to a name, if all have it and stay different."""
    for step in _ALIGNED:
        shorter = [name.removesuffix(step) for name in names]
        if all(name.endswith(step) for name in names) and len(set(shorter)) == len(names):
            return shorter
    return names


def read_gct(sheet: Sheet, options: TableOptions) -> Tables | None:
    """Read a GCT file, or return None.

    Raises
    ------
    DataError
        If it is not as large as it says.
    """
    version = sheet.header[0]
    if version not in ("#1.2", "#1.3") or len(sheet.head) < 4:
        return None
    sizes = [int(cell) for cell in sheet.head[1][1] if cell.isdigit()]
    if len(sizes) < 2:
        return None
    header = sheet.head[2][1]
    n_texts = 2 if version == "#1.2" else 1 + (sizes[2] if len(sizes) > 2 else 0)
    n_rows_above = sizes[3] if version == "#1.3" and len(sizes) > 3 else 0
    numbers = [n for n in range(n_texts, len(header)) if header[n]]
    if len(numbers) < 2:
        return None
    texts = list(range(n_texts))
    # Rows of the samples may be more than the head.
    head = [row for _, row in islice(sheet.body(3), n_rows_above)]
    features = read_features(
        sheet,
        header=header,
        n_above=3 + n_rows_above,
        texts=texts,
        numbers=numbers,
        options=options,
    )
    if len(features) != sizes[0]:
        raise DataError(
            f"{sheet.source} must hold {sizes[0]} features, as its second line says; it holds "
            f"{len(features)}. Is the file cut? Copy or export it again."
        )
    names, told = name_features(sheet, header, features, candidates=[0], options=options)
    samples = [header[n] for n in numbers]
    groups = {row[0].strip(): [row[n].strip() for n in numbers] for row in head}
    taken = Taken(f"a GCT file ({version})")
    taken.drop("columns", header[:n_texts], "annotations")
    taken.facts += [
        f"{counted(len(features), 'feature')} in {len(samples)} samples, {told}",
        f"left out: {', '.join(header[1:n_texts])}",
        *([f"rows of the samples: {', '.join(groups)}"] if groups else []),
    ]
    table = turned_table(sheet, samples=samples, names=names, features=features, taken=taken)
    return with_samples(table, groups, taken_for="the rows of its samples")
