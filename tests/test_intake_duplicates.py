"""Columns that share a name: refused with the ways out, merged row by row, or numbered."""

import numpy as np
import pandas as pd
import pytest

from smalldata import Dataset
from smalldata.datasets.duplicates import numbered_names
from smalldata.errors import DataError

N = 8
NAMES = ["MARCHF1", "MARCHF1", "TP53", "TP53", "MYC", "TP53"]
VALUES = np.random.default_rng(0).normal(0, 5, (N, len(NAMES))).round(2)
LABELS = ["case", "control"] * (N // 2)
IDS = [f"S{i}" for i in range(N)]


@pytest.fixture(params=["rows", "columns", "parquet", "frame"])
def read(request, tmp_path):
    """Read a table in each of the ways it may come."""

    def in_rows(values):
        return [["id", *NAMES, "class"]] + [
            [i, *row, k] for i, row, k in zip(IDS, values, LABELS, strict=True)
        ]

    def load(values=VALUES, **options):
        cells = [["" if v != v else v for v in row] for row in np.asarray(values, dtype=object)]
        if request.param == "frame":
            frame = pd.DataFrame(cells, columns=NAMES, index=IDS)
            frame = frame.replace("", np.nan).infer_objects()
            frame["class"] = LABELS
            return Dataset.from_frame(frame, target="class", **options)
        if request.param == "parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq

            rows = in_rows(cells)
            columns = [pa.array([str(c) for c in column]) for column in zip(*rows[1:], strict=True)]
            pq.write_table(pa.Table.from_arrays(columns, names=rows[0]), tmp_path / "t.parquet")
            return Dataset.from_file(tmp_path / "t.parquet", target="class", **options)
        rows = in_rows(cells)
        if request.param == "columns":
            rows = [["gene", *IDS], ["class", *LABELS]]
            rows += [
                [name, *column]
                for name, column in zip(NAMES, np.array(cells, dtype=object).T, strict=True)
            ]
            options["transpose"] = True
        (tmp_path / "t.csv").write_text("\n".join(",".join(map(str, row)) for row in rows))
        return Dataset.from_file(tmp_path / "t.csv", target="class", **options)

    return load


def test_repeated_names_are_refused_with_the_ways_out(read):
    with pytest.raises(DataError) as caught:
        read()
    text = str(caught.value)
    assert "2 names repeat: 'MARCHF1', 'TP53'" in text
    assert "dataset.duplicates=mean or max merges them row by row" in text


@pytest.mark.parametrize("way", ["mean", "max", "first"])
def test_columns_of_one_name_are_merged_row_by_row(read, way):
    values = VALUES.copy()
    values[0, 0] = values[1, :2] = np.nan  # one of two, and both
    dataset = read(values, duplicates=way)
    by_hand = pd.DataFrame(values.T, index=NAMES).groupby(level=0, sort=False)
    expected = (by_hand.head(1) if way == "first" else getattr(by_hand, way)()).T
    assert list(dataset.X) == ["MARCHF1", "TP53", "MYC"]
    np.testing.assert_allclose(dataset.X.to_numpy(), expected.to_numpy(), rtol=1e-14)
    (text,) = [f.text for f in dataset.findings if f.code == "SD033"]
    assert "2 names repeat in" in text
    assert "5 columns became 2, by " in text  # neither the ids nor the target are counted
    assert "'MARCHF1', 'TP53'" in text


def test_the_value_of_a_row_is_made_of_that_row_alone(read):
    changed = VALUES.copy()
    changed[4:] += 1000
    for way in ("mean", "max"):
        np.testing.assert_array_equal(
            read(duplicates=way).X.to_numpy()[:4], read(changed, duplicates=way).X.to_numpy()[:4]
        )


def test_numbers_keep_every_column(read):
    dataset = read(duplicates="number")
    assert list(dataset.X) == ["MARCHF1", "MARCHF1.2", "TP53", "TP53.2", "MYC", "TP53.3"]
    np.testing.assert_array_equal(dataset.X.to_numpy(), VALUES)


def test_a_number_never_makes_a_name_that_is_there():
    assert numbered_names(["a", "a.2", "a", "a"]) == ["a", "a.2", "a.3", "a.4"]


def write(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    return tmp_path / "t.csv"


def test_text_is_merged_only_where_it_agrees(tmp_path):
    same = "id,x,x,g,y\na,u,u,1,p\nb,v,v,2,q\nc,u,u,3,p\nd,v,v,4,q\n"
    dataset = Dataset.from_file(write(tmp_path, same), target="y", duplicates="mean")
    assert dataset.X["x"].tolist() == ["u", "v", "u", "v"]
    with pytest.raises(DataError, match="must be plain numbers to be merged; 'x' of t"):
        Dataset.from_file(
            write(tmp_path, same.replace("a,u,u", "a,u,v")), target="y", duplicates="mean"
        )


def test_limits_of_detection_are_not_averaged(tmp_path):
    text = "id,x,x,y\na,1.5,<0.5,p\nb,2.5,2,q\nc,3,3,p\nd,4,4,q\n"
    options = {"target": "y", "below_detection": "half"}
    with pytest.raises(DataError, match="duplicates=first"):
        Dataset.from_file(write(tmp_path, text), duplicates="max", **options)
    assert Dataset.from_file(write(tmp_path, text), duplicates="first", **options).X.shape == (4, 1)


def test_a_target_that_is_there_twice_is_refused(tmp_path):
    text = "id,x,y,y\na,1,p,p\nb,2,q,q\nc,3,p,q\nd,4,q,q\n"
    with pytest.raises(DataError, match="must be there once; it is 2"):
        Dataset.from_file(write(tmp_path, text), target="y", duplicates="mean")


def test_numbers_as_names_ask_for_the_header(tmp_path):
    with pytest.raises(DataError, match=r"Is the header missing\?"):
        Dataset.from_file(write(tmp_path, "1,2,2\n3,4,5\n6,7,8\n"), target="2")
