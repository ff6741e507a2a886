"""Compiles the inner loops of the kernels with numba; the machine code is cached on disk.

On one thread, since the folds of a run already use every core.
"""

import secrets
from collections.abc import Callable
from typing import Any, TypeVar

import numba
from numba.core.bytecode import FunctionIdentity

Function = TypeVar("Function", bound=Callable[..., object])

# Sums may be reordered, which lets them run in vector registers; NaN and infinity keep their
# meaning.
OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},
}


class _Identities:
    """Draws the number in the name of each compiled function at random from 62 bits.

    numba counts 1, 2, 3 … in every process. If two processes cache code, different inner functions
    of numba's own (of sort and of argsort) can get the same name, and a process that loads both
    runs one instead of the other, with wrong numbers (numba issue 10486).
    """

    def __next__(self) -> int:
        return secrets.randbits(62)


FunctionIdentity._unique_ids = _Identities()  # type: ignore[assignment]


def compiled(function: Function) -> Function:
    """Compile a function of arrays on its first call, or load it from the cache on disk.

    numba writes the cache next to the source, else below the user's cache folder (or
    ``NUMBA_CACHE_DIR``). If neither is writable, each process compiles the function itself. numba
    only notices edits of the function's own file: after editing a compiled function that functions
    in other files call (``quadrature``), delete the ``.nbi`` files.
    """
    try:
        fast: Function = numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:
        fast = numba.njit(**OPTIONS)(function)
    return fast
