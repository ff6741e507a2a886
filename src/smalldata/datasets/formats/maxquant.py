"""Tables of MaxQuant (proteinGroups.txt, peptides.txt), also after Perseus.

Step in the line: **files** -> Dataset. The columns are those of MaxQuant's own description of its
tables (tables.pdf beside the results): quantities are written as ``LFQ intensity SAMPLE``; a ``+``
in Reverse, Potential contaminant (Contaminant up to version 1.4) or Only identified by site marks
rows that are no proteins of the samples; a zero says that nothing was measured. Perseus adds rows
of types and of groups below the header (``#!{Type}E``, ``#!{C:Group}case``).
"""

import re

from smalldata.datasets.formats.cells import Sheet, read_features, zeros_missing
from smalldata.datasets.formats.tables import (
    Tables,
    Taken,
    counted,
    name_features,
    turned_table,
    with_samples,
)
from smalldata.datasets.options import TableOptions

_QUANTITIES = (
    "LFQ intensity",
    "Ratio H/L normalized",
    "Reporter intensity corrected",
    "Intensity",
    "iBAQ",
)
"""The best first; each is normalised or corrected further than the next."""

_FLAGS = ("reverse", "potential contaminant", "contaminant", "only identified by site")

_FURTHER = frozenset(
    ("peptide ids", "evidence ids", "ms/ms ids", "razor + unique peptides", "peptides", "q-value")
)


def read_maxquant(sheet: Sheet, options: TableOptions) -> Tables | None:
    """Read a table of MaxQuant, or return None.

    It has the ids of its proteins or peptides, two samples with one quantity, and, unless that is
    the LFQ intensity, a column of flags or another one of MaxQuant's.
    """
    header = sheet.header
    # R writes dots for blanks.
    plain = [re.sub(r"[.\s]+", " ", name).strip().lower() for name in header]
    kind = _kind(plain)
    if kind is None:
        return None
    found = {name: columns for name in _QUANTITIES if len(columns := _samples(header, name)) > 1}
    # No other program writes LFQ intensity; a column named Intensity may be anything.
    is_sure = "LFQ intensity" in found or {*_FLAGS, *_FURTHER} & set(plain)
    if not found or not is_sure:
        return None
    quantity, samples = next(iter(found.items()))
    what, names = kind
    flags = {header[place]: place for place, name in enumerate(plain) if name in _FLAGS}
    candidates = [plain.index(name) for name in names if name in plain]
    values = {column for columns in found.values() for column in columns}
    annotations = [place for place in range(len(header)) if place not in values]
    features = read_features(
        sheet,
        header=header,
        n_above=1,
        texts=annotations if options.name_column else [*candidates, *flags.values()],
        numbers=list(samples),
        options=options,
    )
    taken = Taken(f"a MaxQuant table of {what}")
    n_read = len(features)
    n_flagged: dict[str, int] = {}
    for flag, place in flags.items():
        marked = [cell == "+" for cell in features.texts[place]]
        if any(marked):
            label = features.texts[candidates[-1]]
            gone = [name for name, mark in zip(label, marked, strict=True) if mark]
            taken.drop("rows", gone, f"marked + in {flag}")
            n_flagged[flag] = len(gone)
            features = features.kept([not mark for mark in marked])
    features, n_zeros = zeros_missing(features)
    n_marked = len(features)
    features = features.without_empty()
    feature_names, told = name_features(
        sheet, header, features, candidates=candidates, options=options
    )
    taken.drop("columns", [header[place] for place in annotations if header[place]], "annotations")
    for other in list(found)[1:]:
        left = [header[place] for place in found[other] if place not in samples]
        taken.drop("columns", left, f"{other} beside {quantity}")
    taken.facts += [
        f"{quantity} of {len(samples)} samples",
        f"{n_zeros:,} zeros are missing values",
        f"{len(features):,} of {n_read:,} {what}, {told}",
    ]
    gone = [f"{n} {flag}" for flag, n in n_flagged.items()]
    n_empty = n_marked - len(features)
    gone += [f"{n_empty} without a value"] if n_empty else []
    taken.facts += [f"rows left out: {', '.join(gone)}"] if gone else []
    taken.facts += [f"{', '.join(list(found)[1:])} left out"] if len(found) > 1 else []
    table = turned_table(
        sheet,
        samples=list(samples.values()),
        names=feature_names,
        features=features,
        taken=taken,
    )
    return {"": table}


def _kind(plain: list[str]) -> tuple[str, tuple[str, ...]] | None:
    """Tell what stands in the rows, and which columns name it."""
    ids = [name for name in ("protein ids", "majority protein ids") if name in plain]
    if ids:
        return "proteins", ("gene names", *ids[:1])
    if "sequence" in plain and {"leading razor protein", "proteins"} & set(plain):
        return "peptides", ("sequence",)
    return None


def _samples(header: list[str], quantity: str) -> dict[int, str]:
    """Columns of one quantity with the names of their samples."""
    words = re.escape(quantity).replace(r"\ ", r"[ .]").replace("/", "[/.]")
    pattern = re.compile(words + r"[ .](.+)", re.IGNORECASE)
    found = {place: match[1] for place, name in enumerate(header) if (match := pattern.match(name))}
    return {place: name.strip() for place, name in found.items() if name.lower() != "peptides"}


_TYPE = "#!{Type}"
_GROUP = re.compile(r"#!\{[CN]:(.+?)\}(.*)")


def read_perseus(sheet: Sheet, options: TableOptions) -> Tables | None:
    """Read a matrix that Perseus wrote, or return None: its second row begins with ``#!{Type}``."""
    if len(sheet.head) < 3 or not sheet.head[1][1][0].startswith(_TYPE):
        return None
    header = sheet.header
    above = [row for _, row in sheet.head[1:] if row[0].startswith("#!{")]
    types = [above[0][0].removeprefix(_TYPE), *above[0][1:]]
    main = [place for place, kind in enumerate(types) if kind == "E" and place < len(header)]
    texts = [place for place in range(len(header)) if place not in main]
    if not main or not texts:
        return None
    features = read_features(
        sheet,
        header=header,
        n_above=1 + len(above),
        texts=texts,
        numbers=main,
        options=options,
    )
    n_read = len(features)
    features = features.without_empty()
    usual = ("gene names", "protein ids", "majority protein ids", "sequence", "id")
    by_name = {header[place].lower().removeprefix("t: "): place for place in texts}
    candidates = [by_name[name] for name in usual if name in by_name] or texts[:1]
    names, told = name_features(sheet, header, features, candidates=candidates, options=options)
    samples = [header[place] for place in main]
    prefix = next((f"{q} " for q in _QUANTITIES if all(s.startswith(f"{q} ") for s in samples)), "")
    samples = [sample.removeprefix(prefix) for sample in samples]
    groups = {}
    for row in above[1:]:
        if match := _GROUP.match(row[0]):
            cells = [match[2], *row[1:]]
            groups[match[1]] = [cells[place] if place < len(cells) else "" for place in main]
    taken = Taken("a matrix of Perseus")
    taken.drop("columns", [header[place] for place in texts], "annotations")
    taken.facts += [
        f"{prefix or 'values '}of {len(samples)} samples",
        f"{counted(len(features), 'feature')} of {n_read:,}, {told}",
        *([f"rows of groups are columns of the samples: {', '.join(groups)}"] if groups else []),
    ]
    table = turned_table(sheet, samples=samples, names=names, features=features, taken=taken)
    return with_samples(table, groups, taken_for="its groups")
