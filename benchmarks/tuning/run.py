"""Time nested tuning, the plain way (plain.py) against smalldata (ours.py), on the same folds.

    python benchmarks/tuning/run.py                 the table, about an hour on 2 quiet cores
    python benchmarks/tuning/run.py --datasets omics --models knn,svm --outer 5 --trials 20
    python benchmarks/tuning/run.py --estimate      what the plain way would take, from a few trials
    python benchmarks/tuning/run.py --placement     the plain way's two ways of using two cores
    python benchmarks/tuning/run.py --scaling       seconds and memory against rows and features
    python benchmarks/tuning/run.py --profile       where ours spends its time
    python benchmarks/tuning/run.py --report        README.md anew from the csv files
    python benchmarks/tuning/run.py --quick         three tables, few trials: some 5 minutes
    python benchmarks/tuning/run.py --stamp         after measuring: note the commit of the tables

Every way is a fresh process whose start counts. What is finished is in the csv files and is not
run again (--fresh does); a killed run goes on where it was.
"""

import argparse
import json
import math
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from tables import write_tables
from timing import Timed, describe_machine, time_command

HERE = Path(__file__).resolve().parent
DATASETS = ("omics", "gse7390", "srbct", "nci60", "synthetic")
TWO = ("omics", "srbct")  # a narrow and a wide table, where all of them would take too long
MODELS = ("knn", "svm", "linear", "xgboost")
SCRIPTS = {"plain": "plain.py", "ours": "ours.py"}
KEY = ["dataset", "model", "way", "timing"]


@dataclass(frozen=True)
class Size:
    """Outer folds and trials of one cell, the same for both ways."""

    n_outer: int
    n_trials: int


# One trial of the plain way with 5 inner folds takes so many processor seconds: knn and svm at most
# 0.3; linear 0.2 on omics, 0.1 on gse7390, 1.6 on srbct, 6.5 on nci60 (saga: 6,830 columns x 8
# classes), 3.5 on synthetic; xgboost 0.4, 0.2, 2.6, 12.7 and 15. So 25 outer folds of 50 trials on
# the two narrow tables and for knn; 5 on the wide ones, and there as few trials (for xgboost of the
# widest: also folds) as leave the plain way of one model at about two minutes, the whole at half an
# hour. With some ten trials the search is hardly more than its random start: pruning and the
# sampler's choice help less than they would in 50.
CELLS = {(dataset, model): Size(25, 50) for dataset in DATASETS for model in MODELS} | {
    ("srbct", "svm"): Size(5, 50),
    ("srbct", "linear"): Size(5, 25),
    ("srbct", "xgboost"): Size(5, 20),
    ("nci60", "svm"): Size(5, 50),
    ("nci60", "linear"): Size(5, 6),
    ("nci60", "xgboost"): Size(2, 6),
    ("synthetic", "knn"): Size(5, 20),
    ("synthetic", "svm"): Size(5, 20),
    ("synthetic", "linear"): Size(2, 8),
    ("synthetic", "xgboost"): Size(2, 4),
}


QUICK = Size(5, 10)
"""Most of every cell with --quick."""
QUICK_DATASETS = ("omics", "gse7390", "srbct")


def run_cell(dataset: str, model: str, size: Size, *, n_inner: int, timing: int) -> None:
    """Run both ways after each other and keep their rows; the order alternates."""
    order = list(SCRIPTS)
    for way in order if (MODELS.index(model) + timing) % 2 == 0 else order[::-1]:
        about = describe_machine()
        timed, found = run_way(
            way, dataset, model, n_outer=size.n_outer, n_trials=size.n_trials, n_inner=n_inner
        )
        scores = [fold["score"] for fold in found["folds"]]
        key = {"dataset": dataset, "model": model, "way": way, "timing": timing}
        row = {
            **key,
            "n_outer": size.n_outer,
            "n_trials": size.n_trials,
            "n_inner": n_inner,
            "seconds": round(timed.seconds, 2),
            "peak_process_mb": round(timed.peak_mb),
            "mean_score": round(sum(scores) / len(scores), 6),
            **about,
        }
        # The scores first: a cell counts as finished by its row of seconds.
        if timing == 0:
            keep(
                "scores.csv",
                [{**key, **fold} for fold in found["folds"]],
                same=["dataset", "model", "way"],
            )
        keep("results.csv", [row], same=KEY)
        print(
            f"{dataset} {model} {way}: {timed.seconds:.1f} s, {timed.peak_mb:.0f} MB, "
            f"mean score {row['mean_score']:.4f}",
            flush=True,
        )


def run_way(way: str, dataset: str, model: str, *, n_outer: int, n_trials: int, n_inner: int = 5,
            more: Iterable[object] = ()) -> tuple[Timed, dict[str, Any]]:  # fmt: skip
    """Run one script to its end and read what it found."""
    return run_script(
        SCRIPTS[way], "--dataset", dataset, "--model", model, "--outer", n_outer,
        "--trials", n_trials, "--inner", n_inner, *more,
    )  # fmt: skip


def run_script(script: str, *arguments: object) -> tuple[Timed, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        timed = time_command(script, *arguments, "--out", out)
        return timed, json.loads(out.read_text(encoding="utf-8"))


def is_finished(dataset: str, model: str, size: Size, *, n_inner: int, timing: int) -> bool:
    """Say whether both ways have a row of this very setting."""
    rows = read("results.csv")
    if rows.empty:
        return False
    setting = {"n_outer": size.n_outer, "n_trials": size.n_trials, "n_inner": n_inner}
    wanted = {"dataset": dataset, "model": model, "timing": timing, **setting}
    for key, value in wanted.items():
        rows = rows[rows[key] == value]
    return set(rows["way"]) == set(SCRIPTS)


# ---------------------------------------------------------------- the other tables


def estimate(dataset: str, model: str, size: Size) -> None:
    """Print what the plain way would take, from the processor seconds of its first four trials."""
    few = {
        n: run_way("plain", dataset, model, n_outer=1, n_trials=n)[0].cpu_seconds for n in (1, 4)
    }
    a_trial = max(few[4] - few[1], 0.0) / 3
    seconds = few[1] + math.ceil(size.n_outer / 2) * size.n_trials * a_trial
    print(
        f"{dataset} {model}: {a_trial:.2f} s a trial of 5 inner folds; {size.n_outer} outer folds "
        f"of {size.n_trials} trials on 2 cores: about {seconds:.0f} s",
        flush=True,
    )


def measure_placement(datasets: Iterable[str], models: Iterable[str]) -> None:
    """Time the plain way with its two processes over outer folds and over inner folds."""
    for dataset in datasets:
        for model in models:
            for over in ("outer", "inner"):
                timed, _ = run_way(
                    "plain", dataset, model, n_outer=5, n_trials=4, more=["--over", over]
                )
                key = {"dataset": dataset, "model": model, "over": over}
                row = {**key, "n_outer": 5, "n_trials": 4, "seconds": round(timed.seconds, 2)}
                keep("placement.csv", [{**row, **describe_machine()}], same=list(key))
                print(row, flush=True)


SHAPES = ((200, 500), (200, 5_000), (200, 50_000), (100, 1_000), (300, 1_000), (1_000, 1_000))


def measure_scaling(models: Iterable[str]) -> None:
    """Time ours alone on synthetic tables: one outer fold, 3 inner folds, 5 trials, one process."""
    for model in models:
        for n, p in SHAPES:
            # The clock of the fold: neither imports nor drawing the table is what is asked for.
            timed, found = run_way("ours", f"synthetic:{n}:{p}", model, n_outer=1, n_trials=5,
                                   n_inner=3, more=["--jobs", 1, "--warm"])  # fmt: skip
            key = {"model": model, "n": n, "p": p}
            row = {
                **key,
                "seconds": round(found["folds"][0]["fold_seconds"], 3),
                "peak_process_mb": round(timed.peak_mb),
                **describe_machine(),
            }
            keep("scaling.csv", [row], same=list(key))
            print(row, flush=True)


def measure_profile(datasets: Iterable[str], models: Iterable[str], size: Size) -> None:
    """Sample ours in one process, over 5 outer folds."""
    for dataset in datasets:
        for model in models:
            _, found = run_script("profiling.py", "--dataset", dataset, "--model", model, "--outer",
                                  size.n_outer, "--trials", size.n_trials,
                                  "--spawned", time.time())  # fmt: skip
            key = {"dataset": dataset, "model": model}
            row = {**key, **{name: round(seconds, 3) for name, seconds in found.items()}}
            row |= {"n_outer": size.n_outer, "n_trials": size.n_trials}
            keep("profile.csv", [{**row, **describe_machine()}], same=list(key))
            print(row, flush=True)


# ---------------------------------------------------------------- the csv files


def read(name: str) -> pd.DataFrame:
    path = HERE / name
    return pd.read_csv(path) if path.is_file() else pd.DataFrame()


def keep(name: str, rows: list[dict[str, Any]], *, same: list[str]) -> None:
    """Add rows to a csv file in place of those that agree with the first of them in ``same``."""
    before = read(name)
    if not before.empty:
        matches = (before[same] == [rows[0][key] for key in same]).all(axis=1)
        before = before[~matches]
    after = pd.concat([before, pd.DataFrame(rows)], ignore_index=True)
    partial = HERE / f"{name}.partial"
    after.to_csv(partial, index=False)
    partial.replace(HERE / name)


def write_environment() -> None:
    """Say which versions the numbers are from."""
    packages = ["numpy", "scipy", "scikit-learn", "xgboost", "optuna", "joblib", "pandas"]
    about = {
        "python": platform.python_version(),
        "system": platform.system(),
        "versions": {name: version(name) for name in packages},
    }
    (HERE / "environment.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _names(known: tuple[str, ...]) -> Any:
    def split(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := [name for name in chosen if name not in known]:
            raise argparse.ArgumentTypeError(f"choose of {', '.join(known)}; got {unknown[0]}")
        return chosen

    return split


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--datasets", type=_names(DATASETS))
    parser.add_argument("--models", type=_names(MODELS), default=list(MODELS))
    parser.add_argument("--outer", type=int, choices=range(1, 26), metavar="1..25")
    parser.add_argument("--trials", type=int)
    parser.add_argument("--inner", type=int, default=5)
    parser.add_argument("--timings", type=int, default=1, help="times that each cell is run")
    parser.add_argument("--quick", action="store_true", help="replaces the main table")
    parser.add_argument("--stamp", action="store_true")
    parser.add_argument("--fresh", action="store_true", help="run finished cells again")
    for mode in ("estimate", "placement", "scaling", "profile", "report"):
        parser.add_argument(f"--{mode}", action="store_true")
    given = parser.parse_args()
    if given.stamp:
        sys.path.insert(0, str(HERE.parent))
        import freshness

        freshness.stamp(HERE)
        return
    if given.quick:  # the table must not mix what is measured now with older rows
        for name in ("results.csv", "scores.csv"):
            (HERE / name).unlink(missing_ok=True)
        given.datasets = given.datasets or list(QUICK_DATASETS)
    # What is being timed is ended with this process, not left behind to slow the next run down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def size_of(dataset: str, model: str) -> Size:
        usual = CELLS[dataset, model]
        if given.quick:
            usual = Size(min(usual.n_outer, QUICK.n_outer), min(usual.n_trials, QUICK.n_trials))
        return Size(given.outer or usual.n_outer, given.trials or usual.n_trials)

    cells = [(dataset, model) for dataset in given.datasets or DATASETS for model in given.models]
    two = given.datasets or TWO
    if given.estimate:
        for dataset, model in cells:
            estimate(dataset, model, size_of(dataset, model))
    if given.placement:
        measure_placement(two, given.models)
    if given.scaling:
        measure_scaling(given.models)
    if given.profile:
        measure_profile(two, given.models, Size(given.outer or 5, given.trials or 50))
    if not (given.estimate or given.placement or given.scaling or given.profile or given.report):
        for timing in range(given.timings):
            for dataset, model in cells:
                setting = {"n_inner": given.inner, "timing": timing}
                size = size_of(dataset, model)
                if given.fresh or not is_finished(dataset, model, size, **setting):
                    run_cell(dataset, model, size, **setting)
        write_environment()
    if not given.estimate:
        write_tables(HERE)


if __name__ == "__main__":
    main()
