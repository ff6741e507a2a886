"""Tables as spreadsheets have them: rows of summaries, merged and hidden cells, footnotes, legends.

The workbooks are written by openpyxl.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl import Workbook, load_workbook

from smalldata.datasets.options import TableOptions
from smalldata.datasets.table import load
from smalldata.errors import ConfigError, DataError
from smalldata.task import Dataset

N_SAMPLES = 20
NAMES = ["TP53", "EGFR", "MYC", "KRAS", "IL6"]


def samples(n: int = N_SAMPLES) -> list[list[Any]]:
    """Return a header and samples of two classes."""
    values = np.random.default_rng(0).normal(10, 2, size=(n, len(NAMES))).round(3)
    rows = [
        [f"S{i}", "Case" if i % 2 else "Control", *row.tolist()] for i, row in enumerate(values)
    ]
    return [["Sample", "Group", *NAMES], *rows]


def write_csv(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    path.write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n")
    return path


def write_xlsx(path: Path, rows: Sequence[Sequence[Any]], *merged: str) -> Path:
    book = Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(list(row))
    for cells in merged:
        sheet.merge_cells(cells)
    book.save(path)
    return path


def read(path: Path, **options: Any) -> Dataset:
    return load(TableOptions(path=path, **{"target": "Group", **options}))


def found(dataset: Dataset, code: str) -> list[str]:
    return [str(entry) for entry in dataset.findings if entry.code == code]


SUMMARIES: list[tuple[str, Callable[[Any], Any]]] = [
    ("Mean", lambda v: v.mean(axis=0)),
    ("Mittelwert", lambda v: v.mean(axis=0)),
    ("Mean (n=20)", lambda v: v.mean(axis=0)),
    ("SD", lambda v: v.std(axis=0, ddof=1)),
    ("SEM", lambda v: v.std(axis=0, ddof=1) / np.sqrt(len(v))),
    ("CV %", lambda v: 100 * v.std(axis=0, ddof=1) / v.mean(axis=0)),
    ("Median", lambda v: np.median(v, axis=0)),
    ("Gesamt", lambda v: v.sum(axis=0)),
    ("Max", lambda v: v.max(axis=0)),
    ("Min", lambda v: v.min(axis=0)),
    ("n", lambda v: np.full(v.shape[1], float(len(v)))),
    ("Mean Case", lambda v: v[1::2].mean(axis=0)),
    ("Control SD", lambda v: v[::2].std(axis=0, ddof=1)),
]


@pytest.mark.parametrize(("name", "summary"), SUMMARIES, ids=[name for name, _ in SUMMARIES])
@pytest.mark.parametrize("group", ["", "Case"])
def test_a_row_that_is_what_its_name_says_is_left_out(tmp_path, name, summary, group):
    rows = samples()
    values = np.array([row[2:] for row in rows[1:]], dtype=float)
    rows.append([name, group, *summary(values).round(2).tolist()])
    dataset = read(write_csv(tmp_path / "a.csv", rows))
    assert len(dataset.X) == N_SAMPLES
    assert name not in dataset.sample_ids
    assert name in found(dataset, "SD009")[0]
    assert "left out" in found(dataset, "SD009")[0]


def test_means_below_each_group_are_left_out(tmp_path):
    rows = samples()
    parts = [[row for row in rows[1:] if row[1] == name] for name in ("Case", "Control")]
    written = [rows[0]]
    for part in parts:
        mean = np.array([row[2:] for row in part], dtype=float).mean(axis=0).round(3).tolist()
        written += [*part, ["Mean", part[0][1], *mean]]
    dataset = read(write_csv(tmp_path / "a.csv", written))
    assert len(dataset.X) == N_SAMPLES


@pytest.mark.parametrize("name", ["Mean", "Total", "Moyenne", "Standard deviation", "p-value"])
def test_a_row_that_only_its_name_tells_stays_with_a_warning(tmp_path, name):
    rows = [*samples(), [name, "Case", 1.234, 2.345, 3.456, 4.567, 5.678]]
    dataset = read(write_csv(tmp_path / "a.csv", rows))
    assert len(dataset.X) == N_SAMPLES + 1
    assert name in found(dataset, "SD009")[0]
    assert "read as a sample" in found(dataset, "SD009")[0]


@pytest.mark.parametrize("name", ["Sum1", "Mean-arterial", "MIN", "Max", "n", "Total protein"])
def test_a_sample_with_such_a_name_is_a_sample(tmp_path, name):
    rows = samples()
    rows[7][0] = name
    dataset = read(write_csv(tmp_path / "a.csv", rows))
    assert len(dataset.X) == N_SAMPLES
    assert not found(dataset, "SD009")


def test_initials_are_not_a_standard_deviation(tmp_path):
    rows = samples()
    names = ["AB", "CD", "EF", "GH", "IJ", "KL", "MN", "OP", "QR", "SD", "UV", "WX", "YZ", "BA"]
    for row, name in zip(rows[1:], names, strict=False):
        row[0] = name
    dataset = read(write_csv(tmp_path / "a.csv", rows[:15]))
    assert not found(dataset, "SD009")


def test_a_class_called_total_is_a_class(tmp_path):
    rows = [[i, "Total" if i % 2 else "Partial", *row[2:]] for i, row in enumerate(samples()[1:])]
    dataset = read(write_csv(tmp_path / "a.csv", [["Sample", "Group", *NAMES], *rows]))
    assert len(dataset.X) == N_SAMPLES
    assert not found(dataset, "SD009")


def test_mean_and_sd_of_features_in_rows_are_left_out(tmp_path):
    rows = samples()
    values = np.array([row[2:] for row in rows[1:]], dtype=float)
    rows.append(["Mean", "", *values.mean(axis=0).round(2).tolist()])
    turned = [list(column) for column in zip(*rows, strict=True)]
    dataset = read(write_csv(tmp_path / "a.csv", turned), transpose=True)
    assert len(dataset.X) == N_SAMPLES


def merged_down(path: Path) -> Path:
    """Write samples sorted by group, whose label is merged over its rows."""
    rows = samples()[1:]
    rows.sort(key=lambda row: row[1])
    half = len(rows) // 2
    cells = [
        [name if at % half == 0 else None, *row[:1], *row[2:]]
        for at, row in enumerate(rows)
        for name in [row[1]]
    ]
    return write_xlsx(
        path,
        [["Group", "Sample", *NAMES], *cells],
        f"A2:A{half + 1}",
        f"A{half + 2}:A{2 * half + 1}",
    )


def test_a_merged_label_holds_for_all_its_rows(tmp_path):
    dataset = read(merged_down(tmp_path / "a.xlsx"))
    assert len(dataset.X) == N_SAMPLES
    assert dict(zip(dataset.sample_ids, dataset.y, strict=True))["S19"] == "Case"
    assert sorted(dataset.y) == ["Case"] * 10 + ["Control"] * 10
    assert "2 merged cells" in found(dataset, "SD019")[0]


def test_a_total_and_a_footnote_below_merged_labels_are_not_samples(tmp_path):
    rows = [["Group", "Sample", *NAMES]]
    rows += [
        ["Case" if i == 0 else None, *row[:1], *row[2:]] for i, row in enumerate(samples(6)[1:])
    ]
    rows += [["Control", f"T{i}", *row[2:]] for i, row in enumerate(samples(6)[1:])]
    values = np.array([row[2:] for row in rows[1:]], dtype=float)
    rows += [["Total", 12, *values.sum(axis=0).tolist()], ["* measured twice, see methods"]]
    dataset = read(write_xlsx(tmp_path / "a.xlsx", rows, "A2:A7", "A15:G16"))
    assert len(dataset.X) == 12


def test_merged_patients_recur(tmp_path):
    rows = samples()[1:]
    cells = [
        [*([f"P{at // 2}", row[1]] if at % 2 == 0 else [None, None]), *row[2:]]
        for at, row in enumerate(rows)
    ]
    merged = [f"{c}{2 + at}:{c}{3 + at}" for at in range(0, N_SAMPLES, 2) for c in "AB"]
    path = write_xlsx(tmp_path / "a.xlsx", [["Patient", "Group", *NAMES], *cells], *merged)
    with pytest.raises(DataError, match="'P0' twice"):
        read(path, target="TP53")
    dataset = read(path, target="TP53", groups="Patient")
    assert len(dataset.X) == N_SAMPLES
    assert dataset.groups is not None
    assert len(set(dataset.groups)) == N_SAMPLES // 2


@pytest.mark.parametrize("title", ["A1:G1", "A1:D1", "A1:B1", None])
def test_a_title_above_group_headers_makes_no_blocks(tmp_path, title):
    upper = [None, None, "Proteins (ng/ml)", None, "Lipids", None, None]
    rows = [["Table S1. Plasma"], upper, *samples()]
    merged = ["C2:D2", "E2:F2", *([title] if title else [])]
    dataset = read(write_xlsx(tmp_path / "a.xlsx", rows, *merged))
    assert dict(zip(dataset.feature_names, dataset.feature_blocks, strict=True)) == {
        **{"TP53": "Proteins (ng/ml)", "EGFR": "Proteins (ng/ml)", "MYC": "Lipids"},
        **{"KRAS": "Lipids", "IL6": "features"},
    }
    assert "Table S1. Plasma" in found(dataset, "SD012")[0]


def test_hidden_rows_and_columns_are_read_and_said(tmp_path):
    path = write_xlsx(tmp_path / "a.xlsx", samples())
    book = load_workbook(path)
    book.active.row_dimensions[5].hidden = True
    book.active.row_dimensions[500].hidden = True
    book.active.column_dimensions["D"].hidden = True
    book.save(path)
    dataset = read(path)
    assert dataset.X.shape == (N_SAMPLES, len(NAMES))
    assert "1 hidden row and 1 hidden column of a.xlsx were read" in found(dataset, "SD019")[0]


def test_nothing_is_said_where_nothing_is_merged_or_hidden(tmp_path):
    assert not found(read(write_xlsx(tmp_path / "a.xlsx", samples())), "SD019")


def add_sheet(path: Path, title: str, rows: Sequence[Sequence[Any]]) -> None:
    book = load_workbook(path)
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append(list(row))
    book.save(path)


def test_a_target_in_another_sheet_is_found_there(tmp_path):
    path = write_xlsx(tmp_path / "a.xlsx", [["Read me"], ["Contact: A. Meyer"], ["Data is behind"]])
    add_sheet(path, "Data", [["Exported 2021"], [], *samples()])
    add_sheet(path, "Legend", [["Column", "Meaning"], ["Group", "of the trial"]])
    with pytest.raises(ConfigError, match=r"sheet 'Data' has it: dataset\.sheet=Data\.$"):
        read(path)
    assert len(read(path, sheet="Data").X) == N_SAMPLES


def test_a_target_in_no_sheet_is_answered_with_their_names(tmp_path):
    path = write_xlsx(tmp_path / "a.xlsx", [["Read me"], ["Contact: A. Meyer"], ["Data is behind"]])
    add_sheet(path, "Data", samples())
    add_sheet(path, "Legend", [["Column", "Meaning"], ["Group", "of the trial"]])
    with pytest.raises(
        ConfigError, match=r"its other sheets are 'Data', 'Legend': dataset\.sheet="
    ):
        read(path, target="Outcome")


def test_a_sheet_of_ids_alone_is_not_said_to_lack_a_header(tmp_path):
    path = write_xlsx(tmp_path / "a.xlsx", [["Sample"], ["S1"], ["S2"], ["S3"]])
    with pytest.raises(ConfigError, match="it has no column beside the ids"):
        read(path)


@pytest.mark.parametrize("is_apart", [False, True])
@pytest.mark.parametrize("title", [[], [["Liver, peak areas"]]])
def test_rows_labelled_in_the_last_annotation_belong_to_the_samples(tmp_path, is_apart, title):
    rows = samples()[1:]
    ids, groups = [row[0] for row in rows], [row[1] for row in rows]
    values = [[row[2 + at] for row in rows] for at in range(len(NAMES))]
    body = [[name, f"HMDB{at}", 200.5 + at, *values[at]] for at, name in enumerate(NAMES)]
    labels = [[None, None, "Group", *groups], [None, None, "Weight (g)", *range(20, 40)]]
    annotations = ["Metabolite", "HMDB", "m/z"]
    if is_apart:
        head = [[None, None, "Sample", *ids], *labels, annotations]
    else:
        head = [[*annotations, *ids], *labels]
    path = write_xlsx(tmp_path / "a.xlsx", [*title, *head, *body])
    dataset = read(path)
    again = read(path, header=dataset.reading.settings["header"])
    assert again.y.tolist() == dataset.y.tolist()
    assert list(dataset.sample_ids) == ids
    assert list(dataset.y) == groups
    assert list(dataset.feature_names) == NAMES
    assert dataset.X["MYC"].tolist() == values[2]
    assert "'Group', 'Weight (g)'" in found(dataset, "SD011")[0]


def test_a_row_of_units_below_the_header_is_no_row_of_the_samples(tmp_path):
    header, *rows = samples()
    units = ["", "", *["mg/L"] * len(NAMES)]
    dataset = read(write_csv(tmp_path / "a.csv", [header, units, *rows]))
    assert len(dataset.X) == N_SAMPLES
    assert found(dataset, "SD010")


NOTES = [
    ["* log2 transformed"],
    ["* log2 transformed", "see Methods"],
    ["* log2 transformed, see Methods, section 2", "Contact: lab@uni.de"],
    ["n = 20 in all"],
    ["Values are means,,,,,", "of two,,,,,,"],
]


@pytest.mark.parametrize("notes", NOTES)
def test_text_below_a_csv_is_skipped(tmp_path, notes):
    path = write_csv(tmp_path / "a.csv", samples())
    path.write_text(path.read_text() + "\n" + "\n".join(notes) + "\n")
    dataset = read(path)
    assert len(dataset.X) == N_SAMPLES
    assert notes[0].split(",")[0] in found(dataset, "SD012")[0]


@pytest.mark.parametrize("row", ["S20,Case,10.5", "S20", "S 20,Case,10.5"])
def test_a_sample_that_is_cut_is_refused(tmp_path, row):
    path = write_csv(tmp_path / "a.csv", samples())
    path.write_text(path.read_text() + row + "\n")
    with pytest.raises(DataError, match=r"line 22 has \d .* write its missing fields"):
        read(path)


def test_a_legend_beside_a_table_is_left_out(tmp_path):
    rows = samples()
    legend = [["Legend", "Meaning"], ["Case", "with sepsis"], ["Control", "blood donors"]]
    beside = [[*row, None, *some] for row, some in zip(rows, legend, strict=False)]
    dataset = read(write_xlsx(tmp_path / "a.xlsx", [*beside, *rows[3:]]))
    assert list(dataset.feature_names) == NAMES
    assert "'Legend', 'Meaning'" in found(dataset, "SD012")[0]


def test_measured_columns_behind_an_empty_one_stay(tmp_path):
    rows = [[*row[:4], None, *row[4:]] for row in samples()]
    for row in rows[5:]:
        row[-1] = None  # measured in a few samples only
    dataset = read(write_xlsx(tmp_path / "a.xlsx", rows))
    assert list(dataset.feature_names) == NAMES


@pytest.mark.parametrize("limit", ["<LOD", "< 0.05", "n.d."])
def test_a_sample_mostly_below_the_limit_is_no_annotation(tmp_path, limit):
    rows = samples()
    rows[4][2:6] = [limit] * 4
    turned = [list(column) for column in zip(*rows, strict=True)]
    dataset = read(write_csv(tmp_path / "a.csv", turned), transpose=True, below_detection="half")
    assert list(dataset.sample_ids) == [row[0] for row in rows[1:]]
    assert list(dataset.feature_names) == NAMES


def test_proteins_with_values_below_the_limit_are_not_the_sample_sheet(tmp_path):
    generator = np.random.default_rng(1)
    n_proteins = 12
    proteins = generator.normal(5, 1, size=(N_SAMPLES, n_proteins)).round(2).astype(object)
    proteins[generator.random(proteins.shape) < 0.25] = "<LOD"
    head = ["Sample", "Group", *(f"p{i}" for i in range(n_proteins))]
    ids = [[row[0], row[1]] for row in samples()[1:]]
    rows = [[*entry, *row] for entry, row in zip(ids, proteins.tolist(), strict=True)]
    first = write_csv(tmp_path / "one.csv", [head, *rows])
    second = write_csv(tmp_path / "two.csv", [[row[0], *row[2:]] for row in samples()])
    dataset = load(
        TableOptions(path={"a": first, "b": second}, target="Group", below_detection="half")
    )
    assert dataset.X.shape[1] == n_proteins + len(NAMES)
    assert not found(dataset, "SD032")
