"""The four models with their reports at an older commit and now, in alternating runs.

Used by run.py. Both versions run with the packages installed here; each has compiled its kernels in
a run that does not count.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pandas as pd

ROOT = Path(__file__).resolve().parents[2]


def measure_against(commit: str, *, models: str, n_runs: int) -> pd.DataFrame:
    """Time one command in both versions; a row for each, and the ratio of each pair of runs.

    Parameters
    ----------
    commit : str
    models : str
        Separated by commas.
    n_runs : int
        Pairs that count; which of the two goes first alternates.
    """
    seconds: dict[str, list[tuple[float, float]]] = {"then": [], "now": []}
    with _checked_out(commit) as old:
        sources = {"then": old / "src", "now": ROOT / "src"}
        for run in range(n_runs + 1):
            for name in list(sources) if run % 2 else list(sources)[::-1]:
                found = _timed(sources[name], ["-m", f"model={models}", "dataset=omics"])
                if run == 0:
                    continue
                seconds[name].append(found)
                print(f"{name}: {found[0]:.1f} s, {found[1]:.1f} s of processor time", flush=True)
    rows = []
    for kind, place in (("wall", 0), ("processor", 1)):
        then, now = ([run[place] for run in seconds[name]] for name in ("then", "now"))
        ratios = [after / before for before, after in zip(then, now, strict=True)]
        rows.append(
            {
                "seconds": kind,
                "commit": commit,
                "then": round(median(then), 1),
                "now": round(median(now), 1),
                "ratio": round(median(ratios), 3),
                "lowest_ratio": round(min(ratios), 3),
                "highest_ratio": round(max(ratios), 3),
                "pairs_of_runs": n_runs,
            }
        )
    return pd.DataFrame(rows)


@contextmanager
def _checked_out(commit: str) -> Iterator[Path]:
    """Check out a commit in a temporary folder, and take it away again."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "then"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(place), commit], check=True)
        try:
            yield place
        finally:
            subprocess.run([*git, "remove", "--force", str(place)], check=True)


def _timed(source: Path, arguments: list[str]) -> tuple[float, float]:
    """Run one command of a version in a fresh folder; return wall and processor seconds."""
    command = [sys.executable, "-m", "smalldata", *arguments]
    environment = os.environ | {"PYTHONPATH": str(source)}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as said:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=said
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            sys.exit(f"{source}: {' '.join(command)} failed:\n{said.read()}")
    return seconds, usage.ru_utime + usage.ru_stime
