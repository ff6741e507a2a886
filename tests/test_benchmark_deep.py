"""The benchmark of networks: equal folds for all, nothing measured twice, tables from the rows."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smalldata.datasets import load_dataset
from smalldata.evaluation.outer_loop import evaluate
from smalldata.models import load_learner
from smalldata.task import TaskKind, make_task

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks" / "deep"


@pytest.fixture(autouse=True)
def _beside_the_scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for path in FOLDER.glob("*.py"):
        sys.modules.pop(path.stem, None)


@pytest.fixture
def small_tables(tmp_path, monkeypatch):
    """The harness on small tables and quick models, with csv files of its own."""
    import cells
    import run
    import setting
    import tables

    def load(dataset):
        kind = "regression" if dataset == "meats" else "binary"
        return make_task(load_dataset("synthetic", n=60, p=8, informative=3, kind=kind))

    for module in (cells, run, tables):
        monkeypatch.setattr(module, "load_task", load)
    monkeypatch.setattr(cells, "warm_up", lambda *_, **__: None)
    monkeypatch.setattr(setting, "models", lambda: ("mlp", "linear", "sklearn MLP"))
    monkeypatch.setattr(tables, "models", lambda: ("mlp", "linear", "sklearn MLP"))
    monkeypatch.setattr(tables, "_ratios", {})
    monkeypatch.setattr(run, "HERE", tmp_path)
    (tmp_path / "README.md").write_text((FOLDER / "README.md").read_text(encoding="utf-8"))
    return tmp_path, run, load


def test_benchmark_cell_scores_equal_package_scores_on_the_same_folds(small_tables):
    from cells import measure
    from setting import Cell, make_outer

    _, _, load = small_tables
    found = measure(Cell("omics", "linear"), n_jobs=1)
    task = load("omics")
    record = evaluate(task, load_learner("linear"), make_outer(task, 0), n_jobs=1)
    assert [fold["score"] for fold in found.folds] == [
        fold.scores[task.measure].value for fold in record.folds
    ]
    assert len(found.folds) == 5
    assert found.wall_seconds >= max(fold["fit_seconds"] for fold in found.folds)


@pytest.mark.parametrize("dataset", ["omics", "meats"])
def test_peer_libraries_are_fitted_on_the_rows_and_columns_of_our_networks(
    small_tables, monkeypatch, dataset
):
    import peers
    from cells import measure
    from setting import Cell
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    from smalldata.models.networks.estimator import NetworkClassifier, NetworkRegressor

    seen = {"ours": [], "theirs": []}

    def spy(kind, name, target):
        fit = kind.fit

        def fit_and_tell(self, X, y, **groups):
            seen[name].append((X.copy(), target(y)))
            return fit(self, X, y, **groups)

        monkeypatch.setattr(kind, "fit", fit_and_tell)

    if dataset == "omics":
        spy(NetworkClassifier, "ours", np.array)
        spy(MLPClassifier, "theirs", np.array)
    else:  # the perceptron of scikit-learn gets the standardised target
        spy(NetworkRegressor, "ours", lambda y: (y - y.mean()) / y.std())
        spy(MLPRegressor, "theirs", np.array)
    monkeypatch.setattr(
        "cells.make_learner",
        lambda model, change, kind: (
            load_learner("mlp", n_epochs=1, n_members=1)
            if model == "mlp"
            else peers.PEERS[model](kind)
        ),
    )
    for model in ("mlp", "sklearn MLP"):
        measure(Cell(dataset, model), n_jobs=1)
    assert len(seen["ours"]) == len(seen["theirs"]) == 5
    for (ours, y), (theirs, other) in zip(seen["ours"], seen["theirs"], strict=True):
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_allclose(y, other, atol=1e-12)


def test_only_changed_cells_are_measured_again(small_tables, monkeypatch):
    from setting import Cell

    folder, run, _ = small_tables
    measured = []
    honest = run.measure

    def tell(cell, *, n_jobs):
        measured.append(cell.model)
        return honest(cell, n_jobs=n_jobs)

    monkeypatch.setattr(run, "measure", tell)
    cells = [Cell("omics", "linear"), Cell("omics", "sklearn MLP")]
    run.run_cells(cells, n_jobs=1, fresh=False)
    run.run_cells(cells, n_jobs=1, fresh=False)
    assert measured == ["linear", "sklearn MLP"]
    # A default that changed makes its rows out of date, and no other's.
    monkeypatch.setattr("setting.load_learner", lambda name: load_learner(name, strength=0.7))
    run.run_cells(cells, n_jobs=1, fresh=False)
    assert measured[2:] == ["linear"]
    assert len(pd.read_csv(folder / "results.csv")) == 2
    assert len(pd.read_csv(folder / "scores.csv")) == 10


def test_tables_are_recomputed_from_result_rows(small_tables):
    import tables

    folder, run, _ = small_tables
    cell = {"change": "default", "repeat": 0, "n_jobs": 2}
    scores = [
        {"dataset": dataset, "model": model, **cell, "fold": fold, "score": score, "second": 0.5}
        for dataset in ("omics", "liver")
        for model, level in (("mlp", 0.80), ("RealMLP_TD", 0.70), ("linear", 0.75))
        for fold, score in enumerate(level + np.array([0.00, 0.01, 0.02, 0.03, 0.04]))
    ]
    results = [
        {"dataset": dataset, "model": model, **cell, "wall_seconds": wall, "cpu_seconds": 2 * wall,
         "load_before": 0.1, "machine": "a machine", "date": "2026-01-01"}
        for dataset in ("omics", "liver")
        for model, wall in (("mlp", 2.0), ("RealMLP_TD", 30.0), ("linear", 1.0))
    ]  # fmt: skip
    # One fold in five is worse on the liver: the mean falls, the interval opens.
    scores[15 + 4]["score"] -= 0.25
    pd.DataFrame(scores).to_csv(folder / "scores.csv", index=False)
    pd.DataFrame(results).to_csv(folder / "results.csv", index=False)
    known = tables.models
    tables.models = lambda: (*known(), "RealMLP_TD")
    tables.write_tables(folder)
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "+0.100 [+0.100, +0.100] ▲" in text
    found = tables.compare_folds(
        *(pd.DataFrame(scores).query(f"dataset == 'liver' and model == '{model}'")
          .set_index(["repeat", "fold"])["score"] for model in ("mlp", "RealMLP_TD")), "liver"
    )  # fmt: skip
    assert found.difference == pytest.approx(0.05)
    assert found.low < 0 < found.high
    assert "15.0 overall, 15.0 on the worst of 2 tables (2 process(es)); the goal is 10" in text
    assert run.read("results.csv").shape == (6, 10)


def test_regressions_read_higher_is_better(small_tables):
    import tables

    _, _, load = small_tables
    spread = float(np.std(load("meats").y))
    rows = pd.DataFrame(
        [{"dataset": "meats", "model": "RealMLP_TD", "change": "default", "repeat": 0, "fold": 0,
          "score": spread / 4, "second": 0.9}]
    )  # fmt: skip
    found = tables.comparable(rows)
    assert found["score"].tolist() == pytest.approx([0.75, 0.75])
    assert found["model"].tolist() == ["RealMLP_TD", "RealMLP_TD for AUC"]


def test_choosing_and_confirming_tables_are_disjoint_and_synthetic_ones_have_their_structure():
    from setting import CHOOSE, CONFIRM, load_task
    from sklearn.linear_model import LinearRegression

    assert not set(CHOOSE) & set(CONFIRM)
    shapes = {name: load_task(name).X.shape for name in ("sparse", "dense", "xor", "smooth")}
    assert shapes == {"sparse": (200, 500), "dense": (200, 500), "xor": (400, 20),
                      "smooth": (300, 50)}  # fmt: skip
    xor = load_task("xor")
    product = xor.X["x0"] * xor.X["x1"] + xor.X["x2"] * xor.X["x3"]
    assert 0.03 < np.mean((product > 0) != (xor.y == 1)) < 0.08
    assert np.abs(np.corrcoef(xor.X.T, xor.y)[-1, :4]).max() < 0.15  # nothing for a linear model
    smooth = load_task("smooth")
    assert smooth.kind is TaskKind.REGRESSION
    straight = LinearRegression().fit(smooth.X.iloc[:, :5], smooth.y)
    assert 0.5 < straight.score(smooth.X.iloc[:, :5], smooth.y) < 0.9


def test_every_cell_on_the_page_is_planned_once():
    import run
    from setting import CHOOSE, DATASETS, ORDERED, SHUFFLED, Cell, networks, planned

    everything = planned()
    assert len(set(everything)) == len(everything)
    for dataset in DATASETS:
        for model in (*networks(), "RealMLP_TD", "svm"):
            assert Cell(dataset, model) in everything
    changed = {cell.dataset for cell in everything if cell.change == "60 epochs"}
    assert changed == set(CHOOSE)
    for dataset in ORDERED:
        assert Cell(dataset, "cnn1d", "as given") in everything
    asked = run._chosen(["cnn1d", "mlp,omics"], changes=["default"], repeats=2)
    assert {cell.model for cell in asked} == {"cnn1d", "mlp"}
    assert {cell.dataset for cell in asked if cell.model == "mlp"} == {"omics"}
    assert {cell.dataset for cell in asked if cell.model == "cnn1d"} == {*DATASETS, SHUFFLED}
    assert sorted({cell.repeat for cell in asked}) == [0, 1]
    for wrong in (["mpl"], ["mlp,omic"]):
        with pytest.raises(SystemExit, match="choose a"):
            run._chosen(wrong, changes=None, repeats=1)


def test_the_shuffled_table_holds_the_same_spectra():
    from setting import SHUFFLED, load_task, make_outer

    plain, shuffled = load_task("meats"), load_task(SHUFFLED)
    assert list(plain.X) != list(shuffled.X)
    pd.testing.assert_frame_equal(shuffled.X[list(plain.X)], plain.X)
    assert make_outer(plain, 0).key == make_outer(shuffled, 0).key


def test_readme_equals_tables_written_from_committed_rows(tmp_path):
    import tables

    for name in ("README.md", "results.csv", "scores.csv"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    tables.write_tables(tmp_path)
    assert (tmp_path / "README.md").read_text() == (FOLDER / "README.md").read_text()


def test_realmlp_is_built_as_asked():
    pytabkit = pytest.importorskip("pytabkit")
    from peers import PEERS

    task = make_task(load_dataset("synthetic", n=60, p=8, informative=4))
    inner = (
        PEERS["RealMLP_TD for AUC"](TaskKind.BINARY).build(task.info, seed=3, device="cpu").inner
    )
    assert isinstance(inner, pytabkit.RealMLP_TD_Classifier)
    assert (inner.val_metric_name, inner.use_ls, inner.n_threads) == ("cross_entropy", False, 1)
    plain = PEERS["RealMLP_TD"](TaskKind.BINARY).build(task.info, seed=3, device="cpu").inner
    assert (plain.val_metric_name, plain.use_ls) == (None, None)
