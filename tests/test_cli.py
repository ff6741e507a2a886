"""The command line as a user types it: what it prints, writes and returns."""

import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from memory import forget
from smalldata.__main__ import main
from smalldata.cli import screen
from smalldata.config.hydra import quote_override
from smalldata.explanation.options import ExplanationOptions
from smalldata.run import cell as run_cell
from smalldata.run.explain import explain_cell
from smalldata.store.cell_folder import CellFolder

SMALL = ("dataset=nutrimouse", "cv=kfold", "cv.n_splits=3", "n_jobs=1")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Run below a temporary folder, as a new process would."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def table(folder):
    """A csv with an awkward header: a name with a space, brackets, an equals sign."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 6)), columns=[f"gene {i}" for i in range(6)])
    frame["Outcome (1=ill)"] = np.where(frame["gene 0"] + rng.normal(size=40) / 2 > 0, "ill", "ok")
    path = folder / "my table (v2).csv"
    frame.to_csv(path, index=False)
    return path


def _cells(folder):
    return sorted(path.parent for path in Path(folder).glob("outputs/*/*/*/DONE"))


def test_one_model_prints_a_table_and_writes_the_folder(folder, capsys):
    assert main(["model=knn", *SMALL]) == 0
    out, err = capsys.readouterr()
    assert "knn" in out
    assert "ROC AUC" in out
    assert "report.html" in out
    assert "index.html" in out
    assert "knn on nutrimouse: 3/3" in err
    (cell,) = _cells(folder)
    names = {str(path.relative_to(cell)) for path in cell.rglob("*") if path.is_file()}
    assert {"config.yaml", "record.json", "report.html", "DONE", "folds/r00f00.json"} <= names
    assert any(name.startswith("explanation/") and name.endswith(".npz") for name in names)
    beside = {path.name for path in cell.parent.iterdir() if path.is_file()}
    written = {"splits.parquet", "comparison.csv", "comparison.md", "comparison.json"}
    assert written | {"predictions.csv", "index.html"} <= beside
    frame = pd.read_csv(cell.parent / "comparison.csv")
    assert set(frame["model"]) == {"knn"}
    assert frame.loc[0, "measure"] == "roc_auc_ovr"


def test_run_leaves_no_hydra_files_beside_outputs(folder):
    assert main(["model=dummy", *SMALL, "explain=none"]) == 0
    assert [path.name for path in folder.iterdir()] == ["outputs"]
    assert not list(folder.rglob("multirun.yaml"))
    assert not list(folder.rglob(".hydra"))


def test_repeated_command_computes_nothing(folder, capsys):
    command = ["model=knn", *SMALL]
    assert main(command) == 0
    (cell,) = _cells(folder)
    before = {path: path.stat().st_mtime_ns for path in (cell / "folds").iterdir()}
    npz = {path: path.stat().st_mtime_ns for path in (cell / "explanation").iterdir()}
    first = capsys.readouterr().out
    assert main(command) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert {path: path.stat().st_mtime_ns for path in npz} == npz
    assert capsys.readouterr().out == first


def test_grid_of_models_makes_one_comparison(folder, capsys):
    assert main(["-m", "model=dummy,linear,knn", *SMALL, "explain=none"]) == 0
    frame = pd.read_csv(next(folder.glob("outputs/nutrimouse/*/comparison.csv")))
    assert set(frame["model"]) == {"dummy", "linear", "knn"}
    assert capsys.readouterr().out.count("index.html") == 1
    content = json.loads(next(folder.glob("outputs/nutrimouse/*/comparison.json")).read_text())
    assert len(content["tests"]) == 3


def test_grid_accepts_setting_shared_by_all_its_models(folder, capsys):
    grid = ["-m", "model=mlp,resnet", "model.learner.n_epochs=2"]  # xgboost, the default, has none
    assert main([*grid, *SMALL, "explain=none", "dry_run=true"]) == 0
    assert capsys.readouterr().out.count("n_epochs=2") == 2


def test_grid_accepts_null_for_setting_of_a_swept_model(folder, capsys):
    grid = ["-m", "cv=kfold,holdout", "cv.train_size=null", "model=dummy", "dataset=nutrimouse"]
    assert main([*grid, "explain=none", "dry_run=true"]) == 0
    assert capsys.readouterr().out.count("0 found") == 2


def test_a_changed_setting_gets_its_own_folder_and_label(folder, capsys):
    common = ["model=knn", *SMALL, "explain=none"]
    assert main(common) == 0
    assert main([*common, "model.learner.n_neighbors=3"]) == 0
    assert len(_cells(folder)) == 2
    assert "knn (n_neighbors=3)" in capsys.readouterr().out


def test_table_with_awkward_column_names_runs(table, capsys):
    command = ["model=linear", "dataset=table", f"dataset.path={table.name}", "n_jobs=1"]
    assert main([*command, "dataset.target=Outcome (1=ill)", "cv=kfold", "explain=none"]) == 0
    out, err = capsys.readouterr()
    assert "Outcome (1=ill)" in err
    assert "linear" in out


def test_dry_run_writes_nothing(folder, capsys):
    assert main(["-m", "model=dummy,knn", *SMALL, "dry_run=true"]) == 0
    out = capsys.readouterr().out
    assert out.count("3 folds, 0 found") == 2
    assert list(folder.iterdir()) == []


def test_cells_of_several_sizes_are_told_apart_and_make_a_learning_curve(folder, capsys):
    assert main(["-m", "model=dummy", "cv.train_size=12,20", *SMALL, "explain=none"]) == 0
    said = capsys.readouterr()
    for size in (12, 20):
        assert f"dummy, {size} samples on nutrimouse: 3/3 in " in said.err
    lines = next(folder.glob("outputs/nutrimouse/*/comparison.md")).read_text().splitlines()
    line = "No deep model has a score here: add model=mlp to see whether deep learning pays."
    assert line in lines


def test_a_dry_run_counts_no_more_trials_than_the_space_holds(capsys):
    words = ["explain=none", "dry_run=true", "tune=optuna", "tune.trials=1000000"]
    assert main(["model=pls", *SMALL, *words]) == 0  # two trials: the default, and the path
    assert int(re.search(r"about (\d+) s", capsys.readouterr().out)[1]) < 600


def test_dry_run_of_a_tuned_cell_prints_no_optuna_messages(capsys):
    words = ["explain=none", "dry_run=true", "tune=optuna", "tune.trials=2"]
    assert main(["model=svm", *SMALL, *words]) == 0
    assert "study" not in capsys.readouterr().err


def test_the_primary_measure_can_be_chosen(folder):
    assert main(["model=knn", *SMALL, "explain=none", "measure=mcc"]) == 0
    frame = pd.read_csv(next(folder.glob("outputs/nutrimouse/*/comparison.csv")))
    assert frame.loc[0, "measure"] == "mcc"


def test_each_measure_of_a_sweep_gets_its_table(capsys):
    assert main(["-m", "model=dummy", "measure=mcc,log_loss", *SMALL, "explain=none"]) == 0
    heads = [line for line in capsys.readouterr().out.splitlines() if "| model" in line]
    assert [head.split("|")[3].strip() for head in heads] == ["MCC ↑", "Log loss ↓"]


def test_a_fold_that_fails_is_exit_status_1_and_shown(folder, capsys):
    frame = pd.DataFrame({"a": np.arange(30.0), "b": np.arange(30.0) % 7 - 1})
    frame["y"] = np.where(np.arange(30) % 2, "case", "control")
    frame.to_csv("t.csv", index=False)
    command = ["dataset=table", "dataset.path=t.csv", "dataset.target=y", "cv=kfold", "n_jobs=1"]
    grid = ["-m", "model=dummy,knn", *command, "preprocess.transform=log1p", "explain=none"]
    assert main(grid) == 1
    out, err = capsys.readouterr()
    assert "failed" in out
    assert "log1p" in err
    assert main(["model=dummy", *command, "explain=none"]) == 0


def test_compare_and_explain_take_stored_cells(folder, capsys):
    assert main(["-m", "model=dummy,linear,knn", *SMALL, "explain=none"]) == 0
    cells = {cell.name.split("-")[0]: str(cell) for cell in _cells(folder)}
    capsys.readouterr()
    assert main(["compare", cells["linear"], cells["dummy"]]) == 0
    out = capsys.readouterr().out
    assert "knn" not in out
    assert "1 more cell in the same folder is not in this table" in out
    assert main(["compare", cells["linear"], cells["dummy"], "measure=mcc"]) == 0
    assert "| MCC ↑ |" in capsys.readouterr().out.splitlines()[1].replace("  ", " ")
    assert main(["compare", cells["linear"], "mesure=mcc"]) == 2
    assert "did you mean measure?" in capsys.readouterr().err
    assert main(["explain", cells["linear"], "explain.background=10", "explain.repeats=all"]) == 0
    (npz,) = (Path(cells["linear"]) / "explanation").glob("*.npz")
    with np.load(npz, allow_pickle=False) as arrays:
        assert arrays["values"].shape == (40, 141, 5)
        assert arrays["values"].dtype == np.float32


def test_explaining_later_keeps_the_intervals_of_the_table(folder):
    words = [*SMALL, "explain=none", "interval=nadeau_bengio"]
    assert main(["-m", "model=dummy,linear", *words]) == 0
    (table,) = folder.rglob("comparison.json")
    before = json.loads(table.read_text())
    assert before["interval"] == "nadeau_bengio"
    (linear,) = [str(path) for path in _cells(folder) if path.name.startswith("linear")]
    assert main(["explain", linear]) == 0
    after = json.loads(table.read_text())
    assert after["interval"] == "nadeau_bengio"
    assert [row["ci_low"] for row in after["rows"]] == [row["ci_low"] for row in before["rows"]]
    table.write_text("[")
    assert main(["explain", linear]) == 0
    assert json.loads(table.read_text())["interval"] == "jackknife"


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("explain.evaluations=all", "explain.evaluations must be a whole number"),
        ("n_jobs=0", "n_jobs must be a whole number of at least 1"),
    ],
)
def test_explain_refuses_malformed_number(word, sentence, folder, capsys):
    assert main(["model=dummy", *SMALL, "explain=none"]) == 0
    assert main(["explain", str(_cells(folder)[0]), word]) == 2
    assert sentence in capsys.readouterr().err


def test_outputs_are_written_to_the_working_directory(folder):
    assert main(["-m", "model=dummy", *SMALL, "explain=none"]) == 0
    assert len(_cells(folder)) == 1


def test_explain_refuses_a_cell_whose_data_changed(table, capsys):
    command = ["model=linear", "dataset=table", f"dataset.path={table.name}", "n_jobs=1"]
    names = ["dataset.name=mine", "dataset.target=Outcome (1=ill)", "cv=kfold", "explain=none"]
    assert main([*command, *names]) == 0
    (cell,) = _cells(table.parent)
    frame = pd.read_csv(table)
    frame.loc[3, "gene 2"] += 1
    frame.to_csv(table, index=False)
    forget()
    capsys.readouterr()
    assert main(["explain", str(cell)]) == 2
    assert "content changed since" in capsys.readouterr().err


def test_datasets_models_help_and_version_print(capsys):
    assert main(["datasets"]) == 0
    assert "nutrimouse" in capsys.readouterr().out
    assert main(["models"]) == 0
    assert "model.learner.n_neighbors" in capsys.readouterr().out
    assert main(["--help"]) == 0
    assert "xgboost" in capsys.readouterr().out
    assert main(["--version"]) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["model=xgbost"], "there is no 'xgbost'; did you mean xgboost?"),
        (["dataset=omic"], "there is no 'omic'; did you mean omics?"),
        (["dataset=my.csv"], "dataset=table dataset.path=my.csv dataset.target=COLUMN"),
        (["my.csv"], "dataset=table dataset.path=my.csv dataset.target=COLUMN"),
        (["model=svm,knn"], "model must be one value; got 'svm,knn'. Add -m"),
        (["dataset.drop=a,b"], "A list is written dataset.drop=[a,b]"),
        (["cv=holdout", "cv.n_splits=3"], "no key 'cv.n_splits' with cv=holdout; cv=auto or "),
        (["model.learner.C=1"], "with model=xgboost; model=svm has it"),
        (["model=xgboost", "model.learner.n_estimators=9"], "did you mean model.learner.n_rounds"),
        (
            ["dataset=table", "dataset.path=n\udce4.csv"],
            "must be UTF-8 text; dataset.path=n\\udce4",
        ),
        (["outputs=" + "y" * 300, *SMALL], "File name too long"),
        (["model="], "model must name a file of conf/model"),
        (["modl=knn"], "there is no key 'modl' in this configuration; did you mean model?"),
        (
            ["-m", "model=svm,knn", "model.learner.C=1"],
            "'model.learner.C' with model=knn; model=svm",
        ),
        (["model=knn", "model.learner.neighbors=3"], "did you mean model.learner.n_neighbors"),
        (["model=knn", "model.learner.n_neighbors=many"], "must be an integer"),
        (["report=none"], "set report.KEY=VALUE instead of report=none."),
        (["signature=3"], "set signature.KEY=VALUE instead of signature=3."),
        (["report.figures=3"], "report.figures takes any of png, svg, pdf; got 3."),
        (["seed=abc"], "seed must be a whole number; got 'abc'"),
        (["seed=-1"], "seed must not be negative"),
        (["n_jobs=0"], "n_jobs must be at least 1"),
        (["cv=kfold", "cv.n_splits=41", "dataset=nutrimouse"], "n_splits must"),
        (["cv=kfold", "cv.n_splits=1", "dataset=nutrimouse"], "n_splits must"),
        (["cv=rep5x5", "cv.train_size=1000"], "cv.train_size must be between 2"),
        (["cv=groups"], "set dataset.groups=COLUMN"),
        (["cv=fixed"], "set dataset.folds=COLUMN"),
        (["cv=loo"], "measure=log_loss"),
        (["measure=auc"], "did you mean roc_auc?"),
        (["device=gpu"], "device must be auto, cpu or cuda; got 'gpu'"),
        (
            ["device=cuda:1"],
            "Set CUDA_VISIBLE_DEVICES in the environment to choose the card",
        ),
        (["cv.train_size=20,40"], "got '20,40'. Add -m for a grid of them.\n"),
        (["preprocess.select=univariate"], "needs preprocess.k"),
        (["preprocess.select=best"], "preprocess.select must be one of"),
        (["experiment=mine"], "experiment"),  # a clone has no folder of that name
        (["model.name=../../x"], "model.name must be letters"),
        (["dataset.kind=survival"], "kind must be one of binary"),
        (["dataset=synthetic", "dataset.n=many"], "dataset.n must be a whole number"),
        (["explain=lime"], "explain must name a file of conf/explain"),
        (["explain.background=0"], "explain.background must be a whole number"),
        (["dataset=table"], "dataset.path"),
        (["dataset=table", "dataset.path=no.csv", "dataset.target=y"], "no.csv"),
        (["dataset.blocks=[dna]", "dataset=acc"], "dna"),
        (["model.learner._target_=os.system"], "_target_ must name a class of smalldata"),
        (["-x"], "got '-x'"),
        (["knn"], "a run takes key=value"),
        (["compere", "outputs"], "did you mean the verb 'compare'?"),
        (["seed=1", "explain"], "a verb must be the first word; got 'explain' later on."),
        (["-m", "model=glob(zz*)"], "a grid must have at least one cell"),
        (["compare"], "compare takes folders"),
        (["compare", "nowhere"], "nowhere is not a folder"),
        (["explain", "."], "has no finished cell"),
        (["models", "knn"], "models takes no arguments"),
        (["model=3"], "model must name one file of conf/model: "),
        (["=3"], "an override must read key=value"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(arguments, sentence, folder, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert sentence in err
    assert "Traceback" not in err
    assert out == ""
    last = err.strip().splitlines()[-1]
    assert sentence.strip() in last
    assert not list(folder.rglob("*.parquet"))


def test_four_groups_make_four_folds_unless_five_are_asked_for(tmp_path, capsys):
    rows = [f"{i * 7 % 11},{'yes' if i % 3 else 'no'},g{i % 4}" for i in range(24)]
    path = tmp_path / "sites.csv"
    path.write_text("\n".join(["x,outcome,site", *rows]) + "\n", encoding="utf-8")
    command = ["model=dummy", "dataset=table", f"dataset.path={path}", "dataset.target=outcome"]
    command += ["dataset.positive=yes", "dataset.groups=site", f"outputs={tmp_path}"]
    command += ["explain=none", "dry_run=true"]
    assert main([*command, "cv=groups"]) == 0
    done = capsys.readouterr()
    assert "cv=groups makes 4 folds once instead of 5 folds 5 times: there are only 4" in done.err
    assert ": 4 folds, 0 found" in done.out + done.err
    assert main([*command, "cv=groups", "cv.n_splits=5"]) == 2
    said = capsys.readouterr().err
    assert said.endswith(
        "SplitError: cv.n_splits must be between 2 and the number of groups (4); got 5. Leave it "
        "out to make each group a fold.\n"
    )


def test_a_wrong_cell_of_a_grid_does_not_stop_the_others(folder, capsys):
    assert main(["-m", "model=dummy", "measure=mcc,nonsense", *SMALL, "explain=none"]) == 2
    out, err = capsys.readouterr()
    assert "dummy" in out
    assert "nonsense" in err
    assert len(_cells(folder)) == 1


def test_damaged_cell_is_repaired_from_remaining_files(folder, capsys):
    command = ["model=linear", *SMALL]
    assert main(command) == 0
    expected = capsys.readouterr().out
    (cell,) = _cells(folder)
    npz = next((cell / "explanation").glob("*.npz"))
    before = np.load(npz)["values"]
    for damage in (
        (cell / "record.json").unlink,
        (cell / "config.yaml").unlink,
        lambda: (cell / "config.yaml").write_text("model: ["),
        (cell / "folds" / "r00f01.json").unlink,
        lambda: npz.write_bytes(npz.read_bytes()[:300]),
    ):
        damage()
        forget()
        assert main(command) == 0
        out, err = capsys.readouterr()
        assert out.splitlines()[3].split("|")[:-2] == expected.splitlines()[3].split("|")[:-2]
        assert (cell / "DONE").is_file()
        assert len(list((cell / "folds").glob("*.json"))) == 3
    assert f"{npz.name} is torn" in err
    np.testing.assert_array_equal(np.load(npz)["values"], before)


def test_truncated_explanation_of_another_cell_does_not_stop_the_table(folder, capsys):
    assert main(["model=linear", *SMALL]) == 0
    (cell,) = _cells(folder)
    npz = next((cell / "explanation").glob("*.npz"))
    npz.write_bytes(b"x")
    forget()
    assert main(["model=dummy", *SMALL]) == 0
    out, err = capsys.readouterr()
    assert f"{npz.name} is torn" in err
    assert "linear" in out


def test_explain_names_a_missing_config(folder, capsys):
    assert main(["model=dummy", *SMALL, "explain=none"]) == 0
    (cell,) = _cells(folder)
    (cell / "config.yaml").unlink()
    assert main(["explain", str(cell)]) == 2
    assert "config.yaml is missing" in capsys.readouterr().err


WRONG_EXPLAIN = "explain:\n  name: shap\n  background: 500"


def test_a_background_no_fold_has_is_refused_before_anything_is_fitted(folder, capsys):
    assert main(["model=dummy", *SMALL, "explain.background=500"]) == 2
    assert "explain.background must not exceed" in capsys.readouterr().err
    assert not _cells(folder)
    # A cell keeps no explanation in its identity: one asked for wrongly does not spoil it.
    assert main(["model=dummy", *SMALL, "explain=none"]) == 0
    (cell,) = _cells(folder)
    config = (cell / "config.yaml").read_text()
    asked = config.replace("explain:\n  name: none\n  background: null", WRONG_EXPLAIN)
    assert asked != config
    (cell / "config.yaml").write_text(asked)
    assert main(["explain", str(cell), "explain.background=500"]) == 2
    assert main(["explain", str(cell)]) == 0


def test_all_cells_are_checked_before_the_first_is_explained(folder, capsys):
    for n_splits in (3, 2):
        assert main(["model=dummy", *SMALL, f"cv.n_splits={n_splits}", "explain=none"]) == 0
    large, small = sorted(_cells(folder), key=lambda cell: len(list(cell.glob("folds/*.json"))))[
        ::-1
    ]
    assert main(["explain", str(large), str(small), "explain.background=24"]) == 2
    assert "(20)" in capsys.readouterr().err
    assert not list(folder.rglob("*.npz"))


def test_model_that_cannot_be_explained_is_still_in_the_table(folder, capsys):
    assert main(["model=knn", *SMALL, "explain=none"]) == 0
    (cell,) = _cells(folder)
    stored = run_cell.open_cell(cell)
    fold = stored.record.folds[0]
    other = dataclasses.replace(
        fold.prediction, probabilities=fold.prediction.probabilities[:, ::-1]
    )
    stored.folder.write_fold(dataclasses.replace(fold, prediction=other), stored.task)
    capsys.readouterr()
    assert main(["model=knn", *SMALL]) == 2
    out, err = capsys.readouterr()
    assert "must give the stored predictions" in err
    assert "knn" in out
    assert next(folder.glob("outputs/*/*/*/report.html")).is_file()


def test_explanation_of_some_folds_is_not_reused_for_all_folds(folder):
    assert main(["model=linear", *SMALL, "explain=none"]) == 0
    (cell,) = _cells(folder)
    stored = CellFolder(cell)
    record = stored.read_record()
    failed = dataclasses.replace(
        record.folds[1], status="failed", reason="killed", prediction=None, scores={}
    )
    stored.write_fold(failed, run_cell.open_cell(cell).task)
    stored.write_record(stored.read_record())
    explain_cell(run_cell.open_cell(cell), ExplanationOptions(), screen.reporter())
    (key,) = stored.explanation_keys()
    assert 0 < len(stored.read_explanation(key).row) < 40
    assert main(["model=linear", *SMALL]) == 0
    assert stored.explanation_keys() == (key,)
    assert sorted(stored.read_explanation(key).row.tolist()) == list(range(40))


def test_explanation_seconds_survive_repair_of_the_cell(folder):
    def seconds():
        (cell,) = _cells(folder)
        return CellFolder(cell).read_record(folds=()).explain_seconds

    assert main(["model=linear", *SMALL]) == 0
    first = seconds()
    assert first > 0
    (cell,) = _cells(folder)
    (cell / "folds" / "r00f01.json").unlink()
    assert main(["model=linear", *SMALL, "explain=none"]) == 0
    assert seconds() == first
    assert main(["model=linear", *SMALL, "explain.background=5"]) == 0
    assert seconds() != first
    assert main(["model=linear", *SMALL]) == 0  # the first explanation again, from the disk
    assert seconds() == first


def test_parent_folder_of_cells_is_refused_with_the_folders_below(folder, capsys):
    assert main(["-m", "model=dummy,knn", *SMALL, "explain=none"]) == 0
    below = _cells(folder)[0].parent.relative_to(folder)
    for word in ("outputs", "outputs/nutrimouse"):
        for verb in ("explain", "compare"):
            capsys.readouterr()
            assert main([verb, word]) == 2
            assert f"{word} has none itself. Name one below it: {below} (2 cells)." in (
                capsys.readouterr().err
            )
    (folder / "empty").mkdir()
    assert main(["explain", "empty"]) == 2
    assert "has no finished cell" in capsys.readouterr().err


def test_table_prints_on_terminal_without_unicode(folder):
    command = [sys.executable, "-m", "smalldata", "model=dummy", *SMALL, "explain=none"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=folder
    )
    assert done.returncode == 0
    assert "index.html" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_full_stdout_ends_with_one_sentence(folder):
    command = [sys.executable, "-m", "smalldata", "datasets"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "it is full" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="the shell of POSIX closes streams so")
@pytest.mark.parametrize(
    ("closed", "extra"),
    [("2>&-", "explain=none"), (">&-", "explain=none"), (">&-", "dry_run=true")],
)
def test_run_finishes_when_stdout_or_stderr_is_closed(closed, extra, folder):
    words = [sys.executable, "-m", "smalldata", "model=dummy", *SMALL, "n_jobs=2", extra]
    done = subprocess.run(
        f"exec {shlex.join(words)} {closed}",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert "read 40 x 141" not in done.stdout  # the progress has no place to go
    assert len(_cells(folder)) == (extra == "explain=none")


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM cannot be caught on Windows")
def test_terminated_run_exits_130_and_leaves_no_temporary_files(folder):
    (folder / "tmp").mkdir()
    command = [sys.executable, "-m", "smalldata", "model=mlp", *SMALL, "explain=none"]
    run = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder / "tmp")},
    )
    run.stderr.readline()  # it has read the table
    run.terminate()
    _, err = run.communicate()
    assert run.returncode == 130
    assert "the same command continues from there" in err
    assert not list((folder / "tmp").glob("smalldata-*"))


def test_cuda_without_a_card_is_refused(capsys):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a card")
    assert main(["model=xgboost", "device=cuda"]) == 2
    assert "device=auto or device=cpu" in capsys.readouterr().err


@pytest.mark.parametrize(
    "value", ["Time (days)", "a=b", "it's", "x#1", "back\\slash (", "ends with \\ (\\", "a, b (c)"]
)
def test_override_with_special_characters_is_quoted_for_hydra(value, capsys):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    quoted = quote_override(f"dataset.target={value}")
    parsed = OverridesParser.create().parse_override(quoted)
    assert str(parsed.value()) == value or parsed.get_value_element_as_str() == value


def test_program_exits_2_with_one_line_on_unknown_model(folder):
    command = [sys.executable, "-W", "error", "-m", "smalldata", "model=nope"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
