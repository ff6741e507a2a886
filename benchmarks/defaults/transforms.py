"""Score transforms of the columns: chosen on some tables, confirmed on others; see README.md.

``python benchmarks/defaults/transforms.py candidates`` scores every candidate on the tables with a
say, ``… choose`` and ``… confirm`` score none and ``auto`` on these and on the others, ``… mlp``
the mlp under these two, and ``… table`` rewrites the tables of README.md. Rows go to
transforms.csv; finished tables are not scored again. One process, one thread.
"""

import os
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from run import score_fold
from scipy.special import ndtri
from sklearn.model_selection import RepeatedStratifiedKFold
from tables import BUNDLED, names_of, table_of

from smalldata.models import load_learner
from smalldata.pipeline.preprocess import Preprocessor
from smalldata.pipeline.transforms import fit_log, fit_rank, fit_yeo_johnson
from smalldata.resampling.splitting import make_folds
from smalldata.seeding import seed_for
from smalldata.task import TaskInfo

HERE = Path(__file__).parent
MODELS = ("linear", "knn", "svm", "pls")
N_FOLDS, N_REPEATS = 5, 2
COLUMNS = ["stage", "dataset", "model", "transform", "measure", "score", "log_loss"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """A candidate that the package does not have."""

    function: object

    def __call__(self, X):
        """Transform rows."""
        return self.function(np.array(X))

    def subset(self, columns):
        """Refuse: the benchmark selects nothing."""
        raise NotImplementedError


def is_negative(X):
    return bool((X < 0).any())


def typical(X, taken):
    """Return the median of the values taken of each column; 1 where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = np.nanmedian(np.where(taken, X, np.nan), axis=0)
    return np.where(np.isfinite(found) & (found > 0), found, 1.0)


def log1p(X):
    return None if is_negative(X) else Fitted(function=lambda Z: np.log1p(np.maximum(Z, 0)))


def log_of_table(X):
    offset = X[X > 0].min() / 2
    return None if is_negative(X) else Fitted(function=lambda Z: np.log(np.maximum(Z, 0) + offset))


def log_of_column(X):
    if is_negative(X):
        return None
    log = fit_log(X, np.arange(X.shape[1]).astype(object))
    return Fitted(function=lambda Z: log(np.maximum(Z, 0)))


def log_of_median(X):
    middle = typical(X, X > 0)
    return (
        None if is_negative(X) else Fitted(function=lambda Z: np.log1p(np.maximum(Z, 0) / middle))
    )


def arcsinh(X):
    size = typical(np.abs(X), X != 0)
    return Fitted(function=lambda Z: np.arcsinh(Z / size))


def quantiles(X):
    n, shares = len(X), np.linspace(0, 1, max(4, len(X) // 4))
    edges = np.nanquantile(X, shares, axis=0)

    def function(Z):
        for j in range(Z.shape[1]):
            low = np.interp(Z[:, j], edges[:, j], shares)
            high = 1 - np.interp(-Z[:, j], -edges[::-1, j], shares)
            Z[:, j] = ndtri(np.clip((low + high) / 2, 0.5 / n, 1 - 0.5 / n))
        return Z

    return Fitted(function=function)


def log_ratio(X):
    if is_negative(X):
        return None
    offset = X[X > 0].min() / 2

    def function(Z):
        logs = np.log(np.maximum(Z, 0) + offset)
        return logs - np.nanmean(logs, axis=1, keepdims=True)

    return Fitted(function=function)


CANDIDATES = {
    "none": lambda X: None,
    "log1p": log1p,
    "log, offset by column": log_of_column,
    "log, offset of the table": log_of_table,
    "log of 1 + x / median": log_of_median,
    "arcsinh": arcsinh,
    "yeo-johnson": fit_yeo_johnson,
    "rank": fit_rank,
    "n/4 quantiles": quantiles,
    "centred log-ratio": log_ratio,
}


class Candidate(Preprocessor):
    """The preprocessing with another transform, and the limit of the mlp where asked."""

    candidate, limited = None, False

    def _fit_transform_of_numbers(self, values, numeric):
        return self.candidate(values) if values.shape[1] else None

    def transform(self, X):
        """Apply the fitted preprocessing."""
        Z = super().transform(X)
        return Z / np.sqrt(1 + (Z / 3) ** 2) if self.limited else Z


def steps_of(stage):
    """Return the preprocessing of each candidate by its name."""
    steps = {"none": Preprocessor(), "auto": Preprocessor(numeric_transform="auto")}
    if stage == "candidates":
        steps = {}
        for name, candidate in CANDIDATES.items():
            for limited in (False, True):
                step = Candidate()
                step.candidate, step.limited = candidate, limited
                steps[f"{name}, limited" if limited else name] = step
    return steps


def folds_of(table):
    if table.kind.is_classification and table.groups is None:
        splitter = RepeatedStratifiedKFold(n_splits=N_FOLDS, n_repeats=N_REPEATS, random_state=0)
        return list(splitter.split(table.X, table.y))
    return [
        fold
        for repeat in range(N_REPEATS)
        for fold in make_folds(
            table.y,
            N_FOLDS,
            stratify=table.kind.is_classification,
            groups=table.groups,
            seed=seed_for(0, "split", repeat),
        )
    ]


def info_of(table, train):
    return TaskInfo(
        kind=table.kind,
        n_samples=len(train),
        n_features=table.X.shape[1],
        n_classes=table.n_classes,
    )


def rows_of(found, table, *, stage, name):
    """Return a row of the csv for each model and label, of their scores by fold."""
    classify = table.kind.is_classification
    measure = ("roc_auc" if table.n_classes == 2 else "roc_auc_ovr") if classify else "rmse/sd"
    spread = 1.0 if classify else np.std(table.y)
    return [
        (stage, name, model, label, measure, round(primary / spread, 4), round(loss, 4))
        for (model, label), (primary, loss) in (
            (key, np.mean(scores, axis=0)) for key, scores in found.items()
        )
    ]


def score_table(name, stage, steps, models):
    table = table_of(name)
    found = {}
    for train, test in folds_of(table):
        info = info_of(table, train)
        groups = None if table.groups is None else table.groups[train]
        for label, step in steps.items():
            step.fit(table.X.iloc[train])
            X_train, X_test = (step.transform(table.X.iloc[rows]) for rows in (train, test))
            for model in models:
                estimator = load_learner(model).build(info, seed=0, device="cpu")
                estimator.fit(X_train, table.y[train], groups=groups)
                scores = score_fold(estimator, X_test, table.y[test], table.kind)
                found.setdefault((model, label), []).append(scores)
    return rows_of(found, table, stage=stage, name=name)


def main():
    stage, *names = sys.argv[1:]
    if stage == "table":
        write_tables()
        return
    warnings.simplefilter("ignore")
    path = HERE / "transforms.csv"
    models = ("mlp",) if stage == "mlp" else MODELS
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    print("commit", commit)
    parts = {"mlp": ("choose", "confirm"), "candidates": ("choose",)}.get(stage, (stage,))
    for part in parts:
        for name in [name for name in names_of(part) if name in (names or names_of(part))]:
            known = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=COLUMNS)
            kept = "candidates" if stage == "candidates" else part
            same = (known["dataset"] == name) & (known["stage"] == kept)
            if (same & known["model"].isin(models)).any():
                continue
            start = time.perf_counter()
            try:
                rows = score_table(name, kept, steps_of(stage), models)
            except FileNotFoundError:
                print(f"{name}: left out; run microbiome.py first")
                continue
            fresh = pd.DataFrame(rows, columns=COLUMNS)
            pd.concat([known, fresh] if len(known) else [fresh]).to_csv(path, index=False)
            print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)


def gains_of(results, against="none"):
    """Return scores as rows (stage, dataset, model) by transform, and gains over ``against``."""
    keys = ["stage", "dataset", "model"]
    scores = results.pivot_table(index=keys, columns="transform", values="score", sort=False)
    errors = results.groupby(keys, sort=False)["measure"].first().loc[scores.index] == "rmse/sd"
    gains = scores.sub(scores[against], axis=0).mul(np.where(errors, -1.0, 1.0), axis=0)
    return scores, gains


def fairness_lines(results):
    """Return the table of none -> auto, one row a table."""
    results = results[results["stage"] != "candidates"]
    scores, gains = gains_of(results)
    lines = ["| stage | dataset | measure | " + " | ".join((*MODELS, "mlp")) + " |"]
    lines.append("|---|---|---|" + "---:|" * 5)
    bundled = {name for names in BUNDLED.values() for name in names}
    for (stage, dataset), part in results.groupby(["stage", "dataset"], sort=False):
        cells = []
        for model in (*MODELS, "mlp"):
            key = (stage, dataset, model)
            if key not in scores.index:
                cells.append("")
                continue
            low, high = scores.loc[key, "none"], scores.loc[key, "auto"]
            lost = gains.loc[key, "auto"] < -0.01
            cells.append(f"{low:.3f} → {f'**{high:.3f}**' if lost else f'{high:.3f}'}")
        name = f"*{dataset}*" if dataset in bundled else dataset
        lines.append(
            f"| {stage} | {name} | {part['measure'].iloc[0]} | " + " | ".join(cells) + " |"
        )
    return lines


def candidate_lines(results):
    """Return the mean gain of each candidate on the tables with a say, and its worst loss."""
    chosen = results[results["stage"].isin(["choose", "candidates"])].copy()
    chosen["stage"] = "choose"
    chosen = chosen[chosen["model"].isin(MODELS)]
    _, gains = gains_of(chosen)
    bundled = gains[gains.index.get_level_values("dataset").isin(BUNDLED["choose"])]
    lines = ["| transform | linear | knn | svm | pls | mean | worst on a bundled table |"]
    lines.append("|---|" + "---:|" * 6)
    for name in gains.mean().sort_values(ascending=False).index:
        by_model = gains[name].groupby("model").mean()
        worst = bundled[name].idxmin()
        cells = [f"{by_model[model]:+.3f}" for model in MODELS]
        lines.append(
            f"| {name} | " + " | ".join(cells) + f" | {gains[name].mean():+.3f} | "
            f"{bundled[name].min():+.3f} ({worst[1]}, {worst[2]}) |"
        )
    return lines


def write_tables():
    """Rewrite what stands between the marks in README.md."""
    results = pd.read_csv(HERE / "transforms.csv")
    readme = HERE / "README.md"
    text = readme.read_text()
    for mark, lines in (
        ("candidates", candidate_lines(results)),
        ("fairness", fairness_lines(results)),
    ):
        before, _, rest = text.partition(f"<!-- {mark} -->\n")
        _, _, after = rest.partition(f"<!-- /{mark} -->")
        text = before + f"<!-- {mark} -->\n" + "\n".join(lines) + f"\n<!-- /{mark} -->" + after
    readme.write_text(text)


if __name__ == "__main__":
    main()
