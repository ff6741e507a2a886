"""Tables of BIOM in text, metadata of QIIME 2, mapping files of QIIME 1.

Step in the line: **files** -> Dataset. ``biom convert --to-tsv`` (biom-format.org) writes
``# Constructed from biom file``, then ``#OTU ID``, one column a sample, and on request the taxonomy
on the right; QIIME 1 wrote ``Consensus Lineage``. QIIME 2's documentation of metadata names the
headers of an id column and the directives ``#q2:types`` and ``#q2:missing``; other rows that begin
with ``#`` are comments.
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
from smalldata.datasets.text import NUMBER

_ON_THE_RIGHT = frozenset(
    (
        "taxonomy",
        "consensuslineage",
        "consensus lineage",
        "taxon",
        "confidence",
        "lineage",
        "sequence",
        "otu metadata",
    )
)
_IDS = frozenset(
    (
        "id",
        "sampleid",
        "sample id",
        "sample-id",
        "sample_name",
        "#sampleid",
        "#sample id",
        "#name",
        "featureid",
        "feature id",
        "feature-id",
    )
)
_MAPPING = frozenset(("barcodesequence", "linkerprimersequence", "description"))
# Terms of the INSDC for what is not there; QIIME 2 knows them where the metadata say so.
_INSDC = frozenset(
    (
        "not applicable",
        "missing",
        "not collected",
        "not provided",
        "restricted access",
    )
)


def read_biom_text(sheet: Sheet, options: TableOptions) -> Tables | None:
    """Read a table of BIOM in text, or return None: its header is ``#OTU ID``."""
    at = next((n for n, (_, row) in enumerate(sheet.head[:4]) if _is_otu_id(row[0])), None)
    if at is None or any(not row[0].startswith("#") for _, row in sheet.head[:at]):
        return None
    header = sheet.head[at][1]
    while not header[-1]:
        header = header[:-1]
    right = [n for n, name in enumerate(header) if n > 1 and name.lower() in _ON_THE_RIGHT]
    numbers = [n for n in range(1, len(header)) if n not in right]
    if len(numbers) < 2:
        return None
    features = read_features(
        sheet, header=header, n_above=at + 1, texts=[0, *right], numbers=numbers, options=options
    )
    names, told = name_features(sheet, header, features, candidates=[0], options=options)
    taken = Taken("a BIOM table in text")
    taken.drop("columns", [header[n] for n in right], "annotations")
    left = ", ".join(header[n] for n in right)
    taken.facts += [
        f"{counted(len(features), 'feature')} in rows, {len(numbers)} samples, {told}",
        *([f"left out on the right: {left}"] if left else []),
    ]
    samples = [header[n] for n in numbers]
    return {"": turned_table(sheet, samples=samples, names=names, features=features, taken=taken)}


def _is_otu_id(cell: str) -> bool:
    return cell.startswith("#") and "".join(cell[1:].lower().split()) in ("otuid", "featureid")


def read_qiime_metadata(sheet: Sheet, options: TableOptions) -> Tables | None:
    """Read metadata of samples, or return None: they have ``#q2:types`` or are a mapping file."""
    header = [clean_name(name) for name in sheet.header]
    if header[0].lower() not in _IDS:
        return None
    # Comments stand above the samples or among them; a sample's id never begins with #.
    marked = [row for _, row in sheet.head[1:] if row[0].startswith("#")]
    directives = {row[0].lower(): row for row in marked if row[0].lower().startswith("#q2:")}
    below = [row for _, row in sheet.head[1:] if not row[0].startswith("#")]
    has_numbers = any(NUMBER.fullmatch(cell) for row in below for cell in row[1:])
    is_mapping = header[0].startswith("#") and (
        bool(_MAPPING & {name.lower() for name in header[1:]}) or not has_numbers
    )
    if not below or not ("#q2:types" in directives or is_mapping):
        return None
    while not header[-1]:
        header.pop()
    width = len(header)
    rows = [
        (line, [cell.strip() for cell in row[:width]] + [""] * (width - len(row)))
        for line, row in sheet.body(1)
        if not row[0].strip().startswith("#")
    ]
    n_comments = sum(not row[0].lower().startswith("#q2:") for row in marked)
    types = _by_name(directives.get("#q2:types", []), header)
    schemes = _by_name(directives.get("#q2:missing", []), header)
    columns = [[row[n] for _, row in rows] for n in range(width)]
    for n, name in enumerate(header):
        if schemes.get(name) == "insdc:missing":
            columns[n] = ["" if cell.lower() in _INSDC else cell for cell in columns[n]]
    is_qiime2 = bool(directives)
    taken = Taken("metadata of QIIME 2" if is_qiime2 else "a QIIME mapping file")
    taken.drop("rows", [row[0] for row in marked], "directives or comments")
    taken.facts += [
        f"{counted(len(rows), 'sample')}, {counted(width - 1, 'column')}",
        *(
            [f"{', '.join(directives)} {'are' if len(directives) > 1 else 'is'} no sample"]
            if directives
            else []
        ),
        *([f"{counted(n_comments, 'comment')} left out"] if n_comments else []),
    ]
    return table_of_rows(
        sheet,
        names=header,
        columns=columns,
        lines=[line for line, _ in rows],
        taken=taken,
        id_name=header[0],
        is_sheet=True,
        categories=[name for name, kind in types.items() if kind == "categorical"],
    )


def _by_name(directive: list[str], header: list[str]) -> dict[str, str]:
    """Cells of a directive by the name of their column."""
    return {
        name: cell.lower() for name, cell in zip(header[1:], directive[1:], strict=False) if cell
    }
