"""Where the seconds of a nested tuning go, by sampling the stack of one process.

    python benchmarks/tuning/profiling.py --dataset omics --model svm --trials 50

A timer interrupts once a millisecond; the time since the last interruption counts for what the
stack is doing. An interruption waits for a call into compiled code to return, which then gets all
of its time. Nothing is instrumented, so nothing is slowed down unequally.
"""

import argparse
import json
import re
import signal
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Any

PERIOD_SECONDS = 0.001
PREDICTS = re.compile(r"predict|decision_function|weighted_means|_means|_raw|log_odds")

# By a part of the file's path; of a stack, the innermost frame that is named decides.
PARTS = (
    ("/optuna/", "sampler"),
    ("/smalldata/searching.py", "sampler"),
    ("/smalldata/trials.py", "log"),
    ("/smalldata/storage.py", "log"),
    ("/smalldata/measures.py", "scoring"),
    ("/smalldata/formulas.py", "scoring"),
    ("/smalldata/preprocess.py", "preprocessing"),
    ("/smalldata/transforms.py", "preprocessing"),
    ("/smalldata/categories.py", "preprocessing"),
    ("/smalldata/models/", "model"),
)
COLUMNS = (
    "start-up", "sampler", "preprocessing", "workspaces", "fits", "predictions", "scoring", "log",
    "rest",
)  # fmt: skip


def part_of(frame: FrameType | None) -> str:
    """Name what a stack is doing."""
    found, in_model = "", []
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith("<frozen importlib"):
            return "start-up"  # a library imported when it is first needed
        if not found or found == "model":
            name = next((name for part, name in PARTS if part in code.co_filename), "")
            found = found or name
            if name == "model":
                in_model.append(code.co_name)
        frame = frame.f_back
    if found != "model":
        return found or "rest"
    if any(PREDICTS.match(name) for name in in_model):
        return "predictions"
    return "workspaces" if "workspace" in in_model else "fits"


class Sampler:
    """Seconds by part while the block runs; main thread, POSIX."""

    def __enter__(self) -> "Sampler":
        self.seconds: dict[str, float] = defaultdict(float)
        self.last = time.perf_counter()
        signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, PERIOD_SECONDS, PERIOD_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _look(self, _: int, frame: FrameType | None) -> None:
        self.seconds[part_of(frame)] += time.perf_counter() - self.last
        self.last = time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--outer", type=int, default=5)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--spawned", type=float, help="time.time() when this process was started")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    from ours import tune_all  # an import of libraries, so part of the start-up

    spent: dict[str, Any] = {"start-up": time.time() - (given.spawned or time.time())}
    with tempfile.TemporaryDirectory() as folder, Sampler() as sampler:
        tune_all(
            given.dataset,
            given.model,
            n_outer=given.outer,
            trials=given.trials,
            n_inner=5,
            n_jobs=1,
            folder=Path(folder),
        )
    for part, seconds in sampler.seconds.items():
        spent[part] = spent.get(part, 0.0) + seconds
    text = json.dumps({name: spent.get(name, 0.0) for name in COLUMNS})
    if given.out is None:
        print(text)
    else:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
