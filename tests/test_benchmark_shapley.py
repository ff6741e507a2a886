"""The benchmark of Shapley values: its references are right, its peers play one game, it writes."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks" / "shapley"


@pytest.fixture(autouse=True)
def _beside_the_scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for path in FOLDER.glob("*.py"):
        sys.modules.pop(path.stem, None)


@pytest.mark.parametrize("model", ["svm, rbf", "svm, polynomial", "linear", "xgboost"])
def test_second_opinion_of_each_exact_model_equals_brute_force(model):
    from problems import make_problem
    from references import brute_force, second_opinion

    problem = make_problem(model, few=True, n_rows=2, n_background=5)
    truth = brute_force(problem.function, problem.rows, problem.background)
    reference, _ = second_opinion(problem)
    scale = np.abs(truth).max()
    assert scale > 0.1
    # The booster's own margin is float32.
    np.testing.assert_allclose(
        reference, truth, atol=scale * (2e-6 if model == "xgboost" else 1e-12)
    )


def test_brute_force_equals_hand_computed_values():
    from references import brute_force

    values = brute_force(lambda x: x[:, 0] * x[:, 1] + x[:, 2], np.ones((1, 3)), np.zeros((2, 3)))
    assert values.tolist() == [[0.5, 0.5, 1.0]]
    grouped = brute_force(
        lambda x: x[:, 0] * x[:, 1] + x[:, 2],
        np.ones((1, 3)),
        np.zeros((2, 3)),
        np.array([0, 0, 1]),
    )
    assert grouped.tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize(
    ("explainer", "budget", "allowed"),
    [
        ("smalldata", None, 1e-9),
        ("shap.KernelExplainer", 1022, 1e-6),  # all coalitions of ten columns
        ("shap.PermutationExplainer", 200, 0.03),
        ("shap.SamplingExplainer", 20_000, 0.05),
    ],
)
def test_every_explainer_agrees_with_the_reference(explainer, budget, allowed):
    from explainers import explain_timed
    from problems import make_problem
    from references import second_opinion

    # Few background rows: an explainer that skips one of them is far off.
    problem = make_problem("svm, rbf", few=True, n_rows=2, n_background=3)
    reference, _ = second_opinion(problem)
    found = explain_timed(problem, explainer, budget)
    assert np.abs(found.values - reference).max() <= allowed * np.abs(reference).max()
    assert found.seconds > 0


def test_game_without_background_equals_brute_force():
    from explainers import OURS_ALONE, explain
    from problems import make_problem
    from references import brute_force

    problem = make_problem("svm, rbf", few=True, n_rows=1)
    form, x = problem.form, problem.rows[0]
    factors = np.exp(-form.gamma * np.square(x - form.support))

    def worth(members):
        return np.array([form.coef[0] @ np.prod(factors, axis=1, where=m > 0) for m in members])

    truth = brute_force(worth, np.ones((1, problem.n_columns)), np.zeros((1, problem.n_columns)))
    values = explain(problem, OURS_ALONE, None).values
    np.testing.assert_allclose(values, truth, atol=1e-9 * np.abs(truth).max())


@pytest.fixture
def small_run(tmp_path, monkeypatch):
    """The harness on two models, a kernel and short budgets, in this process."""
    import cells
    import run
    import scaling

    asked = {
        "accuracy": [("linear", "both"), ("knn", "both")],
        "speed": [("linear", "whole"), ("linear", "few"), ("knn", "whole")],
        "scaling": [("polynomial", "columns"), ("linear", "columns"), ("polynomial", "rows")],
    }
    monkeypatch.setattr(cells, "PASSES", (1,))
    monkeypatch.setattr(cells, "COALITIONS", (300,))
    monkeypatch.setattr(cells, "A_COLUMN", (20,))
    monkeypatch.setattr(cells, "WALKS", (4,))
    monkeypatch.setattr(cells, "EVALUATIONS", (8,))
    monkeypatch.setattr(cells, "GRADIENTS", (4,))
    monkeypatch.setattr(cells, "REFERENCE_WALKS", 8)
    monkeypatch.setattr(cells, "BRUTE_WALKS", 4)
    make = cells.make_problem
    monkeypatch.setattr(
        cells,
        "make_problem",
        lambda model, few=False: make(model, few=few, n_rows=1, n_background=3),
    )
    monkeypatch.setattr(scaling, "SIZES", {"columns": (10, 20, 40), "rows": (20, 40)})
    measured = []

    def measure(part, subject, how):
        measured.append((part, subject, how))
        match part:
            case "accuracy":
                rows = cells.measure_accuracy(subject)
            case "speed":
                rows = cells.measure_speed(subject, few=how == "few")
            case _:
                rows = scaling.measure_axis(subject, how)
        return [{"subject": subject, "how": how, **row, **run.describe_machine()} for row in rows]

    monkeypatch.setattr(run, "HERE", tmp_path)
    monkeypatch.setattr(run, "subjects", asked.__getitem__)
    monkeypatch.setattr(run, "measure", measure)
    monkeypatch.setattr(run, "version", lambda _: "1.0")
    (tmp_path / "README.md").write_text((FOLDER / "README.md").read_text(encoding="utf-8"))

    def main(*arguments):
        measured.clear()
        monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
        run.main()
        return list(measured)

    return tmp_path, main


def test_run_resumes_stored_measurements_and_rewrites_tables(small_run):
    folder, main = small_run
    assert len(main()) == 8
    assert main() == []
    assert main("--only", "speed", "--fresh", "--subject", "linear") == [
        ("speed", "linear", "whole"),
        ("speed", "linear", "few"),
    ]
    speed = pd.read_csv(folder / "speed.csv")
    assert not speed.duplicated(["model", "n_columns", "explainer", "budget"]).any()
    assert list(dict.fromkeys(speed["model"])) == ["linear", "knn"]  # the order of the subjects

    # What stands in the tables is what stands in the files.
    speed.loc[speed["explainer"] == "smalldata", ["seconds_per_row", "rms_error"]] = 0.002, 0.01
    theirs = speed["explainer"] == "shap.PermutationExplainer"
    speed.loc[theirs, ["seconds_per_row", "rms_error"]] = 0.7, 0.02
    speed.loc[theirs, "max_error"] = speed.loc[theirs, "largest_value"] / 40
    speed.to_csv(folder / "speed.csv", index=False)
    accuracy = pd.read_csv(folder / "accuracy.csv")
    accuracy.loc[accuracy["model"] == "linear", "max_error"] = accuracy["largest_value"]
    accuracy.to_csv(folder / "accuracy.csv", index=False)
    scaling = pd.read_csv(folder / "scaling.csv")
    scaling["seconds_per_row"] = scaling["n_columns"] ** 2 * 1e-3
    scaling.to_csv(folder / "scaling.csv", index=False)
    assert main("--report") == []
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "| knn | shap.PermutationExplainer | 1 pass | 0.7 | 350.0 | 2.5% |" in readme
    # Seconds times squared error: 0.7 * 0.02^2 / (0.002 * 0.01^2) = 1400.
    assert "shap.PermutationExplainer / smalldata: at least 20 | 1400 | yes |" in readme
    assert "| linear | error against brute force at most 1e-10 | 1e+00 | **no** |" in readme
    assert "| polynomial | 0.1 | 0.4 | 1.6 | 2.00 |" in readme
    assert "| linear | 135 | 135 | shap.LinearExplainer |" in readme
    assert (folder / "time_against_error.svg").read_text(encoding="utf-8").count("<svg") == 1


def test_measurements_run_in_a_subprocess_and_return_their_rows():
    import run

    rows = run.measure("scaling", "linear", "background")
    assert [row["n_background"] for row in rows] == [10, 50, 100, 250, 500]
    assert all(row["seconds_per_row"] > 0 and row["subject"] == "linear" for row in rows)


def test_committed_tables_match_committed_csv_files(tmp_path):
    import tables

    for path in FOLDER.iterdir():
        if path.suffix in (".csv", ".md"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    tables.write_tables(tmp_path)
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == readme
