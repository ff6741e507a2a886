"""What fits into memory: computing half as much at once where it runs out, sharing a card.

Used by the models that run on a device and by the outer loop. Importing it loads nothing heavy.
"""

import gc
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

Result = TypeVar("Result")

OUT_OF_MEMORY = "memory ran out"
"""How the note of a fit begins that had to be cut into smaller pieces."""

CARD_SHARE = 0.9
"""Of a card's free memory, so much is dealt out."""

PROCESS_BYTES = 2**30
"""What a process takes of a card before it computes anything: its context, kernels, workspaces."""

BYTES_PER_VALUE = 200
"""What it takes on top for each value of the table: 50 copies in float32."""

_ALLOCATION = (
    "out of memory",  # CUDA, and its libraries
    "ALLOC_FAILED",
    "can't allocate memory",  # torch on the CPU
    "not enough memory",  # torch on the CPU of Windows
    "bad_alloc",  # xgboost
)


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that some memory could not be had, on any device.

    Examples
    --------
    >>> is_out_of_memory(RuntimeError("CUDA error: out of memory"))
    True
    >>> is_out_of_memory(RuntimeError("shapes do not fit"))
    False
    """
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _ALLOCATION)


def train_within(
    train: Callable[[int, int], Result], *, n_members: int, n_rows: int
) -> tuple[Result, tuple[str, ...]]:
    """Train as many members at once as fit into memory, and if need be on parts of a step's rows.

    Parameters
    ----------
    train : callable
        (n_together, n_parts) -> result. Begins anew on every call, with the same seeds.
    n_members : int
        Asked for together at first; then a half of them, a quarter …
    n_rows : int
        Of one step; once a single member is too large its rows are cut into 2, 4 … parts.

    Returns
    -------
    result : object
        Of the first call that found its memory.
    notes : tuple of str
        What the record must say of it; empty where all fitted at once.

    Raises
    ------
    MemoryError
        If one row of one member is too much.
    """
    n_together, n_parts = n_members, 1
    while True:
        try:
            result = train(n_together, n_parts)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if n_together == 1 and n_parts >= n_rows:
                raise MemoryError("one row of one member does not fit into memory") from error
        else:
            return result, _say(n_together, n_parts, n_members=n_members)
        _release()  # here: the error held on to what its frames had allocated
        if n_together > 1:
            n_together = -(-n_together // 2)
        else:
            n_parts = min(2 * n_parts, n_rows)


def _say(n_together: int, n_parts: int, *, n_members: int) -> tuple[str, ...]:
    if n_parts > 1:
        return (
            f"{OUT_OF_MEMORY}: trained one member at a time, each step in {n_parts} parts; other "
            "numbers than with more memory, since the parts draw other noise",
        )
    if n_together < n_members:
        return (
            f"{OUT_OF_MEMORY}: trained {n_together} of {n_members} members at a time; equal to "
            "all at once up to rounding",
        )
    return ()


def map_rows(compute: Callable[[int, int], Result], *, n_rows: int, size: int) -> list[Result]:
    """Compute some rows at a time, half as many from where memory runs out.

    Parameters
    ----------
    compute : callable
        (start, stop) -> result for these rows.
    n_rows : int
    size : int
        Most rows at once.

    Raises
    ------
    MemoryError
        If one row is too much.
    """
    found: list[Result] = []
    start = 0
    while start < n_rows:
        stop = min(start + size, n_rows)
        try:
            found.append(compute(start, stop))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if stop - start == 1:
                raise MemoryError("one row does not fit into memory") from error
        else:
            start = stop
            continue
        _release()
        size = -(-(stop - start) // 2)
    return found


def _release() -> None:
    """Give back what failed computations hold of a card, also to other processes on it."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()


# ---------------------------------------------------------------- several processes on one card


@lru_cache(maxsize=1)
def free_card_memory() -> int:
    """Return the bytes of the card that nobody had taken when this was first asked.

    Later the processes kept for the next cell have taken some, which are the ones to use them.
    """
    import torch

    return int(torch.cuda.mem_get_info()[0])


def count_on_card(n_processes: int, *, free: int, n_values: int) -> int:
    """Return how many of some processes may share a card, at least one.

    Parameters
    ----------
    n_processes : int
        As many as there are cores and folds for.
    free : int
        Bytes of the card that nobody has taken.
    n_values : int
        Samples times features of the table.

    Examples
    --------
    >>> count_on_card(16, free=8 * 2**30, n_values=300 * 20_000)
    3
    >>> count_on_card(16, free=80 * 2**30, n_values=300 * 130)
    16
    """
    return max(1, min(n_processes, int(CARD_SHARE * free) // bytes_on_card(n_values)))


def bytes_on_card(n_values: int) -> int:
    """Return about how much of a card a process takes, for a table of this many values."""
    return PROCESS_BYTES + BYTES_PER_VALUE * n_values


def share_card(n_processes: int, *, device: str, n_jobs: int | None, n_values: int) -> int:
    """Return how many processes to use: those asked for, else as many as the card has memory for.

    Parameters
    ----------
    n_processes : int
        As many as there are cores, or were asked for, and folds.
    device : {"cpu", "cuda"}
    n_jobs : int or None
        What was asked for; None: nothing.
    n_values : int
    """
    if device == "cpu" or n_jobs is not None:
        return n_processes
    return count_on_card(n_processes, free=free_card_memory(), n_values=n_values)


def describe_sharing(n_folds: int, *, n_values: int) -> str:
    """Say how many of some folds are fitted on the card at a time, and why so many."""
    free = free_card_memory()
    n_processes = count_on_card(n_folds, free=free, n_values=n_values)
    return (
        f"{n_processes} fold{'s' if n_processes > 1 else ''} at a time on the card: "
        f"{free / 2**30:.1f} GB of it are free, about {bytes_on_card(n_values) / 2**30:.1f} GB for "
        "each (n_jobs=N for another number)"
    )
