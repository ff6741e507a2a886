"""Independent jobs in processes: results as they finish, one thread each; survives dead workers.

The processes are kept for the next call, so that a grid of models starts them once. What all jobs
share is sent to each process once. Used by the outer loop.
"""

import os
import pickle
import queue
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from smalldata.errors import ConfigError
from smalldata.runtime.files import scratch_folder

Job = TypeVar("Job")
Result = TypeVar("Result")

KEEP_SECONDS = 300
"""Idle processes exit after this time."""

WAKE_SECONDS = 0.5
"""A wait for results is interrupted this often, to notice a Ctrl-C that came just before it."""

_ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "NUMBA_NUM_THREADS",
    ),
    "1",
)


@dataclass(frozen=True)
class Killed:
    """Replaces the result of a job whose process was killed from outside."""

    reason: str = (
        "the process of this fold was killed even when run alone, probably out of memory; "
        "close other programs or use fewer features, and run the same command again"
    )


def count_processes(n_jobs: int | None) -> int:
    """Return how many processes ``n_jobs`` means; None and -1 mean one per usable core.

    Raises
    ------
    ConfigError
        If it is not a whole number of at least 1.

    Examples
    --------
    >>> count_processes(3)
    3
    """
    if n_jobs is None or n_jobs == -1:
        import joblib

        return int(joblib.cpu_count())
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs < 1:
        raise ConfigError(f"n_jobs must be a whole number of at least 1; got {n_jobs!r}.")
    return n_jobs


def stream_jobs(
    function: Callable[[Job], Result], jobs: Sequence[Job], *, n_processes: int
) -> Iterator[tuple[Job, Result | Killed]]:
    """Yield each job with its result, in the order in which they finish.

    Parameters
    ----------
    function : callable
        What it holds (a partial with the data) is sent to each process once.
    jobs : sequence
    n_processes : int
        1: in this process, in order.

    Yields
    ------
    (job, result)
        `Killed` instead of the result if the process died twice: once with others running and once
        alone. An exception of ``function`` is raised here, and the other jobs are dropped.
    """
    if n_processes == 1:
        from threadpoolctl import threadpool_limits

        for job in jobs:
            with threadpool_limits(1):
                result = function(job)
            yield job, result
        return
    if not jobs:
        return
    from joblib.externals.loky.backend.reduction import dumps

    with scratch_folder() as scratch:
        shared = scratch / "function"
        shared.write_bytes(dumps(function))
        unfinished = list(jobs)
        for job, result in _stream_batch(str(shared), list(jobs), n_processes):
            unfinished.remove(job)
            yield job, result
        # A killed worker breaks the whole pool. Running one job at a time shows which job it was,
        # and saves the jobs that fit into memory alone.
        for job in unfinished:
            alone = list(_stream_batch(str(shared), [job], 1))
            yield alone[0] if alone else (job, Killed())


def _stream_batch(shared: str, jobs: list[Job], n_processes: int) -> Iterator[tuple[Job, Any]]:
    """Yield jobs as they finish; stop early, without an error, if a worker is killed."""
    from concurrent.futures import FIRST_COMPLETED, wait
    from concurrent.futures.process import BrokenProcessPool

    from joblib.externals.loky import get_reusable_executor

    # loky replaces a worker whose memory has grown, between two jobs.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
    with _quiet_tracker():
        executor = get_reusable_executor(
            max_workers=n_processes,
            timeout=KEEP_SECONDS,
            initializer=_belong_to,
            initargs=(os.getpid(),),
            env=_ONE_THREAD,
        )
    try:
        futures = {}
        try:
            for job in jobs:
                futures[executor.submit(_run, shared, job)] = job
        except BrokenProcessPool:
            pass  # submitted jobs get the same error, the others stay unfinished
        pending = set(futures)
        while pending:
            done, pending = wait(pending, timeout=WAKE_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                if not isinstance(future.exception(), BrokenProcessPool):
                    yield futures[future], future.result()
    except BaseException:  # Ctrl-C, a closed generator or an error: the rest is not wanted
        _forget_queue(executor)
        executor.shutdown(wait=True, kill_workers=True)
        raise


@contextmanager
def _quiet_tracker() -> Iterator[None]:
    """Start the process that cleans up after the pool without its warnings.

    After an interrupted run it would report on stderr what it has cleaned up.
    """
    before = os.environ.get("PYTHONWARNINGS")
    own = "ignore:resource_tracker:UserWarning"
    os.environ["PYTHONWARNINGS"] = f"{before},{own}" if before else own
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


def _forget_queue(executor: Any) -> None:
    """Empty the queue of a pool that is about to be killed.

    When the pool's thread kills its workers it drops all jobs, then looks up the queued ones, fails
    with a KeyError and leaves the processes behind.
    """
    with suppress(queue.Empty):
        while True:
            executor._work_ids.get_nowait()


# ---------------------------------------------------------------- in the worker

_loaded: tuple[str, Callable[[Any], Any]] | None = None


def _run(shared: str, job: Any) -> Any:
    global _loaded
    if _loaded is None or _loaded[0] != shared:
        _loaded = (shared, pickle.loads(Path(shared).read_bytes()))
    return _loaded[1](job)


def _belong_to(parent: int) -> None:
    """Ignore Ctrl-C, since the parent ends its workers, and exit when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.name == "posix":
        threading.Thread(target=_end_without, args=(parent,), daemon=True).start()


def _end_without(parent: int) -> None:
    """Exit once this process has a new parent: a killed parent cannot end its workers."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
