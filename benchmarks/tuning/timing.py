"""One command timed as a whole process: wall seconds, peak memory of its largest process."""

import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

LOOK_SECONDS = 0.5
# A way of running must not inherit a limit that its user would not have set.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What a command took; seconds of the processor are those of the whole process tree."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def time_command(script: str, *arguments: object) -> Timed:
    """Run a script beside this file to its end.

    Raises
    ------
    RuntimeError
        If it fails.
    """
    command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)]
    environment = {key: value for key, value in os.environ.items() if key not in _THREADS}
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    ended, peak = Event(), [0.0]
    watcher = Thread(target=_watch, args=(process.pid, peak, ended))
    watcher.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        raise
    finally:
        ended.set()
        watcher.join()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return Timed(
        seconds=seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=max(peak[0], usage.ru_maxrss / 1024),
    )


def describe_machine() -> dict[str, Any]:
    """Say where and when a row was measured."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    return {
        "machine": f"{os.cpu_count()} x {cpu}",
        "load_before": round(os.getloadavg()[0], 2),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _watch(session: int, peak: list[float], ended: Event) -> None:
    """Keep the largest resident size of any process of a session (Linux; elsewhere nothing)."""
    while not ended.wait(LOOK_SECONDS):
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                # Fields after the name, which may hold blanks: state, parent, group, session.
                if int((folder / "stat").read_text().rpartition(")")[2].split()[3]) != session:
                    continue
                status = (folder / "status").read_text()
            except (OSError, IndexError):  # it ended meanwhile
                continue
            for line in status.splitlines():
                if line.startswith("VmHWM:"):
                    peak[0] = max(peak[0], int(line.split()[1]) / 1024)
