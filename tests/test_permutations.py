"""The files of permuted labels: whole, the cell's own, and enough before a feature is marked."""

import dataclasses

import numpy as np
import pytest

from smalldata.errors import RecordError
from smalldata.results.evidence import FEWEST_PERMUTATIONS, NullImportances
from smalldata.results.explanation import Explanation
from smalldata.store.cell_folder import CellFolder
from smalldata.store.permutations import PermutationFolder


@pytest.fixture
def folder(tmp_path):
    return PermutationFolder(path=tmp_path / "null-k", cell="c", key="k", n_features=3)


def _explanation(**options):
    told = {"seed": 0, "background": 5, "repeats": 1, "interactions": 20, "measure": "rmse"}
    return Explanation(
        values=np.array([[[1.0, -3.0]], [[0.0, 2.0]], [[9.0, 9.0]]], dtype=np.float32),
        base_values=np.zeros((3, 2)),
        row=np.arange(3),
        repeat=np.array([0, 0, 1]),
        fold=np.zeros(3, dtype=int),
        feature_names=("a",),
        scale="value",
        outputs=("x", "y"),
        additivity_error=0.0,
        options={**told, **options},
    )


def test_stored_permutations_are_read_up_to_the_first_missing_one(folder):
    assert folder.read().shape == (0, 3)
    assert folder.resume() == (frozenset(), ())
    values = np.random.default_rng(0).uniform(size=(4, 3))
    for number in (0, 1, 3):
        folder.write(number, values[number])
    np.testing.assert_array_equal(folder.read(), values[:2])
    assert folder.resume() == ({0, 1, 3}, ())
    folder.write(2, values[2])
    np.testing.assert_array_equal(folder.read(), values)


@pytest.mark.parametrize("damage", ["torn", "foreign cell", "other number", "NaN", "too long"])
def test_damaged_permutation_file_is_set_aside(folder, damage):
    folder.write(0, np.ones(3))
    path = folder.path / "p0000.npz"
    if damage == "torn":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "foreign cell":
        dataclasses.replace(folder, cell="other").write(0, np.ones(3))
    elif damage == "other number":
        folder.write(1, np.ones(3))
        (folder.path / "p0001.npz").rename(path)
    else:
        folder.write(0, np.full(3, np.nan) if damage == "NaN" else np.ones(4))
    with pytest.raises(RecordError):
        folder.read()
    found, (sentence,) = folder.resume()
    assert found == set()
    assert "computed again" in sentence
    assert not path.exists()
    assert (folder.path / "p0000.npz.damaged").exists()
    assert folder.resume() == (frozenset(), ())


def test_edited_permutation_is_not_resumed(folder):
    folder.write(0, np.array([1.0, 2.0, 3.0]))
    path = folder.path / "p0000.npz"
    content = path.read_bytes()
    place = content.index(np.array([2.0]).tobytes())
    path.write_bytes(content[:place] + np.array([2.5]).tobytes() + content[place + 8 :])
    assert folder.resume()[0] == set()


def test_folder_name_depends_on_options_that_change_importances():
    one = _explanation()
    assert _explanation(repeats=5, interactions=0, measure="mae").null_hash == one.null_hash
    assert _explanation(background=6).null_hash != one.null_hash
    assert _explanation(seed=1).null_hash != one.null_hash
    assert _explanation(rows=3).null_hash != one.null_hash


def test_importances_are_those_of_the_first_repeat(tmp_path):
    explanation = _explanation()
    assert explanation.first_importances.tolist() == [1.5]
    cell = CellFolder(tmp_path / "svm-0123456789")
    assert cell.read_null(explanation) is None
    cell.permutations(explanation).write(0, np.array([1.0]))
    found = cell.read_null(explanation)
    assert found.observed.tolist() == [1.5]
    assert found.values.tolist() == [[1.0]]
    assert found.threshold == 1.0
    assert cell.read_null(_explanation(background=6)) is None


def test_a_feature_is_marked_above_the_largest_of_enough_permutations():
    values = np.zeros((FEWEST_PERMUTATIONS, 2))
    values[7, 1] = 2.0
    null = NullImportances(
        permutation=np.arange(len(values)), values=values, observed=np.array([2.5, 2.0])
    )
    assert null.threshold == 2.0
    assert null.above.tolist() == [True, False]
    fewer = dataclasses.replace(null, permutation=null.permutation[1:], values=values[1:])
    assert not fewer.enough
    assert fewer.above.tolist() == [False, False]
