"""Nested tuning the plain way: scikit-learn Pipelines, XGBClassifier, Optuna's TPE, two cores.

    python benchmarks/tuning/plain.py --dataset omics --model svm --outer 5 --trials 50

What a good practitioner would write. The data, the folds and the bounds of the search are those of
smalldata; everything that is fitted is not. README.md says how each space was translated.
"""

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from joblib import Parallel, delayed
from setting import load_task, make_inner, make_outer
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.class_weight import compute_sample_weight
from xgboost import XGBClassifier

N_JOBS = 2


def suggest_knn(trial: Any, fold: dict[str, Any]) -> Any:
    # KNeighborsClassifier refuses more neighbours than training rows.
    return scaled(
        KNeighborsClassifier(
            n_neighbors=trial.suggest_int(
                "n_neighbors", 1, min(50, fold["n_inner_train"]), log=True
            ),
            weights=trial.suggest_categorical("weights", ["uniform", "distance"]),
            metric=trial.suggest_categorical("metric", ["euclidean", "manhattan", "cosine"]),
        )
    )


def suggest_svm(trial: Any, fold: dict[str, Any]) -> Any:
    kernel = trial.suggest_categorical("kernel", ["linear", "rbf", "poly"])
    C = trial.suggest_float("C", 0.01, 100.0, log=True)
    width = fold["n_columns"]  # after scaling, 1 / (n_columns * variance) is 1 / n_columns
    values: dict[str, Any] = {"C": C / width if kernel == "linear" else C}
    if kernel != "linear":
        values["gamma"] = trial.suggest_float("gamma", 0.05, 5.0, log=True) / width
    if kernel == "poly":
        values["degree"] = trial.suggest_int("degree", 2, 3)
        values["coef0"] = trial.suggest_float("coef0", 0.0, 2.0)
    machine = SVC(kernel=kernel, class_weight=suggest_class_weight(trial), **values)
    if fold["n_classes"] > 2:  # AUC one-vs-rest needs probabilities; two classes need margins only
        machine = CalibratedClassifierCV(machine, ensemble=False, cv=fold["n_calibration"])
    return scaled(machine)


def suggest_linear(trial: Any, fold: dict[str, Any]) -> Any:
    strength = trial.suggest_float("strength", 0.001, 10.0, log=True)
    share = trial.suggest_float("l1_ratio", 0.0, 1.0)
    l1, l2 = strength * share * fold["largest_l1"], strength * (1 - share) * fold["n_columns"]
    return scaled(
        LogisticRegression(
            solver="saga",
            C=1 / (l1 + l2),
            l1_ratio=l1 / (l1 + l2),
            class_weight=suggest_class_weight(trial),
            max_iter=1000,
            random_state=0,
        )
    )


def suggest_xgboost(trial: Any, fold: dict[str, Any]) -> Any:
    return XGBClassifier(
        n_estimators=trial.suggest_int("n_rounds", 25, 300),
        learning_rate=trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
        max_depth=trial.suggest_int("max_depth", 1, 8),
        min_child_weight=trial.suggest_float("min_child_weight", 0.1, 10.0, log=True),
        subsample=trial.suggest_float("subsample", 0.5, 1.0),
        colsample_bytree=trial.suggest_float("colsample", 0.05, 1.0, log=True),
        reg_lambda=trial.suggest_float("reg_lambda", 0.1, 30.0, log=True),
        n_jobs=fold["n_threads"],
        random_state=0,
    )


def suggest_class_weight(trial: Any) -> str | None:
    chosen = trial.suggest_categorical("class_weight", ["none", "balanced"])
    return None if chosen == "none" else "balanced"


def scaled(model: Any) -> Any:
    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), model)


MODELS = {
    "knn": suggest_knn,
    "svm": suggest_svm,
    "linear": suggest_linear,
    "xgboost": suggest_xgboost,
}


def row_weights(model: str, trial: Any, y: np.ndarray) -> dict[str, Any]:
    """XGBClassifier takes class weights as weights of the rows."""
    if model != "xgboost" or suggest_class_weight(trial) is None:
        return {}
    return {"sample_weight": compute_sample_weight("balanced", y)}


def describe_fold(X: np.ndarray, y: np.ndarray, inner: Any) -> dict[str, Any]:
    """Numbers of the training rows that bounds and translations need."""
    Z = StandardScaler().fit_transform(SimpleImputer(strategy="median").fit_transform(X))
    onehot = y[:, None] == np.unique(y)
    smallest = min(np.bincount(y[train]).min() for train, _ in inner)
    return {
        "n_columns": X.shape[1],
        "n_classes": onehot.shape[1],
        "n_inner_train": min(len(train) for train, _ in inner),
        "n_calibration": int(min(5, smallest)),
        # The smallest L1 penalty at which no column is used.
        "largest_l1": float(np.abs(Z.T @ (onehot - onehot.mean(axis=0))).max()),
        "n_threads": 1,
    }


def tune_fold(
    model: str, X: np.ndarray, y: np.ndarray, train: Any, test: Any, inner: Any,
    *, trials: int, seed: int, inner_jobs: int,
) -> dict[str, Any]:  # fmt: skip
    """Tune on the training rows of one outer fold, refit, score the test rows."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    suggest = MODELS[model]
    about = describe_fold(X[train], y[train], inner)
    scoring = "roc_auc" if about["n_classes"] == 2 else "roc_auc_ovr"

    def objective(trial: Any) -> float:
        scores = cross_val_score(
            suggest(trial, about),
            X[train],
            y[train],
            cv=inner,
            scoring=scoring,
            n_jobs=inner_jobs,
            params=row_weights(model, trial, y[train]),
            error_score="raise",
        )
        return float(scores.mean())

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed)
        )
        study.optimize(objective, n_trials=trials)
        best = suggest(study.best_trial, about)
        best.fit(X[train], y[train], **row_weights(model, study.best_trial, y[train]))
    unconverged = [found for found in caught if issubclass(found.category, ConvergenceWarning)]
    return {
        "score": float(get_scorer(scoring)(best, X[test], y[test])),
        "inner_score": study.best_value,
        "n_fits": trials * len(inner) + 1,
        "n_unconverged": len(unconverged),
    }


def tune_all(
    dataset: str, model: str, *, n_outer: int, trials: int, n_inner: int, over: str
) -> list[dict[str, Any]]:
    """Tune in every outer fold; ``over`` says what the two processes share out."""
    task = load_task(dataset)
    splits = make_outer(task, n_outer)
    X = pd.get_dummies(task.X, dtype=float).to_numpy()
    found = Parallel(n_jobs=N_JOBS if over == "outer" else 1)(
        delayed(tune_fold)(
            model,
            X,
            task.y,
            splits.train_rows(fold),
            fold.test,
            make_inner(task, splits, fold, n_inner),
            trials=trials,
            seed=number,
            inner_jobs=N_JOBS if over == "inner" else 1,
        )
        for number, fold in enumerate(splits.folds)
    )
    return [
        {"repeat": fold.repeat, "fold": fold.fold, **result}
        for fold, result in zip(splits.folds, found, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--model", required=True, choices=MODELS)
    parser.add_argument("--outer", type=int, default=5)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--inner", type=int, default=5)
    parser.add_argument("--over", choices=["outer", "inner"], default="outer")
    parser.add_argument("--out", type=Path, help="where the scores go (json); else they are shown")
    given = parser.parse_args()
    found = tune_all(
        given.dataset,
        given.model,
        n_outer=given.outer,
        trials=given.trials,
        n_inner=given.inner,
        over=given.over,
    )
    text = json.dumps({"folds": found}, indent=1)
    if given.out is None:
        print(text)
    else:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
