"""What each default of the mlp is worth, and how it stands against scikit-learn's perceptron.

``python benchmarks/mlp_defaults/run.py choose`` scores the default and one change at a time on the
tables the default was chosen on (one repeat), ``… confirm`` scores the default and scikit-learn's
on the others (two), ``… table`` rewrites the tables of README.md from results.csv. One process,
one thread; seconds are those of the processor; about five minutes in all.
"""

import os
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor

from smalldata.datasets import load_dataset
from smalldata.measures.formulas import area_under_roc
from smalldata.models import load_learner
from smalldata.pipeline.preprocess import Preprocessor
from smalldata.resampling.splitting import make_folds
from smalldata.seeding import seed_for
from smalldata.task import Dataset, TaskKind, make_task

HERE = Path(__file__).parent
N_FOLDS = 5
N_REPEATS = {"choose": 1, "confirm": 2}
CHOOSE = ("gse7390", "tissue", "meats", "sparse", "dense")
CONFIRM = ("omics", "liver", "srbct", "nutrimouse", "permeability", "nci60")
CHANGES = {
    "default": {},
    "early stopping, patience 10": {"early_stopping": 10},
    "no faster column factors": {"scale_rate": 1.0},
    "input dropout 0.2": {"input_dropout": 0.2},
    "no input dropout": {"input_dropout": 0.0},
    "rate 0.003, decay 0.01": {"learning_rate": 0.003, "weight_decay": 0.01},
    "noise never fades": {"noise_fades": "never"},
    "1 member": {"n_members": 1},
}
SKLEARN = "scikit-learn MLP"
COLUMNS = ["stage", "dataset", "settings", "measure", "score", "log_loss", "fit_seconds"]


def load(name):
    """Load a bundled table, or make one of 200 x 500.

    sparse: 20 informative features; dense: 10 and 40 mixtures of them.
    """
    if name not in ("sparse", "dense"):
        return make_task(load_dataset(name))
    shape = (
        {"n_informative": 20, "n_redundant": 0, "n_clusters_per_class": 1, "random_state": 0}
        if name == "sparse"
        else {"n_informative": 10, "n_redundant": 40, "random_state": 1}
    )
    X, y = make_classification(200, 500, **shape)
    return make_task(
        Dataset(
            name=name,
            X=pd.DataFrame(X, columns=[f"x{i}" for i in range(500)]),
            y=y.astype(str).astype(object),
            sample_ids=np.arange(200).astype(str),
            kind=TaskKind.BINARY,
            target="y",
            positive="1",
        )
    )


def folds_of(task, n_repeats):
    """Cut as benchmarks/defaults does, so that the models' tables can be read side by side."""
    if task.kind.is_classification:
        splitter = RepeatedStratifiedKFold(n_splits=N_FOLDS, n_repeats=n_repeats, random_state=0)
        return list(splitter.split(task.X, task.y))
    return [
        fold
        for repeat in range(n_repeats)
        for fold in make_folds(
            task.y, N_FOLDS, stratify=False, groups=task.groups, seed=seed_for(0, "split", repeat)
        )
    ]


def score_fold(estimator, X, y, kind):
    """Primary score (AUC, or RMSE) and log loss."""
    if kind is TaskKind.REGRESSION:
        return float(np.sqrt(np.mean((estimator.predict(X) - y) ** 2))), np.nan
    probabilities = estimator.predict_proba(X)
    if kind is TaskKind.BINARY:
        primary = area_under_roc(y == 1, probabilities[:, 1])
    else:
        present = [code for code in np.unique(y) if (y != code).any()]
        primary = np.mean([area_under_roc(y == code, probabilities[:, code]) for code in present])
    own = np.clip(probabilities[np.arange(len(y)), y], 1e-15, 1)
    return float(primary), float(-np.log(own).mean())


def build(settings, info):
    if settings != SKLEARN:
        return load_learner("mlp", **CHANGES[settings]).build(info, seed=0, device="cpu")
    kind = MLPRegressor if info.kind is TaskKind.REGRESSION else MLPClassifier
    return kind(random_state=0)


def score_settings(stage, name, all_settings):
    task = load(name)
    scores = {settings: [] for settings in all_settings}
    for train, test in folds_of(task, N_REPEATS[stage]):
        step = Preprocessor(categories="onehot", impute=True, scale=True)
        step.fit(task.X.iloc[train])
        X_train, X_test = step.transform(task.X.iloc[train]), step.transform(task.X.iloc[test])
        for settings in all_settings:
            estimator = build(settings, task.info)
            start = time.process_time()
            y = task.y[train]
            if settings == SKLEARN:
                warnings.simplefilter("ignore", ConvergenceWarning)
                estimator.fit(X_train, y)
            else:
                estimator.fit(X_train, y, None if task.groups is None else task.groups[train])
            seconds = time.process_time() - start
            scores[settings].append(
                (*score_fold(estimator, X_test, task.y[test], task.kind), seconds)
            )
    regression = task.kind is TaskKind.REGRESSION
    spread, measure = (np.std(task.y), "rmse/sd") if regression else (1.0, task.measure)
    for settings, per_fold in scores.items():
        primary, log_loss = np.mean(per_fold, axis=0)[:2]
        seconds = np.median(per_fold, axis=0)[2]
        yield (
            stage,
            name,
            settings,
            measure,
            round(primary / spread, 4),
            round(log_loss, 4),
            round(seconds, 2),
        )


def write_rows(rows):
    path = HERE / "results.csv"
    fresh = pd.DataFrame(rows, columns=COLUMNS)
    if path.exists():
        known = pd.read_csv(path)
        fresh = pd.concat([known, fresh]).drop_duplicates(COLUMNS[:3], keep="last")
    fresh.to_csv(path, index=False)


def write_tables():
    """Rewrite what stands between the marks in README.md."""
    results = pd.read_csv(HERE / "results.csv")
    readme = HERE / "README.md"
    text = readme.read_text()
    for stage, names in (("choose", CHOOSE), ("confirm", CONFIRM)):
        part = results[results["stage"] == stage]
        wide = part.pivot(index="settings", columns="dataset", values=["score", "fit_seconds"])
        lines = ["| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
        for settings in part["settings"].drop_duplicates():
            cells = [
                f"{wide['score', name][settings]:.3f} ({wide['fit_seconds', name][settings]:.2f} s)"
                for name in names
            ]
            lines.append(f"| {settings} | " + " | ".join(cells) + " |")
        before, _, rest = text.partition(f"<!-- {stage} -->\n")
        _, _, after = rest.partition(f"<!-- /{stage} -->")
        text = before + f"<!-- {stage} -->\n" + "\n".join(lines) + f"\n<!-- /{stage} -->" + after
    readme.write_text(text)


def main():
    stage, *names = sys.argv[1:]
    if stage == "table":
        write_tables()
        return
    for name in names or (CHOOSE if stage == "choose" else CONFIRM):
        rows = list(
            score_settings(
                stage, name, [*CHANGES, SKLEARN] if stage == "choose" else ["default", SKLEARN]
            )
        )
        write_rows(rows)
        for row in rows:
            print(*row, flush=True)


if __name__ == "__main__":
    main()
