"""Whether the p-values of `permutations=19` are uniform where labels carry nothing.

Each setting draws noise tables, runs a whole cell and 19 permutations of its labels on each, and
counts small p-values: p <= 0.05 is promised in at most 5 of 100 tables. The rows "folds kept" show
why permuted labels are cut into folds of their own: the folds of the true labels are stratified by
these, those of permuted labels then are not. `nice python benchmarks/verdict/permutation_p.py`
writes `permutation_p.csv` (a row per setting); it takes about 2 minutes on one
core. A number of tables may follow the command.
"""

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from null_importances import noise_table
from scipy.stats import kstest

from smalldata.comparison.permuted_scores import permuted_scores
from smalldata.comparison.scores import cell_scores
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate_fold
from smalldata.measures.registry import find_measure
from smalldata.models import load_learner, load_space
from smalldata.resampling.permuting import permute_task
from smalldata.resampling.strategies import make_splits
from smalldata.results.evidence import PermutedScores
from smalldata.seeding import seed_for
from smalldata.task import Task, TaskKind, make_task
from smalldata.tuning.options import TuningOptions
from smalldata.tuning.tuner import make_tuner

HERE = Path(__file__).parent
N_TABLES = 30
N_PERMUTATIONS = 19


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is drawn and run; see `noise_table` for sizes and labels."""

    name: str
    sizes: tuple[int, ...] = (1,) * 24
    labels: str = "none"
    model: str = "knn"
    measure: str = "roc_auc"
    n_repeats: int = 1
    n_splits: int = 3
    values: bool = False
    tuned: bool = False
    keep_folds: bool = False


SETTINGS = (
    Setting(name="AUC, svm, 3 folds", model="svm"),
    Setting(name="AUC, knn, 3 folds twice", n_repeats=2),
    Setting(name="log loss, linear, 4 folds", model="linear", measure="log_loss", n_splits=4),
    Setting(name="RMSE, linear, 3 folds", model="linear", measure="rmse", values=True),
    Setting(name="AUC, groups of 1 and 8, one label each", sizes=(1, 8) * 8, labels="one"),
    Setting(name="AUC, groups of 1 and 8, large ones sick", sizes=(1, 8) * 8, labels="by size"),
    Setting(name="AUC, labels differ within groups", sizes=(3, 4, 5, 6) * 2, labels="within"),
    Setting(name="AUC, knn tuned with 4 trials, 2 folds", n_splits=2, tuned=True),
    Setting(
        name="folds kept: log loss, dummy, 4 folds",
        model="dummy",
        measure="log_loss",
        n_splits=4,
        keep_folds=True,
    ),
    Setting(
        name="folds kept: log loss, linear, 4 folds",
        model="linear",
        measure="log_loss",
        n_splits=4,
        keep_folds=True,
    ),
)


def draw_cell(setting: Setting, seed: int) -> Cell:
    """Draw a noise table and make the cell of a setting on it."""
    task = noise_table(setting.sizes, setting.labels, seed=seed)
    if setting.values:
        y = np.random.default_rng(seed).normal(size=task.n_samples)
        dataset = replace(task.dataset, y=y, kind=TaskKind.REGRESSION, positive=None)
        task = make_task(dataset)
    task = replace(task, measure=setting.measure)
    splits = make_splits(task, n_splits=setting.n_splits, n_repeats=setting.n_repeats)
    learner, tuner = load_learner(setting.model), None
    if setting.tuned:
        options = TuningOptions(trials=4, inner_folds=2, sampler="random", measure="roc_auc")
        tuner = make_tuner(task, learner, load_space(setting.model), options=options)
    return Cell(task=task, learner=learner, splits=splits, tuner=tuner)


def score_cell(cell: Cell) -> float:
    """Return the score of a cell; NaN where it is undefined."""
    folds = tuple(evaluate_fold(cell, fold) for fold in cell.splits.folds)
    record = replace(cell.record(), folds=folds)
    mean = cell_scores(record, find_measure(cell.task.measure, cell.task.kind)).mean
    return float("nan") if mean is None else mean


def keep_folds(cell: Cell, number: int) -> Cell:
    """Permute the labels of a cell and leave its folds as they are."""
    task: Task = permute_task(cell.task, seed=seed_for(cell.seed, "kept", number))
    return replace(cell, task=task, splits=replace(cell.splits, split_key=task.split_key))


def p_value(setting: Setting, seed: int, *, n: int = N_PERMUTATIONS) -> float:
    """Return the p-value of a setting's cell on one noise table."""
    cell = draw_cell(setting, seed)
    if setting.keep_folds:
        scores = [score_cell(keep_folds(cell, number)) for number in range(n)]
    else:
        found = dict(permuted_scores(cell, numbers=range(n), n_jobs=1))
        scores = [found[number] for number in range(n)]
    null = PermutedScores(measure=setting.measure, values=np.array(scores))
    better = find_measure(setting.measure, cell.task.kind).higher_is_better
    return null.p_value(score_cell(cell), higher_is_better=better)


def simulate(n_tables: int) -> Iterator[dict[str, object]]:
    """Yield a row for each setting: shares of small p-values, and a test of uniformity.

    The test spreads each p-value over the step of 1 / (n + 1) below it.
    """
    for setting in SETTINGS:
        found = np.array([p_value(setting, seed) for seed in range(n_tables)])
        spread = found - np.random.default_rng(0).uniform(size=n_tables) / (N_PERMUTATIONS + 1)
        yield {
            "setting": setting.name,
            "tables": n_tables,
            "p_at_most_0.05": round(float(np.mean(found <= 0.05 + 1e-9)), 4),
            "p_at_most_0.1": round(float(np.mean(found <= 0.1 + 1e-9)), 4),
            "p_at_most_0.5": round(float(np.mean(found <= 0.5 + 1e-9)), 4),
            "standard_error_at_0.05": round(float(np.sqrt(0.05 * 0.95 / n_tables)), 4),
            "p_of_kolmogorov_smirnov": round(float(kstest(spread, "uniform").pvalue), 4),
        }


def main() -> None:
    """Simulate every setting and write ``permutation_p.csv``."""
    n_tables = int(sys.argv[1]) if len(sys.argv) > 1 else N_TABLES
    rows = []
    for row in simulate(n_tables):
        rows.append(row)
        with (HERE / "permutation_p.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(row), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
