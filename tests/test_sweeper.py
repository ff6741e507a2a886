"""Hydra's sweep syntax on whole cells: what is searched, gone on with, shared, and said of it."""

import itertools
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from hydra_plugins.smalldata_optuna._space import grid_points, nested_overrides, read_space
from smalldata.__main__ import main
from smalldata.errors import ConfigError
from smalldata.measures.registry import find_measure
from smalldata.store.cell_folder import CellFolder

SWEEPER = ("-m", "hydra/sweeper=smalldata_optuna", "hydra.sweeper.heartbeat_seconds=1")
CELL = (
    *("dataset=synthetic", "dataset.n=60", "dataset.p=5", "dataset.informative=3", "model=svm"),
    *("cv=kfold", "cv.n_splits=2", "cv.n_repeats=1", "n_jobs=1", "explain=none"),
)
C = "model.learner.C=tag(log,interval(0.01,100))"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Run below a temporary folder, as a new process would."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _sweep(*overrides):
    return main([*SWEEPER, *CELL, *overrides])


def _start(*overrides):
    command = [sys.executable, "-m", "smalldata", *SWEEPER, *CELL, *overrides]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A suite started in the background hands on a SIGINT that is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _place():
    (place,) = Path("outputs/sweeps").iterdir()
    return place


def _study(place):
    storage = f"sqlite:///{place / 'study.sqlite'}"
    (name,) = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage)


def _states(place):
    return [trial.state.name for trial in _study(place).get_trials()]


def _trials(place):
    return pd.read_csv(place / "trials.csv")


def _records():
    return [CellFolder(path.parent).read_record() for path in Path("outputs").glob("*/*/*/DONE")]


def _table():
    (path,) = Path("outputs").glob("*/*/comparison.csv")
    frame = pd.read_csv(path)
    return frame[frame["measure"] == "roc_auc"]


# ---------------------------------------------------------------- the grammar

DISCRETE = (
    "model.learner.C=1,2.5,3",
    "model.learner.C=choice(0.1,10)",
    "model.learner.kernel=rbf,'linear'",
    "model.learner.degree=range(1,4)",
    "model.learner.degree=range(3,0,-2)",
    "model.learner.C=range(0.1,0.6,0.1)",
    "model.learner.C=range(1,2,0.25)",
    "model.learner.degree=int(range(1.0,4.0))",
    "model.learner.C=float(range(1,4))",
    "model.learner.degree=tag(log,range(1,9))",
    "+model.learner.extra=[1,2],{a:1}",
    "model=svm,knn",
    "preprocess.k=sort(30,10,20)",
)


def _parsed(*texts):
    return OverridesParser.create().parse_overrides(list(texts))


@pytest.mark.parametrize("text", DISCRETE)
def test_discrete_sweep_tries_the_same_jobs_as_hydra(text):
    expected = {job[0] for job in BasicSweeper.split_arguments(_parsed(text), None)[0]}
    ((dimension,), _) = read_space(_parsed(text))
    points = grid_points([dimension])
    assert {dimension.override(point[dimension.key]) for point in points} == expected
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    asked = [study.ask({"x": dimension.distribution()}).params["x"] for _ in range(200)]
    assert {dimension.override(value) for value in asked} == expected


def test_a_grid_has_the_order_of_the_basic_sweeper():
    texts = ("model.learner.C=range(1,4)", "model.learner.kernel=rbf,linear", "cv=kfold")
    jobs = BasicSweeper.split_arguments(_parsed(*texts), None)[0]
    dimensions, fixed = read_space(_parsed(*texts))
    found = [
        [one.override(point[one.key]) for one in dimensions] for point in grid_points(dimensions)
    ]
    assert found == [job[:2] for job in jobs]
    assert fixed == ("cv=kfold",)


@pytest.mark.parametrize(
    ("sweep", "low", "high", "whole", "log"),
    [
        ("interval(0.01,100)", 0.01, 100.0, False, False),
        ("interval(1,10)", 1.0, 10.0, False, False),
        ("int(interval(1,10))", 1, 10, True, False),
        ("tag(int,interval(1,10))", 1, 10, True, False),
        ("tag(log,interval(1e-3,10))", 0.001, 10.0, False, True),
        ("tag(log,int(interval(1,1000)))", 1, 1000, True, True),
        ("int(tag(log,interval(1,1000)))", 1, 1000, True, True),
        ("tag(int,log,interval(1,1000))", 1, 1000, True, True),
    ],
)
def test_an_interval_is_searched_between_its_ends(sweep, low, high, whole, log):
    ((dimension,), _) = read_space(_parsed(f"model.learner.C={sweep}"))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    asked = [study.ask({"x": dimension.distribution()}).params["x"] for _ in range(400)]
    # What the trial sets, read back by Hydra's own parser.
    values = [_parsed(dimension.override(value))[0].value() for value in asked]
    assert values == asked
    assert all(low <= value <= high for value in values)
    assert {type(value) for value in values} == {int if whole else float}
    middle = np.sqrt(low * high) if log else (low + high) / 2
    assert np.mean(np.array(values) < middle) == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model.learner.C=interval(10,1)", "low must not exceed high"),
        ("model.learner.C=tag(log,interval(0,1))", "log scale needs low above 0"),
        ("model.learner.C=tag(log,range(0,9))", "log scale needs low above 0"),
        ("model.learner.C=tag(log,range(1,9,2))", "consecutive whole numbers"),
        ("model.learner.C=tag(log,choice(1,2))", "belongs to an interval"),
        ("model.learner.C=tag(lgo,interval(1,2))", "tags of a sweep are"),
        ("model.learner.C=tag(int,interval(0.5,2))", "bounds must be whole"),
        ("model.learner.C=interval(0,inf)", "between two numbers"),
        ("model.learner.C=range(5,5)", "at least one value"),
        ("model.learner.C=range(1,5,0)", "range with values"),
        ("model.learner.C='interval(a,b)'", "Hydra's grammar"),
        ("seed=1,2", "part of the task"),
        ("dataset=omics,liver", "part of the task"),
        ("model.learner.C=1", "several values"),
    ],
)
def test_invalid_space_is_refused_with_one_sentence(text, said):
    with pytest.raises(ConfigError, match=said):
        read_space(_parsed(text))


def test_only_hyperparameters_have_a_nested_search():
    dimensions, _ = read_space(_parsed("model.learner.C=interval(1,2)", "preprocess.k=5,10"))
    assert nested_overrides(dimensions) is None
    overrides, several = nested_overrides(dimensions[:1])
    assert overrides == [
        "~model.space",
        "+model.space={C:{kind:float,low:1.0,high:2.0}}",
        "~preprocess.space.transform",
    ]
    assert not several


# ---------------------------------------------------------------- what cannot be swept


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["model.learner.C=interval(-1,1)"], "svm.C must be a number, above 0"),
        (["model.learner.X=interval(0,1)"], "no key 'model.learner.X'"),
        (["model.learner.degree=interval(1,3)"], "write model.learner.degree=int("),
        (["model=svm,knn", C], "with model=knn"),
        ([C, "hydra.sweeper.sampler=foo"], "tpe, random, cmaes, grid"),
        ([C, "hydra.sweeper.sampler=grid"], "can be counted"),
        ([C, "hydra.sweeper.n_trials=0"], "of at least 1"),
        ([C, "hydra.sweeper.n_trials=few"], "n_trials must be a whole number; got 'few'"),
        ([C, "hydra.sweeper.direction=minimize"], "the measure decides which direction is better"),
        ([C, "hydra.sweeper.trials=5"], "hydra.sweeper.n_trials"),
        (["hydra.sweeper.params={model.learner.C:1}"], "write '+hydra.sweeper.params"),
        ([C, "hydra.sweeper.storage=sqlite:////nowhere/x.db"], "must exist"),
        ([C, "objectives=[roc_auc,roc_auc]"], "different measures"),
        ([C, "objectives=[roc_auc,rmse]"], "objectives must name a measure of binary"),
        ([C, "objectives=[roc_auc,log_loss]", "cv=loo"], "cv=loo"),
        ([C, "objectives=[roc_auc,calibration_slope]"], "must rank"),
        ([C, "objectives=[roc_auc,log_loss]", "measure=mcc"], "one of the objectives"),
        ([C, "objectives=[roc_auc,log_loss]", "hydra.sweeper.sampler=cmaes"], "one objective"),
        ([C, "hydra/sweeper=foo"], "basic, smalldata_optuna; got 'foo'"),
    ],
)
def test_wrong_sweep_input_exits_2_with_one_sentence(overrides, said, capsys):
    assert _sweep(*overrides) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err
    assert not list(Path("outputs").glob("*/*/*"))


def test_a_dry_run_writes_nothing(folder, capsys):
    assert _sweep(C, "hydra.sweeper.n_trials=7", "dry_run=true") == 0
    out, err = capsys.readouterr()
    assert "2 folds" in out
    assert "7 cells like this" in err
    assert not list(folder.iterdir())


# ---------------------------------------------------------------- a sweep and its table


def test_a_sweep_is_one_optimistic_row_and_counts_once_in_holm(capsys):
    assert main([*CELL, "model.learner.C=1.0"]) == 0
    assert main([*CELL, "model=knn"]) == 0
    assert _sweep(C, "hydra.sweeper.n_trials=4") == 0
    out = capsys.readouterr().out
    assert out.rstrip().count("report  ") == 3  # the two cells and the best trial
    trials = _trials(_place())
    assert list(trials["trial"]) == [0, 1, 2, 3]
    assert trials["optimistic"].all()
    table = _table()
    assert len(table) == 3
    (row,) = table[table["optimistic"]].itertuples()
    assert row.mean == trials["roc_auc"].max()
    assert "best of 4 trials" in row.settings
    best = trials.loc[trials["roc_auc"].idxmax()]
    (record,) = (record for record in _records() if record.hash == row.hash)
    assert record.identity["learner"]["C"] == best["model.learner.C"]
    (path,) = Path("outputs").glob("*/*/comparison.json")
    comparison = json.loads(path.read_text(encoding="utf-8"))
    assert len(comparison["tests"]) == 3  # pairs of three rows, not of six cells
    # The honest way is named wherever the row is, and is a command that works.
    nested = next(note for note in comparison["notes"] if "inside the folds" in note)
    command = shlex.split(nested.partition("folds: ")[2])
    page = (path.parent / "index.html").read_text(encoding="utf-8")
    own = (path.parent / record.folder / "report.html").read_text(encoding="utf-8")
    for place in (out, path.with_name("comparison.md").read_text(encoding="utf-8"), page, own):
        assert "tune=optuna" in place
        assert "optimistic" in place
    assert main(command[3:]) == 0
    (tuned,) = (record for record in _records() if record.identity["tuning"])
    space = dict(tuned.identity["tuning"]["space"])
    assert {name: (one["low"], one["high"], one["log"]) for name, one in space.items()} == {
        "C": (0.01, 100.0, True)
    }
    assert tuned.identity["tuning"]["trials"] == 4
    assert "optimistic" not in tuned.identity


def test_plain_cell_and_trial_have_different_folders():
    assert _sweep("model.learner.C=1.0,2.0", "hydra.sweeper.sampler=grid") == 0
    assert main([*CELL, "model.learner.C=2.0"]) == 0
    flags = sorted(bool(record.identity.get("optimistic")) for record in _records())
    assert flags == [False, True, True]
    assert sorted(_table()["optimistic"]) == [False, True]


def test_objectives_are_the_scores_of_the_record_and_follow_their_measures():
    objectives = ("roc_auc", "log_loss")
    assert _sweep(C, f"objectives=[{','.join(objectives)}]", "hydra.sweeper.n_trials=3") == 0
    study = _study(_place())
    assert [one.name for one in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    records = {record.identity["learner"]["C"]: record for record in _records()}
    for trial in study.get_trials():
        record = records[trial.params["model.learner.C"]]
        for name, value in zip(objectives, trial.values, strict=True):
            measure = find_measure(name, record.kind)
            mean = np.mean([fold.scores[measure.name].value for fold in record.folds])
            assert value == pytest.approx(mean, abs=1e-12)
    trials = _trials(_place())
    for row in trials.itertuples():
        beaten = ((trials["roc_auc"] > row.roc_auc) & (trials["log_loss"] < row.log_loss)).any()
        assert not (row.best and beaten)
    assert trials["best"].any()


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_larger_total_adds_the_trials_of_an_uninterrupted_sweep(sampler, capsys):
    space = (C, "model.learner.gamma=interval(0.05,5)", f"hydra.sweeper.sampler={sampler}")
    assert _sweep(*space, "hydra.sweeper.n_trials=2") == 0
    assert _sweep(*space, "hydra.sweeper.n_trials=4") == 0
    assert "2 of 4 trials found" in capsys.readouterr().err
    assert _sweep(*space, "hydra.sweeper.n_trials=4", "outputs=undisturbed") == 0
    (other,) = Path("undisturbed/sweeps").iterdir()
    assert other.name == _place().name  # the folder is no part of what a sweep is
    pd.testing.assert_frame_equal(_trials(_place()), _trials(other))


def test_the_same_command_again_runs_no_trial_and_shows_the_table(capsys):
    assert _sweep(C, "hydra.sweeper.n_trials=2") == 0
    before = _states(_place())
    capsys.readouterr()
    assert _sweep(C, "hydra.sweeper.n_trials=2") == 0
    out, err = capsys.readouterr()
    assert "best of 2 trials" in out
    assert "trial 1/2" not in err
    assert _states(_place()) == before
    key, _, space = C.partition("=")
    assert _sweep(f"+hydra.sweeper.params={{{key}:'{space}'}}", "hydra.sweeper.n_trials=2") == 0
    assert _states(_place()) == before


def test_trials_run_in_parallel_keep_their_numbers():
    assert _sweep(C, "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=2") == 0
    assert list(_trials(_place())["trial"]) == [0, 1, 2]
    assert sorted(record.environment["sweep"]["trial"] for record in _records()) == [0, 1, 2]


def test_a_storage_of_another_sweep_is_refused_with_the_difference(capsys):
    storage = "hydra.sweeper.storage=sqlite:///shared.db"
    named = (storage, "hydra.sweeper.name=mine", "hydra.sweeper.n_trials=1")
    assert _sweep(C, *named) == 0
    about = (_place() / "sweep.json").read_text(encoding="utf-8")
    for other, difference in (
        (["model.learner.C=interval(0.01,10)"], '→ "interval(0.01, 10.0)"'),
        ([C, "hydra.sweeper.sampler=random"], 'sampler: "tpe" → "random"'),
        ([C, "model.learner.kernel=linear"], 'kernel: "rbf" → "linear"'),
        ([C, "dataset.noise=0.6"], "fixed.split: "),
    ):
        capsys.readouterr()
        assert _sweep(*other, *named) == 2
        assert difference in capsys.readouterr().err
        assert (_place() / "sweep.json").read_text(encoding="utf-8") == about
    assert len(_records()) == 1


def test_failed_trial_does_not_stop_the_sweep(capsys):
    grid = ("preprocess.transform=log1p,none", "model.learner.C=range(1,4)")
    options = ("hydra.sweeper.sampler=grid", "hydra.sweeper.n_trials=4")
    assert _sweep(*grid, *options) == 1  # the toy has values below -1
    trials = _trials(_place())
    assert list(trials["state"]) == ["failed", "failed", "failed", "ok"]
    (row,) = _table().itertuples()
    assert row.mean == trials["roc_auc"][3]
    assert row.status == "ok"
    out, err = capsys.readouterr()
    assert "as a grid" in out  # no fold tunes the preprocessing
    assert "the grid has 6 points" in err


def test_configuration_error_of_one_trial_ends_the_sweep(capsys):
    tuned = ("tune=optuna", "tune.trials=1", "tune.inner_folds=2", "tune.measure=mcc,foo,f1")
    assert _sweep(*tuned, "hydra.sweeper.sampler=grid") == 2
    err = capsys.readouterr().err
    assert "got 'foo'" in err
    assert "Traceback" not in err
    assert _states(_place()) == ["COMPLETE", "FAIL"]  # given back: no worker waits for it


def test_sweep_without_a_score_exits_1(capsys):
    failing = ("preprocess.transform=log1p", "model.learner.C=1.0,2.0")
    for _ in range(2):
        assert _sweep(*failing, "hydra.sweeper.sampler=grid") == 1
        out, err = capsys.readouterr()
        assert "failed" in out
        assert "has a score" in err


# ---------------------------------------------------------------- killed, interrupted, shared


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_stopped_sweep_resumes_to_its_total(number, status):
    total = ("hydra.sweeper.sampler=random", "hydra.sweeper.n_trials=4", C)
    process = _start(*total)
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    for line in itertools.dropwhile(lambda line: not line.startswith("trial 2/4"), lines):
        if ": 1/2" in line:  # the third trial has one fold
            os.kill(process.pid, number)
            break
    process.communicate()
    assert process.returncode == status
    in_flight = "RUNNING" if number == signal.SIGKILL else "FAIL"
    assert _states(_place()) == ["COMPLETE", "COMPLETE", in_flight]
    third = _study(_place()).get_trials()[2].params
    assert _sweep(*total) == 0
    trials = _trials(_place())
    assert list(trials["trial"]) == [0, 1, 2, 3]
    assert trials["model.learner.C"][2] == third["model.learner.C"]
    states = _states(_place())
    assert states.count("COMPLETE") == 4
    assert "RUNNING" not in states
    assert len(_records()) == 4
    if number == signal.SIGKILL:
        assert _sweep(*total, "outputs=undisturbed") == 0
        (other,) = Path("undisturbed/sweeps").iterdir()
        pd.testing.assert_frame_equal(trials, _trials(other))


def test_two_workers_share_a_sweep():
    workers = [_start(C, "hydra.sweeper.n_trials=6") for _ in range(2)]
    said = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    done = [line.partition(":")[0] for err in said for line in err.splitlines() if "/6: C=" in line]
    assert sorted(done) == [f"trial {k}/6" for k in range(1, 7)]
    assert _states(_place()) == ["COMPLETE"] * 6
    assert len(_trials(_place())) == 6
    assert len(_table()) == 1


# ---------------------------------------------------------------- neighbours


def test_the_basic_sweeper_makes_rows_that_are_not_optimistic():
    assert main(["-m", *CELL, "model.learner.C=1.0,2.0"]) == 0
    assert list(_table()["optimistic"]) == [False, False]


def test_other_hydra_programs_do_not_import_the_sweeper(folder):
    program = folder / "program.py"
    program.write_text(
        "import sys, hydra\n"
        "@hydra.main(version_base='1.3', config_path=None)\n"
        "def main(config):\n"
        "    assert 'hydra_plugins.smalldata_optuna.sweeper' in sys.modules\n"
        "    heavy = {'smalldata', 'optuna', 'sqlalchemy', 'numpy'} & set(sys.modules)\n"
        "    assert not heavy, heavy\n"
        "main()\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-W", "error", str(program), "hydra.run.dir=.", "+x=1"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert not found.stderr
