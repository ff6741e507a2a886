"""The outer loop: what a fold sees, what it may do wrong, and that nothing else changes it."""

import dataclasses
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smalldata.errors import ConfigError, SplitError
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import (
    evaluate,
    evaluate_fold,
    evaluate_folds,
    fit_fold,
    predict_fold,
)
from smalldata.models import load_learner
from smalldata.pipeline.choices import Tuned
from smalldata.pipeline.preprocess import Preprocessing
from smalldata.resampling.strategies import make_splits
from smalldata.results.record import RESULTS_VERSION, cell_hash
from smalldata.runtime.workers import count_processes
from smalldata.seeding import seed_for
from smalldata.store.cell_folder import CellFolder
from spies import Spy, ValuesOnly
from toys import binary_toy, classes_toy, differences, values_toy

WITH_TOYS = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
}
SECOND = (seed_for(0, "fit", 0, 1),)
"""The seed of fold r00f01 of a run with seed 0."""


@pytest.fixture
def task():
    return binary_toy()


@pytest.fixture
def splits(task):
    return make_splits(task, "kfold", n_splits=3)


# ---------------------------------------------------------------- what a fold sees


def test_no_held_out_row_is_trained_on():
    task = values_toy()
    record = evaluate(task, Spy(), make_splits(task), n_jobs=1)
    assert record.status == "ok"
    for fold in record.folds:
        assert not fold.prediction.value.any()
    # The spy does recognise what it was trained on.
    splits = make_splits(task, "holdout")
    fold = splits.folds[0]
    pipeline = fit_fold(Cell(task=task, learner=Spy(), splits=splits), fold, seed=0)
    assert pipeline.predict(task.X.iloc[fold.train]).all()


def test_each_row_is_predicted_once_per_repeat_with_its_own_target(task):
    splits = make_splits(task, "kfold", n_splits=3, n_repeats=2)
    record = evaluate(task, load_learner("knn"), splits, n_jobs=1)
    for fold, result in zip(splits.folds, record.folds, strict=True):
        assert (result.repeat, result.fold) == (fold.repeat, fold.fold)
        assert result.prediction.row.tolist() == fold.test.tolist()
        assert result.prediction.y.tolist() == task.y[fold.test].tolist()
        assert result.n_train == 20
        assert set(result.seconds) == {"fit", "predict"}


def test_the_groups_of_the_training_rows_reach_the_estimator():
    task = binary_toy(groups=[f"g{i // 2}" for i in range(30)])
    splits = make_splits(task, "groups")
    fold = splits.folds[3]
    pipeline = fit_fold(Cell(task=task, learner=Spy(), splits=splits), fold, seed=0)
    assert pipeline[-1].groups_ == tuple(task.groups[splits.train_rows(fold)])


def test_train_size_takes_nested_rows_and_keeps_the_test_rows(task):
    splits = make_splits(task, "kfold", n_splits=3)
    seen = {}
    for size in (2, 8, None):
        pipeline = fit_fold(
            Cell(task=task, learner=Spy(), splits=splits, train_size=size), splits.folds[0], seed=0
        )
        seen[size] = pipeline[-1].seen_
    assert len(seen[2]) == 2
    assert len(seen[8]) == 8
    assert seen[2] < seen[8] < seen[None]
    small = evaluate(task, load_learner("dummy"), splits, train_size=8, n_jobs=1)
    assert {fold.n_train for fold in small.folds} == {8}
    assert [fold.prediction.row.tolist() for fold in small.folds] == [
        fold.test.tolist() for fold in splits.folds
    ]
    with pytest.raises(ConfigError, match=r"cv\.train_size must be between 2 .* and 20"):
        evaluate(task, load_learner("dummy"), splits, train_size=21, n_jobs=1)


def test_a_fold_is_rebuilt_from_its_stored_seed_and_values(task, splits):
    record = evaluate(task, load_learner("xgboost", max_depth=2), splits, n_jobs=1)
    for fold, stored in zip(splits.folds, record.folds, strict=True):
        learner = dataclasses.replace(load_learner("xgboost"), **stored.values)
        pipeline = fit_fold(Cell(task=task, learner=learner, splits=splits), fold, seed=stored.seed)
        assert differences(predict_fold(pipeline, task, fold), stored.prediction) == []
    assert len({stored.seed for stored in record.folds}) == 3


def test_splits_of_another_task_are_refused(splits):
    with pytest.raises(SplitError, match="must be made of the same task"):
        evaluate(values_toy(), Spy(), splits, n_jobs=1)


# ---------------------------------------------------------------- the number of processes


@pytest.mark.parametrize("make", [binary_toy, classes_toy, values_toy])
def test_number_of_processes_changes_no_result(make):
    task = make()
    splits = make_splits(task, "kfold", n_splits=4)
    for name in ("svm", "linear", "xgboost"):
        alone = evaluate(task, load_learner(name), splits, n_jobs=1)
        together = evaluate(task, load_learner(name), splits, n_jobs=2)
        assert alone.status == "ok"
        assert differences(alone, together) == []
        assert alone.hash == together.hash


def test_order_of_folds_changes_no_result(task, splits):
    learner = load_learner("svm")
    cell = Cell(task=task, learner=learner, splits=splits)
    forward = list(evaluate_folds(cell, n_jobs=1))
    backward = list(evaluate_folds(cell, splits.folds[::-1], n_jobs=1))
    assert [fold.name for fold in backward] == ["r00f02", "r00f01", "r00f00"]
    assert differences(forward, backward[::-1]) == []
    single = evaluate_fold(cell, splits.folds[1])
    assert differences(single, forward[1]) == []


def test_invalid_n_jobs_is_refused():
    assert count_processes(None) == count_processes(-1) >= 1
    for wrong in (0, -2, 1.5, True, "2"):
        with pytest.raises(ConfigError, match="n_jobs must be a whole number of at least 1"):
            count_processes(wrong)


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("raise", "ValueError: the matrix is odd (spies.py, line "),
        ("refuse", "the model needs more rows."),
        ("exhaust", "the fold ran out of memory"),
        ("nan", "the model must predict finite numbers; 2 of 20 of its probability predictions"),
        ("unnormalised", "the model must predict probabilities that sum to 1"),
        ("narrow", "the model must predict a probability of shape (10, 2); got (10, 1)."),
    ],
)
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_failed_fold_has_its_reason_and_the_others_go_on(task, splits, mode, words, n_jobs):
    record = evaluate(task, Spy(mode=mode, hits=SECOND), splits, n_jobs=n_jobs)
    assert [fold.status for fold in record.folds] == ["ok", "failed", "ok"]
    failed = record.folds[1]
    assert failed.reason.startswith(words)
    assert "\n" not in failed.reason
    assert failed.prediction is None
    assert failed.scores == {}
    assert record.status == "failed"
    assert record.reason == f"r00f01: {failed.reason}"


def test_infinite_prediction_fails_the_fold():
    task = values_toy()
    record = evaluate(task, Spy(mode="inf"), make_splits(task, "holdout"), n_jobs=1)
    assert record.folds[0].reason.startswith("the model must predict finite numbers; 8 of 8")


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a POSIX signal")
def test_killed_process_fails_only_its_own_fold(task):
    splits = make_splits(task, "kfold", n_splits=5)
    record = evaluate(task, Spy(mode="die", hits=SECOND), splits, n_jobs=2)
    assert [fold.status for fold in record.folds] == ["ok", "failed", "ok", "ok", "ok"]
    assert record.folds[1].reason.startswith("the process of this fold was killed")
    whole = evaluate(task, Spy(mode="", hits=SECOND), splits, n_jobs=1)
    for i in (0, 2, 3, 4):
        assert differences(record.folds[i].prediction, whole.folds[i].prediction) == []


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_library_warning_becomes_a_note(task, splits, n_jobs, capfd):
    record = evaluate(task, Spy(mode="warn"), splits, n_jobs=n_jobs)
    assert record.status == "ok"
    assert record.folds[0].notes == (
        "spied",
        *(f"RuntimeWarning: careful {i}" for i in range(5)),
        "3 more warnings",
    )
    assert capfd.readouterr().err == ""


def test_a_task_outside_the_traits_is_skipped_with_the_reason(task, splits):
    record = evaluate(task, ValuesOnly(), splits, n_jobs=1)
    assert record.status == "skipped"
    assert record.reason == "takes no binary tasks"
    assert record.folds == ()


def test_a_model_without_gpu_runs_on_the_cpu_whatever_is_asked(task, splits):
    record = evaluate(task, load_learner("knn"), splits, device="cuda", n_jobs=1)
    assert {fold.device for fold in record.folds} == {"cpu"}


# ---------------------------------------------------------------- resuming


def test_only_missing_and_failed_folds_are_computed(task, splits, tmp_path):
    broken = Spy(mode="raise", hits=SECOND)
    cell = CellFolder(tmp_path / Cell(task=task, learner=broken, splits=splits).record().folder)
    first = evaluate(
        task,
        broken,
        splits,
        n_jobs=1,
        sink=lambda result: cell.write_fold(result, task),
    )
    cell.write_record(first)
    assert not cell.is_done
    # What a failed fold stores is not taken for a result, whoever hands it in.
    assert [result.name for result in cell.resume()[0]] == ["r00f00", "r00f02"]
    computed = []
    second = evaluate(
        task,
        Spy(hits=SECOND),
        splits,
        n_jobs=1,
        finished=cell.read_folds(),
        sink=lambda result: computed.append(result.name),
    )
    assert computed == ["r00f01"]
    assert second.status == "ok"


KILLED_RUNS = """
import dataclasses, os, signal, sys
from pathlib import Path
import smalldata.runtime.files
from smalldata.evaluation.outer_loop import evaluate
from smalldata.models import load_learner
from smalldata.evaluation.cell import Cell
from smalldata.store.cell_folder import CellFolder
from smalldata.store.splits_folder import read_splits, write_splits
from smalldata.resampling.strategies import make_splits
from toys import binary_toy, differences

task = binary_toy()
splits = dataclasses.replace(make_splits(task, "kfold", n_splits=3), asked=None)  # not stored
learner = load_learner("knn")
folder = Cell(task=task, learner=learner, splits=splits).record().folder
replace = os.replace

def run(outputs, kill_at=None, before=False):
    # The kill comes at the instant of a rename: just before it, or just after it.
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
    outputs.mkdir(exist_ok=True)
    cell = CellFolder(outputs / folder)
    with cell.lock():
        write_splits(outputs, splits, task)
        finished, sentences = cell.resume()
        assert sentences == (), sentences
        if not cell.is_done:
            cell.write_record(evaluate(
                task, learner, splits, n_jobs=1, finished=finished,
                sink=lambda result: cell.write_fold(result, task),
            ))
    smalldata.runtime.files.os.replace = replace
    return count, len(finished), cell

root = Path(sys.argv[1])
n_writes, _, whole = run(root / "whole")
assert n_writes == 1 + 2 * 3 + 2, n_writes
names = sorted(path.name for path in whole.path.rglob("*"))
for at in range(1, n_writes + 1):
    for before in (True, False):
        outputs = root / f"{at}{before}"
        child = os.fork()
        if child == 0:
            run(outputs, at, before)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        assert not CellFolder(outputs / folder).is_done or (at, before) == (n_writes, False)
        count, n_finished, cell = run(outputs)
        n_whole = max(0, min(3, (at - 1 - before) // 2))
        assert n_finished == n_whole, (at, before, n_finished)
        assert cell.is_done
        assert differences(cell.read_record(), whole.read_record()) == []
        assert differences(read_splits(outputs), splits) == []
        assert sorted(path.name for path in cell.path.rglob("*")) == names
        print(at, before, n_finished)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_run_killed_at_any_write_resumes_to_the_same_result(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED_RUNS, str(tmp_path)],
        capture_output=True,
        text=True,
        env=WITH_TOYS,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 18


INTERRUPTED = """
import signal
import sys
from pathlib import Path
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate
from smalldata.store.cell_folder import CellFolder
from smalldata.resampling.strategies import make_splits
from smalldata.seeding import seed_for
from spies import Spy
from toys import binary_toy

# A suite started in the background hands on a SIGINT that is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
task = binary_toy()
splits = make_splits(task, "kfold", n_splits=5)
learner = Spy(mode="wait", hits=tuple(seed_for(0, "fit", 0, fold) for fold in (2, 3, 4)))
record = Cell(task=task, learner=learner, splits=splits).record()
cell = CellFolder(Path(sys.argv[1]) / record.folder)
n_written = 0

def keep(result):
    global n_written
    cell.write_fold(result, task)
    n_written += 1
    if n_written == 2:
        print("two", flush=True)

try:
    evaluate(task, learner, splits, n_jobs=2, sink=keep)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("how", ["INT", "KILL"])
def test_interrupted_run_keeps_its_folds_and_leaves_no_process(tmp_path, how):
    run = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=WITH_TOYS,
    )
    assert run.stdout.readline() == "two\n"
    if how == "INT":
        os.killpg(run.pid, signal.SIGINT)
    else:
        os.kill(run.pid, signal.SIGKILL)
    # The workers wait for ever and hold the other end of the pipe: it closes when they are gone.
    out, _ = run.communicate(timeout=60)
    if how == "INT":
        assert (run.returncode, out) == (130, "interrupted\n")
    cell = CellFolder(next(tmp_path.iterdir()))
    assert [result.name for result in cell.resume()[0]] == ["r00f00", "r00f01"]
    assert not cell.is_done


def test_closed_fold_stream_leaves_no_work_behind(task, splits):
    stream = evaluate_folds(
        Cell(task=task, learner=Spy(mode="wait", hits=SECOND), splits=splits), n_jobs=2
    )
    assert next(stream).status == "ok"
    stream.close()
    again = evaluate(task, Spy(), splits, n_jobs=2)
    assert again.status == "ok"


# ---------------------------------------------------------------- what a cell is


def test_every_setting_that_changes_results_changes_the_hash(task, splits):
    learner = load_learner("svm")
    usual = Cell(task=task, learner=learner, splits=splits)
    others = {
        "same": Cell(task=task, learner=learner, splits=splits),
        "content": replace(usual, task=binary_toy(n_features=4)),
        "splits": replace(usual, splits=make_splits(task)),
        "learner": replace(usual, learner=load_learner("knn")),
        "value": replace(usual, learner=load_learner("svm", C=3.0)),
        "preprocessing": replace(usual, preprocessing=Preprocessing(select="variance", k=2)),
        "train_size": replace(usual, train_size=10),
        "seed": replace(usual, seed=1),
        "tuner": replace(usual, tuner=_Tuner()),
    }
    base = usual.identity
    hashes = {name: cell_hash(cell.identity) for name, cell in others.items()}
    assert hashes.pop("same") == cell_hash(base)
    assert len({cell_hash(base), *hashes.values()}) == 9
    assert (base["results_version"], base["schema_version"]) == (RESULTS_VERSION, 1)
    record = usual.record()
    assert record.identity == base
    assert record.folder == f"svm-{cell_hash(base)}"


def test_settings_list_differences_from_the_defaults(task, splits):
    usual = Cell(task=task, learner=load_learner("svm"), splits=splits)
    assert usual.settings == {}
    changed = replace(
        usual,
        learner=load_learner("svm", C=3.0),
        preprocessing=Preprocessing(select="variance", k=2),
        seed=4,
    )
    assert changed.settings == {"C": 3.0, "select": "variance", "k": 2, "seed": 4}
    record = Cell(task=task, learner=load_learner("svm", C=3.0), splits=splits).record()
    assert record.model == "svm"
    assert record.label == "svm (C=3.0)"


class _Tuner:
    """Sets one value, as a tuner would."""

    def describe(self):
        return {"trials": 1}

    def settings(self):
        return {"tuned": True, "tune.trials": 1}

    def tune(self, learner, rows, *, name):
        assert len(rows.X) == len(rows.y) == rows.info.n_samples == 20
        assert name in ("r00f00", "r00f01", "r00f02")
        tuned = dataclasses.replace(learner, n_neighbors=2 + rows.seed % 3)
        return Tuned(learner=tuned, notes=("tuned",), seconds_before=1000.0)


def test_a_tuner_chooses_the_values_that_the_fold_stores(task, splits):
    record = evaluate(task, load_learner("knn"), splits, tuner=_Tuner(), n_jobs=1)
    assert record.label == "knn (tuned, tune.trials=1)"
    for fold in record.folds:
        assert set(fold.seconds) == {"tune", "fit", "predict"}
        assert fold.seconds["tune"] > 1000
        assert fold.notes == ("tuned",)
        assert fold.values["n_neighbors"] == 2 + seed_for(0, "tune", fold.repeat, fold.fold) % 3
        learner = load_learner("knn", n_neighbors=fold.values["n_neighbors"])
        pipeline = fit_fold(
            Cell(task=task, learner=learner, splits=splits), splits.folds[fold.fold], seed=fold.seed
        )
        found = predict_fold(pipeline, task, splits.folds[fold.fold])
        assert np.array_equal(found.probabilities, fold.prediction.probabilities)
