"""What is asked of a library or a driver, each in a process of its own: it may crash or hang.

A probe tells what it found line by line, so that what was known before a crash is kept. Step in the
line: none; `machine` starts the probes and reads what they tell.
"""

import ctypes
import importlib
import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

from smalldata.runtime.devices import first_line, missing_card, resolve_device, try_device

NVIDIA_SMI_SECONDS = 10

Tell = Callable[..., None]


def main(name: str) -> None:
    """Run a probe; stdout gets one JSON object a line, whatever the libraries print goes to stderr.

    Parameters
    ----------
    name : str
        Key of `PROBES`.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as stream:
        os.dup2(2, 1)

        def tell(**found: Any) -> None:
            stream.write(json.dumps(found) + "\n")
            stream.flush()

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                PROBES[name](tell)
            except Exception as error:
                tell(error=f"{type(error).__name__}: {first_line(error)}")


# ---------------------------------------------------------------- the NVIDIA driver


def probe_driver(tell: Tell) -> None:
    """Tell the driver's version, the newest CUDA it runs, and every card, seen by a process or not.

    Asks nvidia-smi, and the driver's own library, which containers have more often.
    """
    tell(**_ask_nvidia_smi())
    tell(**_ask_library())


def _ask_nvidia_smi() -> dict[str, Any]:
    for fields in ("name,driver_version,memory.total,compute_cap", "name,driver_version"):
        command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=NVIDIA_SMI_SECONDS, check=False
            )
        except FileNotFoundError:
            return {"nvidia_smi": "absent"}
        except subprocess.TimeoutExpired:
            return {"nvidia_smi": f"no answer within {NVIDIA_SMI_SECONDS} s"}
        except OSError as error:
            return {"nvidia_smi": first_line(error)}
        if done.returncode == 0:
            return {"nvidia_smi": "ok", **read_cards(done.stdout)}
        if "not a valid field" not in done.stdout + done.stderr:  # old ones lack compute_cap
            break
    said = (done.stdout.strip() or done.stderr.strip()).splitlines()
    return {"nvidia_smi": said[0] if said else f"exit status {done.returncode}"}


def read_cards(text: str) -> dict[str, Any]:
    """Read what nvidia-smi prints: a line a card, of name, driver, MiB of memory, capability."""
    found: dict[str, Any] = {"cards": []}
    for line in text.splitlines():
        parts = [part.strip() for part in line.split(",")]
        name, driver, memory, capability = (*parts, "", "", "")[:4]
        found["driver"] = driver
        found["cards"].append(
            {
                "name": name,
                "memory_bytes": int(memory) * 2**20 if memory.isdigit() else None,
                "capability": capability if re.fullmatch(r"\d+\.\d+", capability) else None,
            }
        )
    return found


def _ask_library() -> dict[str, Any]:
    """Ask libcuda: the CUDA version of the driver, and the cards this process may see."""
    try:
        cuda = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return {"library": "absent"}
    number = ctypes.c_int()
    if cuda.cuDriverGetVersion(ctypes.byref(number)) != 0:
        return {"library": "gives no version"}
    found: dict[str, Any] = {"library": "ok"}
    found["cuda"] = f"{number.value // 1000}.{number.value % 1000 // 10}"
    if status := cuda.cuInit(0):
        return {**found, "library": f"cuInit failed with error {status}"}
    cuda.cuDeviceGetCount(ctypes.byref(number))
    found["visible"] = []
    for index in range(number.value):
        device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
        name, memory = ctypes.create_string_buffer(256), ctypes.c_size_t()
        cuda.cuDeviceGet(ctypes.byref(device), index)
        cuda.cuDeviceGetName(name, len(name), device)
        # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
        cuda.cuDeviceGetAttribute(ctypes.byref(major), 75, device)
        cuda.cuDeviceGetAttribute(ctypes.byref(minor), 76, device)
        cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
        found["visible"].append(
            {
                "name": name.value.decode(errors="replace"),
                "memory_bytes": memory.value,
                "capability": f"{major.value}.{minor.value}",
            }
        )
    return found


# ---------------------------------------------------------------- the libraries


def probe_numeric(tell: Tell) -> None:
    """Tell which of the compiled libraries load, whether numpy computes, and the thread pools."""
    failed: dict[str, str] = {}
    for library, module in NUMERIC.items():
        tell(trying=library)
        try:
            importlib.import_module(module)
        except Exception as error:
            failed[library] = f"{type(error).__name__}: {first_line(error)}"
        tell(failed=failed)
    tell(trying="numpy")
    import numpy as np

    solution = np.linalg.solve(np.diag([2.0, 4.0]), np.array([1.0, 1.0]))
    good = bool(np.allclose(solution, [0.5, 0.25]))
    tell(computed={"cpu": None if good else f"a wrong solution, {solution}"})
    _tell_pools(tell)


NUMERIC = {
    "numpy": "numpy",
    "scipy": "scipy.linalg",
    "pandas": "pandas",
    "pyarrow": "pyarrow.parquet",
    "scikit-learn": "sklearn.linear_model",
    "numba": "numba",
}
"""Libraries of compiled code and the module that loads it."""


def probe_torch(tell: Tell) -> None:
    """Tell what torch was built for, which cards it sees, and what it computes on each device."""
    import torch

    tell(version=torch.__version__, cuda=torch.version.cuda, hip=torch.version.hip)
    tell(path=torch.__file__, threads=torch.get_num_threads())
    computed = {"cpu": try_device("cpu")}
    tell(computed=computed)
    _tell_pools(tell)
    if torch.version.cuda is not None and missing_card() is None:
        tell(architectures=(torch._C._cuda_getArchFlags() or "").split())
        n_cards = torch.cuda.device_count()
        tell(n_cards=n_cards)
        for index in range(n_cards):
            device = f"cuda:{index}"
            tell(trying=device)
            computed[device] = try_device(device)
            tell(computed=computed)
        tell(trying=None)
    tell(auto=resolve_device("auto"))


def probe_xgboost(tell: Tell) -> None:
    """Tell whether xgboost has CUDA, and grow a few trees on each device."""
    import xgboost

    info = xgboost.build_info()
    cuda = ".".join(map(str, info.get("CUDA_VERSION", []))) or None
    tell(version=xgboost.__version__, path=xgboost.__file__)
    tell(cuda=cuda if info.get("USE_CUDA") else None)
    computed = {"cpu": _grow_trees("cpu")}
    tell(computed=computed)
    _tell_pools(tell)
    if info.get("USE_CUDA") and missing_card() is None:
        tell(trying="cuda")
        computed["cuda"] = _grow_trees("cuda")
        tell(computed=computed, trying=None)


def _grow_trees(device: str) -> str | None:
    """Fit a step with two trees; return what went wrong, or None."""
    import numpy as np
    import xgboost

    x = np.arange(64.0)[:, None]
    y = (x[:, 0] >= 32).astype(np.float64)
    rows = xgboost.DMatrix(x, label=y, nthread=1)
    options = {"device": device, "max_depth": 1, "eta": 1.0, "lambda": 0.0, "nthread": 1}
    try:
        booster = xgboost.train({**options, "verbosity": 0}, rows, num_boost_round=2)
        fitted = booster.predict(rows)
        used = json.loads(booster.save_config())["learner"]["generic_param"]["device"]
    except xgboost.core.XGBoostError as error:
        return f"xgboost cannot compute on it ({_last_words(error)})"
    if device == "cuda" and not used.startswith("cuda"):
        return "xgboost finds no card"
    return None if np.abs(fitted - y).max() < 1e-3 else "xgboost computed wrong trees"


def _last_words(error: Exception) -> str:
    """Return the reason out of an error of xgboost, without the place in its sources and stack."""
    line = next((part for part in str(error).splitlines() if "]" in part), str(error))
    return line.rpartition("]")[2].strip(" :") or first_line(error)


def _tell_pools(tell: Tell) -> None:
    from threadpoolctl import threadpool_info

    tell(pools=threadpool_info())


PROBES: dict[str, Callable[[Tell], None]] = {
    "driver": probe_driver,
    "numeric": probe_numeric,
    "torch": probe_torch,
    "xgboost": probe_xgboost,
}
