"""A number is read with the decimal sign it was written with, or the table is refused."""

import numpy as np
import pytest

from smalldata.datasets import load_dataset
from smalldata.errors import DataError

N = 12
VALUES = np.random.default_rng(0).uniform(1, 30, (N, 3)).round(3)


def written(values, sign):
    return [[f"{value:.3f}".replace(".", sign) for value in row] for row in values]


@pytest.fixture
def read(tmp_path):
    """Write a table with samples in rows, and read it."""

    def load(cells, *, ids=None, names=("a", "b", "c"), **options):
        ids = [f"S{i}" for i in range(N)] if ids is None else ids
        rows = [["sample", *names, "y"]]
        rows += [
            [name, *row, "no" if i % 2 else "yes"]
            for i, (name, row) in enumerate(zip(ids, cells, strict=True))
        ]
        path = tmp_path / "my.csv"
        path.write_text("\n".join(";".join(row) for row in rows))
        return load_dataset("table", path=path, target="y", **options)

    return load


@pytest.mark.parametrize("sign", [".", ","])
def test_three_decimals_are_read_where_one_number_tells_the_sign(read, sign):
    values = VALUES.copy()
    values[0, 0] = 0.369
    dataset = read(written(values, sign))
    np.testing.assert_array_equal(dataset.X, values)


def test_three_decimals_with_commas_alone_are_refused_until_the_sign_is_named(read):
    cells = written(VALUES, ",")
    with pytest.raises(DataError, match="readable in one way"):
        read(cells)
    np.testing.assert_array_equal(read(cells, decimal=",").X, VALUES)


def test_ids_with_points_do_not_tell_the_sign_of_the_values(read):
    with pytest.raises(DataError, match="readable in one way"):
        read(written(VALUES, ","), ids=[f"1.{i}" for i in range(N)])


@pytest.mark.parametrize("sign", [None, ",", "."])
def test_one_comma_among_points_never_makes_a_number_a_thousand_times_as_large(read, sign):
    values = VALUES.copy()
    values[0, 0] = 0.369
    cells = written(values, ".")
    cells[1][1] = "0,5"
    with pytest.raises(DataError, match="one decimal sign"):
        read(cells, decimal=sign)


@pytest.mark.parametrize("sign", [None, ",", "."])
def test_rows_pasted_from_a_file_with_the_other_sign_are_refused(read, sign):
    cells = [*written(VALUES[:6], "."), *written(VALUES[6:], ",")]
    with pytest.raises(DataError, match=r"one decimal sign|one way"):
        read(cells, decimal=sign)


def test_points_beside_whole_numbers_of_three_digits_may_part_thousands(read):
    cells = [[str(100 + 7 * i), "1.748", str(i)] for i in range(N)]
    cells = [[row[0] if i % 2 else "2.973", *row[1:]] for i, row in enumerate(cells)]
    with pytest.raises(DataError, match=r"may be 2973 or 2\.973"):
        read(cells)
    assert read(cells, decimal=",").X["a"].max() == 2973
    assert read(cells, decimal=".").X["a"].min() == 2.973


def test_a_code_of_nines_beside_three_decimals_is_no_doubt(read):
    cells = written(VALUES, ".")
    cells[3][0] = "999"
    assert read(cells, missing=[999]).X["a"].isna().sum() == 1


def test_thousands_are_parted_where_the_decimal_point_is_sure(read):
    cells = [["1,250", "0.5", str(i)] for i in range(N)]
    cells[0][0] = "980"
    assert read(cells, drop=["b"]).X["a"].tolist() == [980, *[1250] * (N - 1)]


@pytest.mark.parametrize("cell", ["6,182e+05", "0,107", "12,5"])
def test_a_number_that_is_none_with_the_named_sign_is_refused(read, cell):
    cells = [[f"{row[0]:.2f}", *written([row], ".")[0][1:]] for row in VALUES]
    cells[2][0] = cell
    with pytest.raises(DataError):
        read(cells, decimal=".")


def test_an_exponent_with_a_comma_tells_the_sign(read):
    cells = written(VALUES, ",")
    cells[0][0] = "6,182e+05"
    assert read(cells).X.iloc[0, 0] == 618200
