"""Every cell of a sheet is read, whatever range the sheet declares, and numbers stay numbers."""

import io
import re
import zipfile

import openpyxl
import pytest

from smalldata.datasets import load_dataset
from smalldata.errors import DataError

SHEET = "xl/worksheets/sheet1.xml"
N_ROWS = 40


def book(tmp_path, *, rows=None, change=None):
    """Write a workbook, its sheet's xml changed."""
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = "data"
    for row in rows or [
        ["sample", "tau", "age", "outcome"],
        *([f"s{n}", n + 0.5, 40 + n, "case" if n % 2 else "control"] for n in range(N_ROWS)),
    ]:
        sheet.append(row)
    plain = io.BytesIO()
    workbook.save(plain)
    path = tmp_path / "book.xlsx"
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == SHEET and change is not None:
                changed = change(content)
                assert changed != content
                content = changed
            target.writestr(name, content)
    return path


def declare(text):
    def change(content):
        return re.sub(rb"<dimension[^>]*>", text.encode(), content)

    return change


@pytest.mark.parametrize("declared", ["A1:D21", "A1:B41", "A1", "A1:C10", "B2:C3"])
def test_cells_outside_the_declared_range_are_read_and_told(tmp_path, declared):
    path = book(tmp_path, change=declare(f'<dimension ref="{declared}"/>'))
    dataset = load_dataset("table", path=path, target="outcome")
    assert dataset.X.shape == (N_ROWS, 2)
    assert dataset.X["tau"].tolist() == [n + 0.5 for n in range(N_ROWS)]
    (warning,) = dataset.warnings
    assert warning == (
        f"sheet 'data' of book.xlsx declares the range A1:{declared.split(':')[-1]}, but its cells "
        "reach D41; every cell was read; check that none is missing [SD018]"
    )


def test_a_range_beyond_the_cells_is_told(tmp_path):
    path = book(tmp_path, change=declare('<dimension ref="A1:D80"/>'))
    dataset = load_dataset("table", path=path, target="outcome")
    assert len(dataset.X) == N_ROWS
    assert "declares the range A1:D80, but its cells reach D41" in dataset.warnings[0]


@pytest.mark.parametrize("change", [None, declare("")])
def test_a_true_range_or_none_is_not_mentioned(tmp_path, change):
    dataset = load_dataset("table", path=book(tmp_path, change=change), target="outcome")
    assert (dataset.X.shape, dataset.warnings) == ((N_ROWS, 2), ())


def test_empty_cells_that_are_formatted_are_no_difference(tmp_path):
    path = book(tmp_path)
    workbook = openpyxl.load_workbook(path)
    workbook["data"]["H60"].number_format = "0.00"
    workbook.save(path)
    dataset = load_dataset("table", path=path, target="outcome")
    assert (dataset.X.shape, dataset.warnings) == ((N_ROWS, 2), ())


def test_numbers_of_a_workbook_keep_their_value_beside_text_with_decimal_commas(tmp_path):
    rows = [["sample", "typed", "written", "outcome"]]
    rows += [[f"s{n}", 1.234 + n, f"{n},5", "case" if n % 2 else "control"] for n in range(6)]
    path = book(tmp_path, rows=rows)
    dataset = load_dataset("table", path=path, target="outcome")
    assert dataset.X["typed"].tolist() == [1.234 + n for n in range(6)]
    assert dataset.X["written"].tolist() == [n + 0.5 for n in range(6)]
    named = load_dataset("table", path=path, target="outcome", decimal=",")
    assert named.X["typed"].tolist() == dataset.X["typed"].tolist()


def test_a_number_formatted_as_a_date_that_does_not_exist_is_refused(tmp_path):
    path = book(tmp_path)
    workbook = openpyxl.load_workbook(path)
    workbook["data"]["B5"].value = 1e9
    workbook["data"]["B5"].number_format = "yyyy-mm-dd"
    workbook.save(path)
    with pytest.raises(DataError) as caught:
        load_dataset("table", path=path, target="outcome")
    assert str(caught.value) == (
        "a date must exist; in sheet 'data' of book.xlsx cell B5 is marked as a date but the "
        "serial value 1000000000 is outside the limits for dates. Format it as a number."
    )
