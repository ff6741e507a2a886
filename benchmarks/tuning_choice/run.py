"""Compare rules for choosing a trial, on the same trials and test rows.

``python benchmarks/tuning_choice/run.py trials choose|confirm DRAWS [MODELS]`` tunes and stores
every trial, and continues where it stopped; ``... run.py table`` applies the rules to what is
stored in trials/ and rewrites results.csv and the tables of README.md; ``... run.py readme`` only
the latter.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import json
import warnings
from dataclasses import replace

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit

from smalldata.datasets import load_dataset
from smalldata.datasets.synthetic import load as draw_table
from smalldata.models import load_learner, load_space
from smalldata.pipeline.training import TrainingRows
from smalldata.seeding import seed_for
from smalldata.task import make_task
from smalldata.tuning.choice import plainness as plainness_of
from smalldata.tuning.inner_folds import InnerFolds
from smalldata.tuning.tuner import TuningOptions, make_tuner

HERE = Path(__file__).parent
TRIALS = HERE / "trials"
N_TRIALS, N_INNER, N_REPEATS, N_FINALISTS = 50, 5, 5, 8
CHEAP = ("knn", "svm", "linear")

# table, training rows, measure (None: the usual one), learners
CHOOSE = (
    ("gse7390", 60, None, CHEAP),
    ("gse7390", 120, None, (*CHEAP, "xgboost")),
    ("gse7390", 120, "log_loss", CHEAP),
    ("omics", 60, None, (*CHEAP, "xgboost")),
    ("omics", 120, None, CHEAP),
    ("pd_speech", 60, None, (*CHEAP, "xgboost")),
    ("pd_speech", 120, None, CHEAP),
    ("permeability", 60, None, CHEAP),
    ("permeability", 120, None, CHEAP),
)
CONFIRM = (
    ("acc", 74, None, (*CHEAP, "xgboost")),
    ("acc", 74, "log_loss", CHEAP),
    ("liver", 60, None, CHEAP),
    ("liver", 120, None, CHEAP),
    ("meats", 60, None, ("knn", "linear", "xgboost")),
    ("meats", 120, None, ("knn", "linear")),
    ("nutrimouse", 32, None, CHEAP),
    ("srbct", 50, None, CHEAP),
    ("dense", 100, None, CHEAP),
    ("sparse", 100, None, (*CHEAP, "xgboost")),
    ("noise", 100, None, CHEAP),
    ("regression", 80, None, CHEAP),
)
STAGES = {"choose": CHOOSE, "confirm": CONFIRM}
SYNTHETIC = {
    "dense": {"n": 1000, "p": 300, "informative": 30, "noise": 0.5},
    "sparse": {"n": 1000, "p": 1000, "informative": 3, "noise": 0.3},
    "noise": {"n": 1000, "p": 300, "informative": 0, "noise": 1.0},
    "regression": {"n": 1000, "p": 100, "informative": 5, "noise": 0.5, "kind": "regression"},
}


class Memory:
    """A log of one search in memory."""

    def __init__(self):
        self.kept = []

    def start(self, name):
        """Return the trials so far."""
        return tuple(self.kept)

    def add(self, name, trial):
        """Keep one more."""
        self.kept.append(trial)

    def restart(self, name):
        """Forget them."""
        self.kept.clear()


def load_task(table, measure):
    known = table in SYNTHETIC
    dataset = draw_table(**SYNTHETIC[table], seed=1) if known else load_dataset(table)
    return make_task(dataset, **({} if measure is None else {"measure": measure}))


def draw_rows(task, n_train, draw):
    """Return the positions of the training rows and of all others."""
    seed = seed_for(draw, "draw")
    places = np.zeros(len(task.y))
    if task.groups is not None:
        splitter = GroupShuffleSplit(1, train_size=n_train / len(task.y), random_state=seed)
        return next(splitter.split(places, groups=task.groups))
    kind = StratifiedShuffleSplit if task.kind.is_classification else ShuffleSplit
    return next(kind(1, train_size=n_train, random_state=seed).split(places, task.y))


def try_all(task, model, n_train, draw):
    """Tune on one draw; return its trials with their scores on further repeats and test rows."""
    learner = load_learner(model)
    train, test = draw_rows(task, n_train, draw)
    log = Memory()
    options = TuningOptions(trials=N_TRIALS, inner_folds=N_INNER)
    tuner = make_tuner(task, learner, load_space(model), options=options, log=log)
    whole = TrainingRows.of(task, seed=seed_for(draw, "fit"))
    rows = whole.take(train, seed=seed_for(draw, "tune"))
    tuner.tune(learner, rows, name="draw")
    about = {"classes": task.classes, "measure": tuner.measure}
    outer = InnerFolds(rows=whole, pairs=[(train, test)], **about)
    more = InnerFolds.cut(rows, n_folds=N_INNER, n_repeats=N_REPEATS, **about)
    n_inner = len(more) // N_REPEATS
    sign = 1.0 if tuner.measure.higher_is_better else -1.0
    known = {}
    for trial in log.kept:
        if trial.score is not None:
            known.setdefault(repr(sorted(trial.values.items())), trial)
    ranked = sorted(list(known.values())[1:], key=lambda trial: -sign * trial.score)
    finalists = {trial.ordinal for trial in [*log.kept[:1], *ranked[:N_FINALISTS]]}
    found = []
    for trial in log.kept:
        twin = known.get(repr(sorted(trial.values.items())))
        row = {
            "trial": trial.ordinal,
            "state": trial.state,
            "inner": trial.fold_scores,
            "twin": None if twin is None else twin.ordinal,
        }
        if twin is trial:
            tried = replace(learner, **trial.values)
            row["outer"] = attempt(outer, tried, 0)
            row["plain"] = plainness(tuner.space, trial.values)
            if trial.ordinal in finalists:
                row["more"] = [attempt(more, tried, i) for i in range(n_inner, len(more))]
        found.append(row)
    return {"sign": sign, "spread": spread(task), "trials": found}


def attempt(folds, learner, fold):
    try:
        return folds.score(learner, fold)
    except Exception:
        return None


def plainness(space, values):
    """Return what decides ties, see `best_trial`."""
    found = [plainness_of(space.parameters[name], values[name]) for name in space.parameters]
    return [value if np.isfinite(value) else 1e9 for value in found]


def spread(task):
    """Return what errors are divided by."""
    return 1.0 if task.kind.is_classification else float(np.std(task.y, ddof=1))


def store_trials(stage, n_draws, only):
    TRIALS.mkdir(exist_ok=True)
    warnings.simplefilter("ignore")
    for draw in range(n_draws):
        for table, n_train, measure, models in STAGES[stage]:
            for model in models:
                path = TRIALS / f"{stage}-{table}-{n_train}-{measure or 'usual'}-{model}.jsonl"
                lines = path.read_text().splitlines() if path.is_file() else []
                if len(lines) > draw or (only and model not in only):
                    continue
                found = try_all(load_task(table, measure), model, n_train, draw)
                with path.open("a") as file:
                    file.write(json.dumps({"draw": draw, **found}) + "\n")
        sys.stderr.write(f"{stage} draw {draw}\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["trials"] and len(sys.argv) > 3 and sys.argv[2] in STAGES:
        store_trials(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    elif sys.argv[1:] in (["table"], ["readme"]):
        from rules import apply_rules, write_tables

        if sys.argv[1] == "table":
            apply_rules()
        write_tables()
    else:
        raise SystemExit(__doc__)
