"""Formats that instruments and archives write: each is recognised by its content.

Step in the line: **files** -> Dataset. A file of this package knows one format or a family: it
takes a text or the cells of a file and gives its tables, or None if it is another format. Each asks
for several marks, so that a plain table with a column of the same name is left alone, and says in
one finding (SD016) what it took and what it dropped. ``dataset.header=N`` says that a table is
plain.
"""

from collections.abc import Callable

from smalldata.datasets.formats.cbioportal import read_clinical, read_matrix
from smalldata.datasets.formats.cells import Sheet, sheet_of_grid, sheet_of_text
from smalldata.datasets.formats.counts import read_feature_counts, read_gct
from smalldata.datasets.formats.dia import read_diann, read_spectronaut
from smalldata.datasets.formats.geo import read_series_matrix
from smalldata.datasets.formats.maxquant import read_maxquant, read_perseus
from smalldata.datasets.formats.metaphlan import read_metaphlan
from smalldata.datasets.formats.mothur import read_mothur
from smalldata.datasets.formats.msdial import read_msdial
from smalldata.datasets.formats.olink import read_olink
from smalldata.datasets.formats.progenesis import read_progenesis
from smalldata.datasets.formats.qiime import read_biom_text, read_qiime_metadata
from smalldata.datasets.formats.refused import refuse_text
from smalldata.datasets.formats.tables import Tables
from smalldata.datasets.formats.xena import read_barcoded
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import Grid, TextFile

__all__ = ["recognise_grid", "recognise_text"]

TEXT_FORMATS: tuple[Callable[[TextFile, TableOptions], Tables | None], ...] = (
    refuse_text,
    read_series_matrix,
)
"""Formats that are told by their text, before it is cut into cells."""

GRID_FORMATS: tuple[Callable[[Sheet, TableOptions], Tables | None], ...] = (
    read_perseus,
    read_maxquant,
    read_diann,
    read_spectronaut,
    read_msdial,
    read_progenesis,
    read_biom_text,
    read_qiime_metadata,
    read_mothur,
    read_metaphlan,
    read_clinical,
    read_matrix,
    read_olink,
    read_feature_counts,
    read_gct,
    read_barcoded,
)
"""Formats that are told by their cells, of a text or of a workbook."""


def recognise_text(file: TextFile, options: TableOptions) -> Tables | None:
    """Read a text in the first format that it is written in; None: in none of them."""
    if options.header is not None:
        return None
    for read in TEXT_FORMATS:
        tables = read(file, options)
        if tables is not None:
            return tables
    sheet = sheet_of_text(file, options)
    return None if sheet is None else _recognise(sheet, options)


def recognise_grid(grid: Grid, options: TableOptions) -> Tables | None:
    """Read the cells of a workbook in the first format that they are written in."""
    # The cells of a text were looked at before they were cut.
    if options.header is not None or grid.place == "line":
        return None
    sheet = sheet_of_grid(grid)
    return None if sheet is None else _recognise(sheet, options)


def _recognise(sheet: Sheet, options: TableOptions) -> Tables | None:
    found = (read(sheet, options) for read in GRID_FORMATS)
    return next((tables for tables in found if tables is not None), None)
