"""Further members of the kinds of tables in `intake`: names, columns and cells."""

import datetime

import numpy as np

from intake import CLASSES, GENES, IDS, VALUES, N, plain
from members_around import (
    GERMAN,
    TURNED,
    Member,
    cells,
    column,
    holed,
    parquet,
    text,
    turned,
    workbook,
)


def _names():
    """Gene symbols as dates, annotations, metadata, repeated names, names of the target."""
    dates = ("2-Sep-23", "1-Mar-23", "TP53", "EGFR", "4-Oct-23")
    iso = ("2023-09-02", "2023-03-01", "TP53", "EGFR", "MYC")
    slashes = ("02/09/2023", "01/03/2023", "TP53", "EGFR", "01/12/2023")
    german = ("02. Sep", "01. Mrz", "TP53", "EGFR", "04. Okt")
    swapped = ("Sep-02", "Mar-01", "TP53", "EGFR", "KRAS")
    day = [datetime.datetime(2023, 9, 2), datetime.datetime(2023, 3, 1), "TP53", "EGFR", "MYC"]
    entrez = ("7157.0", "1956.0", "672.0", "4609.0", "3845.0")
    sheet = text([["sample", "class"], *zip(IDS, CLASSES, strict=True)])
    two = ("dataset.path={rna:FILE,sheet:sheet.csv}",)
    annotated = [["Protein-ID", "Gen", "Beschreibung", "Länge", *IDS]]
    annotated += [
        [f"P0{j}", g, f"Protein {g}", 300 + j, *VALUES[:, j].tolist()] for j, g in enumerate(GENES)
    ]
    biotypes = [["gene_id", "gene_name", "biotype", *IDS], ["class", "", "", *CLASSES]]
    biotypes += [[f"ENSG0{j}", "ABACD"[j], "coding", *VALUES[:, j]] for j in range(5)]
    probes = [["probe", "symbol", *IDS]]
    probes += [[f"{j}_at", g, *VALUES[:, j]] for j, g in enumerate(GENES)]
    ensembl, numbered = [f"ENSG0{j}" for j in range(5)], [f"P0{j}" for j in range(5)]
    genera = [f"g__{name}" for name in ("Blautia", "Dorea", "Roseburia", "Alistipes", "Prevotella")]
    peaks = [f"M{75 + j}T{200 + j}" for j in range(5)]
    sexes, ages = ["m", "f", "f"] * 8, list(range(40, 40 + N))

    def with_rows(names, *rows, **options):
        first, label, *rest = turned(names, **options)
        return [first, label, *rows, *rest]

    pair = np.stack([VALUES[:, :2].mean(axis=1), VALUES[:, 2], VALUES[:, 3:].mean(axis=1)], axis=1)
    repeated = {"remedy": ("dataset.duplicates=mean",), "refuses": True, "values": pair}
    noisy = [(label == "case") * 1 if i > 3 else 1 for i, label in enumerate(CLASSES)]
    seen = np.column_stack([VALUES, noisy])
    return {
        "expr.csv.gz": Member(
            given=TURNED,
            content=text(turned(dates), gz=True), names=dates,
            says=("SD020", "SEPTIN2", "MARCHF1"),
        ),
        "counts.tsv": Member(
            content=text(plain(header=("sample", *iso, "class")), "\t"), names=iso,
            says=("SD020", "SEPTIN2", "MARCHF1"),
        ),
        "gene_slashes.csv": Member(
            content=text(plain(header=("sample", *slashes, "class")), ";", comma=True),
            names=slashes, says=("SD020", "SEPTIN2", "DELEC1"),
        ),
        "gene_tage.csv": Member(
            given=TURNED,
            content=text(turned(german, first="Gen"), ";", comma=True), names=german,
            says=("SD020", "SEPTIN2", "MARCHF1", "OCT4"),
        ),
        "swapped.txt": Member(
            given=TURNED,
            content=text(turned(swapped), "\t", encoding="utf-16"), names=swapped,
            says=("SD020", "SEPTIN2", "MARCHF1"),
        ),
        "symbols.xlsx": Member(
            given=TURNED,
            content=workbook(turned(day)), says=("SD020", "SEPTIN2", "MARCHF1"), names=None
        ),
        "entrez.tsv": Member(
            given=TURNED,
            content=text(turned(entrez, first="EntrezID"), "\t"), names=entrez, silent=("SD020",)
        ),
        "proteine.csv": Member(
            content=text(annotated, ";", encoding="cp1252", comma=True), given=two,
            beside={"sheet.csv": sheet}, names=numbered, says=("SD013", "Beschreibung"),
        ),
        "biotypes.tsv.gz": Member(
            given=TURNED,
            content=text(biotypes, "\t", gz=True), names=ensembl, says=("SD013", "biotype")
        ),
        "probes.parquet": Member(
            content=parquet(probes), given=(*two, "dataset.name_column=symbol"),
            beside={"sheet.csv": sheet}, says=("SD013", "symbol"),
        ),
        "mikroben.tsv": Member(
            given=TURNED,
            content=text(
                with_rows(
                    genera, ["Geschlecht", *sexes], ["Alter", *ages], ["Land", *["DE", "AT"] * 12],
                    first="Probe", label="Gruppe", classes=GERMAN,
                ),
                "\t", comma=True,
            ),
            target="Gruppe", names=genera, says=("Geschlecht", "Alter", "Land", "dataset.features"),
            remedy=('dataset.features="g__*"',),
        ),
        "peaks.csv": Member(
            given=TURNED,
            content=text(
                with_rows(peaks, ["Batch", *["B1", "B2"] * 12], ["BMI", *ages], ["Sex", *sexes])
            ),
            names=peaks, says=("Batch", "BMI", "Sex", "SD014"),
            remedy=('dataset.features="M*T*"',),
        ),
        "smokers.xlsx": Member(
            given=TURNED,
            content=workbook(
                with_rows(
                    GENES, ["smoking status", *["never", "ex", "n/k"] * 8], ["age_years", *ages],
                    ["site", *["Leeds", "York"] * 12],
                )
            ),
            says=("smoking status", "age_years", "site", "SD014"),
            remedy=(f"dataset.features=[{','.join(GENES)}]",),
        ),
        "fin.csv": Member(
            content=text(
                [*turned(GENES), ["âge", *ages], ["Sexe", *sexes]], ";", encoding="cp1252"
            ),
            given=TURNED, says=("'âge'", "'Sexe'", "SD014"), remedy=("dataset.drop=[âge,Sexe]",),
        ),
        "twice.csv": Member(
            content=text(plain(header=("id", "TP53", "TP53", "EGFR", "MYC", "MYC", "class"))),
            names=("TP53", "EGFR", "MYC"), says=("TP53", "MYC"), **repeated,
        ),
        "zweimal.xlsx": Member(
            given=TURNED,
            content=workbook(turned(["ALB", "ALB", "CRP", "HP", "HP"], first="Protein")),
            names=("ALB", "CRP", "HP"), says=("ALB", "HP"), **repeated,
        ),
        "blanks.txt.gz": Member(
            given=TURNED,
            content=text(
                turned(["IL6 ", "IL6", "TNF", "CCL2", " CCL2"]), "|", comma=True, gz=True
            ),
            names=("IL6", "TNF", "CCL2"), says=("IL6", "CCL2"), **repeated,
        ),
        "gruppe.csv": Member(
            content=text(
                [[*r[:6], x, r[6]] for r, x in zip(
                    plain(header=("id", *GENES, "Gruppe"), classes=GERMAN),
                    ("gruppe_code", *noisy), strict=True,
                )],
                ";", comma=True,
            ),
            target="Gruppe", names=(*GENES, "gruppe_code"), values=seen,
            says=("SD026", "gruppe_code"),
        ),
        "diagnosis.parquet": Member(
            content=parquet(column(VALUES, "Class.num", noisy)),
            names=(*GENES, "Class.num"), values=seen, says=("SD026", "Class.num"),
        ),
        "binary.tsv": Member(
            content=text(column(VALUES, "CLASS_binary", noisy), "\t", encoding="utf-16"),
            names=(*GENES, "CLASS_binary"), values=seen, says=("SD026", "CLASS_binary"),
        ),
    }  # fmt: skip


def _columns():
    """Suspected leaks, constant, empty and copied columns."""
    codes = [float(label == "case") for label in CLASSES]
    score = [100 * code + x for code, x in zip(codes, VALUES[:, 4], strict=True)]
    dose = [5.0 + i if code else "" for i, code in enumerate(codes)]
    gaps = [x if code else np.nan for x, code in zip(np.arange(5.0, 5 + N), codes, strict=True)]
    ages = np.arange(40, 40 + N)
    born = plain([[*row, 2020 - a] for row, a in zip(VALUES.tolist(), ages, strict=True)],
        header=("id", *GENES, "Geburtsjahr", "Alter"), classes=ages.tolist(),
    )  # fmt: skip

    def member(write, name, extra, *, read=None, **options):
        values = np.column_stack([VALUES, extra if read is None else read])
        rows = column(VALUES, name, extra)
        return Member(content=write(rows), names=(*GENES, name), values=values, **options)

    copy = (2 * VALUES[:, 1] + 1).tolist()
    return {
        "score.csv": member(
            lambda rows: text(rows, ";", comma=True), "score", score, says=("SD021", "score")
        ),
        "alter.tsv": Member(
            content=text(born, "\t", comma=True), target="Alter", names=(*GENES, "Geburtsjahr"),
            values=np.column_stack([VALUES, 2020 - ages]), says=("SD021", "Geburtsjahr"),
        ),
        "dose.xlsx": member(workbook, "dose", dose, read=gaps, says=("SD021", "dose")),
        "chip.csv.gz": member(
            lambda rows: text(rows, gz=True), "chip", [7.0] * N, says=("SD022", "chip")
        ),
        "fast.txt": member(
            lambda rows: text(rows, " "), "rare", [0.0] * 23 + [1.0], says=("SD023", "rare")
        ),
        "copy.parquet": member(parquet, "EGFR_log", copy, says=("SD025", "EGFR_log")),
        "leer.xlsx": Member(
            content=workbook(column(VALUES, "IL10", [None] * N)), says=("IL10",),
            refuses=True, remedy=("dataset.drop_empty=true",),
        ),
        "na.tsv": Member(
            content=text(column(VALUES, "IL10", ["n.a."] * N), "\t", comma=True),
            says=("IL10",), refuses=True, remedy=("dataset.drop_empty=true",),
        ),
    }  # fmt: skip


def _cells():
    """Markers, limits, flags, zeros and decimal commas."""

    def marked(write, changes, read, **options):
        return Member(
            content=write(plain(cells(changes))),
            values=holed(dict(zip(changes, read, strict=True))),
            **options,
        )  # fmt: skip

    def german(rows):
        return text(rows, ";", encoding="cp1252", comma=True)

    def tabs(rows):
        return text(rows, "\t", comma=True, encoding="utf-16")

    missing = {"remedy": ("dataset.below_detection=missing",), "refuses": True}
    stripped = {"remedy": ("dataset.strip_flags=true",), "refuses": True}
    value = {"remedy": ("dataset.below_detection=value",), "refuses": True}
    intensities = np.round(np.exp(VALUES) * 1000, 1)
    zero = np.random.default_rng(1).random((N, 5)) < 0.3
    peaks = plain(np.where(zero, 0, intensities).tolist())
    counted = np.random.default_rng(2).poisson(2, (N, 5)).astype(float)
    large = VALUES * 1000
    thousands = [[f"{x:,.1f}".translate({44: ".", 46: ","}) for x in row] for row in large]
    nbsp = [[f"{x:,.1f}".translate({44: "\u202f", 46: ","}) for x in row] for row in large]
    written = [[str(x).replace(".", ",") for x in row] for row in VALUES]
    quoted = [[f'"{x}"' for x in row] for row in written]
    zeros = {"says": ("SD043", "dataset.zeros=missing"), "remedy": ("dataset.zeros=missing",)}
    return {
        "angabe.csv": marked(
            german, {(0, 0): "k.A.", (1, 1): "-", (2, 2): "?", (3, 0): "k.A."},
            [None] * 4, says=("SD040", "'k.A.' 2", "'-' 1", "'?' 1"),
        ),
        "formulas.tsv": marked(
            tabs,
            {(0, 0): "#DIV/0!", (1, 1): "#N/A", (2, 2): "#VALUE!", (3, 0): "NULL", (4, 4): "."},
            [None] * 5, says=("SD040", "#DIV/0!", "#VALUE!", "'.' 1"),
        ),
        "missing.xlsx": marked(
            workbook, {(0, 0): "missing", (1, 1): "not available", (2, 2): "--", (3, 0): None},
            [None] * 4, says=("SD040", "missing", "not available", "--"),
        ),
        "sentinels.parquet": marked(
            parquet, {(0, 0): -999.0, (1, 1): -999.0}, [None, None],
            says=("SD044", "dataset.missing=[-999]"), remedy=("dataset.missing=[-999]",),
        ),
        "grenze.csv": marked(
            german, {(0, 0): "< 0,05", (1, 1): "n.n.", (2, 2): "<NWG", (3, 0): "<0,1"},
            [0.05, np.inf, np.inf, 0.1], says=("< 0,05", "n.n.", "<NWG", "<0,1"), **value,
        ),
        "lloq.tsv": marked(
            tabs, {(0, 0): "<LLD", (1, 1): "<0.05 (LOD)", (2, 2): "LLOQ", (3, 3): "not detected"},
            [None] * 4, says=("<LLD", "<0.05 (LOD)", "LLOQ", "not detected"), **missing,
        ),
        "stated.txt": marked(
            lambda rows: text(rows, "|"), {(0, 0): "0.1 (LOD)", (1, 1): "0.2 <LLOQ"},
            [0.1, 0.2], says=("'0.1 (LOD)'", "'0.2 <LLOQ'"), **value,
        ),
        "uloq.xlsx": marked(
            workbook, {(0, 0): ">ULOQ", (1, 1): ">25000", (2, 2): "<LOQ (0.1)", (3, 3): "BLOQ"},
            [np.inf, 25000, 0.1, np.inf], says=(">ULOQ", ">25000", "<LOQ (0.1)", "BLOQ"), **value,
        ),
        "limits.parquet": Member(
            content=parquet(plain([[str(x) for x in row] for row in cells({(0, 0): "<= 0.2",
                (5, 0): "ND", (7, 3): "below limit of quantification"})])),
            values=holed({(0, 0): 0.2, (5, 0): np.inf, (7, 3): np.inf}), says=("<= 0.2", "ND"),
            **value,
        ),
        "lab.csv": marked(
            text, {(0, 0): "12.3 H", (1, 1): "9.8 L", (2, 2): "15.1 HH", (3, 0): "7.7 A"},
            [12.3, 9.8, 15.1, 7.7], says=("12.3 H", "'L' 1", "'HH' 1"), **stripped,
        ),
        "qualifiers.tsv.gz": marked(
            lambda rows: text(rows, "\t", gz=True),
            {(0, 0): "(5.1)", (1, 1): "5.1 (Q)", (2, 2): "0.0012 B", (3, 0): "1.2e-3 B"},
            [5.1, 5.1, 0.0012, 0.0012], says=("(5.1)", "'(Q)' 1", "'B' 2"), **stripped,
        ),
        "kreuz.csv": marked(
            lambda rows: text(rows, ";", comma=True),
            {(0, 0): "12,3*", (1, 1): "10,1 †", (2, 2): "9,7 ", (3, 0): "8,8**"},
            [12.3, 10.1, 9.7, 8.8], says=("12,3*", "'†' 1", "'**' 1"), **stripped,
        ),
        "intensities.csv": Member(
            content=text(peaks, ";", comma=True), values=np.where(zero, np.nan, intensities),
            **zeros,
        ),
        "areas.parquet": Member(
            content=parquet(peaks), values=np.where(zero, np.nan, intensities), **zeros
        ),
        "areas.xlsx": Member(
            given=TURNED,
            content=workbook(turned(GENES, values=np.where(zero, 0, intensities))),
            values=np.where(zero, np.nan, intensities), **zeros,
        ),
        "reads.tsv": Member(
            content=text(plain(counted.tolist()), "\t"), values=counted, silent=("SD043",)
        ),
        "tabs.txt": Member(content=text(plain(), "\t", comma=True)),
        "quoted.csv": Member(content=text(plain(quoted))),
        "tausend.csv": Member(
            content=text(plain(thousands), ";", encoding="cp1252"), values=large.round(1)
        ),
        "mille.csv": Member(content=text(plain(nbsp), ";"), values=large.round(1)),
        "text.xlsx": Member(content=workbook(plain(written))),
        "strings.parquet": Member(content=parquet(plain(written))),
    }  # fmt: skip


MEMBERS = {**_names(), **_columns(), **_cells()}
"""The members, by the name of their file."""
