"""Further members of the kinds of tables in which samples, ids and labels are easily misread.

Each is tried as a stranger would: through the command line, and then with the command that the
output shows, which must give the values, ids, labels and groups that the file holds.
"""

import gzip
import io
import random
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

from intake import lines
from smalldata.__main__ import main
from smalldata.config.hydra import compose_dataset
from smalldata.datasets import load_dataset

N = 36
VALUES = np.random.default_rng(3).lognormal(2, 0.4, (N, 5)).round(2)
MANY = np.random.default_rng(4).lognormal(2, 0.4, (N, 12)).round(3)
IDS = [f"S{i:02d}" for i in range(N)]
UMLAUTS = ["Größe", "Säure", "pH-Wert", "Öl", "Maß"]
SURNAMES = [f"Weiß{letter}" for letter in "abcdefghijklmnopqr"]


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file, what is told about it, and what it gives with the remedy that is shown.

    ``remedy`` is typed as it is printed; empty: there is nothing to do. ``says`` are further words
    of the output. ``refuses``: without the remedy the run ends with status 2.
    """

    file: str
    content: bytes
    target: str = "class"
    says: Sequence[str] = ()
    remedy: str = ""
    refuses: bool = False
    options: Sequence[str] = ()
    beside: Mapping[str, bytes] = field(default_factory=dict)
    ids: Sequence[str] | None = None
    labels: Sequence[str] | None = None
    groups: Sequence[str] | None = None
    values: Any = None


def write(rows, file, separator=",", encoding="utf-8", decimal="."):
    """Write rows, the header first, in the format that the name of the file says."""
    if file.endswith(".xlsx"):
        book, stream = openpyxl.Workbook(), io.BytesIO()
        for row in rows:
            book.active.append(row)
        book.save(stream)
        return stream.getvalue()
    if file.endswith(".parquet"):
        return pd.DataFrame(rows[1:], columns=rows[0]).to_parquet(index=False)
    written = [
        [str(cell).replace(".", decimal) if isinstance(cell, float) else cell for cell in row]
        for row in rows
    ]
    content = lines(written, separator).decode().encode(encoding)
    return gzip.compress(content) if file.endswith(".gz") else content


def member(file, rows, how=(), **told):
    return Member(file=file, content=write(rows, file, *how), **told)


def table(ids, labels, *, id="id", target="class", names=None, values=VALUES, order="ivt"):
    """Rows of a table of samples; ``order`` of the ids, the values and the target."""
    names = names or [f"m{j}" for j in range(values.shape[1])]
    rows = [(id, names, target), *zip(ids, values.tolist(), labels, strict=True)]
    parts = ({"i": [i], "v": list(v), "t": [t]} for i, v, t in rows)
    return [[cell for key in order for cell in part[key]] for part in parts]


def cycle(*labels, n=N):
    return [labels[i % len(labels)] for i in range(n)]


def twice(entries):
    return [entry for entry in entries for _ in range(2)]


LOBES = r"^(.+?)[._ :/(-]*(?:left lobe|right lobe)\)?$"
GERMAN = (";", "cp1252", ",")
UTF_16 = ("\t", "utf-16")
BOM = ("\t", "utf-8-sig")
MEANS = VALUES.reshape(N // 2, 2, 5).mean(axis=1)


def repeated():
    """Ids that repeat, in other places and languages, and numbers."""
    numbers = [str(1001 + i) for i in range(N // 2)]
    records = [str(4839201 + 37 * i) for i in range(N // 2)]
    labels = cycle("krank", "gesund", n=N // 2)
    three = [f"HN-{i // 3}" for i in range(N)]
    rows = table(twice(numbers), twice(labels), id="Proben-Nr.", names=UMLAUTS)
    kept = {"refuses": True, "values": VALUES}
    merged = kept | {"remedy": "dataset.replicates=mean", "values": MEANS, "labels": labels}
    yield member(
        "proben.csv", rows, GERMAN, **merged, ids=numbers, says=("dataset.groups=Proben-Nr.",)
    )
    rows = table(twice(records), twice(labels), id="MRN")
    yield member("pat.tsv", table(twice(records), twice(labels), id="Pat.-Nr."), BOM, **merged)
    yield member("export.txt", rows, BOM, **merged, ids=records, says=(f"'{records[0]}' twice",))
    rows = table(three, cycle(*["ill"] * 3, *["well"] * 3), id="Patient", order="tvi")
    yield member("cohort.xlsx", rows, **kept, groups=three, remedy="dataset.groups=Patient")
    rows = table(twice(numbers), cycle("tumor", "normal"), id="barcode", order="vit")
    kept |= {"groups": twice(numbers), "says": ("different labels",)}
    yield member("pairs.tsv.gz", rows, UTF_16, **kept, remedy="dataset.groups=barcode")


def persons():
    """Persons in the ids: visits, sides and surgery, behind and before, with names and numbers."""
    made = {
        "visits.csv": ("{0} / {1}", "{0}", (1, 2, 3), (";",), r"^(\d+)"),
        "surgery.xlsx": ("pt_{0:03d} {1}", "pt_{0:03d}", ("pre-op", "post-op"), (), r"^(pt_\d+)"),
        "eyes.parquet": ("{0}_{1}", "{0}", ("left_eye", "right_eye"), (), r"^(\d+)"),
        "times.tsv": ("{0}-{1}", "{0}", ("T0", "T6"), UTF_16, r"^(\d+)"),
        "visit_first.txt": ("{1}_P{0:02d}", "P{0:02d}", ("Visit1", "Visit2"), BOM, r"(P\d+)$"),
        "weeks.csv": ("BL-{1}-{0:03d}", "{0:03d}", ("W0", "W4", "W12"), (), r"(\d+)$"),
        "before.csv": ("{1}{0:03d}", "{0:03d}", ("pre", "post"), (), r"(\d+)$"),
        "glued.csv.gz": ("Subj{0:02d}Visit{1}", "Subj{0:02d}", (1, 2), (), r"^(Subj\d+)"),
        "decimals.csv": ("{0}.{1}", "{0}", (1, 2), (), r"^(\d+)"),
        "pairs.txt": ("{0}|{1}", "{0}", (1, 2), UTF_16, r"^(\d+)"),
        "years.csv": ("X{0}.{1}", "X{0}", (2019, 2021), (), r"^(X\d+)"),
        "runs.csv": ("C{0:02d}_{1}", "C{0:02d}", ("V1_rep1", "V1_rep2", "V2_rep1"), (), r"^(C\d+)"),
        "instances.csv": ("UKB-{0}_{1}", "UKB-{0}", ("i0", "i2"), (), r"^(UKB-\d+)"),
        "sides.csv": ("{0} ({1})", "{0}", ("L", "R"), (), r"^(\d+)"),
        "donors.csv": ("{2}_{1}", "{2}", ("vor", "nach"), GERMAN, r"^([^._ :/(-]+)"),
        "words.csv": ("{2} B_{1}", "{2} B", ("left lobe", "right lobe"), (), LOBES),
    }
    for file, (form, group, endings, how, pattern) in made.items():
        people = [(1 + i // len(endings), endings[i % len(endings)]) for i in range(N)]
        ids = [form.format(k, ending, SURNAMES[k - 1]) for k, ending in people]
        yield member(
            file,
            table(ids, cycle("yes", "no"), id="ID"),
            how,
            says=("SD002", repr(ids[0])),
            remedy=f"'dataset.groups=\"id:{pattern}\"'",
            ids=ids,
            values=VALUES,
            groups=[group.format(k, ending, SURNAMES[k - 1]) for k, ending in people],
        )


def long():
    """One row per measurement: other names and formats, numbers as names, gaps and no order."""
    labels = cycle("ja", "nein")

    def rows(header, names, ids=IDS, more=None):
        units = [] if more is None else [more]
        body = [
            [ids[i], names[j], float(VALUES[i, j]), *units, labels[i]]
            for i in range(N)
            for j in range(5)
        ]
        return [header, *body]

    told = {"refuses": True, "target": "group"}
    full = told | {"labels": labels, "values": VALUES}
    runs = list(range(1, N + 1))
    yield member(
        "lang.csv",
        rows(["Probe", "Analyt", "Messwert", "group"], UMLAUTS),
        GERMAN,
        **full,
        ids=IDS,
        remedy="'dataset.long={id: Probe, name: Analyt, value: Messwert}'",
    )
    yield member(
        "long.parquet",
        rows(["PatientID", "metabolite", "conc_uM", "unit", "group"], UMLAUTS, runs, "uM"),
        **full,
        ids=[str(run) for run in runs],
        remedy="'dataset.long={id: PatientID, name: metabolite, value: conc_uM}'",
    )
    masses = [101.5, 202.25, 303.1, 404.7, 505.5]
    yield member(
        "peaks.xlsx",
        rows(["Run", "mz", "Intensity", "group"], masses, runs),
        **full,
        ids=[str(run) for run in runs],
        remedy="'dataset.long={id: Run, name: mz, value: Intensity}'",
    )
    header, *body = rows(["Sample", "Protein", "LFQ", "group"], list("ABCDE"))
    random.Random(1).shuffle(body)
    kept = pd.DataFrame(body[3:], columns=header)
    spread = kept.pivot(index="Sample", columns="Protein", values="LFQ")
    spread = spread.loc[kept["Sample"].unique(), kept["Protein"].unique()]
    yield member(
        "shuffled.txt",
        [header, *body[3:]],
        UTF_16,
        **told,
        ids=spread.index.tolist(),
        values=spread.to_numpy(),
        remedy="'dataset.long={id: Sample, name: Protein, value: LFQ}'",
    )


def controls():
    """Quality controls, blanks, pools and standards, most of them in one row."""
    made = {
        "pools.tsv": (("AD", "HC"), ["Pool", "Pool", "NIST1950", "MeOH"], BOM),
        "kontrollen.csv": (("gesund", "krank"), ["Leerwert", "Qualitätskontrolle"], GERMAN),
        "blancs.csv": (("malade", "sain"), ["blanc", "blanc", "étalon"], GERMAN),
        "suite.xlsx": (("CD", "UC"), ["SRM", "conditioning", "System suitability"], ()),
        "numbered.parquet": (("ill", "well"), ["QC1", "QC2", "mQC", "Blank 1"], ()),
        "plasma.csv": (("CTL", "PE"), ["PBQC", "RefPlasma", "contrôle qualité"], GERMAN),
        "digest.txt": (("NGT", "T2D"), ["HeLa digest", "NTC", "pos. control", "water"], UTF_16),
    }
    for file, (classes, others, how) in made.items():
        labels = cycle(*classes)
        values = np.vstack([VALUES, VALUES[: len(others)] * 1.7])
        rows = table([*IDS, *list("ABCD")[: len(others)]], [*labels, *others], values=values)
        remedy = f"'dataset.classes=[{','.join(classes)}]'"
        says = ("SD004", f"Drop the class (keep the others with {remedy})", *map(repr, others))
        gives = {"ids": IDS, "labels": labels, "values": VALUES}
        yield member(file, rows, how, says=says, remedy=remedy, refuses=True, **gives)


def spellings():
    """One label in several spellings: signs, short forms, truth values, other languages."""
    made = {
        "signs.csv": (
            (),
            {"ER_pos": ["ER+", "ER +"], "ER_neg": ["ER-", "ER–"]},
            """'dataset.classes={ER_pos: ["ER +", "ER+"], ER_neg: [ER-, "ER–"]}'""",
        ),
        "short.tsv": (
            UTF_16,
            {"positive": ["positive", "pos"], "negative": ["negative", "neg"]},
            "'dataset.classes={positive: [pos, positive], negative: [neg, negative]}'",
        ),
        "truth.xlsx": (
            (),
            {"is_true": [True, "TRUE"], "is_false": [False, "FALSE"]},
            """'dataset.classes={is_true: ["TRUE", "True"], is_false: ["FALSE", "False"]}'""",
        ),
        "rueckfall.csv": (
            GERMAN,
            {"Ja": ["Ja", "JA ", "j"], "Nein": ["Nein", " nein", "n"]},
            "'dataset.classes={Ja: [JA, Ja, j], Nein: [Nein, n, nein]}'",
        ),
        "accents.txt": (
            BOM,
            {"Nevus": ["Nevus", "Névus", "nevus."], "ctrl": ["ctrl", "Control"]},
            """'dataset.classes={Nevus: [Nevus, "Névus", nevus.], ctrl: [Control, ctrl]}'""",
        ),
        "tumour.parquet": (
            (),
            {"Tumour": ["Tumour", "Tumor"], "Normal": ["Normal", "normal"]},
            "'dataset.classes={Tumour: [Tumor, Tumour], Normal: [Normal, normal]}'",
        ),
    }
    for file, (how, merged, remedy) in made.items():
        owner = {entry: new for new, entries in merged.items() for entry in entries}
        written = cycle(*owner)
        told = {"says": ("must have one spelling",), "remedy": remedy, "refuses": True}
        labels = [owner[label] for label in written]
        yield member(file, table(IDS, written), how, **told, labels=labels, values=VALUES)


def duplicates():
    """The same sample under another id: nearly, with a gap, as numbers, in columns, with labels."""
    labels = cycle("yes", "no")
    made = {
        "numbers.xlsx": (9001, 1.0, "yes", ()),
        "noise.csv": ("Z9", 1 + 1e-3 * np.sin(np.arange(12)), "yes", GERMAN),
        "labels.parquet": ("S04_copy", 1.0, "no", ()),
    }
    for file, (other, factor, label, how) in made.items():
        ids = [2001 + i for i in range(N)] if other == 9001 else IDS
        values = np.vstack([MANY, (MANY[4] * factor).round(4)])
        rows = table([*ids, other], [*labels, label], values=values, id="Nr", order="tvi")
        both = f"both {label}" if label == "yes" else "yes and no"
        told = f"'{ids[4]}' and '{other}' ({both})"
        told_ids = [*map(str, ids), str(other)]
        yield member(file, rows, how, says=("SD007", told), ids=told_ids, values=values)
    values = np.vstack([MANY, MANY[5]])
    values[-1, 3] = np.nan
    written = [["gene", *IDS, "Q1"]]
    written += [[f"g{j}", *("" if v != v else v for v in values[:, j])] for j in range(12)]
    sheet = write([["sample", "dx"], *zip([*IDS, "Q1"], [*labels, "yes"], strict=True)], "m.csv")
    yield member(
        "matrix.txt",
        written,
        UTF_16,
        beside={"meta.csv": sheet},
        options=("dataset.path={x: matrix.txt, m: meta.csv}", "dataset.id={m: sample}"),
        target="dx",
        says=("SD007", "'S05' and 'Q1' (no and yes)"),
        ids=[*IDS, "Q1"],
        values=values,
    )


KINDS = (repeated, persons, long, controls, spellings, duplicates)
MEMBERS = {member.file: member for kind in KINDS for member in kind()}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Write a member; gives a function that reads it dry, for its status and output."""
    monkeypatch.chdir(tmp_path)

    def command(member, *overrides):
        for file, content in {member.file: member.content, **member.beside}.items():
            (tmp_path / file).write_bytes(content)
        status = main(["model=dummy", *words_of(member), *overrides, "dry_run=true"])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return command


def words_of(member):
    path = () if member.options else (f"dataset.path={member.file}",)
    return ["dataset=table", *path, *member.options, f"dataset.target={member.target}"]


@pytest.mark.parametrize("file", MEMBERS)
def test_each_member_is_told_and_its_remedy_gives_what_the_file_holds(run, file):
    given = MEMBERS[file]
    status, printed = run(given)
    assert [word for word in given.says if word not in printed] == [], printed
    assert "Traceback" not in printed
    assert status == (2 if given.refuses else 0), printed
    typed = []
    if given.remedy:
        assert given.remedy in printed, printed
        typed = shlex.split(given.remedy)
        status, printed = run(given, *typed)
        assert status == 0, printed
    options = compose_dataset([*words_of(given), *typed])
    del options["_target_"]
    dataset = load_dataset(options.pop("name"), **options)
    if given.values is not None:
        np.testing.assert_allclose(dataset.X.to_numpy(dtype=float), given.values, rtol=1e-9)
    for name, found in (("ids", dataset.sample_ids), ("labels", dataset.y)):
        if getattr(given, name) is not None:
            assert found.tolist() == list(getattr(given, name))
    if given.groups is not None:
        assert dataset.groups.tolist() == list(given.groups)


CODES = (
    *(("0=alive", "1=dead"), ("0 - alive", "1 - dead"), ("0 (no)", "1 (yes)"), ("1", "2")),
    *(("nein", "ja"), ("non", "oui"), ("no", "sí"), ("nej", "ja"), ("нет", "да"), ("否", "是")),
    *(("lebend", "verstorben"), ("vivant", "décédé"), ("gesund", "krank"), ("sano", "enfermo")),
    *(("NR", "R"), ("RD", "pCR"), ("wt", "mut"), ("M-", "M+"), ("(-)", "(+)"), ("F", "T")),
    *(("Adjacent normal", "Tumor tissue"), ("normotensive", "preeclampsia"), ("TD", "ASD")),
    *(("seronegative", "seropositive"), ("survivor", "non-survivor"), ("pre", "post")),
    *(("kein Rezidiv", "Rezidiv"), ("pas de rechute", "rechute"), ("NoDM", "DM"), ("ctr", "sz")),
    *(("HER2neg", "HER2pos"), ("nicht erkrankt", "erkrankt"), ("euploid", "trisomy")),
    *(("NGT", "T2D"), ("NC", "MCI"), ("HC", "PD"), ("disease-free", "recurred"), ("MSS", "MSI")),
)
HOWS = {"csv": (), "tsv": UTF_16, "csv.gz": (";", "utf-8-sig", ","), "parquet": (), "xlsx": ()}


@pytest.mark.parametrize("place", range(len(CODES)), ids=["/".join(pair) for pair in CODES])
def test_a_code_of_the_absence_is_never_the_positive_class(run, place):
    absent, there = CODES[place]
    file, how = [(f"t.{suffix}", how) for suffix, how in HOWS.items()][place % len(HOWS)]
    labels = cycle(absent, there, there)  # what is there is not the rarer
    status, printed = run(member(file, table(IDS, labels, target="status"), how, target="status"))
    assert status == 0, printed
    assert f"positive: {there})" in printed
    assert "guess" not in printed


def test_four_grades_of_response_have_no_positive_class(run):
    rows = table(IDS, cycle("CR", "PR", "SD", "PD"), target="RECIST")
    status, printed = run(member("t.csv", rows, target="RECIST"))
    assert (status, "multiclass" in printed, "positive" in printed) == (0, True, False)


@pytest.mark.parametrize(
    "classes",
    [("control", "standard care"), ("standard diet", "high fat diet"), ("white", "black")],
)
def test_treatments_are_no_quality_controls(run, classes):
    _, printed = run(member("t.csv", table(IDS, cycle(*classes))))
    assert "SD004" not in printed
