"""One row per measurement: recognised by structure, refused with the command, spread by it."""

import shlex

import numpy as np
import pandas as pd
import pytest

from smalldata import Dataset
from smalldata.config.hydra import compose_dataset
from smalldata.errors import ConfigError, DataError

N, NAMES = 24, ["TP53", "EGFR", "BRCA1", "MYC", "KRAS"]
IDS = [f"S{i:02d}" for i in range(1, N + 1)]
VALUES = np.random.default_rng(0).normal(10, 2, (N, 5)).round(3)


def long_frame(id="SampleID", name="Assay", value="NPX", **others):
    """One row per measurement, with further columns made of the numbers of sample and name."""
    rows = []
    for i in range(N):
        for j in range(5):
            row = {id: IDS[i], name: NAMES[j], value: VALUES[i, j]}
            row |= {column: make(i, j) for column, make in others.items()}
            rows.append(row | {"class": ("case", "control")[i % 2]})
    return pd.DataFrame(rows)


OLINK = {
    "OlinkID": lambda i, j: f"OID{j}",
    "LOD": lambda i, j: 0.5 + j / 10,
    "QC_Warning": lambda i, j: "Warn" if (i + j) % 7 == 0 else "Pass",
    "age": lambda i, j: 40 + i,
}
LONG = {"id": "SampleID", "name": "Assay", "value": "NPX"}


@pytest.fixture(params=["comma", "semicolon", "tab", "parquet", "xlsx", "frame"])
def read(request, tmp_path):
    """Read a table in each of the ways it may come."""

    def load(frame, **options):
        options = {"target": "class", **options}
        if request.param == "frame":
            return Dataset.from_frame(frame, **options)
        file = tmp_path / f"t.{request.param}"
        if request.param == "parquet":
            frame.to_parquet(file)
        elif request.param == "xlsx":
            frame.to_excel(file, index=False)
        else:
            file = tmp_path / "t.csv"
            separator = {"comma": ",", "semicolon": ";", "tab": "\t"}[request.param]
            frame.to_csv(file, index=False, sep=separator)
        return Dataset.from_file(file, **options)

    return load


def refused(call, error=DataError):
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_long_form_is_refused_with_the_ready_command(read):
    sentence = refused(lambda: read(long_frame(**OLINK)))
    assert "long form" in sentence
    assert "24 values of 'SampleID' times 5 of 'Assay'" in sentence
    assert "'dataset.long={id: SampleID, name: Assay, value: NPX}'" in sentence


def test_the_command_spreads_the_table(tmp_path):
    file = tmp_path / "t.csv"
    long_frame("Sample Name", "Gene symbol", "Relative abundance").to_csv(file, index=False)
    sentence = refused(lambda: Dataset.from_file(file, target="class"))
    typed = sentence.split("spread it with ")[1].split("; if each row")[0]
    (argument,) = shlex.split(typed)  # as bash reads it
    overrides = ["dataset=table", f"dataset.path={file}", "dataset.target=class", argument]
    dataset = Dataset.from_file(file, target="class", long=compose_dataset(overrides)["long"])
    assert dataset.feature_names == tuple(NAMES)
    np.testing.assert_allclose(dataset.X.to_numpy(float), VALUES)


def test_spreading_keeps_what_belongs_to_samples_and_tells_the_rest(read):
    frame = long_frame(**OLINK).sample(frac=1, random_state=1)
    dataset = read(frame, long=LONG)
    assert set(dataset.feature_names) == set(NAMES)
    (finding,) = [entry for entry in dataset.findings if entry.code == "SD032"]
    assert "1 column of the long form " in finding.what
    assert finding.evidence == "'age'"
    assert finding.remedy == "take it in with 'dataset.features=[age]'"
    dataset = read(frame, long=LONG, features=["age"])
    assert "SD032" not in [entry.code for entry in dataset.findings]
    order = [IDS.index(entry) for entry in dataset.sample_ids]
    assert sorted(order) == list(range(N))
    assert set(dataset.feature_names) == {"age", *NAMES}
    np.testing.assert_allclose(dataset.X[NAMES].to_numpy(float), VALUES[order])
    assert dataset.X["age"].tolist() == [40 + i for i in order]
    assert dataset.y.tolist() == [("case", "control")[i % 2] for i in order]
    dropped = {entry.names for entry in dataset.reading.dropped}
    assert dropped == {("OlinkID", "LOD"), ("QC_Warning",)}
    (finding,) = [entry for entry in dataset.findings if entry.code == "SD003"]
    assert "'OlinkID', 'LOD', 'QC_Warning'" in finding.evidence


def test_combinations_that_are_not_there_are_missing(read):
    frame = long_frame().drop(index=[0, 7, 33])
    assert "long form" in refused(lambda: read(frame))
    expected = VALUES.copy().ravel()
    expected[[0, 7, 33]] = np.nan
    dataset = read(frame, long=LONG)
    found = dataset.X[NAMES].to_numpy(float)
    np.testing.assert_allclose(found, expected.reshape(N, 5))


def test_pairs_that_repeat_are_never_averaged_silently(read):
    frame = long_frame()
    again = frame.iloc[[3]].assign(NPX=99.0)
    frame = pd.concat([frame, again], ignore_index=True)
    sentence = refused(lambda: read(frame))
    assert "1 row repeats a sample and a name" in sentence
    assert "dataset.replicates=mean or dataset.replicates=first" in sentence
    sentence = refused(lambda: read(frame, long=LONG))
    assert "'S01' with 'MYC' (2 rows)" in sentence
    assert "dataset.replicates=mean" in sentence
    mean = read(frame, long=LONG, replicates="mean").X["MYC"].iloc[0]
    assert mean == pytest.approx((VALUES[0, 3] + 99) / 2)
    assert read(frame, long=LONG, replicates="first").X["MYC"].iloc[0] == VALUES[0, 3]


@pytest.mark.parametrize(
    ("id", "name", "value"),
    [
        ("patient", "analyte", "concentration"),
        ("Sample", "Metabolite", "Intensity"),
        ("subject_id", "variable", "value"),
        ("barcode", "gene_name", "expression"),
        ("id", "test", "result"),
        ("donor", "cytokine", "pg_ml"),
        ("Probe", "was", "Wert"),
    ],
)
def test_other_names_are_recognised(id, name, value):
    sentence = refused(lambda: Dataset.from_frame(long_frame(id, name, value), target="class"))
    assert f"id: {id}, name: {name}, value: {value}" in sentence


def test_the_column_of_values_is_chosen_by_name_else_all_are_listed():
    noise = np.random.default_rng(3).normal(size=(2, N, 5)).round(3)
    others = {"LOD": lambda i, j: noise[0, i, j], "raw": lambda i, j: noise[1, i, j]}
    sentence = refused(lambda: Dataset.from_frame(long_frame(**others), target="class"))
    assert "value: NPX}" in sentence
    assert "or value: raw" in sentence
    frame = long_frame(value="first", second=others["raw"])
    sentence = refused(lambda: Dataset.from_frame(frame, target="class"))
    assert "value: first}" in sentence
    assert "or value: second" in sentence


def test_values_below_a_limit_stay_as_they_are_written(tmp_path):
    frame = long_frame()
    frame["NPX"] = ["<LOD" if k % 11 == 0 else str(value) for k, value in enumerate(frame["NPX"])]
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert "long form" in refused(lambda: Dataset.from_file(tmp_path / "t.csv", target="class"))
    dataset = Dataset.from_file(
        tmp_path / "t.csv", target="class", long=LONG, below_detection="missing"
    )
    found = dataset.X.to_numpy(float).ravel()
    assert np.flatnonzero(np.isnan(found)).tolist() == list(range(0, N * 5, 11))


def test_long_form_beside_a_sheet(tmp_path):
    long_frame().drop(columns="class").to_csv(tmp_path / "npx.csv", index=False)
    sheet = pd.DataFrame({"SampleID": IDS, "class": ["case", "control"] * 12})
    sheet.to_csv(tmp_path / "sheet.csv", index=False)
    files = {"protein": tmp_path / "npx.csv", "sheet": tmp_path / "sheet.csv"}
    assert "long form" in refused(lambda: Dataset.from_file(files, target="class"))
    dataset = Dataset.from_file(files, target="class", long=LONG)
    np.testing.assert_allclose(dataset.X[NAMES].to_numpy(float), VALUES)


@pytest.mark.parametrize(
    ("long", "said"),
    [
        ({"id": "SampleID", "name": "Assay"}, "must name three columns"),
        ({"id": "SampleID", "name": "Assay", "value": "NPY"}, "did you mean 'NPX'"),
        ({"id": "SampleID", "name": "SampleID", "value": "NPX"}, "three different columns"),
    ],
)
def test_wrong_columns_are_refused(long, said):
    sentence = refused(
        lambda: Dataset.from_frame(long_frame(), target="class", long=long), ConfigError
    )
    assert said.lower() in sentence.lower()


def wide(**columns):
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.normal(size=(N, 3)), columns=["x", "y", "z"])
    for place, (name, cells) in enumerate(columns.items()):
        frame.insert(place, name, cells)
    return frame.assign(**{"class": ["case", "control"] * 12})


WIDE = {
    "replicates": wide(sample=[f"S{i // 2}" for i in range(N)]),
    "two factors": wide(sex=["m", "f"] * 12, site=[f"site{i // 4}" for i in range(N)]),
    "visits": wide(patient=[f"P{i // 3}" for i in range(N)], visit=["v0", "v1", "v2"] * 8),
    "one value, visits": wide(
        patient=[f"P{i // 3}" for i in range(N)], visit=["v0", "v1", "v2"] * 8
    )[["patient", "visit", "x", "class"]],
    "strains": wide(mouse=[f"m{i}" for i in range(N)], strain=["A", "B", "C"] * 8),
}


@pytest.mark.parametrize("frame", WIDE.values(), ids=WIDE)
def test_wide_tables_are_not_long(frame):
    assert "long form" not in said_of(frame)
    assert "long form" in said_of(long_frame())


def said_of(frame):
    try:
        Dataset.from_frame(frame, target="class")
    except DataError as error:
        return str(error)
    return ""


def test_all_rows_are_counted_where_the_first_are_enough_to_tell(monkeypatch):
    monkeypatch.setattr("smalldata.datasets.long_shape.N_PROBED", 40)
    sentence = refused(lambda: Dataset.from_frame(long_frame(), target="class"))
    assert "24 values of 'SampleID' times 5 of 'Assay'" in sentence


def test_a_large_table_is_spread():
    n, p = 100, 1000
    values = np.random.default_rng(1).normal(size=(n, p))
    frame = pd.DataFrame(
        {
            "sample": np.repeat([f"S{i}" for i in range(n)], p),
            "gene": np.tile([f"g{j}" for j in range(p)], n),
            "value": values.ravel(),
            "y": np.repeat(["a", "b"] * (n // 2), p),
        }
    )
    dataset = Dataset.from_frame(
        frame, target="y", long={"id": "sample", "name": "gene", "value": "value"}
    )
    np.testing.assert_array_equal(dataset.X.to_numpy(float), values)


def test_what_a_long_form_says_about_samples_is_no_feature_beside_a_sheet(tmp_path):
    """And the table is data, however few names it has."""
    frame = long_frame(**OLINK, PlateID=lambda i, j: f"Plate{i // 6}")
    frame.drop(columns="class").to_csv(tmp_path / "npx.csv", index=False)
    frame[["SampleID", "class"]].drop_duplicates().to_csv(tmp_path / "sheet.csv", index=False)
    files = {"npx": tmp_path / "npx.csv", "sheet": tmp_path / "sheet.csv"}
    dataset = Dataset.from_file(files, target="class", long=LONG)
    assert dataset.feature_names == tuple(NAMES)
    (finding,) = [entry for entry in dataset.findings if entry.code == "SD032"]
    assert finding.text == (
        "2 columns of the long form npx.csv, about its samples, are no features: 'age', "
        "'PlateID'; take some in with 'dataset.features=[age,PlateID]'"
    )
    frame.to_csv(tmp_path / "npx.csv", index=False)
    pd.DataFrame({"SampleID": IDS, "AKT": VALUES[:, 0]}).to_csv(tmp_path / "sheet.csv", index=False)
    dataset = Dataset.from_file(files, target="class", long=LONG)
    assert dataset.feature_names == (*NAMES, "AKT")
