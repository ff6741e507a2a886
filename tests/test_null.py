"""Importances on permuted labels: the same pipeline, rarely exceeded by noise, kept in kills."""

import dataclasses
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smalldata.datasets import load_dataset
from smalldata.errors import ExplanationError
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate
from smalldata.explanation.explanation import explain
from smalldata.explanation.options import ExplanationOptions
from smalldata.explanation.permuted_labels import (
    draw_permutation,
    mean_importance,
    measure_importance,
    null_importances,
)
from smalldata.models import load_learner, load_space
from smalldata.pipeline.preprocess import Preprocessing
from smalldata.report.sections.explanation import summarize_explanation
from smalldata.resampling.permuting import permute_task
from smalldata.resampling.strategies import make_splits
from smalldata.results.evidence import NullImportances
from smalldata.seeding import seed_for
from smalldata.store.cell_folder import CellFolder
from smalldata.store.permutations import PermutationFolder
from smalldata.task import Dataset, TaskKind, make_task
from smalldata.tuning.options import TuningOptions
from smalldata.tuning.tuner import make_tuner
from toys import binary_toy, classes_toy, make_toy, values_toy

TESTS = str(Path(__file__).parent)
OPTIONS = ExplanationOptions(interactions=0, repeats=1)


def _noise(seed, *, n=24, d=6, strength=0.0):
    """Features without any bearing on the labels, but the first one where it has a strength."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    y = rng.permutation(np.arange(n) % 2)
    X[:, 0] += strength * y
    dataset = Dataset(
        name="noise",
        X=pd.DataFrame(X, columns=[f"x{i}" for i in range(d)]),
        y=np.array(["no", "yes"], dtype=object)[y],
        sample_ids=np.arange(n).astype(str),
        kind=TaskKind.BINARY,
        target="t",
        positive="yes",
    )
    return make_task(dataset)


def _asked(task, model="linear", cv="kfold", *, n_splits=2, seed=0, options=OPTIONS, **about):
    """Return what `null_importances` takes: a cell, what cuts its folds, the options."""
    cut = partial(
        make_splits, cv=cv, seed=seed, **({} if cv == "fixed" else {"n_splits": n_splits})
    )
    cell = Cell(task=task, learner=load_learner(model), splits=cut(task), seed=seed, **about)
    return cell, cut, options


def _observe(cell, _, options):
    about = {"preprocessing": cell.preprocessing, "seed": cell.seed, "n_jobs": 1}
    record = evaluate(
        cell.task,
        cell.learner,
        cell.splits,
        train_size=cell.train_size,
        tuner=cell.tuner,
        **about,
    )
    return explain(cell.task, record, cell.learner, cell.splits, options=options, **about)


def _measure(cell, _, options):
    """Mean importances of a cell, fold by fold as those of a permutation are made."""
    return mean_importance([measure_importance(cell, fold, options) for fold in cell.splits.folds])


# ---------------------------------------------------------------- permutations


def test_a_permutation_that_empties_a_training_fold_is_drawn_again():
    labels = ["a"] * 10 + ["b"] * 10 + ["c", "c"]
    folds = ["one"] * 5 + ["two"] * 5 + ["one"] * 5 + ["two"] * 5 + ["one", "two"]
    task = make_toy(labels, kind=TaskKind.MULTICLASS, folds=folds)
    asked = _asked(task, cv="fixed")
    drawn = [draw_permutation(*asked, number=number).task.y for number in range(12)]
    for y in drawn:
        assert set(y[np.array(folds) == "one"]) == set(y[np.array(folds) == "two"]) == {0, 1, 2}
    seeds = [seed_for(0, "null", number, 0) for number in range(12)]
    first = [permute_task(task, seed=seed).y for seed in seeds]
    again = [not np.array_equal(y, other) for y, other in zip(drawn, first, strict=True)]
    assert 0 < sum(again) < 12  # some had to be drawn again, and not all


def test_a_permutation_is_explained_in_the_first_repeat_that_holds_out_a_sample_to_explain():
    task = make_toy(["a"] * 12 + ["b"] * 12)
    cut = partial(make_splits, cv="holdout", n_repeats=4)
    options = ExplanationOptions(interactions=0, rows=1)
    cell = Cell(task=task, learner=load_learner("linear"), splits=cut(task))
    for _, values in null_importances(cell, cut, options, numbers=range(6), n_jobs=1):
        assert np.isfinite(values).all()


def test_impossible_permutations_are_refused_with_one_sentence():
    cell, _, options = _asked(binary_toy(), train_size=5)

    def none(task):
        splits = make_splits(task, "kfold", n_splits=2)
        short = [dataclasses.replace(fold, train=fold.train[:3]) for fold in splits.folds]
        return dataclasses.replace(splits, folds=tuple(short))

    with pytest.raises(
        ExplanationError, match=r"none of 100 permutations did: cv\.train_size must"
    ):
        draw_permutation(cell, none, options, number=0)


def test_permutations_walk_only_selected_features():
    """What a model gets of a wide table is few: the explanation is allowed, and so are these."""
    wide = make_toy(["yes", "no"] * 15, n_features=100_000)
    asked = _asked(
        wide,
        "mlp",
        preprocessing=Preprocessing(select="univariate", k=2),
        options=ExplanationOptions(quick=False),
    )
    permuted = draw_permutation(*asked, number=0)
    assert permuted.task.n_features == 100_000


# ---------------------------------------------------------------- the same pipeline


@pytest.mark.parametrize("make", [binary_toy, classes_toy, values_toy])
@pytest.mark.parametrize(
    ("model", "about"),
    [
        ("svm", {}),
        ("knn", {"options": dataclasses.replace(OPTIONS, background=7)}),
        ("linear", {"preprocessing": Preprocessing(select="univariate", k=2)}),
        ("linear", {"train_size": 12}),
        ("svm", {"options": dataclasses.replace(OPTIONS, rows=9)}),
    ],
)
def test_observed_importances_use_the_same_pipeline(make, model, about):
    asked = _asked(make(), model, n_splits=3, seed=3, **about)
    found = _observe(*asked)
    np.testing.assert_allclose(_measure(*asked), found.first_importances, rtol=1e-6)
    assert found.first_importances.max() > 0


def test_a_tuned_cell_is_tuned_on_permuted_labels_too():
    task = binary_toy()
    learner = load_learner("knn")
    options = TuningOptions(trials=4, inner_folds=2, sampler="random", measure="roc_auc")
    tuner = make_tuner(task, learner, load_space("knn"), options=options)
    asked = _asked(task, "knn", tuner=tuner)
    found = _observe(*asked)
    np.testing.assert_allclose(_measure(*asked), found.first_importances, rtol=1e-6)
    assert not np.allclose(_measure(*_asked(task, "knn")), found.first_importances)


def test_permutation_does_not_depend_on_the_others_requested():
    asked = _asked(binary_toy(), "knn", n_splits=3)
    whole = dict(null_importances(*asked, numbers=range(4), n_jobs=1))
    some = dict(null_importances(*asked, numbers=[3, 1], n_jobs=2))
    assert sorted(whole) == [0, 1, 2, 3]
    assert sorted(some) == [1, 3]
    for number in some:
        np.testing.assert_array_equal(some[number], whole[number])
    assert len({tuple(values) for values in whole.values()}) == 4


def test_model_failing_on_permuted_labels_is_refused_with_one_sentence():
    cell, cut, options = _asked(binary_toy())
    broken = dataclasses.replace(cell, learner=_Broken())
    with pytest.raises(ExplanationError, match=r"permutation 0 of the labels: r00f00 fails: .*no"):
        list(null_importances(broken, cut, options, numbers=[0], n_jobs=1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Broken:
    traits = load_learner("linear").traits

    def build(self, info, *, seed, device):
        raise ValueError("no such thing")


# ---------------------------------------------------------------- what it marks


def _null(task, model="linear", n=19):
    asked = _asked(task, model)
    found = _observe(*asked)
    values = dict(null_importances(*asked, numbers=range(n), n_jobs=1))
    return NullImportances(
        permutation=np.arange(n),
        values=np.stack([values[number] for number in range(n)]),
        observed=found.first_importances,
    )


def test_noise_features_are_marked_in_about_one_of_twenty_tables():
    """One of 20 sets is expected, and 5 or more come of honest ones in 0.3 % of cases."""
    marked = [_null(_noise(seed)).above.any() for seed in range(20)]
    assert sum(marked) <= 4


def test_signal_is_marked_and_noise_is_not():
    for model in ("linear", "svm"):
        null = _null(_noise(0, n=40, strength=3.0), model)
        assert null.above.tolist() == [True, False, False, False, False, False]


# ---------------------------------------------------------------- the command, and kills

KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from rich.console import Console
import smalldata.runtime.files
from smalldata.cli.main import main
from smalldata.run.explain import explain_cell
from smalldata.explanation.options import ExplanationOptions
from smalldata.run.progress import Reporter
from smalldata.run.cell import open_cell
from toys import differences

root = Path(sys.argv[1])
os.chdir(root)
assert main(["dataset=nutrimouse", "model=svm", "cv=kfold", "cv.n_splits=2", "n_jobs=1",
                 "explain=none", "outputs=whole"]) == 0
(cell,) = [path.parent for path in Path("whole").rglob("DONE")]
options = ExplanationOptions(interactions=3, null=2, background=10, rows=8)
replace = os.replace

def run(path, kill_at=None, before=False):
    count = 0
    def counted(source, target):
        nonlocal count
        count += 1
        if count == kill_at and before:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
    smalldata.runtime.files.os.replace = counted
    stored = open_cell(path)
    found = explain_cell(stored, options, Reporter(Console(quiet=True)), n_jobs=1)
    smalldata.runtime.files.os.replace = replace
    return count, found, stored.folder.read_null(found)

def copied(name):
    shutil.copytree(cell, root / name / cell.name)
    return root / name / cell.name

whole = copied("0")
n_writes, expected, null = run(whole)
# Values and pairs; record and DONE; two permutations; a seal before each of the npz.
assert n_writes == 2 + 2 + 2 + 4, n_writes
assert expected.interactions is not None and len(null.values) == 2
names = sorted(path.name for path in whole.rglob("*"))
for at in range(1, n_writes + 1):
    for before in (True, False):
        path = copied(f"{at}{before}")
        child = os.fork()
        if child == 0:
            run(path, at, before)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        n_again, found, again = run(path)
        assert n_again <= n_writes - at + 2, (at, before, n_again)
        first, second = vars(found), vars(expected)
        assert differences({**first, "seconds": 0}, {**second, "seconds": 0}) == []
        assert differences(again, null) == []
        assert sorted(path.name for path in path.rglob("*")) == names
        print("ok", at, before, n_again)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_explanation_killed_at_any_write_resumes_to_the_same_result(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": TESTS},
    )
    assert done.returncode == 0, done.stderr
    assert sum(line.startswith("ok") for line in done.stdout.splitlines()) == 20


def test_command_resumes_from_stored_permutations(tmp_path, capsys):
    from smalldata.cli.main import main

    asked = ["dataset=nutrimouse", "model=linear", "cv=kfold", "cv.n_splits=2", "n_jobs=1"]
    where = f"outputs={tmp_path}"
    assert main([*asked, where, "explain.null=2"]) == 0
    said = capsys.readouterr().err
    assert "explain.null=2 shows how large importances get without signal" in said
    assert "marking features takes 19 permutations" in said
    (folder,) = tmp_path.rglob("null-*")
    files = sorted(folder.glob("p*.npz"))
    assert [path.name for path in files] == ["p0000.npz", "p0001.npz"]
    before = {path: path.stat().st_mtime_ns for path in files}
    (cell,) = [path.parent for path in tmp_path.rglob("DONE")]
    files[1].write_bytes(files[1].read_bytes()[:-30])
    assert main(["explain", str(cell), "explain.null=3", "n_jobs=1"]) == 0
    assert "It was set aside and is computed again" in capsys.readouterr().err
    assert files[0].stat().st_mtime_ns == before[files[0]]
    assert sorted(path.name for path in folder.glob("p*.npz")) == [
        "p0000.npz",
        "p0001.npz",
        "p0002.npz",
    ]
    told = {path: path.stat().st_mtime_ns for path in folder.glob("p*.npz")}
    assert main([*asked, where, "explain.null=3"]) == 0
    assert told == {path: path.stat().st_mtime_ns for path in folder.glob("p*.npz")}
    task = make_task(load_dataset("nutrimouse"))
    asked = _asked(task, options=ExplanationOptions())
    expected = dict(null_importances(*asked, numbers=range(3), n_jobs=1))
    key = folder.name.removeprefix("null-")
    stored = PermutationFolder(
        path=folder, cell=CellFolder(cell).hash, key=key, n_features=task.n_features
    )
    np.testing.assert_array_equal(stored.read(), [expected[number] for number in range(3)])


def test_null_summary_lists_features_above_the_permutations():
    null = NullImportances(
        permutation=np.arange(19),
        values=np.linspace(0, 1, 57).reshape(19, 3),
        observed=np.array([0.5, 3.0, 2.0]),
    )
    task = binary_toy()
    found = _observe(*_asked(task))
    told = summarize_explanation(task, found, null=null).null
    assert (told.n, told.enough, told.threshold) == (19, True, 1.0)
    assert told.above == ["x1", "x2"]
    assert summarize_explanation(task, found).null is None
    few = dataclasses.replace(null, permutation=np.arange(2), values=null.values[:2])
    told = summarize_explanation(task, found, null=few).null
    assert (told.n, told.needed, told.above) == (2, 19, [])
