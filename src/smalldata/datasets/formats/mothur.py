"""Tables of mothur: .shared, .relabund, .clr.

Step in the line: **files** -> Dataset. mothur's wiki ("Shared file") has the columns: label (the
distance of the OTUs), Group (the sample), numOtus (or numASVs, numPhylos), then one column an OTU;
each line ends in a separator.
"""

from smalldata.datasets.assembling import listed
from smalldata.datasets.formats.cells import Sheet
from smalldata.datasets.formats.tables import Tables, Taken, counted, table_of_rows
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import clean_name
from smalldata.errors import DataError

_COUNTS = frozenset(("numotus", "numasvs", "numphylos", "numotu"))


def read_mothur(sheet: Sheet, options: TableOptions) -> Tables | None:
    """Read a table of mothur, or return None.

    Raises
    ------
    DataError
        If it holds OTUs of several distances.
    """
    header = [clean_name(name) for name in sheet.header]
    plain = [name.lower() for name in header[:3]]
    if len(header) < 4 or plain[:2] != ["label", "group"] or plain[2] not in _COUNTS:
        return None
    while not header[-1]:
        header.pop()
    rows = list(sheet.body(1))
    for line, row in rows:
        if len(row) < len(header) or any(cell.strip() for cell in row[len(header) :]):
            raise DataError(
                f"every row of {sheet.source} must have {len(header)} fields like the header; "
                f"{sheet.place} {line} has {len(row)}. Is the file cut? Copy or export it again."
            )
    columns = [[row[n].strip() for _, row in rows] for n in range(len(header))]
    labels = list(dict.fromkeys(columns[0]))
    if len(labels) > 1:
        raise DataError(
            f"{sheet.source} must hold the OTUs of one label; it holds {listed(labels)}. Keep "
            f"one: delete the rows of the others, or in mothur make.shared(…, label={labels[-1]})."
        )
    ids = columns[1]
    taken = Taken("a table of mothur")
    taken.drop("columns", [header[0], header[2]], "no OTUs")
    taken.facts += [
        f"{counted(len(header) - 3, 'OTU')} of {counted(len(ids), 'sample')}, ids: {header[1]}",
        f"{header[0]} ({labels[0]}) and {header[2]} left out",
    ]
    return table_of_rows(
        sheet,
        names=[header[1], *header[3:]],
        columns=[ids, *columns[3:]],
        lines=[line for line, _ in rows],
        taken=taken,
        id_name=header[1],
    )
