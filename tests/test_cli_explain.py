"""What `python -m smalldata explain` does with its options, and one sentence for each bad input."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from memory import forget
from smalldata.__main__ import main
from smalldata.models.linear import Linear
from smalldata.run import cell as run_cell
from smalldata.store.cell_folder import CellFolder

TABLE = (
    "dataset=table",
    "dataset.path=t.csv",
    "dataset.target=outcome",
    "dataset.id=sample",
    "dataset.name=mine",
    "cv=kfold",
    "cv.n_splits=3",
    "n_jobs=1",
)
MLP = (
    "model=mlp",
    "model.learner.n_members=2",
    "model.learner.width=8",
    "model.learner.n_epochs=3",
)
LINEAR = ("model=linear",)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A table of 36 patients, and the folder that a command finds it in."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(36, 6)), columns=["tau", "age", "g1", "g2", "g3", "g4"])
    frame.insert(0, "sample", [f"P{i:03d}" for i in range(36)])
    frame["outcome"] = np.where(frame["tau"] + rng.normal(size=36) / 2 > 0, "ill", "ok")
    frame.to_csv("t.csv", index=False)
    return tmp_path


def _run(*words):
    """Evaluate a cell without explaining it, and return its folder."""
    assert main([*words, *TABLE, "explain=none"]) == 0
    (cell,) = sorted(path.parent for path in Path("outputs").glob("*/*/*/DONE"))
    return cell


def _files(cell):
    return {path: path.stat().st_mtime_ns for path in cell.rglob("*") if path.is_file()}


def _refused(capsys, cell, *words):
    """Explain, and return the one line it is refused with; nothing may have been written."""
    forget()
    before = _files(cell)
    capsys.readouterr()
    assert main(["explain", str(cell), *words, "n_jobs=1"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert _files(cell) == before
    (line,) = err.splitlines()
    assert line.endswith((".", "?"))
    return line


def test_explain_verb_accepts_every_option_of_a_run(capsys):
    cell = _run(*MLP)
    words = ["background=10", "rows=all", "interactions=[tau,age]", "quick=true", "null=1"]
    asked = [f"explain.{word}" for word in words]
    capsys.readouterr()
    assert main(["explain", str(cell), *asked, "explain.repeats=all", "n_jobs=1"]) == 0
    err = capsys.readouterr().err
    (key,) = CellFolder(cell).explanation_keys()
    found = CellFolder(cell).read_explanation(key)
    assert found.options["background"] == 10
    assert tuple(found.options["interactions"]) == ("tau", "age")
    assert sorted(found.row.tolist()) == list(range(36))
    assert "expected gradients, a quick look" in err
    assert "sampled values; the standard error of the 6 leading features is typically" in err


def test_exact_explanation_prints_no_word_about_sampling(capsys):
    cell = _run(*LINEAR)
    assert main(["explain", str(cell), "n_jobs=1"]) == 0
    assert "sampled" not in capsys.readouterr().err


def test_only_requested_samples_are_explained():
    cell = _run(*LINEAR)
    stored = CellFolder(cell)
    assert main(["explain", str(cell), "explain.rows=[P030,P002]", "n_jobs=1"]) == 0
    (key,) = stored.explanation_keys()
    assert sorted(stored.read_explanation(key).row.tolist()) == [2, 30]
    assert main(["explain", str(cell), "explain.rows=5", "n_jobs=1"]) == 0
    (other,) = set(stored.explanation_keys()) - {key}
    drawn = stored.read_explanation(other).row
    assert len(set(drawn.tolist())) == 5
    # Another model explains the same ones.
    assert main(["model=knn", *TABLE, "explain.rows=5"]) == 0
    (knn,) = Path("outputs").glob("*/*/knn-*")
    (key,) = CellFolder(knn).explanation_keys()
    assert sorted(CellFolder(knn).read_explanation(key).row) == sorted(drawn)


def test_sample_and_feature_names_like_010_or_NO_are_kept_as_typed():
    frame = pd.read_csv("t.csv").rename(columns={"g1": "NO", "g2": "1.50"})
    frame["sample"] = [f"{i:03d}" for i in range(36)]  # to yaml 010 is 8
    frame.loc[5, "sample"] = "1e3"
    frame.to_csv("t.csv", index=False)
    cell = _run(*LINEAR)
    words = ["explain.rows=[010,1e3]", "explain.interactions=[NO,1.50]"]
    assert main(["explain", str(cell), *words, "n_jobs=1"]) == 0
    (key,) = CellFolder(cell).explanation_keys()
    found = CellFolder(cell).read_explanation(key)
    assert sorted(found.row.tolist()) == [5, 10]
    assert tuple(found.options["interactions"]) == ("NO", "1.50")


def test_explanation_of_one_sample_does_not_change_model_agreement():
    def agreement():
        (index,) = Path("outputs").glob("*/*/index.html")
        return index.read_text().partition('id="agreement"')[2].partition("</section>")[0]

    assert main(["model=linear", *TABLE, "explain.repeats=1"]) == 0
    assert main(["model=knn", *TABLE]) == 0
    before = agreement()
    assert "tau" in before
    (linear,) = Path("outputs").glob("*/*/linear-*")
    for sample in ("P030", "P002", "P007"):  # whichever file comes first by its name
        assert main(["explain", str(linear), f"explain.rows=[{sample}]", "n_jobs=1"]) == 0
        assert "1 of 36 samples" in (linear / "report.html").read_text()
        assert agreement() == before
    assert main(["model=knn", *TABLE]) == 0
    assert agreement() == before


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("explain.rows=[P002,P999]", "there is no sample 'P999'; did you mean P0"),
        ("explain.rows=P002", "list of sample ids such as [a,b]; got 'P002'"),
        (
            "explain.rows=37",
            "explain.rows must not exceed the number of held-out samples (36); got 37",
        ),
        ("explain.rows=[]", "explain.rows must name at least one sample"),
        ("explain.rows=[P002", "explain.rows=[P002"),
        ("explain.interactions=[tau,aeg]", "there is no feature 'aeg'; did you mean age?"),
        ("explain.interactions=[tau,HLA]", "no feature 'HLA'; the features are tau, age, g1"),
        ("explain.interactions=[tau]", "must name two features or more; got 'tau' alone."),
        ("explain.background=25", "must not exceed the training rows of a fold (24); got 25"),
        ("explain.quick=maybe", "explain.quick must be true, false or null; got 'maybe'"),
        ("explain.null=-1", "explain.null must be a whole number of at least 0"),
        ("explain.quik=true", "did you mean explain.quick?"),
        ("seed=3", "there is no key 'seed'; the rest is set by the cell."),
    ],
)
def test_invalid_explain_option_is_refused_with_one_sentence(word, sentence, capsys):
    assert sentence in _refused(capsys, _run(*LINEAR), word)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("explain.interactions=[tau,aeg]", "there is no feature 'aeg'"),
        ("explain.rows=[P999]", "there is no sample 'P999'"),
        ("explain.background=25", "(24); got 25"),
    ],
)
def test_invalid_explain_option_of_a_run_is_refused_before_fitting(word, sentence, folder, capsys):
    assert main([*LINEAR, *TABLE, word]) == 2
    assert sentence in capsys.readouterr().err
    assert not (folder / "outputs").exists()


def test_run_accepts_rows_all_and_repeats_all():
    assert main([*LINEAR, *TABLE, "explain.rows=all", "explain.repeats=all"]) == 0


def test_a_failed_cell_is_not_explained(capsys):
    cell = _run(*LINEAR)
    stored = CellFolder(cell)
    fold = stored.read_record().folds[1]
    failed = dataclasses.replace(
        fold, status="failed", reason="out of memory", prediction=None, scores={}
    )
    stored.write_fold(failed, run_cell.open_cell(cell).task)
    stored.write_record(stored.read_record())
    line = _refused(capsys, cell)
    assert f"of {cell.name} 1 of 3 folds failed (r00f01: out of memory)" in line


def test_a_cell_that_lost_a_fold_is_not_explained(capsys):
    cell = _run(*LINEAR)
    for part in (cell / "folds").glob("r00f01.*"):
        part.unlink()
    line = _refused(capsys, cell)
    assert line.endswith("1 of 3 folds are missing. Run its command again.")


@pytest.mark.parametrize("name", ["record.json", "folds/r00f01.json", "folds/r00f01.parquet"])
def test_truncated_cell_file_is_refused_with_the_remedy(name, capsys):
    cell = _run(*LINEAR)
    (cell / name).write_bytes((cell / name).read_bytes()[:20])
    line = _refused(capsys, cell)
    assert line.startswith(f"RecordError: {cell / name} is torn")
    assert line.endswith("Run the command of its cell again to repair it.")
    assert main([*LINEAR, *TABLE, "explain=none"]) == 0
    assert main(["explain", str(cell), "n_jobs=1"]) == 0


@pytest.mark.parametrize("change", [("seed: 0", "seed: 5"), ("schema_version: 1\n", "")])
def test_edited_config_is_repaired_by_running_the_cell_again(change, capsys):
    cell = _run(*LINEAR)
    config = cell / "config.yaml"
    kept = config.read_text()
    config.write_text(kept.replace(*change))
    assert config.read_text() != kept
    assert str(cell) in _refused(capsys, cell)
    forget()
    assert main([*LINEAR, *TABLE, "explain=none"]) == 0
    assert config.read_text() == kept
    assert main(["explain", str(cell), "n_jobs=1"]) == 0


def test_a_cell_that_was_skipped_is_not_explained(capsys):
    narrow = dataclasses.replace(Linear.traits, max_features=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Linear, "traits", narrow)
        cell = _run(*LINEAR)
        assert "was skipped: takes at most 3 features" in _refused(capsys, cell)


def test_a_cell_whose_data_changed_is_not_explained(capsys):
    cell = _run(*LINEAR)
    frame = pd.read_csv("t.csv")
    frame.loc[3, "g2"] += 1
    frame.to_csv("t.csv", index=False)
    assert "content changed since" in _refused(capsys, cell)
    Path("t.csv").unlink()
    assert "t.csv" in _refused(capsys, cell)


def test_a_cell_that_is_not_finished_is_not_explained(capsys):
    cell = _run(*LINEAR)
    for name in ("record.json", "DONE"):
        (cell / name).unlink()
    line = _refused(capsys, cell)
    assert f"{cell} is not finished. Run its command again." in line


def test_path_without_a_cell_is_refused_by_name(folder, capsys):
    assert main(["explain", "nowhere"]) == 2
    assert "nowhere is not a folder" in capsys.readouterr().err
    assert main(["explain"]) == 2
    assert "Name at least one cell" in capsys.readouterr().err


def _widen(n_features):
    rng = np.random.default_rng(0)
    names = ["outcome", *(f"g{i}" for i in range(n_features))]
    frame = pd.DataFrame(rng.integers(9, size=(36, n_features + 1)), columns=names)
    frame.insert(0, "sample", [f"P{i:03d}" for i in range(36)])
    frame["outcome"] = ["ill", "ok"] * 18
    frame.to_csv("t.csv", index=False)


def test_sampled_walks_over_many_features_are_refused_with_their_cost(folder, capsys):
    _widen(20_000)
    command = [word for word in (*MLP, *TABLE) if word != "cv=kfold"]
    command += ["cv=rep5x5", "cv.n_repeats=5", "explain.quick=false"]
    assert main(command) == 2
    err = capsys.readouterr().err
    assert "20,000 features take at least 160,000 calls of the model for each of 180 rows" in err
    assert "leave explain.quick=null for expected gradients" in err
    assert not (folder / "outputs").exists()


def test_many_features_default_to_the_quick_explanation(capsys):
    _widen(1_001)
    few = ["explain.rows=1", "explain.background=4"]
    assert main([*MLP, *TABLE, *few]) == 0
    assert "expected gradients, a quick look" in capsys.readouterr().err


def test_a_model_that_changed_is_not_explained(capsys):
    cell = _run(*LINEAR)
    stored = run_cell.open_cell(cell)
    fold = stored.record.folds[0]
    other = dataclasses.replace(
        fold.prediction, probabilities=fold.prediction.probabilities[:, ::-1]
    )
    stored.folder.write_fold(dataclasses.replace(fold, prediction=other), stored.task)
    line = _refused(capsys, cell)
    assert "must give the stored predictions" in line
