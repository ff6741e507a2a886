"""Columns without a name are refused all at once, and never make the first sample the header."""

import numpy as np
import pandas as pd
import pytest

from smalldata import Dataset
from smalldata.errors import DataError

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
