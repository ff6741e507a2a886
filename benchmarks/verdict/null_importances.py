"""How often does `explain.null=19` mark a feature of pure noise? One table in 20 is promised.

Each table has two classes and six features that say nothing about them. Rows of a group resemble
each other, as repeated samples of a patient do, so that a rule that tears groups apart is found
out. `nice python benchmarks/verdict/null_importances.py` writes `null_importances.csv` (a row per
setting); it takes about 4 minutes on one core.
"""

import csv
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate_fold
from smalldata.explanation.explanation import explain
from smalldata.explanation.options import ExplanationOptions
from smalldata.explanation.permuted_labels import null_importances
from smalldata.models import load_learner
from smalldata.resampling.strategies import make_splits
from smalldata.results.evidence import FEWEST_PERMUTATIONS
from smalldata.task import Dataset, Task, TaskKind, make_task

HERE = Path(__file__).parent
N_TABLES = 60
N_FEATURES = 6

SETTINGS: dict[str, tuple[tuple[int, ...], str]] = {
    "no groups": ((1,) * 24, "none"),
    "groups of 4, one label each": ((4,) * 12, "one"),
    "groups of 1 and 8, one label each": ((1, 8) * 8, "one"),
    "groups of 1 and 8, large ones sick": ((1, 8) * 8, "by size"),
    "groups of 3 to 6, labels differ within": ((3, 4, 5, 6) * 2, "within"),
}
"""By name: the rows of each group, and how the labels go with the groups."""


def noise_table(
    sizes: tuple[int, ...], labels: str, *, seed: int, n_features: int = N_FEATURES
) -> Task:
    """Make a table whose features know the groups but not the labels.

    Parameters
    ----------
    sizes : tuple of int
        Rows of each group.
    labels : {"none", "one", "by size", "within"}
        No groups; one label a group, at random, or in 3 of 4 cases by whether the group is large;
        labels that differ within groups.
    seed : int
    n_features : int
    """
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    size = np.array(sizes)
    if labels in ("none", "within"):
        y = rng.permutation(np.arange(len(group)) % 2)
    elif labels == "one":
        y = rng.permutation(np.arange(len(sizes)) % 2)[group]
    else:
        large = (size > np.median(size)).astype(int)
        turned = rng.permutation(np.arange(len(sizes)) % 4 == 0)
        y = np.where(turned, 1 - large, large)[group]
    shared = 0.0 if labels == "none" else 0.9
    X = np.sqrt(shared) * rng.normal(size=(len(sizes), n_features))[group]
    X += np.sqrt(1 - shared) * rng.normal(size=X.shape)
    return make_task(
        Dataset(
            name="noise",
            X=pd.DataFrame(X, columns=[f"x{i}" for i in range(n_features)]),
            y=np.array(["no", "yes"], dtype=object)[y],
            sample_ids=np.arange(len(y)).astype(str),
            groups=None if labels == "none" else group.astype(str).astype(object),
            kind=TaskKind.BINARY,
            target="label",
            positive="yes",
        )
    )


def marks(task: Task, *, n: int = FEWEST_PERMUTATIONS, model: str = "linear") -> int:
    """Return how many features exceed everything that n permutations of the labels give."""
    cut = partial(make_splits, cv="auto", n_splits=2, n_repeats=1)
    options = ExplanationOptions(interactions=0, repeats=1)
    cell = Cell(task=task, learner=load_learner(model), splits=cut(task))
    record = cell.record()
    folds = tuple(evaluate_fold(cell, fold) for fold in cell.splits.folds)
    found = explain(
        task,
        replace(record, folds=folds),
        cell.learner,
        cell.splits,
        options=options,
        n_jobs=1,
    )
    null = null_importances(cell, cut, options, numbers=range(n), n_jobs=1)
    most = max(float(values.max()) for _, values in null)
    return int((found.first_importances > most).sum())


def simulate(n_tables: int) -> Iterator[dict[str, object]]:
    """Yield a row for each setting: tables with a marked feature, and what is promised."""
    for name, (sizes, labels) in SETTINGS.items():
        found = [marks(noise_table(sizes, labels, seed=seed)) for seed in range(n_tables)]
        share = float(np.mean(np.array(found) > 0))
        yield {
            "setting": name,
            "tables": n_tables,
            "with_a_marked_feature": sum(n > 0 for n in found),
            "share": round(share, 4),
            "standard_error": round(float(np.sqrt(share * (1 - share) / n_tables)), 4),
            "promised": 1 / (FEWEST_PERMUTATIONS + 1),
        }


def main() -> None:
    """Simulate every setting and write ``null_importances.csv``."""
    n_tables = int(sys.argv[1]) if len(sys.argv) > 1 else N_TABLES
    rows = []
    for row in simulate(n_tables):
        sys.stderr.write(f"{row}\n")
        rows.append(row)
    with (HERE / "null_importances.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
