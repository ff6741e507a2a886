"""Tuning in a study that several processes share, on SQLite and PostgreSQL."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from servers import PASSWORD
from smalldata.config.build import build_config
from smalldata.errors import ConfigError
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate_fold
from smalldata.learner import SearchSpace
from smalldata.models import load_learner, load_space
from smalldata.resampling.strategies import make_splits
from smalldata.store.trial_log import read_trials
from smalldata.tuning.shared.search import NOTE, SharedPlace
from smalldata.tuning.shared.study import open_storage
from smalldata.tuning.tuner import TuningOptions, make_tuner
from spies import Spy
from toys import binary_toy

MODES = SearchSpace.from_config({"mode": {"kind": "categorical", "choices": ["", "raise"]}})
KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
COMMAND = [
    *(sys.executable, "-m", "smalldata", "model=svm", "dataset=nutrimouse", "cv=kfold"),
    *("cv.n_splits=3", "explain=none", "tune=optuna", "tune.inner_folds=2", "n_jobs=1"),
]


class Memory:
    """A log in memory."""

    def __init__(self):
        self.kept = {}

    def start(self, name):
        return self.kept.get(name, ())

    def add(self, name, trial):
        self.kept[name] = (*self.start(name), trial)

    def restart(self, name):
        self.kept.pop(name, None)


def tune(url, learner, space, *, sampler="tpe", log=None, identity=None, **options):
    task = binary_toy()
    splits = make_splits(task, "kfold", n_splits=3)
    asked = TuningOptions(**{"trials": 6, "inner_folds": 2, "sampler": sampler, **options})
    tuner = make_tuner(task, learner, space, options=asked, log=log)
    record = Cell(task=task, learner=learner, splits=splits, tuner=tuner).record()
    place = SharedPlace(
        url=url, name="toy/cell", identity=identity or record.identity, grace_seconds=3
    )
    tuner = replace(tuner, shared=place if url else None)
    return evaluate_fold(
        Cell(task=task, learner=learner, splits=splits, tuner=tuner), splits.folds[0]
    )


def same(trials):
    return [replace(trial, seconds=0.0) for trial in trials]


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_single_worker_in_a_shared_study_equals_local_tuning(url, sampler):
    learner, space = load_learner("svm"), load_space("svm")
    alone, shared, again = Memory(), Memory(), Memory()
    n_trials = 40 if sampler == "grid" else 14
    expected = tune(None, learner, space, sampler=sampler, log=alone, trials=n_trials)
    found = tune(url, learner, space, sampler=sampler, log=shared, trials=n_trials)
    assert same(shared.kept["r00f00"]) == same(alone.kept["r00f00"])
    assert found.values == expected.values
    assert found.tuning == expected.tuning
    assert NOTE in found.notes
    assert NOTE not in expected.notes
    # Whoever comes when all is done goes home with the same trials.
    assert tune(url, learner, space, sampler=sampler, log=again, trials=n_trials).values == (
        found.values
    )
    assert again.kept == shared.kept


def test_path_values_of_one_fit_are_stored_in_the_study(url):
    learner, space = load_learner("xgboost"), load_space("xgboost")
    alone, shared = Memory(), Memory()
    tune(None, learner, space, log=alone, trials=4)
    tune(url, learner, space, log=shared, trials=4)
    assert same(shared.kept["r00f00"]) == same(alone.kept["r00f00"])
    study = optuna.load_study(study_name="toy/cell/r00f00", storage=url)
    assert all(trial.params.keys() == space.parameters.keys() for trial in study.trials)


def test_defaults_outside_the_space_are_the_first_trial(url):
    space = SearchSpace.from_config({"n_neighbors": {"kind": "int", "low": 1, "high": 5}})
    alone, shared = Memory(), Memory()
    learner = load_learner("knn", n_neighbors=9)
    tune(None, learner, space, log=alone)
    tune(url, learner, space, log=shared)
    assert shared.kept["r00f00"][0].values == {"n_neighbors": 9}
    assert same(shared.kept["r00f00"]) == same(alone.kept["r00f00"])


def test_failed_trial_is_reported_and_failed_fold_is_retried(url):
    log = Memory()
    learner = Spy()
    found = tune(url, learner, MODES, sampler="grid", trials=3, log=log)
    assert found.status == "ok"
    assert {trial.state for trial in log.kept["r00f00"]} == {"ok", "failed"}
    only = SearchSpace.from_config({"mode": {"kind": "categorical", "choices": ["raise"]}})
    failing = replace(learner, mode="raise")
    identity = {"cell": "failing"}
    name = {"identity": identity, "sampler": "grid", "trials": 2}
    other = url.replace("studies", "failing")
    for _ in range(2):
        failed = tune(other, failing, only, **name)
        assert failed.status == "failed"
        assert "all 2 trials failed" in failed.reason
    study = optuna.load_study(study_name="toy/cell/r00f00", storage=other)
    assert [trial.state.name for trial in study.trials] == ["FAIL"] * 4


def test_a_timeout_before_the_first_trial_gives_the_default_to_all(url):
    learner, space = load_learner("svm"), load_space("svm")
    for timeout in (1e-9, 1e-9):
        found = tune(url, learner, space, timeout=timeout)
        assert found.values["C"] == learner.C
        assert any("before the first trial" in note for note in found.notes)


def test_a_study_of_another_space_is_refused_with_the_difference(url):
    learner, space = load_learner("svm"), load_space("svm")
    tune(url, learner, space, trials=2, identity={"space": {"C": [0.1, 10]}, "content": "a1"})
    found = tune(
        url, learner, space, trials=2, identity={"space": {"C": [0.1, 99]}, "content": "b2"}
    )
    assert found.status == "failed"
    assert "space.C.1: 10 → 99" in found.reason
    assert 'content: "a1" → "b2"' in found.reason


def test_storage_does_not_change_the_cell_hash():
    task, learner = binary_toy(), load_learner("svm")
    splits = make_splits(task, "kfold", n_splits=3)
    tuner = make_tuner(task, learner, load_space("svm"))
    place = SharedPlace(url="sqlite:///x.db", name="a", identity={})
    shared = replace(tuner, shared=place)
    hashes = {
        Cell(task=task, learner=learner, splits=splits, tuner=one).record().hash
        for one in (tuner, shared)
    }
    assert len(hashes) == 1


# ---------------------------------------------------------------- the command line


def run(outputs, url, *more):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*COMMAND, f"outputs={outputs}", f"tune.storage={url}", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def trials_of(outputs):
    (path,) = Path(outputs).rglob("trials.parquet")
    columns, _ = read_trials(path)
    return {name: list(map(str, found)) for name, found in columns.items()}


@pytest.mark.parametrize("url", KINDS, indirect=True)
def test_two_machines_end_with_the_same_trials(url, tmp_path):
    both = [run(tmp_path / name, url, "tune.trials=5") for name in ("a", "b")]
    said = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    first, second = trials_of(tmp_path / "a"), trials_of(tmp_path / "b")
    assert first == second
    assert len(first["trial"]) == 15
    storage = open_storage(url)
    names = optuna.get_all_study_names(storage)
    assert [name.rpartition("/")[2] for name in sorted(names)] == ["r00f00", "r00f01", "r00f02"]
    for name in names:
        states = [t.state.name for t in optuna.load_study(study_name=name, storage=storage).trials]
        assert len(states) == 5
        assert set(states) <= {"COMPLETE", "PRUNED"}
    # The record says where the trials come from; nothing says the password.
    (record,) = (tmp_path / "a").rglob("record.json")
    assert '"tune.storage":' in record.read_text()
    everything = b"".join(
        p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and "db" not in p.suffix
    )
    for secret in (PASSWORD, "s3cr"):
        assert secret.encode() not in everything
        assert all(secret not in text for text in sum(said, ()))


def test_unreachable_storage_ends_the_command(tmp_path):
    process = run(tmp_path, "postgresql://ann:hush@127.0.0.1:1/db")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "must be reachable" in err
    assert "hush" not in out + err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("tune_keys", "said"),
    [
        ({"sampler": "cmaes", "storage": "sqlite:///a.db"}, "keeps its state as a pickle"),
        ({"storage": "a.db"}, "a storage must be a URL; got 'a.db'"),
    ],
)
def test_storage_with_conflicting_settings_is_refused(tune_keys, said):
    from omegaconf import OmegaConf

    entry = {
        "dataset": {"_target_": "bundled", "name": "omics"},
        "model": {"name": "knn", "learner": dict(load_learner("knn").__dict__)},
        "tune": {"name": "optuna", **tune_keys},
    }
    with pytest.raises(ConfigError, match=said):
        build_config(OmegaConf.create(entry))
