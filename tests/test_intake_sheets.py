"""Which columns of several files are features: data, not what describes the samples."""

import numpy as np
import pytest

from smalldata import load_dataset
from smalldata.errors import ConfigError

N = 24
IDS = [f"S{i:02d}" for i in range(N)]
LABELS = ["case", "control"] * (N // 2)
VALUES = np.random.default_rng(0).normal(10, 2, (N, 12)).round(3)


def write(path, names, columns):
    """Write a table with the ids first."""
    rows = [["sample", *names], *([i, *row] for i, row in zip(IDS, columns, strict=True))]
    path.write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n")
    return str(path)


@pytest.fixture
def files(tmp_path):
    """Data, and a table of samples with age and sex."""
    data = write(tmp_path / "one.csv", [f"g{j}" for j in range(12)], VALUES)
    described = [[k, 40 + i, "mf"[i % 2]] for i, k in enumerate(LABELS)]
    sheet = write(tmp_path / "two.csv", ["class", "age", "sex"], described)
    return {"a": data, "b": sheet}


def read(files, **options):
    return load_dataset("table", path=files, target="class", **options)


def told(dataset):
    return [finding.text for finding in dataset.findings if finding.code == "SD032"]


def test_columns_of_the_table_of_samples_are_left_out_and_named(files):
    dataset = read(files)
    assert dataset.feature_names == tuple(f"g{j}" for j in range(12))
    assert told(dataset) == [
        "2 columns of two.csv, the table of samples, are no features: 'age', 'sex'; take some in "
        "with 'dataset.features=[age,sex]'"
    ]


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_naming_columns_of_samples_adds_them(files, order):
    dataset = read({block: files[block] for block in order}, features=["age"])
    assert set(dataset.feature_names) == {*(f"g{j}" for j in range(12)), "age"}
    assert told(dataset) == []


def test_naming_data_too_is_the_whole_list(files):
    assert read(files, features=["g1", "age"]).feature_names == ("g1", "age")
    assert read(files, features="g1*").feature_names == ("g1", "g10", "g11")
    assert read(files, features="*").X.shape == (N, 14)


def test_blocks_that_are_named_hold_features(files):
    assert read(files, blocks=["b"]).feature_names == ("age", "sex")
    assert read(files, blocks=["a", "b"]).X.shape == (N, 14)
    assert read(files, blocks=["a"]).X.shape == (N, 12)


def test_a_table_of_samples_alone_is_data(files):
    assert read(files["b"]).feature_names == ("age", "sex")


def test_a_column_left_out_may_be_dropped_but_an_unknown_one_not(files):
    assert read(files, drop=["age"]).X.shape == (N, 12)
    assert read(files, drop=["s*x", "g1"]).X.shape == (N, 11)
    with pytest.raises(ConfigError, match="there is no feature 'bmi'"):
        read(files, drop=["bmi"])


@pytest.mark.parametrize(
    ("block", "n_columns", "is_sheet"),
    [
        ("x", 3, True),
        ("x", 12, False),  # ten numbers or more are data that carry the outcome
        ("clinical", 12, True),
        ("phenoData", 12, True),
        ("rna", 3, False),
        ("metabolites", 3, False),
        ("proteome", 3, False),
        ("meta", 12, True),
        ("rna_samples", 3, True),  # both words: the columns decide
        ("rna_samples", 12, False),
    ],
)
def test_the_file_of_the_target_may_hold_data(tmp_path, block, n_columns, is_sheet):
    own = [[k, *row[:n_columns]] for k, row in zip(LABELS, VALUES, strict=True)]
    names = ["class", *(f"m{j}" for j in range(n_columns))]
    files = {
        "other": write(tmp_path / "o.csv", ["g1", "g2"], VALUES[:, :2]),
        block: write(tmp_path / "t.csv", names, own),
    }
    dataset = read(files)
    assert dataset.X.shape == (N, 2 if is_sheet else 2 + n_columns)
    assert bool(told(dataset)) == is_sheet


def test_text_among_many_columns_describes_samples(tmp_path):
    own = [[k, *row, *"xyzw"] for k, row in zip(LABELS, VALUES, strict=True)]
    names = ["class", *(f"m{j}" for j in range(16))]
    files = {
        "other": write(tmp_path / "o.csv", ["g1", "g2"], VALUES[:, :2]),
        "x": write(tmp_path / "t.csv", names, own),
    }
    assert read(files).feature_names == ("g1", "g2")
