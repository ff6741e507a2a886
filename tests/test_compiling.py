"""Compiled code kept on disk by several processes means in each later one what it said."""

import os
import subprocess
import sys

# numba's inner functions of the two have the same names, and would have the same numbers.
ORDER = """
from smalldata.runtime.compiling import compiled

@compiled
def order(first, second):
    return first.argsort(), second.argsort()
"""
ASCEND = """
from smalldata.runtime.compiling import compiled

@compiled
def ascend(first, second):
    first.sort()
    second.sort()
"""
TRY_ORDER = "from order import order; print(order(x, x)[0])"
TRY_ASCEND = "from ascend import ascend; ascend(y, z); print(y)"


def test_functions_cached_by_two_processes_stay_distinct_in_a_third(tmp_path):
    (tmp_path / "order.py").write_text(ORDER)
    (tmp_path / "ascend.py").write_text(ASCEND)
    places = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}

    def run(*codes):
        start = "import numpy as np; x = np.array([30, 10, 20]); y = x.copy(); z = x.copy()"
        done = subprocess.run(
            [sys.executable, "-c", "\n".join([start, *codes])],
            env=os.environ | places,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()

    assert run(TRY_ORDER) == ["[1 2 0]"]
    assert run(TRY_ASCEND) == ["[10 20 30]"]
    assert len(list((tmp_path / "cache").rglob("*.nbi"))) == 2
    assert run(TRY_ORDER, TRY_ASCEND) == ["[1 2 0]", "[10 20 30]"]
    assert run(TRY_ASCEND, TRY_ORDER) == ["[10 20 30]", "[1 2 0]"]
