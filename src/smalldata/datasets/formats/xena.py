"""Matrices of UCSC Xena and of Firehose, whose samples are barcodes of TCGA and its like.

Step in the line: **files** -> Dataset. In a Xena matrix (ucsc-xena.gitbook.io, "Data format") the
first column is headed ``sample``, though it holds the genes, or Ensembl_ID; Firehose
(gdac.broadinstitute.org) adds a row below the header that says what is measured. A plain reading
takes the genes for samples.
"""

import re

from smalldata.datasets.formats.cells import Sheet, read_features
from smalldata.datasets.formats.tables import Tables, Taken, counted, name_features, turned_table
from smalldata.datasets.options import TableOptions
from smalldata.datasets.text import NUMBER

BARCODE = re.compile(
    r"(?:TCGA[-.][A-Z0-9]{2}[-.][A-Z0-9]{4}|TARGET[-.]\d{2}[-.][A-Z0-9]{6}"
    r"|GTEX[-.][A-Z0-9]{4,5}[-.]\d{4})\S*"
)
_FIREHOSE = ("hybridization ref", "composite element ref")
_MEASURES = (
    "normalized_count",
    "rsem",
    "raw_count",
    "rpkm",
    "reads_per_million_mirna_mapped",
    "beta_value",
    "signal",
    "scaled_estimate",
    "read_count",
)
"""The best first, where a sample has several."""

SHARE = 0.9
"""Of the header's cells after the first that must be barcodes: a few may be annotations."""


def read_barcoded(sheet: Sheet, options: TableOptions) -> Tables | None:
    """Read a matrix whose header holds barcodes, or return None."""
    header = sheet.header
    numbers = [n for n, name in enumerate(header) if n and BARCODE.fullmatch(name)]
    if len(numbers) < 2 or len(numbers) < SHARE * (len(header) - 1) or len(sheet.head) < 3:
        return None
    if BARCODE.fullmatch(header[0]):
        return None
    second = sheet.head[1][1]
    is_firehose = header[0].lower() in _FIREHOSE and len(second) == len(header)
    kinds = {second[n].lower() for n in numbers} if is_firehose else set()
    measure = next((name for name in _MEASURES if name in kinds), "")
    n_above = 1
    if measure and not any(NUMBER.fullmatch(second[n]) for n in numbers):
        n_above = 2
        numbers = [n for n in numbers if second[n].lower() == measure]
    below = [row for _, row in sheet.head[n_above:]]
    cells = [row[n] for row in below for n in numbers if n < len(row)]
    # Clinical data stand in the same way round; they are text for the most part.
    if sum(
        bool(NUMBER.fullmatch(cell)) or not cell or cell.lower() in ("na", "nan", "null")
        for cell in cells
    ) < SHARE * len(cells):
        return None
    texts = [n for n in range(len(header)) if n not in numbers and not BARCODE.fullmatch(header[n])]
    features = read_features(
        sheet, header=header, n_above=n_above, texts=texts, numbers=numbers, options=options
    )
    n_read = len(features)
    features = features.without_empty()
    names, told = name_features(sheet, header, features, candidates=[0], options=options)
    samples = [header[n] for n in numbers]
    taken = Taken("a matrix with barcodes of samples in its header")
    taken.drop("columns", [header[n] for n in texts[1:]], "annotations")
    taken.facts += [
        f"{len(features):,} of {counted(n_read, 'row')} with a value, "
        f"{len(samples)} samples, {told}",
        *([f"{measure} taken"] if n_above > 1 else []),
    ]
    return {"": turned_table(sheet, samples=samples, names=names, features=features, taken=taken)}
