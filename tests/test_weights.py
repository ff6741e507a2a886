"""What networks learned, kept as files: all of it, of the folds that were scored, if asked for."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from smalldata.__main__ import main
from smalldata.cli.summary import network_names
from smalldata.errors import RecordError
from smalldata.models import load_learner
from smalldata.runtime.sealing import write_sealed
from smalldata.store.cell_folder import CellFolder
from smalldata.task import TaskInfo, TaskKind

FEW = ["model.learner.n_members=2", "model.learner.n_epochs=3", "explain=none", "n_jobs=1"]
RUN = ["model=mlp", "dataset=nutrimouse", "cv=kfold", "cv.n_splits=3", *FEW]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def the_cell():
    (path,) = Path("outputs").glob("*/*/*-*/record.json")
    return CellFolder(path.parent)


def files():
    return sorted(path.name for path in Path("outputs").glob("*/*/*/weights/*.safetensors"))


@pytest.mark.parametrize("embedding", ["none", "piecewise_linear", "periodic"])
@pytest.mark.parametrize("kind", TaskKind)
@pytest.mark.parametrize("name", network_names())
def test_restored_network_equals_the_fitted_one(name, kind, embedding):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 30))
    y = (
        X[:, 0]
        if kind is TaskKind.REGRESSION
        else np.arange(40) % (3 if kind == "multiclass" else 2)
    )
    n_classes = {TaskKind.REGRESSION: 0, TaskKind.BINARY: 2, TaskKind.MULTICLASS: 3}[kind]
    info = TaskInfo(kind=kind, n_samples=40, n_features=30, n_classes=n_classes)
    learner = load_learner(name, n_members=2, n_epochs=2, embedding=embedding)
    fitted = learner.build(info, seed=1, device="cpu").fit(X, y)
    again = learner.build(info, seed=2, device="cpu").restore(fitted.learned())
    np.testing.assert_array_equal(again.margins(X), fitted.margins(X))
    np.testing.assert_array_equal(again.gradients(X), fitted.gradients(X))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))


def test_weights_are_kept_where_they_are_asked_for(capsys):
    assert main(RUN) == 0
    assert files() == []
    hash_before = the_cell().hash
    assert main([*RUN, "weights=true"]) == 0
    assert files() == [f"r00f0{fold}.safetensors" for fold in range(3)]
    cell = the_cell()
    assert cell.hash == hash_before
    found = cell.read_weights("r00f01")
    raw = load_file(cell.path / "weights" / "r00f01.safetensors")
    assert found.keys() == raw.keys() >= {"n_columns", "network.1.weight"}
    assert raw["network.1.weight"].shape == (2, 141, 64)
    before = [path.stat().st_mtime_ns for path in sorted(cell.path.glob("weights/*"))]
    assert main([*RUN, "weights=true"]) == 0
    assert before == [path.stat().st_mtime_ns for path in sorted(cell.path.glob("weights/*"))]
    assert "Traceback" not in capsys.readouterr().err


def test_missing_and_damaged_weight_files_are_rewritten(capsys):
    assert main([*RUN, "weights=true"]) == 0
    cell = the_cell()
    whole = {path.name: path.read_bytes() for path in cell.path.glob("weights/*")}
    (cell.path / "weights" / "r00f00.safetensors").unlink()
    torn = cell.path / "weights" / "r00f02.safetensors"
    torn.write_bytes(torn.read_bytes()[:100])
    with pytest.raises(RecordError, match="r00f02"):
        cell.read_weights("r00f02")
    assert main([*RUN, "weights=true"]) == 0
    assert "set aside" in " ".join(capsys.readouterr().err.split())
    for name, content in whole.items():
        assert (cell.path / "weights" / name).read_bytes() == content


def test_weights_of_another_cell_are_refused():
    assert main([*RUN, "weights=true"]) == 0
    cell = the_cell()
    other = CellFolder(cell.path.with_name("mlp-0123456789"))
    shutil.copytree(cell.path / "weights", other.path / "weights")
    with pytest.raises(RecordError, match="another cell"):
        other.read_weights("r00f00")
    path = cell.path / "weights" / "r00f00.safetensors"
    content = path.read_bytes().replace(rb"schema_version\": 1", rb"schema_version\": 9")
    write_sealed(path, content)
    with pytest.raises(RecordError, match="schema"):
        cell.read_weights("r00f00")


def test_model_without_weights_gives_a_message(capsys):
    command = ["model=knn", "dataset=nutrimouse", "cv=kfold", "cv.n_splits=3", "explain=none"]
    assert main([*command, "n_jobs=1", "weights=true"]) == 0
    assert "only networks have weights to keep" in " ".join(capsys.readouterr().err.split())
    assert files() == []


def test_a_model_that_is_no_longer_the_same_is_not_kept(capsys, monkeypatch):
    assert main(RUN) == 0
    from smalldata.models.networks import training

    init = training.count_steps
    monkeypatch.setattr(training, "count_steps", lambda rows, size: init(rows, size // 2))
    from smalldata.models.networks import train_together

    monkeypatch.setattr(train_together, "count_steps", lambda rows, size: init(rows, size // 2))
    assert main([*RUN, "weights=true"]) != 0
    assert "must give the stored predictions" in " ".join(capsys.readouterr().err.split())
    assert files() == []
