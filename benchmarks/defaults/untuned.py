"""Score untuned values of svm and knn under ``preprocess.transform=auto``; see README.md.

``python benchmarks/defaults/untuned.py choose`` scores every candidate on the tables with a say,
``… confirm`` the shipped values and those named after it on the others. Rows go to untuned.csv;
finished tables are not scored again. One process, one thread.
"""

import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from run import score_fold
from scipy.spatial.distance import pdist
from tables import names_of, table_of
from transforms import folds_of, info_of, rows_of

from smalldata.models import load_learner
from smalldata.pipeline.preprocess import Preprocessor

HERE = Path(__file__).parent
COLUMNS = ["stage", "dataset", "model", "settings", "measure", "score", "log_loss"]


def by_median_distance(learner, X, multiple):
    """Return the svm with gamma = multiple / median squared distance of the training rows."""
    size = X.shape[1] * (X.var() or 1.0)
    return replace(learner, gamma=float(multiple * size / np.median(pdist(X, "sqeuclidean"))))


def settle(name, values, X):
    """Return a learner; values of None and names with a dot are worked out from the rows."""
    values = dict(values)
    multiple = values.pop("median", None)
    if values.get("n_neighbors") == "sqrt":
        values["n_neighbors"] = round(len(X) ** 0.5)
    learner = load_learner(name, **values)
    return learner if multiple is None else by_median_distance(learner, X, multiple)


CANDIDATES = {
    "svm": [
        {},
        *[
            {"C": C, "gamma": gamma}
            for C in (1.0, 3.0, 10.0)
            for gamma in (0.3, 0.6, 1.0, 1.25, 2.0)
        ],
        *[{"C": C, "median": multiple} for C in (1.0, 3.0, 10.0) for multiple in (1.0, 2.5)],
        {"kernel": "linear", "C": 0.1},
        {"kernel": "linear", "C": 1.0},
    ],
    "knn": [
        {},
        *[
            {"n_neighbors": k, "weights": weights, "metric": metric}
            for k in (5, 10, "sqrt", 20, 30)
            for weights in ("uniform", "distance")
            for metric in ("euclidean", "cosine")
        ],
    ],
}


def score_table(name, stage, candidates):
    table = table_of(name)
    found = {}
    for train, test in folds_of(table):
        info = info_of(table, train)
        step = Preprocessor(numeric_transform="auto").fit(table.X.iloc[train])
        X_train, X_test = (step.transform(table.X.iloc[rows]) for rows in (train, test))
        groups = None if table.groups is None else table.groups[train]
        for model, tried in candidates.items():
            for values in tried:
                estimator = settle(model, values, X_train).build(info, seed=0, device="cpu")
                estimator.fit(X_train, table.y[train], groups=groups)
                scores = score_fold(estimator, X_test, table.y[test], table.kind)
                label = " ".join(f"{key}={value}" for key, value in values.items()) or "default"
                found.setdefault((model, label), []).append(scores)
    return rows_of(found, table, stage=stage, name=name)


def main():
    stage = sys.argv[1]
    warnings.simplefilter("ignore")
    path = HERE / "untuned.csv"
    candidates = CANDIDATES if stage == "choose" else {"svm": [{}], "knn": [{}]}
    for name in names_of(stage):
        known = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=COLUMNS)
        if (known["dataset"] == name).any():
            continue
        start = time.perf_counter()
        try:
            rows = score_table(name, stage, candidates)
        except FileNotFoundError:
            print(f"{name}: left out; run microbiome.py first")
            continue
        fresh = pd.DataFrame(rows, columns=COLUMNS)
        pd.concat([known, fresh] if len(known) else [fresh]).to_csv(path, index=False)
        print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
