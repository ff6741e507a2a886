"""Memory: computing half as much at a time if it runs out, and sharing a card.

Used by the models that run on a device and by the outer loop. Importing this is fast.
"""

import gc
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

Result = TypeVar("Result")

OUT_OF_MEMORY = "memory ran out"
"""Start of the note of a fit that had to be cut into smaller pieces."""

CARD_SHARE = 0.9
"""Share of a card's free memory that is used."""

PROCESS_BYTES = 2**30
"""Card memory of a process before it computes anything: context, kernels, workspaces."""

BYTES_PER_VALUE = 200
"""Additional card memory per value of the table: 50 copies in float32."""

_ALLOCATION = (
    "out of memory",  # CUDA, and its libraries
    "ALLOC_FAILED",
    "can't allocate memory",  # torch on the CPU
    "not enough memory",  # torch on the CPU of Windows
    "bad_alloc",  # xgboost
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out, on any device.

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
    """Train as many members at once as fit into memory, and if need be in parts of a step's rows.

    Parameters
    ----------
    train : callable
        (n_together, n_parts) -> result. Starts over on every call, with the same seeds.
    n_members : int
        All are tried together first; then half of them, a quarter …
    n_rows : int
        Rows of one step; if a single member is too large they are cut into 2, 4 … parts.

    Returns
    -------
    result : object
        Result of the first call that fitted into memory.
    notes : tuple of str
        Notes for the record; empty if all fitted at once.

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
        _release()  # here, since the error kept alive what its frames had allocated
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
    """Compute rows in batches, halving the batch whenever memory runs out.

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
    """Free the card memory that failed computations hold, for other processes too."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()


# ---------------------------------------------------------------- several processes on one card


@lru_cache(maxsize=1)
def free_card_memory() -> int:
    """Return the free bytes of the card when this was first called.

    Later the processes kept for the next cell hold some of them, and will use them again.
    """
    import torch

    return int(torch.cuda.mem_get_info()[0])


def count_on_card(n_processes: int, *, free: int, n_values: int) -> int:
    """Return how many processes may share a card, at least one.

    Parameters
    ----------
    n_processes : int
        As many as cores and folds allow.
    free : int
        Free bytes of the card.
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
    """Estimate the card memory of a process for a table with this many values."""
    return PROCESS_BYTES + BYTES_PER_VALUE * n_values


def share_card(n_processes: int, *, device: str, n_jobs: int | None, n_values: int) -> int:
    """Return how many processes to use: the number requested, else as many as the card can hold.

    Parameters
    ----------
    n_processes : int
        As many as cores (or the request) and folds allow.
    device : {"cpu", "cuda"}
    n_jobs : int or None
        The number requested, if any.
    n_values : int
    """
    if device == "cpu" or n_jobs is not None:
        return n_processes
    return count_on_card(n_processes, free=free_card_memory(), n_values=n_values)


def describe_sharing(n_folds: int, *, n_values: int) -> str:
    """Say how many folds are fitted on the card at a time, and why."""
    free = free_card_memory()
    n_processes = count_on_card(n_folds, free=free, n_values=n_values)
    return (
        f"{n_processes} fold{'s' if n_processes > 1 else ''} at a time on the card: "
        f"{free / 2**30:.1f} GB are free, about {bytes_on_card(n_values) / 2**30:.1f} GB for "
        "each (n_jobs=N for another number)"
    )
