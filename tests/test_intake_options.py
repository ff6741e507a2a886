"""What an option says holds wherever cells are read, and changes nothing else."""

import numpy as np
import pandas as pd
import pytest

from smalldata import Dataset
from smalldata.errors import DataError

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
