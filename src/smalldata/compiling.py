"""Compiles the inner loops of the kernels with numba; the machine code is kept on disk.

One thread: the folds of a run already use every core.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., object])

# Sums may be reordered, which lets them run in vector registers; NaN and infinity keep their
# meaning.
OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},
}


def compiled(function: Function) -> Function:
    """Compile a function of arrays on its first call, from the cache on disk where there is one.

    numba writes beside the source, else below the user's cache folder (or ``NUMBA_CACHE_DIR``).
    Where neither can be written it refuses to cache; then each process compiles anew.
    """
    try:
        fast: Function = numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:
        fast = numba.njit(**OPTIONS)(function)
    return fast
