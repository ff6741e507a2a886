"""Wide exports of Olink (NPX Manager, NPX Signature).

Step in the line: **files** -> Dataset. The rows above the samples are named in the first column:
Panel, Assay, Uniprot ID, OlinkID, in newer files Unit; below the samples stand LOD, Missing Data
freq. and Normalization (OlinkAnalyze's ``read_NPX`` names them all). On the right are Plate ID and
QC Warning, once a panel, and sometimes controls and their deviations. The long form is an ordinary
table.
"""

import re
from collections import Counter

import numpy as np

from smalldata.datasets.formats.cells import Features, Sheet, read_features
from smalldata.datasets.formats.tables import (
    Tables,
    Taken,
    check_samples,
    counted,
    with_samples,
)
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import Cells, RawTable

_ABOVE = frozenset(("panel", "assay", "uniprot id", "olinkid", "unit", "analyte", "npx data"))
_BELOW = re.compile(
    r"(?:plate ?(?:lod|lql)|max ?lod|lod|missing data freq\.?|normali[sz]ation|assay warning"
    r"|lowest quantifiable level|lloq|uloq|mdl)(?: .*|\(.*)?",
    re.IGNORECASE,
)
_PLATE = re.compile(r"(?:plate ?id|qc ?warning|qc deviation.*)", re.IGNORECASE)
_CONTROL = re.compile(r"(?:inc|amp|ext|det)\w*\.? ?(?:ctrl|control).*", re.IGNORECASE)


def read_olink(sheet: Sheet, options: TableOptions) -> Tables | None:
    """Read a wide export of Olink, or return None: Assay and OlinkID stand in the first column."""
    above = {
        row[0].lower(): (n, row)
        for n, (_, row) in enumerate(sheet.head[:12])
        if row[0].lower() in _ABOVE
    }
    if "assay" not in above or not {"olinkid", "uniprot id"} & set(above):
        return None
    n_above = max(n for n, _ in above.values()) + 1
    width = max(len(row) for _, row in above.values())
    at = {name: row + [""] * (width - len(row)) for name, (_, row) in above.items()}
    assays = at["assay"]
    ids = at.get("olinkid", at.get("uniprot id", assays))
    side = [n for n in range(1, width) if _PLATE.fullmatch(assays[n])]
    controls = [n for n in range(1, width) if _CONTROL.fullmatch(assays[n])]
    others = {*side, *controls}
    proteins = [n for n in range(1, width) if assays[n] and ids[n] and n not in others]
    if len(proteins) < 2:
        return None
    read = read_features(
        sheet,
        header=assays,
        n_above=n_above,
        texts=[0, *side],
        numbers=proteins,
        options=options,
    )
    is_sample = [bool(name) and not _BELOW.fullmatch(name) for name in read.texts[0]]
    below = [name for name, keep in zip(read.texts[0], is_sample, strict=True) if name and not keep]
    rows = read.kept(is_sample)
    samples = check_samples(rows.texts[0], sheet.source, stand="rows")
    names = _names([assays[n] for n in proteins], [ids[n] for n in proteins])
    described = _described(assays, at.get("panel", [""] * width), side, rows)
    panels = list(dict.fromkeys(cell for cell in at.get("panel", [])[1:] if cell))
    about = [*(row[0] for _, row in above.values()), *below]
    n_renamed = sum(name not in assays for name in names)
    taken = Taken("a wide export of Olink")
    taken.drop("rows", about, "about the assays")
    taken.drop("columns", [assays[n] for n in controls], "internal controls")
    taken.facts += [
        f"{counted(len(proteins), 'assay')} of {counted(len(samples), 'sample')}"
        + (f", {counted(len(panels), 'panel')}" if panels else ""),
        f"rows left out: {', '.join(about)}",
        *([f"{n_renamed} assays that recur carry their id"] if n_renamed else []),
        *([f"{counted(len(controls), 'control')} left out"] if controls else []),
        *([f"columns of the samples: {', '.join(described)}"] if described else []),
    ]
    table = RawTable(
        source=sheet.source,
        names=["", *names],
        columns=[samples, *_columns(rows.values)],
        places=[f"sample {sample}" for sample in samples],
        notes=sheet.notes,
        sha256=sheet.sha256,
        findings=(*sheet.findings, taken.finding(sheet.source)),
        dropped=tuple(taken.dropped),
        units={
            name: at["unit"][n]
            for name, n in zip(names, proteins, strict=True)
            if "unit" in at and at["unit"][n]
        },
        taken_for=taken.taken_for,
    )
    return with_samples(table, described, taken_for="its plates and warnings")


def _described(
    assays: list[str], panels: list[str], side: list[int], rows: Features
) -> dict[str, list[str]]:
    """Give the plates and warnings, with their panel where there are several."""
    counts = Counter(assays[n] for n in side)
    described: dict[str, list[str]] = {}
    for n in side:
        name = assays[n] if counts[assays[n]] == 1 else f"{assays[n]} ({panels[n] or n})"
        described[name if name not in described else f"{name} {n}"] = rows.texts[n]
    return described


def _names(assays: list[str], ids: list[str]) -> list[str]:
    """Assays; those that recur in another panel with their id."""
    counts = Counter(assays)
    return [
        assay if counts[assay] == 1 else f"{assay} ({own})"
        for assay, own in zip(assays, ids, strict=True)
    ]


def _columns(rows: list[Cells]) -> list[Cells]:
    """Turn rows of samples into columns of assays."""
    if all(not isinstance(row, list) for row in rows):
        return list(np.array(rows).T)
    texts = [
        row if isinstance(row, list) else ["" if np.isnan(x) else repr(float(x)) for x in row]
        for row in rows
    ]
    return [list(column) for column in zip(*texts, strict=True)]
