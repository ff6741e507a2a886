"""The signature: its size by inner folds, its members, the panel of all rows, and the disk."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from smalldata.__main__ import main
from smalldata.errors import ConfigError, ExplanationError, FitError
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import (
    evaluate,
    evaluate_fold,
    fit_fold,
    predict_fold,
)
from smalldata.explanation.explanation import explain
from smalldata.explanation.options import ExplanationOptions, check_options
from smalldata.measures.registry import find_measure
from smalldata.models import load_learner, load_space
from smalldata.panel.final import ALIKE, MOST_SUBSTITUTES, find_panel, find_twins
from smalldata.panel.selector import SignatureOptions, make_selector
from smalldata.panel.sizes import choose_size
from smalldata.pipeline.fitting import fit_rows, predict_rows
from smalldata.pipeline.preprocess import Preprocessing
from smalldata.pipeline.training import TrainingRows
from smalldata.resampling.strategies import make_splits
from smalldata.results.panel import Panel, mean_and_error
from smalldata.results.record import settings_text
from smalldata.run import cell as run_cell
from smalldata.runtime.sealing import sealed
from smalldata.seeding import seed_for
from smalldata.store.cell_folder import CellFolder
from smalldata.task import TaskKind, make_task
from smalldata.tuning.inner_folds import cut_inner_folds
from smalldata.tuning.tuner import make_tuner
from test_ranking import make_noise
from toys import binary_toy, differences, make_toy, values_toy


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Run below a temporary folder, as a new process would."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_signal(*, n_features=12):
    """Sixty rows in which three features carry two classes."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, n_features))
    signal = X[:, 0] + 0.8 * X[:, 4] - 0.6 * X[:, 7] + 0.4 * rng.normal(size=60)
    task = make_toy(np.where(signal > 0, "yes", "no"), n_features=n_features)
    frame = pd.DataFrame(X, columns=task.X.columns)
    return make_task(dataclasses.replace(task.dataset, X=frame, positive="yes"))


def select(task, splits, *, model="linear", fold=0, learner=None, **options):
    selector = make_selector(task, SignatureOptions(**options))
    learner = learner or load_learner(model)
    return evaluate_fold(
        Cell(task=task, learner=learner, splits=splits, selector=selector), splits.folds[fold]
    )


# ---------------------------------------------------------------- the rule


def test_one_se_rule_takes_the_smallest_size_within_one_standard_error():
    rng = np.random.default_rng(0)
    sizes = [1, 2, 3, 5, 10]
    for _ in range(300):
        scores = rng.normal(size=(5, 4)).round(1)
        for higher in (True, False):
            means = scores.mean(axis=1).round(9)  # equal sums are ties
            goodness = means if higher else -means
            best = goodness.max()
            error = scores[goodness.argmax()].std(ddof=1) / 2
            good = [s for s, g in zip(sizes, goodness, strict=True) if g >= best - error - 1e-9]
            assert choose_size(sizes, scores.tolist(), higher_is_better=higher) == good[0]
            plain = choose_size(sizes, scores.tolist(), higher_is_better=higher, rule="best")
            assert plain == sizes[int(np.flatnonzero(goodness >= best - 1e-9)[0])]


def test_folds_without_a_score_are_ignored_by_the_size_rule():
    assert mean_and_error([None, 3.0, None]) == (3.0, 0.0)
    assert choose_size([1, 2], [[0.5, None], [0.6, None]], higher_is_better=True) == 2
    assert choose_size([1, 2], [[0.6, None], [0.6, None]], higher_is_better=True) == 1


# ---------------------------------------------------------------- the procedure


@pytest.mark.parametrize("ranking", ["shap", "linear", "univariate"])
def test_ranking_is_recomputed_inside_each_inner_fold(ranking):
    task = make_signal()
    splits = make_splits(task, "kfold", n_splits=3)
    fold = splits.folds[1]
    result = select(task, splits, fold=1, model="svm", ranking=ranking, sizes=(1, 3, 6))
    seed = seed_for(result.seed, "signature")
    rows = splits.train_rows(fold)
    pairs = cut_inner_folds(task.y[rows], None, n_folds=5, n_repeats=1, stratify=True, seed=seed)
    measure = find_measure("roc_auc", TaskKind.BINARY)
    for size, scores in zip((1, 3, 6), result.selection.inner, strict=True):
        for i, (train, test) in enumerate(pairs):
            preprocessing = Preprocessing(select=ranking, k=size)
            own = TrainingRows.of(task, preprocessing=preprocessing, seed=seed_for(seed, "fit", i))
            pipeline = fit_rows(load_learner("svm"), own.take(rows[train]))
            found = predict_rows(pipeline, task.X, task.y, rows=rows[test], n_classes=2)
            assert scores[i] == pytest.approx(measure.score(found, classes=task.classes).value)


def test_score_of_each_size_equals_a_cell_with_that_k():
    task = make_signal()
    splits = make_splits(task, "kfold", n_splits=3)
    selector = make_selector(task, SignatureOptions(ranking="shap", sizes=(1, 4)))
    learner = load_learner("linear")
    record = evaluate(task, learner, splits, selector=selector, n_jobs=1)
    for place, size in enumerate((1, 4)):
        fixed = evaluate(
            task, learner, splits, preprocessing=Preprocessing(select="shap", k=size), n_jobs=1
        )
        for one, other in zip(record.folds, fixed.folds, strict=True):
            assert one.selection.outer[place] == other.scores["roc_auc"].value
            if one.selection.k == size:
                assert one.scores == other.scores


def test_a_fold_is_rebuilt_with_its_own_size():
    task = make_signal()
    splits = make_splits(task, "kfold", n_splits=3)
    learner = load_learner("svm")
    selector = make_selector(task, SignatureOptions(sizes=(1, 2, 3, 5)))
    record = evaluate(task, learner, splits, selector=selector, n_jobs=1)
    cell = Cell(task=task, learner=learner, splits=splits, selector=selector)
    for fold, result in zip(splits.folds, record.folds, strict=True):
        own = cell.fitted_as(result)
        assert own.preprocessing == Preprocessing(select="shap", k=result.selection.k)
        assert own.selector is None
        pipeline = fit_fold(own, fold, seed=result.seed)
        assert set(pipeline[0].players_) == set(result.selection.members)
        rebuilt = predict_fold(pipeline, task, fold)
        np.testing.assert_array_equal(rebuilt.probabilities, result.prediction.probabilities)
    explanation = explain(task, record, learner, splits, n_jobs=1)
    for result in record.folds:
        own_rows = explanation.values[explanation.fold == result.fold]
        used = np.flatnonzero(np.abs(own_rows).max(axis=(0, 2)))
        assert set(used) == set(result.selection.members)


def test_held_out_rows_do_not_change_the_panel():
    task = make_signal()
    splits = make_splits(task, "kfold", n_splits=3)
    fold = splits.folds[0]
    X, y = task.X.copy(), np.array(task.dataset.y)
    X.iloc[fold.test] = 77.0
    y[fold.test] = y[fold.test][::-1]
    foreign = make_task(dataclasses.replace(task.dataset, X=X, y=y))
    selector = make_selector(task, SignatureOptions(sizes=(1, 2, 5)))
    learner = load_learner("linear")
    cell = Cell(task=task, learner=learner, splits=splits, selector=selector)
    same_folds = dataclasses.replace(splits, split_key=foreign.split_key)
    other = dataclasses.replace(cell, task=foreign, splits=same_folds)
    first, second = (evaluate_fold(one, fold).selection for one in (cell, other))
    assert first.outer != second.outer
    assert dataclasses.replace(first, outer=()) == dataclasses.replace(second, outer=())


def test_signature_on_noise_scores_at_chance():
    means, flattered = [], []
    for seed in range(10):
        task = make_noise(seed, n_features=200)
        splits = make_splits(task, "kfold", n_splits=5)
        selector = make_selector(task, SignatureOptions(sizes=(1, 5)))
        record = evaluate(task, load_learner("linear"), splits, selector=selector, n_jobs=1)
        means.append(np.mean([fold.scores["roc_auc"].value for fold in record.folds]))
        if seed < 2:
            rows = TrainingRows.of(task, seed=0)
            panel = find_panel(load_learner("linear"), selector, rows)
            flattered.append(panel.score)
    # One seed has a standard deviation of about 0.11.
    assert abs(np.mean(means) - 0.5) < 0.11
    assert min(flattered) > 0.6  # what the rows that chose the members say of them is no score


def test_signature_does_not_depend_on_the_number_of_processes():
    task = make_signal()
    splits = make_splits(task, "kfold", n_splits=3)
    selector = make_selector(task, SignatureOptions(sizes=(1, 2)))
    learner = load_learner("linear")
    one, two = (
        evaluate(task, learner, splits, selector=selector, n_jobs=n_jobs) for n_jobs in (1, 2)
    )
    assert differences(one, two) == []


def test_a_regression_takes_the_smallest_error():
    task = values_toy(n_features=6)
    splits = make_splits(task, "kfold", n_splits=3)
    result = select(task, splits, ranking="univariate", sizes=(1, 2, 6), rule="best")
    means = result.selection.inner_means
    assert result.status == "ok"
    assert result.selection.k == (1, 2, 6)[int(np.argmin(means))]
    assert min(means) > 0


def test_groups_stay_together_in_the_inner_folds():
    task = binary_toy(n_features=4, groups=[f"g{row // 3}" for row in range(30)])
    splits = make_splits(task, "groups", n_splits=3)
    result = select(task, splits, ranking="linear", sizes=(1, 2))
    assert result.status == "ok"
    assert len(result.selection.inner[0]) == 5
    rows = TrainingRows.of(task, seed=0).take(np.arange(6))
    one_group = dataclasses.replace(rows, groups=np.array(["a"] * 6))
    with pytest.raises(FitError, match="cannot be cut into 2"):
        make_selector(task).cut_folds(one_group)


# ---------------------------------------------------------------- the panel of all rows


def test_only_correlated_features_are_tried_as_substitutes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 6))
    task = make_toy(np.where(X[:, 3] > 0, "yes", "no"), n_features=6)
    X[:, 1] = np.exp(X[:, 3])
    X[:, 5] = -X[:, 3] + 0.5 * rng.normal(size=60)
    dataset = dataclasses.replace(task.dataset, X=pd.DataFrame(X, columns=task.X.columns))
    task = make_task(dataset)
    selector = make_selector(task, SignatureOptions(ranking="univariate", sizes=(1,)))
    learner = load_learner("linear")
    rows = TrainingRows.of(task, seed=0)
    panel = find_panel(learner, selector, rows)
    assert panel.selection.members == (3,)
    assert panel.selection.outer == ()
    assert panel.score > 0.99
    assert [one.feature for one in panel.substitutes] == [1, 5]
    assert [one.is_equal for one in panel.substitutes] == [True, False]
    assert panel.substitutes[0].correlation == pytest.approx(1.0)
    folds = selector.cut_folds(dataclasses.replace(rows, seed=seed_for(0, "fit", "panel")))
    for one in panel.substitutes:
        alone = task.X.iloc[:, [one.feature]]
        scores = []
        for train, test in folds.pairs:
            pipeline = fit_rows(learner, dataclasses.replace(rows, X=alone).take(train))
            found = predict_rows(pipeline, alone, task.y, rows=test, n_classes=2)
            scores.append(selector.measure.score(found, classes=task.classes).value)
        assert one.score == pytest.approx(np.mean(scores))


def test_substitutes_equal_scipy_spearman():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(40, 3)), columns=list("abc"))
    for i in range(8):
        X[f"like {i}"] = -np.exp(X["a"]) + (0.1 + 0.09 * i) * rng.normal(size=40)
    X["level"] = pd.Categorical(np.where(X["a"] > 0, "x", "y"))
    X["flat"] = 1.0
    found = find_twins(X, [11, 0, 1])
    correlations = {j: spearmanr(X["a"], X.iloc[:, j]).statistic for j in (1, 2, *range(3, 11))}
    alike = [j for j in correlations if abs(correlations[j]) >= ALIKE and j != 1]
    closest = sorted(alike, key=lambda j: -abs(correlations[j]))[:MOST_SUBSTITUTES]
    assert [(member, j) for member, j, _ in found] == [(0, j) for j in closest]
    assert len(alike) > MOST_SUBSTITUTES
    for _, j, value in found:
        assert value == pytest.approx(correlations[j])
    X.iloc[:12, 3] = np.nan  # then over the rows where both are known, as everywhere in a report
    values = {j: value for _, j, value in find_twins(X, [0])}
    assert values[3] == pytest.approx(spearmanr(X["a"][12:], X.iloc[12:, 3]).statistic)


# ---------------------------------------------------------------- what it is called


def test_the_settings_are_part_of_the_cell_and_its_label():
    task = make_signal()
    splits = make_splits(task, "kfold", n_splits=3)
    learner = load_learner("svm")

    def describe(**options):
        selector = make_selector(task, SignatureOptions(**options))
        return Cell(task=task, learner=learner, splits=splits, selector=selector).record()

    plain = Cell(task=task, learner=learner, splits=splits).record()
    usual = describe()
    assert "signature" not in plain.identity
    assert usual.label == "svm (signature by shap)"
    other = describe(ranking="linear", sizes=(1, 2), rule="best")
    label = "svm (signature by linear, signature.rule=best, signature.sizes=[1,2])"
    assert other.label == label
    hashes = {record.hash for record in (plain, usual, other, describe(inner_folds=3))}
    assert len(hashes) == 4
    # What is cut to the same sizes is the same cell.
    assert describe(sizes=(2, 12)).hash == describe(sizes=(12, 2, 40)).hash


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"ranking": "none"}, r"needs preprocess\.select, one of .*; got 'none'"),
        ({"ranking": "anova"}, "variance, univariate, linear, shap; got 'anova'"),
        ({"rule": "median"}, "rule must be one_se, best or none; got 'median'"),
        ({"sizes": ()}, r"whole numbers of at least 1, such as \[1,2,5\]; got \(\)"),
        ({"sizes": (0, 2)}, r"got \(0, 2\)"),
        ({"sizes": (1, 2.5)}, r"got \(1, 2\.5\)"),
        ({"sizes": (True,)}, r"got \(True,\)"),
        ({"sizes": 5}, "got 5"),
        ({"inner_folds": 1}, "inner_folds must be a whole number of at least 2; got 1"),
        ({"inner_folds": "many"}, "got 'many'"),
    ],
)
def test_invalid_signature_options_are_refused(values, sentence):
    with pytest.raises(ConfigError, match=sentence):
        SignatureOptions(**values)


def test_signature_with_conflicting_settings_is_refused():
    task = make_signal()
    splits = make_splits(task, "kfold", n_splits=3)
    learner = load_learner("knn")
    selector = make_selector(task)
    with pytest.raises(ConfigError, match="must have select=none, got variance"):
        Cell(
            task=task,
            learner=learner,
            splits=splits,
            selector=selector,
            preprocessing=Preprocessing(select="variance", k=2),
        ).record()
    tuner = make_tuner(task, learner, load_space("knn"))
    with pytest.raises(ConfigError, match="on inner folds of its own and is not tuned"):
        Cell(task=task, learner=learner, splits=splits, selector=selector, tuner=tuner).record()
    with pytest.raises(ConfigError, match=r"signature\.measure must rank"):
        make_selector(task, SignatureOptions(measure="calibration_slope"))
    skipped = Cell(
        task=task, learner=load_learner("dummy"), splits=splits, selector=selector
    ).record()
    assert "nothing to rank by shap" in skipped.reason


# ---------------------------------------------------------------- the command line and the disk

COMMAND = (
    "experiment=signature",
    "model=linear",
    "dataset=nutrimouse",
    "cv=kfold",
    "cv.n_splits=3",
    "n_jobs=1",
    "signature.sizes=[1,3,10]",
    "explain=none",
)


def read(cell):
    return cell.read_record(), cell.read_panel()


def test_killed_signature_run_resumes_to_the_same_result(folder, capsys):
    assert main([*COMMAND]) == 0
    out, err = capsys.readouterr()
    assert "linear (signature by shap, signature.sizes=[1,3,10])" in out
    assert "choosing the panel of linear (signature by shap" in err
    (path,) = (found.parent for found in folder.glob("outputs/*/*/*/DONE"))
    cell = CellFolder(path)
    record, panel = read(cell)
    assert isinstance(panel, Panel)
    assert [fold.selection.sizes for fold in record.folds] == [(1, 3, 10)] * 3

    (path / "signature.json").unlink()  # killed before the panel was chosen
    (path / "folds" / "r00f01.json").unlink()
    assert main([*COMMAND]) == 0
    again = read(cell)
    assert differences(record, again[0]) == []
    assert differences(panel, again[1]) == []

    text = (path / "signature.json").read_text()
    (path / "signature.json").write_text(text.replace('"k": ', '"k": 1'))
    capsys.readouterr()
    assert main([*COMMAND]) == 0
    assert "was edited" in capsys.readouterr().err
    assert differences(panel, cell.read_panel()) == []

    modified = (path / "signature.json").stat().st_mtime_ns
    assert main([*COMMAND]) == 0
    assert (path / "signature.json").stat().st_mtime_ns == modified


def test_failed_panel_keeps_the_score(folder, capsys, monkeypatch):
    def fail(*arguments, **options):
        raise ZeroDivisionError("nothing to divide")

    with monkeypatch.context() as patched:
        patched.setattr(run_cell, "find_panel", fail)
        assert main([*COMMAND]) == 0
    out, err = capsys.readouterr()
    assert "could not be chosen: ZeroDivisionError: nothing to divide" in err
    assert "signature by shap" in out
    (path,) = (found.parent for found in folder.glob("outputs/*/*/*/DONE"))
    assert "has not been chosen yet" in (path / "report.html").read_text()
    assert main([*COMMAND]) == 0
    assert CellFolder(path).read_panel() is not None


def test_folds_stored_without_a_signature_are_read(folder):
    assert main(["model=linear", *COMMAND[2:-2], "explain=none"]) == 0
    (path,) = (found.parent for found in folder.glob("outputs/*/*/*/DONE"))
    entry = json.loads((path / "folds" / "r00f00.json").read_text())
    assert entry.pop("selection") is None
    del entry["sha256"], entry["schema_version"]
    (path / "folds" / "r00f00.json").write_text(sealed(entry))
    assert CellFolder(path).read_record().folds[0].selection is None
    assert CellFolder(path).read_panel() is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["preprocess.k=5"], "chooses how many features to keep; got preprocess.k=5"),
        (["preprocess.select=none"], "needs preprocess.select, one of"),
        (["preprocess.select=anova"], "got 'anova'"),
        (["signature.sizes=[1,two]"], "must be a list of whole numbers of at least 1"),
        (["signature.sizes=3"], "must be a list of whole numbers of at least 1"),
        (["signature.size=[3]"], "did you mean signature.sizes"),
        (["signature.measure=brier"], "signature.measure"),
        (["tune=optuna"], "is not tuned"),
        (["signature.rule=none"], "needs preprocess.k"),
        (["signature.rule=none", "signature.sizes=[3]"], "set experiment=signature"),
    ],
)
def test_signature_mistakes_are_refused_with_one_sentence(arguments, sentence, capsys):
    given = [word for word in COMMAND if not word.startswith("signature.sizes")]
    assert main([*given, *arguments]) == 2
    err = capsys.readouterr().err.strip()
    assert sentence in err
    assert "Traceback" not in err


def test_explanation_cost_counts_only_panel_features():
    wide = make_toy(["yes", "no"] * 15, n_features=100_000)
    splits = make_splits(wide, "kfold", n_splits=2)
    asked = ExplanationOptions(quick=False)
    cell = Cell(task=wide, learner=load_learner("mlp"), splits=splits)
    with pytest.raises(ExplanationError, match="100,000 features take"):
        check_options(cell, asked)
    check_options(dataclasses.replace(cell, selector=make_selector(wide)), asked)


def test_sizes_beyond_the_features_are_cut_with_a_message(capsys):
    given = [word for word in COMMAND if not word.startswith("signature.sizes")]
    assert main([*given, "signature.sizes=[2,9999]", "dry_run=true"]) == 0
    out, err = capsys.readouterr()
    assert "end at the 141 features of nutrimouse: 2, 141" in err
    assert "3 folds, 0 found" in out


@pytest.mark.parametrize("sizes", [(1, 2), [1, 2]])  # as made, and as read back from a record
def test_label_shows_sizes_as_typed(sizes):
    settings = {"signature by shap": True, "signature.sizes": sizes}
    assert settings_text(settings) == "signature by shap, signature.sizes=[1,2]"
