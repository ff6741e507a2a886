"""Nested tuning by smalldata's Python API: what the line does, without Hydra and the report.

    python benchmarks/tuning/ours.py --dataset omics --model svm --outer 5 --trials 50

The log of trials is written to a temporary folder, as a run writes it to the cell's.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from setting import SEED, load_task, make_outer

from smalldata.evaluation.outer_loop import evaluate
from smalldata.models import load_learner, load_space
from smalldata.store.trial_log import TrialFolder
from smalldata.tuning.tuner import TuningOptions, make_tuner

N_JOBS = 2


def tune_all(
    dataset: str, model: str, *, n_outer: int, trials: int, n_inner: int, n_jobs: int, folder: Path
) -> list[dict[str, Any]]:
    """Tune in every outer fold; raise if one of them failed."""
    task = load_task(dataset)
    learner = load_learner(model)
    tuner = make_tuner(
        task,
        learner,
        load_space(model),
        options=TuningOptions(trials=trials, inner_folds=n_inner),
        log=TrialFolder(path=folder, cell="benchmark"),
    )
    record = evaluate(
        task, learner, make_outer(task, n_outer), tuner=tuner, seed=SEED, n_jobs=n_jobs
    )
    for fold in record.folds:
        if fold.status != "ok":
            raise RuntimeError(f"{dataset}, {model}, {fold.name}: {fold.reason}")
    return [
        {
            "repeat": fold.repeat,
            "fold": fold.fold,
            "score": fold.scores[task.measure].value,
            "fold_seconds": sum(fold.seconds.values()),
        }
        for fold in record.folds
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--outer", type=int, default=5)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--inner", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=N_JOBS)
    parser.add_argument("--warm", action="store_true", help="import all that is needed first")
    parser.add_argument("--out", type=Path, help="where the scores go (json); else they are shown")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.warm:
            small = {"n_outer": 1, "trials": 2, "n_inner": 2, "n_jobs": 1}
            tune_all("synthetic:40:20", given.model, **small, folder=Path(folder) / "warm")
        found = tune_all(
            given.dataset,
            given.model,
            n_outer=given.outer,
            trials=given.trials,
            n_inner=given.inner,
            n_jobs=given.jobs,
            folder=Path(folder) / "log",
        )
    text = json.dumps({"folds": found}, indent=1)
    if given.out is None:
        print(text)
    else:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
