"""Score candidate defaults of the models: chosen on some bundled tables, confirmed on others.

``python benchmarks/defaults/run.py choose [model …]`` scores every candidate on the tables for
choosing, ``… confirm [model …]`` scores the shipped default alone on the tables for confirming,
``… shipped`` does so on all of them. They write their rows into results.csv beside this file;
``… table`` rewrites the table of README.md from it. One process, one thread.
"""

import dataclasses
import os
import sys
import time
from itertools import product
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from sklearn.model_selection import RepeatedStratifiedKFold

from smalldata.datasets import load_dataset
from smalldata.measures.formulas import area_under_roc
from smalldata.models import load_learner
from smalldata.pipeline.preprocess import Preprocessor
from smalldata.resampling.splitting import make_folds
from smalldata.seeding import seed_for
from smalldata.task import TaskKind, make_task

HERE = Path(__file__).parent
N_FOLDS, N_REPEATS = 5, 2
CHOOSE = ("gse7390", "liver", "acc", "tissue", "pd_speech", "meats")
CONFIRM = ("omics", "srbct", "nutrimouse", "nci60", "permeability")
MODELS = ("linear", "knn", "svm", "xgboost")

# The scores to reach (AUC, 5 folds x 2 repeats), with the digits they were given in.
FLOORS = {
    "omics": {"linear": "0.881", "knn": "0.794", "svm": "0.867", "xgboost": "0.890"},
    "gse7390": {"linear": "0.745", "knn": "0.747", "svm": "0.771", "xgboost": "0.786"},
    "liver": {"knn": "0.602", "svm": "0.634", "xgboost": "0.614"},
    "srbct": {"linear": "1.00", "knn": "0.963", "xgboost": "0.980"},
}


def grid(**values):
    return [dict(zip(values, point, strict=True)) for point in product(*values.values())]


BOOSTING = ("n_rounds", "learning_rate", "max_depth", "colsample", "subsample", "min_child_weight")
CANDIDATES = {
    "linear": grid(strength=[0.03, 0.1, 0.3, 0.5, 1.0, 3.0], l1_ratio=[0.0])
    + grid(strength=[0.1, 0.3, 0.6], l1_ratio=[0.2])
    + grid(strength=[0.1, 0.3], l1_ratio=[0.9]),
    "knn": grid(
        n_neighbors=[5, 9, 15, 20, 30],
        weights=["uniform", "distance"],
        metric=["euclidean", "cosine"],
    )
    + grid(n_neighbors=[9, 20], weights=["distance"], metric=["manhattan"]),
    "svm": grid(kernel=["rbf"], C=[0.3, 1.0, 2.0, 5.0], gamma=[0.3, 1.0, 1.25, 2.0])
    + grid(kernel=["linear"], C=[0.1, 1.0])
    + grid(kernel=["poly"], C=[0.3, 1.0], degree=[2, 3], gamma=[0.5]),
    "xgboost": [
        dict(zip(BOOSTING, point, strict=True))
        for point in (
            (100, 0.1, 6, 0.3, 1.0, 1.0),
            (100, 0.1, 4, 0.3, 0.8, 1.0),
            (200, 0.1, 4, 0.3, 0.8, 1.0),
            (200, 0.05, 3, 0.3, 0.8, 1.0),
            (300, 0.05, 3, 0.3, 0.8, 1.0),
            (300, 0.05, 2, 0.3, 0.8, 1.0),
            (150, 0.07, 3, 0.3, 0.8, 1.0),
            (100, 0.1, 3, 0.3, 1.0, 1.0),
            (300, 0.05, 4, 0.1, 0.6, 1.0),
            (300, 0.05, 3, 0.1, 0.6, 0.3),
        )
    ],
}


def folds_of(task):
    """Folds of the task; for classes those the floors were taken on (scikit-learn's, seed 0)."""
    if task.kind.is_classification:
        splitter = RepeatedStratifiedKFold(n_splits=N_FOLDS, n_repeats=N_REPEATS, random_state=0)
        return list(splitter.split(task.X, task.y))
    return [
        fold
        for repeat in range(N_REPEATS)
        for fold in make_folds(
            task.y, N_FOLDS, stratify=False, groups=task.groups, seed=seed_for(0, "split", repeat)
        )
    ]


def score_fold(estimator, X, y, kind):
    """Primary score (AUC, or RMSE over the standard deviation of the target) and log loss."""
    if kind is TaskKind.REGRESSION:
        return float(np.sqrt(np.mean((estimator.predict(X) - y) ** 2))), np.nan
    probabilities = estimator.predict_proba(X)
    judged = (
        estimator.decision_function(X) if hasattr(estimator, "decision_function") else probabilities
    )
    if kind is TaskKind.BINARY:
        primary = area_under_roc(y == 1, judged if judged.ndim == 1 else judged[:, 1])
    else:
        present = [code for code in np.unique(y) if (y != code).any()]
        primary = np.mean([area_under_roc(y == code, judged[:, code]) for code in present])
    own = np.clip(probabilities[np.arange(len(y)), y], 1e-15, 1)
    return float(primary), float(-np.log(own).mean())


def score_candidates(dataset, names, candidates_of, stage):
    task = make_task(load_dataset(dataset))
    rows = {}
    for train, test in folds_of(task):
        encoded = {}
        for name in names:
            for settings in candidates_of(name):
                learner = load_learner(name, **settings)
                traits = learner.traits
                if traits not in encoded:
                    step = Preprocessor(
                        categories=traits.categories,
                        impute=traits.needs_complete,
                        scale=traits.needs_scaling,
                        numeric_transform="auto",
                    )
                    step.fit(task.X.iloc[train])
                    encoded[traits] = (
                        step.transform(task.X.iloc[train]),
                        step.transform(task.X.iloc[test]),
                    )
                X_train, X_test = encoded[traits]
                info = dataclasses.replace(task.info, n_samples=len(train))
                estimator = learner.build(info, seed=0, device="cpu")
                groups = None if task.groups is None else task.groups[train]
                start = time.perf_counter()
                estimator.fit(X_train, task.y[train], groups=groups)
                seconds = time.perf_counter() - start
                label = " ".join(f"{key}={value}" for key, value in settings.items()) or "default"
                scored = score_fold(estimator, X_test, task.y[test], task.kind)
                rows.setdefault((name, label), []).append((*scored, seconds))
    spread = np.std(task.y) if task.kind is TaskKind.REGRESSION else 1.0
    measure = "rmse/sd" if task.kind is TaskKind.REGRESSION else task.measure
    out = []
    for (name, label), scores in rows.items():
        primary, log_loss, seconds = np.mean(scores, axis=0)
        out.append(
            (
                stage,
                dataset,
                name,
                label,
                measure,
                round(primary / spread, 4),
                round(log_loss, 4),
                round(seconds, 3),
            )
        )
    return out


COLUMNS = ["stage", "dataset", "model", "settings", "measure", "score", "log_loss", "fit_seconds"]


def write_rows(rows):
    path = HERE / "results.csv"
    fresh = pd.DataFrame(rows, columns=COLUMNS)
    if path.exists():
        known = pd.read_csv(path)
        keys = COLUMNS[:4]
        replaced = set(map(tuple, fresh[keys].to_numpy()))
        kept = [tuple(row) not in replaced for row in known[keys].to_numpy()]
        fresh = pd.concat([known[kept], fresh]).sort_values(keys[:3], kind="stable")
    fresh.to_csv(path, index=False)


def write_table():
    """Rewrite what stands between the marks in README.md."""
    results = pd.read_csv(HERE / "results.csv")
    default = results[results["settings"] == "default"]
    lines = [
        "| stage | dataset | measure | " + " | ".join(MODELS) + " |",
        "|---|---|---|" + "---:|" * len(MODELS),
    ]
    for (stage, dataset), part in default.groupby(["stage", "dataset"], sort=False):
        cells = []
        for name in MODELS:
            row = part[part["model"] == name]
            if row.empty:
                cells.append("")
                continue
            score, said = float(row["score"].iloc[0]), ""
            if floor := FLOORS.get(dataset, {}).get(name):
                reached = round(score, len(floor) - 2) >= float(floor)
                said = f" ({'≥' if reached else '**below**'} {floor})"
            cells.append(f"{score:.3f}{said}")
        lines.append(
            f"| {stage} | {dataset} | {part['measure'].iloc[0]} | " + " | ".join(cells) + " |"
        )
    readme = HERE / "README.md"
    before, _, rest = readme.read_text().partition("<!-- table -->\n")
    _, _, after = rest.partition("<!-- /table -->")
    readme.write_text(before + "<!-- table -->\n" + "\n".join(lines) + "\n<!-- /table -->" + after)


def main():
    stage, *names = sys.argv[1:]
    if stage == "table":
        write_table()
        return
    found = {"choose": CHOOSE, "confirm": CONFIRM, "shipped": (*CHOOSE, *CONFIRM)}
    for dataset in found[stage]:
        start = time.perf_counter()
        rows = score_candidates(
            dataset,
            names or MODELS,
            lambda name: [{}, *CANDIDATES[name]] if stage == "choose" else [{}],
            "choose" if dataset in CHOOSE else "confirm",
        )
        write_rows(rows)
        for row in rows:
            print(*row)
        print(f"{dataset}: {time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
