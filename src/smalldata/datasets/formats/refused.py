"""Files that hold tables but that are not read: refused by their name, with how to convert them.

Step in the line: **files** -> Dataset. The kind is told by the first bytes, or by the names inside
an HDF5 file, never by the file's ending.
"""

import re

from smalldata.datasets.formats.tables import Tables
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import TextFile
from smalldata.errors import DataError

_R_DATA = re.compile(rb"RD[AXB][1-9]\n")
# The serialisation of R: as XDR, as text, in the machine's order; then its version, 2 or 3.
_R_OBJECT = re.compile(rb"X\n\0\0\0[\2\3]|A\n[23]\n|B\n[\2\3]\0\0\0")
_HDF5 = b"\x89HDF"
_MATLAB = re.compile(rb"MATLAB (?:5\.0|7\.3) MAT-file")

_PYTHON = "In Python: "
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (
        b"\x93NUMPY",
        "an array of NumPy without names",
        f"{_PYTHON}pandas.DataFrame(numpy.load({{source!r}}), columns=NAMES).to_csv({{csv!r}}).",
    ),
    (
        b"ARROW1",
        "a Feather or Arrow file",
        f"{_PYTHON}pandas.read_feather({{source!r}}).to_parquet('{{stem}}.parquet').",
    ),
    (b"$FL2", "an SPSS file", f"{_PYTHON}pandas.read_spss({{source!r}}).to_csv({{csv!r}})."),
    (
        b"<stata_dta>",
        "a Stata file",
        f"{_PYTHON}pandas.read_stata({{source!r}}).to_csv({{csv!r}}).",
    ),
    (b"SQLite format 3\0", "a SQLite database", "Export one table of it as csv."),
    (b"%PDF", "a PDF", "Get the table as csv or xlsx."),
    *(
        (mark, "a picture", "Get the numbers in it as csv or xlsx.")
        for mark in (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
    ),
)
_OPEN_DOCUMENT = b"mimetypeapplication/vnd.oasis.opendocument"
_WEB_PAGE = re.compile(r"<(?:!doctype html|html|head|body|table)\b", re.IGNORECASE)


def refuse_bytes(content: bytes, source: str) -> None:
    """Refuse files of R, MATLAB, NumPy, HDF5 and others.

    Parameters
    ----------
    content : bytes
        Unpacked.
    source : str
        Name of the file.

    Raises
    ------
    DataError
        If the content is one of these.
    """
    stem = source.partition(".")[0] or source
    csv = f"{stem}.csv"
    if _R_OBJECT.match(content):
        _refuse(source, "an object of R", f'In R: write.csv(readRDS("{source}"), "{csv}").')
    if _R_DATA.match(content):
        _refuse(
            source,
            "a workspace of R",
            f'In R: print(load("{source}")) names its objects; write.csv(NAME, "{csv}") writes '
            "one.",
        )
    if match := _MATLAB.match(content):
        is_old = b"5.0" in match[0]
        _refuse(
            source,
            "a file of MATLAB",
            f"In MATLAB: load {source}; writetable(array2table(NAME), '{csv}')."
            + (f" Or in Python: scipy.io.loadmat({source!r})." if is_old else ""),
        )
    if content.startswith(_HDF5):
        _refuse(source, *_hdf5(content, source, csv))
    if _OPEN_DOCUMENT in content[:200]:
        _refuse(source, "a file of OpenOffice or LibreOffice", "Save it as xlsx or csv.")
    for mark, what, how in _OTHERS:
        if content.startswith(mark):
            _refuse(source, what, how.format(source=source, csv=csv, stem=stem))


def _hdf5(content: bytes, source: str, csv: str) -> tuple[str, str]:
    """Tell what an HDF5 file is, by the names in it, and how to convert it."""

    def has(*names: bytes) -> bool:
        return all(name in content for name in names)

    tsv = csv.removesuffix(".csv") + ".tsv"
    if has(b"observation", b"sample", b"format-url"):
        return "a BIOM file (HDF5)", f"Convert it: biom convert -i {source} -o {tsv} --to-tsv."
    if has(b"row_attrs", b"col_attrs"):
        return (
            "a loom file (HDF5)",
            f"{_PYTHON}anndata.read_loom({source!r}).write('{csv[:-4]}.h5ad'); "
            f"then use dataset=h5ad dataset.path={csv[:-4]}.h5ad.",
        )
    # Names of groups end in zeros; three letters alone turn up among numbers too.
    if has(b"anndata") or has(b"obs\0\0", b"var\0\0"):
        return "an AnnData file (HDF5)", f"Use dataset=h5ad dataset.path={source}."
    if has(b"barcodes", b"indptr"):
        return (
            "a matrix of 10x Genomics (HDF5)",
            f"{_PYTHON}scanpy.read_10x_h5({source!r}).write('{csv[:-4]}.h5ad'); "
            f"then use dataset=h5ad dataset.path={csv[:-4]}.h5ad.",
        )
    return "an HDF5 file", "If it is an AnnData file, use dataset=h5ad."


def refuse_text(file: TextFile, options: TableOptions) -> Tables | None:
    """Refuse BIOM in JSON, Matrix Market and SOFT files; return None for others.

    Raises
    ------
    DataError
        If the text is one of these.
    """
    start = file.text[:4000].lstrip()
    source = file.source
    stem = source.partition(".")[0] or source
    if start.startswith("{") and "Biological Observation Matrix" in file.text:
        _refuse(
            source,
            "a BIOM file (JSON)",
            f"Convert it: biom convert -i {source} -o {stem}.tsv --to-tsv.",
        )
    if _WEB_PAGE.match(start):
        _refuse(
            source,
            "a web page",
            "A download may need a log-in; a page with a table is saved from a spreadsheet as csv.",
        )
    if start.startswith("%%MatrixMarket"):
        _refuse(
            source,
            "a sparse matrix (Matrix Market), whose names stand in other files",
            f"{_PYTHON}scanpy.read_10x_mtx(FOLDER).write('{stem}.h5ad'); "
            f"then use dataset=h5ad dataset.path={stem}.h5ad.",
        )
    if re.match(r"\^(?:DATABASE|SERIES|SAMPLE|PLATFORM)\s*=", start):
        _refuse(
            source,
            "a SOFT file of GEO",
            "Download the series matrix of the same series (…_series_matrix.txt.gz).",
        )
    return None


def _refuse(source: str, what: str, how: str) -> None:
    raise DataError(f"{source} must be csv, tsv, parquet or xlsx; it is {what}. {how}")
