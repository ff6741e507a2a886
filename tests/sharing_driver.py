"""Run as a program: worker processes on shared studies, some killed or stopped in the midst.

Usage: python sharing_driver.py URL FOLDER SEED. The database is empty. Prints as json what the
workers did and what the studies hold.
"""

import json
import os
import random
import signal
import sys
from functools import partial
from pathlib import Path

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution

from smalldata.tuning.shared.study import open_storage, open_study, propose

SPACE = {"x": FloatDistribution(0, 1), "kind": CategoricalDistribution(["a", "b"])}
IDENTITY = {"space": {name: str(entry) for name, entry in SPACE.items()}}
N_SMALL, N_TRIALS = 4, 9


def ask(ordinal, trials):
    sampler = optuna.samplers.TPESampler(seed=ordinal, n_startup_trials=4, multivariate=True)
    return propose(trials, sampler=sampler, distributions=SPACE, directions=["maximize"])


def note(place, *words):
    """Append one line, whole whoever else appends."""
    with place.open("ab", buffering=0) as file:
        file.write((json.dumps(words) + "\n").encode())


def open_short(url):
    return open_storage(url, heartbeat_seconds=1, grace_seconds=2)


def join(storage, name):
    return open_study(storage, name, directions=["maximize"], identity=IDENTITY)


def work(url, names, total, place, *, on_claim=None):
    """Do what there is to do in some studies; ``on_claim(n_before)`` may end or stop it."""
    storage = open_short(url)
    for name in names:
        study = join(storage, name)
        n_claimed = 0
        for claim in study.claims(total, ask, most_wait_seconds=0.2):
            with claim:
                note(place, "begun", os.getpid(), name, claim.ordinal, claim.params["x"])
                if on_claim is not None:
                    on_claim(n_claimed)
                n_claimed += 1
                kept = claim.finish([claim.params["x"]])
            note(place, "kept" if kept else "dropped", os.getpid(), name, claim.ordinal)


def start(function):
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        function()
        code = 0
    finally:
        os._exit(code)


def wait(*children):
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def kill_at(n, n_claimed):
    if n_claimed == n:
        os.kill(os.getpid(), signal.SIGKILL)


def hold_at(n, ear, n_claimed):
    """Keep one trial in hand until the other worker is dead, so that it gets enough to die of."""
    if n_claimed == n:
        os.read(ear, 1)


def stop_at_first(n_claimed):
    if n_claimed == 0:
        os.kill(os.getpid(), signal.SIGSTOP)


def main(url, folder, seed):
    place = folder / "notes.jsonl"
    codes = {}
    small = [f"small/{i}" for i in range(N_SMALL)]
    # Three at once, beginning with the empty database, in a rush for the few trials of each study.
    run = partial(work, url)
    codes["rush"] = wait(*[start(partial(run, small, 2, place)) for _ in range(3)])
    codes["many"] = wait(*[start(partial(run, ["many"], N_TRIALS, place)) for _ in range(2)])

    chance = random.Random(seed)
    ear, mouth = os.pipe()
    deadly = partial(kill_at, chance.randrange(N_TRIALS // 3))
    doomed = start(partial(run, ["killed"], N_TRIALS, place, on_claim=deadly))
    os.close(mouth)
    holding = partial(hold_at, chance.randrange(N_TRIALS // 3), ear)
    other = start(partial(run, ["killed"], N_TRIALS, place, on_claim=holding))
    codes["killed"] = wait(doomed, other)

    stopped = start(partial(run, ["stopped"], 3, place, on_claim=stop_at_first))
    os.waitpid(stopped, os.WUNTRACED)
    codes["stopped"] = wait(start(partial(run, ["stopped"], 3, place)))
    os.kill(stopped, signal.SIGCONT)
    codes["stopped"] += wait(stopped)

    storage, studies = open_short(url), {}
    for name in (*small, "many", "killed", "stopped"):
        study = join(storage, name)
        studies[name] = {
            "finished": [(t.user_attrs["ordinal"], t.params["x"]) for t in study.finished()],
            "states": [trial.state.name for trial in study.study.trials],
            "numbers": [trial.number for trial in study.study.trials],
        }
    notes = [json.loads(line) for line in place.read_text().splitlines()]
    sys.stdout.write(json.dumps({"codes": codes, "studies": studies, "notes": notes}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
