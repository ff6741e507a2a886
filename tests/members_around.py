"""Further members of the kinds of tables in `intake`: what stands around the numbers.

Other names and languages, separators, encodings and kinds of files. `members_values` has those of
names, columns and cells.
"""

import gzip
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import openpyxl
import pandas as pd

from intake import CLASSES, GENES, IDS, VALUES, N, lines, plain

TURNED = ("dataset.transpose=true",)
GERMAN = ["krank", "gesund"] * (N // 2)


@dataclass(frozen=True, kw_only=True)
class Member:
    """A table, what is said of it, and what the remedy gives.

    ``refuses``: refused until ``remedy`` is typed, which must be in the sentence. ``values`` has
    infinity in cells that are not compared.
    """

    content: bytes
    target: str = "class"
    says: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    refuses: bool = False
    given: tuple[str, ...] = ()
    remedy: tuple[str, ...] = ()
    values: np.ndarray = field(default_factory=lambda: VALUES)
    names: Sequence[str] = tuple(GENES)
    units: Mapping[str, str] = field(default_factory=dict)
    batch: Sequence[str] = ()
    beside: Mapping[str, bytes] = field(default_factory=dict)


def text(rows, separator=",", *, encoding="utf-8", comma=False, gz=False):
    """Write rows as a text file, with decimal commas if asked for."""
    if comma:
        rows = [[str(c).replace(".", ",") if isinstance(c, float) else c for c in r] for r in rows]
    content = lines(rows, separator).decode().encode(encoding)
    return gzip.compress(content, mtime=0) if gz else content


def workbook(rows):
    """Write rows as a workbook."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append([c.item() if isinstance(c, np.generic) else c for c in row])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def parquet(rows):
    """Write rows, the header first, as parquet."""
    stream = io.BytesIO()
    pd.DataFrame(rows[1:], columns=rows[0]).to_parquet(stream)
    return stream.getvalue()


def cells(changes, values=VALUES):
    """Values as a list of lists in which {(row, column): cell} are changed."""
    rows = values.tolist()
    for (row, column), cell in changes.items():
        rows[row][column] = cell
    return rows


def holed(changes, values=VALUES):
    """Values as they are read: {(row, column): number}, missing where that is None."""
    result = values.copy()
    for (row, column), number in changes.items():
        result[row, column] = np.nan if number is None else number
    return result


def below(header, *rows, **options):
    """Rows of a table with further rows between the header and the body."""
    first, *body = plain(header=header, **options)
    return [first, *rows, *body]


def turned(names, *, first="gene", label="class", classes=CLASSES, values=VALUES):
    """Rows of a table with features in rows, and the classes in the first of them."""
    return [[first, *IDS], [label, *classes], *([n, *values[:, j]] for j, n in enumerate(names))]


def column(values, name, extra):
    """Rows of a plain table with one more feature."""
    header = ("sample", *GENES, name, "class")
    rows = [[*row, x] for row, x in zip(values.tolist(), extra, strict=True)]
    return plain(rows, header=header)


def _around():
    """Units, types, descriptions; rows and text above the header."""
    blood = ("Glukose", "Kreatinin", "CRP", "Ferritin", "Hb")
    units = ("mg/dL", "umol/l", "[mg/L]", "µg/L", "g/dl")
    cytokines = ("IL-6", "TNF-a", "IFN-g", "CRP", "WBC")
    clinic = ("BP", "BMI", "CD4", "Na", "fold")
    french = ("glucose", "creat", "alat", "crp", "hb")
    long = (
        "Tumor protein p53 in plasma at baseline",
        "Epidermal growth factor receptor, soluble form",
        "BRCA1 protein (ELISA, 2nd kit)",
        "Myc proto-oncogene product",
        "KRAS protein, total",
    )
    numbers = ["numeric"] * 5
    orange = ["continuous"] * 5
    rows = [[g, *VALUES[:, j]] for j, g in enumerate(GENES)]
    batches = [f"B{1 + i // 8}" for i in range(N)]
    order = [3 * i % 25 + 1 for i in range(N)]
    tags = [["", "Gruppe", *GERMAN], ["", "Messtag", *batches], ["", "Reihenfolge", *order]]
    lauf = [*tags, ["Metabolit", "RT", *IDS]]
    lauf += [[g, 1.5 + j, *VALUES[:, j].tolist()] for j, g in enumerate(GENES)]
    export = [
        *(["Exported: 12.03.2024 10:22"], ["Instrument: Q Exactive, ESI+"], [""]),
        ["Operator:\tAnna"],
    ]
    return {
        "einheiten.csv": Member(
            content=text(
                below(
                    ("Probe", *blood, "Gruppe"), ["Einheit:", *units, ""], classes=GERMAN
                ),
                ";", encoding="cp1252", comma=True,
            ),
            target="Gruppe", says=("SD010",), names=blood,
            units=dict(zip(blood, ("mg/dL", "umol/l", "mg/L", "µg/L", "g/dl"), strict=True)),
        ),
        "cytokines.tsv.gz": Member(
            content=text(
                below(
                    ("patient", *cytokines, "outcome"),
                    ["Unit:", "(pg/mL)", "(pg/mL)", "(IU/mL)", "(ng/L)", "(x10^9/L)", "-"],
                ),
                "\t", gz=True,
            ),
            target="outcome", says=("SD010",), names=cytokines,
            units=dict(
                zip(cytokines, ("pg/mL", "pg/mL", "IU/mL", "ng/L", "x10^9/L"), strict=True)
            ),
        ),
        "panel.xlsx": Member(
            content=workbook(
                below(
                    ("id", *clinic, "class"),
                    [None, "mmHg", "kg/m²", "cells/µL", "mEq/L", "log2", None],
                )
            ),
            says=("SD010",), names=clinic,
            units=dict(zip(clinic, ("mmHg", "kg/m²", "cells/µL", "mEq/L", "log2"), strict=True)),
        ),
        "types.csv": Member(
            content=text(below(("sample", *GENES, "class"), ["type", *numbers, "categorical"])),
            says=("SD010",),
        ),
        "orange.txt": Member(
            content=text(
                below(
                    ("sample", *GENES, "class"),
                    *(["string", *orange, "discrete"], ["meta", *[""] * 5, "class"]),
                ),
                "\t",
            ),
            says=("SD010",),
        ),
        "arten.xlsx": Member(
            content=workbook(below(("id", *GENES, "class"), ["string", *["float"] * 5, "string"])),
            says=("SD010",),
        ),
        "labels.csv": Member(
            content=text(
                below(("record_id", *GENES, "class"), ["Record ID", *long, "Study arm"]), ";"
            ),
            says=("SD010",),
        ),
        "libelles.tsv": Member(
            content=text(
                below(
                    ("code", *french, "statut"),
                    [
                        *("Code du patient", "Glucose à jeun", "Créatinine sérique"),
                        *("Alanine aminotransférase", "Protéine C réactive", "Hémoglobine"),
                        "Statut clinique",
                    ],
                ),
                "\t", encoding="latin-1", comma=True,
            ),
            target="statut", says=("SD010",), names=french,
        ),
        "beschreibung.xlsx": Member(
            content=workbook(
                below(
                    ("Nr", "x1", "x2", "x3", "x4", "x5", "class"),
                    ["", *(f"Interleukin {j}, Messung {j}" for j in range(5)), "Diagnose"],
                    ids=[str(100 + i) for i in range(N)],
                )
            ),
            says=("SD010", "id: Nr"), names=("x1", "x2", "x3", "x4", "x5"),
        ),
        "tibble.tsv": Member(
            content=text(
                below(("id", *GENES, "class"), ["<chr>", *["<dbl>"] * 5, "<fct>"]), "\t", comma=True
            ),
            says=("SD010",),
        ),
        "injections.txt": Member(
            content=text(
                [
                    *(["Class", *CLASSES], ["Batch", *batches], ["Injection order", *order]),
                    *(["Compound", *IDS], *rows),
                ],
                "\t",
            ),
            target="Class", says=("SD011",), given=("dataset.batch=Batch",), batch=batches,
        ),
        "lauf.csv": Member(
            content=text(lauf, ";", encoding="cp1252", comma=True),
            target="Gruppe", says=("SD011",), given=("dataset.batch=Messtag",), batch=batches,
        ),
        "dated.csv.gz": Member(
            content=text(
                [
                    *(["class", *CLASSES], ["date", *(f"2023-01-{i + 1:02d}" for i in range(N))]),
                    *(["Lipid", *IDS], *rows),
                ],
                "|", gz=True,
            ),
            says=("SD011", "'date'"),
        ),
        "run.xlsx": Member(
            content=workbook(
                [
                    *(["", "", "Phenotype", *CLASSES], ["", "", "Plate", *batches]),
                    ["Name", "Formula", "m/z", *IDS],
                    *([g, f"C{j + 3}H8", 180.1 + j, *VALUES[:, j]] for j, g in enumerate(GENES)),
                ]
            ),
            target="Phenotype", says=("SD011",), given=("dataset.batch=Plate",), batch=batches,
        ),
        "export.txt": Member(
            content=text([*export, *plain()], "\t", encoding="utf-16"), says=("SD012", "4 lines")
        ),
        "anhang.csv": Member(
            content=text(
                [["Tabelle S2; Spiegel im Serum (Mittel, n = 24)"], ["Stand: 3.5.2024"], *plain()],
                ";", encoding="cp1252", comma=True,
            ),
            says=("SD012", "2 lines"),
        ),
        "supplement.xlsx": Member(
            content=workbook(
                [["Supplementary Table 4"], [], ["n = 24; values in a.u."], [], *plain()]
            ),
            says=("SD012", "Supplementary Table 4"),
        ),
    }  # fmt: skip


MEMBERS = _around()
"""The members, by the name of their file."""
