"""The bundled tables are what data/README.md says, and a changed one is refused."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from smalldata.datasets import bundled, load_dataset
from smalldata.errors import ConfigError, DataError
from smalldata.runtime import catalogue
from smalldata.task import TaskKind, make_task

# name: rows, features, missing values, kind, class counts or (smallest, largest) value
TABLES = {
    "omics": (333, 130, 0, "binary", {"Impaired": 91, "Control": 242}),
    "acc": (92, 997, 10334, "binary", {"alive": 58, "deceased": 34}),
    "tissue": (
        189,
        500,
        0,
        "multiclass",
        {
            "kidney": 39,
            "cerebellum": 38,
            "colon": 34,
            "hippocampus": 31,
            "liver": 26,
            "endometrium": 15,
            "placenta": 6,
        },
    ),
    "nci60": (
        57,
        6830,
        0,
        "multiclass",
        {
            "RENAL": 9,
            "NSCLC": 9,
            "MELANOMA": 8,
            "BREAST": 7,
            "COLON": 7,
            "OVARIAN": 6,
            "LEUKEMIA": 6,
            "CNS": 5,
        },
    ),
    "srbct": (63, 2308, 1282, "multiclass", {"EWS": 23, "RMS": 20, "NB": 12, "BL": 8}),
    "gse7390": (189, 80, 2, "binary", {"yes": 35, "no": 154}),
    "liver": (281, 376, 0, "multiclass", {"mild": 145, "none": 106, "severe": 30}),
    "nutrimouse": (
        40,
        141,
        0,
        "multiclass",
        {"lin": 8, "sun": 8, "fish": 8, "ref": 8, "coc": 8},
    ),
    "pd_speech": (252, 751, 0, "binary", {"PD": 188, "control": 64}),
    "meats": (215, 100, 0, "regression", (0.9, 49.1)),
    "permeability": (165, 1107, 0, "regression", (0.06, 55.6)),
}


@pytest.mark.parametrize("name", TABLES)
def test_bundled_table_has_documented_shape_and_target(name):
    n_samples, n_features, n_missing, kind, outcome = TABLES[name]
    dataset = load_dataset(name)
    task = make_task(dataset)
    assert dataset.name == name
    assert dataset.X.shape == (n_samples, n_features)
    assert int(dataset.X.isna().sum().sum()) == n_missing
    assert dataset.kind is TaskKind(kind)
    assert len(set(dataset.sample_ids)) == n_samples
    # some samples of these are there twice: tests/test_intake_twins.py
    has_twins = name in ("tissue", "srbct")
    assert [w for w in dataset.warnings if "[SD007]" not in w or not has_twins] == []
    assert len(dataset.messages) == 1
    assert dataset.provenance.licence
    assert dataset.provenance.citation
    if kind == "regression":
        assert (dataset.y.min(), dataset.y.max()) == outcome
    else:
        labels, counts = np.unique(dataset.y.astype(str), return_counts=True)
        assert dict(zip(labels.tolist(), counts.tolist(), strict=True)) == outcome
        assert set(task.classes) == set(outcome)
    assert dataset.provenance.sha256 in readme()


def readme():
    return (catalogue.data_dir() / "README.md").read_text()


def test_omics_keeps_categorical_and_known_markers():
    dataset = load_dataset()
    assert dataset.name == "omics"
    assert dataset.positive == "Impaired"
    assert list(dataset.X["Genotype"].cat.categories) == [
        "E2E2",
        "E2E3",
        "E2E4",
        "E3E3",
        "E3E4",
        "E4E4",
    ]
    assert {"tau", "p_tau", "Ab_42"} <= set(dataset.feature_names)
    numeric = dataset.X.drop(columns="Genotype")
    assert (numeric.dtypes == np.float64).all()
    assert set(np.unique(dataset.X["male"])) == {0.0, 1.0}


def test_acc_blocks_are_counted_and_missing_as_whole_blocks():
    dataset = load_dataset("acc")
    counts = {block: dataset.feature_blocks.count(block) for block in dataset.block_names}
    assert counts == {"rna": 198, "copy_number": 198, "protein": 33, "mutation": 97, "mirna": 471}
    blocks = np.array(dataset.feature_blocks)
    n_patients = {}
    for block in dataset.block_names:
        absent = dataset.X.loc[:, blocks == block].isna()
        assert (absent.all(axis=1) == absent.any(axis=1)).all()
        n_patients[block] = int((~absent.all(axis=1)).sum())
    assert n_patients == {
        "rna": 79,
        "copy_number": 90,
        "protein": 46,
        "mutation": 90,
        "mirna": 80,
    }
    # log2(1 + x) of the first count in the source, RNASeq2GeneNorm[DIRAS3, TCGA-OR-A5J1]
    row = list(dataset.sample_ids).index("TCGA-OR-A5J1")
    assert dataset.X["rna:DIRAS3"][row] == np.log2(1 + 1487.0317)


def test_blocks_are_chosen_and_named():
    chosen = load_dataset("acc", blocks=["rna", "mirna"])
    assert chosen.X.shape == (92, 669)
    assert chosen.block_names == ("rna", "mirna")
    assert chosen.name == "acc-rna+mirna"
    whole = load_dataset("acc")
    assert make_task(chosen).split_key == make_task(whole).split_key
    assert make_task(chosen).content_key != make_task(whole).content_key
    all_named = load_dataset("acc", blocks=list(whole.block_names))
    assert make_task(all_named).content_key == make_task(whole).content_key


def test_alternative_target_is_named_and_no_feature():
    dataset = load_dataset("nutrimouse", target="genotype", kind="binary", positive="ppar")
    assert dataset.name.startswith("nutrimouse-genotype")
    assert sorted(set(dataset.y)) == ["ppar", "wt"]
    assert not {"diet", "genotype"} & set(dataset.feature_names)
    assert not {"water", "protein", "fat"} & set(load_dataset("meats").feature_names)


def test_drop_takes_names_and_patterns_and_changes_the_name():
    dataset = load_dataset("omics", drop=["tau", "p_*"])
    assert not {"tau", "p_tau"} & set(dataset.feature_names)
    assert dataset.name.startswith("omics-drop2.")
    assert load_dataset("omics", drop=["tau"]).name != load_dataset("omics", drop=["age"]).name


def test_equal_meat_spectra_share_a_group():
    dataset = load_dataset("meats")
    _, spectrum = np.unique(dataset.X.to_numpy(), axis=0, return_inverse=True)
    assert len(set(spectrum)) == len(set(dataset.groups)) == 193
    assert len(set(zip(spectrum, dataset.groups, strict=True))) == 193


def test_srbct_names_are_unique_and_say_where_they_repeat():
    names = load_dataset("srbct").feature_names
    assert len(set(names)) == 2308
    assert "ESTs #69" in names or any(name.startswith("ESTs #") for name in names)
    assert not any('"' in name for name in names)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"blocks": ["rnaa"]}, r"no block 'rnaa'; did you mean 'rna' or 'mirna'\?"),
        ({"blocks": []}, r"blocks must name some of rna, copy_number"),
        ({"target": "vital"}, r"target must be one of vital_status in acc; .*'vital_status'\?"),
        ({"drop": ["rna:TP54"]}, r"no feature 'rna:TP54'; did you mean 'rna:TP53'"),
        ({"groups": "hospital"}, r"groups must be a column of acc; there is no column 'hospital'"),
        ({"targett": "x"}, r"there is no key 'targett'; did you mean 'target'\?"),
        ({"_target_": "os.system"}, r"there is no key '_target_'"),
    ],
)
def test_wrong_dataset_settings_are_refused_by_name(values, sentence):
    with pytest.raises(ConfigError, match=sentence):
        load_dataset("acc", **values)


def test_unknown_dataset_offers_the_nearest():
    with pytest.raises(ConfigError, match=r"no 'omic'; did you mean omics"):
        load_dataset("omic")


@pytest.mark.parametrize("cut", [0, 1000])
def test_bundled_file_with_another_checksum_is_refused(tmp_path, monkeypatch, cut):
    source = catalogue.data_dir() / "omics.parquet"
    copy = tmp_path / "omics.parquet"
    shutil.copy(source, copy)
    content = copy.read_bytes()
    copy.write_bytes(content[:cut] if cut else content + b"\0")
    monkeypatch.setattr(bundled, "data_dir", lambda: tmp_path)
    with pytest.raises(DataError, match=r"must have the sha256 5ef7d537aa90… .*Restore it"):
        load_dataset("omics")
    copy.unlink()
    with pytest.raises(DataError, match=r"must exist; it does not. Reinstall"):
        load_dataset("omics")


@pytest.mark.parametrize("name", TABLES)
def test_every_column_of_a_bundled_file_has_a_role(name):
    path = catalogue.data_dir() / f"{name}.parquet"
    runs = json.loads(pq.read_metadata(path).metadata[b"smalldata"])["columns"]
    assert sum(run["n_columns"] for run in runs) == pq.read_metadata(path).num_columns
    assert {run["role"] for run in runs} <= {"id", "feature", "group", "target"}
