r"""Matrices of DIA-NN and pivot reports of Spectronaut.

Step in the line: **files** -> Dataset. DIA-NN's documentation (github.com/vdemichev/DiaNN) names
its matrices: ``report.pg_matrix.tsv`` and ``report.pr_matrix.tsv`` begin with annotations
(Protein.Group, Protein.Ids up to version 1.9, Protein.Names, Genes, First.Protein.Description;
since version 2 also N.Sequences), then one column a run, headed by the path of its file.
Spectronaut's pivot reports head a column ``[1] run.raw.PG.Quantity``; Filtered and NaN are missing.
"""

import re

from smalldata.datasets.commands import command
from smalldata.datasets.formats.cells import Sheet, read_features
from smalldata.datasets.formats.tables import (
    RUN_ENDINGS,
    Tables,
    Taken,
    counted,
    name_features,
    run_names,
    turned_table,
)
from smalldata.datasets.options import TableOptions
from smalldata.errors import DataError

_PRECURSOR = (
    "Proteotypic",
    "Stripped.Sequence",
    "Modified.Sequence",
    "Precursor.Charge",
    "Precursor.Id",
)
_DIANN = frozenset(
    (
        "Protein.Group",
        "Protein.Ids",
        "Protein.Names",
        "Genes",
        "First.Protein.Description",
        "N.Sequences",
        "N.Proteotypic.Sequences",
        "Global.Q.Value",
        "Lib.Q.Value",
        *_PRECURSOR,
    )
)
_REPORT = frozenset(("Run", "Protein.Group", "Precursor.Id", "PG.MaxLFQ"))
_LONG = frozenset(("File.Name", "Run", "Precursor.Quantity", "PG.Quantity", "PG.MaxLFQ"))


def read_diann(sheet: Sheet, options: TableOptions) -> Tables | None:
    """Read a matrix of DIA-NN, or return None; its long report is refused with the ways out."""
    header = sheet.header
    if options.long is None and set(header) >= _REPORT:
        raise DataError(
            f"a row must be a sample; {sheet.source} is the main report of DIA-NN, a row for each "
            "run and precursor. Use the matrix that DIA-NN writes too (…pg_matrix.tsv), or spread "
            "it with "
            f"{command('long', {'id': 'Run', 'name': 'Protein.Group', 'value': 'PG.MaxLFQ'})} "
            f"{command('replicates', 'first')}."
        )
    texts = [place for place, name in enumerate(header) if name in _DIANN]
    numbers = [place for place, name in enumerate(header) if name and place not in texts]
    runs = [header[place] for place in numbers]
    known = {header[place] for place in texts}
    if any(map(RUN_ENDINGS.search, runs)):  # others are annotations of a newer version
        numbers = [place for place in numbers if RUN_ENDINGS.search(header[place])]
        runs = [header[place] for place in numbers]
        texts = [place for place in range(len(header)) if header[place] and place not in numbers]
    if len(runs) < 2 or texts != list(range(len(texts))) or _LONG & set(header):
        return None
    if not (
        len(known & {"Protein.Group", "Protein.Names", "First.Protein.Description"}) > 1
        or {"Protein.Group", "Genes"} <= known
        or (header[0] == "Genes" and all(map(RUN_ENDINGS.search, runs)))
    ):
        return None
    what, usual = "genes", ["Genes"]
    if "Precursor.Id" in known:
        what, usual = "precursors", ["Precursor.Id"]
    elif "Protein.Group" in known:
        what, usual = "protein groups", ["Genes", "Protein.Group"]
    features = read_features(
        sheet, header=header, n_above=1, texts=texts, numbers=numbers, options=options
    )
    n_read = len(features)
    features = features.without_empty()
    candidates = [header.index(name) for name in usual if name in known]
    names, told = name_features(sheet, header, features, candidates=candidates, options=options)
    samples = run_names(runs)
    taken = Taken(f"a DIA-NN matrix of {what}")
    taken.drop("columns", [header[place] for place in texts], "annotations")
    taken.facts += [
        f"{len(features):,} of {n_read:,} {what} in {len(runs)} runs, {told}",
        *([f"runs are called by their file, {samples[0]}"] if samples != runs else []),
        f"annotations left out: {', '.join(header[place] for place in texts)}",
    ]
    table = turned_table(sheet, samples=samples, names=names, features=features, taken=taken)
    return {"": table}


_COLUMN = re.compile(r"(?:\[\d+\] |X\.\d+\.\.)?(.+?)\.((?:PG|PEP|EG|FG)\.[A-Za-z].*)")
_ANNOTATION = re.compile(r"(?:PG|PEP|EG|FG|R)\.[A-Za-z]")
_QUANTITY = re.compile(r"\.\w*(?:Quantity|IBAQ)\b")
_NAMES = (
    "EG.PrecursorId",
    "EG.ModifiedSequence",
    "PEP.StrippedSequence",
    "PG.Genes",
    "PG.ProteinGroups",
    "PG.ProteinAccessions",
)


def read_spectronaut(sheet: Sheet, options: TableOptions) -> Tables | None:
    """Read a pivot report of Spectronaut, or return None."""
    header = sheet.header
    matches = {place: match for place, name in enumerate(header) if (match := _COLUMN.match(name))}
    texts = [place for place, name in enumerate(header) if _ANNOTATION.match(name)]
    quantities: dict[str, list[int]] = {}
    for place, match in matches.items():
        if _QUANTITY.search(match[2]):
            quantities.setdefault(match[2], []).append(place)
    by_name = {header[place]: place for place in texts}
    candidates = [by_name[name] for name in _NAMES if name in by_name]
    if not quantities or not candidates:
        return None
    # A report of precursors names these; the proteins that they belong to recur.
    if header[candidates[0]].startswith(("EG", "PEP")):
        candidates = candidates[:1]
    quantity, numbers = next(iter(quantities.items()))
    if len(numbers) < 2:
        return None
    features = read_features(
        sheet,
        header=header,
        n_above=1,
        texts=texts,
        numbers=numbers,
        options=options,
        missing=("filtered",),
    )
    n_read = len(features)
    features = features.without_empty()
    names, told = name_features(sheet, header, features, candidates=candidates, options=options)
    runs = [matches[place][1] for place in numbers]
    others = [header[place] for place in matches if place not in numbers]
    taken = Taken("a pivot report of Spectronaut")
    taken.drop("columns", [header[place] for place in texts], "annotations")
    taken.drop("columns", others, f"other values beside {quantity}")
    taken.facts += [
        f"{quantity} of {len(runs)} runs",
        f"{counted(len(features), 'feature')} of {n_read:,}, {told}",
        "Filtered is a missing value",
        f"annotations left out: {', '.join(header[place] for place in texts)}",
        *([f"{counted(len(others), 'column')} of other values left out"] if others else []),
    ]
    table = turned_table(
        sheet, samples=run_names(runs), names=names, features=features, taken=taken
    )
    return {"": table}
