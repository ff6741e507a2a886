"""Tables in memory, DataFrames and AnnData objects, become the datasets their files would."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_matrix, csr_matrix

from smalldata.datasets import load_dataset
from smalldata.datasets.anndata import dataset_from_anndata
from smalldata.datasets.frames import dataset_from_frame
from smalldata.errors import ConfigError, DataError
from smalldata.task import TaskKind


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "age": [61, 72, 58, 66, 70, 59],
            "tau": [0.5, np.nan, 1.5, 2.0, 2.5, 3.0],
            "sex": ["f", "m", None, "m", "f", "m"],
            "smoker": [True, False, True, True, False, False],
            "share": ["1 %", "2 %", "3 %", "NA", "5 %", "6 %"],
            "seen": pd.date_range("2020-01-01", periods=6),
            "clinic": ["k1", "k1", "k2", "k2", "k3", "k3"],
            "outcome": ["case", "control"] * 3,
        },
        index=[f"p{row}" for row in range(6)],
    )


def same(found, wanted):
    pd.testing.assert_frame_equal(found.X, wanted.X)
    for part in ("y", "sample_ids", "groups"):
        np.testing.assert_array_equal(getattr(found, part), getattr(wanted, part))
    for part in ("kind", "positive", "feature_blocks", "target", "warnings"):
        assert getattr(found, part) == getattr(wanted, part)


def test_a_frame_is_read_as_its_csv_file_is(frame, tmp_path):
    frame.to_csv(tmp_path / "my.csv")
    options = {"target": "outcome", "groups": "clinic", "drop": ["age"]}
    found = dataset_from_frame(frame, **options)
    same(found, load_dataset(path=tmp_path / "my.csv", **options))
    assert found.messages == (
        "read 6 x 4 from frame (DataFrame); id: index; groups: clinic; percent signs taken off in "
        "1 columns; target: outcome (binary, positive: case); 1 categorical; 3 missing values",
    )
    assert found.feature_names == ("tau", "sex", "smoker", "share")


def test_a_frame_is_not_changed(frame):
    before = frame.copy()
    dataset_from_frame(frame, target="outcome")
    pd.testing.assert_frame_equal(frame, before)


def test_categories_stay_categories_in_their_order(frame):
    frame["grade"] = pd.Categorical([1, 2, 1, 3, 2, 1])
    frame["stage"] = pd.Categorical(
        ["low", "high", None, "mid", "low", "high"], categories=["low", "mid", "high"], ordered=True
    )
    X = dataset_from_frame(frame, target="outcome").X
    assert X["grade"].cat.categories.tolist() == ["1", "2", "3"]
    assert not X["grade"].cat.ordered
    assert X["stage"].cat.categories.tolist() == ["low", "mid", "high"]
    assert X["stage"].cat.ordered
    assert X["stage"].isna().tolist() == [False, False, True, False, False, False]


def test_a_categorical_target_is_of_classes_though_it_holds_numbers(frame):
    frame["grade"] = pd.Categorical([1.5, 2.5, 3.5] * 2)
    assert dataset_from_frame(frame, target="grade").kind is TaskKind.MULTICLASS
    frame["grade"] = frame["grade"].astype(float)
    assert dataset_from_frame(frame, target="grade").kind is TaskKind.REGRESSION


def test_nullable_and_object_columns_are_numbers_with_gaps(frame):
    frame["count"] = pd.array([1, None, 3, 4, 5, 6], dtype="Int64")
    frame["mixed"] = np.array([1, "2", None, 4.5, "NA", 6], dtype=object)
    X = dataset_from_frame(frame, target="outcome").X
    np.testing.assert_array_equal(X["count"], [1, np.nan, 3, 4, 5, 6])
    np.testing.assert_array_equal(X["mixed"], [1, 2, np.nan, 4.5, np.nan, 6])


def test_ids_of_many_digits_keep_them_all(frame):
    long = [2**60 + row for row in range(6)]
    frame["person"] = np.array(long, dtype=np.uint64)
    found = dataset_from_frame(frame, target="outcome", id="person")
    assert found.sample_ids.tolist() == list(map(str, long))
    found = dataset_from_frame(frame.set_index("person"), target="outcome")
    assert found.sample_ids.tolist() == list(map(str, long))


def test_text_as_bytes_is_text_and_a_level_that_means_missing_is_none(frame):
    frame["site"] = [b"a", b" b", b"NA", b"a", b"b", b"a"]
    frame["stage"] = pd.Categorical(
        ["low", "NA", "high", "low", "", "low"], categories=["", "low", "high", "NA"], ordered=True
    )
    X = dataset_from_frame(frame, target="outcome").X
    assert X["site"].cat.categories.tolist() == ["a", "b"]
    assert X["stage"].cat.categories.tolist() == ["low", "high"]
    assert X["stage"].isna().sum() == X["site"].isna().sum() + 1 == 2


def test_ids_come_from_the_index_or_from_the_column_that_is_named(frame):
    plain = frame.reset_index(names="person")
    found = dataset_from_frame(plain, target="outcome")
    assert found.sample_ids.tolist() == frame.index.tolist(), "row numbers are no ids"
    plain.index = pd.Index([f"row {row}" for row in range(6)])
    assert dataset_from_frame(plain, target="outcome").sample_ids.tolist() == list(plain.index)
    named = dataset_from_frame(plain, target="outcome", id="person")
    assert named.sample_ids.tolist() == frame.index.tolist()
    assert "person" not in named.feature_names


def test_frames_are_joined_on_their_index(frame):
    rna = pd.DataFrame({"TP53": range(5), "MYC": range(5)}, index=frame.index[:5])
    both = dataset_from_frame({"clinical": frame, "rna": rna}, target="outcome", blocks=["rna"])
    assert both.sample_ids.tolist() == frame.index[:5].tolist()
    assert both.block_names == ("rna",)
    assert both.warnings[0] == (
        "samples that are not in every file were left out: 1 of 6 samples of clinical is not in "
        "rna: 'p5' [SD031]"
    )


def test_the_name_tells_tables_apart(frame):
    def name(table):
        return dataset_from_frame(table, target="outcome", name="mine").name

    assert name(frame).startswith("mine-")
    assert name(frame) == name(frame.copy())
    changed = frame.copy()
    changed.loc["p0", "tau"] = 9.0
    assert name(changed) != name(frame)
    stage = ["a", "b"] * 3
    orders = [pd.Categorical(stage, categories=c, ordered=True) for c in (["a", "b"], ["b", "a"])]
    assert name(frame.assign(stage=orders[0])) != name(frame.assign(stage=orders[1]))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda f: f.to_dict(), ConfigError, r"must be a pandas DataFrame, or several as .* dict"),
        (lambda f: f.to_numpy(), ConfigError, r"must be a pandas DataFrame.* ndarray"),
        (lambda f: {}, ConfigError, r"got none"),
        (lambda f: f.iloc[:0], DataError, r"frame must hold rows; it has 8 columns and no row"),
        (lambda f: pd.concat([f, f]), DataError, r"ids in the index of frame repeat: 'p0' twice"),
        (lambda f: pd.concat([f, f[["tau"]]], axis=1), DataError, r"1 name repeats: 'tau'"),
        (lambda f: f.rename(columns={"tau": " "}), DataError, r"column 2 has none"),
        (lambda f: f.set_index("sex"), DataError, r"the index of frame has none in row 3 \(1 in"),
        (lambda f: f.set_index(["sex", "age"]), DataError, r"it has 2 levels"),
        (lambda f: pd.concat({"a": f}, axis=1), DataError, r"columns of frame .* have 2 levels"),
        (lambda f: f.assign(tau=[[1]] * 6), DataError, r"'tau' of frame holds list"),
        (lambda f: f.assign(tau=1j), DataError, r"'tau' of frame holds complex"),
        (lambda f: f.assign(tau=b"\xff"), DataError, r"'tau' of frame .* some .* cannot be read"),
        (lambda f: f.assign(sex="f\x1b[2J"), DataError, r"no control characters; .* has U\+001B"),
        (lambda f: f.assign(tau=np.inf), DataError, r"column 'tau' of sample 'p0' is inf"),
        (lambda f: f.assign(outcome=None), DataError, r"'outcome' must hold values; every row"),
        (
            lambda f: f.assign(tau=["<1", *map(str, range(5))]),
            DataError,
            r"'tau' has '<1' in row p0",
        ),
        (lambda f: f.rename(columns={"outcome": "Outcome"}), ConfigError, r"mean 'Outcome'\?"),
    ],
)
def test_frames_that_are_no_dataset_are_refused(frame, change, error, message):
    frame["age"] = frame["age"].astype(float)
    with pytest.raises(error, match=message):
        dataset_from_frame(change(frame), target="outcome")


def test_settings_are_checked_as_those_of_a_file_are(frame):
    for options, message in (
        ({"id": "persn"}, "id must be a column of frame; there is no column 'persn'"),
        ({"drop": "taw"}, "there is no feature 'taw'; did you mean 'tau'"),
        ({"positive": "ill"}, r"positive must be a class of 'outcome' \('case', 'control'\)"),
        ({"decimal": ";"}, "decimal must be '.' or ','; got ';'"),
        ({"blocks": "rna"}, "there is no block 'rna'"),
    ):
        with pytest.raises(ConfigError, match=message):
            dataset_from_frame(frame, target="outcome", **options)


# ---------------------------------------------------------------- AnnData


VALUES = np.arange(24.0).reshape(6, 4) % 5


@pytest.fixture
def adata(frame):
    """Return what a stand-in needs of an AnnData object; no more is read of a real one."""
    var = pd.DataFrame({"symbol": ["TP53", "EGFR", "MYC", "KRAS"]}, index=list("wxyz"))
    layers = {"csr": csr_matrix(VALUES * 2), "csc": csc_matrix(VALUES * 3)}
    return SimpleNamespace(X=csr_matrix(VALUES), obs=frame, var=var, layers=layers)


def test_matrix_layers_names_and_roles_of_an_object(adata):
    plain = dataset_from_anndata(adata, target="outcome")
    np.testing.assert_array_equal(plain.X.to_numpy(), VALUES)
    assert plain.feature_names == ("w", "x", "y", "z")
    assert plain.messages == (
        "read 6 x 4 from anndata (X); id: index of obs; target: outcome (binary, positive: case)",
    )
    full = dataset_from_anndata(
        adata,
        target="outcome",
        layer="csc",
        names="symbol",
        obs=["tau", "sex"],
        groups="clinic",
    )
    np.testing.assert_array_equal(full.X[["TP53", "KRAS"]], VALUES[:, [0, 3]] * 3)
    assert full.feature_blocks == ("X",) * 4 + ("obs",) * 2
    assert full.X["sex"].cat.categories.tolist() == ["f", "m"]
    assert full.groups.tolist() == ["k1", "k1", "k2", "k2", "k3", "k3"]
    assert full.name != plain.name


def test_an_object_is_read_as_its_file_is(adata, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "cells.h5ad", "w") as handle:
        handle.create_dataset("X", data=VALUES)
        for group, frame in (("obs", adata.obs[["tau", "sex", "outcome"]]), ("var", adata.var)):
            held = handle.create_group(group)
            held.attrs["_index"] = "index"
            for name, column in frame.reset_index(names="index").items():
                is_text = column.dtype.kind != "f"
                data = np.array(column.fillna(""), dtype=object) if is_text else column.to_numpy()
                held.create_dataset(name, data=data, dtype=h5py.string_dtype() if is_text else None)
    options = {"target": "outcome", "obs": ["tau", "sex"], "names": "symbol"}
    wanted = load_dataset("h5ad", path=tmp_path / "cells.h5ad", **options)
    same(dataset_from_anndata(adata, **options), wanted)


def test_objects_that_are_no_dataset_are_refused(adata):
    def refused(error, message, **options):
        with pytest.raises(error, match=message):
            dataset_from_anndata(adata, **({"target": "outcome"} | options))

    refused(
        ConfigError, "target must be a column of obs of anndata; .* mean 'outcome'", target="outcom"
    )
    refused(ConfigError, "layer must be one of csr, csc in anndata; got 'raw'", layer="raw")
    refused(ConfigError, "names must be a column of var of anndata", names="gene")
    refused(ConfigError, "obs must name features; 'outcome' has another role", obs="outcome")
    adata.X = None
    refused(DataError, "anndata must have a matrix X; name one of its layers: 'csr', 'csc'")
    adata.X = VALUES[:, :3]
    refused(DataError, r"must be obs x var \(6 x 4\); it is 6 x 3")
    for values in (VALUES * 1j, VALUES.astype(object), csr_matrix(VALUES * 1j)):
        adata.X = values
        refused(DataError, "the matrix of anndata must be an array of numbers.* of type")
    adata.X, adata.layers = None, {}
    refused(DataError, "anndata must have a matrix X; it has no layer either")
    with pytest.raises(ConfigError, match=r"adata must be an AnnData object.* type str"):
        dataset_from_anndata("cells.h5ad", target="outcome")
