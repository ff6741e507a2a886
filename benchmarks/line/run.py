"""Time the commands of the README as a user types them, and hold the scores against known floors.

    python benchmarks/line/run.py              everything (about 15 minutes on 2 cores)
    python benchmarks/line/run.py --only times
    python benchmarks/line/run.py --only scores
    python benchmarks/line/run.py --only demo
    python benchmarks/line/run.py --quick      one timing of each command, and no scores
    python benchmarks/line/run.py --against COMMIT     four models, then and now, in turn
    python benchmarks/line/run.py --stamp      after measuring: note the commit the tables are of

Writes results.csv, scores.csv, against.csv, environment.json and README.md beside this file, and
the table and the picture of the project's README. Seconds are wall-clock of the whole process, each
run in a fresh outputs folder.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

import pandas as pd
from against import measure_against

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOUR = "knn,svm,xgboost,mlp"

# The lowest scores to beat: 5 folds x 2 repeats, untuned models, (macro one-vs-rest) AUC.
FLOORS = {
    "omics": {"svm": 0.867, "knn": 0.794, "linear": 0.881, "xgboost": 0.890},
    "gse7390": {"svm": 0.771, "knn": 0.747, "linear": 0.745, "xgboost": 0.786},
    "liver": {"svm": 0.634, "knn": 0.602, "xgboost": 0.614},
    "srbct": {"linear": 1.00, "xgboost": 0.980, "knn": 0.963},
}


def timed(arguments: list[str], folder: str) -> tuple[float, float]:
    """Run one command; return wall seconds and the peak memory of its largest process (MB)."""
    command = [sys.executable, "-m", "smalldata", *arguments]
    with tempfile.TemporaryFile("w+") as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            sys.exit(f"{' '.join(arguments)} ended with {process.returncode}:\n{said.read()}")
    return seconds, usage.ru_maxrss / 1024


def measure_times(n_runs: int) -> pd.DataFrame:
    """Time each command ``n_runs`` times, each in a fresh folder but `again`, which repeats."""
    rows = []

    def add(
        name: str, command: str, goal: float, seconds: list[float], memory: list[float]
    ) -> None:
        rows.append(
            {
                "what": name,
                "command": command,
                "goal_seconds": goal,
                "median_seconds": round(median(seconds), 2),
                "min_seconds": round(min(seconds), 2),
                "max_seconds": round(max(seconds), 2),
                "n": len(seconds),
                "peak_process_mb": round(max(memory)),
            }
        )
        print(rows[-1], flush=True)

    runs: dict[str, list[tuple[float, float]]] = {"help": [], "one": [], "grid": [], "again": []}
    for _ in range(n_runs):
        with tempfile.TemporaryDirectory() as folder:
            runs["help"].append(timed(["--help"], folder))
            runs["one"].append(timed(["model=xgboost", "dataset=omics"], folder))
        with tempfile.TemporaryDirectory() as folder:
            grid = ["-m", f"model={FOUR}", "dataset=omics"]
            runs["grid"].append(timed(grid, folder))
            folds = sorted(Path(folder).rglob("folds/*.json"))
            stamps = [path.stat().st_mtime_ns for path in folds]
            runs["again"].append(timed(["model=xgboost", "dataset=omics"], folder))
            if [path.stat().st_mtime_ns for path in folds] != stamps:
                sys.exit("the second run computed folds again")
    goals = {
        "help": ("help", "--help", 1),
        "one": ("one model with its report", "model=xgboost dataset=omics", 30),
        "grid": ("four models with their reports", f"-m model={FOUR} dataset=omics", 90),
        "again": ("the same command again", "model=xgboost dataset=omics", 6),
    }
    for key, (name, command, goal) in goals.items():
        add(name, command, goal, [r[0] for r in runs[key]], [r[1] for r in runs[key]])
    return pd.DataFrame(rows)


def plain_scores(dataset: str) -> dict[str, float]:
    """Score the peers with their libraries' defaults on the same folds, the plain way."""
    import numpy as np
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC
    from xgboost import XGBClassifier

    from smalldata import load_dataset, make_splits, make_task

    task = make_task(load_dataset(dataset))
    splits = make_splits(task, "kfold", n_splits=5, n_repeats=2)
    X = pd.get_dummies(task.X, dtype=float).to_numpy()
    peers = {
        "linear": LogisticRegression(max_iter=10_000),
        "knn": KNeighborsClassifier(),
        "svm": SVC(),
        "xgboost": XGBClassifier(n_jobs=1),
    }
    found = {}
    for name, peer in peers.items():
        model = make_pipeline(SimpleImputer(), StandardScaler(), peer)
        scores = []
        for fold in splits.folds:
            model.fit(X[fold.train], task.y[fold.train])
            how = "decision_function" if hasattr(model, "decision_function") else "predict_proba"
            output = np.asarray(getattr(model, how)(X[fold.test]))
            y = task.y[fold.test]
            if len(task.classes) == 2:
                scores.append(roc_auc_score(y, output if output.ndim == 1 else output[:, 1]))
            else:
                scores.append(np.mean([roc_auc_score(y == k, output[:, k]) for k in np.unique(y)]))
        found[name] = round(float(np.mean(scores)), 4)
    return found


def measure_scores() -> pd.DataFrame:
    """Score the untuned models, 5 folds x 2 repeats, beside plain peers on the same folds."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for dataset in FLOORS:
            models = ",".join(["linear", "knn", "svm", "xgboost", "mlp"])
            timed(
                ["-m", f"model={models}", f"dataset={dataset}", "cv=kfold", "cv.n_splits=5",
                 "cv.n_repeats=2", "explain=none"],
                folder,
            )  # fmt: skip
            (table,) = Path(folder).glob(f"outputs/{dataset}/*/comparison.csv")
            frame = pd.read_csv(table)
            primary = frame[frame["measure"] == frame["measure"].iloc[0]]
            plain = plain_scores(dataset)
            for row in primary.itertuples():
                floor = FLOORS[dataset].get(row.model)
                rows.append(
                    {
                        "dataset": dataset,
                        "model": row.model,
                        "measure": row.measure,
                        "mean": round(row.mean, 4),
                        "ci_low": round(row.ci_low, 4),
                        "ci_high": round(row.ci_high, 4),
                        "plain_peer": plain.get(row.model),
                        "floor": floor,
                        "met": _verdict(row.mean, floor),
                    }
                )
                print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def _verdict(mean: float, floor: float | None) -> str:
    if floor is None:
        return ""
    return "yes" if round(mean, 3) >= floor else "no"


def write_demo() -> None:
    """Run what `make demo` runs; put its table and a picture of its page into the README."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder:
        models = "dummy,linear,knn,svm,xgboost,mlp"
        timed(["-m", f"model={models}", "dataset=omics", "explain.repeats=1"], folder)
        page = Path(folder) / "outputs/omics/rep5x5/index.html"
        frame = pd.read_csv(page.with_name("comparison.csv"))
        primary = frame[frame["measure"] == "roc_auc"]
        shown = pd.DataFrame(
            {
                "rank": primary["rank"].astype("Int64"),
                "model": primary["model"],
                "ROC AUC": primary["mean"].map("{:.3f}".format),
                "95 % interval": [
                    "" if pd.isna(low) else f"{low:.3f} to {high:.3f}"
                    for low, high in zip(primary["ci_low"], primary["ci_high"], strict=True)
                ],
                "against the best": primary["versus_best"].fillna(""),
            }
        )
        write_between(ROOT / "README.md", "demo", to_markdown(shown))
        picture = ROOT / "docs/images/index.png"
        picture.parent.mkdir(exist_ok=True)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            sheet = browser.new_page(viewport={"width": 1280, "height": 1500})
            sheet.goto(page.as_uri())
            sheet.wait_for_function("document.querySelectorAll('svg.marks').length > 3")
            sheet.screenshot(path=picture)
            browser.close()


def to_markdown(frame: pd.DataFrame) -> str:
    """Write a frame as a markdown table."""
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + "---|" * len(frame.columns)]
    for row in frame.itertuples(index=False):
        lines.append("| " + " | ".join("" if pd.isna(cell) else str(cell) for cell in row) + " |")
    return "\n".join(lines)


def write_between(path: Path, marker: str, text: str) -> None:
    """Replace what stands between ``<!-- marker -->`` and ``<!-- /marker -->``."""
    content = path.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
    if not pattern.search(content):
        sys.exit(f"{path} has no place for {marker}")
    filled = pattern.sub(lambda found: found[1] + text + "\n" + found[2], content)
    path.write_text(filled, encoding="utf-8")


def write_environment() -> None:
    """Say what machine and versions the numbers are from."""
    packages = ["numpy", "scikit-learn", "xgboost", "torch", "shap", "pandas", "numba"]
    about = {
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in packages},
    }
    (HERE / "environment.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def stamp_tables() -> None:
    """Note the commit checked out as the one that the tables were measured on."""
    sys.path.insert(0, str(HERE.parent))
    import freshness

    freshness.stamp(HERE)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", choices=["times", "scores", "demo"])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--against", metavar="COMMIT")
    parser.add_argument("--stamp", action="store_true")
    options = parser.parse_args()
    if options.stamp:
        stamp_tables()
        return
    if options.against:
        found = measure_against(options.against, models=FOUR, n_runs=options.runs)
        found.to_csv(HERE / "against.csv", index=False)
        print(to_markdown(found))
    else:
        n_runs = 1 if options.quick else options.runs
        if options.only in (None, "times"):
            measure_times(n_runs).to_csv(HERE / "results.csv", index=False)
        if options.only == "scores" or (options.only is None and not options.quick):
            measure_scores().to_csv(HERE / "scores.csv", index=False)
        if options.only in (None, "demo"):
            write_demo()
        write_environment()
    readme = HERE / "README.md"
    for marker in ("times", "scores", "against"):
        path = HERE / ("results.csv" if marker == "times" else f"{marker}.csv")
        if path.is_file():
            write_between(readme, marker, to_markdown(pd.read_csv(path)))


if __name__ == "__main__":
    main()
