"""Every strategy on a task: what is tested, what is trained on, what is refused and how."""

import numpy as np
import pytest

from smalldata.errors import ConfigError, SplitError
from smalldata.resampling.strategies import check_train_size, make_splits
from smalldata.runtime.catalogue import names, read_entry
from smalldata.task import TaskKind
from toys import make_toy

BINARY = make_toy(["yes", "no", "no"] * 10)
VALUES = make_toy(np.arange(30.0), kind=TaskKind.REGRESSION)
GROUPED = make_toy(["yes", "no", "no"] * 10, groups=[f"g{i // 2}" for i in range(30)])
ALL = {"binary": BINARY, "values": VALUES, "grouped": GROUPED}


@pytest.mark.parametrize("cv", ["auto", "rep5x5", "kfold", "loo", "holdout"])
@pytest.mark.parametrize("which", ALL)
def test_each_repeat_tests_every_row_once_and_groups_stay_whole(cv, which):
    task = ALL[which]
    splits = make_splits(task, cv)
    for repeat in range(splits.n_repeats):
        folds = [fold for fold in splits.folds if fold.repeat == repeat]
        tested = np.concatenate([fold.test for fold in folds])
        if cv != "holdout":
            assert sorted(tested.tolist()) == list(range(30))
        for fold in folds:
            assert sorted([*fold.train.tolist(), *fold.test.tolist()]) == list(range(30))
            if task.classes:
                assert set(task.y[fold.train]) == {0, 1}
                assert set(task.y[fold.train[:2]]) == {0, 1}
            if task.groups is not None:
                assert not set(task.groups[fold.train]) & set(task.groups[fold.test])


def test_default_number_of_folds_and_repeats_of_each_cv():
    shapes = {
        cv: (made.name, made.n_repeats, made.n_folds, made.is_default)
        for cv in ("auto", "rep5x5", "kfold", "loo", "holdout")
        for made in [make_splits(BINARY, cv)]
    }
    assert shapes == {
        "auto": ("rep5x5", 5, 5, True),
        "rep5x5": ("rep5x5", 5, 5, True),
        "kfold": ("kfold", 1, 10, True),
        "loo": ("loo", 1, 30, True),
        "holdout": ("holdout", 1, 1, True),
    }
    auto = make_splits(GROUPED, "auto")
    assert (auto.name, auto.n_repeats, auto.n_folds) == ("groups", 5, 5)
    assert make_splits(GROUPED, "loo").n_folds == 15
    assert len(make_splits(BINARY, "holdout", test_share=0.2).folds[0].test) == 6


def test_repeats_differ_and_depend_on_the_seed():
    splits = make_splits(BINARY)
    first_tests = {tuple(fold.test.tolist()) for fold in splits.folds if fold.fold == 0}
    assert len(first_tests) == 5
    assert make_splits(BINARY).key == splits.key
    other = make_splits(BINARY, seed=1)
    assert other.key != splits.key
    assert splits.folder == "rep5x5"
    assert other.folder == f"rep5x5-{other.key[:6]}"


def test_folder_has_a_hash_when_numbers_differ_from_the_defaults():
    assert make_splits(BINARY, "kfold", n_splits=10, n_repeats=1).folder == "kfold"
    assert make_splits(BINARY, "kfold", n_splits=5).folder.startswith("kfold-")
    assert make_splits(BINARY, "auto", n_splits=5, n_repeats=5).folder == "rep5x5"
    assert make_splits(BINARY, "auto", n_splits=3).folder.startswith("rep3x5-")


def test_features_do_not_change_the_folds():
    wide = make_toy(["yes", "no", "no"] * 10, n_features=6)
    assert make_splits(wide).key == make_splits(BINARY).key


def test_fixed_tests_each_fold_of_its_column():
    column = ["b", "a", "a"] * 10
    task = make_toy(["yes", "no", "no", "no", "yes", "yes"] * 5, folds=column)
    first, second = make_splits(task, "fixed").folds
    assert first.test.tolist() == list(range(0, 30, 3))
    assert sorted(second.test.tolist()) == sorted(first.train.tolist())


@pytest.mark.parametrize("cv", ["rep5x5", "kfold", "loo"])
def test_class_of_one_row_is_refused_by_name(cv):
    task = make_toy(["a", "b", "c", *(["a", "b"] * 10)], kind=TaskKind.MULTICLASS)
    with pytest.raises(SplitError, match="class 'c' is in a single row, so no n_splits works"):
        make_splits(task, cv)


def test_class_of_two_rows_works_with_every_n_splits():
    task = make_toy(["yes", "yes", *["no"] * 18])
    for cv, values in (("rep5x5", {}), ("kfold", {"n_splits": 20}), ("loo", {})):
        for fold in make_splits(task, cv, **values).folds:
            assert set(task.y[fold.train]) == {0, 1}


def test_class_in_one_group_is_refused_by_name():
    task = make_toy(["yes", "yes", *["no"] * 18], groups=[f"g{i // 2}" for i in range(20)])
    with pytest.raises(SplitError, match="class 'yes' is in a single group"):
        make_splits(task)


@pytest.mark.parametrize(
    ("cv", "values", "error", "words"),
    [
        ("groups", {}, SplitError, r"set dataset\.groups=COLUMN"),
        ("fixed", {}, SplitError, r"set dataset\.folds=COLUMN"),
        ("kfold", {"n_splits": 31}, SplitError, r"number of rows \(30\); got 31"),
        (
            "kfold",
            {"n_splits": 1},
            ConfigError,
            r"cv\.n_splits must be a whole number of at least 2; got 1",
        ),
        ("kfold", {"n_splits": True}, ConfigError, "got True"),
        ("kfold", {"n_repeats": 2.5}, ConfigError, r"got 2\.5"),
        ("holdout", {"test_share": 1.0}, ConfigError, "between 0 and 1"),
        ("holdout", {"test_share": 0.99}, SplitError, "test_share must leave"),
        ("loo", {"n_splits": 5}, ConfigError, "cv=loo takes no numbers; got n_splits=5"),
        ("holdout", {"n_splits": 5}, ConfigError, "takes test_share and n_repeats"),
        ("kfolds", {}, ConfigError, "did you mean kfold"),
    ],
)
def test_invalid_cv_settings_are_refused(cv, values, error, words):
    with pytest.raises(error, match=words):
        make_splits(BINARY, cv, **values)


def test_fixed_refuses_split_groups_missing_classes_and_single_fold():
    with pytest.raises(SplitError, match="'g1' is in the folds 'a' and 'b'"):
        make_splits(
            make_toy(["yes", "no"] * 4, groups=["g0", "g0", *["g1"] * 6], folds=[*"aaaabbbb"]),
            "fixed",
        )
    with pytest.raises(SplitError, match="all rows of class 'yes' are in fold 'b'"):
        make_splits(make_toy([*["no"] * 4, "yes", "no"], folds=[*"aaabbb"]), "fixed")
    with pytest.raises(SplitError, match="at least 2 fold ids; it has only 'a'"):
        make_splits(make_toy(["yes", "no"] * 3, folds=["a"] * 6), "fixed")


def test_train_size_out_of_range_is_refused():
    splits = make_splits(BINARY)
    for size in (None, 2, 24):
        check_train_size(BINARY, splits, size)
    for size in (1, 25, 0, 8.0, True):
        with pytest.raises(ConfigError, match=r"cv\.train_size must"):
            check_train_size(BINARY, splits, size)
    with pytest.raises(ConfigError, match=r"between 2 \(one row of each class\) and 24 .* got 25"):
        check_train_size(BINARY, splits, 25)


FOUR = [f"g{i % 4}" for i in range(32)]


@pytest.mark.parametrize("kind", list(TaskKind))
@pytest.mark.parametrize(
    ("cv", "name", "note"),
    [
        ("auto", "groups", "cv=groups makes 4 folds once instead of 5 folds 5 times: "),
        ("groups", "groups", "cv=groups makes 4 folds once instead of 5 folds 5 times: "),
        ("rep5x5", "rep4x1", "cv=rep5x5 makes 4 folds once instead of 5 folds 5 times: "),
        ("kfold", "kfold", "cv=kfold makes 4 folds instead of 10: there are only 4 groups"),
    ],
)
def test_fewer_groups_than_default_folds_make_one_fold_per_group(cv, name, note, kind):
    values = np.arange(32.0) if kind is TaskKind.REGRESSION else ["a", "b", "a", "a"] * 8
    if kind is TaskKind.MULTICLASS:
        values = ["a", *["c"] * 11, *["a", "b"] * 10]  # the second half has no c
    task = make_toy(values, kind=kind, groups=np.roll(np.sort(FOUR), 3))
    made = make_splits(task, cv)
    assert (made.name, made.n_repeats, made.n_folds) == (name, 1, 4)
    tested = sorted("".join(np.unique(task.groups[fold.test])) for fold in made.folds)
    assert tested == ["g0", "g1", "g2", "g3"]
    (said,) = made.notes
    assert said.startswith(note)
    asked = make_splits(task, cv, n_splits=4, n_repeats=1)  # the same folds, by their number
    assert (asked.folder, asked.notes) == (made.folder, ())


def test_fewer_groups_than_folds_keep_the_repeats_that_were_asked_for():
    task = make_toy(["yes", "no", "no", "yes"] * 8, groups=np.sort(FOUR))
    made = make_splits(task, "groups", n_repeats=3)
    assert (made.n_repeats, made.n_folds) == (3, 4)
    assert made.notes == ("cv=groups makes 4 folds instead of 5: there are only 4 groups",)


@pytest.mark.parametrize("n_splits", [5, 6])
@pytest.mark.parametrize("cv", ["auto", "groups", "rep5x5", "kfold"])
def test_more_folds_asked_for_than_groups_are_refused(cv, n_splits):
    task = make_toy(["yes", "no", "no", "yes"] * 8, groups=np.sort(FOUR))
    said = rf"number of groups \(4\); got {n_splits}\. Leave it out to make each group a fold"
    with pytest.raises(SplitError, match=said):
        make_splits(task, cv, n_splits=n_splits)


@pytest.mark.parametrize("cv", ["auto", "groups", "rep5x5", "kfold", "loo", "holdout"])
def test_single_group_is_refused(cv):
    task = make_toy(np.arange(20.0), kind=TaskKind.REGRESSION, groups=["g0"] * 20)
    with pytest.raises(SplitError, match=r"at least 2 groups, .* all rows are in group 'g0'"):
        make_splits(task, cv)


@pytest.mark.parametrize("cv", ["auto", "groups", "rep5x5"])
def test_as_many_groups_as_default_folds_change_nothing(cv):
    task = make_toy(["yes", "no", "no", "yes", "no"] * 6, groups=np.sort([*range(5)] * 6))
    made = make_splits(task, cv)
    assert (made.n_repeats, made.n_folds, made.is_default, made.notes) == (5, 5, True, ())


def test_every_yaml_makes_splits_with_its_own_values():
    task = make_toy(
        ["yes", "no", "no"] * 10, groups=[f"g{i}" for i in range(30)], folds=["a", "a", "b"] * 10
    )
    assert names("cv") == ["auto", "fixed", "groups", "holdout", "kfold", "loo", "rep5x5"]
    for name in names("cv"):
        entry = read_entry("cv", name)
        values = {key: entry[key] for key in entry if key not in ("name", "train_size")}
        assert entry["name"] == name
        if name != "fixed":
            assert make_splits(task, name, **values).is_default
