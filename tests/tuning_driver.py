"""Run as a program: tune one fold in child processes that kill themselves at given trials.

Usage: python tuning_driver.py FOLDER. Leaves FOLDER/<sampler>/{calm,killed}.jsonl, the log of a
fold left alone and of one killed three times, and prints the chosen values of each as json.
"""

import json
import os
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate_fold
from smalldata.models import load_learner, load_space
from smalldata.resampling.strategies import make_splits
from smalldata.runtime import files
from smalldata.runtime.sealing import sealed_line
from smalldata.store.trial_log import TrialFolder
from smalldata.tuning.tuner import TuningOptions, make_tuner

sys.path.insert(0, str(Path(__file__).parent))
from toys import binary_toy

N_TRIALS = 20
KILLS = ((0, "after"), (4, "torn"), (12, "before"))


@dataclass(frozen=True)
class Deadly(TrialFolder):
    """A log that kills its process before, in the middle of or after writing one trial."""

    ordinal: int = -1
    moment: str = ""

    def add(self, name, trial):
        if trial.ordinal == self.ordinal:
            if self.moment == "torn":
                line = sealed_line({"cell": self.cell, "fold": name, **asdict(trial)})
                files.append_line(self._file(name), line[: len(line) // 2])
                place = self._file(name)
                place.write_bytes(place.read_bytes()[:-1])
            elif self.moment == "after":
                super().add(name, trial)
            os.kill(os.getpid(), signal.SIGKILL)
        super().add(name, trial)


def run(sampler: str, log: TrialFolder) -> dict:
    task = binary_toy()
    splits = make_splits(task, "kfold", n_splits=3)
    learner, space = load_learner("svm"), load_space("svm")
    options = TuningOptions(trials=N_TRIALS, inner_folds=3, sampler=sampler)
    tuner = make_tuner(task, learner, space, options=options, log=log)
    result = evaluate_fold(
        Cell(task=task, learner=learner, splits=splits, tuner=tuner), splits.folds[1]
    )
    return {"status": result.status, "values": dict(result.values), "notes": list(result.notes)}


def main(folder: Path) -> None:
    found = {}
    for sampler in ("tpe", "random", "cmaes", "grid"):
        calm = run(sampler, TrialFolder(folder / sampler / "calm", "c"))
        place = folder / sampler / "killed"
        for ordinal, moment in KILLS:
            child = os.fork()
            if not child:
                run(sampler, Deadly(place, "c", ordinal, moment))
                os._exit(0)
            status = os.waitpid(child, 0)[1]
            assert os.WIFSIGNALED(status), (sampler, ordinal, status)
        found[sampler] = [calm, run(sampler, TrialFolder(place, "c"))]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
