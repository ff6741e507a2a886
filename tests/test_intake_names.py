"""Names of columns: those that are missing are said at once, and any letters may be typed."""

import numpy as np
import pandas as pd
import pytest

from smalldata import Dataset
from smalldata.__main__ import main
from smalldata.errors import ConfigError, DataError

N = 12
COUNTS = np.random.default_rng(2).integers(0, 6, (N, 8))
CLASSES = ["sick", "healthy"] * (N // 2)
NAMES = [f"otu{j}" for j in range(8)]


@pytest.fixture(params=["comma", "tab", "xlsx", "parquet", "frame"])
def read(request, tmp_path):
    """Read counts of which some columns have no name, in each of the ways they may come."""

    def load(absent):
        frame = pd.DataFrame(COUNTS, columns=NAMES, dtype=object)
        frame.insert(0, "tube", [f"t{n}" for n in range(N)])
        frame["state"] = CLASSES
        frame = frame.astype(dict.fromkeys(NAMES, int))
        frame.columns = ["" if at in absent else name for at, name in enumerate(frame.columns)]
        if request.param == "frame":
            return Dataset.from_frame(frame, target="state")
        file = tmp_path / f"t.{request.param}"
        if request.param == "xlsx":
            frame.to_excel(file, index=False)
        elif request.param == "parquet":
            if len(absent) > 1:
                pytest.skip("parquet has one column of a name")
            frame.to_parquet(file)
        else:
            file = tmp_path / "t.csv"
            frame.to_csv(file, index=False, sep={"comma": ",", "tab": "\t"}[request.param])
        return Dataset.from_file(file, target="state")

    return load


@pytest.mark.parametrize(
    ("absent", "told"),
    [([4], "column 5 has none"), ([2, 4, 5], "columns 3, 5, 6 have none")],
)
def test_all_columns_without_a_name_are_said_at_once(read, absent, told):
    with pytest.raises(DataError, match="must have a name") as caught:
        read(absent)
    assert told in str(caught.value)


def test_the_places_are_those_of_the_file(tmp_path):
    """A blank column without a name is left out, but counts."""
    rows = [["tube", "a", "", "b", "", "state"]]
    rows += [[f"t{n}", n % 5, "", n % 4, n % 3, CLASSES[n]] for n in range(N)]
    file = tmp_path / "t.csv"
    file.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    with pytest.raises(DataError, match=r"column 5 has none \(it holds '0'\)"):
        Dataset.from_file(file, target="state")


@pytest.mark.parametrize(
    ("override", "p"),
    [
        ("dataset.features=[größe,b]", 2),  # once a pattern: any column called by one such letter
        ("dataset.drop=[größe, b (µg)]", 2),
        ("dataset.classes=[gesünd,krank]", 4),
        ("dataset.classes={well: [gesünd], ill: [krank]}", 4),
    ],
)
def test_words_of_a_list_may_have_any_letters(tmp_path, capsys, override, p):
    values = np.random.default_rng(1).normal(size=(N, 4)).round(3)
    rows = [["id", "größe", "b", "b (µg)", "d", "class"]]
    rows += [[f"s{n}", *values[n], ("gesünd", "krank")[n % 2]] for n in range(N)]
    file = tmp_path / "t.csv"
    file.write_text("".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    words = ["model=dummy", "dataset=table", f"dataset.path={file}", "dataset.target=class"]
    assert main([*words, override, "dry_run=true"]) == 0
    assert f"read {N} x {p} " in "".join(capsys.readouterr())


def test_columns_are_listed_with_those_of_the_samples_first(tmp_path):
    """Among 500 proteins nobody finds the column above the header that is the target."""
    rows = [["", "Klasse", *CLASSES], ["id", "name", *(f"t{n}" for n in range(N))]]
    rows += [[j, name, *COUNTS[:, j]] for j, name in enumerate(NAMES)]
    file = tmp_path / "t.csv"
    file.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    with pytest.raises(ConfigError, match="the columns are 'Klasse', 'otu0'"):
        Dataset.from_file(file, target="outcome", transpose=True)
    with pytest.raises(ConfigError, match="the columns are 'Klasse', 'otu0'"):
        Dataset.from_file(file, transpose=True)
