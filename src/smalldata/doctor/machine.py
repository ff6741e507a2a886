"""What this machine is and what its libraries say, as one plain dict: nothing else looks at it.

Whatever may crash or hang is asked in processes of its own, at once and with a deadline. Step in
the line: none; machine -> **collected** -> `diagnosis`.
"""

import contextlib
import ctypes
import importlib.util
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from typing import IO, Any

from packaging.requirements import Requirement

from smalldata.doctor.limits import cgroup_limits
from smalldata.doctor.probes import NUMERIC, PROBES
from smalldata.runtime.catalogue import tested_versions
from smalldata.runtime.devices import first_line, missing_card
from smalldata.runtime.workers import count_processes

SCHEMA_VERSION = 1
PROBE_SECONDS = 60.0
"""A probe that takes longer is killed: imports from a slow network drive take this long at most."""

KILL_SECONDS = 2.0
"""A killed process that does not end is left: it hangs in the driver."""

_FOR_DEVELOPERS = re.compile("dev|data|benchmark.*")
"""Extras that no user needs."""

_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "LD_LIBRARY_PATH",
    "LOKY_MAX_CPU_COUNT",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONPATH",
)


def collect(outputs: Path) -> dict[str, Any]:
    """Ask this machine everything; a part that cannot be read holds ``error`` instead.

    Parameters
    ----------
    outputs : Path
        Folder that results shall go to.

    Returns
    -------
    dict
        Plain values; the keys are ``schema_version``, ``smalldata``, ``python``, ``platform``,
        ``environment``, ``cores``, ``memory``, ``libraries``, ``hidden``, ``outputs``,
        ``missing_card``, ``pci_cards`` and one for each of `smalldata.doctor.probes.PROBES`.
    """
    with _started(PROBES) as probes:
        parts: dict[str, Callable[[], Any]] = {
            "smalldata": lambda: {
                "version": metadata.version("smalldata"),
                "path": str(Path(__file__).parents[1]),
            },
            "python": _python,
            "platform": _platform,
            "environment": lambda: {
                name: os.environ[name] for name in _VARIABLES if name in os.environ
            },
            "cores": _cores,
            "memory": _memory,
            "libraries": _libraries,
            "hidden": _hidden_libraries,
            "outputs": lambda: _outputs(outputs),
            "missing_card": missing_card,
            "pci_cards": count_pci_cards,
        }
        found: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
        found |= {name: _safely(part) for name, part in parts.items()}
        deadline = time.monotonic() + PROBE_SECONDS
        return found | {
            name: _finish(process, stream, deadline=deadline)
            for name, (process, stream) in probes.items()
        }


def _safely(part: Callable[[], Any]) -> Any:
    try:
        return part()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {first_line(error)}"}


# ---------------------------------------------------------------- processes

Started = dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]]

_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from smalldata.doctor.probes import main
main(sys.argv[1])
"""


@contextlib.contextmanager
def _started(names: Mapping[str, object]) -> Iterator[Started]:
    """Start a process a probe, with the modules that this one would import, and end them all."""
    with contextlib.ExitStack() as stack:
        started: Started = {}
        try:
            for name in names:
                stream = stack.enter_context(tempfile.TemporaryFile())
                # Through a file: a pipe would have to be read while waiting, one a process.
                process = subprocess.Popen(
                    [sys.executable, "-c", _CODE, name, json.dumps(sys.path)],
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.DEVNULL,
                )
                started[name] = (process, stream)
            yield started
        finally:
            for process, _ in started.values():
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(KILL_SECONDS)


def _finish(
    process: subprocess.Popen[bytes], stream: IO[bytes], *, deadline: float
) -> dict[str, Any]:
    """Wait for a probe until the deadline and return all it told."""
    found: dict[str, Any] = {}
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        _end(process)
        found["error"] = f"no answer within {PROBE_SECONDS:.0f} s"
    else:
        if process.returncode < 0:
            found["error"] = f"the process died of {_signal_name(-process.returncode)}"
        elif process.returncode > 0:
            found["error"] = f"the process ended with status {process.returncode}"
    stream.seek(0)
    told: dict[str, Any] = {}
    for line in stream.read().splitlines():
        with contextlib.suppress(ValueError):  # cut by a kill
            told |= json.loads(line)
    return told | found


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# ---------------------------------------------------------------- Python, cores, memory


def _python() -> dict[str, Any]:
    return {
        "version": platform.python_version(),
        "requires": metadata.metadata("smalldata")["Requires-Python"],
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "executable": sys.executable,
        "pip": _pip(),
    }


def _pip() -> list[str]:
    """Words that call the installer of this very environment."""
    if importlib.util.find_spec("pip") is None and shutil.which("uv"):
        return ["uv", "pip"]
    found = shutil.which("python")
    here = found is not None and Path(found).absolute() == Path(sys.executable).absolute()
    return ["python" if here else sys.executable, "-m", "pip"]


def _platform() -> dict[str, Any]:
    return {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()).strip() or None,
    }


def _cores() -> dict[str, Any]:
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {
        "machine": os.cpu_count(),
        "affinity": affinity,
        "cgroup": cgroup_limits().get("cores"),
        "usable": count_processes(None),
    }


def _memory() -> dict[str, Any]:
    total, available = _system_memory()
    limits = cgroup_limits()
    limit = limits.get("memory_bytes")
    if limit is not None and total is not None and limit < total:
        left = max(0, limit - (limits.get("memory_used_bytes") or 0))
        return {
            "total_bytes": total,
            "limit_bytes": limit,
            "available_bytes": left if available is None else min(left, available),
        }
    return {"total_bytes": total, "limit_bytes": None, "available_bytes": available}


def _system_memory() -> tuple[int | None, int | None]:
    """Bytes of memory, and those that programs can still get, where the system says so."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = (line.split() for line in meminfo.read_text(encoding="ascii").splitlines())
        kilobytes = {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) > 1}
        available = kilobytes.get("MemAvailable")
        return kilobytes["MemTotal"] * 1024, None if available is None else available * 1024
    if sys.platform == "win32":
        status = (ctypes.c_uint64 * 8)()  # MEMORYSTATUSEX: two 32-bit fields, then seven of 64
        ctypes.cast(status, ctypes.POINTER(ctypes.c_uint32))[0] = ctypes.sizeof(status)
        if ctypes.windll.kernel32.GlobalMemoryStatusEx(status):
            return int(status[1]), int(status[2])
        return None, None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), None


# ---------------------------------------------------------------- libraries, outputs


def _libraries() -> dict[str, dict[str, Any]]:
    """By name: the installed version, the bounds of this package, the tested version, the extra."""
    tested = tested_versions()
    found: dict[str, dict[str, Any]] = {}
    for line in metadata.requires("smalldata") or ():
        wanted = Requirement(line)
        extras = metadata.metadata("smalldata").get_all("Provides-Extra") or []
        applies = [
            extra
            for extra in ("", *extras)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra})
        ]
        extra = next((name for name in applies if not _FOR_DEVELOPERS.fullmatch(name)), None)
        if extra is None:
            continue
        found[wanted.name] = {
            "installed": _installed(wanted.name),
            "requires": str(wanted.specifier),
            "wanted": _without_marker(wanted),
            "tested": tested.get(wanted.name.lower().replace("_", "-")),
            "extra": extra or None,
        }
    return found


def count_pci_cards(root: Path = Path("/sys/bus/pci/devices")) -> int | None:
    """Count the NVIDIA cards in the slots, whether a driver shows them or not.

    Parameters
    ----------
    root : Path
        Where Linux lists them.

    Returns
    -------
    int or None
        None where nothing is listed, as on other systems.
    """
    try:
        about = [
            [(device / name).read_text(encoding="ascii").strip() for name in ("vendor", "class")]
            for device in root.iterdir()
        ]
    except OSError:
        return None
    # 0x10de: NVIDIA; 0x03....: display controllers, 3D controllers among them.
    return sum(vendor == "0x10de" and kind.startswith("0x03") for vendor, kind in about)


def _hidden_libraries() -> dict[str, str]:
    """Files of the working folder that Python takes in place of a library, by its name."""
    here = Path.cwd().resolve()
    modules = {name: module.partition(".")[0] for name, module in NUMERIC.items()}
    hidden = {}
    for name, module in {**modules, "torch": "torch", "xgboost": "xgboost"}.items():
        spec = PathFinder.find_spec(module)
        origin = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        if origin is not None and origin in (here / f"{module}.py", here / module / "__init__.py"):
            hidden[name] = str(origin)
    return hidden


def _without_marker(wanted: Requirement) -> str:
    extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
    return f"{wanted.name}{extras}{wanted.specifier}"


def _installed(name: str) -> str | None:
    """Version of a library, also where a package of another name holds it (xgboost-cpu)."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        owners = metadata.packages_distributions().get(name)
        return metadata.version(owners[0]) if owners else None


def _outputs(folder: Path) -> dict[str, Any]:
    """Write a nameless file where results shall go, or where their folder would be made."""
    absolute = folder.absolute()
    existing = next(path for path in (absolute, *absolute.parents) if path.exists())
    error = None
    try:
        with tempfile.TemporaryFile(dir=existing) as stream:
            stream.write(b"\0" * 4096)
    except OSError as problem:
        error = problem.strerror or str(problem)
    return {
        "path": str(folder),
        "error": error,
        "free_bytes": shutil.disk_usage(existing).free,
    }
