"""Compiles the inner loops of the kernels with numba; the machine code is kept on disk.

One thread: the folds of a run already use every core.
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
    """Draws the number in the name of each compiled function from all of 62 bits.

    numba counts 1, 2, 3 … in every process. Where two processes have cached code, different inner
    functions of numba's own (those of sort and of argsort) can then bear one name, and a process
    that loads both runs one of them in place of the other: wrong numbers (numba issue 10486).
    """

    def __next__(self) -> int:
        return secrets.randbits(62)


FunctionIdentity._unique_ids = _Identities()  # type: ignore[assignment]


def compiled(function: Function) -> Function:
    """Compile a function of arrays on its first call, from the cache on disk where there is one.

    numba writes beside the source, else below the user's cache folder (or ``NUMBA_CACHE_DIR``).
    Where neither can be written it refuses to cache; then each process compiles anew. It notices an
    edit of the function's own file only: after an edit of a compiled function that those of other
    files call (``quadrature``), delete the ``.nbi`` files.
    """
    try:
        fast: Function = numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:
        fast = numba.njit(**OPTIONS)(function)
    return fast
