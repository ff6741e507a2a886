"""The device that a fit runs on, and its number of threads.

``auto`` means CUDA if a small computation works there, else the CPU with one line that says why.
Step in the line: config -> **resolved device** -> learner.build.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smalldata.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda")


def resolve_device(name: str) -> tuple[str, str]:
    """Turn ``auto``, ``cpu`` or ``cuda`` into the device to use and the reason.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda"}

    Returns
    -------
    device : {"cpu", "cuda"}
    reason : str
        One line for the log.

    Raises
    ------
    ConfigError
        If the name is unknown, or ``cuda`` was requested and does not work.

    Examples
    --------
    >>> resolve_device("cpu")
    ('cpu', 'asked for')
    """
    if name not in DEVICES:
        raise ConfigError(f"device must be one of {', '.join(DEVICES)}; got {name!r}.")
    if name == "cpu":
        return "cpu", "asked for"
    hindrance = _cuda_hindrance()
    if hindrance is None:
        return "cuda", "asked for" if name == "cuda" else "a small computation on it worked"
    if name == "cuda":
        raise ConfigError(
            f"device=cuda needs a working card; {hindrance}. Use device=auto or device=cpu."
        )
    return "cpu", hindrance


def missing_card() -> str | None:
    """Say why there is no usable card, as far as can be told without torch; else None."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "unset").strip() in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides every card"
    if sys.platform == "darwin":
        return "macOS has no CUDA"
    # WSL shows its card as /dev/dxg. Windows has no device files, so torch must tell.
    if sys.platform.startswith("linux") and not any(
        Path(device).exists() for device in ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")
    ):
        return "this machine shows no NVIDIA card"
    return None


def try_device(device: str) -> str | None:
    """Compute a product with torch on a device; return what went wrong, or None.

    Parameters
    ----------
    device : str
        ``cpu``, ``cuda`` or one card, ``cuda:1``.
    """
    import torch

    try:
        square = torch.full((64, 64), 0.5, device=device)
        total = float((square @ square).sum())
    except (RuntimeError, AssertionError) as error:
        return f"torch cannot compute on it ({first_line(error)})"
    return None if total == 64 * 64 * 16.0 else f"the device computed a wrong sum ({total})"


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, else its type."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _cuda_hindrance() -> str | None:
    """Say why CUDA cannot be used, or None. Imports torch only if the machine has a driver."""
    if (reason := missing_card()) is not None:
        return reason
    try:
        import torch
    except (ImportError, OSError) as error:
        hindrance: str | None = f"torch cannot be loaded ({first_line(error)})"
    else:
        if torch.version.cuda is None:
            hindrance = f"the installed torch {torch.__version__} is a build without CUDA"
        else:
            hindrance = try_device("cuda")
    return hindrance and f"{hindrance}; `python -m smalldata doctor` says what to do"


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run torch on one thread inside the block, then restore the number of threads.

    The order of a sum depends on the number of threads, so equal seeds only give equal numbers if
    that is fixed; and folds already run in parallel, one process per core.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
