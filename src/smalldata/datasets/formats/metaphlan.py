"""Merged tables of MetaPhlAn.

Step in the line: **files** -> Dataset. ``merge_metaphlan_tables.py`` (github.com/biobakery/
MetaPhlAn) writes the version of its database (``#mpa_v30_…``), then clade_name (ID up to version
2), since version 3 sometimes NCBI_tax_id or clade_taxid, and one column a sample.
"""

import re

from smalldata.datasets.formats.cells import Sheet, read_features
from smalldata.datasets.formats.tables import Tables, Taken, counted, name_features, turned_table
from smalldata.datasets.options import TableOptions

_CLADE = re.compile(r"(?:[kd]__\w|unknown|unclassified|#sampleid|sampleid)", re.IGNORECASE)
_FIRST = frozenset(("clade_name", "#clade_name", "id"))
_TAXID = frozenset(("ncbi_tax_id", "clade_taxid", "ncbi_taxid"))
_SUFFIX = re.compile(r"(?:\.metaphlan|_metaphlan)?(?:_profile|_bugs_list|_profiled_metagenome)$")


def read_metaphlan(sheet: Sheet, options: TableOptions) -> Tables | None:
    """Read a merged table of MetaPhlAn, or return None."""
    at = next((n for n, (_, row) in enumerate(sheet.head[:4]) if row[0].lower() in _FIRST), None)
    if at is None or any(not row[0].startswith("#") for _, row in sheet.head[:at]):
        return None
    header = sheet.head[at][1]
    clades = [row[0] for _, row in sheet.head[at + 1 :]]
    if not clades or not all(map(_CLADE.match, clades)) or "__" not in "".join(clades):
        return None
    taxids = [n for n, name in enumerate(header) if name.lower() in _TAXID]
    numbers = [n for n in range(1, len(header)) if n not in taxids and header[n]]
    if len(numbers) < 2:
        return None
    features = read_features(
        sheet,
        header=header,
        n_above=at + 1,
        texts=[0, *taxids],
        numbers=numbers,
        options=options,
    )
    features = features.kept([not name.lower().endswith("sampleid") for name in features.texts[0]])
    names, _ = name_features(sheet, header, features, candidates=[0], options=options)
    written = [header[n] for n in numbers]
    samples = [_SUFFIX.sub("", name) for name in written]
    if len(set(samples)) < len(samples):
        samples = written
    n_species = sum("|s__" in name and "|t__" not in name for name in names)
    taken = Taken(
        "a merged table of MetaPhlAn",
        remedy='dataset.features="*|s__*" takes one level only' if n_species else "",
    )
    taken.drop("columns", [header[n] for n in taxids], "annotations")
    taken.facts += [
        f"{counted(len(names), 'clade')} of all levels ({n_species} species) in "
        f"{len(samples)} samples",
        *([f"{', '.join(header[n] for n in taxids)} left out"] if taxids else []),
        *([f"samples are called {samples[0]} for {written[0]}"] if samples != written else []),
    ]
    table = turned_table(sheet, samples=samples, names=names, features=features, taken=taken)
    return {"": table}
