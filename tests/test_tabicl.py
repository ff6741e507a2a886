"""TabICL: what is said without its file, what its file may be, what the numbers depend on."""

import dataclasses
import os
import shutil
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from checkpoints import lacking, tabicl_weights
from smalldata.__main__ import main
from smalldata.errors import ConfigError, FitError
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate
from smalldata.explanation.explanation import explain
from smalldata.explanation.options import ExplanationOptions
from smalldata.models import load_learner, tabicl
from smalldata.models.files import file_keys
from smalldata.pipeline.preprocess import Preprocessing
from smalldata.resampling.strategies import make_splits
from smalldata.runtime.devices import resolve_device
from smalldata.task import Dataset, TaskKind, make_task
from toys import binary_toy, classes_toy, differences, values_toy

installed = pytest.mark.skipif(bool(lacking("tabicl")), reason=lacking("tabicl"))
CLASSES, VALUES = "tabicl-classifier-v2-20260212.ckpt", "tabicl-regressor-v2-20260212.ckpt"
TOYS = {
    TaskKind.BINARY: binary_toy,
    TaskKind.MULTICLASS: classes_toy,
    TaskKind.REGRESSION: values_toy,
}


def weights(kind=TaskKind.BINARY, **options):
    return str(tabicl_weights(classify=kind.is_classification, **options))


def build(kind=TaskKind.BINARY, *, seed=3, n_classes=None, path=None, **values):
    task = TOYS[kind]()
    info = task.info if n_classes is None else dataclasses.replace(task.info, n_classes=n_classes)
    learner = load_learner("tabicl", checkpoint=path or weights(kind), **values)
    return learner.build(info, seed=seed, device="cpu")


@cache
def rows(kind, *, n=40, d=5):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, d))
    y = X[:, 0] + 0.3 * rng.normal(size=n)
    if kind is TaskKind.BINARY:
        return X, (y > 0).astype(np.int64)
    return X, np.digitize(y, [-0.5, 0.5]) if kind is TaskKind.MULTICLASS else 100 + 3 * y


def said_of(kind, learner):
    task = TOYS[kind]()
    return (
        Cell(task=task, learner=learner, splits=make_splits(task, "kfold", n_splits=3))
        .record()
        .skipped
    )


# ---------------------------------------------------------------- without its file


@installed
@pytest.mark.parametrize(
    ("kind", "file"), [(k, CLASSES if k.is_classification else VALUES) for k in TaskKind]
)
def test_without_weights_it_says_which_file_to_get_where_and_the_key(kind, file, tmp_path):
    said = said_of(kind, load_learner("tabicl"))
    assert said == (
        f"needs pretrained weights; download {file} from https://huggingface.co/jingang/TabICL "
        f"and set checkpoint=PATH/{file}"
    )
    folder = said_of(kind, load_learner("tabicl", checkpoint=str(tmp_path)))
    assert f"{tmp_path} is a folder; download {file}" in folder
    lost = str(tmp_path / "lost.ckpt")
    assert f"there is no file {lost}; download {file}" in said_of(
        kind, load_learner("tabicl", checkpoint=lost)
    )


def test_without_the_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(tabicl, "find_spec", lambda name: None)
    said = said_of(TaskKind.BINARY, load_learner("tabicl"))
    assert said.startswith("needs the package tabicl (pip install 'smalldata[foundation]'); downl")
    with pytest.raises(FitError, match="needs the package tabicl"):
        load_learner("tabicl").build(binary_toy().info, seed=0, device="cpu").fit(
            *rows(TaskKind.BINARY)
        )


@installed
def test_package_that_does_not_load_is_skipped_with_the_reason(tmp_path):
    """As a script of the same name, or half an installation: the other models go on."""
    (tmp_path / "tabicl.py").write_text("raise ImportError('libodd.so: no such file')\n")
    small = ["dataset=nutrimouse", "cv=kfold", "cv.n_splits=2", "n_jobs=1", "explain=none"]
    grid = ["-m", "model=dummy,tabicl", f"checkpoint={weights()}", *small]
    done = subprocess.run(
        [sys.executable, "-m", "smalldata", *grid],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    said = " ".join(done.stdout.split())
    assert "which is installed but does not load (libodd.so: no such file)" in said
    assert "dummy" in said


@installed
def test_skipped_row_disappears_once_the_file_is_given(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = ("dataset=nutrimouse", "cv=kfold", "cv.n_splits=2", "n_jobs=1", "explain=none")
    two = ("model.learner.n_members=2", *small)
    for command in (small, two, (f"checkpoint={weights()}", *two)):
        assert main(["model=tabicl", *command]) == 0
    (folder,) = Path("outputs/nutrimouse").iterdir()
    table = pd.read_csv(folder / "comparison.csv").query("measure == 'roc_auc_ovr'")
    assert dict(zip(table.settings.fillna(""), table.status, strict=True)) == {
        "n_members=2, checkpoint=tiny-classifier.ckpt": "ok",
        "": "skipped",  # still without its file
    }
    capsys.readouterr()


def test_grid_continues_when_tabicl_is_skipped(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = ("dataset=nutrimouse", "cv=kfold", "cv.n_splits=3", "n_jobs=1", "explain=none")
    assert main(["model=tabicl", "dry_run=true", *small]) == 0
    assert "skipped, needs " in capsys.readouterr().out
    assert not Path("outputs").exists()
    assert main(["-m", "model=dummy,tabicl", *small]) == 0
    out, err = capsys.readouterr()
    assert "skipped: needs" in err
    assert "huggingface.co/jingang/TabICL" in err
    assert "tabicl" in out
    for name in ("a.ckpt", "b.ckpt"):  # one cell, for want of a file
        assert main(["model=tabicl", f"checkpoint={name}", *small]) == 0
        assert f"there is no file {name}" in capsys.readouterr().err
    (folder,) = Path("outputs/nutrimouse").iterdir()
    table = pd.read_csv(folder / "comparison.csv").set_index("model")
    assert (table.loc["tabicl", "status"] == "skipped").all()
    assert CLASSES in table.loc["tabicl", "reason"].iloc[0]


def test_models_verb_lists_what_tabicl_needs(capsys):
    assert main(["models"]) == 0
    said = capsys.readouterr().out
    (line,) = [line for line in said.splitlines() if "model.learner.checkpoint" in line]
    assert line.startswith("tabicl")
    assert "needs smalldata[foundation] and checkpoint=FILE" in " ".join(said.split())


# ---------------------------------------------------------------- what the file may be


def _save(path, content):
    import torch

    torch.save(content, path)
    return str(path)


@installed
def test_invalid_checkpoint_is_refused_with_one_sentence(tmp_path):
    import torch

    text = tmp_path / "text.ckpt"
    text.write_text("not weights")
    empty = tmp_path / "empty.ckpt"
    empty.touch()
    real = torch.load(weights(), weights_only=True)
    cut = tmp_path / "cut.ckpt"
    cut.write_bytes(Path(weights()).read_bytes()[:2000])
    halved = {**real["state_dict"]}
    halved.pop(next(iter(halved)))
    wrong = {
        str(text): "not a file that torch can read",
        str(empty): "not a file that torch can read",
        str(cut): "not a file that torch can read",
        _save(tmp_path / "list.ckpt", [1, 2]): "holds something else",
        _save(tmp_path / "bare.ckpt", real["state_dict"]): "holds something else",
        _save(
            tmp_path / "keys.ckpt", {**real, "config": {**real["config"], "n_heads": 3}}
        ): "do not fit the network that tabicl 2",
        _save(
            tmp_path / "shapes.ckpt", {**real, "config": {**real["config"], "embed_dim": 16}}
        ): "do not fit the network that tabicl 2",
        _save(tmp_path / "fewer.ckpt", {**real, "state_dict": halved}): "do not fit the network",
        _save(tmp_path / "config.ckpt", {**real, "config": 7}): "do not fit the network",
    }
    for path, reason in wrong.items():
        with pytest.raises(ConfigError, match=reason) as caught:
            said_of(TaskKind.BINARY, load_learner("tabicl", checkpoint=path))
        assert path in str(caught.value)
        assert "https://huggingface.co/jingang/TabICL" in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


class _Runs:
    """Unpickles by making a folder: what a file of weights must never do."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return Path.mkdir, (self.folder,)


@installed
def test_checkpoint_with_code_is_refused(tmp_path):
    path = _save(tmp_path / "evil.ckpt", {"config": {}, "state_dict": _Runs(tmp_path / "made")})
    with pytest.raises(ConfigError, match="not a file that torch can read"):
        said_of(TaskKind.BINARY, load_learner("tabicl", checkpoint=path))
    assert not (tmp_path / "made").exists()


@installed
def test_weights_for_other_tasks_are_skipped_with_the_file_to_get():
    other = {TaskKind.BINARY: TaskKind.REGRESSION, TaskKind.REGRESSION: TaskKind.MULTICLASS}
    for kind, trained in other.items():
        said = said_of(kind, load_learner("tabicl", checkpoint=weights(trained)))
        file = CLASSES if kind.is_classification else VALUES
        assert said.startswith("the weights in ")
        assert f"download {file}" in said
    for value in ("", " ", 3, True):
        with pytest.raises(ConfigError, match="must be the path of a file, or null"):
            load_learner("tabicl", checkpoint=value)


# ---------------------------------------------------------------- nothing is downloaded


@installed
def test_tabicl_never_downloads(tmp_path, monkeypatch):
    import huggingface_hub
    import tabicl as library
    from tabicl._sklearn import classifier, regressor

    asked = []

    def refuse(*args, **kwargs):
        asked.append(args)
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for place in (huggingface_hub, classifier, regressor):
        monkeypatch.setattr(place, "hf_hub_download", refuse)
    with pytest.raises(AssertionError, match="the network was asked"):  # the trap works
        library.TabICLClassifier().fit(*rows(TaskKind.BINARY))
    asked.clear()
    for kind in TaskKind:
        X, y = rows(kind)
        assert np.isfinite(build(kind, n_members=2).fit(X, y).margins(X)).all()
        moved = Path(shutil.copy(weights(kind), tmp_path / "moved.ckpt"))
        estimator = build(kind, path=str(moved))
        moved.unlink()
        with pytest.raises(FitError, match="there is no file"):
            estimator.fit(X, y)
        with monkeypatch.context() as patch:  # a file that vanishes after we have looked
            patch.setattr(tabicl, "_checked_config", lambda *_, **__: {"max_classes": 10})
            with pytest.raises(ValueError, match="automatic download is disabled"):
                estimator.fit(X, y)
    assert asked == []


# ---------------------------------------------------------------- the numbers


@installed
@pytest.mark.parametrize("kind", TaskKind)
def test_predictions_equal_the_library(kind):
    import tabicl as library

    X, y = rows(kind)
    ours = build(kind).fit(X[:30], y[:30])
    options = {"model_path": weights(kind), "random_state": 3, "device": "cpu"}
    if kind.is_classification:
        theirs = library.TabICLClassifier(**options).fit(X[:30], y[:30])
        found, wanted = ours.predict_proba(X[30:]), theirs.predict_proba(X[30:])
        assert np.ptp(wanted, axis=0).max() > 1e-4  # rows differ
        np.testing.assert_allclose(found, wanted, atol=1e-5)
        assert (ours.predict(X[30:]) == theirs.predict(X[30:])).all()
    else:
        theirs = library.TabICLRegressor(**options).fit(X[:30], y[:30])
        found, wanted = ours.predict(X[30:]), theirs.predict(X[30:])
        assert np.ptp(wanted) > 1e-3 * y.std()
        np.testing.assert_allclose(found, wanted, atol=1e-4 * y.std())


@installed
def test_regression_with_a_large_mean_keeps_its_precision():
    X, y = rows(TaskKind.REGRESSION)
    near = build(TaskKind.REGRESSION).fit(X, y).predict(X)
    far = build(TaskKind.REGRESSION).fit(X, y + 1e7).predict(X)
    np.testing.assert_allclose(far - 1e7, near, atol=1e-4 * y.std())


@installed
def test_more_classes_than_the_checkpoint_allows_are_predicted_in_steps():
    X, y = rows(TaskKind.MULTICLASS)
    estimator = build(TaskKind.MULTICLASS, path=weights(max_classes=2), n_members=3).fit(X, y)
    assert any("at most 2 classes" in note for note in estimator.notes_)
    found = estimator.predict_proba(X)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(estimator.predict_proba(X[7:8])[0], found[7], rtol=1e-4)
    assert build(TaskKind.MULTICLASS, n_members=3).fit(X, y).notes_ == ()


@installed
def test_class_absent_from_training_gets_zero_probability():
    X, y = rows(TaskKind.BINARY)
    estimator = build(TaskKind.MULTICLASS, n_members=2).fit(X, 2 * y)  # classes 0 and 2 of 3
    found = estimator.predict_proba(X)
    assert (found[:, 1] == 0).all()
    assert np.isfinite(estimator.decision_function(X)).all()


@installed
def test_wide_rows_come_with_a_note_and_in_chunks(monkeypatch):
    X, y = rows(TaskKind.BINARY, d=120)
    estimator = build(n_members=2).fit(X, y)
    assert any("up to 100 columns; this one has 120" in note for note in estimator.notes_)
    whole = estimator.margins(X)
    monkeypatch.setattr(tabicl, "CHUNK_VALUES", 2 * 120 * 7)
    np.testing.assert_allclose(estimator.margins(X), whole, atol=1e-5)


@installed
def test_predictions_go_on_with_fewer_rows_where_memory_runs_out(monkeypatch):
    import torch

    X, y = rows(TaskKind.BINARY)
    estimator = build(n_members=2).fit(X, y)
    whole, predict, tried = estimator.margins(X), estimator.model_.predict_proba, []

    def cramped(part):
        tried.append(len(part))
        if len(part) > 12:
            torch.empty(2**50, dtype=torch.uint8)  # more than any machine has
        return predict(part)

    monkeypatch.setattr(estimator.model_, "predict_proba", cramped)
    np.testing.assert_allclose(estimator.margins(X), whole, atol=1e-5)
    assert tried == [40, 20, 10, 10, 10, 10]


HASHED = """
import numpy as np
from smalldata.models import load_learner
from smalldata.task import TaskInfo, TaskKind
info = TaskInfo(kind=TaskKind.BINARY, n_samples=40, n_features=5, n_classes=2)
rng = np.random.default_rng(1)
X = rng.normal(size=(40, 5))
y = (X[:, 0] > 0).astype(int)
fitted = load_learner("tabicl", checkpoint={file!r}).build(info, seed=3, device="cpu").fit(X, y)
print(list({{"none", "power"}})[0], fitted.margins(X).tobytes().hex())
"""


@installed
def test_tabicl_is_the_same_in_every_process():
    """The library orders its views by a set of words, which another hash seed turns round."""

    def run(code, seed):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    first = [run("print(*{'none', 'power'})", seed)[0] for seed in range(12)]
    code = HASHED.format(file=weights())
    found = [run(code, first.index(word)) for word in ("none", "power")]
    assert [word for word, _ in found] == ["none", "power"]
    assert found[0][1] == found[1][1]


@installed
@pytest.mark.gpu
@pytest.mark.skipif(resolve_device("auto")[0] != "cuda", reason="this machine has no card")
@pytest.mark.parametrize("kind", TaskKind)
def test_cuda_agrees_with_the_cpu(kind):
    """In single precision on both, to 1e-3 of the spread."""
    X, y = rows(kind)
    cpu, cuda = (
        load_learner("tabicl", checkpoint=weights(kind))
        .build(TOYS[kind]().info, seed=3, device=device)
        .fit(X[:30], y[:30])
        .margins(X)
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(cuda, cpu, atol=1e-3 * np.ptp(cpu))


# ---------------------------------------------------------------- the cell


@installed
def test_hash_depends_on_checkpoint_content_and_not_its_path(tmp_path):
    task = binary_toy()
    splits = make_splits(task, "kfold", n_splits=3)
    places = [tmp_path / "here.ckpt", tmp_path / "there" / "there.ckpt"]
    for place in places:
        place.parent.mkdir(exist_ok=True)
        shutil.copy(weights(), place)
    other = weights(seed=1)
    learners = [load_learner("tabicl", checkpoint=str(p), n_members=2) for p in (*places, other)]
    records = [Cell(task=task, learner=learner, splits=splits).record() for learner in learners]
    assert records[0].hash == records[1].hash
    assert records[0].hash != records[2].hash
    assert records[0].settings["checkpoint"] == "here.ckpt"
    assert len(records[0].identity["learner"]["checkpoint"]) == 64
    places[0].write_bytes(Path(other).read_bytes())  # another content under the same name
    assert Cell(task=task, learner=learners[0], splits=splits).record().hash == records[2].hash
    assert file_keys(load_learner("tabicl")) == {"checkpoint": None}

    record = evaluate(task, learners[1], splits, n_jobs=1)
    assert record.status == "ok", record.reason
    assert all("checkpoint" not in fold.values for fold in record.folds)
    again = evaluate(task, learners[1], splits, n_jobs=1)
    assert not differences(record.folds, again.folds)
    moved = places[1].rename(tmp_path / "moved.ckpt")
    options = ExplanationOptions(background=4, rows=4, evaluations=200, interactions=1)
    learner = dataclasses.replace(learners[1], checkpoint=str(moved))
    explanation = explain(task, record, learner, splits, options=options, n_jobs=1)
    assert explanation.scale == "log-odds"
    assert explanation.additivity_error < 1e-4


@installed
def test_selected_features_count_towards_the_feature_limit():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(24, 2010)), columns=[f"g{i}" for i in range(2010)])
    dataset = Dataset(
        name="wide",
        X=X,
        y=np.array(["a", "b"] * 12, dtype=object),
        sample_ids=np.arange(24).astype(str),
        kind=TaskKind.BINARY,
        target="t",
        positive="a",
    )
    task = make_task(dataset)
    splits = make_splits(task, "kfold", n_splits=3)
    learner = load_learner("tabicl", checkpoint=weights())
    assert Cell(task=task, learner=learner, splits=splits).record().skipped == (
        "takes at most 2000 features, the task has 2010"
    )
    few = Preprocessing(select="variance", k=20)
    assert Cell(task=task, learner=learner, splits=splits, preprocessing=few).record().skipped == ""
    by_itself = Preprocessing(select="shap", k=20)  # fitted on all of them first
    assert (
        "at most 2000"
        in Cell(task=task, learner=learner, splits=splits, preprocessing=by_itself).record().skipped
    )


@installed
def test_run_with_a_checkpoint_finishes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(weights(), "tiny.ckpt")
    small = ("dataset=nutrimouse", "cv=kfold", "cv.n_splits=2", "n_jobs=1", "explain=none")
    command = ["-m", "model=dummy,tabicl", "checkpoint=tiny.ckpt", *small]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "tabicl (checkpoint=tiny.ckpt)" in " ".join(out.split())
    assert main(command) == 0
    assert "already finished" in capsys.readouterr().err
    (cell,) = Path("outputs").glob("nutrimouse/*/tabicl-*")
    Path("tiny.ckpt").rename("other.ckpt")
    assert main(["explain", str(cell), "explain.rows=2", "n_jobs=1"]) == 2
    assert "cannot be rebuilt here: needs pretrained weights; there is no file tiny.ckpt" in (
        " ".join(capsys.readouterr().err.split())
    )
    said = "give the cell's command again with checkpoint=PATH: what is finished stays."
    assert main(["explain", str(cell), "explain.rows=2", "n_jobs=1"]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert main(["model=tabicl", "checkpoint=other.ckpt", *small]) == 0  # the same cell
    assert "already finished" in capsys.readouterr().err
    assert main(["explain", str(cell), "explain.rows=2", "explain.evaluations=50", "n_jobs=1"]) == 0
    text = (cell / "config.yaml").read_text()
    assert "checkpoint: other.ckpt" in text
    assert (
        main(["model=tabicl", "checkpoint=a.ckpt", "model.learner.checkpoint=b.ckpt", *small]) == 2
    )
    assert "must name one file" in capsys.readouterr().err
    assert main(["model=tabicl", "checkpoint=conf.txt", "dry_run=true", *small]) == 0
    assert "there is no file conf.txt" in capsys.readouterr().out
    Path("conf.txt").write_text("x")
    assert main(["model=tabicl", "checkpoint=conf.txt", *small]) == 2
    assert "not a file that torch can read as weights" in capsys.readouterr().err
