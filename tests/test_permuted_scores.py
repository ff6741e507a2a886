"""Scores on permuted labels: the whole line again, p-values that hold, kept in kills."""

import dataclasses
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smalldata.cli.main import main
from smalldata.comparison.comparison import compare
from smalldata.comparison.permuted_scores import (
    draw_cell,
    permute_scores,
    permuted_scores,
    shares_work,
)
from smalldata.comparison.scores import cell_scores
from smalldata.errors import ConfigError, FitError, RecordError, SplitError
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate
from smalldata.evaluation.thresholds import ThresholdOptions
from smalldata.learner import SupportsRelabel, SupportsWorkspace
from smalldata.measures.registry import find_measure
from smalldata.models import load_learner, load_space
from smalldata.panel.selector import SignatureOptions, make_selector
from smalldata.pipeline.preprocess import Preprocessing
from smalldata.report import report_html
from smalldata.report.figures.permuted_scores import count_scores
from smalldata.report.inputs import ReportInputs
from smalldata.report.sections.permuted_scores import summarize_permuted
from smalldata.report.sections.permuted_scores_words import outline_permuted, say_permuted
from smalldata.resampling.strategies import make_splits
from smalldata.results.evidence import PermutedScores
from smalldata.store.cell_folder import CellFolder
from smalldata.store.permuted_scores import PermutedScoresFolder
from smalldata.task import Dataset, TaskKind, make_task
from smalldata.tuning.options import TuningOptions
from smalldata.tuning.tuner import make_tuner
from toys import binary_toy, classes_toy, make_toy, values_toy

TESTS = str(Path(__file__).parent)


def _cell(task, model="knn", cv="kfold", *, n_splits=3, **about):
    numbers = {} if cv in ("loo", "fixed") else {"n_splits": n_splits}
    if cv == "groups":
        numbers["n_repeats"] = 1
    splits = make_splits(task, cv, **numbers)
    return Cell(task=task, learner=load_learner(model), splits=splits, **about)


def _score(cell):
    """Score a cell the slow way: as a run does, through the estimators."""
    record = evaluate(
        cell.task,
        cell.learner,
        cell.splits,
        preprocessing=cell.preprocessing,
        train_size=cell.train_size,
        tuner=cell.tuner,
        selector=cell.selector,
        threshold=cell.threshold,
        seed=cell.seed,
        n_jobs=1,
    )
    return cell_scores(record, find_measure(cell.task.measure, cell.task.kind)).mean


def _scores(cell, n=4, **options):
    found = dict(permuted_scores(cell, numbers=range(n), **{"n_jobs": 1, **options}))
    return [found[number] for number in range(n)]


def _noise(seed, *, n=16, strength=0.0, groups=None):
    rng = np.random.default_rng(seed)
    group = np.arange(n) if groups is None else np.repeat(np.arange(len(groups)), groups)
    y = rng.permutation(np.arange(group.max() + 1) % 2)[group]
    X = rng.normal(size=(group.max() + 1, 3))[group] + 0.3 * rng.normal(size=(len(group), 3))
    X[:, 0] += strength * y
    return make_task(
        Dataset(
            name="noise",
            X=pd.DataFrame(X, columns=["a", "b", "c"]),
            y=np.array(["no", "yes"], dtype=object)[y],
            sample_ids=np.arange(len(y)).astype(str),
            groups=None if groups is None else group.astype(str).astype(object),
            kind=TaskKind.BINARY,
            target="t",
            positive="yes",
        )
    )


# ---------------------------------------------------------------- the same procedure


def _tuned(task, model="knn"):
    options = TuningOptions(
        trials=3, inner_folds=2, sampler="random", measure=task.measure, choose="best"
    )
    return make_tuner(task, load_learner(model), load_space(model), options=options)


@pytest.mark.parametrize("make", [binary_toy, classes_toy, values_toy])
@pytest.mark.parametrize(
    ("model", "about"),
    [
        ("svm", {}),
        ("knn", {}),
        ("linear", {"train_size": 12}),
        ("pls", {}),
        ("dummy", {}),
        ("linear", {"preprocessing": Preprocessing(select="univariate", k=2)}),
        ("svm", {"seed": 3}),
    ],
)
def test_score_of_a_permutation_is_that_of_a_run_on_its_labels(make, model, about):
    cell = _cell(make(), model, **about)
    expected = [_score(draw_cell(cell, number)) for number in range(3)]
    np.testing.assert_allclose(_scores(cell, 3), expected, rtol=1e-9)
    if model != "dummy":
        assert len(set(expected)) > 1


@pytest.mark.parametrize("choose", ["tuner", "selector"])
def test_a_permutation_is_tuned_or_selects_as_the_cell_does(choose):
    task = binary_toy()
    choice = {
        "tuner": _tuned(task),
        "selector": make_selector(task, SignatureOptions(sizes=(1, 2), inner_folds=2)),
    }
    cell = _cell(task, n_splits=2, **{choose: choice[choose]})
    expected = _score(draw_cell(cell, 0))
    assert _scores(cell, 1) == [expected]
    assert not np.isclose(expected, _scores(_cell(task, n_splits=2), 1)[0])


@pytest.mark.parametrize("measure", ["balanced_accuracy", "roc_auc"])
def test_a_permutation_calls_at_the_threshold_of_its_folds(measure):
    task = make_task(binary_toy().dataset, measure=measure)
    rule = ThresholdOptions(rule="sensitivity", at=1.0, inner_folds=2)
    cell = _cell(task, n_splits=2, threshold=rule)
    expected = [_score(draw_cell(cell, number)) for number in range(3)]
    np.testing.assert_allclose(_scores(cell, 3), expected, rtol=1e-9)
    plain = _scores(dataclasses.replace(cell, threshold=None), 3)
    assert np.allclose(plain, expected, rtol=1e-9) is (measure == "roc_auc")
    record = dataclasses.replace(
        cell.record(),
        folds=evaluate(task, cell.learner, cell.splits, threshold=rule, n_jobs=1).folds,
        permuted={measure: PermutedScores(measure=measure, values=np.array(expected))},
    )
    assert summarize_permuted(task, record, None).chooses is (measure != "roc_auc")


def test_permutations_do_not_depend_on_processes_or_on_the_others():
    for task in (binary_toy(), values_toy()):
        cell = _cell(task, "svm")
        whole = dict(permuted_scores(cell, numbers=range(5), n_jobs=1))
        some = dict(permuted_scores(cell, numbers=[4, 1], n_jobs=2))
        assert sorted(whole) == [0, 1, 2, 3, 4]
        assert some == {number: whole[number] for number in (4, 1)}
        assert len(set(whole.values())) == 5
    assert list(permuted_scores(cell, numbers=[])) == []


def test_all_models_get_the_same_permuted_labels():
    task = binary_toy()
    drawn = [draw_cell(_cell(task, model), 3) for model in ("knn", "svm")]
    np.testing.assert_array_equal(drawn[0].task.y, drawn[1].task.y)
    assert drawn[0].splits.key == drawn[1].splits.key


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (lambda: _cell(binary_toy()), False),  # folds follow the classes
        (lambda: _cell(values_toy()), True),
        (lambda: _cell(binary_toy(), cv="loo"), True),
        (lambda: _cell(binary_toy(groups=list("abcde") * 6), cv="groups"), True),
        (lambda: _cell(values_toy(), preprocessing=Preprocessing(select="variance", k=2)), True),
        (lambda: _cell(values_toy(), preprocessing=Preprocessing(select="linear", k=2)), False),
        (lambda: _cell(values_toy(), tuner=_tuned(values_toy())), False),
    ],
)
def test_work_is_shared_where_neither_folds_nor_preprocessing_read_labels(cell, expected):
    assert shares_work(cell(), number=0) is expected


def test_permuted_labels_may_be_cut_into_another_number_of_folds(monkeypatch):
    cell, draw = _cell(values_toy(), cv="loo"), draw_cell

    def cut(cell, number):
        drawn = draw(cell, number)
        folds = drawn.splits.folds[: 29 if number == 1 else None]
        return dataclasses.replace(drawn, splits=dataclasses.replace(drawn.splits, folds=folds))

    whole = _scores(cell, 3)
    monkeypatch.setattr("smalldata.comparison.permuted_scores.draw_cell", cut)
    assert shares_work(cell, number=0)
    assert not shares_work(cell, number=1)
    found = _scores(cell, 3)
    assert (found[0], found[2]) == (whole[0], whole[2])
    assert found[1] != whole[1]


def test_workspaces_are_made_once_for_permutations_that_share_folds(monkeypatch):
    cell, made = _cell(values_toy(), "svm"), []
    kind = type(cell.learner)
    make = kind.workspace
    monkeypatch.setattr(
        kind, "workspace", staticmethod(lambda *a, **k: made.append(1) or make(*a, **k))
    )
    _scores(cell, 4)
    assert len(made) == len(cell.splits.folds)


@pytest.mark.parametrize("model", ["svm", "knn", "linear"])
@pytest.mark.parametrize("make", [binary_toy, classes_toy, values_toy])
def test_relabelled_workspace_equals_a_new_one(model, make):
    task, learner = make(), load_learner(model)
    assert isinstance(learner, SupportsWorkspace)
    X = np.ascontiguousarray(task.X.to_numpy())
    needs = "probability" if task.kind.is_classification else "value"

    def workspace(y):
        about = {"groups": None, "seed": 1, "device": "cpu"}
        return learner.workspace(task.info, X[:20], y, X[20:], **about)

    other = np.random.default_rng(1).permutation(task.y[:20])
    first = workspace(task.y[:20])
    assert isinstance(first, SupportsRelabel)
    first.outputs(learner, needs=needs)
    found = first.relabel(other).outputs(learner, needs=needs)
    expected = workspace(other).outputs(learner, needs=needs)
    for name in ("probabilities", "value"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


# ---------------------------------------------------------------- p-values


def test_p_value_counts_scores_as_good_and_takes_none_as_the_worst():
    null = PermutedScores(measure="m", values=np.array([0.5, 0.7, np.nan, 0.6 - 1e-12]))
    assert null.p_value(0.6, higher_is_better=True) == 3 / 5
    assert null.p_value(0.6, higher_is_better=False) == 3 / 5
    assert null.p_value(0.71, higher_is_better=True) == 1 / 5
    assert null.p_value(0.4, higher_is_better=False) == 1 / 5


@pytest.mark.parametrize("groups", [None, (1, 4) * 6])
def test_p_values_are_uniform_without_signal(groups):
    """Of 20 noise tables 2 are expected at the smallest of 10 p-values; 7 come in 0.2 %."""
    p_values = []
    for seed in range(20):
        task = _noise(seed, groups=groups)
        cell = _cell(task, cv="kfold" if groups is None else "groups", n_splits=2)
        null = PermutedScores(measure="roc_auc", values=np.array(_scores(cell, 9)))
        p_values.append(null.p_value(_score(cell), higher_is_better=True))
    assert sum(p <= 0.1 for p in p_values) <= 6
    assert 3 <= sum(p <= 0.5 for p in p_values) <= 17


def test_p_value_is_small_with_signal_and_stands_in_the_table():
    task = _noise(0, n=40, strength=4.0)
    records = []
    for model in ("knn", "dummy"):
        cell = _cell(task, model)
        record = evaluate(task, cell.learner, cell.splits, n_jobs=1)
        assert compare([record]).rows[0].p_permutation is None
        records.append(permute_scores(cell, record, n=19, n_jobs=1))
    rows = [row for row in compare(records).rows if row.measure == "roc_auc"]
    assert [(row.model, row.n_permutations, row.p_permutation) for row in rows] == [
        ("knn", 19, 0.05),
        ("dummy", 19, 1.0),
    ]
    others = [row for row in compare(records).rows if row.measure != "roc_auc"]
    assert {row.p_permutation for row in others} == {None}


# ---------------------------------------------------------------- what is refused or fails


def test_too_few_orders_are_refused_before_anything_is_fitted():
    task = make_toy(["yes", "no"] * 3, groups=list("aabbcc"))
    cell = _cell(task, cv="groups")
    with pytest.raises(ConfigError, match=r"permutations needs labels .* there are 8"):
        permute_scores(cell, cell.record(), n=3)


def test_folds_of_unknown_origin_are_refused():
    cell = _cell(binary_toy())
    foreign = dataclasses.replace(cell.splits, asked=None)
    with pytest.raises(SplitError, match="give splits that make_splits returned"):
        list(permuted_scores(dataclasses.replace(cell, splits=foreign), numbers=[0], n_jobs=1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Broken:
    traits = load_learner("linear").traits

    def build(self, info, *, seed, device):
        raise ValueError("no such thing")


def test_model_that_fails_on_permuted_labels_is_named():
    cell = dataclasses.replace(_cell(binary_toy()), learner=_Broken())
    with pytest.raises(FitError, match=r"permutation 2 of the labels: r00f00 fails: .*no such"):
        list(permuted_scores(cell, numbers=[2], n_jobs=1))


# ---------------------------------------------------------------- files


@pytest.fixture
def stored(tmp_path):
    return PermutedScoresFolder(path=tmp_path / "roc_auc", cell="c")


def test_stored_scores_are_read_up_to_the_first_missing_one(stored):
    assert stored.read().values.tolist() == []
    for number, score in ((0, 0.5), (1, float("nan")), (3, 0.75)):
        stored.write(number, score)
    found = stored.read()
    assert found.measure == "roc_auc"
    np.testing.assert_array_equal(found.values, [0.5, np.nan])
    assert stored.resume() == ({0, 1, 3}, ())


@pytest.mark.parametrize("damage", ["torn", "edited", "other cell", "other measure", "renamed"])
def test_damaged_score_is_set_aside(stored, damage):
    stored.write(0, 0.5)
    path = stored.path / "p0000.json"
    if damage == "torn":
        path.write_text(path.read_text()[:-20])
    elif damage == "edited":
        path.write_text(path.read_text().replace("0.5", "0.9"))
    elif damage == "other cell":
        dataclasses.replace(stored, cell="d").write(0, 0.5)
    elif damage == "other measure":
        other = dataclasses.replace(stored, path=stored.path.parent / "brier")
        other.write(0, 0.5)
        path.write_text((other.path / "p0000.json").read_text())
    else:
        stored.write(1, 0.5)
        (stored.path / "p0001.json").rename(path)
    with pytest.raises(RecordError):
        stored.read()
    assert stored.whole() == frozenset()
    found, (sentence,) = stored.resume()
    assert (found, "computed again" in sentence) == (frozenset(), True)
    assert (stored.path / "p0000.json.damaged").exists()


# ---------------------------------------------------------------- the command, and kills

RUN = ["dataset=nutrimouse", "model=knn", "cv=kfold", "cv.n_splits=2", "explain=none", "n_jobs=1"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _the_cell():
    (path,) = Path("outputs").glob("*/*/*-*/record.json")
    return CellFolder(path.parent)


def test_command_writes_p_values_and_continues_from_stored_permutations(folder, capsys):
    assert main([*RUN, "permutations=3"]) == 0
    said = capsys.readouterr()
    assert "permutations=3: the smallest p-value is 1/4; it takes 19 to reach 0.05" in said.err
    assert "scoring knn on nutrimouse on permuted labels: 3/3" in said.err
    assert "| p (permuted) |" in said.out
    assert "from 3 permutations of the labels; not corrected for the number" in said.out
    cell = _the_cell()
    files = sorted((cell.path / "permutations" / "roc_auc_ovr").glob("*"))
    assert [path.name for path in files] == ["p0000.json", "p0001.json", "p0002.json"]
    before = {path: path.stat().st_mtime_ns for path in files}
    files[1].write_text(files[1].read_text().replace("score", "SCORE"))
    assert main([*RUN, "permutations=5"]) == 0
    said = capsys.readouterr()
    assert "set aside and is computed again" in said.err
    assert files[0].stat().st_mtime_ns == before[files[0]]
    null = cell.permuted_scores("roc_auc_ovr").read()
    splits = make_splits(task := _nutrimouse(), "kfold", n_splits=2)
    asked = Cell(task=task, learner=load_learner("knn"), splits=splits)
    assert null.values.tolist() == _scores(asked, 5)
    frame = pd.read_csv("outputs/nutrimouse/kfold-" + splits.key[:6] + "/comparison.csv")
    assert frame.columns[-2:].tolist() == ["n_permutations", "p_permutation"]
    primary = frame[frame.measure == "roc_auc_ovr"].iloc[0]
    expected = null.p_value(primary["mean"], higher_is_better=True)
    assert (primary.n_permutations, primary.p_permutation) == (5, pytest.approx(expected))
    (path,) = Path("outputs").rglob("comparison.json")
    rows = json.loads(path.read_text())["rows"]
    assert rows[0]["p_permutation"] == expected
    assert "| p (permuted) |" in path.with_suffix(".md").read_text()
    assert "p (permuted)" in path.with_name("index.html").read_text()
    assert 'id="permutations"' in (cell.path / "report.html").read_text()
    assert main(["compare", str(cell.path)]) == 0
    assert "p (permuted)" in capsys.readouterr().out


def _nutrimouse():
    from smalldata.datasets import load_dataset

    return make_task(load_dataset("nutrimouse"))


def test_dry_run_counts_the_permutations(folder, capsys):
    assert main([*RUN, "permutations=40", "dry_run=true"]) == 0
    said = capsys.readouterr().out
    assert "2 folds, 0 found" in said
    assert "s for 40 permutations of the labels" in said
    assert not Path("outputs").exists()
    assert main([*RUN, "permutations=1"]) == 0
    assert main([*RUN, "permutations=1", "dry_run=true"]) == 0
    assert "nothing to fit" in capsys.readouterr().out
    assert main([*RUN, "permutations=3", "dry_run=true"]) == 0
    assert "2 folds, 2 found" in (said := capsys.readouterr().out)
    assert "for 2 permutations of the labels" in said
    (path,) = Path("outputs").rglob("p0000.json")
    path.write_text("{")
    assert main([*RUN, "permutations=3", "dry_run=true"]) == 0
    assert "for 3 permutations of the labels" in capsys.readouterr().out
    assert path.read_text() == "{"


def test_torn_score_leaves_the_cell_in_the_table_without_a_p_value(folder, capsys):
    assert main([*RUN, "permutations=1"]) == 0
    path = _the_cell().path / "permutations" / "roc_auc_ovr" / "p0000.json"
    path.write_text("{")
    assert main(RUN) == 0
    said = capsys.readouterr()
    assert "p0000.json is torn" in said.err
    (table,) = Path("outputs").rglob("comparison.json")
    assert json.loads(table.read_text())["rows"][0]["p_permutation"] is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["permutations=-1"], "permutations must be a whole number of at least 0; got -1."),
        (["permutations=many"], "permutations must be a whole number; got 'many'."),
        (
            ["permutations=9", "-m", "hydra/sweeper=smalldata_optuna", "hydra.sweeper.n_trials=2",
             "model.learner.n_neighbors=choice(1,3)"],
            "permutations tests one cell, and the best of a sweep is chosen by its score",
        ),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(folder, capsys, words, sentence):
    assert main([*RUN, *words]) == 2
    assert sentence in capsys.readouterr().err


def test_groups_of_different_sizes_are_refused_in_one_sentence(folder, capsys):
    sizes = [2, 3, 4, 5, 6, 7]
    group = np.repeat(np.arange(6), sizes)
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(27, 3)), columns=list("abc"))
    table.insert(0, "id", [f"s{i}" for i in range(27)])
    table["patient"] = [f"p{i}" for i in group]
    table["sick"] = np.where(group % 2, "yes", "no")
    table.to_csv("own.csv", index=False)
    asked = ["dataset=table", "dataset.path=own.csv", "dataset.target=sick"]
    asked += ["dataset.groups=patient", "model=knn", "cv.n_splits=2", "explain=none", "n_jobs=1"]
    assert main([*asked, "permutations=20"]) == 2
    assert "only groups with the same number of samples may exchange" in capsys.readouterr().err
    assert not Path("outputs").exists()
    assert main([*asked, "explain=shap", "explain.null=19"]) == 2
    assert "explain.null needs labels that can be put in at least 20" in capsys.readouterr().err


def test_explanations_of_a_run_are_those_of_its_own_fits(folder, capsys):
    asked = [word for word in RUN if word != "explain=none"]
    tuned = ["tune=optuna", "tune.trials=2", "tune.inner_folds=2", "explain.null=0"]
    assert main([*asked, *tuned, "permutations=2"]) == 0
    assert "must give the stored predictions" not in capsys.readouterr().err
    assert list(_the_cell().path.rglob("p0001.json"))


def test_permutations_that_fail_leave_the_score_and_say_why(folder, capsys):
    """One of two positive rows must be in a fold of two, which permuting hardly ever gives."""
    n = 1500
    table = pd.DataFrame({"a": np.random.default_rng(0).normal(size=n)})
    table["sick"] = np.where(np.isin(np.arange(n), [0, 1]), "yes", "no")
    table["part"] = np.where(np.isin(np.arange(n), [0, 2]), "one", "rest")
    table.to_csv("own.csv", index=False)
    asked = ["dataset=table", "dataset.path=own.csv", "dataset.target=sick", "cv=fixed"]
    asked += ["dataset.positive=yes", "dataset.folds=part", "model=dummy", "explain=none"]
    assert main([*asked, "n_jobs=1", "permutations=19"]) == 0
    said = capsys.readouterr()
    assert "dummy on" in said.err
    assert "permutations end early: permuted labels must leave each class in each" in said.err
    assert "p (permuted)" not in said.out
    assert "| dummy" in said.out


KILLED = """
import os, signal, sys
from pathlib import Path
import smalldata.runtime.files
from smalldata.cli.main import main

os.chdir(sys.argv[1])
asked = ["dataset=nutrimouse", "model=knn", "cv=kfold", "cv.n_splits=2", "explain=none", "n_jobs=1",
         "permutations=4"]
replace, kill_at, before = os.replace, int(sys.argv[2]), sys.argv[3] == "before"
written = 0

def counted(source, target):
    global written
    inside = "permutations" in Path(target).parts
    written += inside
    if inside and written == kill_at and before:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
    if inside and written == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)

smalldata.runtime.files.os.replace = counted
assert main(asked) == 0
print("written", written)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_run_killed_between_permutations_ends_with_the_same_numbers(folder):
    def run(place, kill_at, when="after"):
        Path(place).mkdir(exist_ok=True)
        return subprocess.run(
            [sys.executable, "-c", KILLED, place, str(kill_at), when],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": TESTS},
        )

    def files(place):
        found = sorted(Path(place).rglob("permutations/*/*"))
        return {path.relative_to(place).as_posix(): path.read_bytes() for path in found}

    assert "written 4" in run("whole", 0).stdout
    assert run("killed", 2, "before").returncode < 0
    assert len(files("killed")) == 2  # the first and what was being written
    again = run("killed", 0)
    assert again.returncode == 0, again.stderr
    assert "written 3" in again.stdout
    assert files("killed") == files("whole")
    assert len(files("whole")) == 4
    (one,), (other,) = (list(Path(place).rglob("comparison.json")) for place in ("whole", "killed"))
    rows = [json.loads(path.read_text())["rows"][0]["p_permutation"] for path in (one, other)]
    assert rows[0] == rows[1]


# ---------------------------------------------------------------- the report


def _permuted_record(task, values, model="dummy", **about):
    cell = _cell(task, model, **about)
    record = evaluate(task, cell.learner, cell.splits, n_jobs=1)
    null = PermutedScores(measure=task.measure, values=np.array(values))
    return dataclasses.replace(record, permuted={task.measure: null})


def test_report_says_what_the_p_value_is_of():
    task = binary_toy()
    record = _permuted_record(task, [0.3] * 12 + [0.4] * 6 + [np.nan])
    found = summarize_permuted(task, record, None)
    assert (found.score, found.n, found.n_as_good, found.n_undefined) == (0.5, 19, 0, 1)
    assert outline_permuted(found) == [
        "Permutation p = 0.050 (19 permutations): how often this whole procedure scores as high "
        "when labels carry nothing."
    ]
    assert say_permuted(found) == [
        "The labels were permuted 19 times, and the whole procedure was run on each permutation.",
        "Permuted labels score 0.300 to 0.400; the true ones score 0.500, and none of 19 "
        "permutations score as high.",
        "1 permutation had no score, which counts as the worst.",
        "p = (1 + 0) / (1 + 19) = 0.050, the smallest that this number of permutations can give: "
        "how often this whole procedure scores as high when features and labels have nothing to do "
        "with each other. It is not corrected for the number of models.",
    ]
    html = report_html(ReportInputs(task=task, record=record, comparison=compare([record])))
    assert 'id="permutations"' in html
    assert 'id="figure-permuted"' in html
    plain = dataclasses.replace(record, permuted={})
    assert summarize_permuted(task, plain, None) is None
    assert 'id="permutations"' not in report_html(ReportInputs(task=task, record=plain))
    other = compare([record], measure="brier")
    assert summarize_permuted(task, record, other) is None


def test_report_says_who_exchanged_labels_and_that_errors_are_low():
    errors = summarize_permuted(
        task := values_toy(), _permuted_record(task, [0.1] * 3 + [9.0] * 16), None
    )
    assert errors.n_as_good == 3
    said = " ".join(say_permuted(errors))
    assert "3 of 19 permutations score as low" in said
    assert "p = (1 + 3) / (1 + 19) = 0.20: how often" in said
    within = binary_toy(groups=list("abcde") * 6)
    found = summarize_permuted(within, _permuted_record(within, [0.5] * 19, cv="groups"), None)
    assert "within their group, so this does not test what distinguishes" in say_permuted(found)[0]
    assert "Permuted labels score 0.500; the true" in say_permuted(found)[1]
    whole = binary_toy(groups=[f"g{i}" for i in range(30)])
    found = summarize_permuted(whole, _permuted_record(whole, [0.5] * 19, cv="groups"), None)
    assert "among groups with as many samples" in say_permuted(found)[0]
    tuned = dataclasses.replace(found, chooses=True)
    assert "choices inside the folds included," in say_permuted(tuned)[0]


@pytest.mark.parametrize(
    "values", [[0.5], [0.5] * 9, [0.1, 0.9], np.linspace(0.2, 0.8, 50).tolist(), [1e9, 1e9 + 1]]
)
def test_bars_count_every_permutation_once(values):
    task = binary_toy()
    found = summarize_permuted(task, _permuted_record(task, values), None)
    bars = count_scores(found)
    assert sum(bar["n"] for bar in bars) == len(values)
    for value in values:
        assert any(bar["low"] <= value <= bar["high"] for bar in bars)
    assert all(one["high"] <= other["low"] + 1e-9 for one, other in pairwise(bars))
