"""What a container or a job scheduler allows: the limits of this process's control groups.

Step in the line: none; files of the kernel -> **limits** -> `machine`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def cgroup_limits(
    root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> dict[str, Any]:
    """Read the limits a container or a job scheduler sets: cores, bytes of memory, bytes used.

    Parameters
    ----------
    root : Path
        Where the control groups are mounted.
    own : Path
        File that names those of this process.

    Returns
    -------
    dict
        ``cores``, ``memory_bytes`` and ``memory_used_bytes``, those that are limited.
    """
    try:
        lines = [line.split(":", 2) for line in own.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return {}
    found: dict[str, Any] = {}
    for _, controllers, name in lines:
        for folder in _up_to(root / controllers if controllers else root, name):
            quota = _numbers(folder / "cpu.max") or (
                _numbers(folder / "cpu.cfs_quota_us") + _numbers(folder / "cpu.cfs_period_us")
            )
            if len(quota) == 2 and quota[0] > 0:
                found["cores"] = min(quota[0] / quota[1], found.get("cores", float("inf")))
            for limit, used in (
                ("memory.max", "memory.current"),
                ("memory.limit_in_bytes", "memory.usage_in_bytes"),
            ):
                bound = _numbers(folder / limit)
                # Version 1 writes "no limit" as a number near 2^63.
                if bound and bound[0] < min(found.get("memory_bytes", 2**60), 2**60):
                    found["memory_bytes"] = bound[0]
                    held = next(iter(_numbers(folder / used)), None)
                    # Files that were read count as used until something else wants the room.
                    idle = _idle_file_bytes(folder / "memory.stat")
                    found["memory_used_bytes"] = None if held is None else max(0, held - idle)
    return found


def _up_to(root: Path, name: str) -> Iterator[Path]:
    """Folders of a control group, from its own to the root; a limit anywhere above counts."""
    folder = root / name.strip("/")
    yield folder
    while folder != root:
        folder = folder.parent
        yield folder


def _idle_file_bytes(path: Path) -> int:
    """Return the bytes of a control group that hold files nobody uses; 0 where it does not say."""
    try:
        lines = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
    except (OSError, ValueError):
        return 0
    said = {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[1].isdigit()}
    return said.get("total_inactive_file", said.get("inactive_file", 0))


def _numbers(path: Path) -> list[int]:
    """Return the numbers a file holds; none where it is missing or says ``max``."""
    try:
        return [int(word) for word in path.read_text(encoding="ascii").split()]
    except (OSError, ValueError):
        return []
