"""What pruning spares and what it costs: inner fits, processor time, score in the outer folds.

``python benchmarks/pruning/run.py choose`` tunes with several risks on the tables the risk was
chosen on, ``… confirm`` tunes with the shipped one on the others, ``… table`` rewrites the tables
of README.md from results.csv. Every row of it is one cell: 5 outer folds x one seed of folds,
samplers and fits, the same for all settings. One process, one thread.
"""

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from smalldata.datasets import load_dataset
from smalldata.evaluation.outer_loop import evaluate
from smalldata.measures.registry import find_measure
from smalldata.models import load_learner, load_space
from smalldata.resampling.strategies import make_splits
from smalldata.statistics.significance import corrected_test
from smalldata.task import make_task
from smalldata.tuning import pruning
from smalldata.tuning.tuner import TuningOptions, make_tuner

HERE = Path(__file__).parent
N_FOLDS = 5
CHOOSE = {"gse7390": ("knn", "svm", "linear"), "liver": ("knn",)}
CONFIRM = {
    "omics": ("knn", "svm", "linear"),
    "srbct": ("knn",),
    "meats": ("knn",),
    "gse7390": ("xgboost",),
}
SEEDS = {"choose": (0, 1, 2), "confirm": (0, 1)}
FEWER_TRIALS = {"xgboost": 16, "linear": 30}
N_TRIALS = 50
MORE_SEEDS = {"xgboost": (0, 1, 2)}

RISKS = (0.05, 0.1, 0.2, 0.3)


class Memory:
    """A log of trials in memory."""

    def __init__(self):
        self.kept = {}

    def start(self, name):
        """Return the trials of an outer fold."""
        return tuple(self.kept.get(name, ()))

    def add(self, name, trial):
        """Keep one more."""
        self.kept.setdefault(name, []).append(trial)

    def restart(self, name):
        """Forget them."""
        self.kept.pop(name, None)


def tune_cell(dataset, model, seed, *, risk):
    """Tune and score one cell; without pruning where the risk is None."""
    task = make_task(load_dataset(dataset))
    learner = load_learner(model)
    options = TuningOptions(
        trials=FEWER_TRIALS.get(model, N_TRIALS),
        pruner="none" if risk is None else "paired",
    )
    shipped = pruning.RISK
    pruning.RISK = shipped if risk is None else risk
    log = Memory()
    tuner = make_tuner(task, learner, load_space(model), options=options, log=log)
    splits = make_splits(task, "kfold", n_splits=N_FOLDS, seed=seed)
    start = time.process_time()
    record = evaluate(task, learner, splits, tuner=tuner, seed=seed, n_jobs=1)
    seconds = time.process_time() - start
    pruning.RISK = shipped
    if record.status != "ok":
        raise SystemExit(f"{dataset} {model} seed {seed}: {record.reason}")
    better = find_measure(task.measure, task.kind).higher_is_better
    # Errors (RMSE) in standard deviations of the target, negated: higher is better everywhere.
    scale = 1.0 if better else -1.0 / float(np.std(task.y, ddof=1))
    inner = [tuner.find_chosen(log.start(fold.name), fold.values).score for fold in record.folds]
    return {
        "trials": options.trials,
        "fits": record.tuning["fits"],
        "spared": record.tuning["spared"],
        "cpu_seconds": round(seconds, 2),
        "inner_score": round(scale * float(np.mean(inner)), 5),
        **{
            f"outer_{fold.fold}": round(scale * fold.scores[task.measure].value, 5)
            for fold in record.folds
        },
    }


def measure_stage(stage, cells, risks):
    path = HERE / "results.csv"
    key = ["stage", "dataset", "model", "risk", "seed"]
    for dataset, models in cells.items():
        for model in models:
            rows = []
            for seed in MORE_SEEDS.get(model, SEEDS[stage]):
                for risk in (None, *risks):
                    found = tune_cell(dataset, model, seed, risk=risk)
                    about = (stage, dataset, model, risk or 0.0, seed)
                    rows.append({**dict(zip(key, about, strict=True)), **found})
            kept = pd.read_csv(path) if path.is_file() else pd.DataFrame()
            kept = pd.concat([kept, pd.DataFrame(rows)]).drop_duplicates(key, keep="last")
            kept.to_csv(path, index=False)
            sys.stderr.write(f"{stage} {dataset} {model}\n")


# ---------------------------------------------------------------- the tables


def describe(found, risk):
    """One row: what was spared and how the scores changed, with the corrected interval."""
    key = ["dataset", "model", "seed"]
    plain = found[found.risk == 0.0].set_index(key).sort_index()
    pruned = found[found.risk == risk].set_index(key).sort_index()
    outer = [f"outer_{i}" for i in range(N_FOLDS)]
    test = corrected_test(
        pruned[outer].to_numpy().ravel(),
        plain.loc[pruned.index, outer].to_numpy().ravel(),
        ratio=1 / (N_FOLDS - 1),
    )
    plain = plain.loc[pruned.index]
    return {
        "spared": f"{pruned.spared.sum() / (pruned.spared.sum() + pruned.fits.sum()):.0%}",
        "fits": f"{plain.fits.sum():,} → {pruned.fits.sum():,}",
        "time": f"{pruned.cpu_seconds.sum() / plain.cpu_seconds.sum():.2f}",
        "inner": f"{(pruned.inner_score - plain.inner_score).mean():+.4f}",
        "outer": f"{test.difference:+.4f} ({test.low:+.4f} to {test.high:+.4f})",
    }


TITLES = {
    "spared": "inner fits spared",
    "fits": "inner fits",
    "time": "processor time, share",
    "inner": "inner score of the chosen",
    "outer": "outer score (95 %)",
}


def table(rows, first):
    names = [*first, *TITLES]
    lines = [" | ".join([*first, *TITLES.values()]), " | ".join(["---"] * len(names))]
    lines += [" | ".join(str(row[name]) for name in names) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def write_tables():
    found = pd.read_csv(HERE / "results.csv")
    parts = {}
    chosen = found[found.stage == "choose"]
    parts["choose"] = table(
        [{"risk": risk, **describe(chosen, risk)} for risk in sorted(set(chosen.risk) - {0.0})],
        ["risk"],
    )
    rows = []
    for (dataset, model), cell in found[found.stage == "confirm"].groupby(
        ["dataset", "model"], sort=False
    ):
        rows.append({"dataset": dataset, "model": model, **describe(cell, pruning.RISK)})
    whole = found[found.stage == "confirm"]
    rows.append({"dataset": "all", "model": "all", **describe(whole, pruning.RISK)})
    parts["confirm"] = table(rows, ["dataset", "model"])
    readme = HERE / "README.md"
    text = readme.read_text()
    for name, part in parts.items():
        before, _, rest = text.partition(f"<!-- {name} -->")
        after = rest.partition(f"<!-- /{name} -->")[2]
        text = f"{before}<!-- {name} -->\n{part}\n<!-- /{name} -->{after}"
    readme.write_text(text)


if __name__ == "__main__":
    if sys.argv[1:] == ["choose"]:
        measure_stage("choose", CHOOSE, RISKS)
    elif sys.argv[1:] == ["confirm"]:
        measure_stage("confirm", CONFIRM, (pruning.RISK,))
    elif sys.argv[1:] == ["table"]:
        write_tables()
    else:
        raise SystemExit(__doc__)
