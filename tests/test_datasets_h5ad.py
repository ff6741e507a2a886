"""AnnData files, dense and sparse, new and old, are read as they were written."""

import h5py
import numpy as np
import pytest
from scipy.sparse import csc_matrix, csr_matrix

from smalldata.datasets import load_dataset
from smalldata.errors import ConfigError, DataError
from smalldata.task import TaskKind

N_SAMPLES, N_GENES = 6, 4
VALUES = np.arange(N_SAMPLES * N_GENES, dtype=np.float32).reshape(N_SAMPLES, N_GENES) % 5
OUTCOME = ["tumor", "normal", "tumor", "normal", "tumor", "normal"]


def text(group, name, values):
    group.create_dataset(name, data=np.array(values, dtype=object), dtype=h5py.string_dtype())


def categorical(group, name, values, categories):
    inner = group.create_group(name)
    inner.attrs["encoding-type"] = "categorical"
    text(inner, "categories", categories)
    codes = [categories.index(value) if value is not None else -1 for value in values]
    inner.create_dataset("codes", data=np.array(codes, dtype=np.int8))


def sparse(group, name, matrix):
    inner = group.create_group(name)
    inner.attrs["encoding-type"] = f"{matrix.format}_matrix"
    inner.attrs["shape"] = matrix.shape
    for part in ("data", "indices", "indptr"):
        inner.create_dataset(part, data=getattr(matrix, part))


@pytest.fixture
def file(tmp_path):
    """A file as anndata 0.10 writes it (the layout of its on-disk specification 0.1.0)."""
    path = tmp_path / "cells.h5ad"
    with h5py.File(path, "w") as handle:
        handle.attrs["encoding-type"] = "anndata"
        handle.create_dataset("X", data=VALUES)
        layers = handle.create_group("layers")
        sparse(layers, "csr", csr_matrix(VALUES * 2))
        sparse(layers, "csc", csc_matrix(VALUES * 3))
        obs = handle.create_group("obs")
        obs.attrs["_index"] = "barcode"
        text(obs, "barcode", [f"AAAC-{row}" for row in range(N_SAMPLES)])
        categorical(obs, "outcome", OUTCOME, ["normal", "tumor"])
        categorical(obs, "stage", ["I", "II", None, "I", "II", "I"], ["I", "II"])
        text(obs, "donor", ["d1", "d1", "d2", "d2", "d3", "d3"])
        obs.create_dataset("age", data=np.array([50.5, 51, np.nan, 53, 54, 55]))
        obs.create_dataset("treated", data=np.array([True, False, True, False, True, True]))
        nullable = obs.create_group("count")
        nullable.attrs["encoding-type"] = "nullable-integer"
        nullable.create_dataset("values", data=np.arange(N_SAMPLES))
        nullable.create_dataset("mask", data=np.array([False, True, False, False, False, False]))
        var = handle.create_group("var")
        var.attrs["_index"] = "gene_id"
        text(var, "gene_id", [f"ENSG{place}" for place in range(N_GENES)])
        text(var, "symbol", ["TP53", "EGFR", "MYC", "KRAS"])
        text(var, "kind", ["a", "a", "b", "b"])
    return path


def test_h5ad_reads_matrix_target_and_ids(file):
    dataset = load_dataset("h5ad", path=file, target="outcome")
    np.testing.assert_array_equal(dataset.X.to_numpy(), VALUES)
    assert dataset.feature_names == tuple(f"ENSG{place}" for place in range(N_GENES))
    assert dataset.sample_ids.tolist() == [f"AAAC-{row}" for row in range(N_SAMPLES)]
    assert dataset.y.tolist() == OUTCOME
    assert (dataset.kind, dataset.positive) == (TaskKind.BINARY, "tumor")
    assert dataset.block_names == ("X",)
    assert dataset.messages == (
        "read 6 x 4 from cells.h5ad (X); id: index of obs; "
        "target: outcome (binary, positive: tumor)",
    )
    assert dataset.name.startswith("cells-")


@pytest.mark.parametrize(("layer", "factor"), [("csr", 2), ("csc", 3)])
def test_h5ad_reads_dense_and_sparse_layers(file, layer, factor):
    dataset = load_dataset("h5ad", path=file, target="outcome", layer=layer)
    np.testing.assert_array_equal(dataset.X.to_numpy(), VALUES * factor)
    assert dataset.name != load_dataset("h5ad", path=file, target="outcome").name


def test_h5ad_reads_names_groups_and_columns_of_obs(file):
    assert (
        load_dataset("h5ad", path=file, target="outcome", names="symbol").name
        != load_dataset("h5ad", path=file, target="outcome").name
    )
    dataset = load_dataset(
        "h5ad",
        path=file,
        target="outcome",
        names="symbol",
        groups="donor",
        obs=["age", "stage", "treated", "count"],
        drop=["MYC"],
    )
    assert dataset.feature_names == ("TP53", "EGFR", "KRAS", "age", "stage", "treated", "count")
    assert dataset.feature_blocks == ("X",) * 3 + ("obs",) * 4
    assert dataset.groups.tolist() == ["d1", "d1", "d2", "d2", "d3", "d3"]
    np.testing.assert_array_equal(dataset.X["age"], [50.5, 51, np.nan, 53, 54, 55])
    np.testing.assert_array_equal(dataset.X["treated"], [1, 0, 1, 0, 1, 1])
    np.testing.assert_array_equal(dataset.X["count"], [0, np.nan, 2, 3, 4, 5])
    assert dataset.X["stage"].isna().tolist() == [False, False, True, False, False, False]
    only = load_dataset("h5ad", path=file, target="outcome", obs=["age"], blocks=["obs"])
    assert only.feature_names == ("age",)


def test_h5ad_reads_categories_of_old_file_layout(file):
    with h5py.File(file, "r+") as handle:
        obs = handle["obs"]
        del obs["outcome"]
        codes = np.array([1, 0, 1, 0, 1, 0], dtype=np.int8)
        obs.create_dataset("outcome", data=codes)
        text(obs.create_group("__categories"), "outcome", ["normal", "tumor"])
    assert load_dataset("h5ad", path=file, target="outcome").y.tolist() == OUTCOME


def test_h5ad_rows_without_a_target_are_refused_or_dropped(file):
    with pytest.raises(DataError, match=r"'stage' is missing in 1 of 6 rows .* row 3 of obs"):
        load_dataset("h5ad", path=file, target="stage")
    dataset = load_dataset("h5ad", path=file, target="stage", drop_missing_target=True)
    np.testing.assert_array_equal(dataset.X.to_numpy(), VALUES[[0, 1, 3, 4, 5]])
    assert dataset.sample_ids.tolist() == [f"AAAC-{row}" for row in (0, 1, 3, 4, 5)]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"target": "outcom"}, r"target must be a column of obs of cells.h5ad; .*'outcome'\?"),
        ({"layer": "raw"}, "layer must be one of csc, csr in cells.h5ad; got 'raw'"),
        ({"names": "symbl"}, r"names must be a column of var of cells.h5ad; .*'symbol'\?"),
        ({"groups": "person"}, r"groups must be a column of obs"),
        ({"target": None}, "path and target must be given"),
        ({"obs": ["age", "outcome"]}, "obs must name features; 'outcome' has another role"),
        ({"obs": ["donor"], "groups": "donor"}, "'donor' has another role"),
    ],
)
def test_h5ad_wrong_settings_are_refused(file, values, sentence):
    with pytest.raises(ConfigError, match=sentence):
        load_dataset("h5ad", path=file, **({"target": "outcome"} | values))


def test_h5ad_missing_group_and_repeated_name_are_refused(file):
    with pytest.raises(DataError, match=r"groups must be known .*'stage' is missing in row 3"):
        load_dataset("h5ad", path=file, target="outcome", groups="stage")
    with h5py.File(file, "r+") as handle:
        handle["var"].move("gene_id", "other")
        text(handle["var"], "gene_id", ["age", *"bcd"])
    with pytest.raises(DataError, match="'age' is in obs and in var"):
        load_dataset("h5ad", path=file, target="outcome", obs=["age"])


def test_unreadable_h5ad_files_are_refused(file, tmp_path):
    with pytest.raises(DataError, match=r"feature names must be unique in var; repeated: 'a', 'b'"):
        load_dataset("h5ad", path=file, target="outcome", names="kind")
    with pytest.raises(DataError, match=r"there is no .*nowhere.h5ad"):
        load_dataset("h5ad", path=tmp_path / "nowhere.h5ad", target="outcome")
    (tmp_path / "text.h5ad").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"text\.h5ad must be an HDF5 file"):
        load_dataset("h5ad", path=tmp_path / "text.h5ad", target="outcome")
    with h5py.File(tmp_path / "other.h5ad", "w") as handle:
        handle.create_dataset("X", data=VALUES)
    with pytest.raises(DataError, match="must be an AnnData file; it has no obs or no var"):
        load_dataset("h5ad", path=tmp_path / "other.h5ad", target="outcome")
