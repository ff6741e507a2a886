"""What one process measures: how right ours is, and time against error for one model.

`run.py` starts it; nothing else of the run is in the process that is timed, and one thread is all
it has.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from explainers import (
    OURS,
    OURS_ALONE,
    OURS_FOLD,
    OURS_QUICK,
    SHAPIQ,
    Explained,
    explain,
    explain_timed,
    our_values,
)
from problems import (
    N_FEW,
    SAMPLED,
    SEED,
    Array,
    Problem,
    make_problem,
)
from references import brute_force, second_opinion
from scaling import measure_axis, measure_wide

# Passes forwards and backwards, of 2 columns + 1 evaluations; at 135 columns 1 is the default of
# `explainer(X)`, about 10 that of max_evals="auto".
PASSES = (1, 4, 10, 32)
# Coalitions; at 135 columns 2,318 is the default.
COALITIONS = (500, 2318, 6000)
# Evaluations of one background row each for a column; 1,000 is the default.
A_COLUMN = (20, 100, 1000)
# Of ours: walks from each background row (knn), evaluations for a column (mlp: 8 is the least, 100
# is a walk there and back from each of 50 background rows), gradients for each background row.
WALKS = (4, 8, 16, 64)
EVALUATIONS = (8, 32, 100, 400, 1600)
GRADIENTS = (4, 32)
REFERENCE_WALKS = 512
BRUTE_WALKS = 64
GROUPS = np.array([0, 1, 1, 2, 3, 3, 3, 4, 5, 0])


# ---------------------------------------------------------------- accuracy


def measure_accuracy(model: str) -> list[dict[str, Any]]:
    """Compare ours with brute force on few columns, alone and grouped, and with other code."""
    few = make_problem(model, few=True)
    rows = [
        _against_brute_force(few, None),
        _against_brute_force(few, GROUPS),
    ]
    whole = make_problem(model)
    if model not in SAMPLED:
        other, how = second_opinion(whole)
        rows.append(_difference(whole, explain(whole, OURS, None), other, None, how))
    if model == "svm, rbf":
        alone = explain(few, OURS_ALONE, None)
        other = explain(few, SHAPIQ, None).values
        rows.append(_difference(few, alone, other, None, f"{SHAPIQ}, absent = 1"))
    return rows


def _against_brute_force(problem: Problem, players: Any) -> dict[str, Any]:
    budget = _walks(problem, BRUTE_WALKS) if problem.model in SAMPLED else None
    values, base, *errors = our_values(
        problem.form,
        problem.rows,
        problem.background,
        players=players,
        budget=budget,
        seed=SEED,
    )
    ours = Explained(values=values[:, :, 0], standard_errors=errors[0][:, :, 0] if errors else None)
    truth = brute_force(problem.function, problem.rows, problem.background, players)
    return _difference(problem, ours, truth, base[0], "brute force")


def _walks(problem: Problem, n_walks: int) -> int:
    """Give the budget of so many walks from each background row."""
    if problem.model == "knn":
        return n_walks
    return n_walks * len(problem.background) * problem.n_columns


def _difference(
    problem: Problem, ours: Explained, other: Array, base: float | None, how: str
) -> dict[str, Any]:
    error = np.abs(ours.values - other)
    row = {
        "model": problem.model,
        "n_columns": problem.n_columns,
        "n_players": ours.values.shape[1],
        "n_rows": len(problem.rows),
        "n_background": len(problem.background),
        "compared_with": how,
        "largest_value": float(np.abs(other).max()),
        "max_error": float(error.max()),
        "additivity_error": float("nan"),
        "rms_error_in_standard_errors": float("nan"),
        "max_error_in_standard_errors": float("nan"),
    }
    if base is not None:
        moved = problem.function(problem.rows) - base
        row["additivity_error"] = float(np.abs(ours.values.sum(axis=1) - moved).max())
    if ours.standard_errors is not None:
        known = ours.standard_errors > 0
        ratio = error[known] / ours.standard_errors[known]
        row["rms_error_in_standard_errors"] = float(np.sqrt(np.square(ratio).mean()))
        row["max_error_in_standard_errors"] = float(ratio.max())
    return row


# ---------------------------------------------------------------- time against error


def measure_speed(model: str, *, few: bool) -> list[dict[str, Any]]:
    """Time every explainer of one model at its budgets and tell its error."""
    problem = make_problem(model, few=few)
    reference, how = _reference(problem)
    rows = []
    for explainer, budget in _lineup(problem, few=few):
        found = explain_timed(problem, explainer, budget, seed=SEED)
        rows.append(_timed_row(problem, explainer, budget, found, reference, how))
    if model == "svm, rbf" and not few:
        rows.append(_time_fold(problem, reference, how))
    if model == "svm, rbf":
        theirs = explain_timed(problem, SHAPIQ, None)
        ours = explain_timed(problem, OURS_ALONE, None)
        # Another game: compared with each other alone.
        for name, found in ((OURS_ALONE, ours), (SHAPIQ, theirs)):
            rows.append(_timed_row(problem, name, None, found, theirs.values, SHAPIQ))
    return rows


ALL_ROWS = 1_000_000


def _time_fold(problem: Problem, reference: Array, how: str) -> dict[str, Any]:
    """Time ours on all held-out rows of the fold at once, as the explanation of a cell asks it.

    What rows share is then paid once; the other explainers take one row after the other.
    """
    fold = make_problem(problem.model, n_rows=ALL_ROWS)
    found = explain_timed(fold, OURS, None)
    first = replace(found, values=found.values[: len(problem.rows)])
    row = _timed_row(problem, OURS_FOLD, None, first, reference, how)
    return row | {"n_rows": len(fold.rows), "seconds_per_row": found.seconds / len(fold.rows)}


def _lineup(problem: Problem, *, few: bool) -> list[tuple[str, int | None]]:
    ours: list[tuple[str, int | None]] = [(OURS, None)]
    if problem.model == "knn":
        ours = [(OURS, budget) for budget in WALKS]
    if problem.model == "mlp":
        ours = [(OURS, budget * problem.n_columns) for budget in EVALUATIONS]
        ours += [(OURS_QUICK, budget) for budget in GRADIENTS]
    exact: list[tuple[str, int | None]] = []
    if problem.model == "linear":
        exact = [("shap.LinearExplainer", None)]
    if problem.model == "xgboost":
        exact = [("shap.TreeExplainer", None)]
    if few:
        return [*ours, *exact, ("shap.ExactExplainer", None)]
    peers: list[tuple[str, int | None]] = [
        *(("shap.PermutationExplainer", budget) for budget in PASSES),
        *(("shap.KernelExplainer", budget) for budget in COALITIONS),
        *(("shap.SamplingExplainer", budget * problem.n_columns) for budget in A_COLUMN),
    ]
    return [*ours, *exact, *peers]


def _reference(problem: Problem) -> tuple[Array, str]:
    if problem.model not in SAMPLED:
        return second_opinion(problem)
    if problem.n_columns <= N_FEW:
        return brute_force(problem.function, problem.rows, problem.background), "brute force"
    # Another seed than that of what is compared with it.
    long = explain(problem, OURS, _walks(problem, REFERENCE_WALKS), seed=SEED + 1)
    return long.values, f"{REFERENCE_WALKS} walks from each background row"


def _timed_row(
    problem: Problem,
    explainer: str,
    budget: int | None,
    found: Explained,
    reference: Array,
    how: str,
) -> dict[str, Any]:
    error = np.abs(found.values - reference)
    standard_error = float("nan")
    if found.standard_errors is not None:
        standard_error = float(np.sqrt(np.square(found.standard_errors).mean()))
    return {
        "model": problem.model,
        "n_columns": problem.n_columns,
        "explainer": explainer,
        "budget": budget,
        "n_rows": len(problem.rows),
        "n_background": len(problem.background),
        "seconds_per_row": found.seconds / len(problem.rows),
        "max_error": float(error.max()),
        "mean_error": float(error.mean()),
        "rms_error": float(np.sqrt(np.square(error).mean())),
        "rms_standard_error": standard_error,
        "largest_value": float(np.abs(reference).max()),
        "reference": how,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("accuracy", "speed", "scaling"))
    parser.add_argument("subject", help="model")
    parser.add_argument("how", help="whole | few; columns | rows | background | nci60")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    match given.part:
        case "accuracy":
            rows = measure_accuracy(given.subject)
        case "speed":
            rows = measure_speed(given.subject, few=given.how == "few")
        case _ if given.how == "nci60":
            rows = measure_wide(given.subject)
        case _:
            rows = measure_axis(given.subject, given.how)
    given.out.write_text(json.dumps(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
