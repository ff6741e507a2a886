"""Whether samples stand in rows or in columns is found out where it is plain, and asked where not;
annotations of features and rows of the samples are told apart; features are those asked for."""

import numpy as np
import pandas as pd
import pytest

from smalldata.datasets import load_dataset
from smalldata.datasets.frames import dataset_from_frame
from smalldata.errors import ConfigError, DataError

N = 8
IDS = [f"B-{n:03}" for n in range(1, N + 1)]
CLASSES = ["tumor", "normal"] * (N // 2)
GENES = [f"ENSG{n:011}" for n in range(20)]
VALUES = np.random.default_rng(5).normal(8, 1, (len(GENES), N)).round(3)
ROWS = [[gene, *row] for gene, row in zip(GENES, VALUES, strict=True)]
HEADER = ["gene", *IDS]
SHEET = [["specimen", "tissue"], *zip(IDS, CLASSES, strict=True)]


def write(path, rows, separator="\t"):
    path.write_text("".join(separator.join(map(str, row)) + "\n" for row in rows))
    return path


@pytest.fixture
def read(tmp_path):
    def load(*blocks, target="tissue", **options):
        """Read files of rows, one per block: b0, b1 …"""
        files = {
            f"b{n}": write(tmp_path / f"b{n}.tsv", rows) if isinstance(rows, list) else rows
            for n, rows in enumerate(blocks)
        }
        path = files if len(blocks) > 1 else files["b0"]
        return load_dataset("table", path=path, target=target, **options)

    return load


def codes(dataset):
    return [finding.code for finding in dataset.findings]


def told(dataset, code):
    (finding,) = (finding for finding in dataset.findings if finding.code == code)
    return finding


def assert_genes(dataset, genes=GENES, values=VALUES):
    assert dataset.feature_names == tuple(genes)
    np.testing.assert_array_equal(dataset.X.to_numpy(), values.T)
    assert dataset.sample_ids.tolist() == IDS
    assert dataset.y.tolist() == CLASSES


# ------------------------------------------------------------------- by the ids of other files


@pytest.mark.parametrize("swapped", [False, True])
def test_a_matrix_is_turned_by_the_ids_of_the_sheet(read, swapped):
    files = [[HEADER, *ROWS], SHEET]
    dataset = read(*(files[::-1] if swapped else files))
    assert_genes(dataset)
    finding = told(dataset, "SD015")
    assert finding.what == (
        f"b{int(swapped)}.tsv was turned, since its header holds 8 ids of the other files"
    )
    assert dataset.reading.settings["transpose"] == [f"b{int(swapped)}"]
    said = read(*(files[::-1] if swapped else files), transpose=[f"b{int(swapped)}"])
    assert_genes(said)
    assert "SD015" not in codes(said)


@pytest.mark.parametrize("n_genes", [3, 20])
def test_the_ids_decide_whatever_the_shape(read, n_genes):
    assert_genes(read([HEADER, *ROWS[:n_genes]], SHEET), GENES[:n_genes], VALUES[:n_genes])


def test_parquet_is_turned_by_the_ids_too(read, tmp_path):
    frame = pd.DataFrame(ROWS, columns=HEADER)
    frame.to_parquet(tmp_path / "m.parquet")
    assert_genes(read(tmp_path / "m.parquet", SHEET))
    frame.insert(0, "length", range(100, 120))
    frame.insert(1, "about", "x")
    frame.to_parquet(tmp_path / "m.parquet")
    dataset = read(tmp_path / "m.parquet", SHEET)
    assert_genes(dataset)
    assert told(dataset, "SD013").evidence == "'length', 'about'"


def test_two_matrices_with_the_same_genes_are_joined_on_the_samples(read):
    dataset = read([HEADER, *ROWS], [HEADER, *ROWS[::-1]], SHEET)
    assert len(dataset.X) == N
    assert dataset.X.shape[1] == 2 * len(GENES)
    assert dataset.sample_ids.tolist() == IDS


def test_a_table_of_samples_in_rows_stays_as_it_is(read):
    plain = [["specimen", *GENES], *([i, *row] for i, row in zip(IDS, VALUES.T, strict=True))]
    dataset = read(plain, SHEET)
    assert_genes(dataset)
    assert codes(dataset) == []
    many = [["specimen", "g1", "g2"], *([i, 1.5 - n, 2.5 + n * n] for n, i in enumerate(IDS))]
    assert codes(read(many, SHEET)) == []


def test_running_numbers_of_features_are_no_ids(read):
    """Samples 1 to 8 in the header, features 1 to 20 in the first column."""
    ids = [str(n) for n in range(1, N + 1)]
    rows = [[n, f"met{n}", *row] for n, row in enumerate(VALUES, start=1)]
    sheet = [["patient", "tissue"], *zip(ids, CLASSES, strict=True)]
    dataset = read([["no", "name", *ids], *rows], sheet)
    assert dataset.sample_ids.tolist() == ids
    assert dataset.feature_names == tuple(f"met{n}" for n in range(1, 21))


def test_features_that_are_ids_in_a_loose_spelling_only_are_none(read):
    """x_001 would be 1 without its X and its zeros."""
    ids = [str(n) for n in range(1, N + 1)]
    rows = [[f"x_{n:03}", *row] for n, row in enumerate(VALUES[:9], start=1)]
    dataset = read([["wave", *ids], *rows], [["id", "tissue"], *zip(ids, CLASSES, strict=True)])
    assert dataset.sample_ids.tolist() == ids


def test_a_target_is_found_below_thousands_of_features(read):
    rows = [[f"f{n}", *range(n, n + N)] for n in range(5200)]
    dataset = read([HEADER, *rows, ["tissue", *CLASSES]])
    assert dataset.X.shape == (N, 5200)


def test_rounded_values_that_all_differ_are_no_ids(read):
    ids = [str(n) for n in range(1, N + 1)]
    rows = [["f1", *range(1, N + 1)], ["f2", *range(N, 0, -1)]]
    dataset = read(
        [["name", *ids], *rows], [["patient", "tissue"], *zip(ids, CLASSES, strict=True)]
    )
    assert dataset.sample_ids.tolist() == ids
    assert dataset.feature_names == ("f1", "f2")


@pytest.mark.parametrize("title", ["", "Table S3\n"])
def test_samples_that_are_numbers_are_no_values(read, tmp_path, title):
    ids = [str(n) for n in range(1, N + 1)]
    path = write(tmp_path / "b.tsv", [["gene", *ids], ["tissue", *CLASSES], *ROWS])
    path.write_text(title + path.read_text())
    dataset = load_dataset("table", path=path, target="tissue")
    assert dataset.sample_ids.tolist() == ids


def test_counts_in_the_columns_are_no_ids(read):
    ids = [str(n) for n in range(1, N + 1)]
    counts = np.random.default_rng(0).integers(0, 9, (20, N))
    rows = [[f"otu{n}", *row] for n, row in enumerate(counts)]
    sheet = [["patient", "tissue"], *zip(ids, CLASSES, strict=True)]
    dataset = read([["", *ids], *rows], sheet)
    assert dataset.sample_ids.tolist() == ids
    np.testing.assert_array_equal(dataset.X.to_numpy(), counts.T)


def test_a_matrix_of_tcga_is_turned_by_ids_that_agree_but_for_their_spelling(read):
    """The join says what to do about the spelling; the matrix is the right way round."""
    dotted = [name.replace("-", ".") for name in IDS]
    with pytest.raises(DataError, match=r"B\.001"):
        read([["gene", *dotted], *ROWS], SHEET)


# -------------------------------------------------------------------------- a single file


LABELLED = [HEADER, ["tissue", *CLASSES], *ROWS]


def test_a_target_among_more_features_than_samples_turns_the_table(read):
    dataset = read(LABELLED)
    assert_genes(dataset)
    assert told(dataset, "SD015").what == (
        "b0.tsv was turned, since its first column holds 'tissue', and the other rows are numbers"
    )
    assert dataset.reading.settings["transpose"] is True
    assert codes(read(LABELLED, transpose=True)) == []


def test_a_target_among_fewer_features_than_samples_is_asked_about(read):
    with pytest.raises(DataError) as caught:
        read(LABELLED[:6])
    for command in ("dataset.transpose=true", "dataset.transpose=false"):
        assert command in str(caught.value)
    assert_genes(read(LABELLED[:6], transpose=True), GENES[:4], VALUES[:4])
    with pytest.raises(ConfigError, match="there is no column 'tissue'"):
        read(LABELLED[:6], transpose=False)


def test_a_word_in_a_table_without_numbers_turns_nothing(read):
    rows = [["variable", "meaning", "who"], ["tissue", "what was cut", "x"]]
    rows += [[f"v{n}", f"text {n}", "y"] for n in range(9)]
    with pytest.raises(ConfigError, match="there is no column 'tissue'"):
        read(rows)


def test_a_list_of_measurements_is_not_turned(read):
    """The target is one of the things measured in each person."""
    rows = [["what", "value", "n"], *([what, n, 3] for n in range(9) for what in ("ldl", "tissue"))]
    with pytest.raises(ConfigError, match="there is no column 'tissue'"):
        read(rows)


def test_a_target_in_the_header_turns_nothing(read):
    """Even where ids and names look the other way round."""
    rows = [
        ["gene", "tissue", *IDS],
        *([g, c, *r] for g, c, r in zip(GENES, CLASSES * 3, VALUES, strict=False)),
    ]
    dataset = read(rows)
    assert dataset.sample_ids.tolist() == GENES
    assert codes(dataset) == []


# --------------------------------------------------------------------- annotations of features


def annotated(*columns, names=None):
    """The matrix with columns of annotations in front; SYMBOL stands for the names."""
    header = [name for name, _ in columns]
    rows = [[*(cells(n) for _, cells in columns), *row] for n, row in enumerate(VALUES)]
    return [[*header, *IDS], *rows]


NUMBER = ("no", lambda n: n)
MASS = ("Average Mz", lambda n: 100.5 + n)
NAME = ("metabolite", lambda n: f"met{n}")
FAMILY = ("family", lambda n: f"class {n % 3}")
MET = [f"met{n}" for n in range(20)]


@pytest.mark.parametrize(
    ("columns", "left"),
    [
        ((NUMBER, NAME), "'no'"),
        ((NAME, FAMILY), "'family'"),
        ((FAMILY, NAME), "'family'"),
        ((NUMBER, MASS, FAMILY, NAME), "'no', 'Average Mz', 'family'"),
        ((NAME, ("length", lambda n: 100 + n), ("start", lambda n: n)), "'length', 'start'"),
    ],
)
def test_the_first_text_that_differs_names_the_features(read, columns, left):
    dataset = read(annotated(*columns), target="met0", kind="regression", transpose=True)
    assert dataset.feature_names == tuple(MET[1:])
    np.testing.assert_array_equal(dataset.X.to_numpy(), VALUES[1:].T)
    finding = told(dataset, "SD013")
    assert dataset.reading.settings["name_column"] == "metabolite"
    assert "have their names from the column 'metabolite'" in finding.what
    assert finding.evidence == left


def test_another_column_can_name_the_features(read):
    rows = annotated(NUMBER, MASS, NAME)
    dataset = read(rows, SHEET, name_column="no")
    assert_genes(dataset, [str(n) for n in range(20)])
    assert told(dataset, "SD013").evidence == "'Average Mz', 'metabolite'"
    with pytest.raises(ConfigError, match="there is no column 'mass'"):
        read(rows, SHEET, name_column="mass")
    with pytest.raises(ConfigError, match="none was read so"):
        read(SHEET, name_column="tissue")


def test_numbers_left_of_the_first_id_are_annotations(read):
    """Without text beside them and with names that nobody knows."""
    dataset = read(annotated(NAME, ("foo", lambda n: n / 2), ("bar", lambda n: n / 3)), SHEET)
    assert_genes(dataset, MET)
    assert told(dataset, "SD013").evidence == "'foo', 'bar'"


def test_text_right_of_the_samples_is_an_annotation(read):
    rows = [[*row, "a text" if place else "remark"] for place, row in enumerate([HEADER, *ROWS])]
    dataset = read(rows, SHEET)
    assert_genes(dataset)
    assert told(dataset, "SD013").evidence == "'remark'"


def test_a_column_of_units_gives_the_units_of_the_features(read):
    rows = annotated(NAME, ("Unit", lambda n: "µM" if n % 2 else "mg/L"))
    dataset = read(rows, SHEET)
    assert_genes(dataset, MET)
    assert dataset.reading.units["met0"] == "mg/L"
    assert dataset.reading.units["met1"] == "µM"


def test_one_column_of_names_is_not_mentioned(read):
    assert codes(read([HEADER, *ROWS], SHEET, transpose=["b0"])) == []


# ------------------------------------------------------------------ rows that belong to samples

ORDER = list(range(11, 11 + N))


@pytest.mark.parametrize("n_blank", [0, 1, 2, 3])
@pytest.mark.parametrize("transpose", [None, True])
def test_rows_above_the_header_are_columns_of_the_samples(read, n_blank, transpose):
    columns = [*[NUMBER, MASS, FAMILY][:n_blank], NAME]
    blank = [""] * n_blank
    above = [[*blank, "tissue", *CLASSES], [*blank, "order", *ORDER], [*blank, "kind", *["QC"] * N]]
    if n_blank == 0:
        above = above[:1]
    dataset = read([*above, *annotated(*columns)], transpose=transpose)
    assert_genes(dataset, MET)
    assert f"{len(above)} row" in told(dataset, "SD011").what
    assert ("SD015" in codes(dataset)) == (transpose is None)
    assert "SD014" not in codes(dataset)
    if n_blank:
        asked = read([*above, *annotated(*columns)], features=["met*", "order"])
        assert asked.feature_names == ("order", *MET)
        assert asked.X["order"].tolist() == ORDER


def test_names_in_the_first_column_are_those_of_rows_above(read):
    rows = [["tissue", "", "", *CLASSES], *annotated(NUMBER, MASS, NAME)]
    assert_genes(read(rows), MET)


def test_names_of_groups_above_merged_cells_are_filled_to_the_right(read):
    groups = ["tumor", "", "", "", "normal", "", "", ""]
    dataset = read([["", "", "tissue", *groups], *annotated(NUMBER, MASS, NAME)])
    assert dataset.y.tolist() == ["tumor"] * 4 + ["normal"] * 4
    unnamed = [["", "", "", *groups], *annotated(NUMBER, MASS, NAME)]
    dataset = read(unnamed, target="line 1", transpose=True)
    assert dataset.y.tolist() == ["tumor"] * 4 + ["normal"] * 4
    assert dataset.sample_ids.tolist() == IDS


def test_a_row_above_without_blanks_is_told_by_its_repeated_entries(read):
    dataset = read([["tissue", *CLASSES], HEADER, *ROWS])
    assert_genes(dataset)
    assert told(dataset, "SD015").what.endswith("since 'tissue' is a row above its header")


def test_a_target_in_another_spelling_is_refused_with_the_way_to_it(read):
    with pytest.raises(ConfigError) as caught:
        read(LABELLED, target="Tissue")
    assert str(caught.value) == (
        "target must be a column of b0.tsv; there is no column 'Tissue', but a row 'tissue': if "
        "features stand in rows, set dataset.target=tissue dataset.transpose=true."
    )


METADATA = [
    ["tissue", *CLASSES],
    ["country", *["X", "Y"] * 4],
    ["age", *ORDER],
    ["ctp", *["nd", 7, 7, "nd"] * 2],
]
TAXA = [[f"k__Bacteria|s__Kind_{n}_Family_XI", *row] for n, row in enumerate(VALUES)]


def test_metadata_among_the_features_are_suspects(read):
    dataset = read([["sampleID", *IDS], *METADATA[:3], *TAXA], transpose=True)
    finding = told(dataset, "SD014")
    assert finding.evidence == "'country', 'age'"
    assert "'dataset.features=\"k__*\"'" in finding.remedy
    assert "'dataset.drop=[country,age]'" in finding.remedy
    asked = read([["sampleID", *IDS], *METADATA, *TAXA], features="k__*")
    assert asked.X.shape == (N, len(TAXA))
    assert codes(asked) == ["SD015"]
    dropped = read([["sampleID", *IDS], *METADATA[:3], *TAXA], drop=["country", "age"])
    assert codes(dropped) == ["SD015"]


def test_a_row_among_metadata_with_some_text_is_a_suspect(read):
    dataset = read([["id", *IDS], *METADATA, *TAXA], transpose=True, missing=["nd"])
    assert told(dataset, "SD014").evidence == "'country', 'age', 'ctp'"


def test_rows_of_metadata_below_the_features_are_suspects(read):
    rows = [["sampleID", *IDS], METADATA[0], *TAXA, *METADATA[1:3]]
    finding = told(read(rows), "SD014")
    assert finding.what.startswith("2 rows below the features look like metadata")
    assert finding.evidence == "'country', 'age'"


def test_a_number_between_rows_of_metadata_is_a_suspect(read):
    rows = [["sampleID", *IDS], *METADATA[:2], ["dose", *range(8)], METADATA[2], *TAXA]
    assert told(read(rows), "SD014").evidence == "'country', 'dose', 'age'"


def test_the_first_feature_below_the_target_is_no_metadata(read):
    other = [["UNKNOWN", *map(str, np.arange(8) / 4)], ["C1orf112", *range(8)]]
    for first in other:
        rows = [["sampleID", *IDS], METADATA[0], first, *TAXA]
        assert "SD014" not in [finding.code for finding in read(rows).findings]


def test_features_with_markers_are_no_metadata(read):
    rows = [[f"peptide {n}", *["ND"] * 3, *row[3:]] for n, row in enumerate(VALUES)]
    rows[4:] = [[f"peptide {n}", *row] for n, row in enumerate(VALUES[4:], start=4)]
    dataset = read([HEADER, ["tissue", *CLASSES], *rows], missing=["ND"])
    assert "SD014" not in codes(dataset)


# --------------------------------------------------------------------------- features asked for

FRAME = pd.DataFrame(
    {"TP53": range(8), "TP63": range(1, 9), "age": ORDER, "a*": range(8), "y": CLASSES},
    index=IDS,
    dtype=object,
).infer_objects()


@pytest.mark.parametrize(
    ("features", "names"),
    [
        ("TP53", ["TP53"]),
        ("TP*", ["TP53", "TP63"]),
        (["age", "TP?3"], ["TP53", "TP63", "age"]),
        (["a*"], ["a*"]),
        ("*", ["TP53", "TP63", "age", "a*"]),
    ],
)
def test_features_are_names_or_patterns(features, names):
    assert list(dataset_from_frame(FRAME, target="y", features=features).feature_names) == names


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        (["TP35"], "there is no column 'TP35'; did you mean 'TP"),
        (["zz*"], "there is no column 'zz*'"),
        (["y"], "'y' has another role"),
        ([], "or be null for all; got none"),
    ],
)
def test_features_that_there_are_not_are_refused(features, sentence):
    with pytest.raises(ConfigError) as caught:
        dataset_from_frame(FRAME, target="y", features=features)
    assert sentence in str(caught.value)


def test_a_file_may_name_the_features(tmp_path):
    file = tmp_path / "panel.txt"
    file.write_text("# the panel\nTP53\n\nage\n")
    found = dataset_from_frame(FRAME, target="y", features=str(file))
    assert found.feature_names == ("TP53", "age")
    found = dataset_from_frame(FRAME, target="y", features=[str(file), "TP63"])
    assert found.feature_names == ("TP53", "TP63", "age")
    file.write_text("TP53\nTP63\n")
    other = dataset_from_frame(FRAME, target="y", features=[str(file), "TP63"])
    assert other.name != found.name
    file.write_text("TP53\nTP36\nTP54\n")
    with pytest.raises(ConfigError, match=r"2 of 3 are none \('TP36', 'TP54'\); did you mean"):
        dataset_from_frame(FRAME, target="y", features=str(file))
    with pytest.raises(ConfigError, match="There is no file"):
        dataset_from_frame(FRAME, target="y", features=str(tmp_path / "other.txt"))


def test_features_are_chosen_in_several_blocks():
    rna, protein = FRAME[["TP53", "TP63"]], FRAME[["TP53", "age", "y"]]
    blocks = {"rna": rna, "protein": protein}

    def names(features):
        return dataset_from_frame(blocks, target="y", features=features).feature_names

    assert names("TP53") == ("rna:TP53", "protein:TP53")
    assert names("protein:TP53") == ("protein:TP53",)
    assert names("rna:*") == ("rna:TP53",)
    assert names(["TP6*", "age"]) == ("TP63", "age")


# -------------------------------------------------------------------------- words for persons


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("patient", [f"P{n // 3}" for n in range(24)]),
        ("patient", [n // 3 for n in range(24)]),
        ("family_id", [n % 7 for n in range(24)]),
    ],
)
def test_a_column_that_may_hold_persons_is_told(name, cells):
    frame = pd.DataFrame({name: cells, "x": np.arange(24) / 3, "y": ["a", "b"] * 12})
    frame.index = [f"S{n}" for n in range(24)]
    assert "SD008" in codes(dataset_from_frame(frame, target="y"))


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("Species_Family_XI", [n // 3 + 0.5 for n in range(24)]),
        ("Family XI count", [0] * 13 + list(range(11))),
        ("k__Bacteria|f__Family_XI", [n % 7 for n in range(24)]),
        ("subject weight", [60.5, 71.2] * 6 + list(range(50, 62))),
    ],
)
def test_a_measurement_named_like_persons_is_none(name, cells):
    frame = pd.DataFrame({name: cells, "x": np.arange(24) / 3, "y": ["a", "b"] * 12})
    assert "SD008" not in codes(dataset_from_frame(frame, target="y"))
