"""What an option says holds wherever cells are read, and changes nothing else."""

import numpy as np
import openpyxl
import pandas as pd
import pytest

from smalldata import Dataset
from smalldata.datasets.workbook import _formulas
from smalldata.errors import ConfigError, DataError
from smalldata.pipeline.limits import learn_limits

N = 12
IDS = [f"S{i:02d}" for i in range(N)]
CLASSES = ["case", "control"] * (N // 2)


def codes(dataset):
    return [finding.code for finding in dataset.findings]


def said(dataset, code):
    """What the findings of one code say."""
    return [finding.what for finding in dataset.findings if finding.code == code]


@pytest.fixture
def write(tmp_path):
    """Write columns as a csv file and give its path."""

    def write(name="t.csv", **columns):
        path = tmp_path / name
        pd.DataFrame(columns).to_csv(path, index=False)
        return path

    return write


# ---------------------------------------------------------------- classes


@pytest.mark.parametrize("target", ["meta:group", "group"])
def test_merged_classes_change_the_target_alone(write, target):
    in_both = target == "group"
    mine = ["case", "control", "other"] * 4
    of_data = mine if in_both else [*"abcd"] * 3
    data = write("r.csv", sample=IDS, group=of_data, tau=np.arange(N) / 4)
    meta = write("m.csv", sample=IDS, group=mine)
    dataset = Dataset.from_file(
        {"rna": data, "meta": meta},
        target=target,
        classes={"case": ["case", "other"], "control": ["control"]},
    )
    assert list(dataset.y) == ["case", "control", "case"] * 4
    if in_both:
        assert dataset.feature_names == ("tau",)
    else:
        assert list(dataset.X["rna:group"]) == of_data


# ---------------------------------------------------------------- missing


@pytest.fixture(params=["csv", "parquet", "frame"])
def read(request, tmp_path):
    """Read columns in each of the ways they may come."""

    def read(columns, **options):
        frame = pd.DataFrame(columns)
        options = {"target": "y", **options}
        if request.param == "frame":
            return Dataset.from_frame(frame.set_index("sample"), **options)
        path = tmp_path / f"t.{request.param}"
        frame.to_csv(path, index=False) if request.param == "csv" else frame.to_parquet(path)
        return Dataset.from_file(path, **options)

    return read


@pytest.mark.parametrize("marker", ["-999", -999.0])
def test_a_number_called_missing_is_missing_in_the_target(read, marker):
    y = [-999.0 if row == 3 else row * 1.5 for row in range(N)]
    columns = {"sample": IDS, "y": y, "tau": np.arange(N) / 4}
    dataset = read(columns, missing=[marker], drop_missing_target=True)
    assert list(dataset.y) == [value for value in y if value != -999]


@pytest.mark.parametrize("role", ["groups", "batch", "folds"])
@pytest.mark.parametrize("entries", [["-999", "a", "b"], [-999.0, 1, 2.5], [-999, 1, 2]])
def test_a_number_called_missing_is_missing_in_a_role(read, role, entries):
    columns = {"sample": IDS, "y": CLASSES, "tau": np.arange(N) / 4, "r": entries * 4}
    with pytest.raises(DataError, match=rf"{role} must be known for every row.*\(4 in all\)"):
        read(columns, missing=["-999"], **{role: "r"})


def test_a_number_called_missing_is_told_among_numbers_and_among_words(read):
    columns = {"sample": IDS, "y": CLASSES, "tau": [-999.0, 1.5, 2.5, 4.0] * 3}
    columns["site"] = ["-999.0", "A", "B", "B"] * 3
    dataset = read(columns, missing=[-999])
    assert dataset.X.isna().sum().to_list() == [3, 3]
    assert said(dataset, "SD040") == ["6 cells in 2 columns taken as missing"]


# ---------------------------------------------------------------- rows and columns made one

OPTIONS = {
    "zeros": ({"zeros": "missing"}, "0", ["SD043"]),
    "missing": ({"missing": [-999]}, "-999.0", ["SD040"]),
    "words": ({"missing": ["Failed"]}, "failed", ["SD040"]),
    "flags": ({"strip_flags": True}, "10.5*", ["SD042"]),
}


@pytest.mark.parametrize("shape", ["replicates", "duplicates", "long"])
@pytest.mark.parametrize("option", OPTIONS)
def test_what_is_averaged_is_read_as_the_options_say(write, shape, option):
    """Each sample has 10.5 twice, and one cell that the option is about in place of the second."""
    options, cell, told = OPTIONS[option]
    second = ["10.5", "10.5", cell] * (N // 3)
    if shape == "duplicates":
        path = write(sample=IDS, y=CLASSES, tau=["10.5"] * N, other=second)
        path.write_text(path.read_text().replace("other", "tau"))
        options = {**options, "duplicates": "mean"}
    else:
        columns = {"sample": IDS * 2, "y": CLASSES * 2}
        columns |= {"analyte": ["tau"] * 2 * N} if shape == "long" else {}
        path = write(**columns, value=["10.5"] * N + second)
        if shape == "long":
            more = pd.DataFrame({"sample": IDS, "y": CLASSES, "analyte": "crp", "value": "3.5"})
            more.to_csv(path, mode="a", header=False, index=False)
            options["long"] = {"id": "sample", "name": "analyte", "value": "value"}
        options = {**options, "replicates": "mean"}
    dataset = Dataset.from_file(path, target="y", **options)
    assert set(dataset.X[dataset.feature_names[0]]) == {10.5}
    assert [code for code in codes(dataset) if code in ("SD040", "SD042", "SD043")] == told
    assert said(dataset, told[0])[0].replace("zeros", "cells").split(" in ")[0] in (
        "4 cells",
        "flags taken off 4 numbers",
    )


def test_replicates_of_a_role_take_the_entry_that_is_not_called_missing(write):
    sites = [["-999.0", "1.0"], ["2.0", "-999.0"]] * (N // 2)
    path = write(
        sample=[name for name in IDS for _ in range(2)],
        y=[label for label in CLASSES for _ in range(2)],
        site=[cell for pair in sites for cell in pair],
        tau=np.arange(2 * N) / 4,
    )
    dataset = Dataset.from_file(path, target="y", batch="site", replicates="mean", missing=[-999])
    assert list(dataset.batch) == ["1", "2"] * (N // 2)


# ---------------------------------------------------------------- limits of detection


@pytest.mark.parametrize("below", ["half", "value"])
def test_a_value_below_a_limit_is_neither_missing_nor_constant(write, below):
    low = ["<LOD" if label == "case" else None for label in CLASSES]
    tau = [cell or f"{place}.5" for place, cell in enumerate(low)]
    path = write(sample=IDS, y=CLASSES, two=[cell or "1" for cell in low], tau=tau)
    dataset = Dataset.from_file(path, target="y", below_detection=below)
    assert not any("missing" in what for what in said(dataset, "SD021"))
    if below == "half":
        assert said(dataset, "SD022") == []  # as value, it is the same in every fold


def test_a_feature_that_is_missing_in_one_class_is_told(write):
    low = ["<LOD" if label == "case" else str(place) for place, label in enumerate(CLASSES)]
    path = write(sample=IDS, y=CLASSES, tau=low, crp=np.arange(N) % 5)
    dataset = Dataset.from_file(path, target="y", below_detection="missing")
    assert any("missing" in what for what in said(dataset, "SD021"))


def learned(cells, *, rows=slice(None), below="half"):
    """What stands for <LOD in some rows."""
    columns = {"tau": cells, "y": (CLASSES * 2)[: len(cells)]}
    dataset = Dataset.from_frame(pd.DataFrame(columns), target="y", below_detection=below)
    return learn_limits(dataset.X.iloc[rows], dataset.below).low.tolist()


@pytest.mark.parametrize(
    ("below", "cells", "expected"),
    [
        ("half", ["<LOD", "<0.5", "0.25", "3", "4", "5"], 0.125),
        ("half", ["<LOD", "<0.5", "0.75", "3", "4", "5"], 0.25),
        ("half", ["<LOD", "<0", "0", "3", "4", "5"], 0.0),
        ("value", ["<LOD", "<0.5", "0.25", "3", "4", "5"], 0.25),
        ("value", ["<LOD", "<0.5", "0.5", "3", "4", "5"], 0.5),
    ],
)
def test_a_measured_value_is_not_taken_for_half_of_a_stated_limit(below, cells, expected):
    assert learned(cells, below=below) == [expected]


def test_canary_a_limit_that_a_test_row_states_changes_no_limit_of_the_training_rows():
    training = ["<LOD", "0.25", "3", "4", "5", "<2"]
    assert learned([*training, "<0.5", "7"], rows=slice(6)) == learned(
        [*training, "6", "7"], rows=slice(6)
    )


# ---------------------------------------------------------------- names


def test_a_column_called_like_a_block_and_its_column_is_refused(write):
    mine = write("a.csv", sample=IDS, x=range(N), **{"b:x": range(N)})
    other = write("b.csv", sample=IDS, x=range(N), y=CLASSES)
    with pytest.raises(DataError, match=r"'b:x' is a column of a\.csv and 'x' of the block 'b'"):
        Dataset.from_file({"a": mine, "b": other}, target="y", features=["*"])
    assert Dataset.from_file({"a": mine, "c": other}, target="y", features=["*"]).X.shape[1] == 3


@pytest.mark.parametrize("entry", ["unit", "un*"])
def test_a_column_that_the_long_form_left_out_may_be_dropped(write, entry):
    path = write(
        sample=[name for name in IDS for _ in range(2)],
        analyte=["tau", "crp"] * N,
        value=np.arange(2 * N) / 4,
        unit=["pg/ml", "mg/l"] * N,
        y=[label for label in CLASSES for _ in range(2)],
    )
    spread = {"id": "sample", "name": "analyte", "value": "value"}
    dataset = Dataset.from_file(path, target="y", long=spread, drop=[entry])
    assert dataset.feature_names == ("tau", "crp")
    with pytest.raises(ConfigError, match="there is no feature 'units'"):
        Dataset.from_file(path, target="y", long=spread, drop=["units"])


# ---------------------------------------------------------------- files


def test_formulas_without_values_are_told(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["sample", "y", "tau", "twice"])
    for row, (name, label) in enumerate(zip(IDS, CLASSES, strict=True), start=2):
        book.active.append([name, label, row / 4, f"=C{row}*2" if row % 3 else row / 2])
    book.save(tmp_path / "t.xlsx")
    dataset = Dataset.from_file(tmp_path / "t.xlsx", target="y")
    (finding,) = [entry for entry in dataset.findings if entry.code == "SD050"]
    assert finding.what.startswith("8 cells of sheet 'Sheet' of t.xlsx hold a formula")
    assert finding.evidence == "'D2', 'D4', 'D5', 'D7', 'D8' and 3 more"


def test_formulas_with_values_and_with_empty_texts_are_not_told():
    cell = b'<c r="B2"%s><f>%s</f>%s</c>'
    shared = b'<c r="B2"><f t="shared" si="0"/>%s</c>'
    stored = [
        cell % (b"", b"A1*2", b"<v>4</v>"),
        cell % (b' t="str"', b'IF(A1>0,A1,"")', b"<v></v>"),
    ]
    assert _formulas(b"".join([*stored, shared % b"<v>4</v>", b'<c r="B2"/>'])) == []
    for value in (b"", b"<v/>", b"<v />", b"<v></v>"):
        assert _formulas(cell % (b"", b"A1*2", value) + shared % value) == ["B2", "B2"]


@pytest.mark.parametrize("above", ["", "# made by hand\r", "Results of May\r\r"])
def test_lines_may_end_as_on_an_old_macintosh(tmp_path, above):
    rows = [
        f"{name},{label},{place}.5"
        for place, (name, label) in enumerate(zip(IDS, CLASSES, strict=True))
    ]
    (tmp_path / "t.csv").write_bytes((above + "\r".join(["sample,y,tau", *rows])).encode())
    dataset = Dataset.from_file(tmp_path / "t.csv", target="y")
    assert dataset.X.shape == (N, 1)
    assert list(dataset.sample_ids) == IDS


def test_a_column_of_crosses_is_not_called_the_same_in_every_sample(write):
    path = write(sample=IDS, y=CLASSES, diabetes=["x", ""] * (N // 2), tau=np.arange(N) % 5)
    (finding,) = [
        entry for entry in Dataset.from_file(path, target="y").findings if entry.code == "SD022"
    ]
    assert finding.what == "1 column holds one value in some samples and nothing in the others"
    assert "if an empty cell means no, fill it in" in finding.remedy
