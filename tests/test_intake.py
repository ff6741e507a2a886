"""Tables as instruments and people write them: each is read as it is meant, or refused in one line.

The same inputs through the command line and from Python; what each of them is, `intake` says.
"""

import re
import shlex

import numpy as np
import pytest
import yaml

from intake import CLASSES, IDS, INPUTS, VALUES, N
from smalldata.__main__ import main
from smalldata.datasets import load_dataset
from smalldata.errors import ConfigError, DataError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files of all inputs, which is the current one."""
    for name, given in INPUTS.items():
        for file, content in {name: given.content, **given.beside}.items():
            (tmp_path / file).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder, capsys):
    """Run the command line dry on an input; gives its status, and what it prints."""

    def command(name, *overrides):
        path = [] if any(each.startswith("dataset.path=") for each in overrides) else [name]
        words = [
            *("model=dummy", "dataset=table", *(f"dataset.path={each}" for each in path)),
            *overrides,
        ]
        status = main([*words, "dry_run=true"])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return command


def options_of(overrides):
    """Overrides as arguments of `load_dataset`."""
    pairs = (each.removeprefix("dataset.").split("=", 1) for each in overrides)
    return {key: yaml.safe_load(re.sub(r":(?=\w)", ": ", value)) for key, value in pairs}


def read(name, *overrides, without=()):
    """Read an input from Python: with its own overrides but some, and with further ones."""
    own = [
        each
        for each in INPUTS[name].overrides
        if each.split("=")[0].removeprefix("dataset.") not in without
    ]
    return load_dataset("table", **{"path": name, **options_of([*own, *overrides])})


@pytest.mark.parametrize("name", INPUTS)
def test_each_input_is_read_and_told_or_refused_in_one_line(run, name):
    given = INPUTS[name]
    status, printed = run(name, *given.overrides)
    assert [word for word in given.says if word not in printed] == [], printed
    assert "Traceback" not in printed
    if given.refuses:
        assert status == 2, printed
        told = [line for line in printed.splitlines() if not line.startswith("reading ")]
        assert len(told) == 1
    else:
        assert status == 0, printed
        assert f"read {given.n} x {given.p}" in printed


def _means():
    return np.stack([VALUES[:, :2].mean(axis=1), VALUES[:, 2:4].mean(axis=1), VALUES[:, 4]], axis=1)


EXPECTED = {name: VALUES for name, given in INPUTS.items() if not given.refuses} | {
    "coded_status.csv": VALUES[:, :1],
    "same_sample_other_name.csv": np.vstack([VALUES, VALUES[:1]]),
    "repeated_symbols.csv": _means(),
    "shared_table.tsv": VALUES[:, :2].astype(int),
    "merged_header.xlsx": VALUES[:, :3],
}
EXPECTED_IDS = {
    "same_sample_other_name.csv": [*IDS, "S99"],
    "person_in_id.csv": [f"subject{i // 2}_{'pre' if i % 2 else 'post'}" for i in range(N)],
    "series_matrix.txt": [f"GSM{s}" for s in IDS],
}
EXPECTED_LABELS = {
    "coded_status.csv": ["1:DECEASED" if i % 3 else "0:LIVING" for i in range(N)],
    "same_sample_other_name.csv": [*CLASSES, CLASSES[0]],
}


@pytest.mark.parametrize("name", sorted(EXPECTED.keys() - {"protein_groups.txt", "dotted_ids.csv"}))
def test_each_input_gives_the_values_the_labels_and_the_ids_that_it_holds(folder, name):
    dataset = read(name)
    X = dataset.X
    if name == "merged_header.xlsx":
        assert X["age"].tolist() == [40 + i for i in range(N)]
        assert X["sex"].tolist() == ["m" if i % 3 else "f" for i in range(N)]
        X = X[["p1", "p2", "p3"]]
    found, expected = X.to_numpy(dtype=float), EXPECTED[name].astype(float)
    if name == "below_detection.csv":
        found, expected = (np.delete(matrix, np.s_[::3], axis=0) for matrix in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert dataset.sample_ids.tolist() == EXPECTED_IDS.get(name, IDS)
    assert dataset.y.tolist() == EXPECTED_LABELS.get(name, CLASSES)


def test_long_form_is_refused_with_the_command_that_then_reads_it(run):
    status, printed = run("long_format.csv", "dataset.target=class")
    found = re.search(r"'?dataset\.long=\{[^}]*\}'?", printed)
    assert status == 2
    assert found, printed
    (override,) = shlex.split(found[0]) if found[0].startswith("'") else [found[0]]
    dataset = read("long_format.csv", override)
    assert options_of([override]) == {"long": {"id": "SampleID", "name": "Assay", "value": "NPX"}}
    np.testing.assert_array_equal(dataset.X[["TP53", "EGFR", "BRCA1", "MYC", "KRAS"]], VALUES)
    assert dataset.X.shape == (N, 5)
    assert (dataset.y.tolist(), dataset.sample_ids.tolist()) == (CLASSES, IDS)


def test_quality_controls_among_the_classes_are_named_with_the_remedy(run):
    _, printed = run("qc_rows.csv", "dataset.target=class")
    assert "SD004" in printed
    assert "QC" in printed
    assert "blank" in printed
    assert "dataset.classes=[case,control]" in printed.replace(", ", ",")


def test_both_ways_with_an_id_that_repeats_are_offered_and_work(run):
    _, printed = run("technical_replicates.csv", "dataset.target=class")
    assert "dataset.groups=sample" in printed
    assert "dataset.replicates=mean" in printed
    mean = read("technical_replicates.csv", "dataset.replicates=mean")
    np.testing.assert_allclose(mean.X, VALUES.reshape(N // 2, 2, 5).mean(axis=1))
    together = read("technical_replicates.csv", "dataset.groups=sample")
    assert together.X.shape == (N, 5)
    assert together.groups.tolist() == [f"S{i // 2:02d}" for i in range(N)]


def test_a_row_of_units_is_kept_as_units(folder):
    dataset = read("unit_row.csv")
    expected = {"TP53": "mg/L", "EGFR": "mg/L", "BRCA1": "ng/mL", "MYC": "%", "KRAS": "a.u."}
    assert dict(dataset.reading.units) == expected


def test_symbols_turned_into_dates_are_warned_of_and_kept(folder):
    dataset = read("gene_dates.csv")
    assert dataset.feature_names == ("1-Sep", "2-Mar", "TP53", "44256", "Dec-01")
    (told,) = (str(finding) for finding in dataset.findings if finding.code == "SD020")
    assert all(word in told for word in ("1-Sep", "2-Mar", "Dec-01", "SEPTIN1", "MARCHF2"))


def test_a_taxon_called_family_is_no_family_of_persons(folder):
    assert not {"SD002", "SD008"} & {finding.code for finding in read("metadata_rows.tsv").findings}


def test_rows_of_metadata_are_suspects_where_nobody_says_which_rows_are_features(run):
    status, printed = run(
        "metadata_rows.tsv", "dataset.target=disease", "dataset.transpose=true", "dataset.drop=[]"
    )
    assert status == 2
    assert all(name in printed for name in ("'country'", "'age'", "'ctp'")), printed
    assert 'dataset.features="k__*"' in printed


def test_intensities_lose_their_prefix_and_zeros_are_missing(folder):
    dataset = read("protein_groups.txt")
    assert dataset.sample_ids.tolist() == IDS
    rows = [line.split("\t") for line in INPUTS["protein_groups.txt"].content.decode().splitlines()]
    written = np.array([row[2 + N : 2 + 2 * N] for row in rows[1:5]], dtype=float).T
    np.testing.assert_array_equal(dataset.X, np.where(written == 0, np.nan, written))


@pytest.mark.parametrize("name", ["series_matrix.txt", "otu_table.tsv"])
def test_a_column_of_the_samples_is_a_feature_only_where_it_is_asked_for(folder, name):
    dataset = read(name)
    assert "age" not in dataset.feature_names
    (told,) = (finding for finding in dataset.findings if finding.code == "SD032")
    assert "age" in told.text
    assert "dataset.features" in told.remedy
    assert "age" in read(name, "dataset.features=[age]").feature_names


def test_ids_that_agree_but_for_punctuation_are_noticed(run):
    own = [each for each in INPUTS["dotted_ids.csv"].overrides if "join_ids" not in each]
    status, printed = run("dotted_ids.csv", *own)
    assert status == 2
    assert "dataset.join_ids=loose" in printed
    assert "24" in printed
    with pytest.raises(DataError):
        read("dotted_ids.csv", without=("join_ids",))


def test_ids_joined_loosely_give_the_same_values(folder):
    dataset = read("dotted_ids.csv")
    np.testing.assert_array_equal(dataset.X, VALUES)
    assert dataset.y.tolist() == CLASSES


def test_spellings_of_a_label_are_merged_as_offered(run):
    labels = ["case", "case", "case", "control", "control", "control"] * 4
    _, printed = run("label_spellings.csv", "dataset.target=class")
    assert "ignore_case" in printed
    merged = read("label_spellings.csv", "dataset.ignore_case=true")
    assert [label.lower() for label in merged.y] == labels
    merged = read(
        "label_spellings.csv",
        "dataset.classes={case: [case, Case, CASE], control: [control, Control]}",
    )
    assert merged.y.tolist() == labels


def test_all_markers_below_detection_are_told_in_one_sentence(run):
    _, printed = run("below_detection.csv", "dataset.target=class")
    (told,) = (line for line in printed.splitlines() if "<LOD" in line)
    assert all(marker in told for marker in ("n.d.", "< 0.05", "ND"))
    assert "dataset.below_detection=missing" in told
    assert "half" in told


def test_the_upper_of_two_headers_becomes_blocks(folder):
    dataset = read("merged_header.xlsx")
    assert dataset.feature_blocks == ("Clinical", "Clinical", "Proteins", "Proteins", "Proteins")
    assert read("merged_header.xlsx", "dataset.blocks=[Proteins]").X.shape == (N, 3)


def test_a_row_of_types_is_no_lost_sample(run):
    _, printed = run("otu_table.tsv", *INPUTS["otu_table.tsv"].overrides)
    assert "samples are not in" not in printed


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("first", VALUES[:, [0, 2, 4]]),
        ("max", np.stack([VALUES[:, :2].max(axis=1), VALUES[:, 2:4].max(axis=1), VALUES[:, 4]], 1)),
        ("number", VALUES),
    ],
    ids=["first", "max", "number"],
)
def test_repeated_names_are_one_feature_or_numbered(folder, how, expected):
    dataset = read("repeated_symbols.csv", f"dataset.duplicates={how}")
    np.testing.assert_array_equal(dataset.X, expected)
    with pytest.raises((ConfigError, DataError), match=r"dataset\.duplicates"):
        read("repeated_symbols.csv", without=("duplicates",))


def test_what_is_refused_for_its_orientation_is_read_as_the_sentence_says(folder):
    dataset = read("peaks_in_columns.csv", "dataset.transpose=true")
    np.testing.assert_array_equal(dataset.X, VALUES)
    assert dataset.feature_names[0] == "75.1/200"
