"""Files of cBioPortal: clinical data and matrices of genes by samples.

Step in the line: **files** -> Dataset. docs.cbioportal.org ("File formats"): a clinical file begins
with four lines of ``#`` (display names, descriptions, types, priorities; five in older files, with
PATIENT or SAMPLE), then the header with PATIENT_ID or SAMPLE_ID. A matrix begins with Hugo_Symbol,
Entrez_Gene_Id or both, sometimes Cytoband, then one column a sample.
"""

from smalldata.datasets.formats.cells import Sheet, read_features
from smalldata.datasets.formats.tables import (
    Tables,
    Taken,
    counted,
    name_features,
    table_of_rows,
    turned_table,
)
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import clean_name
from smalldata.errors import DataError

_TYPES = frozenset(("STRING", "NUMBER", "BOOLEAN", "DATE", "TEXT"))
_IDS = ("SAMPLE_ID", "PATIENT_ID")
_ABSENT = frozenset(
    (
        "[not available]",
        "[not applicable]",
        "[unknown]",
        "[not evaluated]",
        "[discrepancy]",
        "[completed]",
        "[pending]",
    )
)
"""Words of TCGA and cBioPortal for what is not there."""

_GENES = ("Hugo_Symbol", "Entrez_Gene_Id", "Composite.Element.REF", "ENTITY_STABLE_ID")
_ANNOTATIONS = frozenset((*_GENES, "Cytoband", "Locus ID", "NAME", "DESCRIPTION", "TRANSCRIPT_ID"))
_EVENTS = frozenset(("Tumor_Sample_Barcode", "Variant_Classification", "Start_Position", "chrom"))


def read_clinical(sheet: Sheet, options: TableOptions) -> Tables | None:
    """Read a clinical file, or return None: of its ``#`` lines one holds the types."""
    above = []
    for _, row in sheet.head:
        if not row[0].startswith("#"):
            break
        above.append([row[0].lstrip("#").strip(), *row[1:]])
    types = next((row for row in above if row[0] and set(row) - {""} <= _TYPES), None)
    if types is None or len(sheet.head) < len(above) + 2:
        return None
    header = [clean_name(name) for name in sheet.head[len(above)][1]]
    while not header[-1]:
        header.pop()
    if not set(_IDS) & set(header):
        return None
    width = len(header)
    rows = []
    for line, row in sheet.body(len(above) + 1):
        if any(cell.strip() for cell in row[width:]):
            raise DataError(
                f"every row of {sheet.source} must have {width} fields like the header; "
                f"{sheet.place} {line} has {len(row)}."
            )
        rows.append((line, [cell.strip() for cell in row] + [""] * (width - len(row))))
    written = [[row[n] for _, row in rows] for n in range(width)]
    columns = [["" if cell.lower() in _ABSENT else cell for cell in cells] for cells in written]
    n_absent = sum(cell.lower() in _ABSENT for cells in written for cell in cells)
    known = [header.index(name) for name in _IDS if name in header]
    unique = [n for n in known if all(columns[n]) and len(set(columns[n])) == len(rows)]
    id_name = header[(unique or known)[0]]
    kinds = dict(zip(header, types, strict=False))
    taken = Taken("a clinical file of cBioPortal")
    taken.drop("rows", [f"line {line}" for line, _ in sheet.head[: len(above)]], "descriptions")
    taken.facts += [
        f"{counted(len(rows), 'row')}, {counted(width - 1, 'column')}, ids: {id_name}",
        f"{counted(len(above), 'line')} of names, descriptions and types above the header left out",
        *([f"{counted(n_absent, 'cell')} like [Not Available] missing"] if n_absent else []),
    ]
    return table_of_rows(
        sheet,
        names=header,
        columns=columns,
        lines=[line for line, _ in rows],
        taken=taken,
        id_name=id_name,
        is_sheet=True,
        categories=[name for name, kind in kinds.items() if kind in ("STRING", "BOOLEAN")],
    )


def read_matrix(sheet: Sheet, options: TableOptions) -> Tables | None:
    """Read a matrix of genes by samples, or return None; a list of mutations is none."""
    header = sheet.header
    if header[0] not in _GENES or _EVENTS & set(header):
        return None
    texts = [n for n, name in enumerate(header) if name in _ANNOTATIONS]
    if header[0] == "Composite.Element.REF" and len(texts) < 2 and not _has_genes(sheet):
        return None
    numbers = [n for n, name in enumerate(header) if name and n not in texts]
    if len(numbers) < 2 or max(texts) > min(numbers):
        return None
    features = read_features(
        sheet, header=header, n_above=1, texts=texts, numbers=numbers, options=options
    )
    n_read = len(features)
    features = features.without_empty()
    names, told = name_features(sheet, header, features, candidates=texts[:2], options=options)
    taken = Taken("a matrix of cBioPortal")
    taken.drop("columns", [header[n] for n in texts], "annotations")
    taken.facts += [
        f"{len(features):,} of {n_read:,} rows with a value, {len(numbers)} samples, {told}",
        *([f"left out: {', '.join(header[n] for n in texts[1:])}"] if texts[1:] else []),
    ]
    samples = [header[n] for n in numbers]
    return {"": turned_table(sheet, samples=samples, names=names, features=features, taken=taken)}


def _has_genes(sheet: Sheet) -> bool:
    """Whether rows are antibodies (``ACTB|beta-Actin``) or probes (``cg00000292``)."""
    names = [row[0] for _, row in sheet.head[1:]]
    return all("|" in name or name.startswith(("cg", "ch.", "rs")) for name in names)
